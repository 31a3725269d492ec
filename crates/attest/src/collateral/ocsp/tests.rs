//! Answers with one thing wrong at a time.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use super::super::fixtures::{GOOD, LATER, generalized, ocsp_answer, ocsp_answer_of};
use der::asn1::OctetStringRef;
use der::{Decode, Reader, SliceReader};

use super::*;
use crate::development::der::{CONTEXT_0, CONTEXT_3, element};
use crate::fixtures::NOW;
use crate::fixtures::pki::{TestKey, authority_draft, leaf_draft};

const NONCE: [u8; 32] = [5; 32];

fn question() -> Question {
    let (root, leaf) = (TestKey::p384(1), TestKey::p384(2));
    let issuer = root.certify(&authority_draft("Root", "Root", &root));
    let subject = root.certify(&leaf_draft("Leaf", "Root", &leaf));
    Question::new(&subject, &issuer, NONCE).unwrap()
}

/// The request is the one that other tools send: compare
/// `openssl ocsp -sha384 -issuer … -cert … -reqout …`, but for the nonce.
#[test]
fn a_question_has_the_form_of_the_standard() {
    let der = question().to_der().unwrap();
    let mut reader = SliceReader::new(&der).unwrap();
    let nonce = reader.sequence(|request| {
        request.sequence(|content| {
            content.sequence(|list| {
                list.sequence(|request| {
                    request.sequence(|id| {
                        let algorithm = id.sequence(ObjectIdentifier::decode)?;
                        assert_eq!(algorithm, SHA_384);
                        assert_eq!(<&OctetStringRef>::decode(id)?.as_bytes().len(), 48);
                        assert_eq!(<&OctetStringRef>::decode(id)?.as_bytes().len(), 48);
                        assert_eq!(u8::decode(id)?, 1);
                        Ok::<_, der::Error>(())
                    })
                })
            })?;
            content.tlv_bytes()
        })
    });
    let value = element(0x04, &[&element(0x04, &[&NONCE])]);
    let nonce_extension = element(0x30, &[&super::NONCE.to_der().unwrap(), &value]);
    let extensions = element(0xA2, &[&element(0x30, &[&nonce_extension])]);
    assert_eq!(nonce.unwrap(), extensions);
    reader.finish().unwrap();
}

#[test]
fn a_question_is_about_a_certificate_and_its_issuer() {
    let (root, leaf) = (TestKey::p384(1), TestKey::p384(2));
    let issuer = root.certify(&authority_draft("Root", "Root", &root));
    let stranger = root.certify(&authority_draft("Other", "Other", &root));
    let subject = root.certify(&leaf_draft("Leaf", "Root", &leaf));
    assert!(Question::new(&subject, &issuer, NONCE).is_some());
    assert!(Question::new(&subject, &stranger, NONCE).is_none());
    assert!(Question::new(b"x", &issuer, NONCE).is_none());
    assert!(Question::new(&subject, b"x", NONCE).is_none());
}

#[test]
fn a_good_answer_answers_its_question() {
    let question = question();
    let answer = ocsp_answer(question.certificate_id(), Some(&NONCE), GOOD);
    let answer = Answer::parse(&answer).unwrap();
    assert!(answer.answers(&question));
    assert!(answer.is_good());
    assert_eq!(answer.next_update(), LATER);
}

#[test]
fn an_answer_to_another_question_is_none() {
    let question = question();
    let id = question.certificate_id().to_vec();
    let mut other_id = id.clone();
    *other_id.last_mut().unwrap() ^= 1;
    for answer in [
        ocsp_answer(&other_id, Some(&NONCE), GOOD),
        ocsp_answer(&id, Some(&[6; 32]), GOOD),
        ocsp_answer(&id, Some(&NONCE[..31]), GOOD),
        ocsp_answer(&id, None, GOOD),
    ] {
        assert!(!Answer::parse(&answer).unwrap().answers(&question));
    }
}

#[test]
fn what_is_revoked_or_unknown_is_not_good() {
    let id = question().certificate_id().to_vec();
    let revoked = element(0xA1, &[&generalized(NOW)]);
    for status in [revoked.as_slice(), &[0x82, 0]] {
        let answer = ocsp_answer(&id, Some(&NONCE), status);
        assert!(!Answer::parse(&answer).unwrap().is_good());
    }
}

#[test]
fn a_refusal_to_answer_says_so() {
    for status in [1, 2, 3, 5, 6] {
        let der = [0x30, 3, 0x0A, 1, status];
        assert_eq!(
            Answer::parse(&der),
            Err(AnswerError::Unsuccessful { status })
        );
    }
}

#[test]
fn an_answer_that_does_not_say_when_the_next_one_comes_is_refused() {
    let id = question().certificate_id().to_vec();
    let next = |tag| element(tag, &[&generalized(LATER)]);
    let single = |next: &[u8]| [id.as_slice(), GOOD, &generalized(NOW), next].concat();
    assert!(Answer::parse(&ocsp_answer_of(&single(&next(CONTEXT_0)), None)).is_ok());
    for bad in [
        single(&[]),
        single(&next(0xA1)),
        single(&element(CONTEXT_0, &[&[5, 0]])),
        id.clone(),
        Vec::new(),
    ] {
        let answer = Answer::parse(&ocsp_answer_of(&bad, None));
        assert_eq!(answer, Err(AnswerError::Format));
    }
}

#[test]
fn an_answer_that_is_cut_or_followed_is_refused() {
    let good = ocsp_answer(question().certificate_id(), Some(&NONCE), GOOD);
    for length in 0..good.len() {
        assert!(Answer::parse(&good[..length]).is_err(), "{length}");
    }
    assert!(Answer::parse(&[&good[..], &[0]].concat()).is_err());
}

#[test]
fn other_kinds_of_answers_are_refused() {
    let good = ocsp_answer(question().certificate_id(), Some(&NONCE), GOOD);
    let at = |needle: &[u8]| {
        good.windows(needle.len())
            .position(|w| w == needle)
            .unwrap()
    };
    let mut other_type = good.clone();
    let basic = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
    let basic = basic.to_der().unwrap();
    other_type[at(&basic) + basic.len() - 1] ^= 2;
    let mut no_basic = good.clone();
    no_basic[at(&[0x0A, 1, 0]) + 3] = CONTEXT_3;
    for bad in [other_type, no_basic, vec![0x30, 3, 0x0A, 1, 0]] {
        assert_eq!(Answer::parse(&bad), Err(AnswerError::Format));
    }
}
