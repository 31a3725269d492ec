//! The key configuration: what an enclave offers to be sealed to
//! (spec/channel.md §1).

use core::fmt;

use ed25519_dalek::VerifyingKey;
use hpke::{Deserializable, Serializable};
use thiserror::Error;

use crate::suite::{AEAD_ID, KDF_ID, KEM_ID, PUBLIC_KEY_LEN, PublicKey, sha256};
use crate::wire::Reader;

/// A key configuration whose format is known. Nothing says yet that a genuine
/// enclave made it: only [`crate::TrustedNode`] does.
#[derive(Clone)]
pub struct KeyConfiguration {
    bytes: Vec<u8>,
    fields: Fields,
}

#[derive(Clone)]
struct Fields {
    not_before: u64,
    not_after: u64,
    release_id: [u8; 32],
    configuration: [u8; 32],
    balanced: StreamShape,
    strict: StreamShape,
    public_key: PublicKey,
    receipt_key: VerifyingKey,
    models: Vec<ModelEntry>,
}

/// A model offered by a node, and the digest of its weights file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ModelEntry {
    /// 1 to 64 characters of `a-z 0-9 . _ - / :`.
    pub name: String,
    /// SHA-256 of the weights file.
    pub weights: [u8; 32],
}

/// Size and pace of the records of a streamed answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StreamShape {
    /// Time between records, in milliseconds: 1 to 50.
    pub tick_ms: u16,
    /// Plaintext bytes of a record: 64 to 4096.
    pub record_len: u16,
}

/// The first 16 bytes of SHA-256 over a key configuration.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct KeyId(pub [u8; 16]);

/// What an enclave fills into a new key configuration.
#[derive(Clone, Debug)]
pub struct KeyConfigurationParams {
    /// Start of validity, Unix seconds.
    pub not_before: u64,
    /// End of validity, Unix seconds, exclusive.
    pub not_after: u64,
    /// Release id, or [`crate::absent_release`].
    pub release_id: [u8; 32],
    /// SHA-256 of the measured configuration.
    pub configuration: [u8; 32],
    /// Stream shape of profile `balanced`.
    pub balanced: StreamShape,
    /// Stream shape of profile `strict`.
    pub strict: StreamShape,
    /// Models, strictly increasing by name.
    pub models: Vec<ModelEntry>,
}

/// Why bytes are not a key configuration.
#[derive(Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeyConfigurationError {
    /// A field is outside of what the specification allows.
    #[error("key configuration field `{0}` has a value that version 1 does not allow")]
    Field(&'static str),
    /// The bytes end early or go on after the last model.
    #[error("key configuration has a wrong length ({got} bytes)")]
    Length {
        /// Bytes given.
        got: usize,
    },
}

impl KeyConfiguration {
    /// Largest encoded size: 16 models with the longest names.
    pub const MAX_LEN: usize = 1348 + 16 * (1 + 64 + 32);

    /// Reads a key configuration; `bytes` must hold exactly one.
    ///
    /// # Errors
    ///
    /// [`KeyConfigurationError`] naming the first field that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyConfigurationError> {
        let length = KeyConfigurationError::Length { got: bytes.len() };
        if bytes.len() > Self::MAX_LEN {
            return Err(length);
        }
        let mut reader = Reader::new(bytes);
        let fields = Fields::read(&mut reader)?;
        if !reader.is_empty() {
            return Err(length);
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            fields,
        })
    }

    /// Encodes `params` with the two public keys, and reads the result back, so
    /// that an enclave cannot publish what a device would refuse.
    pub(crate) fn build(
        params: &KeyConfigurationParams,
        public_key: &PublicKey,
        receipt_key: &VerifyingKey,
    ) -> Result<Self, KeyConfigurationError> {
        let mut out = Vec::with_capacity(Self::MAX_LEN);
        out.extend(MAGIC);
        for id in [KEM_ID, KDF_ID, AEAD_ID] {
            out.extend(id.to_be_bytes());
        }
        out.push(ROLE_MODEL);
        out.extend(params.not_before.to_be_bytes());
        out.extend(params.not_after.to_be_bytes());
        out.extend(params.release_id);
        out.extend(params.configuration);
        for shape in [params.balanced, params.strict] {
            out.extend(shape.tick_ms.to_be_bytes());
            out.extend(shape.record_len.to_be_bytes());
        }
        out.extend_from_slice(&public_key.to_bytes());
        out.extend(receipt_key.as_bytes());
        let models = u8::try_from(params.models.len())
            .map_err(|_| KeyConfigurationError::Field("models"))?;
        out.push(models);
        for model in &params.models {
            let len = u8::try_from(model.name.len())
                .map_err(|_| KeyConfigurationError::Field("model name"))?;
            out.push(len);
            out.extend(model.name.as_bytes());
            out.extend(model.weights);
        }
        Self::parse(&out)
    }

    /// The exact bytes, as hashed into evidence.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 over [`Self::as_bytes`].
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sha256(&[&self.bytes])
    }

    /// The name by which a request says which key it is sealed to.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(self.digest()) {
            *to = from;
        }
        KeyId(id)
    }

    /// Start of validity, Unix seconds.
    #[must_use]
    pub fn not_before(&self) -> u64 {
        self.fields.not_before
    }

    /// End of validity, Unix seconds, exclusive.
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.fields.not_after
    }

    /// Release id, or [`crate::absent_release`].
    #[must_use]
    pub fn release_id(&self) -> &[u8; 32] {
        &self.fields.release_id
    }

    /// SHA-256 of the measured configuration.
    #[must_use]
    pub fn configuration(&self) -> &[u8; 32] {
        &self.fields.configuration
    }

    /// Stream shape of profile `balanced`.
    #[must_use]
    pub fn balanced(&self) -> StreamShape {
        self.fields.balanced
    }

    /// Stream shape of profile `strict`.
    #[must_use]
    pub fn strict(&self) -> StreamShape {
        self.fields.strict
    }

    /// The models this node runs.
    #[must_use]
    pub fn models(&self) -> &[ModelEntry] {
        &self.fields.models
    }

    /// The key that signs receipts.
    #[must_use]
    pub fn receipt_key(&self) -> &VerifyingKey {
        &self.fields.receipt_key
    }

    pub(crate) fn public_key(&self) -> &PublicKey {
        &self.fields.public_key
    }
}

