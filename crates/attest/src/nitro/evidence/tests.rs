//! Documents that are good but for one thing.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests"
)]

use super::*;
use crate::appraisal::{Code, Gap};
use crate::development::certificates::ExtensionDraft;
use crate::fixtures::NOW;
use crate::fixtures::cbor;
use crate::fixtures::pki::{TestKey, authority_draft};
use crate::nitro::fixtures::{NONCE, PUBLIC_KEY, Setup, USER_DATA};
use crate::nitro::{Document, Register};
use crate::signature::PublicKey;

type Demand = fn(Rules, &[u8]) -> Rules;

#[test]
fn a_good_document_is_accepted_and_its_claims_are_read() {
    let appraisal = Setup::new().appraise();
    let claims = appraisal.verdict().unwrap();
    assert_eq!(claims.module_id(), "i-0-enc0");
    assert_eq!(claims.timestamp_ms(), NOW.get() * 1000 + 999);
    assert_eq!(claims.register(8), Some(&[9; 48][..]));
    assert_eq!(claims.register(16), None);
    assert_eq!(claims.nonce(), Some(NONCE));
    assert_eq!(claims.user_data(), Some(USER_DATA));
    assert_eq!(claims.public_key(), Some(PUBLIC_KEY));
    assert_eq!(appraisal.gaps(), [Gap::MachineNotIdentified]);
    let json = appraisal.to_json();
    assert_eq!(json["claims"]["timestamp"], "2026-06-01T00:00:00Z");
    assert_eq!(json["claims"]["pcrs"]["0"], "01".repeat(48));
    assert_eq!(json["claims"]["cabundle_len"], 2);
}

#[test]
fn the_tag_may_be_left_out() {
    let setup = Setup::new().with(|setup| setup.envelope.tag = None);
    assert_eq!(setup.refusal(), None);
}

#[test]
fn bytes_that_are_no_document_are_refused() {
    let appraisal = Setup::new().judge(b"");
    assert_eq!(appraisal.verdict().unwrap_err(), Code::ReportMalformed);
    assert!(appraisal.claims().is_none());
}

#[test]
fn a_document_under_another_root_is_refused() {
    let setup = Setup::new();
    let document = setup.document();
    let evidence = Evidence {
        document: &document,
    };
    let judge = |anchors: &Anchors| {
        let appraisal = appraise(&evidence, &Rules::strict(), anchors, NOW);
        appraisal.verdict().err()
    };
    assert_eq!(judge(&Anchors::vendor()), Some(Code::RootNotPinned));
    let other = TestKey::p384(9);
    let other = Anchors::with_root(&other.certify(&authority_draft("root", "root", &other)));
    assert_eq!(judge(&other.unwrap()), Some(Code::RootNotPinned));
    assert!(Anchors::with_root(b"").is_err());
}

/// The key is the pinned one; the certificate is not.
#[test]
fn another_certificate_for_the_pinned_key_is_refused() {
    let setup = Setup::new();
    let anchors = setup.anchors();
    let setup = setup.with(|setup| setup.root.serial = vec![2]);
    let document = setup.document();
    let evidence = Evidence {
        document: &document,
    };
    let appraisal = appraise(&evidence, &setup.rules, &anchors, NOW);
    assert_eq!(appraisal.verdict().unwrap_err(), Code::RootNotPinned);
}

#[test]
fn the_bundle_has_the_root_first() {
    let setup = Setup::new();
    let mut authorities = setup.authorities();
    authorities.reverse();
    let authorities: Vec<_> = authorities.iter().map(|one| cbor::bytes(one)).collect();
    let setup = setup.field("cabundle", cbor::array(&authorities));
    assert_eq!(setup.refusal(), Some(Code::RootNotPinned));
}

#[test]
fn an_authority_may_not_be_left_out_or_exchanged() {
    let setup = Setup::new();
    let root = cbor::bytes(&setup.authorities()[0]);
    let setup = setup.field("cabundle", cbor::array(core::slice::from_ref(&root)));
    assert_eq!(setup.refusal(), Some(Code::CertificateSignature));
    let other = TestKey::p384(7).certify(&Setup::new().middle);
    let setup = Setup::new().field(
        "cabundle",
        cbor::array(&[root.clone(), cbor::bytes(&other)]),
    );
    assert_eq!(setup.refusal(), Some(Code::CertificateSignature));
    let setup = Setup::new().field("cabundle", cbor::array(&[root, cbor::bytes(b"none")]));
    assert_eq!(setup.refusal(), Some(Code::CertificateMalformed));
}

