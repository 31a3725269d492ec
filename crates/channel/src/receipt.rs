//! Signed receipts (spec/receipt.md).

use core::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::key_configuration::KeyConfiguration;
use crate::suite::sha256;
use crate::wire::Reader;

/// A receipt whose format is known and whose signature is **not** yet checked.
#[derive(Clone, Eq, PartialEq)]
pub struct Receipt {
    bytes: [u8; Receipt::LEN],
}

/// A receipt signed by the key of a key configuration, within its life, for
/// its release and one of its models. Only [`Receipt::verify`] makes one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifiedReceipt {
    receipt: Receipt,
    fields: Fields,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Fields {
    key_configuration: [u8; 32],
    request: [u8; 32],
    response: [u8; 32],
    release_id: [u8; 32],
    weights: [u8; 32],
    minute: u64,
}

/// Why a receipt proves nothing.
#[derive(Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum ReceiptError {
    /// A commitment does not open to the given message.
    #[error("receipt does not commit to this {0}")]
    Commitment(&'static str),
    /// The bytes are not a receipt.
    #[error("not a receipt of version 1")]
    Format,
    /// A field differs from the key configuration.
    #[error("receipt field `{0}` does not belong to the key configuration")]
    Mismatch(&'static str),
    /// The signature does not verify.
    #[error("receipt signature does not verify")]
    Signature,
}

impl Receipt {
    /// Size of a receipt, in bytes.
    pub const LEN: usize = 236;

    /// Reads a receipt from exactly `bytes`.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::Format`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let bytes = bytes.try_into().map_err(|_| ReceiptError::Format)?;
        let receipt = Self { bytes };
        receipt.fields().ok_or(ReceiptError::Format)?;
        Ok(receipt)
    }

    /// Checks that `kc` signed this receipt, for itself.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::Mismatch`] or [`ReceiptError::Signature`].
    pub fn verify(&self, kc: &KeyConfiguration) -> Result<VerifiedReceipt, ReceiptError> {
        let fields = self.fields().ok_or(ReceiptError::Format)?;
        let must = |holds: bool, name| holds.then_some(()).ok_or(ReceiptError::Mismatch(name));
        must(fields.key_configuration == kc.digest(), "key configuration")?;
        must(&fields.release_id == kc.release_id(), "release")?;
        let known = kc
            .models()
            .iter()
            .any(|model| model.weights == fields.weights);
        must(known || fields.weights == absent_weights(), "weights")?;
        let minutes = kc.not_before() / 60..=kc.not_after().saturating_sub(1) / 60;
        must(minutes.contains(&fields.minute), "minute")?;
        let (body, signature) = self.split();
        kc.receipt_key()
            .verify_strict(&signed_message(body), &Signature::from_bytes(signature))
            .map_err(|_| ReceiptError::Signature)?;
        Ok(VerifiedReceipt {
            receipt: self.clone(),
            fields,
        })
    }

    /// The bytes as they travelled.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.bytes
    }

    /// The name of this receipt: 16 hexadecimal digits of its SHA-256.
    #[must_use]
    pub fn id(&self) -> String {
        let digest = sha256(&[&self.bytes]);
        let first = digest.first_chunk().copied().unwrap_or_default();
        format!("{:016x}", u64::from_be_bytes(first))
    }

    /// The minute it states; **not** verified.
    #[must_use]
    pub fn unverified_minute(&self) -> u64 {
        self.fields().map_or(0, |fields| fields.minute)
    }

    pub(crate) fn sign(key: &SigningKey, statement: &Statement<'_>) -> Self {
        let mut bytes = [0; Self::LEN];
        let minute = statement.minute.to_be_bytes();
        let body: [&[u8]; 7] = [
            &MAGIC,
            &statement.key_configuration,
            &statement.request,
            &statement.response,
            statement.release_id,
            statement.weights,
            &minute,
        ];
        let body = body.concat();
        let signature = key.sign(&signed_message(&body)).to_bytes();
        for (to, from) in bytes.iter_mut().zip(body.iter().chain(&signature)) {
            *to = *from;
        }
        Self { bytes }
    }

    fn split(&self) -> (&[u8], &[u8; 64]) {
        match self.bytes.split_last_chunk::<64>() {
            Some(parts) => parts,
            None => unreachable!("a receipt is longer than a signature"),
        }
    }

    fn fields(&self) -> Option<Fields> {
        let mut reader = Reader::new(&self.bytes);
        (reader.array() == Some(MAGIC)).then_some(Fields {
            key_configuration: reader.array()?,
            request: reader.array()?,
            response: reader.array()?,
            release_id: reader.array()?,
            weights: reader.array()?,
            minute: reader.u64()?,
        })
    }
}

