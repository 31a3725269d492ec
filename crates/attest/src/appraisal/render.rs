//! An appraisal for programs and for people.

use core::fmt::Write as _;

use serde_json::{Value, json};

use super::ear::{TrustVector, ear};
use super::{Appraisal, Facts, Gap, NotRun, Outcome, PlatformClaims, Row, Verdict};

impl Appraisal {
    /// The appraisal as JSON: `spec/verdicts.md`, section "JSON".
    ///
    /// Names follow RATS where it has them (`draft-ietf-rats-ear`, AR4SI).
    #[must_use]
    pub fn to_json(&self) -> Value {
        let verdict = self.verdict();
        ear(
            self.at,
            "node",
            json!({
                "ear.status": ear_status(&verdict),
                "ear.trustworthiness-vector": TrustVector::of(&self.rows).to_json(),
                "ear.appraisal-policy-id": self.policy_name,
                "subrosa.verdict": verdict_name(&verdict),
                "subrosa.code": match verdict {
                    Verdict::Refused(code) => Some(code.as_str()),
                    _ => None,
                },
                "subrosa.gaps": self.gaps().iter().map(gap_json).collect::<Vec<_>>(),
                "subrosa.bundle": self.bundle_hash.to_string(),
                "subrosa.checks": self.rows.iter().map(row_json).collect::<Vec<_>>(),
                "subrosa.facts": self.facts.as_ref().map(facts_json),
            }),
        )
    }

    /// The appraisal as text: what was checked in order, one sentence that says
    /// what it comes to, and what it does not prove.
    #[must_use]
    pub fn human_text(&self) -> String {
        let mut text = format!("Checked at {} by \"{}\":\n", self.at, self.policy_name);
        for row in &self.rows {
            text.push_str(&row_text(row));
        }
        text.push('\n');
        text.push_str(&closing_sentence(&self.verdict()));
        text.push_str("\n\nWhat this does not prove:\n");
        for gap in self.gaps() {
            let _infallible = writeln!(text, "- {}.", sentence(&gap.meaning()));
        }
        for limit in LIMITS {
            let _infallible = writeln!(text, "- {limit}");
        }
        text
    }

    fn gaps(&self) -> Vec<Gap> {
        super::verdict::gaps(&self.rows, &self.weakened)
    }
}

fn row_text(row: &Row) -> String {
    let mark = match row.outcome() {
        Outcome::Pass => "yes",
        Outcome::Fail { .. } => "NO",
        Outcome::NotRun { .. } => "not checked",
    };
    let mut line = format!("  {:<12}{}", mark, sentence(row.question()));
    match row.outcome() {
        Outcome::Fail { code } => {
            let _infallible = write!(line, "\n              {code}");
            for (name, value) in [("found", row.actual()), ("expected", row.expected())] {
                if let Some(value) = value {
                    let _infallible = write!(line, "\n              {name}: {value}");
                }
            }
        }
        Outcome::NotRun { why } => {
            let _infallible = write!(line, " ({})", not_run_text(why));
        }
        Outcome::Pass => {}
    }
    line.push('\n');
    line
}

fn not_run_text(why: &NotRun) -> &'static str {
    match why {
        NotRun::Gap(gap) => gap.as_str(),
        NotRun::NotReached => "an earlier check failed",
        NotRun::Simulated => "simulated platform",
    }
}

fn closing_sentence(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Verified => {
            "VERIFIED: genuine hardware runs a program this policy allows, and the key belongs to it."
                .to_owned()
        }
        Verdict::VerifiedWithGaps(gaps) => format!(
            "VERIFIED WITH GAPS: genuine hardware runs a program this policy allows, and the key belongs to it; {} named below {} not checked.",
            match gaps.len() {
                1 => "one thing".to_owned(),
                many => format!("{many} things"),
            },
            if gaps.len() == 1 { "was" } else { "were" },
        ),
        Verdict::Refused(code) => format!(
            "REFUSED ({code}): nothing may be sent to this node under this policy."
        ),
        Verdict::NotProtectedDevelopment => {
            "NOT PROTECTED (development): the platform is simulated; whoever runs it reads everything."
                .to_owned()
        }
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// AR4SI trust tiers: what a relying party does without knowing our words.
fn ear_status(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Verified => "affirming",
        Verdict::VerifiedWithGaps(_) => "warning",
        Verdict::Refused(_) | Verdict::NotProtectedDevelopment => "contraindicated",
    }
}

fn verdict_name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Verified => "verified",
        Verdict::VerifiedWithGaps(_) => "verified-with-gaps",
        Verdict::Refused(_) => "refused",
        Verdict::NotProtectedDevelopment => "not-protected-development",
    }
}

fn gap_json(gap: &Gap) -> Value {
    match gap {
        Gap::Weakened { rule, reason } => {
            json!({ "gap": gap.as_str(), "rule": rule.as_str(), "reason": reason })
        }
        _ => json!({ "gap": gap.as_str() }),
    }
}

pub(super) fn row_json(row: &Row) -> Value {
    let (outcome, code, why) = match row.outcome() {
        Outcome::Pass => ("pass", None, None),
        Outcome::Fail { code } => ("fail", Some(code.as_str()), None),
        Outcome::NotRun { why } => (
            "not-run",
            None,
            Some(match why {
                NotRun::Gap(gap) => gap.as_str(),
                NotRun::NotReached => "not-reached",
                NotRun::Simulated => "simulated",
            }),
        ),
    };
    json!({
        "check": row.name(),
        "outcome": outcome,
        "code": code,
        "why": why,
        "expected": row.expected(),
        "actual": row.actual(),
    })
}

fn facts_json(facts: &Facts) -> Value {
    let registers = facts
        .registers()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)));
    json!({
        "platform": facts.platform().to_string(),
        "measurement": registers.collect::<serde_json::Map<_, _>>(),
        "claims": match facts.claims() {
            PlatformClaims::Azure(claims) => json!(claims),
            PlatformClaims::AwsNitro(claims) => json!(claims),
            PlatformClaims::IntelTdx(claims) => json!(claims),
            PlatformClaims::SevSnp(claims) => json!(claims),
            PlatformClaims::Tpm(claims) => json!(claims),
        },
    })
}

/// True of every verdict, so said with every verdict.
const LIMITS: [&str; 3] = [
    "That the program is free of faults: it proves which program runs, not that it is good.",
    "That the hardware cannot be opened: an attacker with the machine in hand and the right tools is limited, not excluded.",
    "That the page or program that shows this text is the genuine one.",
];
