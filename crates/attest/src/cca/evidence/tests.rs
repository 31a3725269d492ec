//! Tokens that are good but for one thing.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests"
)]

use super::*;
use crate::appraisal::{Code, Gap};
use crate::arm::ReferenceComponent;
use crate::cca::fixtures::{
    CHALLENGE, IMPLEMENTATION, INSTANCE, Setup, Shape, collect, cose_key, point,
};
use crate::fixtures::NOW;
use crate::fixtures::cbor::{self, Envelope};
use crate::fixtures::pki::TestKey;
use crate::identifiers::{ImplementationId, InstanceId, ReportData};
use crate::signature::Hash;

#[test]
fn a_good_token_is_accepted_and_its_claims_are_read() {
    for shape in [Shape::Collection, Shape::Records] {
        let appraisal = Setup::new().with(|setup| setup.shape = shape).appraise();
        let claims = appraisal.verdict().unwrap();
        let (platform, realm) = (claims.platform(), claims.realm());
        assert_eq!(
            platform.implementation_id(),
            ImplementationId::new(IMPLEMENTATION)
        );
        assert_eq!(platform.instance_id(), InstanceId::new(INSTANCE));
        assert_eq!(platform.configuration(), b"cfg");
        assert_eq!(platform.components().len(), 1);
        assert_eq!(realm.challenge(), &ReportData::new(CHALLENGE));
        assert_eq!(realm.initial_measurement(), [0x11; 32]);
        assert_eq!(realm.extensible_measurements()[3], [4; 32]);
        assert_eq!(realm.personalization(), &[7; 64]);
        assert_eq!(appraisal.gaps(), [Gap::SoftwareNotCompared]);
        let json = appraisal.to_json();
        assert_eq!(json["claims"]["lifecycle_state"], "secured");
        assert_eq!(json["claims"]["platform"]["2395"], 0x3003);
        assert_eq!(json["claims"]["realm"]["44238"], "11".repeat(32));
    }
}

#[test]
fn bytes_that_are_no_token_are_refused() {
    let appraisal = Setup::new().judge(b"");
    assert_eq!(appraisal.verdict().unwrap_err(), Code::ReportMalformed);
    assert!(appraisal.claims().is_none());
}

#[test]
fn a_platform_whose_key_nobody_endorses_is_refused() {
    let judge = |anchors: Anchors| Setup::new().with(|setup| setup.anchors = anchors).refusal();
    let refused = Some(Code::RootNotPinned);
    assert_eq!(judge(Anchors::vendor()), refused);
    let key = TestKey::p384(1).spki();
    let other = |edit: fn(&mut [u8; 32], &mut [u8; 33])| {
        let (mut implementation, mut instance) = (IMPLEMENTATION, INSTANCE);
        edit(&mut implementation, &mut instance);
        let (implementation, instance) = (
            ImplementationId::new(implementation),
            InstanceId::new(instance),
        );
        let anchors = Anchors::vendor().endorse(implementation, instance, &key);
        judge(anchors.unwrap())
    };
    assert_eq!(other(|_, _| ()), None);
    assert_eq!(other(|implementation, _| implementation[31] ^= 1), refused);
    assert_eq!(other(|_, instance| instance[32] ^= 1), refused);
}

#[test]
fn a_platform_key_of_another_machine_or_curve_is_refused() {
    for key in [TestKey::p384(9), TestKey::p256(1)] {
        let anchors = Anchors::with_key(&key.spki()).unwrap();
        let setup = Setup::new().with(|setup| setup.anchors = anchors);
        assert_eq!(setup.refusal(), Some(Code::ReportSignature));
    }
    assert!(Anchors::with_key(&TestKey::rsa_pkcs1().spki()).is_err());
    assert!(Anchors::with_key(b"").is_err());
}

#[test]
fn either_of_two_endorsed_keys_will_do() {
    let ids = (
        ImplementationId::new(IMPLEMENTATION),
        InstanceId::new(INSTANCE),
    );
    let anchors = Anchors::vendor()
        .endorse(ids.0, ids.1, &TestKey::p384(9).spki())
        .and_then(|anchors| anchors.endorse(ids.0, ids.1, &TestKey::p384(1).spki()));
    let setup = Setup::new().with(|setup| setup.anchors = anchors.unwrap());
    assert_eq!(setup.refusal(), None);
}

#[test]
fn only_a_secured_platform_is_accepted() {
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
        let setup = Setup::new().platform_claim(2395, cbor::unsigned(value));
        let expected = (!accepted).then_some(Code::LifecycleNotSecured);
        assert_eq!(setup.refusal(), expected, "{value:#x}");
    }
}

