//! Evidence, judged and shown.

use std::fmt::Write as _;
use std::path::Path;
#[cfg(feature = "development")]
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};
use subrosa_attest::appraisal::{NotRun, Outcome, Row};
use subrosa_attest::{Appraisal, Bundle, Policy, UnixSeconds, Verdict};
use subrosa_channel::NodeError;
use subrosa_client::{Refusal, RefusalReason, Trust, VerifiedNode};

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

/// What came of judging one node.
pub(crate) enum Judgement {
    Passed(Arc<VerifiedNode>),
    Refused(Box<Refusal>),
}

impl TrustFlags {
    #[cfg_attr(
        not(feature = "development"),
        expect(
            clippy::unnecessary_wraps,
            clippy::unused_self,
            reason = "there is nothing to choose then"
        )
    )]
    pub(crate) fn load(&self) -> Result<Trust, Failure> {
        #[cfg(feature = "development")]
        if let Some(path) = &self.development_root {
            return Trust::development(&read_text(path, MAX_ROOT)?).map_err(|error| {
                Failure::new(
                    Exit::Usage,
                    format!("{} names no simulated root", path.display()),
                )
                .because(&error)
                .hint(
                    "give the public file that `subrosa try` or `subrosa serve --development` made",
                )
            });
        }
        Ok(Trust::Vendor)
    }
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
    pub(crate) fn of(bundle: Bundle, policy: &Policy, trust: &Trust, now: UnixSeconds) -> Self {
        match VerifiedNode::judge(bundle, policy, trust, now) {
            Ok(node) => Self::Passed(Arc::new(node)),
            Err(refusal) => Self::Refused(refusal),
        }
    }

    /// How a command whose point is verification ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Passed(node) => match node.appraisal().verdict() {
                Verdict::Verified | Verdict::VerifiedWithGaps(_) => Exit::Done,
                Verdict::NotProtectedDevelopment => Exit::NotProtected,
                Verdict::Refused(_) => Exit::Refused,
            },
            Self::Refused(_) => Exit::Refused,
        }
    }

    /// The verdict in one line, with its code or its gaps.
    pub(crate) fn verdict_line(&self) -> String {
        match self {
            Self::Passed(node) => node.verdict_line(),
            Self::Refused(refusal) => refusal.verdict_line(),
        }
    }

    /// The attestation result alone; a bundle that could not be judged has none.
    pub(crate) fn to_ear(&self) -> Value {
        self.appraisal().map_or(Value::Null, Appraisal::to_json)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "verdict": self.verdict_line(),
            "exit": self.exit().number(),
            "appraisal": self.appraisal().map(Appraisal::to_json),
            "key_configuration": match self {
                Self::Passed(node) => {
                    let kc = node.key_configuration();
                    json!({
                        "outcome": "pass",
                        "key_id": kc.key_id().to_string(),
                        "not_before": kc.not_before(),
                        "not_after": kc.not_after(),
                        "models": kc.models().iter().map(|model| &model.name).collect::<Vec<_>>(),
                    })
                }
                Self::Refused(refusal) => match refusal.reason() {
                    RefusalReason::Evidence(_) => json!({ "outcome": "not-run" }),
                    _ => json!({
                        "outcome": "fail",
                        "code": refusal.reason_code(),
                        "reason": refusal.to_string(),
                    }),
                },
            },
        })
    }

    /// Prints each check in order, then what it comes to and what it does not prove.
    pub(crate) fn print(&self, printer: &Printer, explain: bool) -> Result<(), Failure> {
        if let Some(appraisal) = self.appraisal() {
            let (at, policy) = (appraisal.at(), appraisal.policy_name());
            printer.line(format!("Checked at {at} by the policy \"{policy}\":"))?;
            for row in appraisal.rows() {
                print_row(printer, row, explain)?;
            }
        }
        self.print_node(printer)?;
        printer.line("")?;
        match (self, self.appraisal()) {
            (Self::Refused(refusal), _)
                if !matches!(refusal.reason(), RefusalReason::Evidence(_)) =>
            {
                let code = refusal.reason_code();
                printer.line(format!(
                    "REFUSED ({code}): nothing may be sent to this node under this policy."
                ))?;
                printer.line(format!("\nWhat to do next: {}.", refusal_hint(refusal)))
            }
            (_, Some(appraisal)) => {
                let text = appraisal.human_text();
                printer.line(
                    text.split_once("\n\n")
                        .map_or("", |(_, closing)| closing.trim_end()),
                )
            }
            (_, None) => Ok(()),
        }
    }

    fn appraisal(&self) -> Option<&Appraisal> {
        match self {
            Self::Passed(node) => Some(node.appraisal()),
            Self::Refused(refusal) => refusal.appraisal(),
        }
    }

    fn print_node(&self, printer: &Printer) -> Result<(), Failure> {
        const NAME: &str = "key-configuration";
        const QUESTION: &str = "Is the key what the policy allows, and in its life?";
        match self {
            Self::Passed(node) => {
                let end = UnixSeconds::new(node.key_configuration().not_after());
                printer.row(Mark::Passed, NAME, &format!("{QUESTION} Yes: until {end}"))
            }
            Self::Refused(refusal) => match refusal.reason() {
                RefusalReason::Evidence(_) => printer.row(
                    Mark::Gap,
                    NAME,
                    &format!("{QUESTION} Not checked: an earlier check failed"),
                ),
                RefusalReason::Node(error) => printer.row(
                    Mark::Failed,
                    NAME,
                    &format!("{QUESTION} No: {}", node_words(error)),
                ),
                _ => printer.row(Mark::Failed, NAME, &format!("{QUESTION} No: {refusal}")),
            },
        }
    }
}

/// What to do about a node that was refused for more than its evidence.
pub(crate) fn refusal_hint(refusal: &Refusal) -> &'static str {
    match refusal.reason() {
        RefusalReason::Node(error) => node_hint(error),
        RefusalReason::Expiring { .. } => {
            "compare this machine's clock with another one (subrosa doctor), then try again in a minute"
        }
        RefusalReason::Evidence(_) => {
            "see every check: subrosa verify, with the same --url and --policy"
        }
        _ => {
            "the service, or somebody in between, sends something else than it names: do not use it"
        }
    }
}

/// Why a key configuration was refused, with times as people read them.
pub(crate) fn node_words(error: &NodeError) -> String {
    let time = |seconds: &u64| UnixSeconds::new(*seconds);
    match error {
        NodeError::Expired { not_after, now } => {
            format!(
                "its life ended at {}, and it is {}",
                time(not_after),
                time(now)
            )
        }
        NodeError::NotYetValid { not_before, now } => {
            format!(
                "its life begins at {}, and it is {}",
                time(not_before),
                time(now)
            )
        }
        other => other.to_string(),
    }
}

/// What to do about a key configuration that was refused.
fn node_hint(error: &NodeError) -> &'static str {
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

/// Prints what came of a check, and why it is made where that is asked for.
pub(crate) fn print_row(printer: &Printer, row: &Row, explain: bool) -> Result<(), Failure> {
    let (mark, words) = row_words(row);
    printer.row(mark, row.name(), &words)?;
    if explain {
        printer.line(format!("    {}", row.explanation()))?;
    }
    Ok(())
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
