//! Evidence, judged and shown.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use subrosa_attest::appraisal::{NotRun, Outcome, Row};
#[cfg(feature = "development")]
use subrosa_attest::development::{self, DevelopmentRoot};
use subrosa_attest::{Appraisal, Bundle, Policy, Roots, UnixSeconds, Verdict, appraise};
#[cfg(feature = "development")]
use subrosa_channel::DevelopmentNode;
use subrosa_channel::{KeyConfiguration, NodeError, Recipient, TrustedNode};

use crate::failure::{Exit, Failure};
use crate::folders::{read_bounded, read_text};
use crate::printer::{Mark, Printer};

/// Whose signature counts: the hardware vendors', or that of one simulated root.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TrustFlags {
    /// Public file of a simulated root to accept instead of a vendor's
    ///
    /// The verdict is then NOT PROTECTED (development): whoever has the root's secret file reads
    /// everything. Works with loopback addresses only, and is never read from a settings file.
    #[cfg(feature = "development")]
    #[arg(long, value_name = "FILE")]
    pub(crate) development_root: Option<PathBuf>,
}

/// The keys at the top of the certificates.
pub(crate) enum Trust {
    #[cfg(feature = "development")]
    Development(DevelopmentRoot),
    Vendor,
}

/// What came of judging one bundle.
pub(crate) struct Judgement {
    appraisal: Appraisal,
    /// The key configuration, once the evidence has passed.
    node: Option<Result<KeyConfiguration, NodeError>>,
}

impl TrustFlags {
    pub(crate) fn load(&self) -> Result<Trust, Failure> {
        #[cfg(feature = "development")]
        if let Some(path) = &self.development_root {
            return read_development_root(path).map(Trust::Development);
        }
        Ok(Trust::Vendor)
    }
}

#[cfg(feature = "development")]
pub(crate) fn read_development_root(path: &Path) -> Result<DevelopmentRoot, Failure> {
    let text = read_text(path, MAX_ROOT)?;
    DevelopmentRoot::from_public_file(&text).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("{} names no simulated root", path.display()),
        )
        .because(&error)
        .hint("give the public file that `subrosa try` or `subrosa serve --development` made")
    })
}

/// Reads a policy file. Without one nothing is accepted.
pub(crate) fn read_policy(path: &Path) -> Result<Policy, Failure> {
    let text = read_text(path, MAX_POLICY)?;
    Policy::parse(&text).map_err(|error| {
        Failure::new(Exit::Usage, format!("{} is not a policy", path.display()))
            .because(&error)
            .hint("correct that line; spec/policy.md explains every key")
    })
}

/// Reads a bundle file.
pub(crate) fn read_bundle(path: &Path) -> Result<Bundle, Failure> {
    let limit = u64::try_from(Bundle::MAX_LEN).unwrap_or(u64::MAX);
    parse_bundle(&read_bounded(path, limit)?)
        .map_err(|failure| failure.cause(format!("in {}", path.display())))
}

pub(crate) fn parse_bundle(bytes: &[u8]) -> Result<Bundle, Failure> {
    Bundle::parse(bytes).map_err(|error| {
        Failure::new(Exit::Refused, "this is not an evidence bundle")
            .because(&error)
            .hint("get the bundle again from the service; its format is spec/evidence-bundle.md")
    })
}

impl Judgement {
    /// Judges `bundle` as of `now`, and then the key configuration it binds.
    pub(crate) fn of(bundle: &Bundle, policy: &Policy, trust: &Trust, now: UnixSeconds) -> Self {
        match trust {
            #[cfg(feature = "development")]
            Trust::Development(root) => Self::of_development(bundle, policy, root, now),
            Trust::Vendor => {
                let appraisal = appraise(bundle, policy, &Roots::vendor(), now);
                let attested = appraisal.clone().into_attested().ok();
                let node = attested.map(|attested| TrustedNode::new(attested, now));
                let node = node.map(|node| node.map(|node| node.key_configuration().clone()));
                Self { appraisal, node }
            }
        }
    }

    #[cfg(feature = "development")]
    fn of_development(
        bundle: &Bundle,
        policy: &Policy,
        root: &DevelopmentRoot,
        now: UnixSeconds,
    ) -> Self {
        match development::appraise(bundle, policy, root, now) {
            Ok(attested) => {
                let appraisal = attested.appraisal().clone();
                let node = DevelopmentNode::new(attested, now);
                let node = Some(node.map(|node| node.key_configuration().clone()));
                Self { appraisal, node }
            }
            Err(refused) => Self {
                appraisal: refused.appraisal().clone(),
                node: None,
            },
        }
    }

    /// How a command whose point is verification ends.
    pub(crate) fn exit(&self) -> Exit {
        match (self.appraisal.verdict(), &self.node) {
            (Verdict::Verified | Verdict::VerifiedWithGaps(_), Some(Ok(_))) => Exit::Done,
            (Verdict::NotProtectedDevelopment, Some(Ok(_))) => Exit::NotProtected,
            _ => Exit::Refused,
        }
    }

