//! What the measurements share: interleaved pairs, medians with their
//! intervals, tables, and a service to measure.
//!
//! Machines are shared and noisy, so nothing here is compared across runs:
//! each round measures both sides, in turn, and the ratio is of one round.

pub mod arguments;
pub mod engines;
pub mod garbage;
pub mod load;
pub mod node;
pub mod peer;
pub mod plain;
pub mod process;
pub mod report;
pub mod sealed;
pub mod stats;
pub mod verify;

use std::process::ExitCode;

/// Why a measurement could not be taken.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Prints the table or the error, and says how it went.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the end of each program"
)]
#[must_use]
pub fn finish(done: Result<String, Failed>) -> ExitCode {
    match done {
        Ok(table) => {
            println!("{table}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says on stderr how far a measurement is.
#[expect(clippy::print_stderr, reason = "progress of a program")]
pub fn progress(text: &str) {
    eprintln!("{text}");
}
