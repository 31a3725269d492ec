//! Answers that are good but for one thing.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::semicolon_if_nothing_returned,
    clippy::type_complexity,
    reason = "tests"
)]

use proptest::prelude::*;

use super::fixtures::{AnswerDraft, response};
use super::*;
use crate::development::certificates::ExtensionDraft;
use crate::development::der::{SEQUENCE, element, identifier};
use crate::fixtures::NOW;
use crate::fixtures::pki::{TestKey, authority_draft, leaf_draft};

fn issuer_key() -> TestKey {
    TestKey::p384(1)
}

fn responder_key() -> TestKey {
    TestKey::p384(3)
}

/// A certificate and its issuer's, in DER.
fn certificates() -> [Vec<u8>; 2] {
    let mut leaf = leaf_draft("leaf", "issuer", &TestKey::p384(2));
    leaf.serial = vec![0x9A, 0xBC];
    let issuer = authority_draft("issuer", "issuer", &issuer_key());
    [leaf, issuer].map(|draft| issuer_key().certify(&draft))
}

fn draft() -> AnswerDraft {
    let [leaf, issuer] = certificates();
    AnswerDraft::new(&leaf, &issuer, &issuer_key())
}

fn check(answer: &[u8]) -> Result<(), AnswerError> {
    let [leaf, issuer] = certificates().map(|der| Certificate::parse(&der).unwrap());
    let answer = Answer::parse(answer)?;
    answer.check(&leaf, &issuer, NOW).map(drop)
}

/// An answer by a responder whose certificate is changed.
fn delegated(
    edit: impl FnOnce(&mut crate::development::certificates::CertificateDraft),
) -> Vec<u8> {
    let mut responder = leaf_draft("responder", "issuer", &responder_key());
    let purposes = element(SEQUENCE, &[&identifier("1.3.6.1.5.5.7.3.9")]);
    let usage = ExtensionDraft::new("2.5.29.37", true, purposes);
    responder.extensions.push(usage);
    edit(&mut responder);
    let mut answer = draft();
    answer.signer = responder_key();
    answer.certificates = vec![issuer_key().certify(&responder)];
    answer.sign()
}

#[test]
fn an_answer_of_the_issuer_is_accepted() {
    assert_eq!(check(&draft().sign()), Ok(()));
}

#[test]
fn what_an_answer_says_can_be_read_without_verifying_it() {
    let answer = Answer::parse(&draft().sign()).unwrap();
    let [word] = answer.words() else {
        panic!("several words");
    };
    assert!(word.is_good());
    assert_eq!(word.next_update(), draft().next_update);
    let revoked = Answer::parse(&draft().revoked().sign()).unwrap();
    assert!(revoked.words().iter().all(|word| !word.is_good()));
    assert_eq!(answer.nonce(), None);
}

#[test]
fn an_answer_of_a_responder_that_the_issuer_named_is_accepted() {
    assert_eq!(check(&delegated(|_| ())), Ok(()));
}

#[test]
fn a_responder_must_be_named_for_it() {
    let purposes = |oid| element(SEQUENCE, &[&identifier(oid)]);
    let time_stamping = purposes("1.3.6.1.5.5.7.3.8");
    let answers = [
        delegated(|responder| drop(responder.extensions.pop())),
        delegated(|responder| responder.extensions[2].value = time_stamping),
        delegated(|responder| responder.issuer = "other".to_owned()),
        delegated(|responder| responder.not_after = UnixSeconds::new(NOW.get() - 1)),
        delegated(|responder| responder.not_before = NOW.saturating_add(1)),
        delegated(|responder| responder.extensions[1].value = vec![0x03, 0x02, 0x05, 0x20]),
        delegated(|responder| responder.extensions[0].value = vec![0x30, 3, 1, 1, 0xFF]),
        delegated(|responder| responder.public_key = TestKey::p384(9).spki()),
    ];
    for (at, answer) in answers.iter().enumerate() {
        assert_eq!(check(answer), Err(AnswerError::Signer), "{at}");
    }
}

#[test]
fn a_responder_that_another_authority_certified_is_refused() {
    let mut answer = draft();
    answer.signer = responder_key();
    let responder = leaf_draft("responder", "issuer", &responder_key());
    answer.certificates = vec![TestKey::p384(9).certify(&responder)];
    assert_eq!(check(&answer.sign()), Err(AnswerError::Signer));
}

