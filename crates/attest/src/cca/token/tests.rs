//! Tokens of the wrong form.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests"
)]

use proptest::prelude::*;

use super::*;
use crate::cca::fixtures::{Setup, Shape, collect};
use crate::fixtures::cbor;

fn error(setup: &Setup) -> TokenError {
    Token::parse(&setup.token()).unwrap_err()
}

fn claims_error(setup: &Setup) -> (&'static str, ClaimError) {
    match error(setup) {
        TokenError::Claims { part, source } => (part, source),
        other => panic!("{other}"),
    }
}

#[test]
fn both_shapes_are_read() {
    for (shape, tag) in [(Shape::Collection, 399), (Shape::Records, 907)] {
        let setup = Setup::new().with(|setup| setup.shape = shape);
        assert_eq!(Token::parse(&setup.token()).unwrap().tag, tag);
    }
}

#[test]
fn another_tag_or_none_is_refused() {
    let token = Setup::new().token();
    // The tag takes three bytes.
    let untagged = &token[3..];
    let error = Token::parse(untagged).unwrap_err();
    assert_eq!(error, TokenError::Tag { got: None });
    for got in [18, 398, 400, 55555] {
        let tagged = cbor::tagged(got, untagged);
        let error = Token::parse(&tagged).unwrap_err();
        assert_eq!(error, TokenError::Tag { got: Some(got) });
    }
    // The tag says which shape the parts have.
    assert!(Token::parse(&cbor::tagged(907, untagged)).is_err());
    let records = Setup::new().with(|setup| setup.shape = Shape::Records);
    assert!(Token::parse(&cbor::tagged(399, &records.token()[3..])).is_err());
}

#[test]
fn a_record_of_another_content_format_is_refused() {
    let setup = Setup::new();
    for format in [cbor::unsigned(262), cbor::unsigned(601)] {
        let record = |token: &[u8]| cbor::array(&[format.clone(), cbor::bytes(token)]);
        let parts = [
            (44234, record(&setup.platform_token())),
            (44241, record(&setup.realm_token())),
        ];
        let token = cbor::tagged(907, &cbor::claims(&parts));
        assert_eq!(Token::parse(&token).unwrap_err(), TokenError::MediaType);
    }
}

#[test]
fn a_token_has_both_parts_once_and_no_other() {
    let setup = Setup::new();
    let platform = (44234, cbor::bytes(&setup.platform_token()));
    let realm = (44241, cbor::bytes(&setup.realm_token()));
    let other = (44242, cbor::bytes(&[]));
    let parse = |parts: &[(i64, Vec<u8>)]| {
        let token = cbor::tagged(399, &cbor::claims(parts));
        Token::parse(&token).map(drop)
    };
    assert_eq!(parse(&[realm.clone(), platform.clone()]), Ok(()));
    let missing = |part| Err(TokenError::Missing { part });
    assert_eq!(parse(core::slice::from_ref(&platform)), missing("realm"));
    assert_eq!(parse(core::slice::from_ref(&realm)), missing("platform"));
    assert_eq!(
        parse(&[platform.clone(), other.clone()]),
        Err(TokenError::UnknownPart)
    );
    assert!(parse(&[platform.clone(), realm, other]).is_err());
    assert!(parse(&[platform.clone(), platform]).is_err());
}

#[test]
fn bytes_behind_a_token_or_its_claims_are_refused() {
    let setup = Setup::new();
    let longer = [setup.token(), vec![0]].concat();
    let error = Token::parse(&longer).unwrap_err();
    assert!(matches!(
        error,
        TokenError::Cbor(CborError::Trailing { .. })
    ));
    let payload = [cbor::claims(&setup.realm), vec![0]].concat();
    let realm = setup.realm_envelope.seal(&payload);
    let token = collect(setup.shape, &setup.platform_token(), &realm);
    assert!(Token::parse(&token).is_err());
}

