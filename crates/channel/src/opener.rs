//! Opening an answer (spec/channel.md §3), on the device.
//!
//! ```text
//! Header --key schedule--> Records --complete frame--> Padding --last record--> Ended
//!    any error in any state --> Failed (for good)
//! ```

use core::fmt;

use hpke::{Deserializable, Kem as _};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::frame::{FrameKind, Parsed, parse_frame};
use crate::key_configuration::KeyConfiguration;
use crate::message::ResponseHead;
use crate::profile::{Profile, ResponseClass};
use crate::receipt::{Committer, Receipt, VerifiedReceipt};
use crate::record::{ExchangeSecret, MAX_RECORD_PLAINTEXT, ResponseKeys, ciphertext_len};
use crate::request::VERSION;
use crate::secret::SecretBytes;
use crate::suite::{ENC_LEN, EncappedKey, Kem, PrivateKey, TAG_LEN};
use crate::wire::{Reader, len_u64};

/// Opens one answer, piece by piece. Every byte it yields has authenticated.
pub struct ResponseOpener {
    state: State,
    expected: Expected,
    /// Bytes of the wire not yet consumed: less than one header or record.
    buffer: Vec<u8>,
    /// Frame bytes not yet consumed: less than one frame.
    frames: SecretBytes,
    transcript: Option<SecretBytes>,
}

/// Something authenticated that arrived.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResponseEvent {
    /// Status and headers; the first event.
    Head(ResponseHead),
    /// Bytes of the content.
    Body(BodyBytes),
    /// The answer is whole; what follows is padding.
    Complete(Box<Completed>),
}

/// Content bytes, erased when dropped; `Debug` shows the length only.
pub struct BodyBytes(pub Zeroizing<Vec<u8>>);

/// A whole answer's receipt and the key that opens its commitments.
pub struct Completed {
    /// The verified receipt.
    pub receipt: VerifiedReceipt,
    /// The key called `k_r`: keep it to be able to prove what was said, delete it to forget.
    pub receipt_key: Zeroizing<[u8; 32]>,
    /// Message and frames, when [`crate::SealOptions::keep_transcript`] asked.
    pub transcript: Option<Transcript>,
}

/// What a receipt's commitments open to.
pub struct Transcript {
    /// The binary HTTP request.
    pub message: Zeroizing<Vec<u8>>,
    /// The frame bytes of the answer before `complete`.
    pub frames: Zeroizing<Vec<u8>>,
}

/// Why an answer cannot be used.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum OpenResponseError {
    /// The receipt's signature or commitments are wrong.
    #[error("the receipt of the answer does not verify")]
    ReceiptInvalid,
    /// A record does not open, or its content breaks the format.
    #[error("record {number} of the answer is not authentic")]
    RecordForged {
        /// Number of the record, from 0.
        number: u64,
    },
    /// A record or the whole has another size than the profile's.
    #[error("record {number} of the answer has a size that its profile does not allow")]
    ShapeViolated {
        /// Number of the record, from 0.
        number: u64,
    },
    /// The stream ended before the answer was complete.
    #[error("the answer was cut off after {records} records")]
    Truncated {
        /// Records that had arrived.
        records: u64,
    },
    /// The header of the answer is not one of version 1.
    #[error("the answer does not start with a header of version 1")]
    UnknownHeader,
}

impl OpenResponseError {
    /// The stable code of spec/errors.md.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::ReceiptInvalid => "receipt-invalid",
            Self::RecordForged { .. } => "record-forged",
            Self::ShapeViolated { .. } => "shape-violated",
            Self::Truncated { .. } => "truncated",
            Self::UnknownHeader => "unknown-version",
        }
    }
}

/// What the device knows of the exchange it started.
pub(crate) struct Expected {
    pub(crate) kc: KeyConfiguration,
    pub(crate) profile: Profile,
    pub(crate) message: Zeroizing<Vec<u8>>,
    pub(crate) keep_transcript: bool,
}

enum State {
    Header(Box<(ExchangeSecret, Option<PrivateKey>)>),
    Records(Box<Records>),
    Ended,
    Failed(OpenResponseError),
}

struct Records {
    keys: ResponseKeys,
    class: ResponseClass,
    response: Committer,
    phase: Phase,
    opened: u64,
    capacity: u64,
    used: u64,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Phase {
    BeforeHead,
    Body,
    Padding,
}

impl ResponseOpener {
    pub(crate) fn new(
        secret: ExchangeSecret,
        ephemeral: Option<PrivateKey>,
        expected: Expected,
    ) -> Self {
        let transcript = expected.keep_transcript.then(SecretBytes::default);
        Self {
            state: State::Header(Box::new((secret, ephemeral))),
            expected,
            buffer: Vec::new(),
            frames: SecretBytes::default(),
            transcript,
        }
    }

