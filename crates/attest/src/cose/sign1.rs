//! `COSE_Sign1` (RFC 9052, section 4.2) with ECDSA (RFC 9053, section 2.1).

use minicbor::Encoder;

use super::cbor::{CborError, Key, Lengths, Reader};
use crate::signature::{Hash, PublicKey, Scheme};

/// Whether the object carries its tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tagging {
    Optional,
    Required,
}

/// How an object is signed. `ES512` is not here: nothing in use signs with P-521.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
}

impl Algorithm {
    /// Its number in IANA's registry "COSE Algorithms".
    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::Es384 => -35,
        }
    }

    fn from_number(number: i64) -> Result<Self, CoseError> {
        [Self::Es256, Self::Es384]
            .into_iter()
            .find(|algorithm| algorithm.number() == number)
            .ok_or(CoseError::Algorithm { got: number })
    }
}

/// A signed object, split but not verified.
#[derive(Clone, Debug)]
pub(crate) struct Sign1<'a> {
    protected: &'a [u8],
    algorithm: Algorithm,
    payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Sign1<'a> {
    /// Longest payload that is read, in bytes.
    pub(crate) const MAX_PAYLOAD: usize = 16 * 1024;

    /// Reads one object with nothing behind it.
    pub(crate) fn parse(bytes: &'a [u8], tagging: Tagging) -> Result<Self, CoseError> {
        let mut reader = Reader::new(bytes);
        match reader.tag()? {
            Some(TAG_SIGN1) => {}
            None if tagging == Tagging::Optional => {}
            got => return Err(CoseError::Tag { got }),
        }
        reader.array_of(4)?;
        let protected = reader.bytes(MAX_HEADER)?;
        check_unprotected(&mut reader)?;
        let payload = reader.bytes(Self::MAX_PAYLOAD)?;
        let signature = reader.bytes(MAX_SIGNATURE)?;
        reader.finish()?;
        Ok(Self {
            protected,
            algorithm: read_algorithm(protected)?,
            payload,
            signature,
        })
    }

    /// The algorithm the signer names in the protected header.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What is signed.
    pub(crate) fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Whether the signature verifies under `key`, which must be on the curve
    /// that goes with the algorithm.
    pub(crate) fn is_signed_by(&self, key: &PublicKey) -> bool {
        let hash = match (self.algorithm, key) {
            (Algorithm::Es256, PublicKey::P256(_)) => Hash::Sha256,
            (Algorithm::Es384, PublicKey::P384(_)) => Hash::Sha384,
            _ => return false,
        };
        signed_bytes(self.protected, self.payload)
            .is_some_and(|message| key.verifies(Scheme::EcdsaFixed(hash), &message, self.signature))
    }
}

/// `Sig_structure` (RFC 9052, section 4.4) without external data.
pub(crate) fn signed_bytes(protected: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    let mut encoder = Encoder::new(&mut message);
    encoder.array(4).ok()?;
    encoder.str("Signature1").ok()?.bytes(protected).ok()?;
    encoder.bytes(&[]).ok()?.bytes(payload).ok()?;
    Some(message)
}

/// The protected header names the algorithm and nothing that must be understood
/// and is not (RFC 9052, section 3.1).
fn read_algorithm(protected: &[u8]) -> Result<Algorithm, CoseError> {
    let mut algorithm = None;
    if !protected.is_empty() {
        let mut reader = Reader::new(protected);
        reader.map(Lengths::Definite, MAX_PARAMETERS, |reader, key| {
            match key {
                Key::Integer(HEADER_ALGORITHM) => algorithm = Some(reader.integer()?),
                Key::Integer(HEADER_CRITICAL) => return Err(CoseError::Critical),
                Key::Integer(_) | Key::Text(_) => reader.skip()?,
            }
            Ok(())
        })?;
        reader.finish()?;
    }
    Algorithm::from_number(algorithm.ok_or(CoseError::AlgorithmMissing)?)
}

/// Nobody signed the unprotected header, so nothing in it is believed; what
/// belongs into the other one must not be in it.
fn check_unprotected(reader: &mut Reader<'_>) -> Result<(), CoseError> {
    reader.map(Lengths::Definite, MAX_PARAMETERS, |reader, key| match key {
        Key::Integer(HEADER_ALGORITHM) => Err(CoseError::AlgorithmUnprotected),
        Key::Integer(HEADER_CRITICAL) => Err(CoseError::Critical),
        Key::Integer(_) | Key::Text(_) => Ok(reader.skip()?),
    })
}

/// Why bytes were refused as a signed object.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CoseError {
    /// The protected header names an algorithm that is not accepted.
    #[error("signed with algorithm {got}, which is not accepted")]
    Algorithm {
        /// Its number in IANA's registry.
        got: i64,
    },

    /// The protected header names no algorithm.
    #[error("the protected header names no algorithm")]
    AlgorithmMissing,

    /// The unprotected header names an algorithm.
    #[error("the unprotected header names an algorithm")]
    AlgorithmUnprotected,

    /// The CBOR is not what it should be.
    #[error("CBOR: {0}")]
    Cbor(#[from] CborError),

    /// A header parameter must be understood, and is not.
    #[error("the header has critical parameters")]
    Critical,

    /// The object has another tag than that of `COSE_Sign1`, or none.
    #[error("tag {got:?}, expected {TAG_SIGN1}")]
    Tag {
        /// Its tag.
        got: Option<u64>,
    },
}

// RFC 9052, table 1 and table 3.
const TAG_SIGN1: u64 = 18;
const HEADER_ALGORITHM: i64 = 1;
const HEADER_CRITICAL: i64 = 2;

/// Longest protected header, in bytes. Those in use have 3 to 5.
const MAX_HEADER: usize = 256;
/// Most parameters of a header.
const MAX_PARAMETERS: usize = 16;
/// Longest signature, in bytes: that of P-384.
const MAX_SIGNATURE: usize = 96;

#[cfg(test)]
mod tests;
