//! What an enclave that breaks the format could send: each answer is authentic
//! and right but for one thing.

use subrosa_attest::UnixSeconds;

use super::*;
use crate::fixtures::{NOW, TestRng, WEIGHTS, epoch, gateway, node, request};
use crate::frame::put_frame;
use crate::{ResponseSealer, ResponseSecrecy, SealOptions, seal_request};

use FrameKind::{Body, Complete, Head};
use OpenResponseError as E;
use ResponseClass::{Stream, Whole};

/// Both ends of an answer whose records the test makes.
struct Answer {
    opener: ResponseOpener,
    sealer: ResponseSealer,
    /// Frames for the next record.
    frames: Vec<u8>,
    wire: Vec<u8>,
}

impl Answer {
    fn new(profile: Profile, class: ResponseClass) -> Self {
        Self::with(profile, class, ResponseSecrecy::default())
    }

    fn with(profile: Profile, class: ResponseClass, response_secrecy: ResponseSecrecy) -> Self {
        let epoch = epoch(1);
        let options = SealOptions {
            profile,
            response_secrecy,
            ..SealOptions::default()
        };
        let now = UnixSeconds::new(NOW);
        let sent = seal_request(&node(&epoch), &request(), &options, now, &mut TestRng(5));
        let sent = sent.unwrap();
        let opened = gateway(epoch).open(&sent.bytes, NOW).unwrap();
        let mut sealer = opened.responder.start(class, &mut TestRng(3)).unwrap();
        let mut wire = Vec::new();
        sealer.poll(&mut wire);
        // On a tick the first record has left with the header: it is made again below.
        let header = match response_secrecy {
            ResponseSecrecy::ClientEphemeral => crate::fixtures::HEADER_LEN,
            ResponseSecrecy::KeyOnly => 35,
        };
        let shaped = wire.len() > header;
        let mut answer = Self {
            opener: sent.opener,
            sealer,
            frames: Vec::new(),
            wire,
        };
        if shaped {
            answer.push().unwrap();
        }
        answer
    }

    /// Adds a frame; a receipt for what came before is what `complete` carries.
    fn frame(mut self, kind: FrameKind) -> Self {
        let payload = match kind {
            Head => ResponseHead::new(200, "text/plain").encode().unwrap(),
            Body => b"text".to_vec(),
            Complete => self.sealer.receipt(&WEIGHTS).as_bytes().to_vec(),
        };
        let mut frame = SecretBytes::default();
        put_frame(&mut frame, kind, &payload);
        if kind != Complete {
            self.sealer.commit(&frame);
        }
        self.bytes(&frame)
    }

    /// Adds bytes that need not be a frame.
    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.frames.extend(bytes);
        self
    }

    fn all(self) -> Self {
        self.frame(Head).frame(Body).frame(Complete)
    }

    /// Seals the frames into a record with `padding`.
    fn record(mut self, padding: &[u8], last: bool) -> Self {
        let used = u16::try_from(self.frames.len()).unwrap();
        let plaintext = [&used.to_be_bytes()[..], &self.frames, padding].concat();
        self.frames.clear();
        self.plaintext(&plaintext, last)
    }

    /// Seals as many frame bytes as fit into a plaintext of `len` bytes, padded to it.
    fn record_of(mut self, len: usize, last: bool) -> Self {
        let used = self.frames.len().min(len - 2);
        let later = self.frames.split_off(used);
        let mut sealed = self.record(&vec![0; len - 2 - used], last);
        sealed.frames = later;
        sealed
    }

    fn plaintext(mut self, plaintext: &[u8], last: bool) -> Self {
        self.sealer.seal_record(plaintext, last, &mut self.wire);
        self
    }

    fn push(&mut self) -> Result<Vec<ResponseEvent>, E> {
        let mut events = Vec::new();
        let wire = core::mem::take(&mut self.wire);
        self.opener.push(&wire, &mut events)?;
        Ok(events)
    }

    /// What the device makes of it.
    fn outcome(mut self) -> Result<(), E> {
        self.push()?;
        self.opener.finish()?;
        assert!(self.opener.has_ended(), "the last record was sent");
        Ok(())
    }
}

