//! Keys of notes: names, kinds, and what each kind signs.

use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use ml_dsa::{EncodedVerifyingKey, ExpandedSigningKey, MlDsa44, Verifier as _};
use thiserror::Error;
use zeroize::Zeroizing;

use super::NoteSignature;
use crate::Timestamp;
use crate::checkpoint::Checkpoint;
use crate::hash::digest;

/// Whose a key is: not empty, without spaces and `+`, at most 255 bytes.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyName(String);

/// What a key signs (c2sp.org/signed-note, c2sp.org/tlog-cosignature).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum KeyKind {
    /// Ed25519 over the text: logs, and authors of entries.
    Ed25519,
    /// Ed25519 over the text with a time: witnesses.
    Ed25519Cosignature,
    /// ML-DSA-44 over origin, size, root and a time: witnesses.
    MlDsa44Cosignature,
}

/// A public key with its name, as `<name>+<id>+<base64>`.
#[derive(Clone, Eq, PartialEq)]
pub struct VerifierKey {
    name: KeyName,
    id: [u8; 4],
    public: Public,
}

#[derive(Clone, PartialEq)]
enum Public {
    Ed25519(VerifyingKey),
    Ed25519Cosignature(VerifyingKey),
    MlDsa44Cosignature(Box<ml_dsa::VerifyingKey<MlDsa44>>),
}

impl Eq for Public {}

/// A secret key with its name. It is not shown, and erased when it is dropped.
pub struct NoteSigner {
    key: VerifierKey,
    secret: Secret,
}

enum Secret {
    Ed25519(Box<SigningKey>),
    Ed25519Cosignature(Box<SigningKey>),
    MlDsa44Cosignature(Box<ExpandedSigningKey<MlDsa44>>),
}

/// Why something is not a key.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum KeyError {
    /// The text has another form than `<name>+<id>+<base64>`.
    #[error("a verifier key is written <name>+<id>+<base64>")]
    Format,
    /// The id is not the one of the key.
    #[error("the id of the key is {expected}, not {actual}", expected = hex::encode(expected), actual = hex::encode(actual))]
    Id {
        /// As computed.
        expected: [u8; 4],
        /// As written.
        actual: [u8; 4],
    },
    /// The name cannot be that of a key.
    #[error("a key's name has 1 to 255 bytes without spaces, control characters and `+`")]
    Name,
    /// The bytes are not a public key of their kind.
    #[error("not a public key of type {0:#04x}")]
    Public(u8),
    /// Keys of this type are not known here.
    #[error("keys of type {0:#04x} are not supported: 0x01, 0x04 and 0x06 are")]
    Type(u8),
}

impl KeyName {
    /// The longest name, in bytes: what a cosigned message can hold.
    pub const MAX: usize = 255;

    /// A name, if it can be one.
    ///
    /// # Errors
    ///
    /// [`KeyError::Name`].
    pub fn new(name: &str) -> Result<Self, KeyError> {
        let refused = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.len() > Self::MAX || name.contains(refused) {
            return Err(KeyError::Name);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyKind {
    const fn number(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::Ed25519Cosignature => 0x04,
            Self::MlDsa44Cosignature => 0x06,
        }
    }

    const fn of_number(number: u8) -> Option<Self> {
        match number {
            0x01 => Some(Self::Ed25519),
            0x04 => Some(Self::Ed25519Cosignature),
            0x06 => Some(Self::MlDsa44Cosignature),
            _ => None,
        }
    }

    /// Whether keys of this kind cosign checkpoints.
    #[must_use]
    pub const fn is_cosignature(self) -> bool {
        !matches!(self, Self::Ed25519)
    }
}

impl VerifierKey {
    fn new(name: KeyName, kind: u8, bytes: &[u8]) -> Result<Self, KeyError> {
        let ed25519 = || {
            let bytes = bytes.try_into().map_err(|_| KeyError::Public(kind))?;
            let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Public(kind))?;
            // A key of small order verifies signatures of nobody.
            (!key.is_weak())
                .then_some(key)
                .ok_or(KeyError::Public(kind))
        };
        let public = match kind {
            0x01 => Public::Ed25519(ed25519()?),
            0x04 => Public::Ed25519Cosignature(ed25519()?),
            0x06 => {
                let encoded = EncodedVerifyingKey::<MlDsa44>::try_from(bytes)
                    .map_err(|_| KeyError::Public(kind))?;
                Public::MlDsa44Cosignature(Box::new(ml_dsa::VerifyingKey::decode(&encoded)))
            }
            _ => return Err(KeyError::Type(kind)),
        };
        let id = key_id(&name, kind, bytes);
        Ok(Self { name, id, public })
    }

    /// Whose the key is.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The first four bytes of `H(name ‖ "\n" ‖ type ‖ public key)`.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// What the key signs.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        match self.public {
            Public::Ed25519(_) => KeyKind::Ed25519,
            Public::Ed25519Cosignature(_) => KeyKind::Ed25519Cosignature,
            Public::MlDsa44Cosignature(_) => KeyKind::MlDsa44Cosignature,
        }
    }

    /// The public key, as its kind encodes it.
    #[must_use]
    pub fn public_bytes(&self) -> Vec<u8> {
        match &self.public {
            Public::Ed25519(key) | Public::Ed25519Cosignature(key) => key.to_bytes().to_vec(),
            Public::MlDsa44Cosignature(key) => key.encode().to_vec(),
        }
    }

    /// Verifies a signature of a text; its time, where it has one.
    pub(super) fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<Timestamp>, ()> {
        match &self.public {
            Public::Ed25519(key) => {
                verify_ed25519(key, text.as_bytes(), signature)?;
                Ok(None)
            }
            Public::Ed25519Cosignature(key) => {
                let (time, signature) = split_time(signature)?;
                verify_ed25519(key, &ed25519_cosigned(time, text), signature)?;
                Ok(Some(time))
            }
            Public::MlDsa44Cosignature(key) => {
                let (time, signature) = split_time(signature)?;
                let message = ml_dsa_cosigned(&self.name, time, text).ok_or(())?;
                let signature = ml_dsa::Signature::try_from(signature).map_err(drop)?;
                key.verify(&message, &signature).map_err(drop)?;
                Ok(Some(time))
            }
        }
    }
}

