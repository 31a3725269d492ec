//! `subrosa doctor`: what this machine can and cannot do.

mod evidence;
mod machine;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde::Serialize;

use crate::disk::{free_bytes, size_words};
use crate::enclave_program;
use crate::failure::{Exit, Failure};
use crate::folders::{Folders, try_writing_in};
use crate::printer::{Mark, Printer};
use crate::settings::{ServiceFlags, Settings};

use machine::Machine;

/// Explain what this machine can and cannot do, with the next step
///
/// Looks at hardware for confidential computing, sandbox features, disk, clock and installed
/// programs. Nothing is changed and nothing is sent. Exits with 1 when something must be repaired
/// before a device can be used; what is only absent does not count.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    name: &'static str,
    mark: Mark,
    words: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_step: Option<String>,
}

impl Finding {
    fn passed(name: &'static str, words: impl Into<String>) -> Self {
        Self::new(name, Mark::Passed, words)
    }

    fn failed(name: &'static str, words: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self::new(name, Mark::Failed, words).then(next_step)
    }

    fn gap(name: &'static str, words: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self::new(name, Mark::Gap, words).then(next_step)
    }

    fn new(name: &'static str, mark: Mark, words: impl Into<String>) -> Self {
        Self {
            name,
            mark,
            words: words.into(),
            next_step: None,
        }
    }

    fn then(mut self, next_step: impl Into<String>) -> Self {
        self.next_step = Some(next_step.into());
        self
    }
}

pub(crate) fn run(_flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    let findings = look(&Machine::here());
    let repair = findings.iter().any(|finding| finding.mark == Mark::Failed);
    if printer.is_json() {
        printer.json(&findings)?;
    } else {
        for finding in &findings {
            printer.row(finding.mark, finding.name, &finding.words)?;
            if let Some(next_step) = &finding.next_step {
                printer.line(format!("{NEXT}{next_step}"))?;
            }
        }
        printer.line(closing(repair))?;
    }
    Ok(if repair { Exit::Failed } else { Exit::Done })
}

fn look(machine: &Machine) -> Vec<Finding> {
    let mut findings = vec![program(), machine::c_library(), enclave()];
    findings.extend([
        machine.guest(),
        machine.host(),
        machine.tpm(),
        machine.graphics(),
        machine::vector_instructions(),
        machine.landlock(),
        machine.seccomp(),
    ]);
    match Folders::find() {
        Ok(folders) => {
            findings.push(disk(&folders.state.path));
            findings.push(state_folder(&folders.state.path));
            findings.push(settings(&folders));
        }
        Err(failure) => findings.push(of_failure("folders", &failure)),
    }
    findings.push(clock(SystemTime::now(), machine.clock_is_synchronised()));
    findings
}

