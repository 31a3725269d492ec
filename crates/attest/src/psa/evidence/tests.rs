//! Tokens that are good but for one thing.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests"
)]

use super::*;
use crate::appraisal::{Code, Gap};
use crate::arm::ReferenceComponent;
use crate::fixtures::NOW;
use crate::fixtures::cbor::{self, Envelope};
use crate::fixtures::pki::TestKey;
use crate::identifiers::{ImplementationId, InstanceId};
use crate::psa::fixtures::{IMPLEMENTATION, INSTANCE, NONCE, SEED, Setup};

#[test]
fn a_good_token_is_accepted_and_its_claims_are_read() {
    let appraisal = Setup::new().appraise();
    let claims = appraisal.verdict().unwrap();
    assert_eq!(claims.nonce(), NONCE);
    assert_eq!(claims.boot_seed(), Some(&SEED[..]));
    assert_eq!(claims.client_id(), -7);
    assert_eq!(claims.components().len(), 1);
    assert_eq!(
        claims.certification_reference(),
        Some("1234567890123-12345")
    );
    assert_eq!(claims.instance_id(), InstanceId::new(INSTANCE));
    assert_eq!(
        claims.implementation_id(),
        ImplementationId::new(IMPLEMENTATION)
    );
    let json = appraisal.to_json();
    assert_eq!(json["claims"]["alg"], -7);
    assert_eq!(json["claims"]["claims"]["2395"], 0x3000);
    assert_eq!(json["claims"]["lifecycle_state"], "secured");
    assert_eq!(appraisal.at(), NOW);
}

#[test]
fn a_good_token_does_not_keep_the_host_out() {
    let gaps = Setup::new().appraise().gaps();
    assert_eq!(gaps, [Gap::SoftwareNotCompared, Gap::HostNotExcluded]);
}

#[test]
fn bytes_that_are_no_token_are_refused() {
    let appraisal = Setup::new().judge(b"");
    assert_eq!(appraisal.verdict().unwrap_err(), Code::ReportMalformed);
    assert!(appraisal.claims().is_none());
}

#[test]
fn a_symmetric_code_is_refused() {
    let setup = Setup::new().with(|setup| setup.envelope.tag = Some(17));
    assert_eq!(setup.refusal(), Some(Code::SigningKeyMismatch));
}

#[test]
fn a_key_that_nobody_endorses_is_refused() {
    let judge = |anchors: Anchors| Setup::new().with(|setup| setup.anchors = anchors).refusal();
    assert_eq!(judge(Anchors::vendor()), Some(Code::RootNotPinned));
    let key = TestKey::p256(1).spki();
    let endorsed = |implementation: [u8; 32], instance: [u8; 33]| {
        let ids = (
            ImplementationId::new(implementation),
            InstanceId::new(instance),
        );
        judge(Anchors::vendor().endorse(ids.0, ids.1, &key).unwrap())
    };
    assert_eq!(endorsed(IMPLEMENTATION, INSTANCE), None);
    let mut other = INSTANCE;
    other[32] ^= 1;
    assert_eq!(endorsed(IMPLEMENTATION, other), Some(Code::RootNotPinned));
    assert_eq!(endorsed([0; 32], INSTANCE), Some(Code::RootNotPinned));
    for key in [TestKey::p256(9), TestKey::p384(1)] {
        let anchors = Anchors::with_key(&key.spki()).unwrap();
        assert_eq!(judge(anchors), Some(Code::ReportSignature));
    }
}

#[test]
fn a_token_signed_by_another_device_is_refused() {
    let setup = Setup::new().with(|setup| setup.envelope = Envelope::new(TestKey::p256(9)));
    let appraisal = setup.appraise();
    assert_eq!(appraisal.verdict().unwrap_err(), Code::ReportSignature);
    assert!(appraisal.claims().is_none());
}

#[test]
fn a_signature_on_p_384_is_accepted_under_its_key() {
    let setup = Setup::new().with(|setup| {
        let key = TestKey::p384(1);
        setup.anchors = Anchors::with_key(&key.spki()).unwrap();
        setup.envelope = Envelope::new(key);
    });
    assert_eq!(setup.refusal(), None);
}

