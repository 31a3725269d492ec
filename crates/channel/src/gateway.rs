//! Opening requests (spec/channel.md §2 and §4), inside the enclave.

use core::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ed25519_dalek::SigningKey;
use hpke::aead::AeadCtxR;
use hpke::{Deserializable, Kem as _, OpModeR, setup_receiver};
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::key_configuration::{
    KeyConfiguration, KeyConfigurationError, KeyConfigurationParams, KeyId,
};
use crate::message::InnerRequest;
use crate::profile::Profile;
use crate::record::ExchangeSecret;
use crate::replay::{Entry, ReplayRegister};
use crate::request::{
    CHUNK_LEN, EXPORT_LABEL, FINAL, MAX_MESSAGE_LEN, MAX_TOKEN_LEN, NOT_FINAL, VERSION,
    request_info,
};
use crate::sealer::{Responder, Signer};
use crate::suite::{
    Aead, ENC_LEN, EncappedKey, Kdf, Kem, PUBLIC_KEY_LEN, PrivateKey, PublicKey, TAG_LEN, sha256,
};
use crate::wire::Reader;

/// The private half of a key configuration, with its replay register. Dropping
/// it erases the key: what was sealed to it can never be opened again.
pub struct Epoch {
    kc: KeyConfiguration,
    /// In one place on the heap: moving an epoch must leave no copy behind.
    private_key: Box<PrivateKey>,
    signer: Arc<Signer>,
    register: Mutex<ReplayRegister>,
}

/// The keys an enclave accepts now.
#[derive(Debug, Default)]
pub struct Gateway {
    epochs: Vec<Epoch>,
}

/// A request that opened, and the way to answer it.
pub struct OpenedExchange {
    /// What the device asks.
    pub request: InnerRequest,
    /// The device's random name for this request.
    pub request_id: [u8; 16],
    /// The token, empty until tokens exist.
    pub token: Zeroizing<Vec<u8>>,
    /// Seals the answer.
    pub responder: Responder,
}

/// Why a request was refused. Variants with a [`Responder`] are answered
/// inside the seal; the others in the clear, and they prove nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The chunks do not authenticate.
    #[error("request does not open")]
    Decapsulation,
    /// The key is past its life.
    #[error("request is sealed to a key that has expired")]
    KeyExpired,
    /// The key's life has not begun.
    #[error("request is sealed to a key that is not valid yet")]
    KeyNotYetValid,
    /// The authenticated plaintext breaks the format.
    #[error("request opens to something malformed")]
    Malformed(Option<Box<Responder>>),
    /// The register of this key holds all it can.
    #[error("replay register is full")]
    RegisterFull(Box<Responder>),
    /// The same encapsulation was opened before.
    #[error("request was seen before")]
    Replayed,
    /// More bytes than a request may have.
    #[error("request has {got} bytes, more than {limit}")]
    TooLarge {
        /// Bytes given.
        got: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// No living key has this name.
    #[error("request is sealed to a key that is not here")]
    UnknownKey,
    /// Another version of the format, or not the format at all.
    #[error("request is not of version 1")]
    UnknownVersion,
}

impl OpenError {
    /// The stable code of spec/errors.md.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Decapsulation => "decapsulation-failed",
            Self::KeyExpired => "key-expired",
            Self::KeyNotYetValid => "key-not-yet-valid",
            Self::Malformed(_) => "malformed-request",
            Self::RegisterFull(_) => "register-full",
            Self::Replayed => "replayed",
            Self::TooLarge { .. } => "request-too-large",
            Self::UnknownKey => "unknown-key",
            Self::UnknownVersion => "unknown-version",
        }
    }

    /// The way to answer inside the seal, where there is one.
    #[must_use]
    pub fn into_responder(self) -> Option<Responder> {
        match self {
            Self::Malformed(responder) => responder.map(|responder| *responder),
            Self::RegisterFull(responder) => Some(*responder),
            _ => None,
        }
    }
}

