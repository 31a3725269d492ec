//! Messages that are good but for one field.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::type_complexity,
    reason = "tests"
)]

use proptest::prelude::*;

use super::*;
use crate::fixtures::pki::TestKey;
use crate::nvidia::fixtures::{DeviceDraft, NONCE};

/// Where the first block begins.
const RECORD: usize = 45;
/// Bytes of a block.
const BLOCK: usize = 55;

/// A report with two blocks and one opaque field, unless changed.
fn draft() -> DeviceDraft {
    let mut draft = DeviceDraft::gpu(1);
    draft.measurements.truncate(2);
    draft.opaque.truncate(1);
    draft
}

fn edited(edit: impl Fn(&mut Vec<u8>) + 'static) -> Result<Report, ReportError> {
    let mut draft = draft();
    draft.edit = Box::new(edit);
    Report::parse(&draft.report())
}

fn verify(bytes: &[u8]) -> Result<VerifiedReport, ReportError> {
    Report::parse(bytes)?.verify(&key(1))
}

fn key(number: u8) -> PublicKey {
    PublicKey::from_spki(&TestKey::p384(number).spki()).unwrap()
}

#[test]
fn a_signed_report_yields_its_fields() {
    let report = verify(&draft().report()).unwrap();
    assert_eq!(report.nonce, NONCE);
    let expected = [[1; 48], [2; 48]].map(Sha384Digest::new);
    assert_eq!(report.measurements, expected);
    let version = report.opaque.gpu_vbios_version();
    assert_eq!(version.as_deref(), Some("96.00.9F.00.01"));
}

#[test]
fn zero_bytes_may_follow_up_to_the_size_of_the_buffer() {
    let mut bytes = draft().report();
    bytes.resize(Report::MAX_LEN, 0);
    assert!(verify(&bytes).is_ok());
    bytes.push(0);
    let error = ReportError::TooLong { got: 0x2001 };
    assert_eq!(verify(&bytes).unwrap_err(), error);
}

#[test]
fn another_byte_behind_the_signature_is_refused() {
    let mut draft = draft();
    draft.trailing = vec![0, 0, 1];
    let error = verify(&draft.report()).unwrap_err();
    assert_eq!(error, ReportError::Trailing { got: 3 });
}

#[test]
fn another_devices_key_is_refused() {
    let report = Report::parse(&draft().report()).unwrap();
    assert_eq!(report.verify(&key(2)), Err(ReportError::Signature));
}

/// Whatever changes, the report is refused; the signature is changed too.
#[test]
fn no_bit_may_change() {
    let mut draft = draft();
    draft.measurements.truncate(1);
    let good = draft.report();
    let key = key(1);
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let result = Report::parse(&bytes).and_then(|report| report.verify(&key));
        assert!(result.is_err(), "accepted with bit {bit} flipped");
    }
}

#[test]
fn an_all_zero_signature_is_refused() {
    let mut bytes = draft().report();
    let start = bytes.len() - SIGNATURE_LEN;
    bytes[start..].fill(0);
    assert_eq!(verify(&bytes).unwrap_err(), ReportError::Signature);
}

#[test]
fn each_field_has_the_only_value_that_is_accepted() {
    let cases: [(&str, usize, u8); 11] = [
        ("request version", 0, 0x12),
        ("request code", 1, 0xE1),
        ("request attributes", 2, 0),
        ("measurement operation", 3, 0),
        ("request slot", 36, 8),
        ("response version", 37, 0x10),
        ("response code", 38, 0x7F),
        ("response parameter 1", 39, 1),
        ("response slot", 40, 1),
        ("number of blocks", 41, 0),
        ("measurement specification", RECORD + 1, 2),
    ];
    for (field, at, got) in cases {
        let error = edited(move |bytes| bytes[at] = got).unwrap_err();
        assert_eq!(error, ReportError::Field { field, got });
    }
}

#[test]
fn another_slot_is_accepted_if_both_messages_name_it() {
    let in_both = edited(|bytes| {
        bytes[36] = 3;
        bytes[40] = 3;
    });
    assert!(in_both.is_ok());
}

#[test]
fn blocks_are_numbered_without_a_gap() {
    for index in [0, 1, 3] {
        let error = edited(move |bytes| bytes[RECORD + BLOCK] = index).unwrap_err();
        let expected = ReportError::Field {
            field: "block index",
            got: index,
        };
        assert_eq!(error, expected);
    }
}

#[test]
fn a_block_holds_one_digest_and_no_more() {
    let cases: [(&str, fn(&mut Vec<u8>)); 4] = [
        ("raw value", |bytes| bytes[RECORD + 4] |= 0x80),
        ("short value", |bytes| bytes[RECORD + 5] = 47),
        ("long value", |bytes| bytes[RECORD + 5] = 49),
        ("short block", |bytes| bytes[RECORD + 2] = 50),
    ];
    for (name, edit) in cases {
        let error = edited(edit).unwrap_err();
        assert_eq!(error, ReportError::Block { index: 1 }, "{name}");
    }
}

#[test]
fn a_block_more_or_less_than_counted_is_refused() {
    let error = edited(|bytes| bytes[41] = 1).unwrap_err();
    assert_eq!(error, ReportError::Record { got: BLOCK });
    let error = edited(|bytes| bytes[41] = 3).unwrap_err();
    let field = "block index";
    assert_eq!(error, ReportError::Truncated { field });
}

#[test]
fn opaque_data_that_are_no_list_of_fields_are_refused() {
    let opaque = RECORD + 2 * BLOCK + 34;
    let error = edited(move |bytes| bytes[opaque + 2] += 1).unwrap_err();
    assert_eq!(error, ReportError::Opaque);
}

/// The same bytes, cut anywhere, are an error and never a report.
#[test]
fn a_cut_report_is_refused_wherever_it_is_cut() {
    let good = draft().report();
    for length in 0..good.len() {
        let error = Report::parse(&good[..length]).unwrap_err();
        let is_expected = matches!(error, ReportError::Truncated { .. });
        assert!(is_expected, "{length}: {error}");
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Report::parse(&bytes);
    }

    #[test]
    fn a_good_report_with_random_changes_never_panics(at in 0usize..297, byte: u8) {
        let mut bytes = draft().report();
        bytes[at] = byte;
        let _ = Report::parse(&bytes);
    }
}