#[test]
fn a_part_must_carry_the_tag_of_a_signed_object() {
    let untagged = Setup::new().with(|setup| setup.platform_envelope.tag = None);
    let expected = CoseError::Tag { got: None };
    let part = "platform";
    let source = expected.clone();
    assert_eq!(error(&untagged), TokenError::Signed { part, source });
    let untagged = Setup::new().with(|setup| setup.realm_envelope.tag = None);
    let part = "realm";
    let source = expected;
    assert_eq!(error(&untagged), TokenError::Signed { part, source });
}

#[test]
fn each_claim_of_the_platform_must_be_there_and_of_its_kind() {
    for label in [265, 2396, 256, 2401, 2395, 2399, 2402] {
        let setup = Setup::new().with(|setup| setup.platform.retain(|(one, _)| *one != label));
        let expected = ("platform", ClaimError::Missing { label });
        assert_eq!(claims_error(&setup), expected);
        let setup = Setup::new().platform_claim(label, cbor::null());
        let (part, source) = claims_error(&setup);
        assert_eq!(part, "platform");
        assert!(matches!(source, ClaimError::Cbor(_)), "{label}: {source}");
    }
    let setup = Setup::new().with(|setup| setup.platform.retain(|(one, _)| *one != 2400));
    assert!(Token::parse(&setup.token()).is_ok());
    for (label, wrong) in [
        (10, cbor::bytes(&[0; 31])),
        (2396, cbor::bytes(&[0; 31])),
        (256, cbor::bytes(&[0; 33])),
        (2401, cbor::bytes(&[])),
        (2395, cbor::unsigned(0x3100)),
        (2399, cbor::array(&[])),
        (2400, cbor::integer(1)),
    ] {
        let setup = Setup::new().platform_claim(label, wrong);
        assert_eq!(claims_error(&setup).0, "platform", "{label}");
    }
}

#[test]
fn each_claim_of_the_realm_must_be_there_and_of_its_kind() {
    for label in [10, 44235, 44236, 44237, 44238, 44239, 44240] {
        let setup = Setup::new().with(|setup| setup.realm.retain(|(one, _)| *one != label));
        let expected = ("realm", ClaimError::Missing { label });
        assert_eq!(claims_error(&setup), expected);
        let setup = Setup::new().realm_claim(label, cbor::null());
        let (part, source) = claims_error(&setup);
        assert_eq!(part, "realm");
        assert!(matches!(source, ClaimError::Cbor(_)), "{label}: {source}");
    }
    let measurements = |count: usize| cbor::array(&vec![cbor::bytes(&[0; 32]); count]);
    for (label, wrong) in [
        (10, cbor::bytes(&[0; 63])),
        (10, cbor::bytes(&[0; 65])),
        (44235, cbor::bytes(&[0; 32])),
        (44237, cbor::bytes(&[])),
        (44238, cbor::bytes(&[0; 33])),
        (44239, measurements(3)),
        (44239, measurements(5)),
        (44239, cbor::array(&vec![cbor::bytes(&[0; 31]); 4])),
        (44240, cbor::text("md5")),
        (256, cbor::bytes(&[2; 33])),
        (44243, cbor::bytes(&[1])),
    ] {
        let setup = Setup::new().realm_claim(label, wrong);
        assert_eq!(claims_error(&setup).0, "realm", "{label}");
    }
}

#[test]
fn claims_of_newer_firmware_are_read() {
    for policy in [cbor::unsigned(1), cbor::text("private")] {
        let setup = Setup::new()
            .realm_claim(256, cbor::bytes(&crate::cca::fixtures::INSTANCE))
            .realm_claim(44243, policy)
            .realm_claim(44999, cbor::null());
        assert!(Token::parse(&setup.token()).is_ok());
    }
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
        let _ = PlatformClaims::parse(&bytes);
        let _ = RealmClaims::parse(&bytes).map(|claims| claims.key());
    }

    /// Damage behind a good start, so that reading gets far.
    #[test]
    fn reading_damaged_claims_never_panics(at in any::<proptest::sample::Index>(), byte: u8) {
        let setup = Setup::new();
        let mut payload = cbor::claims(&setup.realm);
        let at = at.index(payload.len());
        payload[at] = byte;
        let _ = RealmClaims::parse(&payload).map(|claims| claims.key().is_some());
    }
}
