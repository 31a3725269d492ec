//! Sealing answers (spec/channel.md §3 and §5), inside the enclave.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use hpke::{Kem as _, Serializable};
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::frame::{FrameKind, put_frame};
use crate::key_configuration::KeyConfiguration;
use crate::message::{MessageError, ResponseHead};
use crate::profile::{Profile, ResponseClass};
use crate::receipt::{Committer, Receipt, Statement};
use crate::record::{ExchangeSecret, MAX_RECORD_PLAINTEXT, ResponseKeys};
use crate::request::VERSION;
use crate::secret::SecretBytes;
use crate::suite::{Kem, PublicKey};

/// The way to answer one opened request. It can be used once.
pub struct Responder {
    secret: ExchangeSecret,
    ephemeral: Option<PublicKey>,
    profile: Profile,
    signer: Arc<Signer>,
    minute: u64,
    message: Zeroizing<Vec<u8>>,
}

/// Seals and shapes one answer. It owns no clock: with a
/// [`ResponseSealer::tick`], the caller calls [`ResponseSealer::poll`] on each.
pub struct ResponseSealer {
    keys: ResponseKeys,
    class: ResponseClass,
    profile: Profile,
    /// Plaintext length of a record on a tick.
    record_len: Option<u16>,
    tick: Option<Duration>,
    /// Header and frames not yet sent.
    header: Vec<u8>,
    pending: Pending,
    request: [u8; 32],
    response: Committer,
    signer: Arc<Signer>,
    minute: u64,
    phase: Phase,
    sent: u64,
}

/// Why a part of an answer was not accepted.
#[derive(Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum AnswerError {
    /// Encapsulation to the client's key failed.
    #[error("encapsulation to the client's key failed")]
    Encapsulation,
    /// Status or headers cannot be encoded.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Head, body and complete did not come in this order.
    #[error("parts of an answer came out of order")]
    Order,
}

/// Frame bytes that wait to be sealed, front first.
#[derive(Default)]
struct Pending {
    bytes: SecretBytes,
    /// How many of them have been taken.
    taken: usize,
}

impl Pending {
    fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.taken)
    }

    /// Appends a frame and returns its bytes.
    fn put(&mut self, kind: FrameKind, payload: &[u8]) -> &[u8] {
        if self.len() == 0 {
            self.bytes.clear();
            self.taken = 0;
        }
        let start = self.bytes.len();
        put_frame(&mut self.bytes, kind, payload);
        self.bytes.get(start..).unwrap_or_default()
    }

    /// Moves the first `count` bytes to `out`.
    fn take(&mut self, count: usize, out: &mut Vec<u8>) {
        let end = self.taken.saturating_add(count);
        out.extend_from_slice(self.bytes.get(self.taken..end).unwrap_or_default());
        self.taken = end;
        // Taken bytes leave in large steps, so that each moves few times.
        if self.taken >= COMPACT {
            self.bytes.remove_front(self.taken);
            self.taken = 0;
        }
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Phase {
    BeforeHead,
    Body,
    Complete,
    Ended,
}

/// Signs the receipts of one epoch. It may outlive the epoch's sealing key
/// while answers are under way.
pub(crate) struct Signer {
    key: SigningKey,
    kc: KeyConfiguration,
}

impl Signer {
    pub(crate) fn new(key: SigningKey, kc: KeyConfiguration) -> Self {
        Self { key, kc }
    }

    #[cfg(test)]
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        ed25519_dalek::Signer::sign(&self.key, message).to_bytes()
    }
}

impl Responder {
    pub(crate) fn new(
        secret: ExchangeSecret,
        ephemeral: Option<PublicKey>,
        profile: Profile,
        signer: Arc<Signer>,
        now: u64,
        message: &[u8],
    ) -> Self {
        Self {
            secret,
            ephemeral,
            profile,
            signer,
            minute: now / 60,
            message: Zeroizing::new(message.to_vec()),
        }
    }