impl Epoch {
    /// Makes the keys of one epoch. `register_capacity` requests can be opened
    /// with them; their memory is reserved now.
    ///
    /// # Errors
    ///
    /// [`KeyConfigurationError`] when `params` are outside of the format.
    pub fn generate(
        params: &KeyConfigurationParams,
        register_capacity: usize,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, KeyConfigurationError> {
        let (private_key, public_key) = Kem::gen_keypair_with_rng(rng);
        let private_key = Box::new(private_key);
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        let receipt_key = SigningKey::from_bytes(&seed);
        let kc = KeyConfiguration::build(params, &public_key, &receipt_key.verifying_key())?;
        let signer = Signer::new(receipt_key, kc.clone());
        Ok(Self {
            kc,
            private_key,
            signer: Arc::new(signer),
            register: Mutex::new(ReplayRegister::new(register_capacity)),
        })
    }

    /// What is published, and what evidence must bind.
    #[must_use]
    pub fn key_configuration(&self) -> &KeyConfiguration {
        &self.kc
    }

    /// Signs any bytes with the receipt key, to make wrong receipts.
    #[cfg(test)]
    pub(crate) fn receipt_signature(&self, message: &[u8]) -> [u8; 64] {
        self.signer.sign(message)
    }

    /// The private key of a test vector.
    #[cfg(test)]
    pub(crate) fn private_key_bytes(&self) -> Vec<u8> {
        hpke::Serializable::to_bytes(&*self.private_key).to_vec()
    }

    fn open(&self, bytes: &[u8], enc: &[u8], chunks: Reader<'_>, now: u64) -> Opened {
        let encapsulated = EncappedKey::from_bytes(enc).map_err(|_| OpenError::Decapsulation)?;
        let info = request_info(&self.kc.digest());
        let mut context = setup_receiver::<Aead, Kdf, Kem>(
            &OpModeR::Base,
            &*self.private_key,
            &encapsulated,
            &info,
        )
        .map_err(|_| OpenError::Decapsulation)?;
        let plaintext = open_chunks(&mut context, chunks).ok_or(OpenError::Decapsulation)?;
        let mut exported = Zeroizing::new([0; 32]);
        context
            .export(EXPORT_LABEL, exported.as_mut_slice())
            .map_err(|_| OpenError::Decapsulation)?;
        let secret = ExchangeSecret {
            exported,
            enc: enc.to_vec(),
            request_digest: sha256(&[bytes]),
        };
        let entry = self
            .register
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .enter(sha256(&[enc]));
        if entry == Entry::Replayed {
            return Err(OpenError::Replayed);
        }
        let mut reader = Reader::new(&plaintext);
        let start = Start::read(&mut reader).ok_or(OpenError::Malformed(None))?;
        let framed = Framed::read(reader, start.profile);
        let responder = Responder::new(
            secret,
            start.ephemeral,
            start.profile,
            Arc::clone(&self.signer),
            now,
            framed.message,
        );
        if entry == Entry::Full {
            return Err(OpenError::RegisterFull(Box::new(responder)));
        }
        let request = InnerRequest::decode(framed.message).ok();
        match request.filter(|_| framed.is_right) {
            Some(request) => Ok(OpenedExchange {
                request,
                request_id: start.request_id,
                token: Zeroizing::new(framed.token.to_vec()),
                responder,
            }),
            None => Err(OpenError::Malformed(Some(Box::new(responder)))),
        }
    }
}

impl Gateway {
    /// A gateway that accepts no key yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts one more key.
    pub fn add(&mut self, epoch: Epoch) {
        self.epochs.push(epoch);
    }

    /// Erases every key whose life has ended at `now` (Unix seconds), and
    /// returns how many.
    pub fn erase_expired(&mut self, now: u64) -> usize {
        let before = self.epochs.len();
        self.epochs.retain(|epoch| now < epoch.kc.not_after());
        before.saturating_sub(self.epochs.len())
    }

    /// The keys it has.
    pub fn key_configurations(&self) -> impl Iterator<Item = &KeyConfiguration> {
        self.epochs.iter().map(Epoch::key_configuration)
    }