impl NoteSigner {
    /// A key from 32 secret bytes, which must be random.
    ///
    /// # Errors
    ///
    /// None for kinds that exist; [`KeyError::Public`] if the library made a key it does not accept.
    pub fn from_seed(name: KeyName, kind: KeyKind, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let (secret, public) = match kind {
            KeyKind::Ed25519 | KeyKind::Ed25519Cosignature => {
                let key = Box::new(SigningKey::from_bytes(seed));
                let public = key.verifying_key().to_bytes().to_vec();
                let secret = if kind == KeyKind::Ed25519 {
                    Secret::Ed25519(key)
                } else {
                    Secret::Ed25519Cosignature(key)
                };
                (secret, public)
            }
            KeyKind::MlDsa44Cosignature => {
                let key = Box::new(ExpandedSigningKey::<MlDsa44>::from_seed(&(*seed).into()));
                let public = key.verifying_key().encode().to_vec();
                (Secret::MlDsa44Cosignature(key), public)
            }
        };
        let key = VerifierKey::new(name, kind.number(), &public)?;
        Ok(Self { key, secret })
    }

    /// Reads a secret key, as [`Self::secret_text`] writes it.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn from_secret_text(text: &str) -> Result<Self, KeyError> {
        let rest = text
            .trim_end()
            .strip_prefix(SECRET_PREFIX)
            .filter(|rest| rest.len() <= 512)
            .ok_or(KeyError::Format)?;
        let mut parts = rest.splitn(3, '+');
        let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(KeyError::Format);
        };
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| KeyError::Format)?);
        let (&kind, seed) = bytes.split_first().ok_or(KeyError::Format)?;
        let seed = seed.try_into().map_err(|_| KeyError::Format)?;
        let kind = KeyKind::of_number(kind).ok_or(KeyError::Type(kind))?;
        let signer = Self::from_seed(KeyName::new(name)?, kind, seed)?;
        if hex::encode(signer.key.id) != id {
            return Err(KeyError::Format);
        }
        Ok(signer)
    }

    /// The text of a secret key, `PRIVATE+KEY+<name>+<id>+<base64>`, and the key itself.
    ///
    /// # Errors
    ///
    /// As [`Self::from_seed`].
    pub fn secret_text(
        name: KeyName,
        kind: KeyKind,
        seed: &[u8; 32],
    ) -> Result<(Zeroizing<String>, Self), KeyError> {
        let signer = Self::from_seed(name, kind, seed)?;
        let bytes = Zeroizing::new([&[kind.number()][..], seed].concat());
        let encoded = Zeroizing::new(STANDARD.encode(&*bytes));
        let (name, id) = (&signer.key.name, hex::encode(signer.key.id));
        let text = format!("{SECRET_PREFIX}{name}+{id}+{}", *encoded);
        Ok((Zeroizing::new(text), signer))
    }

    /// The public key.
    #[must_use]
    pub const fn verifier_key(&self) -> &VerifierKey {
        &self.key
    }

    /// Signs a text, at `now` where the kind has a time.
    ///
    /// # Errors
    ///
    /// [`super::NoteError::Format`] where the kind can only cosign a checkpoint, and the text is none.
    pub fn sign(&self, text: &str, now: Timestamp) -> Result<NoteSignature, super::NoteError> {
        let signature = match &self.secret {
            Secret::Ed25519(key) => key.sign(text.as_bytes()).to_vec(),
            Secret::Ed25519Cosignature(key) => {
                let signature = key.sign(&ed25519_cosigned(now, text)).to_vec();
                [&now.get().to_be_bytes()[..], &signature].concat()
            }
            Secret::MlDsa44Cosignature(key) => {
                let message = ml_dsa_cosigned(&self.key.name, now, text)
                    .ok_or(super::NoteError::Format("only a checkpoint is cosigned"))?;
                let signature = ml_dsa::Signer::sign(&**key, &message).encode();
                [&now.get().to_be_bytes()[..], &signature].concat()
            }
        };
        Ok(NoteSignature::new(
            self.key.name.clone(),
            self.key.id,
            signature,
        ))
    }
}

