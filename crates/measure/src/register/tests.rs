#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::similar_names,
    clippy::too_many_lines,
    reason = "tests"
)]

use super::*;

/// "TPM 2.0 Library", Part 1: H(0… ‖ H(data)); computed apart.
#[test]
fn measuring_hashes_value_and_digest() {
    let mut register = Register::new(Bank::Sha256);
    register.measure(b"a");
    let digest = Sha256::digest(b"a");
    let expected = Sha256::digest([&[0; 32][..], &digest].concat());
    assert_eq!(register.value(), &expected[..]);
    let mut other = Register::new(Bank::Sha256);
    assert!(other.extend_digest(&digest));
    assert_eq!(other, register);
    assert_eq!(
        hex::encode(register.value()),
        "8c374a53782642f7514d087d26a3e733f1b806009a03e04a43b288ef2fa9f9c0"
    );
}

#[test]
fn order_matters() {
    let value = |events: [&[u8]; 2]| {
        let mut register = Register::new(Bank::Sha384);
        for event in events {
            register.measure(event);
        }
        register.value().to_vec()
    };
    assert_ne!(value([b"a", b"b"]), value([b"b", b"a"]));
    assert_eq!(value([b"a", b"b"]).len(), 48);
}

#[test]
fn a_digest_of_another_bank_changes_nothing() {
    let mut register = Register::new(Bank::Sha384);
    assert!(!register.extend_digest(&[1; 32]));
    assert!(!register.extend_digest(&[]));
    assert_eq!(register, Register::new(Bank::Sha384));
    assert_eq!(register.value(), [0; 48]);
    assert_eq!(register.bank(), Bank::Sha384);
}
