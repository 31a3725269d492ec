//! A folder as Gramine shows it, in which a thread does Gramine's part.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::fs;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;

/// A quote of version 3 about `data`.
fn quote(data: &[u8]) -> Vec<u8> {
    let mut quote = vec![0; 48 + 384];
    quote[0] = 3;
    quote[368..].copy_from_slice(data);
    quote.extend([2, 0, 0, 0, 9, 9]);
    quote
}

fn folder(kind: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("attestation_type"), kind).unwrap();
    folder
}

/// Answers each write of `user_report_data` with a quote.
fn serve(folder: &Path, quote: fn(&[u8]) -> Vec<u8>) {
    let folder = folder.to_owned();
    for pipe in ["user_report_data", "quote"] {
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, folder.join(pipe), FileType::Fifo, mode, 0).unwrap();
    }
    let _gramine = std::thread::spawn(move || {
        loop {
            let data = fs::read(folder.join("user_report_data")).unwrap();
            fs::write(folder.join("quote"), quote(&data)).unwrap();
        }
    });
}

fn open(folder: &Path) -> Result<Sgx, CollectError> {
    let settings = serde_json::json!({ "folder": folder });
    Sgx::open(&serde_json::from_value(settings).unwrap())
}

#[test]
fn a_quote_is_about_the_bytes_that_were_given() {
    let folder = folder("dcap");
    serve(folder.path(), quote);
    let mut sgx = open(folder.path()).unwrap();
    for byte in [1, 2] {
        let evidence = sgx.collect(&Challenge::of_bytes([byte; 64])).unwrap();
        let expected = Evidence::Sgx {
            quote: quote(&[byte; 64]),
        };
        assert_eq!(evidence, expected);
    }
}

#[test]
fn a_quote_about_somebody_elses_bytes_is_refused() {
    let folder = folder("dcap");
    serve(folder.path(), |_| quote(&[9; 64]));
    let collected = open(folder.path())
        .unwrap()
        .collect(&Challenge::of_bytes([1; 64]));
    assert!(matches!(collected, Err(CollectError::Conflict)));
}

#[test]
fn bytes_that_are_no_quote_are_refused() {
    let folder = folder("dcap\n");
    serve(folder.path(), |_| b"not a quote".to_vec());
    let collected = open(folder.path())
        .unwrap()
        .collect(&Challenge::of_bytes([1; 64]));
    assert!(matches!(
        collected,
        Err(CollectError::Malformed { what: "quote" })
    ));
}

#[test]
fn an_enclave_that_makes_no_dcap_quotes_is_told_what_to_set() {
    for kind in ["none", "epid"] {
        let error = open(folder(kind).path()).err().unwrap();
        assert!(error.to_string().contains(kind));
        assert!(error.hint().contains("remote_attestation"));
    }
}

#[test]
fn outside_of_gramine_there_is_no_quote() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(folder.path()).err().unwrap();
    assert!(matches!(error, CollectError::Missing { .. }));
}
