#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use super::*;
use crate::fixtures::{NOW, TestRng, WEIGHTS, answer, epoch, params, start};
use crate::{Completed, Epoch, KeyConfigurationParams, Profile, ResponseClass, ResponseEvent};

fn completed() -> Completed {
    let mut started = start(Profile::Balanced, 1);
    let mut events = Vec::new();
    for piece in answer(started.opened, ResponseClass::Stream, b"hello") {
        started.opener.push(&piece, &mut events).unwrap();
    }
    let complete = events.into_iter().find_map(|event| match event {
        ResponseEvent::Complete(completed) => Some(*completed),
        _ => None,
    });
    complete.unwrap()
}

/// The receipt with byte `at` changed and signed again by the right key, and
/// what it is refused for.
fn resigned(at: usize) -> ReceiptError {
    let epoch = epoch(1);
    let mut bytes = *completed().receipt.receipt().as_bytes();
    bytes[at] ^= 1;
    let signature = epoch.receipt_signature(&signed_message(&bytes[..172]));
    bytes[172..].copy_from_slice(&signature);
    let receipt = Receipt::parse(&bytes).unwrap();
    receipt.verify(epoch.key_configuration()).unwrap_err()
}

#[test]
fn a_receipt_of_an_answer_verifies_and_opens() {
    let completed = completed();
    let transcript = completed.transcript.unwrap();
    assert_eq!(completed.receipt.minute(), NOW / 60);
    assert_eq!(completed.receipt.weights(), &WEIGHTS);
    completed
        .receipt
        .opens(
            &completed.receipt_key,
            &transcript.message,
            &transcript.frames,
        )
        .unwrap();
}

#[test]
fn a_receipt_does_not_open_to_another_message_answer_or_key() {
    let completed = completed();
    let Transcript { message, frames } = completed.transcript.unwrap();
    let opens = |key: &[u8; 32], message: &[u8], frames: &[u8]| {
        completed.receipt.opens(key, message, frames).unwrap_err()
    };
    let key = &completed.receipt_key;
    assert_eq!(
        opens(key, b"x", &frames),
        ReceiptError::Commitment("request")
    );
    assert_eq!(
        opens(key, &message, b"x"),
        ReceiptError::Commitment("response")
    );
    assert_eq!(
        opens(&[0; 32], &message, &frames),
        ReceiptError::Commitment("request")
    );
}

#[test]
fn each_signed_field_must_belong_to_the_key_configuration() {
    assert_eq!(resigned(4), ReceiptError::Mismatch("key configuration"));
    assert_eq!(resigned(100), ReceiptError::Mismatch("release"));
    assert_eq!(resigned(132), ReceiptError::Mismatch("weights"));
    assert_eq!(resigned(164), ReceiptError::Mismatch("minute"));
}

#[test]
fn the_minute_lies_in_the_life_of_the_key_whose_end_is_exclusive() {
    let life = KeyConfigurationParams {
        not_before: NOW,
        not_after: NOW + 1200,
        ..params()
    };
    let epoch = Epoch::generate(&life, 4, &mut TestRng(1)).unwrap();
    let kc = epoch.key_configuration();
    let at = |minute: u64| {
        let mut bytes = *completed().receipt.receipt().as_bytes();
        bytes[4..36].copy_from_slice(&kc.digest());
        bytes[164..172].copy_from_slice(&minute.to_be_bytes());
        let signature = epoch.receipt_signature(&signed_message(&bytes[..172]));
        bytes[172..].copy_from_slice(&signature);
        Receipt::parse(&bytes).unwrap().verify(kc).map(|_| ())
    };
    let (first, past) = (NOW / 60, NOW / 60 + 20);
    assert_eq!((at(first), at(past - 1)), (Ok(()), Ok(())));
    for minute in [first - 1, past, past + 1] {
        assert_eq!(at(minute), Err(ReceiptError::Mismatch("minute")));
    }
}

#[test]
fn every_changed_byte_breaks_the_receipt() {
    let epoch = epoch(1);
    let original = *completed().receipt.receipt().as_bytes();
    for at in 0..Receipt::LEN {
        let mut bytes = original;
        bytes[at] ^= 0x40;
        let verified =
            Receipt::parse(&bytes).and_then(|receipt| receipt.verify(epoch.key_configuration()));
        assert!(verified.is_err(), "byte {at}");
    }
}

#[test]
fn a_receipt_of_another_key_is_refused() {
    let error = completed()
        .receipt
        .receipt()
        .verify(epoch(2).key_configuration())
        .unwrap_err();
    assert_eq!(error, ReceiptError::Mismatch("key configuration"));
}

#[test]
fn other_lengths_are_not_receipts() {
    for len in [0, 235, 237] {
        assert_eq!(Receipt::parse(&vec![0; len]), Err(ReceiptError::Format));
    }
}

use crate::Transcript;
