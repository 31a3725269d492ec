//! Sealing a request (spec/channel.md §2), on the device.

use hpke::{OpModeS, Serializable, setup_sender_with_rng};
use rand_core::CryptoRng;
use subrosa_attest::UnixSeconds;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::key_configuration::{KeyConfiguration, KeyId};
use crate::message::{InnerRequest, MessageError};
use crate::node::Recipient;
use crate::opener::{Expected, ResponseOpener};
use crate::profile::Profile;
use crate::record::ExchangeSecret;
use crate::suite::{Aead, Kdf, Kem, PrivateKey, PublicKey, sha256};
use crate::wire::{len_u64, put_varint};

/// How a request is sealed.
#[derive(Clone, Default)]
pub struct SealOptions {
    /// Shape of request and answer.
    pub profile: Profile,
    /// Whether a client ephemeral key protects the answer beyond the life of
    /// the enclave's key. There is no reason to say [`ResponseSecrecy::KeyOnly`]
    /// outside measurements.
    pub response_secrecy: ResponseSecrecy,
    /// A token, at most 1024 bytes; empty until tokens exist.
    pub token: Zeroizing<Vec<u8>>,
    /// The name of the request; `None` draws one. Whoever sends a request again
    /// gives the name of the first copy, so that the two can be told to be one.
    pub request_id: Option<[u8; 16]>,
    /// Keep the message and the frames of the answer, so that a receipt can
    /// later be opened. Off: only commitments are kept.
    pub keep_transcript: bool,
}

impl core::fmt::Debug for SealOptions {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SealOptions")
            .field("profile", &self.profile)
            .field("token_len", &self.token.len())
            .finish_non_exhaustive()
    }
}

/// What keeps an answer secret.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "one flag bit of the format")]
pub enum ResponseSecrecy {
    /// The enclave's key and a key the device makes for this answer alone.
    #[default]
    ClientEphemeral,
    /// The enclave's key only.
    KeyOnly,
}

/// A sealed request and the state that opens its answer.
#[derive(Debug)]
pub struct SealedRequest {
    /// What is sent.
    pub bytes: Vec<u8>,
    /// The name it carries inside; [`SealOptions::request_id`] of a resend.
    pub request_id: [u8; 16],
    /// What the answer is fed to.
    pub opener: ResponseOpener,
}

/// Why a request was not sealed.
#[derive(Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum SealError {
    /// The recipient's key did not take an encapsulation.
    #[error("encapsulation to the node's key failed")]
    Encapsulation,
    /// The key's life is over: what is sealed to it now could not be opened.
    #[error("the node's key ended at {not_after}, now it is {now}")]
    KeyExpired {
        /// End of its life, Unix seconds.
        not_after: u64,
        /// The device's time, Unix seconds.
        now: u64,
    },
    /// The inner message is not acceptable.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Message or token are larger than the format allows.
    #[error("request of {got} bytes is larger than {limit} bytes")]
    TooLarge {
        /// Bytes given.
        got: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

/// Seals `request` to `node`, whose key must live at the time `now`: a node
/// may have been taken long before, and kept.
///
/// # Errors
///
/// [`SealError`]; nothing is sent then.
pub fn seal_request(
    node: &impl Recipient,
    request: &InnerRequest,
    options: &SealOptions,
    now: UnixSeconds,
    rng: &mut impl CryptoRng,
) -> Result<SealedRequest, SealError> {
    let kc = node.key_configuration();
    let (not_after, now) = (kc.not_after(), now.get());
    if now >= not_after {
        return Err(SealError::KeyExpired { not_after, now });
    }
    Draft::new(request, options, rng)?.seal(kc, &Sealing::STANDARD, rng)
}

/// A request before it is sealed.
pub(crate) struct Draft {
    message: Zeroizing<Vec<u8>>,
    ephemeral: Option<PrivateKey>,
    profile: Profile,
    request_id: [u8; 16],
    keep_transcript: bool,
    /// What will be sealed; tests change it, as a dishonest device would.
    pub(crate) plaintext: Zeroizing<Vec<u8>>,
}

/// How a plaintext is cut and marked; another way than [`Self::STANDARD`] is refused.
pub(crate) struct Sealing<'a> {
    pub(crate) chunk_len: usize,
    pub(crate) not_final: &'a [u8],
    pub(crate) last: &'a [u8],
}

impl Sealing<'static> {
    pub(crate) const STANDARD: Self = Self {
        chunk_len: CHUNK_LEN,
        not_final: NOT_FINAL,
        last: FINAL,
    };
}

