//! Claims of the wrong form.

#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::fixtures::cbor;

/// Reads a set with one claim, labelled 7.
fn read<T>(
    value: Vec<u8>,
    mut read: impl FnMut(&mut Claim<'_, '_>) -> Result<T, ClaimError>,
) -> Result<T, ClaimError> {
    let payload = cbor::claims(&[(7, value)]);
    let mut found = None;
    read_claims(&payload, |claim| {
        found = Some(read(claim)?);
        Ok(true)
    })?;
    Ok(found.unwrap())
}

fn component(attributes: &[(i64, Vec<u8>)]) -> Vec<u8> {
    cbor::array(&[cbor::claims(attributes)])
}

#[test]
fn digests_have_the_length_of_a_digest() {
    for length in [32, 48, 64] {
        let found = read(cbor::bytes(&vec![1; length]), |claim| {
            Ok(claim.digest()?.len())
        });
        assert_eq!(found, Ok(length));
    }
    for got in [0, 31, 33, 47, 49, 63, 65, 96] {
        let error = read(cbor::bytes(&vec![1; got]), |claim| claim.digest().map(drop));
        assert_eq!(error, Err(ClaimError::Length { label: 7, got }));
    }
}

#[test]
fn an_instance_is_named_by_a_random_identifier() {
    let id = |first: u8, length: usize| {
        let mut id = vec![9; length];
        id[0] = first;
        read(cbor::bytes(&id), |claim| claim.instance_id().map(drop))
    };
    assert_eq!(id(1, 33), Ok(()));
    for first in [0, 2, 3, 0xFF] {
        assert_eq!(id(first, 33), Err(ClaimError::Value { label: 7 }));
    }
    for got in [32, 34] {
        assert_eq!(id(1, got), Err(ClaimError::Length { label: 7, got }));
    }
}

#[test]
fn a_lifecycle_is_in_one_of_the_seven_ranges() {
    let state = |value: u64| read(cbor::unsigned(value), |claim| Ok(claim.lifecycle()?.state));
    for (start, expected) in [
        (0x0000, State::Unknown),
        (0x1000, State::AssemblyAndTest),
        (0x2000, State::Provisioning),
        (0x3000, State::Secured),
        (0x4000, State::OtherDebug),
        (0x5000, State::RecoverableDebug),
        (0x6000, State::Decommissioned),
    ] {
        assert_eq!(state(start), Ok(expected));
        assert_eq!(state(start + 0xFF), Ok(expected));
        let error = Err(ClaimError::Value { label: 7 });
        assert_eq!(state(start + 0x100), error);
        assert_eq!(state(start + 0x1_0000), error);
    }
    assert!(state(u64::MAX).is_err());
}

#[test]
fn components_are_read_with_their_attributes() {
    let value = component(&[
        (1, cbor::text("BL")),
        (2, cbor::bytes(&[2; 32])),
        (4, cbor::text("1.0")),
        (5, cbor::bytes(&[5; 48])),
        (6, cbor::text("sha-256")),
        (7, cbor::null()),
    ]);
    let found = read(value, |claim| claim.components(true)).unwrap();
    let [one] = found.as_slice() else {
        panic!("one component")
    };
    assert_eq!(one.kind(), Some("BL"));
    assert_eq!(one.measurement(), [2; 32]);
    assert_eq!(one.version(), Some("1.0"));
    assert_eq!(one.signer(), Some(&[5; 48][..]));
    let json = serde_json::to_value(one).unwrap();
    assert_eq!(json["5"], "05".repeat(48));
    assert_eq!(json["6"], "sha-256");
}

#[test]
fn a_component_without_what_it_needs_is_refused() {
    let measurement = (2, cbor::bytes(&[2; 32]));
    let signer = (5, cbor::bytes(&[5; 32]));
    let error = Err(ClaimError::Value { label: 7 });
    let read = |attributes: &[(i64, Vec<u8>)], signer_required| {
        self::read(component(attributes), |claim| {
            claim.components(signer_required).map(drop)
        })
    };
    assert_eq!(read(core::slice::from_ref(&signer), true), error);
    assert_eq!(read(core::slice::from_ref(&measurement), true), error);
    assert_eq!(read(core::slice::from_ref(&measurement), false), Ok(()));
    assert_eq!(read(&[measurement.clone(), signer], true), Ok(()));
    let short = (5, cbor::bytes(&[5; 31]));
    assert!(read(&[measurement.clone(), short], false).is_err());
    let twice = [measurement.clone(), measurement];
    assert!(read(&twice, false).is_err());
}

#[test]
fn no_components_or_too_many_are_refused() {
    let read = |value| self::read(value, |claim| claim.components(false).map(drop));
    let error = ClaimError::Length { label: 7, got: 0 };
    assert_eq!(read(cbor::array(&[])), Err(error));
    let one = cbor::claims(&[(2, cbor::bytes(&[2; 32]))]);
    assert_eq!(read(cbor::array(&vec![one.clone(); 64])), Ok(()));
    assert!(read(cbor::array(&vec![one; 65])).is_err());
}

#[test]
fn a_component_is_accepted_by_measurement_signer_and_kind() {
    let value = component(&[
        (1, cbor::text("BL")),
        (2, cbor::bytes(&[2; 32])),
        (5, cbor::bytes(&[5; 32])),
    ]);
    let found = read(value, |claim| claim.components(true)).unwrap();
    let accepts = |reference: ReferenceComponent| {
        unknown_component(&found, core::slice::from_ref(&reference)).is_none()
    };
    assert!(accepts(ReferenceComponent::new(&[2; 32], &[5; 32])));
    assert!(accepts(
        ReferenceComponent::new(&[2; 32], &[5; 32]).of_kind("BL")
    ));
    assert!(!accepts(
        ReferenceComponent::new(&[2; 32], &[5; 32]).of_kind("M1")
    ));
    assert!(!accepts(ReferenceComponent::new(&[3; 32], &[5; 32])));
    assert!(!accepts(ReferenceComponent::new(&[2; 32], &[6; 32])));
    assert!(unknown_component(&found, &[]).is_some());
}

#[test]
fn unknown_claims_are_read_over_and_counted() {
    let claims = |count: i64| {
        let entries: Vec<_> = (0..count).map(|label| (label, cbor::null())).collect();
        read_claims(&cbor::claims(&entries), |_| Ok(false))
    };
    assert_eq!(claims(64), Ok(()));
    assert!(claims(65).is_err());
    let named = cbor::map(&[(cbor::text("x"), cbor::array(&[cbor::integer(1)]))]);
    assert_eq!(read_claims(&named, |_| Ok(true)), Ok(()));
    assert!(read_claims(&[named, vec![0]].concat(), |_| Ok(true)).is_err());
    let twice = cbor::claims(&[(1, cbor::null()), (1, cbor::null())]);
    assert!(read_claims(&twice, |_| Ok(false)).is_err());
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = read_claims(&bytes, |claim| claim.components(true).map(|_| true));
        let _ = read_claims(&bytes, |claim| claim.lifecycle().map(|_| true));
    }
}
