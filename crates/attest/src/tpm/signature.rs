//! A TPM's signature: `TPMT_SIGNATURE` (TPM 2.0 Library, Part 2).

use super::algorithm::{ECDSA, HashAlgorithm, RSAPSS, RSASSA};
use super::wire::{Reader, WireError};
use crate::appraisal::Code;
use crate::signature::{PublicKey, Scheme};

/// A quote's signature, as it is handed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum QuoteSignature<'a> {
    /// Only the bytes of an RSASSA-PKCS1-v1_5 signature with SHA-256.
    RsassaSha256(&'a [u8]),
    /// A `TPMT_SIGNATURE`, with nothing behind it.
    Structure(&'a [u8]),
}

/// A signature whose format is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Signature {
    pub(super) algorithm: u16,
    pub(super) hash: HashAlgorithm,
    value: Value,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Value {
    Rsa(Vec<u8>),
    Ecdsa { r: Vec<u8>, s: Vec<u8> },
}

impl Signature {
    pub(super) fn read(signature: QuoteSignature<'_>) -> Result<Self, SignatureError> {
        match signature {
            QuoteSignature::RsassaSha256(bytes) if bytes.len() > MAX_RSA => {
                let got = bytes.len();
                Err(WireError::Size {
                    got,
                    limit: MAX_RSA,
                }
                .into())
            }
            QuoteSignature::RsassaSha256(bytes) => Ok(Self {
                algorithm: RSASSA,
                hash: HashAlgorithm::Sha256,
                value: Value::Rsa(bytes.to_vec()),
            }),
            QuoteSignature::Structure(bytes) => Self::parse(bytes),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        let mut reader = Reader::new(bytes);
        let algorithm = reader.u16()?;
        let hash = HashAlgorithm::new(reader.u16()?);
        let value = match algorithm {
            RSASSA | RSAPSS => Value::Rsa(reader.sized(MAX_RSA)?.to_vec()),
            ECDSA => Value::Ecdsa {
                r: reader.sized(MAX_SCALAR)?.to_vec(),
                s: reader.sized(MAX_SCALAR)?.to_vec(),
            },
            got => return Err(SignatureError::Algorithm { got }),
        };
        reader.finish()?;
        Ok(Self {
            algorithm,
            hash,
            value,
        })
    }

    /// Whether `key` made this signature over `message`. An algorithm, hash or
    /// key that this crate does not verify with is a no.
    pub(super) fn verifies(&self, key: &PublicKey, message: &[u8]) -> bool {
        let Some(hash) = self.hash.function() else {
            return false;
        };
        match (&self.value, self.algorithm) {
            (Value::Rsa(value), RSASSA) => key.verifies(Scheme::RsaPkcs1(hash), message, value),
            (Value::Rsa(value), RSAPSS) => key.verifies(Scheme::RsaPss(hash), message, value),
            (Value::Ecdsa { r, s }, ECDSA) => {
                let size = match key {
                    PublicKey::P256(_) => 32,
                    PublicKey::P384(_) => 48,
                    PublicKey::Rsa(_) => return false,
                };
                let (Some(r), Some(s)) = (padded(r, size), padded(s, size)) else {
                    return false;
                };
                key.verifies(Scheme::EcdsaFixed(hash), message, &[r, s].concat())
            }
            _ => false,
        }
    }
}

/// A big-endian number, which a TPM may write without its leading zeros, with
/// `size` bytes.
pub(super) fn padded(number: &[u8], size: usize) -> Option<Vec<u8>> {
    let zeros = size.checked_sub(number.len())?;
    Some([&vec![0; zeros], number].concat())
}

/// Why bytes were refused as a signature.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The algorithm is not RSASSA, RSAPSS or ECDSA.
    #[error("signature algorithm {got:#06x} is not accepted")]
    Algorithm {
        /// Its number.
        got: u16,
    },

    /// A field does not fit.
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl SignatureError {
    pub(super) const fn code(&self) -> Code {
        match self {
            Self::Algorithm { .. } => Code::SignatureAlgorithmNotAllowed,
            Self::Wire(_) => Code::ReportMalformed,
        }
    }
}

/// 4096 bits.
pub(super) const MAX_RSA: usize = 512;
/// A scalar or coordinate of P-384.
pub(super) const MAX_SCALAR: usize = 48;