impl Draft {
    pub(crate) fn new(
        request: &InnerRequest,
        options: &SealOptions,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, SealError> {
        let message = request.encode()?;
        let ephemeral = (options.response_secrecy == ResponseSecrecy::ClientEphemeral)
            .then(|| <Kem as hpke::Kem>::gen_keypair_with_rng(rng));
        let request_id = options.request_id.unwrap_or_else(|| {
            let mut drawn = [0; 16];
            rng.fill_bytes(&mut drawn);
            drawn
        });
        let public = ephemeral.as_ref().map(|pair| &pair.1);
        let plaintext = plaintext(&message, &request_id, public, options)?;
        Ok(Self {
            message,
            ephemeral: ephemeral.map(|pair| pair.0),
            profile: options.profile,
            request_id,
            keep_transcript: options.keep_transcript,
            plaintext,
        })
    }

    pub(crate) fn seal(
        self,
        kc: &KeyConfiguration,
        sealing: &Sealing<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<SealedRequest, SealError> {
        let (bytes, secret) = seal_plaintext(kc, &self.plaintext, sealing, rng)?;
        let expected = Expected {
            kc: kc.clone(),
            profile: self.profile,
            message: self.message,
            keep_transcript: self.keep_transcript,
        };
        Ok(SealedRequest {
            bytes,
            request_id: self.request_id,
            opener: ResponseOpener::new(secret, self.ephemeral, expected),
        })
    }
}

/// Seals a plaintext in chunks.
fn seal_plaintext(
    kc: &KeyConfiguration,
    plaintext: &[u8],
    sealing: &Sealing<'_>,
    rng: &mut impl CryptoRng,
) -> Result<(Vec<u8>, ExchangeSecret), SealError> {
    let info = request_info(&kc.digest());
    let (enc, mut context) =
        setup_sender_with_rng::<Aead, Kdf, Kem>(&OpModeS::Base, kc.public_key(), &info, rng)
            .map_err(|_| SealError::Encapsulation)?;
    let enc = enc.to_bytes().to_vec();
    let mut bytes = Vec::with_capacity(plaintext.len().saturating_add(2048));
    bytes.push(VERSION);
    let KeyId(key_id) = kc.key_id();
    bytes.extend(key_id);
    bytes.extend(&enc);
    let mut chunks = plaintext.chunks(sealing.chunk_len).peekable();
    while let Some(chunk) = chunks.next() {
        let last = chunks.peek().is_none();
        let aad = if last {
            sealing.last
        } else {
            sealing.not_final
        };
        let sealed = context
            .seal(chunk, aad)
            .map_err(|_| SealError::Encapsulation)?;
        put_varint(&mut bytes, if last { 0 } else { len_u64(sealed.len()) });
        bytes.extend(sealed);
    }
    let mut exported = Zeroizing::new([0; 32]);
    context
        .export(EXPORT_LABEL, exported.as_mut_slice())
        .map_err(|_| SealError::Encapsulation)?;
    let secret = ExchangeSecret {
        exported,
        enc,
        request_digest: sha256(&[&bytes]),
    };
    Ok((bytes, secret))
}

fn plaintext(
    message: &[u8],
    request_id: &[u8; 16],
    ephemeral: Option<&PublicKey>,
    options: &SealOptions,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let too_large = |got, limit| SealError::TooLarge { got, limit };
    let token_len = u16::try_from(options.token.len())
        .ok()
        .filter(|len| *len <= MAX_TOKEN_LEN)
        .ok_or(too_large(options.token.len(), usize::from(MAX_TOKEN_LEN)))?;
    let framed = message.len().saturating_add(4);
    let bucket = options.profile.request_bucket(framed);
    let message_len = u32::try_from(message.len())
        .ok()
        .filter(|_| bucket <= MAX_MESSAGE_LEN)
        .ok_or(too_large(message.len(), MAX_MESSAGE_LEN))?;

    let mut out = Zeroizing::new(Vec::with_capacity(bucket.saturating_add(2400)));
    out.extend(request_id);
    out.push(options.profile.code());
    out.push(u8::from(ephemeral.is_some()));
    if let Some(key) = ephemeral {
        out.extend_from_slice(&key.to_bytes());
    }
    out.extend(token_len.to_be_bytes());
    out.extend_from_slice(&options.token);
    out.extend(message_len.to_be_bytes());
    out.extend(message);
    let padding = bucket.saturating_sub(framed);
    out.extend(core::iter::repeat_n(0_u8, padding));
    Ok(out)
}

/// The HPKE `info` of a request: it binds the whole key configuration.
pub(crate) fn request_info(kc_digest: &[u8; 32]) -> Vec<u8> {
    [b"subrosa/request/1", kc_digest.as_slice()].concat()
}

pub(crate) const VERSION: u8 = 1;
pub(crate) const EXPORT_LABEL: &[u8] = b"subrosa/response/1";
pub(crate) const NOT_FINAL: &[u8] = b"";
pub(crate) const FINAL: &[u8] = b"final";
/// Plaintext bytes of a request chunk.
pub(crate) const CHUNK_LEN: usize = 16_384;
pub(crate) const MAX_TOKEN_LEN: u16 = 1024;
/// Largest padded message: 16 MiB.
pub(crate) const MAX_MESSAGE_LEN: usize = 16 << 20;