impl VerifiedReceipt {
    /// The receipt itself.
    #[must_use]
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// Unix seconds / 60 at which the request was opened.
    #[must_use]
    pub fn minute(&self) -> u64 {
        self.fields.minute
    }

    /// SHA-256 of the weights that answered, or [`absent_weights`].
    #[must_use]
    pub fn weights(&self) -> &[u8; 32] {
        &self.fields.weights
    }

    /// Release id, or [`crate::absent_release`].
    #[must_use]
    pub fn release_id(&self) -> &[u8; 32] {
        &self.fields.release_id
    }

    /// Checks that the receipt commits to this message and answer.
    ///
    /// `key` is `k_r`; `message` the binary HTTP request without padding;
    /// `frames` the frame bytes before `complete`.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::Commitment`] naming which of the two differs.
    pub fn opens(&self, key: &[u8; 32], message: &[u8], frames: &[u8]) -> Result<(), ReceiptError> {
        self.commits(
            &commitment(key, REQUEST, message),
            &commitment(key, RESPONSE, frames),
        )
    }

    pub(crate) fn commits(
        &self,
        request: &[u8; 32],
        response: &[u8; 32],
    ) -> Result<(), ReceiptError> {
        for (name, stated, computed) in [
            ("request", &self.fields.request, request),
            ("response", &self.fields.response, response),
        ] {
            if !bool::from(stated.ct_eq(computed)) {
                return Err(ReceiptError::Commitment(name));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receipt({})", self.id())
    }
}

/// What a receipt states.
pub(crate) struct Statement<'a> {
    pub(crate) key_configuration: [u8; 32],
    pub(crate) request: [u8; 32],
    pub(crate) response: [u8; 32],
    pub(crate) release_id: &'a [u8; 32],
    pub(crate) weights: &'a [u8; 32],
    pub(crate) minute: u64,
}

/// A commitment made piece by piece.
#[derive(Clone)]
pub(crate) struct Committer(Hmac<Sha256>);

impl Committer {
    pub(crate) fn request(key: &[u8; 32]) -> Self {
        Self::new(key, REQUEST)
    }

    pub(crate) fn response(key: &[u8; 32]) -> Self {
        Self::new(key, RESPONSE)
    }

    fn new(key: &[u8; 32], label: &[u8]) -> Self {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
            unreachable!("HMAC takes keys of any length")
        };
        mac.update(label);
        Self(mac)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }
}

/// Stands for weights where no model answered.
#[must_use]
pub fn absent_weights() -> [u8; 32] {
    sha256(&[b"subrosa/absent/weights"])
}

fn commitment(key: &[u8; 32], label: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut committer = Committer::new(key, label);
    committer.update(bytes);
    committer.finish()
}

fn signed_message(body: &[u8]) -> Vec<u8> {
    [b"subrosa/receipt/1", body].concat()
}

const MAGIC: [u8; 4] = *b"SRR1";
const REQUEST: &[u8] = b"subrosa/receipt/1/request";
const RESPONSE: &[u8] = b"subrosa/receipt/1/response";

#[cfg(test)]
mod tests;
