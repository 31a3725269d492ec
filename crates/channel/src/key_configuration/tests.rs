use super::*;
use crate::fixtures::{epoch, params};

fn bytes() -> Vec<u8> {
    epoch(1).key_configuration().as_bytes().to_vec()
}

/// The example with `with` written at `at`, and what it is refused for.
fn refused(at: usize, with: &[u8]) -> KeyConfigurationError {
    let mut bytes = bytes();
    bytes[at..at + with.len()].copy_from_slice(with);
    KeyConfiguration::parse(&bytes).unwrap_err()
}

#[test]
fn what_an_enclave_makes_is_read_back() {
    let epoch = epoch(1);
    let kc = KeyConfiguration::parse(epoch.key_configuration().as_bytes()).unwrap();
    assert_eq!(kc.models(), params().models);
    assert_eq!(kc.not_after(), params().not_after);
    assert_eq!(kc.key_id(), epoch.key_configuration().key_id());
}

#[test]
fn each_fixed_field_is_checked() {
    for (at, with, field) in [
        (0, &b"SRK2"[..], "magic"),
        (4, &[0x64, 0x7b], "KEM"),
        (6, &[0, 2], "KDF"),
        (8, &[0, 2], "AEAD"),
        (10, &[2], "role"),
        (91, &[0, 0], "balanced"),
        (91, &[0, 51], "balanced"),
        (93, &[0, 63], "balanced"),
        (93, &[0x10, 1], "balanced"),
        (95, &[0, 51], "strict"),
        (97, &[0xff, 0xff], "strict"),
        (1347, &[0], "models"),
        (1348, &[0], "model name"),
        (1349, b"S", "model name"),
    ] {
        assert_eq!(
            refused(at, with),
            KeyConfigurationError::Field(field),
            "at {at}"
        );
    }
}

#[test]
fn a_key_that_lives_longer_than_twenty_minutes_is_refused() {
    let mut params = params();
    params.not_after = params.not_before + 1201;
    let error = Epoch::generate(&params, 1, &mut crate::fixtures::TestRng(1)).unwrap_err();
    assert_eq!(error, KeyConfigurationError::Field("not after"));
}

#[test]
fn a_key_that_ends_before_it_begins_is_refused() {
    let mut params = params();
    params.not_after = params.not_before;
    let error = Epoch::generate(&params, 1, &mut crate::fixtures::TestRng(1)).unwrap_err();
    assert_eq!(error, KeyConfigurationError::Field("not after"));
}

#[test]
fn models_out_of_order_are_refused() {
    let mut params = params();
    params.models = vec![params.models[0].clone(), params.models[0].clone()];
    let error = Epoch::generate(&params, 1, &mut crate::fixtures::TestRng(1)).unwrap_err();
    assert_eq!(error, KeyConfigurationError::Field("models"));
}

#[test]
fn a_receipt_key_of_small_order_is_refused() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert_eq!(
        refused(1315, &neutral),
        KeyConfigurationError::Field("receipt key")
    );
}

#[test]
fn a_public_key_out_of_range_is_refused() {
    assert_eq!(
        refused(99, &[0xff; 3]),
        KeyConfigurationError::Field("public key")
    );
}

#[test]
fn every_shorter_and_longer_string_is_refused() {
    let bytes = bytes();
    for len in 0..bytes.len() {
        KeyConfiguration::parse(&bytes[..len]).unwrap_err();
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    let error = KeyConfigurationError::Length { got: longer.len() };
    assert_eq!(KeyConfiguration::parse(&longer).unwrap_err(), error);
}

#[test]
fn every_flipped_bit_changes_the_key_id_or_is_refused() {
    let original = epoch(1).key_configuration().key_id();
    let bytes = bytes();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(kc) = KeyConfiguration::parse(&flipped) {
            assert_ne!(kc.key_id(), original, "bit {bit}");
        }
    }
}

use crate::Epoch;

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..3000)) {
        let _ = KeyConfiguration::parse(&bytes);
    }
}
