//! One test in a program of its own, since it replaces the panic hook.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::io::Write;
use std::sync::mpsc;

use subrosa_enclave::log::Log;

struct Sink(mpsc::Sender<Vec<u8>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.send(bytes.to_vec()).unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_panic_says_where_and_not_what() {
    let (sender, lines) = mpsc::channel();
    Log::to(Sink(sender)).catch_panics();
    let caught = std::panic::catch_unwind(|| panic!("the user said: heron"));
    drop(std::panic::take_hook());
    assert!(caught.is_err());
    let line = String::from_utf8(lines.iter().flatten().collect()).unwrap();
    assert!(
        line.contains("\"event\":\"panicked\"") && line.contains("tests/panic.rs"),
        "{line}"
    );
    assert!(!line.contains("heron"), "{line}");
}