    /// The shape the device asked for.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// What a dishonest enclave could do; used to test the device.
    #[cfg(test)]
    pub(crate) fn lower_profile(&mut self) {
        self.profile = Profile::Off;
    }

    /// As above: signs with another epoch's receipt key.
    #[cfg(test)]
    pub(crate) fn replace_signer(&mut self, other: &Self) {
        let key = SigningKey::from_bytes(&other.signer.key.to_bytes());
        self.signer = Arc::new(Signer::new(key, self.signer.kc.clone()));
    }

    /// Starts the answer.
    ///
    /// # Errors
    ///
    /// [`AnswerError::Encapsulation`].
    pub fn start(
        self,
        class: ResponseClass,
        rng: &mut impl CryptoRng,
    ) -> Result<ResponseSealer, AnswerError> {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let mut header = vec![VERSION, class.code(), u8::from(self.ephemeral.is_some())];
        header.extend(nonce);
        let mut shared = Zeroizing::new(Vec::new());
        if let Some(key) = &self.ephemeral {
            let (secret, encapsulated) =
                Kem::encap_with_rng(key, None, rng).map_err(|_| AnswerError::Encapsulation)?;
            shared.extend(secret.0.iter());
            header.extend_from_slice(&encapsulated.to_bytes());
        }
        let keys = self.secret.response_keys(&header, &nonce, &shared);
        let mut request = Committer::request(keys.receipt_key());
        request.update(&self.message);
        let shape = match class {
            ResponseClass::Stream => self.profile.stream_shape(&self.signer.kc),
            ResponseClass::Whole => None,
        };
        Ok(ResponseSealer {
            response: Committer::response(keys.receipt_key()),
            request: request.finish(),
            keys,
            class,
            profile: self.profile,
            record_len: shape.map(|shape| shape.record_len),
            tick: shape.map(|shape| Duration::from_millis(u64::from(shape.tick_ms))),
            header,
            pending: Pending::default(),
            signer: self.signer,
            minute: self.minute,
            phase: Phase::BeforeHead,
            sent: 0,
        })
    }
}

impl ResponseSealer {
    /// Adds status and headers; first, once.
    ///
    /// # Errors
    ///
    /// [`AnswerError`].
    pub fn head(&mut self, head: &ResponseHead) -> Result<(), AnswerError> {
        let payload = head.encode()?;
        self.step(Phase::BeforeHead, Phase::Body)?;
        self.frame(FrameKind::Head, &payload);
        Ok(())
    }

    /// Adds bytes of the content.
    ///
    /// # Errors
    ///
    /// [`AnswerError::Order`].
    pub fn body(&mut self, bytes: &[u8]) -> Result<(), AnswerError> {
        self.step(Phase::Body, Phase::Body)?;
        for piece in bytes.chunks(BODY_FRAME) {
            self.frame(FrameKind::Body, piece);
        }
        Ok(())
    }

    /// Ends the answer with a signed receipt; `weights` are those that made
    /// it, or [`crate::absent_weights`].
    ///
    /// # Errors
    ///
    /// [`AnswerError::Order`].
    pub fn complete(&mut self, weights: &[u8; 32]) -> Result<(), AnswerError> {
        self.step(Phase::Body, Phase::Complete)?;
        let receipt = self.receipt(weights);
        self.pending.put(FrameKind::Complete, receipt.as_bytes());
        Ok(())
    }

    /// The time between two calls of [`Self::poll`]; `None`: call it whenever
    /// something was added.
    #[must_use]
    pub fn tick(&self) -> Option<Duration> {
        self.tick
    }

