//! The `subrosa` command: private AI that anyone can check, from a terminal.
//!
//! ```text
//! arguments ──▶ command::run ──▶ crate client (directory, verify, seal, stream, receipt)
//!                    └──────────▶ Printer (stdout: data, stderr: talk) or a Failure with its exit code
//! ```
//!
//! The engine is not linked here: what serves a model is the separate binary
//! `subrosa-enclave`.

#![expect(
    clippy::doc_markdown,
    reason = "doc comments of arguments are help texts"
)]
#![allow(
    rustdoc::bare_urls,
    reason = "doc comments of arguments are help texts"
)]

mod arguments;
mod chat;
mod client_failure;
mod collateral;
mod command;
#[cfg(feature = "development")]
mod development;
mod disk;
mod download;
mod enclave_program;
mod evidence;
mod failure;
mod folders;
mod judgement;
mod printer;
mod releases;
mod settings;
mod signals;
mod terminal;
mod time;
mod transparency;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    let printer = printer::Printer::new(&arguments.output);
    match command::run(arguments.command, &printer) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.is_nobody_reading() {
                printer.failure(&failure);
            }
            failure.exit().into()
        }
    }
}