fn off() -> Answer {
    Answer::new(Profile::Off, Stream)
}

const FORGED: Result<(), E> = Err(E::RecordForged { number: 0 });

#[test]
fn an_answer_made_by_hand_opens() {
    assert_eq!(off().all().record(&[], true).outcome(), Ok(()));
    assert_eq!(off().all().record(&[0; 9], true).outcome(), Ok(()));
    let two = off().frame(Head).record(&[], false);
    assert_eq!(two.frame(Complete).record(&[], true).outcome(), Ok(()));
}

#[test]
fn frames_in_any_other_order_are_refused() {
    for kinds in [
        &[Body][..],
        &[Body, Head, Complete],
        &[Complete],
        &[Complete, Head],
        &[Head, Head, Complete],
        &[Head, Body, Head, Complete],
        &[Head, Complete, Head],
        &[Head, Complete, Body],
        &[Head, Complete, Complete],
    ] {
        let together = kinds.iter().fold(off(), |answer, kind| answer.frame(*kind));
        assert_eq!(together.record(&[], true).outcome(), FORGED, "{kinds:?}");
        let apart = kinds
            .iter()
            .fold(off(), |answer, kind| answer.frame(*kind).record(&[], false));
        let refused = apart.outcome();
        assert!(matches!(refused, Err(E::RecordForged { .. })), "{kinds:?}");
    }
}

#[test]
fn an_unknown_frame_is_refused() {
    let answer = off().frame(Head).bytes(&[4, 0]).frame(Complete);
    assert_eq!(answer.record(&[], true).outcome(), FORGED);
    // At once, and not when the answer ends.
    for bytes in [&[0][..], &[4, 0], &[2, 0x40, 1, 0, 0, 0, 0, 0, 0, 0]] {
        let mut more_to_come = off().bytes(bytes).record(&[], false);
        assert_eq!(more_to_come.push().map(drop), FORGED, "{bytes:?}");
    }
}

#[test]
fn a_head_that_is_no_response_is_refused() {
    let answer = off().bytes(&[1, 1, 9]).frame(Complete);
    assert_eq!(answer.record(&[], true).outcome(), FORGED);
}

#[test]
fn padding_that_is_not_zero_is_refused() {
    for padding in [&[1][..], &[0, 0, 1], &[1, 0, 0]] {
        assert_eq!(off().all().record(padding, true).outcome(), FORGED);
    }
    let answer = off().frame(Head).record(&[0, 7], false);
    assert_eq!(answer.frame(Complete).record(&[], true).outcome(), FORGED);
}

#[test]
fn a_part_of_a_frame_behind_complete_is_refused() {
    for part in [&[2][..], &[2, 5], &[2, 5, b'a'], &[3, 0x40]] {
        let together = off().all().bytes(part).record(&[], true);
        assert_eq!(together.outcome(), FORGED, "{part:?}");
        let apart = off().all().record(&[], false).bytes(part);
        let refused = apart.record(&[], false).outcome();
        assert_eq!(refused, Err(E::RecordForged { number: 1 }), "{part:?}");
    }
}

#[test]
fn empty_records_may_follow_complete() {
    let answer = off().all().record(&[], false).record(&[0; 5], false);
    assert_eq!(answer.record(&[], true).outcome(), Ok(()));
}

#[test]
fn a_last_record_before_complete_is_refused() {
    assert_eq!(off().record(&[], true).outcome(), FORGED);
    assert_eq!(off().frame(Head).record(&[], true).outcome(), FORGED);
    let body = off().frame(Head).frame(Body);
    assert_eq!(body.record(&[], true).outcome(), FORGED);
}

#[test]
fn a_record_that_says_to_hold_more_than_it_does_is_refused() {
    for plaintext in [&[][..], &[0], &[0, 1], &[0xff, 0xff, 1]] {
        assert_eq!(off().plaintext(plaintext, false).outcome(), FORGED);
    }
}

