//! Tokens of the wrong form.

#![allow(clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::fixtures::cbor;
use crate::psa::fixtures::{INSTANCE, SEED, Setup, component};

fn parse(setup: &Setup) -> Result<(), TokenError> {
    Token::parse(&setup.token()).map(drop)
}

fn claims_error(setup: &Setup) -> ClaimError {
    match parse(setup) {
        Err(TokenError::Claims(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tokens_of_both_kinds_are_read() {
    assert_eq!(parse(&Setup::new()), Ok(()));
    assert_eq!(parse(&Setup::old()), Ok(()));
}

#[test]
fn each_claim_that_must_be_there_may_not_be_missing_or_of_another_kind() {
    for label in [265, 256, 2394, 2395, 2396, 2399] {
        let error = claims_error(&Setup::new().without(label));
        assert_eq!(error, ClaimError::Missing { label });
        let error = claims_error(&Setup::new().claim(label, cbor::null()));
        assert!(matches!(error, ClaimError::Cbor(_)), "{label}: {error}");
    }
    for label in [-75009, -75001, -75002, -75003, -75004, -75006] {
        let error = claims_error(&Setup::old().without(label));
        assert_eq!(error, ClaimError::Missing { label });
        let error = claims_error(&Setup::old().claim(label, cbor::null()));
        assert!(matches!(error, ClaimError::Cbor(_)), "{label}: {error}");
    }
    for setup in [Setup::new().without(10), Setup::old().without(-75008)] {
        let error = claims_error(&setup);
        assert_eq!(error, ClaimError::Missing { label: 10 });
    }
}

#[test]
fn each_claim_that_may_be_absent_is_right_where_it_is_there() {
    for label in [2397, 2398, 2400] {
        assert_eq!(parse(&Setup::new().without(label)), Ok(()));
        let wrong = Setup::new().claim(label, cbor::integer(1));
        assert!(parse(&wrong).is_err(), "{label}");
    }
    for label in [-75000, -75005, -75010] {
        assert_eq!(parse(&Setup::old().without(label)), Ok(()));
        let wrong = Setup::old().claim(label, cbor::integer(1));
        assert!(parse(&wrong).is_err(), "{label}");
    }
}

#[test]
fn each_value_has_its_form() {
    for (label, wrong) in [
        (10, cbor::bytes(&[0; 8])),
        (10, cbor::bytes(&[0; 65])),
        (10, cbor::array(&[cbor::bytes(&[0; 32])])),
        (256, cbor::bytes(&[2; 33])),
        (256, cbor::bytes(&INSTANCE[..32])),
        (2394, cbor::integer(1 << 31)),
        (2394, cbor::integer(-(1 << 31) - 1)),
        (2395, cbor::unsigned(0x3100)),
        (2396, cbor::bytes(&[0; 31])),
        (2397, cbor::bytes(&[0; 7])),
        (2397, cbor::bytes(&[0; 33])),
        (2398, cbor::text("1234567890123")),
        (2398, cbor::text("123456789012-12345")),
        (2398, cbor::text("1234567890123-1234a")),
        (2398, cbor::text("1234567890123-12345-1")),
        (2399, cbor::array(&[])),
        (2399, cbor::array(&[component(false)])),
    ] {
        assert!(parse(&Setup::new().claim(label, wrong)).is_err(), "{label}");
    }
    for (label, right) in [
        (10, cbor::bytes(&[0; 48])),
        (10, cbor::bytes(&[0; 64])),
        (2394, cbor::integer(i64::from(i32::MIN))),
        (2397, cbor::bytes(&[0; 8])),
        (2397, cbor::bytes(&SEED)),
        (9999, cbor::null()),
    ] {
        assert_eq!(parse(&Setup::new().claim(label, right)), Ok(()), "{label}");
    }
    for (label, wrong) in [
        (-75004, cbor::bytes(&[0; 31])),
        (-75005, cbor::text("123456789012")),
        (-75008, cbor::bytes(&[0; 31])),
    ] {
        assert!(parse(&Setup::old().claim(label, wrong)).is_err(), "{label}");
    }
    let certified = Setup::old().claim(-75005, cbor::text("1234567890123-12345"));
    assert_eq!(parse(&certified), Ok(()));
}

#[test]
fn labels_of_both_kinds_do_not_mix() {
    for (label, value) in Setup::old().claims {
        let error = claims_error(&Setup::new().claim(label, value));
        assert!(
            matches!(error, ClaimError::Value { .. }),
            "{label}: {error}"
        );
    }
    for (label, value) in Setup::new().claims {
        let error = claims_error(&Setup::old().claim(label, value));
        assert!(
            matches!(error, ClaimError::Value { .. }),
            "{label}: {error}"
        );
    }
}

/// Its format allows it; it says nothing about the software.
#[test]
fn a_token_without_measured_software_is_refused() {
    let setup = Setup::old().without(-75006).claim(-75007, cbor::integer(1));
    let expected = ClaimError::Missing { label: -75006 };
    assert_eq!(claims_error(&setup), expected);
}

#[test]
fn a_symmetric_code_is_no_signature() {
    let setup = Setup::new().with(|setup| setup.envelope.tag = Some(17));
    assert_eq!(parse(&setup), Err(TokenError::Symmetric));
    let setup = Setup::new().with(|setup| setup.envelope.tag = None);
    let expected = CoseError::Tag { got: None };
    assert_eq!(parse(&setup), Err(TokenError::Cose(expected)));
}

#[test]
fn bytes_behind_a_token_are_refused() {
    let longer = [Setup::new().token(), vec![0]].concat();
    assert!(Token::parse(&longer).is_err());
}

#[test]
fn a_token_longer_than_allowed_is_not_read() {
    let got = Token::MAX_LEN + 1;
    let error = Token::parse(&vec![0; got]).unwrap_err();
    assert_eq!(error, TokenError::TooLong { got });
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = Token::parse(&bytes);
        let _ = ClaimsSet::parse(&bytes);
    }

    /// Damage behind a good start, so that reading gets far.
    #[test]
    fn reading_damaged_claims_never_panics(at in any::<proptest::sample::Index>(), byte: u8) {
        for setup in [Setup::new(), Setup::old()] {
            let mut payload = cbor::claims(&setup.claims);
            let at = at.index(payload.len());
            payload[at] = byte;
            let _ = ClaimsSet::parse(&payload);
        }
    }
}