    /// Takes more bytes of the answer and appends what they complete to
    /// `events`. Events appended before an error are authentic.
    ///
    /// # Errors
    ///
    /// [`OpenResponseError`]; every later call returns it again.
    pub fn push(
        &mut self,
        bytes: &[u8],
        events: &mut Vec<ResponseEvent>,
    ) -> Result<(), OpenResponseError> {
        // Fed in slices, so that the buffer stays below one record and a slice.
        for slice in bytes
            .chunks(PUSH_SLICE)
            .chain(bytes.is_empty().then_some(bytes))
        {
            self.buffer.extend(slice);
            if let Err(error) = self.advance(events) {
                self.state = State::Failed(error.clone());
                self.buffer = Vec::new();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Says that the stream has ended.
    ///
    /// # Errors
    ///
    /// [`OpenResponseError::Truncated`] unless the answer is complete, or the
    /// earlier error.
    pub fn finish(&self) -> Result<(), OpenResponseError> {
        match &self.state {
            State::Failed(error) => Err(error.clone()),
            State::Ended => Ok(()),
            State::Records(records) if records.phase == Phase::Padding => Ok(()),
            State::Records(records) => Err(OpenResponseError::Truncated {
                records: records.opened,
            }),
            State::Header(_) => Err(OpenResponseError::Truncated { records: 0 }),
        }
    }

    /// Whether the last record, padding included, has arrived.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The ephemeral key of a test vector.
    #[cfg(test)]
    pub(crate) fn ephemeral(&self) -> Option<&PrivateKey> {
        match &self.state {
            State::Header(start) => start.1.as_ref(),
            _ => None,
        }
    }

    fn advance(&mut self, events: &mut Vec<ResponseEvent>) -> Result<(), OpenResponseError> {
        loop {
            let consumed = match &mut self.state {
                State::Failed(error) => return Err(error.clone()),
                State::Header(start) => {
                    let Some((records, consumed)) = read_header(start, &self.buffer)? else {
                        return Ok(());
                    };
                    self.state = State::Records(Box::new(records));
                    consumed
                }
                State::Records(_) => match self.open_record(events)? {
                    Some(consumed) => consumed,
                    None => return Ok(()),
                },
                State::Ended if self.buffer.is_empty() => return Ok(()),
                State::Ended => return Err(OpenResponseError::RecordForged { number: u64::MAX }),
            };
            self.buffer.drain(..consumed);
        }
    }

    /// Opens one record if the buffer holds it whole; returns its length.
    fn open_record(
        &mut self,
        events: &mut Vec<ResponseEvent>,
    ) -> Result<Option<usize>, OpenResponseError> {
        let State::Records(records) = &mut self.state else {
            return Ok(None);
        };
        let forged = OpenResponseError::RecordForged {
            number: records.opened,
        };
        let mut reader = Reader::new(&self.buffer);
        let Some(head) = reader.array::<2>() else {
            return Ok(None);
        };
        let length = ciphertext_len(head);
        if length > MAX_RECORD_PLAINTEXT.saturating_add(TAG_LEN) {
            return Err(forged);
        }
        let Some(ciphertext) = reader.take(length) else {
            return Ok(None);
        };
        let record = records.keys.open(head, ciphertext).ok_or(forged.clone())?;
        records.check_size(&self.expected, record.plaintext.len(), record.last)?;
        let mut plaintext = Reader::new(&record.plaintext);
        let used = plaintext.u16().ok_or(forged.clone())?;
        let frames = plaintext.take(usize::from(used)).ok_or(forged.clone())?;
        if plaintext.rest().iter().any(|byte| *byte != 0) {
            return Err(forged);
        }
        records.capacity = records
            .capacity
            .saturating_add(len_u64(record.plaintext.len().saturating_sub(2)));
        records.used = records.used.saturating_add(u64::from(used));
        self.frames.extend(frames);
        self.take_frames(events)?;
        self.end_of_record(record.last, &forged)?;
        Ok(Some(length.saturating_add(2)))
    }

    fn take_frames(&mut self, events: &mut Vec<ResponseEvent>) -> Result<(), OpenResponseError> {
        let State::Records(records) = &mut self.state else {
            return Ok(());
        };
        let mut at = 0_usize;
        loop {
            let rest = self.frames.get(at..).unwrap_or_default();
            let (kind, payload, used) = match parse_frame(rest) {
                Parsed::Frame(kind, payload, used) => (kind, payload, used),
                Parsed::Partial => break,
                Parsed::Invalid => return Err(records.forged()),
            };
            let raw = rest.get(..used).unwrap_or_default();
            let event = records.frame(kind, payload, raw, &self.expected, &mut self.transcript)?;
            events.push(event);
            at = at.saturating_add(used);
        }
        // `at` counts whole frames, all of them inside the buffer.
        self.frames.remove_front(at);
        if records.phase == Phase::Padding && !self.frames.is_empty() {
            return Err(records.forged());
        }
        Ok(())
    }

    fn end_of_record(
        &mut self,
        last: bool,
        forged: &OpenResponseError,
    ) -> Result<(), OpenResponseError> {
        let State::Records(records) = &mut self.state else {
            return Ok(());
        };
        let number = records.opened;
        records.opened = records.opened.saturating_add(1);
        if last {
            if records.phase != Phase::Padding {
                return Err(forged.clone());
            }
            if !records.may_end(&self.expected) {
                return Err(OpenResponseError::ShapeViolated { number });
            }
            self.state = State::Ended;
        }
        Ok(())
    }
}

impl Records {
    fn forged(&self) -> OpenResponseError {
        OpenResponseError::RecordForged {
            number: self.opened,
        }
    }

    fn check_size(
        &self,
        expected: &Expected,
        len: usize,
        last: bool,
    ) -> Result<(), OpenResponseError> {
        let shape = expected.profile.stream_shape(&expected.kc);
        let fits = match (self.class, shape) {
            (ResponseClass::Stream, Some(shape)) => len == usize::from(shape.record_len),
            (ResponseClass::Whole, Some(_)) => last || len == MAX_RECORD_PLAINTEXT,
            (_, None) => true,
        };
        if fits {
            return Ok(());
        }
        Err(OpenResponseError::ShapeViolated {
            number: self.opened,
        })
    }

    fn may_end(&self, expected: &Expected) -> bool {
        match self.class {
            ResponseClass::Stream => expected.profile.stream_may_end(self.opened),
            ResponseClass::Whole => usize::try_from(self.used)
                .is_ok_and(|used| len_u64(expected.profile.whole_bucket(used)) == self.capacity),
        }
    }

    fn frame(
        &mut self,
        kind: FrameKind,
        payload: &[u8],
        raw: &[u8],
        expected: &Expected,
        transcript: &mut Option<SecretBytes>,
    ) -> Result<ResponseEvent, OpenResponseError> {
        let event = match (self.phase, kind) {
            (Phase::BeforeHead, FrameKind::Head) => {
                self.phase = Phase::Body;
                let head = ResponseHead::decode(payload).map_err(|_| self.forged())?;
                ResponseEvent::Head(head)
            }
            (Phase::Body, FrameKind::Body) => {
                ResponseEvent::Body(BodyBytes(Zeroizing::new(payload.to_vec())))
            }
            (Phase::Body, FrameKind::Complete) => {
                self.phase = Phase::Padding;
                let completed = self.complete(payload, expected, transcript.take())?;
                return Ok(ResponseEvent::Complete(Box::new(completed)));
            }
            _ => return Err(self.forged()),
        };
        self.response.update(raw);
        if let Some(transcript) = transcript {
            transcript.extend(raw);
        }
        Ok(event)
    }

    fn complete(
        &self,
        payload: &[u8],
        expected: &Expected,
        frames: Option<SecretBytes>,
    ) -> Result<Completed, OpenResponseError> {
        let invalid = |_| OpenResponseError::ReceiptInvalid;
        let receipt = Receipt::parse(payload)
            .and_then(|receipt| receipt.verify(&expected.kc))
            .map_err(invalid)?;
        let mut request = Committer::request(self.keys.receipt_key());
        request.update(&expected.message);
        receipt
            .commits(&request.finish(), &self.response.clone().finish())
            .map_err(invalid)?;
        Ok(Completed {
            receipt,
            receipt_key: Zeroizing::new(*self.keys.receipt_key()),
            transcript: frames.map(|frames| Transcript {
                message: expected.message.clone(),
                frames: frames.into_inner(),
            }),
        })
    }
}

/// Reads the response header and derives the keys, once it is all there.
fn read_header(
    start: &(ExchangeSecret, Option<PrivateKey>),
    buffer: &[u8],
) -> Result<Option<(Records, usize)>, OpenResponseError> {
    let (secret, ephemeral) = start;
    let unknown = OpenResponseError::UnknownHeader;
    let mut reader = Reader::new(buffer);
    let Some([version, class, flags]) = reader.array() else {
        return Ok(None);
    };
    let class = ResponseClass::from_code(class).ok_or(unknown.clone())?;
    if version != VERSION || flags != u8::from(ephemeral.is_some()) {
        return Err(unknown);
    }
    let Some(nonce) = reader.array::<32>() else {
        return Ok(None);
    };
    let mut shared = Zeroizing::new(Vec::new());
    if let Some(private) = ephemeral {
        let Some(encapsulated) = reader.take(ENC_LEN) else {
            return Ok(None);
        };
        let encapsulated = EncappedKey::from_bytes(encapsulated).map_err(|_| unknown.clone())?;
        let secret = Kem::decap(private, None, &encapsulated).map_err(|_| unknown)?;
        shared.extend(secret.0.iter());
    }
    let consumed = buffer.len().saturating_sub(reader.len());
    let header = buffer.get(..consumed).unwrap_or_default();
    let keys = secret.response_keys(header, &nonce, &shared);
    let response = Committer::response(keys.receipt_key());
    let records = Records {
        keys,
        class,
        response,
        phase: Phase::BeforeHead,
        opened: 0,
        capacity: 0,
        used: 0,
    };
    Ok(Some((records, consumed)))
}

impl fmt::Debug for ResponseOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseOpener(…)")
    }
}

impl fmt::Debug for BodyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyBytes({} bytes)", self.0.len())
    }
}

impl fmt::Debug for Completed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Completed({:?})", self.receipt.receipt())
    }
}

/// How much of a pushed slice is buffered at a time.
const PUSH_SLICE: usize = 32 << 10;

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
