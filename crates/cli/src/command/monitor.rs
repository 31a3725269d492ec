//! `subrosa monitor`: read everything that a log holds, and say what it is.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use subrosa_translog::VerifierKey;

use crate::download::check_address;
use crate::failure::{Exit, Failure};
use crate::printer::{Printer, Tone};
use crate::signals::{self, Stop};
use crate::transparency::{Finding, Monitor, parse_verifier_key};

/// Watch a log: every entry is read, and the tree computed again
///
/// Prints what each new entry is. What was seen is kept in a file, so that a log which goes back or contradicts itself
/// is found; both checkpoints are then kept beside it as proof. Exits with 3 where the log misbehaves.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    /// Address of the log
    url: String,

    /// Public key of the log
    #[arg(long, value_name = "KEY", value_parser = parse_verifier_key)]
    key: VerifierKey,

    /// What was seen before, and will have been seen
    #[arg(long, value_name = "FILE")]
    state: PathBuf,

    /// Look once and end
    #[arg(long)]
    once: bool,

    /// Seconds between looks
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    interval: u64,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    check_address(&flags.url)?;
    let mut monitor = Monitor::open(&flags.url, flags.key.clone(), &flags.state)?;
    let runtime = signals::runtime()?;
    let mut stop = Stop::listen(&runtime)?;
    loop {
        match monitor.look() {
            Ok(findings) => {
                if report(&findings, &monitor, printer)? == Exit::Refused {
                    return Ok(Exit::Refused);
                }
            }
            Err(failure) if flags.once => return Err(failure),
            // A log that is away for a while is looked at again.
            Err(failure) => printer.failure(&failure),
        }
        if flags.once {
            return Ok(Exit::Done);
        }
        let pause = Duration::from_secs(flags.interval);
        let is_wished = runtime.block_on(async {
            tokio::select! {
                outcome = stop.wished() => outcome.map(|()| true),
                () = tokio::time::sleep(pause) => Ok(false),
            }
        })?;
        if is_wished {
            return Ok(Exit::Done);
        }
    }
}

fn report(findings: &[Finding], monitor: &Monitor, printer: &Printer) -> Result<Exit, Failure> {
    for finding in findings {
        match finding {
            Finding::Entry(entry) if printer.is_json() => printer.json(entry)?,
            Finding::Entry(entry) => print_entry(entry, printer)?,
            Finding::Misbehaviour { what, kept } => {
                if printer.is_json() {
                    printer.json(&json!({ "misbehaviour": what, "kept": kept }))?;
                }
                printer.notice(
                    Tone::Bad,
                    format!(
                        "MISBEHAVIOUR: {what}. Both checkpoints are in {}",
                        kept.display()
                    ),
                );
                return Ok(Exit::Refused);
            }
        }
    }
    printer.say(format!(
        "{} entries, all in the tree that is signed",
        monitor.size()
    ));
    Ok(Exit::Done)
}

fn print_entry(entry: &Value, printer: &Printer) -> Result<(), Failure> {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    printer.line(format!("{}  {}", entry["index"], text("kind")))?;
    let warning = text("warning");
    if warning.is_empty() {
        return Ok(());
    }
    printer.line(format!("    WARNING: {warning}"))
}

const EXAMPLE: &str = "\
Example:
  subrosa monitor https://log.example.org/subrosa --key 'log.example.org/subrosa+…' --state seen.json";