#[test]
fn a_record_over_the_limit_is_refused_before_it_has_arrived() {
    let head = |plaintext: usize| {
        let mut answer = off();
        let length = u16::try_from(plaintext + TAG_LEN).unwrap();
        answer.wire.extend(length.to_be_bytes());
        answer.push().map(drop)
    };
    assert_eq!(head(MAX_RECORD_PLAINTEXT), Ok(()));
    assert_eq!(head(MAX_RECORD_PLAINTEXT + 1), FORGED);
}

#[test]
fn each_field_of_the_header_is_checked() {
    for (at, value) in [(0, 0), (0, 2), (1, 0), (1, 3), (2, 0), (2, 2), (2, 3)] {
        let mut answer = off().all().record(&[], true);
        answer.wire[at] = value;
        assert_eq!(answer.outcome(), Err(E::UnknownHeader), "{at}: {value}");
    }
}

#[test]
fn an_encapsulation_that_was_not_asked_for_is_refused() {
    let key_only = || Answer::with(Profile::Off, Stream, ResponseSecrecy::KeyOnly);
    assert_eq!(key_only().all().record(&[], true).outcome(), Ok(()));
    let mut answer = key_only().all().record(&[], true);
    answer.wire[2] = 1;
    assert_eq!(answer.outcome(), Err(E::UnknownHeader));
}

/// The whole class of an answer is bound too: the records would open, if the
/// header were not part of their keys.
#[test]
fn an_answer_under_another_class_does_not_open() {
    let mut answer = off().all().record(&[], true);
    answer.wire[1] = Whole.code();
    assert_eq!(answer.outcome(), FORGED);
}

#[test]
fn a_stream_record_of_another_size_than_the_profiles_is_refused() {
    for (profile, len) in [(Profile::Balanced, 256), (Profile::Strict, 512)] {
        let second = |len| Answer::new(profile, Stream).all().record_of(len, false);
        assert!(second(len).push().is_ok());
        for wrong in [len - 1, len + 1, 2 * len] {
            let refused = second(wrong).outcome();
            assert!(matches!(refused, Err(E::ShapeViolated { .. })), "{wrong}");
        }
    }
}

#[test]
fn a_stream_that_ends_on_another_number_of_records_is_refused() {
    for (profile, len, good) in [
        (Profile::Balanced, 256, [16, 32]),
        (Profile::Strict, 512, [64, 128]),
    ] {
        // One record has left with the header.
        let ending = |records: u64| {
            let answer = Answer::new(profile, Stream).all().record_of(len, false);
            let padded = (3..records).fold(answer, |answer, _| answer.record_of(len, false));
            padded.record_of(len, true).outcome()
        };
        for records in 3..=u64::from(profile == Profile::Strict) * 64 + 33 {
            let expected = if good.contains(&records) {
                Ok(())
            } else {
                let number = records - 1;
                Err(E::ShapeViolated { number })
            };
            assert_eq!(ending(records), expected, "{profile}: {records}");
        }
    }
}

#[test]
fn a_whole_answer_of_another_size_than_its_bucket_is_refused() {
    let ending = |frames: usize| {
        let answer = Answer::new(Profile::Balanced, Whole).all();
        answer.record_of(frames + 2, true).outcome()
    };
    assert_eq!(ending(1024), Ok(()));
    for frames in [400, 1023, 1025, 2048] {
        assert_eq!(ending(frames), Err(E::ShapeViolated { number: 0 }));
    }
}

#[test]
fn a_whole_answer_in_records_below_the_full_size_is_refused() {
    let first = |len: usize| {
        let answer = Answer::new(Profile::Balanced, Whole).all();
        answer.record_of(len, false).push().map(drop)
    };
    assert_eq!(first(MAX_RECORD_PLAINTEXT), Ok(()));
    for len in [1026, MAX_RECORD_PLAINTEXT - 1] {
        assert_eq!(first(len), Err(E::ShapeViolated { number: 0 }));
    }
}

#[test]
fn a_receipt_must_commit_to_every_frame_that_came() {
    let mut answer = off().frame(Head);
    // Said, and not in the receipt.
    let mut frame = SecretBytes::default();
    put_frame(&mut frame, Body, b"smuggled");
    answer = answer.bytes(&frame).frame(Complete);
    assert_eq!(answer.record(&[], true).outcome(), Err(E::ReceiptInvalid));
}