    /// Bytes waiting for a record: a producer far ahead of the tick can wait.
    #[must_use]
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// Whether the last record has been sealed.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Appends what is due to `out`: on a tick exactly one record, without
    /// one all that is pending.
    pub fn poll(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.header);
        match (self.class, self.record_len) {
            _ if self.has_ended() => {}
            (ResponseClass::Stream, Some(len)) => self.record_on_tick(usize::from(len), out),
            (ResponseClass::Stream, None) => self.flush(0, out),
            (ResponseClass::Whole, _) if self.phase == Phase::Complete => {
                let padded = self.profile.whole_bucket(self.pending.len());
                self.flush(padded, out);
            }
            (ResponseClass::Whole, _) => {}
        }
    }

    /// What a dishonest enclave could do: all that is pending in one record
    /// without padding, and not the last.
    #[cfg(test)]
    pub(crate) fn bare_record(&mut self, out: &mut Vec<u8>) {
        let len = self.pending.len();
        self.record(len, len, false, out);
    }

    /// As above: a record of any content.
    #[cfg(test)]
    pub(crate) fn seal_record(&mut self, plaintext: &[u8], last: bool, out: &mut Vec<u8>) {
        self.keys.seal(plaintext, last, out).unwrap();
    }

    /// As above: counts frames as said that were put into such a record.
    #[cfg(test)]
    pub(crate) fn commit(&mut self, frames: &[u8]) {
        self.response.update(frames);
    }

    /// As above: a receipt for another message.
    #[cfg(test)]
    pub(crate) fn commit_to_another_message(&mut self) {
        self.request = [0; 32];
    }

    /// The receipt for what has been said.
    pub(crate) fn receipt(&self, weights: &[u8; 32]) -> Receipt {
        Receipt::sign(
            &self.signer.key,
            &Statement {
                key_configuration: self.signer.kc.digest(),
                request: self.request,
                response: self.response.clone().finish(),
                release_id: self.signer.kc.release_id(),
                weights,
                minute: self.minute,
            },
        )
    }

    fn step(&mut self, from: Phase, to: Phase) -> Result<(), AnswerError> {
        if self.phase != from {
            return Err(AnswerError::Order);
        }
        self.phase = to;
        Ok(())
    }

    fn frame(&mut self, kind: FrameKind, payload: &[u8]) {
        self.response.update(self.pending.put(kind, payload));
    }

    fn record_on_tick(&mut self, record_len: usize, out: &mut Vec<u8>) {
        let capacity = record_len.saturating_sub(USED_LEN);
        let used = self.pending.len().min(capacity);
        let drained = self.phase == Phase::Complete && used == self.pending.len();
        let last = drained && self.profile.stream_may_end(self.sent.saturating_add(1));
        self.record(used, capacity, last, out);
    }

    /// Seals everything pending, padded to `padded` frame bytes.
    fn flush(&mut self, padded: usize, out: &mut Vec<u8>) {
        let ends = self.phase == Phase::Complete;
        let mut left = padded.max(self.pending.len());
        while left > 0 {
            let capacity = left.min(MAX_RECORD_PLAINTEXT.saturating_sub(USED_LEN));
            left = left.saturating_sub(capacity);
            let used = self.pending.len().min(capacity);
            self.record(used, capacity, ends && left == 0, out);
        }
    }

    fn record(&mut self, used: usize, capacity: usize, last: bool, out: &mut Vec<u8>) {
        let mut plaintext = Zeroizing::new(Vec::with_capacity(capacity.saturating_add(USED_LEN)));
        plaintext.extend(u16::try_from(used).unwrap_or(u16::MAX).to_be_bytes());
        self.pending.take(used, &mut plaintext);
        plaintext.resize(capacity.saturating_add(USED_LEN), 0);
        // Records are below the limit, and 2^64 of them do not happen; if they
        // did, nothing is sent and the device sees a cut.
        if self.keys.seal(&plaintext, last, out).is_none() || last {
            self.phase = Phase::Ended;
        }
        self.sent = self.sent.saturating_add(1);
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Responder({})", self.profile)
    }
}

impl fmt::Debug for ResponseSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseSealer({})", self.profile)
    }
}

/// The `used` field of a record.
const USED_LEN: usize = 2;
/// Content bytes of a frame: a frame fits into one record of 16 KiB, so that a
/// device never waits for a second one.
const BODY_FRAME: usize = 16_000;
/// How many taken bytes are kept before they are removed.
const COMPACT: usize = 256 << 10;
