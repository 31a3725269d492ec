//! The verdict, which follows from the rows and from nothing else.

use core::fmt;

use super::check::{Check, Group, Need, NotRun, Outcome, Row};
use super::{Code, Gap, Origin};

/// What an appraisal comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a verdict more must be handled by every user"
)]
pub enum Verdict {
    /// Every check passed, up to a simulated root: this protects nothing.
    NotProtectedDevelopment,
    /// At least one check failed or could not be done.
    Refused(Code),
    /// Every check passed.
    Verified,
    /// No check failed; the named things were not checked.
    VerifiedWithGaps(Vec<Gap>),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotProtectedDevelopment => f.write_str("NOT PROTECTED (development)"),
            Self::Refused(code) => write!(f, "REFUSED ({code})"),
            Self::Verified => f.write_str("VERIFIED"),
            Self::VerifiedWithGaps(gaps) => {
                let names: Vec<_> = gaps.iter().map(ToString::to_string).collect();
                write!(f, "VERIFIED WITH GAPS ({})", names.join(", "))
            }
        }
    }
}

/// Draws the conclusion.
///
/// The first failed check decides the code. A required check without a pass is a
/// refusal even if nothing failed, so that forgetting to run a check cannot lead
/// to a better verdict.
pub(super) fn conclude(
    groups: &[Group],
    rows: &[Row],
    weakened: &[Gap],
    origin: Origin,
) -> Verdict {
    if let Some(code) = refusal(groups, rows, origin) {
        return Verdict::Refused(code);
    }
    if origin == Origin::Simulated {
        return Verdict::NotProtectedDevelopment;
    }
    let gaps = gaps(rows, weakened);
    if gaps.is_empty() {
        Verdict::Verified
    } else {
        Verdict::VerifiedWithGaps(gaps)
    }
}

/// Why the rows amount to a refusal, if they do.
pub(super) fn refusal(groups: &[Group], rows: &[Row], origin: Origin) -> Option<Code> {
    let failed = rows.iter().find_map(|row| match row.outcome {
        Outcome::Fail { code } => Some(code),
        Outcome::NotRun { .. } | Outcome::Pass => None,
    });
    let all_answered = || {
        Check::ALL
            .iter()
            .filter(|check| groups.contains(&check.group()))
            .all(|&check| is_answered(check, rows, origin))
    };
    match failed {
        Some(code) => Some(code),
        None if groups.is_empty() || !all_answered() => Some(Code::RequiredCheckNotRun),
        None => None,
    }
}

/// The gaps among the rows, then the rules the policy loosens.
pub(super) fn gaps(rows: &[Row], weakened: &[Gap]) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    let of_rows = rows.iter().filter_map(|row| match &row.outcome {
        Outcome::NotRun {
            why: NotRun::Gap(gap),
        } => Some(gap),
        _ => None,
    });
    for gap in of_rows.chain(weakened) {
        if !gaps.contains(gap) {
            gaps.push(gap.clone());
        }
    }
    gaps
}

fn is_answered(check: Check, rows: &[Row], origin: Origin) -> bool {
    let mut of_check = rows.iter().filter(|row| row.check == check).peekable();
    if of_check.peek().is_none() {
        return check.need() == Need::WhenAsked;
    }
    of_check.all(|row| match &row.outcome {
        Outcome::Pass => true,
        Outcome::Fail { .. } => false,
        Outcome::NotRun { why } => match why {
            NotRun::Gap(_) => check.need() == Need::GapAllowed,
            NotRun::NotReached => false,
            NotRun::Simulated => check == Check::ExcludesHost && origin == Origin::Simulated,
        },
    })
}