#[test]
fn each_certificate_must_be_valid_now() {
    for at in 0..3 {
        let draft = |setup: &mut Setup, edit: fn(&mut UnixSeconds, &mut UnixSeconds)| {
            let draft = match at {
                0 => &mut setup.leaf,
                1 => &mut setup.middle,
                _ => &mut setup.root,
            };
            edit(&mut draft.not_before, &mut draft.not_after);
        };
        let late = Setup::new().with(|setup| draft(setup, |from, _| *from = NOW.saturating_add(1)));
        assert_eq!(late.refusal(), Some(Code::CertificateNotYetValid), "{at}");
        let mut early = Setup::new().with(|setup| {
            draft(setup, |from, to| {
                *from = UnixSeconds::new(NOW.get() - 2);
                *to = UnixSeconds::new(NOW.get() - 1);
            });
        });
        assert_eq!(early.refusal(), Some(Code::CertificateExpired), "{at}");
        draft(&mut early, |_, to| *to = NOW);
        assert_eq!(early.refusal(), None, "{at} in its last second");
    }
}

#[test]
fn a_leaf_that_is_an_authority_or_may_not_sign_is_refused() {
    let setup = Setup::new().with(|setup| {
        setup.leaf.extensions = authority_draft("a", "b", &TestKey::p384(1)).extensions;
    });
    assert_eq!(setup.refusal(), Some(Code::CertificateMalformed));
    // KeyUsage { keyAgreement }.
    let setup = Setup::new().with(|setup| setup.leaf.extensions[1].value = vec![3, 2, 3, 8]);
    assert_eq!(setup.refusal(), Some(Code::CertificateMalformed));
}

#[test]
fn an_authority_that_is_none_or_allows_no_other_is_refused() {
    let setup = Setup::new().with(|setup| {
        setup.middle.extensions = setup.leaf.extensions.clone();
    });
    assert_eq!(setup.refusal(), Some(Code::CertificateMalformed));
    let setup = Setup::new().with(|setup| {
        // BasicConstraints { cA TRUE, pathLenConstraint 0 }.
        let value = [0x30, 0x06, 0x01, 0x01, 0xFF, 0x02, 0x01, 0x00];
        setup.root.extensions[0] = ExtensionDraft::new("2.5.29.19", true, value);
    });
    assert_eq!(setup.refusal(), Some(Code::CertificateMalformed));
}

#[test]
fn another_signer_than_the_certified_one_is_refused() {
    let setup = Setup::new().with(|setup| setup.envelope.signer = TestKey::p384(9));
    let appraisal = setup.appraise();
    assert_eq!(appraisal.verdict().unwrap_err(), Code::ReportSignature);
    assert!(appraisal.claims().is_none());
}

#[test]
fn a_certified_key_on_another_curve_is_refused() {
    let key = TestKey::p256(1);
    let setup = Setup::new().with(|setup| setup.leaf.public_key = key.spki());
    assert_eq!(setup.refusal(), Some(Code::ReportSignature));
}

/// Two documents of the same hypervisor, both good.
#[test]
fn pieces_of_another_document_are_refused() {
    let (one, other) = (Setup::new(), Setup::new().field("nonce", cbor::null()));
    let (one, other) = (one.document(), other.document());
    let signature = other.len() - 96;
    let mixed = [&one[..one.len() - 96], &other[signature..]].concat();
    let verdict = Setup::new().judge(&mixed).verdict().err();
    assert_eq!(verdict, Some(Code::ReportSignature));
    let other = Setup::new().with(|setup| setup.leaf.public_key = TestKey::p384(8).spki());
    let setup = Setup::new().field("certificate", cbor::bytes(&other.certificate()));
    assert_eq!(setup.refusal(), Some(Code::ReportSignature));
}

#[test]
fn registers_of_zeros_are_debug_mode() {
    for index in 0..3 {
        let setup = Setup::new().with(|setup| setup.registers[index].1 = cbor::bytes(&[0; 48]));
        assert_eq!(setup.refusal(), Some(Code::GuestDebugAllowed), "{index}");
        let setup = Setup::new().with(|setup| drop(setup.registers.remove(index)));
        assert_eq!(setup.refusal(), Some(Code::EvidenceMissing), "{index}");
    }
    for index in 3..16 {
        let setup = Setup::new().with(|setup| setup.registers[index].1 = cbor::bytes(&[0; 48]));
        assert_eq!(setup.refusal(), None, "{index}");
    }
}

#[test]
fn a_document_from_the_future_is_refused() {
    let at = |second: u64| Setup::new().field("timestamp", cbor::unsigned(second * 1000));
    assert_eq!(at(NOW.get()).refusal(), None);
    let late = at(NOW.get() + 1);
    assert_eq!(late.refusal(), Some(Code::ReportFromFuture));
    let mut tolerant = late.with(|setup| setup.rules = Rules::strict().clock_tolerance(1));
    assert_eq!(tolerant.refusal(), None);
    tolerant = tolerant.field("timestamp", cbor::unsigned(u64::MAX));
    assert_eq!(tolerant.refusal(), Some(Code::ReportFromFuture));
}