    /// Opens a request at `now` (Unix seconds).
    ///
    /// # Errors
    ///
    /// [`OpenError`]; nothing may be run then.
    pub fn open(&self, bytes: &[u8], now: u64) -> Result<OpenedExchange, OpenError> {
        if bytes.len() > MAX_REQUEST_LEN {
            return Err(OpenError::TooLarge {
                got: bytes.len(),
                limit: MAX_REQUEST_LEN,
            });
        }
        let mut reader = Reader::new(bytes);
        if reader.u8() != Some(VERSION) {
            return Err(OpenError::UnknownVersion);
        }
        let id = KeyId(reader.array().ok_or(OpenError::UnknownVersion)?);
        let epoch = self
            .epochs
            .iter()
            .find(|epoch| epoch.kc.key_id() == id)
            .ok_or(OpenError::UnknownKey)?;
        if now < epoch.kc.not_before() {
            return Err(OpenError::KeyNotYetValid);
        }
        if now >= epoch.kc.not_after() {
            return Err(OpenError::KeyExpired);
        }
        let enc = reader.take(ENC_LEN).ok_or(OpenError::Decapsulation)?;
        epoch.open(bytes, enc, reader, now)
    }
}

type Opened = Result<OpenedExchange, OpenError>;

/// The part of the plaintext that an answer, even a refusal, depends on.
struct Start {
    request_id: [u8; 16],
    profile: Profile,
    ephemeral: Option<PublicKey>,
}

impl Start {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let request_id = reader.array()?;
        let profile = Profile::from_code(reader.u8()?)?;
        let ephemeral = match reader.u8()? {
            0 => None,
            1 => Some(PublicKey::from_bytes(reader.take(PUBLIC_KEY_LEN)?).ok()?),
            _ => return None,
        };
        Some(Self {
            request_id,
            profile,
            ephemeral,
        })
    }
}

fn open_chunks(
    context: &mut AeadCtxR<Aead, Kdf, Kem>,
    mut chunks: Reader<'_>,
) -> Option<Zeroizing<Vec<u8>>> {
    let mut plaintext = Zeroizing::new(Vec::with_capacity(chunks.len()));
    loop {
        let len = usize::try_from(chunks.varint()?).ok()?;
        if len == 0 {
            let last = chunks.rest();
            if last.len() > CHUNK_LEN.saturating_add(TAG_LEN) {
                return None;
            }
            plaintext.extend(&*Zeroizing::new(context.open(last, FINAL).ok()?));
            return Some(plaintext);
        }
        // Every chunk but the last is full: small ones would cost much work.
        if len != CHUNK_LEN.saturating_add(TAG_LEN) {
            return None;
        }
        let chunk = chunks.take(len)?;
        plaintext.extend(&*Zeroizing::new(context.open(chunk, NOT_FINAL).ok()?));
    }
}

/// Token and message as far as they can be told apart. Even where their framing
/// is wrong, the answer is sealed, and its receipt commits to what is here.
#[derive(Default)]
struct Framed<'a> {
    token: &'a [u8],
    message: &'a [u8],
    /// Whether lengths and padding are what the format and the profile want.
    is_right: bool,
}

impl<'a> Framed<'a> {
    fn read(mut reader: Reader<'a>, profile: Profile) -> Self {
        let mut framed = Self::default();
        framed.is_right = framed.fill(&mut reader, profile).unwrap_or(false);
        framed
    }

    fn fill(&mut self, reader: &mut Reader<'a>, profile: Profile) -> Option<bool> {
        let token_len = reader.u16().filter(|len| *len <= MAX_TOKEN_LEN)?;
        self.token = reader.take(usize::from(token_len))?;
        let bucket = reader.len();
        let message_len = usize::try_from(reader.u32()?).ok()?;
        self.message = reader.take(message_len)?;
        let padded = profile.request_bucket(message_len.checked_add(4)?) == bucket;
        Some(padded && reader.clone().rest().iter().all(|byte| *byte == 0))
    }
}

impl fmt::Debug for OpenedExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedExchange")
            .field("request", &self.request)
            .field("token_len", &self.token.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoch")
            .field("kc", &self.kc)
            .finish_non_exhaustive()
    }
}

/// The largest padded message, its chunks' tags and lengths, and the header.
pub(crate) const MAX_REQUEST_LEN: usize =
    MAX_MESSAGE_LEN + (MAX_MESSAGE_LEN / CHUNK_LEN) * 24 + 8192;
