//! Objects that are good but for one thing.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests"
)]

use proptest::prelude::*;

use super::*;
use crate::fixtures::cbor::{self, Envelope};
use crate::fixtures::pki::TestKey;

const PAYLOAD: &[u8] = b"what is signed";

fn key(key: &TestKey) -> PublicKey {
    PublicKey::from_spki(&key.spki()).unwrap()
}

fn parse(envelope: &Envelope) -> Result<(), CoseError> {
    Sign1::parse(&envelope.seal(PAYLOAD), Tagging::Optional).map(drop)
}

#[test]
fn a_signed_object_verifies_under_its_key() {
    for signer in [TestKey::p256(1), TestKey::p384(1)] {
        let bytes = Envelope::new(signer.clone()).seal(PAYLOAD);
        let object = Sign1::parse(&bytes, Tagging::Required).unwrap();
        assert_eq!(object.payload(), PAYLOAD);
        assert!(object.is_signed_by(&key(&signer)));
    }
}

#[test]
fn another_key_does_not_verify() {
    let bytes = Envelope::new(TestKey::p384(1)).seal(PAYLOAD);
    let object = Sign1::parse(&bytes, Tagging::Required).unwrap();
    for other in [TestKey::p384(2), TestKey::p256(1), TestKey::rsa_pkcs1()] {
        assert!(!object.is_signed_by(&key(&other)));
    }
}

/// ES256 on P-384, or ES384 on P-256, would verify if only the hash counted.
#[test]
fn the_curve_must_go_with_the_algorithm() {
    for (signer, algorithm, hash) in [
        (TestKey::p256(1), -35, Hash::Sha384),
        (TestKey::p384(1), -7, Hash::Sha256),
    ] {
        let protected = cbor::claims(&[(1, cbor::integer(algorithm))]);
        let message = signed_bytes(&protected, PAYLOAD).unwrap();
        let digest = hash.digest(&message);
        let signature = match &signer {
            TestKey::P256(key) => {
                let signature: p256::ecdsa::Signature =
                    signature::hazmat::PrehashSigner::sign_prehash(key, &digest).unwrap();
                signature.to_bytes().to_vec()
            }
            TestKey::P384(key) => {
                let padded = [vec![0; 48 - digest.len()], digest].concat();
                let signature: p384::ecdsa::Signature =
                    signature::hazmat::PrehashSigner::sign_prehash(key, &padded).unwrap();
                signature.to_bytes().to_vec()
            }
            _ => unreachable!(),
        };
        let bytes = cbor::array(&[
            cbor::bytes(&protected),
            cbor::claims(&[]),
            cbor::bytes(PAYLOAD),
            cbor::bytes(&signature),
        ]);
        let object = Sign1::parse(&bytes, Tagging::Optional).unwrap();
        assert!(!object.is_signed_by(&key(&signer)));
    }
}

#[test]
fn the_tag_is_that_of_a_signed_object() {
    for (tag, tagging, expected) in [
        (Some(18), Tagging::Required, true),
        (Some(18), Tagging::Optional, true),
        (None, Tagging::Optional, true),
        (None, Tagging::Required, false),
        (Some(17), Tagging::Optional, false),
        (Some(98), Tagging::Required, false),
    ] {
        let mut envelope = Envelope::new(TestKey::p256(1));
        envelope.tag = tag;
        let result = Sign1::parse(&envelope.seal(PAYLOAD), tagging).map(drop);
        let expected = if expected {
            Ok(())
        } else {
            Err(CoseError::Tag { got: tag })
        };
        assert_eq!(result, expected);
    }
}