#[test]
fn a_document_older_than_allowed_is_refused() {
    let at = |age: u64| {
        let made = (NOW.get() - age) * 1000;
        Setup::new().field("timestamp", cbor::unsigned(made))
    };
    assert_eq!(at(Rules::MAXIMUM_AGE).refusal(), None);
    let old = at(Rules::MAXIMUM_AGE + 1);
    assert_eq!(old.refusal(), Some(Code::ReportTooOld));
    let any_age = old.with(|setup| setup.rules = Rules::strict().maximum_age(None));
    assert_eq!(any_age.refusal(), None);
    let young = at(1).with(|setup| setup.rules = Rules::strict().maximum_age(Some(0)));
    assert_eq!(young.refusal(), Some(Code::ReportTooOld));
}

#[test]
fn each_demanded_register_must_hold_a_demanded_value() {
    let rules = |allowed: &[&[u8]]| Rules::strict().register(Register::ImageSigner, allowed);
    let judge = |rules: Rules| Setup::new().with(|setup| setup.rules = rules).refusal();
    assert_eq!(judge(rules(&[&[9; 48]])), None);
    assert_eq!(judge(rules(&[&[1; 48], &[9; 48]])), None);
    let refused = Some(Code::MeasurementNotAllowed);
    assert_eq!(judge(rules(&[])), refused);
    assert_eq!(judge(rules(&[&[9; 47]])), refused);
    let absent = Rules::strict().register(Register::Number(31), &[&[0; 48]]);
    assert_eq!(judge(absent), refused);
    let both = rules(&[&[9; 48]]).register(Register::Image, &[&[2; 48]]);
    assert_eq!(judge(both), refused);
    for (register, number) in [
        (Register::Image, 0),
        (Register::Kernel, 1),
        (Register::Application, 2),
        (Register::Role, 3),
        (Register::Instance, 4),
        (Register::ImageSigner, 8),
        (Register::Number(5), 5),
    ] {
        let value = [number + 1; 48];
        let rules = |value: &[u8]| Rules::strict().register(register, &[value]);
        assert_eq!(judge(rules(&value)), None);
        assert_eq!(judge(rules(&[0x77; 48])), refused);
    }
}

#[test]
fn each_demanded_field_must_be_the_demanded_one() {
    let judge = |name: &'static str, found: Vec<u8>, rules: Rules| {
        let setup = Setup::new().field(name, found);
        setup.with(|setup| setup.rules = rules).refusal()
    };
    let demands: [(&str, &[u8], Demand, Code); 3] = [
        ("nonce", NONCE, Rules::nonce, Code::NonceMismatch),
        (
            "user_data",
            USER_DATA,
            Rules::user_data,
            Code::ReportDataMismatch,
        ),
        (
            "public_key",
            PUBLIC_KEY,
            Rules::public_key,
            Code::ReportDataMismatch,
        ),
    ];
    for (name, value, demand, code) in demands {
        let rules = || demand(Rules::strict(), value);
        assert_eq!(judge(name, cbor::bytes(value), rules()), None);
        assert_eq!(judge(name, cbor::null(), rules()), Some(code), "{name}");
        let longer = [value, &[0]].concat();
        assert_eq!(judge(name, cbor::bytes(&longer), rules()), Some(code));
        for byte in 0..value.len() {
            let mut other = value.to_vec();
            other[byte] ^= 1 << (byte % 8);
            assert_eq!(judge(name, cbor::bytes(&other), rules()), Some(code));
        }
    }
    let rules = || Rules::strict().module_id("i-0-enc0");
    assert_eq!(judge("module_id", cbor::text("i-0-enc0"), rules()), None);
    let other = judge("module_id", cbor::text("i-1-enc0"), rules());
    assert_eq!(other, Some(Code::ReportDataMismatch));
}

#[test]
fn a_machine_that_must_be_known_is_not() {
    let rules = Rules::strict().machine_identity_required(true);
    let setup = Setup::new().with(|setup| setup.rules = rules);
    assert_eq!(setup.refusal(), Some(Code::MachineNotIdentified));
}

/// Every byte is changed, in one bit of its own. The whole appraisal is slow, so
/// that it looks at some of them only.
#[test]
fn no_byte_of_a_document_may_change() {
    let setup = Setup::new();
    let key = PublicKey::from_spki(&TestKey::p384(1).spki()).unwrap();
    let good = setup.document();
    assert!(Document::parse(&good).unwrap().is_signed_by(&key));
    for byte in 0..good.len() {
        let mut bytes = good.clone();
        bytes[byte] ^= 1 << (byte % 8);
        let verifies = Document::parse(&bytes).is_ok_and(|changed| changed.is_signed_by(&key));
        assert!(!verifies, "byte {byte}");
        if byte % 23 == 0 {
            assert!(setup.judge(&bytes).verdict().is_err(), "byte {byte}");
        }
    }
}
