//! Writes a random-weight model for benchmarks:
//! `cargo run -p subrosa-inference --example random_gguf -- --preset 135m out.gguf`.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::print_stderr,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a development tool that shares the writer of the tests"
)]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::process::ExitCode;

#[path = "../tests/support/gguf.rs"]
mod gguf;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (preset, path) = match words.as_slice() {
        ["--preset", "135m", path] => (gguf::Preset::M135, path),
        ["--preset", "tiny", path] => (gguf::Preset::TINY, path),
        _ => {
            eprintln!("usage: random_gguf --preset 135m|tiny OUT.gguf");
            return ExitCode::from(2);
        }
    };
    let written = File::create(path).and_then(|file| {
        let mut out = BufWriter::new(file);
        preset.write(&mut out)?;
        out.flush()
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write {path}: {error}");
            ExitCode::FAILURE
        }
    }
}