#[test]
fn only_known_profiles_are_accepted() {
    for (platform, realm, accepted) in [
        (
            "tag:arm.com,2023:cca_platform#1.0.0",
            "tag:arm.com,2024:realm#2.0.0",
            true,
        ),
        (
            "tag:arm.com,2024:cca_platform#2.0.0",
            "tag:arm.com,2024:realm#2.0.0",
            true,
        ),
        (
            "tag:arm.com,2099:cca_platform#9",
            "tag:arm.com,2023:realm#1.0.0",
            false,
        ),
        (
            "tag:arm.com,2023:cca_platform#1.0.0",
            "tag:arm.com,2099:realm#9",
            false,
        ),
        (
            "tag:arm.com,2023:realm#1.0.0",
            "tag:arm.com,2023:cca_platform#1.0.0",
            false,
        ),
        (
            "http://arm.com/CCA-SSD/1.0.0",
            "tag:arm.com,2023:realm#1.0.0",
            false,
        ),
        ("", "tag:arm.com,2023:realm#1.0.0", false),
    ] {
        let setup = Setup::new()
            .platform_claim(265, cbor::text(platform))
            .realm_claim(265, cbor::text(realm));
        let expected = (!accepted).then_some(Code::ProfileNotAllowed);
        assert_eq!(setup.refusal(), expected, "{platform} {realm}");
    }
}

/// Before 2023 realm tokens named no profile and held a bare point.
#[test]
fn old_tokens_are_accepted_only_where_the_rules_say_so() {
    let old = || {
        let key = TestKey::p384(2);
        let bare = point(&key);
        Setup::new()
            .platform_claim(265, cbor::text("http://arm.com/CCA-SSD/1.0.0"))
            .realm_key(key, bare)
            .with(|setup| setup.realm.retain(|(label, _)| *label != 265))
    };
    let accept = |setup: &mut Setup| setup.rules = Rules::strict().old_profiles_accepted(true);
    assert_eq!(old().refusal(), Some(Code::ProfileNotAllowed));
    assert_eq!(old().with(accept).refusal(), None);
    let without_realm_profile =
        old().platform_claim(265, cbor::text("tag:arm.com,2023:cca_platform#1.0.0"));
    assert_eq!(
        without_realm_profile.refusal(),
        Some(Code::ProfileNotAllowed)
    );
    let unknown = old().platform_claim(265, cbor::text("http://arm.com/CCA-SSD/2.0.0"));
    assert_eq!(
        unknown.with(accept).refusal(),
        Some(Code::ProfileNotAllowed)
    );
    let curve = TestKey::p256(2);
    let small = old().realm_key(curve.clone(), point(&curve)).with(accept);
    assert_eq!(small.refusal(), None);
    let mut short = point(&TestKey::p384(2));
    short.pop();
    let short = old().realm_key(TestKey::p384(2), short).with(accept);
    assert_eq!(short.refusal(), Some(Code::ReportMalformed));
}

#[test]
fn the_platform_must_vouch_for_the_realms_key() {
    let other = Hash::Sha256.digest(&cose_key(&TestKey::p384(8)));
    let setup = Setup::new().platform_claim(10, cbor::bytes(&other));
    assert_eq!(setup.refusal(), Some(Code::RealmKeyMismatch));
    // The hash is over these bytes, not over the key they mean.
    let key = TestKey::p384(2);
    let point_hash = Hash::Sha256.digest(&point(&key));
    let setup = Setup::new().platform_claim(10, cbor::bytes(&point_hash));
    assert_eq!(setup.refusal(), Some(Code::RealmKeyMismatch));
    let good = Hash::Sha256.digest(&cose_key(&key));
    for byte in 0..good.len() {
        let mut bad = good.clone();
        bad[byte] ^= 1 << (byte % 8);
        let setup = Setup::new().platform_claim(10, cbor::bytes(&bad));
        assert_eq!(setup.refusal(), Some(Code::RealmKeyMismatch), "{byte}");
    }
}

#[test]
fn the_realm_names_the_hash_of_its_key() {
    for (name, hash) in [
        ("sha-256", Hash::Sha256),
        ("sha-384", Hash::Sha384),
        ("sha-512", Hash::Sha512),
    ] {
        let digest = hash.digest(&cose_key(&TestKey::p384(2)));
        let setup = Setup::new().platform_claim(10, cbor::bytes(&digest));
        let named = setup.realm_claim(44240, cbor::text(name));
        assert_eq!(named.refusal(), None, "{name}");
        let other = if name == "sha-256" {
            "sha-384"
        } else {
            "sha-256"
        };
        let renamed = named.realm_claim(44240, cbor::text(other));
        assert_eq!(renamed.refusal(), Some(Code::RealmKeyMismatch), "{name}");
    }
}

#[test]
fn a_realm_token_signed_by_another_key_is_refused() {
    let setup = Setup::new().with(|setup| setup.realm_envelope = Envelope::new(TestKey::p384(9)));
    let appraisal = setup.appraise();
    assert_eq!(appraisal.verdict().unwrap_err(), Code::ReportSignature);
    assert!(appraisal.claims().is_none());
}

