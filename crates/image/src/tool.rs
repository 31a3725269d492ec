//! Programs of the system that are used, and how.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use crate::error::ImageError;

/// A program, with nothing of this process's environment but where programs are
/// found. Text is sorted and written as in the C locale.
#[must_use]
pub fn command(tool: &str) -> Command {
    let mut command = Command::new(tool);
    command
        .env_clear()
        .env("PATH", SEARCH)
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    command
}

/// Runs a tool to its end, and returns what it wrote.
///
/// # Errors
///
/// [`ImageError::Missing`] where it is not installed, [`ImageError::Tool`] where it
/// fails.
pub fn run<I, S>(tool: &str, arguments: I) -> Result<Vec<u8>, ImageError>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    finish(tool, command(tool).args(arguments))
}

/// The same for a command that is ready.
///
/// # Errors
///
/// As [`run`].
pub fn finish(tool: &str, command: &mut Command) -> Result<Vec<u8>, ImageError> {
    let output = command.output().map_err(|error| missing(tool, &error))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = [output.stdout, output.stderr].concat();
    Err(ImageError::Tool {
        tool: tool.to_owned(),
        output: last_lines(&String::from_utf8_lossy(&said), 20),
    })
}

pub(crate) fn missing(tool: &str, error: &std::io::Error) -> ImageError {
    ImageError::Missing {
        what: format!("{tool} ({error})"),
        hint: "scripts/setup image installs it",
    }
}

/// The last lines of what a program said.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    let start = lines.len().saturating_sub(count);
    lines.get(start..).unwrap_or_default().join("\n")
}

const SEARCH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