#[test]
fn each_thing_alone_refuses() {
    let cases: [(&str, AnswerError, fn(&mut AnswerDraft)); 13] = [
        ("other signer", AnswerError::Signer, |a| {
            a.signer = TestKey::p384(9)
        }),
        ("other name", AnswerError::Unknown, |a| {
            a.issuer_name[0] ^= 1
        }),
        ("other key", AnswerError::Unknown, |a| a.issuer_key[0] ^= 1),
        ("other serial", AnswerError::Unknown, |a| {
            a.serial = vec![0x1A, 0xBC]
        }),
        ("other hash", AnswerError::Unknown, |a| {
            a.algorithm = "2.16.840.1.101.3.4.2.1"
        }),
        ("SHA-1", AnswerError::Format, |a| {
            a.algorithm = "1.3.14.3.2.26"
        }),
        ("unknown", AnswerError::Unknown, |a| {
            a.status = element(0x82, &[])
        }),
        ("no status", AnswerError::Format, |a| {
            a.status = element(0x83, &[])
        }),
        ("future", AnswerError::Stale, |a| {
            a.this_update = NOW.saturating_add(1)
        }),
        ("no end", AnswerError::Stale, |a| a.next_update = None),
        ("old", AnswerError::Stale, |a| {
            a.this_update = UnixSeconds::new(NOW.get() - 20);
            a.next_update = Some(UnixSeconds::new(NOW.get() - 10));
        }),
        ("critical extension", AnswerError::Format, |a| {
            a.extensions = extension(true)
        }),
        ("field behind", AnswerError::Format, |a| {
            a.extensions = [extension(false), extension(false)].concat();
        }),
    ];
    for (name, error, spoil) in cases {
        let mut answer = draft();
        spoil(&mut answer);
        assert_eq!(check(&answer.sign()), Err(error), "{name}");
    }
}

#[test]
fn an_extension_that_is_not_critical_is_ignored() {
    let mut answer = draft();
    answer.extensions = extension(false);
    assert_eq!(check(&answer.sign()), Ok(()));
}

/// What was revoked once stays revoked, however old the answer is.
#[test]
fn a_revoked_certificate_is_refused_even_by_an_old_answer() {
    let mut answer = draft().revoked();
    assert_eq!(check(&answer.sign()), Err(AnswerError::Revoked));
    answer.next_update = None;
    assert_eq!(check(&answer.sign()), Err(AnswerError::Revoked));
    answer.signer = TestKey::p384(9);
    assert_eq!(check(&answer.sign()), Err(AnswerError::Signer));
}

#[test]
fn a_response_that_is_not_successful_is_refused() {
    let good = draft().sign();
    let basic = super::basic_response(children(&good).unwrap()[1]).unwrap();
    assert_eq!(check(&response(0, basic)), Ok(()));
    for status in [1, 2, 3, 5, 6] {
        assert_eq!(check(&response(status, basic)), Err(AnswerError::Format));
    }
    let long = vec![0; Answer::MAX_LEN + 1];
    assert_eq!(check(&long), Err(AnswerError::Format));
    assert_eq!(check(&[good, vec![0]].concat()), Err(AnswerError::Format));
}

#[test]
fn no_byte_of_an_answer_may_change() {
    let good = draft().sign();
    let [leaf, issuer] = certificates().map(|der| Certificate::parse(&der).unwrap());
    for at in 0..good.len() {
        for bit in [0, 5] {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            let found = Answer::parse(&bytes).and_then(|answer| answer.check(&leaf, &issuer, NOW));
            assert!(found.is_err(), "accepted with byte {at} changed");
        }
    }
}

fn extension(critical: bool) -> Vec<u8> {
    let flag: &[u8] = if critical { &[1, 1, 0xFF] } else { &[] };
    let value = element(0x04, &[&[5, 0]]);
    let one = element(SEQUENCE, &[&identifier("1.2.3"), flag, &value]);
    element(0xA1, &[&element(SEQUENCE, &[&one])])
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Answer::parse(&bytes);
    }
}
