//! The report alone: its form, and its signature under a test chip's key.

#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::fixtures::Setup;
use crate::snp::{Chain, KeyKind};

#[test]
fn a_good_report_parses_and_verifies() {
    let report = Report::parse(&good()).unwrap();
    let verified = report.verify(&chain(&Setup::new())).unwrap();
    assert_eq!(verified.measurement(), &crate::fixtures::MEASUREMENT);
    assert_eq!(verified.chip_id().as_bytes(), &crate::fixtures::CHIP_ID);
    assert_eq!(verified.vmpl(), 0);
    assert!(!verified.policy().debug_allowed());
}

#[test]
fn malformed_input_is_refused_with_the_reason() {
    for (name, input, expected) in [
        ("empty", vec![], ReportError::Length { got: 0 }),
        (
            "a byte short",
            good()[1..].to_vec(),
            ReportError::Length { got: 0x49F },
        ),
        (
            "a byte long",
            [good(), vec![0]].concat(),
            ReportError::Length { got: 0x4A1 },
        ),
        (
            "version 1",
            with(VERSION, 1),
            ReportError::Version { got: 1 },
        ),
        (
            "version 6",
            with(VERSION, 6),
            ReportError::Version { got: 6 },
        ),
        (
            "algorithm 0",
            with(SIGNATURE_ALGO, 0),
            ReportError::SignatureAlgorithm { got: 0 },
        ),
        (
            "algorithm 2",
            with(SIGNATURE_ALGO, 2),
            ReportError::SignatureAlgorithm { got: 2 },
        ),
    ] {
        assert_eq!(Report::parse(&input).unwrap_err(), expected, "{name}");
    }
}

/// Each byte of each reserved range alone.
#[test]
fn every_reserved_byte_is_refused() {
    let ranges = [
        (0x04C, 0x050, 0x04C),
        (0x18B, 0x1A0, 0x18B),
        (0x1EB, 0x1EC, 0x1EB),
        (0x1EF, 0x1F0, 0x1EF),
        (0x1F8, 0x208, LAUNCH_MITIGATIONS),
        (0x208, 0x2A0, 0x208),
        (0x2D0, 0x2E8, 0x2D0),
        (0x318, 0x330, 0x318),
        (0x330, 0x4A0, 0x330),
    ];
    for (start, end, offset) in ranges {
        for at in start..end {
            let error = Report::parse(&with(at, 1)).unwrap_err();
            assert_eq!(error, ReportError::Reserved { offset }, "byte {at:#x}");
        }
    }
}

#[test]
fn reserved_bits_of_the_key_information_are_refused() {
    let refused = ReportError::Reserved { offset: KEY_INFO };
    assert_eq!(Report::parse(&with(KEY_INFO, 0x20)).unwrap_err(), refused);
    assert_eq!(Report::parse(&with(KEY_INFO + 3, 1)).unwrap_err(), refused);
    assert!(Report::parse(&with(KEY_INFO, 0x1F)).is_ok());
}

#[test]
fn version_2_has_no_processor_fields() {
    let mut report = with(VERSION, 2);
    let refused = ReportError::Reserved { offset: CPUID };
    assert_eq!(Report::parse(&report).unwrap_err(), refused);
    report[CPUID..CPUID + 3].fill(0);
    assert!(Report::parse(&report).is_ok());
}

#[test]
fn version_5_has_mitigation_vectors() {
    let mut report = with(VERSION, 5);
    report[LAUNCH_MITIGATIONS] = 1;
    report[CURRENT_MITIGATIONS] = 1;
    assert!(Report::parse(&report).is_ok());
    report[VERSION] = 4;
    assert!(Report::parse(&report).is_err());
}

/// Flips single bits all over the signed bytes and the signature.
#[test]
fn no_signed_bit_may_change() {
    let (good, chain) = (good(), chain(&Setup::new()));
    for bit in (0..(SIGNATURE_S + 48) * 8).step_by(61) {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let result = Report::parse(&bytes).and_then(|report| report.verify(&chain));
        assert!(result.is_err(), "accepted with bit {bit} flipped");
    }
}

#[test]
fn another_chips_key_is_refused() {
    let setup = Setup::new().with(|setup| {
        setup.report_key = p384::ecdsa::SigningKey::from_slice(&[9; 48]).unwrap();
    });
    let report = Report::parse(&setup.report_bytes()).unwrap();
    let refused = report.verify(&chain(&Setup::new()));
    assert_eq!(refused.unwrap_err(), ReportError::Signature);
}

/// A zero `r` or `s` is no signature; it must be an error and not a panic.
#[test]
fn a_zero_signature_is_refused() {
    let chain = chain(&Setup::new());
    for range in [
        SIGNATURE..0x4A0,
        SIGNATURE..SIGNATURE + 48,
        SIGNATURE_S..SIGNATURE_S + 48,
    ] {
        let mut bytes = good();
        bytes[range].fill(0);
        let refused = Report::parse(&bytes).unwrap().verify(&chain);
        assert_eq!(refused.unwrap_err(), ReportError::Signature);
    }
}

#[test]
fn a_signature_out_of_the_curves_range_is_refused() {
    let mut bytes = good();
    bytes[SIGNATURE..SIGNATURE + 48].fill(0xFF);
    let refused = Report::parse(&bytes).unwrap().verify(&chain(&Setup::new()));
    assert_eq!(refused.unwrap_err(), ReportError::Signature);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_panic_the_parser(bytes: Vec<u8>) {
        let _ = Report::parse(&bytes);
    }

    #[test]
    fn no_bytes_of_the_right_length_panic_the_verifier(
        bytes in proptest::collection::vec(any::<u8>(), Report::LEN)
    ) {
        let mut bytes = bytes;
        bytes[VERSION..VERSION + 4].copy_from_slice(&5_u32.to_le_bytes());
        bytes[SIGNATURE_ALGO..SIGNATURE_ALGO + 4].copy_from_slice(&1_u32.to_le_bytes());
        if let Ok(report) = Report::parse(&bytes) {
            prop_assert!(report.verify(&chain(&Setup::new())).is_err());
        }
    }
}

fn good() -> Vec<u8> {
    Setup::new().report_bytes()
}

fn with(at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = good();
    bytes[at] = byte;
    bytes
}

fn chain(setup: &Setup) -> VerifiedChain {
    let signed = setup.signed();
    Chain::parse(&signed.ark, &signed.ask, &signed.vcek, KeyKind::Vcek)
        .and_then(|chain| chain.verify(&setup.anchors(), setup.now))
        .unwrap()
}