#[test]
fn pieces_of_another_token_are_refused() {
    let one = Setup::new().token();
    let other = Setup::new().claim(10, cbor::bytes(&[1; 32])).token();
    let cut = one.len() - 64;
    assert_eq!(one.len(), other.len());
    let mixed = [&one[..cut], &other[cut..]].concat();
    let verdict = Setup::new().judge(&mixed).verdict().err();
    assert_eq!(verdict, Some(Code::ReportSignature));
}

#[test]
fn only_a_secured_device_is_accepted() {
    for (value, accepted) in [
        (0x0000, false),
        (0x1000, false),
        (0x2000, false),
        (0x3000, true),
        (0x30FF, true),
        (0x4000, false),
        (0x5000, false),
        (0x6000, false),
    ] {
        let expected = (!accepted).then_some(Code::LifecycleNotSecured);
        let setup = Setup::new().claim(2395, cbor::unsigned(value));
        assert_eq!(setup.refusal(), expected, "{value:#x}");
        let setup = Setup::old().claim(-75002, cbor::unsigned(value));
        assert_eq!(setup.refusal(), expected, "{value:#x}");
    }
}

#[test]
fn only_known_profiles_are_accepted() {
    for (profile, accepted) in [
        ("http://arm.com/psa/2.0.0", true),
        ("http://arm.com/psa/3.0.0", false),
        ("PSA_IOT_PROFILE_1", false),
        ("none", false),
        ("", false),
    ] {
        let setup = Setup::new().claim(265, cbor::text(profile));
        let expected = (!accepted).then_some(Code::ProfileNotAllowed);
        assert_eq!(setup.refusal(), expected, "{profile}");
    }
}

#[test]
fn old_labels_are_accepted_only_where_the_rules_say_so() {
    assert_eq!(Setup::old().refusal(), None);
    assert_eq!(Setup::old().without(-75000).refusal(), None);
    let strict = Setup::old().with(|setup| setup.rules = Rules::strict());
    assert_eq!(strict.refusal(), Some(Code::ProfileNotAllowed));
}

#[test]
fn each_demand_must_hold() {
    let judge = |rules: Rules| Setup::new().with(|setup| setup.rules = rules).refusal();
    assert_eq!(judge(Rules::strict().nonce(&NONCE)), None);
    assert_eq!(judge(Rules::strict().boot_seed(&SEED)), None);
    for byte in 0..32 {
        let (mut nonce, mut seed) = (NONCE, SEED);
        nonce[byte] ^= 1 << (byte % 8);
        seed[byte] ^= 1 << (byte % 8);
        let refusal = judge(Rules::strict().nonce(&nonce));
        assert_eq!(refusal, Some(Code::NonceMismatch));
        let refusal = judge(Rules::strict().boot_seed(&seed));
        assert_eq!(refusal, Some(Code::ReportDataMismatch));
    }
    assert_eq!(judge(Rules::strict().nonce(&[])), Some(Code::NonceMismatch));
    let absent = Setup::new().without(2397);
    let absent = absent.with(|setup| setup.rules = Rules::strict().boot_seed(&SEED));
    assert_eq!(absent.refusal(), Some(Code::ReportDataMismatch));
}

#[test]
fn software_that_is_not_accepted_is_refused() {
    let component = ReferenceComponent::new(&[0x33; 32], &[0x44; 32]);
    let judge = |accepted: Vec<ReferenceComponent>| {
        Setup::new().with(|setup| setup.rules = Rules::strict().components(accepted))
    };
    let good = judge(vec![component.clone().of_kind("BL")]).appraise();
    assert!(good.verdict().is_ok());
    assert_eq!(good.gaps(), [Gap::HostNotExcluded]);
    for accepted in [vec![], vec![component.of_kind("M1")]] {
        let refusal = judge(accepted).refusal();
        assert_eq!(refusal, Some(Code::MeasurementNotAllowed));
    }
}

#[test]
fn no_bit_of_a_token_may_change() {
    let setup = Setup::new();
    let good = setup.token();
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(setup.judge(&bytes).verdict().is_err(), "bit {bit}");
    }
}