fn program() -> Finding {
    let development = if cfg!(feature = "development") {
        ", development build"
    } else {
        ""
    };
    let words = format!(
        "subrosa {} for {} on {}{development}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    Finding::passed("program", words)
}

fn enclave() -> Finding {
    const NAME: &str = "subrosa-enclave";
    let found = enclave_program::find().and_then(|path| {
        let version = enclave_program::version(&path)?;
        Ok(Finding::passed(
            NAME,
            format!("{version} at {}", path.display()),
        ))
    });
    found.unwrap_or_else(|failure| {
        let words = format!("{}; only serving a model needs it", failure.message());
        let next_step = failure.next_step().unwrap_or("build it again: make try");
        let causes = failure.causes().join("; ");
        Finding::gap(NAME, format!("{words} ({causes})"), next_step)
    })
}

fn disk(state: &Path) -> Finding {
    const NAME: &str = "disk";
    match free_bytes(state) {
        Some(free) if free < LEAST_FREE => Finding::failed(
            NAME,
            format!("{} free at {}", size_words(free), state.display()),
            "free some space, or point XDG_STATE_HOME at a disk that has some",
        ),
        Some(free) => Finding::passed(
            NAME,
            format!("{} free at {}", size_words(free), state.display()),
        ),
        None => Finding::new(
            NAME,
            Mark::Gap,
            "this system does not say how much space is free",
        ),
    }
}

fn state_folder(state: &Path) -> Finding {
    const NAME: &str = "state folder";
    match try_writing_in(state) {
        Ok(()) => Finding::passed(NAME, format!("{} can be written", state.display())),
        Err(failure) => of_failure(NAME, &failure),
    }
}

fn settings(folders: &Folders) -> Finding {
    const NAME: &str = "settings";
    let file = folders.settings_file();
    match Settings::load(folders, &ServiceFlags::default()) {
        Ok(_) if file.exists() => Finding::passed(NAME, format!("{} is right", file.display())),
        Ok(_) => Finding::passed(NAME, format!("defaults; {} is not there", file.display())),
        Err(failure) => of_failure(NAME, &failure),
    }
}

fn clock(now: SystemTime, synchronised: Option<bool>) -> Finding {
    const NAME: &str = "clock";
    let seconds = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let time = subrosa_attest::UnixSeconds::new(seconds);
    if !(EARLIEST..LATEST).contains(&seconds) {
        return Finding::failed(
            NAME,
            format!("it says {time}, which cannot be"),
            "set it: timedatectl set-ntp true, or date --set; evidence is refused under a wrong clock",
        );
    }
    match synchronised {
        Some(true) => Finding::passed(NAME, format!("{time}, synchronised")),
        Some(false) => Finding::gap(
            NAME,
            format!("{time}, and nothing keeps it right"),
            "switch on time synchronisation: timedatectl set-ntp true; evidence is valid for 20 minutes only",
        ),
        None => Finding::passed(
            NAME,
            format!("{time}; compare it with another clock if evidence is refused as expired"),
        ),
    }
}

fn of_failure(name: &'static str, failure: &Failure) -> Finding {
    let words = [failure.message()]
        .into_iter()
        .chain(failure.causes().iter().map(String::as_str));
    let words = words.collect::<Vec<_>>().join(": ");
    let next_step = failure
        .next_step()
        .unwrap_or("the words above say what to repair");
    Finding::failed(name, words, next_step)
}

fn closing(repair: bool) -> &'static str {
    if repair {
        "Something must be repaired before this device can be used: see the rows marked ✗."
    } else {
        "This device can verify services and talk to them. That says nothing about any service: `subrosa verify` does."
    }
}

const EXAMPLE: &str = "\
Example:
  subrosa doctor";
const NEXT: &str = "                           next: ";
/// Enough for receipts and for what `try` writes.
const LEAST_FREE: u64 = 16 * 1024 * 1024;
/// 2026-11-01T00:00:00Z: this source is younger.
const EARLIEST: u64 = 1_793_491_200;
/// 2056-01-01T00:00:00Z.
const LATEST: u64 = 2_713_910_400;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_before_this_source_was_written_must_be_repaired() {
        let reset = UNIX_EPOCH + Duration::from_hours(24);
        assert_eq!(clock(reset, Some(true)).mark, Mark::Failed);
        assert_eq!(
            clock(UNIX_EPOCH - Duration::from_secs(1), None).mark,
            Mark::Failed
        );
        assert_eq!(
            clock(UNIX_EPOCH + Duration::from_secs(LATEST), None).mark,
            Mark::Failed
        );
    }

    #[test]
    fn a_clock_nobody_keeps_right_is_a_gap() {
        let now = UNIX_EPOCH + Duration::from_secs(EARLIEST);
        assert_eq!(clock(now, Some(false)).mark, Mark::Gap);
        assert_eq!(clock(now, Some(true)).mark, Mark::Passed);
    }

    #[test]
    fn every_gap_and_every_failure_names_a_next_step() {
        let empty = tempfile::tempdir().unwrap();
        for finding in look(&Machine::at(empty.path())) {
            let unknown = finding.words.contains("does not say");
            assert!(
                finding.mark == Mark::Passed || unknown || finding.next_step.is_some(),
                "{finding:?}"
            );
        }
    }
}
