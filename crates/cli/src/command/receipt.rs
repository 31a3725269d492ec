//! `subrosa receipt`: what a receipt says, and whether it holds.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use subrosa_attest::{Policy, UnixSeconds, Verdict};
use subrosa_channel::{Receipt, ReceiptError, Transcript, absent_release, absent_weights};
use subrosa_client::ReceiptFile;
use subrosa_client::receipt::{CheckError, Checked, ReceiptFileError};
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::folders::{Folders, read_bounded};
use crate::judgement::{Judgement, TrustFlags, read_policy};
use crate::printer::{Mark, Printer};
use crate::settings::{ServiceFlags, Settings};

/// Show and check receipts
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Show(ShowFlags),
    Check(CheckFlags),
}

/// Show what a receipt says, without judging its evidence
#[derive(Args, Debug)]
#[command(after_help = SHOW_EXAMPLE)]
struct ShowFlags {
    /// Receipt file, or the id of a kept receipt
    receipt: String,
}

/// Check a receipt with the evidence that is kept with it, without any network
///
/// The evidence is judged as of the receipt's minute. A receipt of a simulated platform stays NOT PROTECTED
/// (development), and the command exits with 6. Without a policy nothing is accepted.
#[derive(Args, Debug)]
#[command(after_help = CHECK_EXAMPLE)]
struct CheckFlags {
    /// Receipt file, or the id of a kept receipt
    receipt: String,

    #[command(flatten)]
    service: ServiceFlags,

    #[command(flatten)]
    trust: TrustFlags,

    /// File with the request, as binary HTTP, to open the receipt with
    #[arg(long, value_name = "FILE", requires = "frames")]
    message: Option<PathBuf>,

    /// File with the frames of the answer, to open the receipt with
    #[arg(long, value_name = "FILE", requires = "message")]
    frames: Option<PathBuf>,
}

/// What a receipt states (spec/receipt.md).
#[derive(Serialize)]
struct Statement {
    id: String,
    time: String,
    key_configuration: String,
    release: String,
    weights: String,
    request_commitment: String,
    response_commitment: String,
}

/// One row of a check.
#[derive(Serialize)]
struct Row {
    check: &'static str,
    outcome: Mark,
    words: String,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    match &flags.action {
        Action::Show(flags) => show(flags, printer),
        Action::Check(flags) => check(flags, printer),
    }
}

fn show(flags: &ShowFlags, printer: &Printer) -> Result<Exit, Failure> {
    let file = load(&flags.receipt)?;
    let statement = Statement::of(file.receipt());
    let kept = file.transcript().is_some();
    if printer.is_json() {
        printer.json(&serde_json::json!({
            "receipt": statement,
            "shown_verdict": file.shown_verdict(),
            "transcript_kept": kept,
        }))?;
        return Ok(Exit::Done);
    }
    for (name, value) in [
        ("receipt", statement.id.as_str()),
        ("minute", &statement.time),
        ("verdict then", file.shown_verdict()),
        ("key configuration", &statement.key_configuration),
        ("release", &statement.release),
        ("weights", &statement.weights),
        ("request", &statement.request_commitment),
        ("answer", &statement.response_commitment),
        ("text kept", if kept { "yes, in this file" } else { "no" }),
    ] {
        printer.line(format!("{name:<20}{value}"))?;
    }
    printer.say("nothing of this was checked: subrosa receipt check does that");
    Ok(Exit::Done)
}

fn check(flags: &CheckFlags, printer: &Printer) -> Result<Exit, Failure> {
    let file = load(&flags.receipt)?;
    let settings = Settings::load(&Folders::find()?, &flags.service)?;
    let policy = match &settings.policy.value {
        Some(path) => read_policy(path)?,
        None => Policy::strict_default(),
    };
    if settings.policy.value.is_none() {
        printer.say("no policy was given, so nothing is accepted: name one with --policy");
    }
    let given = flags.transcript()?;
    let checked = file.check(&policy, &flags.trust.load()?, given.as_ref());
    let statement = Statement::of(file.receipt());
    let rows = rows(&checked, &statement);
    let (exit, verdict) = match &checked {
        Ok(checked) => {
            let judgement = Judgement::Passed(std::sync::Arc::new(checked.node.clone()));
            (judgement.exit(), judgement.verdict_line())
        }
        Err(error) => (Exit::Refused, format!("REFUSED: {}", error.code())),
    };
    if printer.is_json() {
        printer.json(&serde_json::json!({
            "receipt": statement,
            "verdict": verdict,
            "exit": exit.number(),
            "checks": rows,
        }))?;
        return Ok(exit);
    }
    printer.line(format!(
        "Receipt {}, checked as of {}:",
        statement.id, statement.time
    ))?;
    for row in &rows {
        printer.row(row.outcome, row.check, &row.words)?;
    }
    printer.line(format!("\n{verdict}. {}", closing(exit)))?;
    printer.line(LIMITS)?;
    Ok(exit)
}

impl CheckFlags {
    fn transcript(&self) -> Result<Option<Transcript>, Failure> {
        let (Some(message), Some(frames)) = (&self.message, &self.frames) else {
            return Ok(None);
        };
        Ok(Some(Transcript {
            message: Zeroizing::new(read_bounded(message, MAX_TEXT)?),
            frames: Zeroizing::new(read_bounded(frames, MAX_TEXT)?),
        }))
    }
}