/// As Go's `golang.org/x/mod/sumdb/note` writes them.
const SECRET_PREFIX: &str = "PRIVATE+KEY+";

fn key_id(name: &KeyName, kind: u8, public: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = digest(&[name.0.as_bytes(), b"\n", &[kind], public]);
    [a, b, c, d]
}

fn verify_ed25519(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> Result<(), ()> {
    let signature = ed25519_dalek::Signature::from_slice(signature).map_err(drop)?;
    key.verify_strict(message, &signature).map_err(drop)
}

/// Takes the time of a `timestamped_signature` off. Time 0 states nothing about time.
fn split_time(signature: &[u8]) -> Result<(Timestamp, &[u8]), ()> {
    let (time, signature) = signature.split_first_chunk::<8>().ok_or(())?;
    let time = u64::from_be_bytes(*time);
    if time == 0 || i64::try_from(time).is_err() {
        return Err(());
    }
    Ok((Timestamp::new(time), signature))
}

/// c2sp.org/tlog-cosignature, "Ed25519 signed message".
fn ed25519_cosigned(time: Timestamp, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {}\n{text}", time.get()).into_bytes()
}

/// c2sp.org/tlog-cosignature, "ML-DSA-44 signed message", of a whole tree.
fn ml_dsa_cosigned(name: &KeyName, time: Timestamp, text: &str) -> Option<Vec<u8>> {
    let checkpoint = Checkpoint::parse(text).ok()?;
    let origin = checkpoint.origin();
    let mut message = b"subtree/v1\n\0".to_vec();
    message.push(u8::try_from(name.0.len()).ok()?);
    message.extend_from_slice(name.0.as_bytes());
    message.extend_from_slice(&time.get().to_be_bytes());
    message.push(u8::try_from(origin.0.len()).ok()?);
    message.extend_from_slice(origin.0.as_bytes());
    message.extend_from_slice(&0_u64.to_be_bytes());
    message.extend_from_slice(&checkpoint.size().to_be_bytes());
    message.extend_from_slice(checkpoint.root().as_bytes());
    Some(message)
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(KeyError::Format);
        };
        let name = KeyName::new(name)?;
        let mut actual = [0; 4];
        let is_lower = |text: &str| !text.bytes().any(|byte| byte.is_ascii_uppercase());
        if !is_lower(id) || hex::decode_to_slice(id, &mut actual).is_err() {
            return Err(KeyError::Format);
        }
        // 1312 bytes and the type are the largest key.
        if encoded.len() > 2048 {
            return Err(KeyError::Format);
        }
        let bytes = STANDARD.decode(encoded).map_err(|_| KeyError::Format)?;
        let (&kind, public) = bytes.split_first().ok_or(KeyError::Format)?;
        let key = Self::new(name, kind, public)?;
        if key.id != actual {
            return Err(KeyError::Id {
                expected: key.id,
                actual,
            });
        }
        Ok(key)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[self.kind().number()][..], &self.public_bytes()].concat();
        let id = hex::encode(self.id);
        write!(f, "{}+{id}+{}", self.name, STANDARD.encode(bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({}+{})", self.name, hex::encode(self.id))
    }
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSigner({})", self.key.name)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyName({})", self.0)
    }
}

#[cfg(test)]
pub(super) fn id_for_tests(name: &str, kind: u8, public: &[u8]) -> [u8; 4] {
    key_id(&KeyName(name.to_owned()), kind, public)
}