impl Fields {
    fn read(reader: &mut Reader<'_>) -> Result<Self, KeyConfigurationError> {
        let short = KeyConfigurationError::Length { got: reader.len() };
        expect(reader.array() == Some(MAGIC), "magic")?;
        expect(reader.u16() == Some(KEM_ID), "KEM")?;
        expect(reader.u16() == Some(KDF_ID), "KDF")?;
        expect(reader.u16() == Some(AEAD_ID), "AEAD")?;
        expect(reader.u8() == Some(ROLE_MODEL), "role")?;
        let not_before = reader
            .u64()
            .ok_or(KeyConfigurationError::Field("not before"))?;
        let not_after = reader
            .u64()
            .ok_or(KeyConfigurationError::Field("not after"))?;
        let life = not_after.checked_sub(not_before);
        expect(
            life.is_some_and(|life| (1..=MAX_LIFE_SECONDS).contains(&life)),
            "not after",
        )?;
        let Some((release_id, configuration)) = reader.array().zip(reader.array()) else {
            return Err(short);
        };
        let balanced = StreamShape::read(reader, "balanced")?;
        let strict = StreamShape::read(reader, "strict")?;
        let key = reader.take(PUBLIC_KEY_LEN).unwrap_or_default();
        let public_key =
            PublicKey::from_bytes(key).map_err(|_| KeyConfigurationError::Field("public key"))?;
        let receipt_key = reader
            .array()
            .and_then(|key| VerifyingKey::from_bytes(&key).ok())
            .filter(|key| !key.is_weak())
            .ok_or(KeyConfigurationError::Field("receipt key"))?;
        Ok(Self {
            not_before,
            not_after,
            release_id,
            configuration,
            balanced,
            strict,
            public_key,
            receipt_key,
            models: read_models(reader)?,
        })
    }
}

impl StreamShape {
    fn read(reader: &mut Reader<'_>, name: &'static str) -> Result<Self, KeyConfigurationError> {
        let (tick_ms, record_len) = reader
            .u16()
            .zip(reader.u16())
            .ok_or(KeyConfigurationError::Field(name))?;
        expect(
            (1..=50).contains(&tick_ms) && (64..=4096).contains(&record_len),
            name,
        )?;
        Ok(Self {
            tick_ms,
            record_len,
        })
    }
}

impl fmt::Debug for KeyConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyConfiguration")
            .field("key_id", &self.key_id())
            .field("not_before", &self.fields.not_before)
            .field("not_after", &self.fields.not_after)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn read_models(reader: &mut Reader<'_>) -> Result<Vec<ModelEntry>, KeyConfigurationError> {
    let field = KeyConfigurationError::Field;
    let count = reader.u8().ok_or(field("models"))?;
    expect((1..=16).contains(&count), "models")?;
    let mut models: Vec<ModelEntry> = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let len = reader.u8().ok_or(field("model name"))?;
        let name = reader.take(usize::from(len)).ok_or(field("model name"))?;
        let weights = reader.array().ok_or(field("weights"))?;
        expect(
            (1..=64).contains(&len) && name.iter().all(|byte| is_name_byte(*byte)),
            "model name",
        )?;
        let name = String::from_utf8_lossy(name).into_owned();
        expect(models.last().is_none_or(|last| last.name < name), "models")?;
        models.push(ModelEntry { name, weights });
    }
    Ok(models)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/:".contains(&byte)
}

fn expect(holds: bool, field: &'static str) -> Result<(), KeyConfigurationError> {
    if holds {
        Ok(())
    } else {
        Err(KeyConfigurationError::Field(field))
    }
}

const MAGIC: [u8; 4] = *b"SRK1";
const ROLE_MODEL: u8 = 1;
/// Longest life of a key: 20 minutes (spec/channel.md §1).
const MAX_LIFE_SECONDS: u64 = 1200;

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