impl Statement {
    fn of(receipt: &Receipt) -> Self {
        let field = |from: usize| {
            let end = from.saturating_add(32);
            receipt.as_bytes().get(from..end).unwrap_or_default()
        };
        let named = |from: usize, absent: [u8; 32], words: &str| {
            if field(from) == absent {
                words.to_owned()
            } else {
                hex::encode(field(from))
            }
        };
        let seconds = receipt.unverified_minute().saturating_mul(60);
        Self {
            id: receipt.id(),
            time: UnixSeconds::new(seconds).to_string(),
            key_configuration: hex::encode(field(4)),
            request_commitment: hex::encode(field(36)),
            response_commitment: hex::encode(field(68)),
            release: named(100, absent_release(), "none (not a released build)"),
            weights: named(132, absent_weights(), "none (no model answered)"),
        }
    }
}

fn rows(checked: &Result<Checked, CheckError>, statement: &Statement) -> [Row; 4] {
    let row = |check, outcome, words: String| Row {
        check,
        outcome,
        words,
    };
    let not_reached = |check| {
        row(
            check,
            Mark::Gap,
            "Not checked: an earlier check failed".to_owned(),
        )
    };
    let evidence = |outcome, verdict: &str| {
        let words = format!("Does the kept evidence pass, as of then? {verdict}");
        row("evidence", outcome, words)
    };
    let signature = || {
        row(
            "signature",
            Mark::Passed,
            format!(
                "Did the attested key sign it, in its life? Yes: weights {}",
                statement.weights
            ),
        )
    };
    let format = row(
        "format",
        Mark::Passed,
        "Is it a receipt of version 1? Yes".to_owned(),
    );
    match checked {
        Ok(checked) => {
            let verdict = checked.node.verdict_line();
            let judged = match checked.node.appraisal().verdict() {
                // Only as far as a root goes that anybody could have made.
                Verdict::NotProtectedDevelopment => evidence(Mark::Gap, &verdict),
                _ => evidence(Mark::Passed, &format!("Yes: {verdict}")),
            };
            let opened = if checked.opened {
                row(
                    "commitments",
                    Mark::Passed,
                    "Does it commit to the text? Yes".to_owned(),
                )
            } else {
                row(
                    "commitments",
                    Mark::Gap,
                    "Does it commit to the text? Not checked: the text was not kept".to_owned(),
                )
            };
            [format, judged, signature(), opened]
        }
        Err(CheckError::Evidence(refusal)) => {
            let words = format!(
                "Does the kept evidence pass, as of then? No: {}",
                refusal.reason_code()
            );
            [
                format,
                row("evidence", Mark::Failed, words),
                not_reached("signature"),
                not_reached("commitments"),
            ]
        }
        Err(CheckError::Receipt(error @ ReceiptError::Commitment(_))) => {
            let words = format!("Does it commit to the text? No: {error}");
            [
                format,
                evidence(Mark::Passed, "Yes"),
                signature(),
                row("commitments", Mark::Failed, words),
            ]
        }
        Err(error) => {
            let words = format!("Did the attested key sign it, in its life? No: {error}");
            [
                format,
                evidence(Mark::Passed, "Yes"),
                row("signature", Mark::Failed, words),
                not_reached("commitments"),
            ]
        }
    }
}

fn closing(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => {
            "the receipt holds; genuine hardware with a program this policy allows signed it."
        }
        Exit::NotProtected => {
            "The receipt holds, but whoever ran the platform could have signed anything."
        }
        _ => "The receipt proves nothing under this policy.",
    }
}

/// A receipt by its file or, when it is 16 hexadecimal digits, by its id.
fn load(name: &str) -> Result<ReceiptFile, Failure> {
    let is_id = name.len() == ID_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let path = if is_id && !Path::new(name).exists() {
        Folders::find()?
            .receipts()
            .join(name)
            .with_extension("json")
    } else {
        PathBuf::from(name)
    };
    ReceiptFile::load(&path).map_err(|error| {
        let failure = Failure::new(
            Exit::Failed,
            format!("cannot use the receipt {}", path.display()),
        );
        match &error {
            ReceiptFileError::Io(error) => failure
                .because(error)
                .hint("give the path or the id that was printed with the answer"),
            error @ ReceiptFileError::Version { .. } => failure
                .because(error)
                .hint("a newer version wrote it: update this program"),
            error => failure
                .because(error)
                .hint("the file is not a receipt, or was changed; a receipt cannot be repaired"),
        }
    })
}

const EXAMPLE: &str = "\
Example:
  subrosa receipt show 0123456789abcdef";
const SHOW_EXAMPLE: &str = EXAMPLE;
const CHECK_EXAMPLE: &str = "\
Example:
  subrosa receipt check 0123456789abcdef --policy policy.toml";
const LIMITS: &str = "
What this does not prove:
- That the answer is true: it proves which program and which weights answered, not that they are right.
- Who asked: whoever has this file can show it.";
const ID_DIGITS: usize = 16;
const MAX_TEXT: u64 = 64 * 1024 * 1024;