    /// The verdict in words, with its code or its gaps.
    pub(crate) fn verdict_words(&self) -> String {
        match &self.node {
            Some(Err(error)) => format!("REFUSED ({})", error.code()),
            _ => self.appraisal.verdict().to_string(),
        }
    }

    /// The verified key configuration.
    pub(crate) fn key_configuration(&self) -> Option<&KeyConfiguration> {
        self.node.as_ref()?.as_ref().ok()
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "verdict": self.verdict_words(),
            "exit": self.exit().number(),
            "appraisal": self.appraisal.to_json(),
            "key_configuration": match &self.node {
                None => json!({ "outcome": "not-run" }),
                Some(Ok(kc)) => json!({
                    "outcome": "pass",
                    "key_id": kc.key_id().to_string(),
                    "not_before": kc.not_before(),
                    "not_after": kc.not_after(),
                    "models": kc.models().iter().map(|model| &model.name).collect::<Vec<_>>(),
                }),
                Some(Err(error)) => json!({
                    "outcome": "fail",
                    "code": error.code(),
                    "reason": error.to_string(),
                }),
            },
        })
    }

    /// Prints each check in order, then what it comes to and what it does not prove.
    pub(crate) fn print(&self, printer: &Printer) -> Result<(), Failure> {
        let (at, policy) = (self.appraisal.at(), self.appraisal.policy_name());
        printer.line(format!("Checked at {at} by the policy \"{policy}\":"))?;
        for row in self.appraisal.rows() {
            let (mark, words) = row_words(row);
            printer.row(mark, row.name(), &words)?;
        }
        self.print_node(printer)?;
        printer.line("")?;
        if let Some(Err(error)) = &self.node {
            let code = error.code();
            printer.line(format!(
                "REFUSED ({code}): nothing may be sent to this node under this policy."
            ))?;
            return printer.line(format!("\nWhat to do next: {}.", node_hint(error)));
        }
        let text = self.appraisal.human_text();
        printer.line(
            text.split_once("\n\n")
                .map_or("", |(_, closing)| closing.trim_end()),
        )
    }

    fn print_node(&self, printer: &Printer) -> Result<(), Failure> {
        const NAME: &str = "key-configuration";
        const QUESTION: &str = "Is the key what the policy allows, and in its life?";
        match &self.node {
            None => printer.row(
                Mark::Gap,
                NAME,
                &format!("{QUESTION} Not checked: an earlier check failed"),
            ),
            Some(Ok(kc)) => {
                let end = UnixSeconds::new(kc.not_after());
                printer.row(Mark::Passed, NAME, &format!("{QUESTION} Yes: until {end}"))
            }
            Some(Err(error)) => printer.row(Mark::Failed, NAME, &format!("{QUESTION} No: {error}")),
        }
    }
}

/// What to do about a key configuration that was refused.
pub(crate) fn node_hint(error: &NodeError) -> &'static str {
    match error {
        NodeError::Expired { .. } => {
            "keys live 20 minutes: get fresh evidence from the service, and compare this machine's clock with another one \
             (subrosa doctor)"
        }
        NodeError::NotYetValid { .. } => {
            "this machine's clock is probably behind: compare it with another one and set it (subrosa doctor)"
        }
        _ => {
            "ask the operator what changed; a policy is only widened for values that you trust from another source"
        }
    }
}

fn row_words(row: &Row) -> (Mark, String) {
    let mut question = row.question().to_owned();
    if let Some(first) = question.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    match row.outcome() {
        Outcome::Pass => {
            let actual = row.actual().map(|actual| format!(": {}", shorten(actual)));
            (
                Mark::Passed,
                format!("{question} Yes{}", actual.unwrap_or_default()),
            )
        }
        Outcome::Fail { code } => {
            let mut words = format!("{question} No ({code})");
            for (name, value) in [("found", row.actual()), ("expected", row.expected())] {
                if let Some(value) = value {
                    let _infallible = write!(words, "; {name} {value}");
                }
            }
            (Mark::Failed, words)
        }
        Outcome::NotRun { why } => {
            let why = match why {
                NotRun::Gap(gap) => gap.meaning(),
                NotRun::NotReached => "an earlier check failed".to_owned(),
                NotRun::Simulated => "the platform is simulated".to_owned(),
                _ => "it did not run".to_owned(),
            };
            (Mark::Gap, format!("{question} Not checked: {why}"))
        }
        _ => (Mark::Gap, question),
    }
}

/// A long value of a passed check, cut for people; `--json` has all of it.
fn shorten(value: &str) -> String {
    if value.chars().count() <= SHOWN {
        return value.to_owned();
    }
    value.chars().take(SHOWN).chain(['…']).collect()
}

const MAX_POLICY: u64 = 64 * 1024;
#[cfg(feature = "development")]
const MAX_ROOT: u64 = 64 * 1024;
const SHOWN: usize = 60;