#[test]
fn the_algorithm_is_in_the_protected_header_and_nowhere_else() {
    let algorithm = (1, cbor::integer(-7));
    let mut envelope = Envelope::new(TestKey::p256(1));
    envelope.protected = Vec::new();
    assert_eq!(parse(&envelope), Err(CoseError::AlgorithmMissing));
    envelope.protected = cbor::claims(&[]);
    assert_eq!(parse(&envelope), Err(CoseError::AlgorithmMissing));
    envelope.unprotected = cbor::claims(core::slice::from_ref(&algorithm));
    assert_eq!(parse(&envelope), Err(CoseError::AlgorithmUnprotected));
    envelope.protected = cbor::claims(&[algorithm]);
    assert_eq!(parse(&envelope), Err(CoseError::AlgorithmUnprotected));
}

#[test]
fn an_algorithm_that_is_not_accepted_is_refused() {
    // HMAC, EdDSA, ES512, RS1.
    for got in [5, -8, -36, -65535] {
        let mut envelope = Envelope::new(TestKey::p256(1));
        envelope.protected = cbor::claims(&[(1, cbor::integer(got))]);
        assert_eq!(parse(&envelope), Err(CoseError::Algorithm { got }));
    }
}

#[test]
fn a_critical_parameter_is_refused_in_either_header() {
    let critical = (2, cbor::array(&[cbor::integer(4)]));
    let algorithm = (1, cbor::integer(-7));
    let mut envelope = Envelope::new(TestKey::p256(1));
    envelope.unprotected = cbor::claims(core::slice::from_ref(&critical));
    assert_eq!(parse(&envelope), Err(CoseError::Critical));
    let mut envelope = Envelope::new(TestKey::p256(1));
    envelope.protected = cbor::claims(&[algorithm, critical]);
    assert_eq!(parse(&envelope), Err(CoseError::Critical));
}

#[test]
fn other_parameters_are_read_over() {
    let mut envelope = Envelope::new(TestKey::p256(1));
    envelope.protected = cbor::claims(&[(1, cbor::integer(-7)), (4, cbor::bytes(b"kid"))]);
    envelope.unprotected = cbor::map(&[(cbor::text("x"), cbor::null())]);
    assert_eq!(parse(&envelope), Ok(()));
}

#[test]
fn a_protected_header_with_bytes_behind_it_is_refused() {
    let mut envelope = Envelope::new(TestKey::p256(1));
    envelope.protected.push(0);
    let error = parse(&envelope).unwrap_err();
    assert_eq!(error, CoseError::Cbor(CborError::Trailing { at: 3 }));
}

#[test]
fn a_detached_payload_is_refused() {
    let algorithm = cbor::claims(&[(1, cbor::integer(-7))]);
    let parts = [
        cbor::bytes(&algorithm),
        cbor::claims(&[]),
        cbor::null(),
        cbor::bytes(&[0; 64]),
    ];
    let error = Sign1::parse(&cbor::array(&parts), Tagging::Optional).unwrap_err();
    assert!(
        matches!(error, CoseError::Cbor(CborError::Type { .. })),
        "{error}"
    );
}

#[test]
fn a_part_too_few_or_too_many_is_refused() {
    let good = Envelope::new(TestKey::p256(1)).seal(PAYLOAD);
    for (head, tail) in [(0x83, &[][..]), (0x85, &[0xF6])] {
        let mut bytes = [&good, tail].concat();
        bytes[1] = head;
        assert!(Sign1::parse(&bytes, Tagging::Optional).is_err());
    }
    let longer = [&good[..], &[0]].concat();
    assert!(Sign1::parse(&longer, Tagging::Optional).is_err());
}

/// The signature covers the headers and the payload; the rest is shape.
#[test]
fn no_bit_of_an_object_may_change() {
    let signer = TestKey::p256(1);
    let key = key(&signer);
    let good = Envelope::new(signer).seal(PAYLOAD);
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let verifies = Sign1::parse(&bytes, Tagging::Required).is_ok_and(|o| o.is_signed_by(&key));
        assert!(!verifies, "bit {bit}");
    }
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = Sign1::parse(&bytes, Tagging::Optional);
        let tagged = [&[0xD2, 0x84, 0x43, 0xA1, 0x01, 0x26, 0xA0], &bytes[..]].concat();
        let _ = Sign1::parse(&tagged, Tagging::Required);
    }
}