/// Two genuine tokens, each of them good.
#[test]
fn parts_of_two_tokens_do_not_make_one() {
    let one = Setup::new();
    let key = TestKey::p384(5);
    let encoded = cose_key(&key);
    let other = Setup::new().realm_key(key, encoded);
    assert_eq!(one.refusal(), None);
    assert_eq!(other.refusal(), None);
    let spliced = collect(
        Shape::Collection,
        &one.platform_token(),
        &other.realm_token(),
    );
    let verdict = one.judge(&spliced).verdict().err();
    assert_eq!(verdict, Some(Code::RealmKeyMismatch));
    let swapped = collect(Shape::Collection, &one.realm_token(), &one.platform_token());
    let verdict = one.judge(&swapped).verdict().err();
    assert_eq!(verdict, Some(Code::ReportMalformed));
}

#[test]
fn a_realm_key_on_either_curve_verifies_and_no_other_does() {
    let small = TestKey::p256(3);
    let encoded = cose_key(&small);
    assert_eq!(Setup::new().realm_key(small, encoded).refusal(), None);
    let entry = |label: i64, value: Vec<u8>| (label, value);
    let point = point(&TestKey::p384(2));
    let (x, y) = (&point[1..49], &point[49..]);
    let good = [
        entry(1, cbor::integer(2)),
        entry(-1, cbor::integer(2)),
        entry(-2, cbor::bytes(x)),
        entry(-3, cbor::bytes(y)),
    ];
    let mut wrong = Vec::new();
    for (at, value) in [
        (0, cbor::integer(1)),
        (0, cbor::integer(4)),
        (1, cbor::integer(1)),
        (1, cbor::integer(3)),
        (2, cbor::bytes(&x[1..])),
        (3, cbor::bytes(&y[1..])),
        (3, cbor::bytes(x)),
        (3, vec![0xF5]),
    ] {
        let mut key = good.clone();
        key[at].1 = value;
        wrong.push(cbor::claims(&key));
    }
    for at in 0..4 {
        let mut key = good.to_vec();
        key.remove(at);
        wrong.push(cbor::claims(&key));
    }
    wrong.push([cbor::claims(&good), vec![0]].concat());
    wrong.push(point.clone());
    for encoded in wrong {
        let setup = Setup::new().realm_key(TestKey::p384(2), encoded.clone());
        let refusal = setup.refusal();
        assert_eq!(refusal, Some(Code::ReportMalformed), "{encoded:02x?}");
    }
}

#[test]
fn each_demand_must_hold() {
    let judge = |rules: Rules| Setup::new().with(|setup| setup.rules = rules).refusal();
    let strict = Rules::strict;
    assert_eq!(judge(strict().challenge(ReportData::new(CHALLENGE))), None);
    for byte in 0..64 {
        let mut other = CHALLENGE;
        other[byte] ^= 1 << (byte % 8);
        let refusal = judge(strict().challenge(ReportData::new(other)));
        assert_eq!(refusal, Some(Code::NonceMismatch));
    }
    let refused = Some(Code::MeasurementNotAllowed);
    let (good, bad) = (vec![0x11; 32], vec![0x12; 32]);
    assert_eq!(
        judge(strict().initial_measurements(vec![bad.clone(), good])),
        None
    );
    assert_eq!(judge(strict().initial_measurements(vec![bad])), refused);
    assert_eq!(judge(strict().initial_measurements(vec![])), refused);
    let measurements = [1, 2, 3, 4].map(|value| vec![value; 32]);
    assert_eq!(
        judge(strict().extensible_measurements(measurements.clone())),
        None
    );
    for at in 0..4 {
        let mut other = measurements.clone();
        other[at][31] ^= 1;
        assert_eq!(judge(strict().extensible_measurements(other)), refused);
    }
    assert_eq!(judge(strict().personalization([7; 64])), None);
    let mut other = [7; 64];
    other[63] = 8;
    assert_eq!(
        judge(strict().personalization(other)),
        Some(Code::HostDataMismatch)
    );
}

#[test]
fn software_that_is_not_accepted_is_refused() {
    let component = ReferenceComponent::new(&[0x33; 32], &[0x44; 32]);
    let judge = |accepted: Vec<ReferenceComponent>| {
        Setup::new().with(|setup| setup.rules = Rules::strict().components(accepted))
    };
    let good = judge(vec![component.clone().of_kind("BL")]).appraise();
    assert!(good.verdict().is_ok());
    assert!(good.gaps().is_empty());
    for accepted in [vec![], vec![component.of_kind("M1")]] {
        let refusal = judge(accepted).refusal();
        assert_eq!(refusal, Some(Code::MeasurementNotAllowed));
    }
}

/// Every byte is changed, in one bit of its own.
#[test]
fn no_byte_of_a_token_may_change() {
    let setup = Setup::new();
    let good = setup.token();
    for byte in 0..good.len() {
        let mut bytes = good.clone();
        bytes[byte] ^= 1 << (byte % 8);
        assert!(setup.judge(&bytes).verdict().is_err(), "byte {byte}");
    }
}

#[test]
fn the_time_is_written_down() {
    assert_eq!(Setup::new().appraise().at(), NOW);
}
