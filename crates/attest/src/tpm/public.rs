//! The public part of a TPM's key: `TPMT_PUBLIC` (TPM 2.0 Library, Part 2).

use super::algorithm::{ECC, ECDSA, HashAlgorithm, MAX_DIGEST, NULL, RSA, RSAPSS, RSASSA};
use super::signature::{MAX_RSA, MAX_SCALAR, padded};
use super::wire::{Reader, WireError};
use crate::signature::PublicKey;

/// An attestation key, as it is handed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AttestationKey<'a> {
    /// A `TPMT_PUBLIC`, with nothing behind it.
    Public(&'a [u8]),
    /// The modulus of an RSA key with the exponent 65537, which does not say what
    /// the key may do.
    RsaModulus(&'a [u8]),
    /// A `TPM2B_PUBLIC`: a `TPMT_PUBLIC` with its size in front.
    SizedPublic(&'a [u8]),
    /// The DER of a `SubjectPublicKeyInfo`, which does not say what the key may do.
    SubjectPublicKeyInfo(&'a [u8]),
}

/// A signing key whose format is known.
#[derive(Clone, Debug)]
pub struct Public {
    pub(super) key: PublicKey,
    pub(super) attributes: Attributes,
    /// Signature algorithm and hash, if the key is bound to one.
    pub(super) scheme: Option<Scheme>,
    name: Option<Vec<u8>>,
}

/// `TPMA_OBJECT`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Attributes(pub(super) u32);

impl Attributes {
    const FIXED_TPM: u32 = 1 << 1;
    const FIXED_PARENT: u32 = 1 << 4;
    const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
    const RESTRICTED: u32 = 1 << 16;
    const DECRYPT: u32 = 1 << 17;
    const SIGN: u32 = 1 << 18;
    const RESERVED: u32 = 0xFFF0_F009;

    /// What a key lacks to be made by a TPM, to stay in it, and to sign only what
    /// a TPM made; empty if nothing.
    pub(super) fn missing(self) -> Vec<&'static str> {
        let mut missing: Vec<_> = [
            (Self::FIXED_TPM, "fixedTPM"),
            (Self::FIXED_PARENT, "fixedParent"),
            (Self::SENSITIVE_DATA_ORIGIN, "sensitiveDataOrigin"),
            (Self::RESTRICTED, "restricted"),
            (Self::SIGN, "sign"),
        ]
        .into_iter()
        .filter_map(|(bit, name)| (self.0 & bit == 0).then_some(name))
        .collect();
        if self.0 & Self::DECRYPT != 0 {
            missing.push("not decrypt");
        }
        missing
    }
}

impl Public {
    /// Longest `TPMT_PUBLIC` that is read, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// Reads a `TPMT_PUBLIC` of an RSA or elliptic curve signing key, with nothing
    /// behind it.
    ///
    /// # Errors
    ///
    /// [`PublicError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, PublicError> {
        if bytes.len() > Self::MAX_LEN {
            let (got, limit) = (bytes.len(), Self::MAX_LEN);
            return Err(WireError::Size { got, limit }.into());
        }
        let mut reader = Reader::new(bytes);
        let kind = reader.u16()?;
        let name_algorithm = HashAlgorithm::new(reader.u16()?);
        let attributes = Attributes(reader.u32()?);
        if attributes.0 & Attributes::RESERVED != 0 {
            return Err(PublicError::Attributes { got: attributes.0 });
        }
        reader.sized(MAX_DIGEST)?;
        let (scheme, key) = match kind {
            RSA => rsa(&mut reader)?,
            ECC => ecc(&mut reader)?,
            got => return Err(PublicError::Kind { got }),
        };
        reader.finish()?;
        let name = name_algorithm.function().map(|function| {
            let digest = function.digest(bytes);
            [&name_algorithm.id().to_be_bytes()[..], &digest].concat()
        });
        Ok(Self {
            key,
            attributes,
            scheme,
            name,
        })
    }

    /// Reads a `TPM2B_PUBLIC`, with nothing behind it.
    ///
    /// # Errors
    ///
    /// [`PublicError`].
    pub fn parse_sized(bytes: &[u8]) -> Result<Self, PublicError> {
        let mut reader = Reader::new(bytes);
        let public = reader.sized(Self::MAX_LEN)?;
        reader.finish()?;
        Self::parse(public)
    }

    /// The key itself.
    #[cfg(any(test, feature = "development"))]
    pub(crate) fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The hierarchy under which this would be a primary key, if a quote names
    /// its signer `qualified_signer` (Part 1, "Qualified Name").
    pub(super) fn hierarchy(&self, qualified_signer: &[u8]) -> Option<&'static str> {
        let name = self.name.as_deref()?;
        let (algorithm, _) = name.split_first_chunk::<2>()?;
        let function = HashAlgorithm::new(u16::from_be_bytes(*algorithm)).function()?;
        let found = HIERARCHIES.iter().find(|(handle, _)| {
            let digest = function.digest(&[&handle.to_be_bytes()[..], name].concat());
            qualified_signer == [&algorithm[..], &digest].concat()
        });
        found.map(|(_, hierarchy)| *hierarchy)
    }
}

/// Signature algorithm and hash that a key is bound to.
type Scheme = (u16, HashAlgorithm);
type Parts = (Option<Scheme>, PublicKey);

/// `TPMS_RSA_PARMS` and the modulus.
fn rsa(reader: &mut Reader<'_>) -> Result<Parts, PublicError> {
    no_cipher(reader)?;
    let scheme = scheme(reader, &[RSASSA, RSAPSS])?;
    let bits = reader.u16()?;
    let exponent = reader.u32()?;
    if exponent != 0 && exponent != 65_537 {
        return Err(PublicError::Exponent { got: exponent });
    }
    let modulus = reader.sized(MAX_RSA)?;
    if modulus.len().checked_mul(8) != Some(usize::from(bits)) {
        return Err(PublicError::Key);
    }
    let key = PublicKey::rsa(modulus).ok_or(PublicError::Key)?;
    Ok((scheme, key))
}

/// `TPMS_ECC_PARMS` and the point.
fn ecc(reader: &mut Reader<'_>) -> Result<Parts, PublicError> {
    no_cipher(reader)?;
    let scheme = scheme(reader, &[ECDSA])?;
    let curve = reader.u16()?;
    let derivation = reader.u16()?;
    if derivation != NULL {
        return Err(PublicError::Scheme { got: derivation });
    }
    let x = reader.sized(MAX_SCALAR)?;
    let y = reader.sized(MAX_SCALAR)?;
    // TPM_ECC_CURVE.
    let size = match curve {
        0x0003 => 32,
        0x0004 => 48,
        got => return Err(PublicError::Curve { got }),
    };
    let (x, y) = padded(x, size)
        .zip(padded(y, size))
        .ok_or(PublicError::Key)?;
    let point = [&[UNCOMPRESSED][..], &x, &y].concat();
    let key = if size == 32 {
        PublicKey::p256(&point)
    } else {
        PublicKey::p384(&point)
    };
    let key = key.ok_or(PublicError::Key)?;
    Ok((scheme, key))
}

/// A key that signs has no cipher.
fn no_cipher(reader: &mut Reader<'_>) -> Result<(), PublicError> {
    match reader.u16()? {
        NULL => Ok(()),
        got => Err(PublicError::Cipher { got }),
    }
}

fn scheme(reader: &mut Reader<'_>, known: &[u16]) -> Result<Option<Scheme>, PublicError> {
    match reader.u16()? {
        NULL => Ok(None),
        id if known.contains(&id) => Ok(Some((id, HashAlgorithm::new(reader.u16()?)))),
        got => Err(PublicError::Scheme { got }),
    }
}

/// Why bytes were refused as a signing key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicError {
    /// Reserved attributes are set.
    #[error("the attributes {got:#x} have reserved bits")]
    Attributes {
        /// The attributes.
        got: u32,
    },

    /// The key has a cipher, so it is not for signing.
    #[error("the key has the cipher {got:#06x}, one that signs has none")]
    Cipher {
        /// Its number.
        got: u16,
    },

    /// The curve is neither P-256 nor P-384.
    #[error("curve {got:#06x} is not accepted")]
    Curve {
        /// Its number.
        got: u16,
    },

    /// The exponent of an RSA key is not 65537.
    #[error("the RSA exponent {got} is not accepted")]
    Exponent {
        /// The exponent.
        got: u32,
    },

    /// The key is not on its curve, or of a size that is not accepted.
    #[error("the key is not a usable public key")]
    Key,

    /// The key is neither RSA nor on an elliptic curve.
    #[error("key type {got:#06x} is not accepted")]
    Kind {
        /// Its number.
        got: u16,
    },

    /// The key is bound to a scheme that is not for signing, or not known.
    #[error("scheme {got:#06x} is not accepted")]
    Scheme {
        /// Its number.
        got: u16,
    },

    /// A field does not fit.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// Permanent handles: `TPM_RH`.
const HIERARCHIES: [(u32, &str); 4] = [
    (0x4000_000B, "endorsement"),
    (0x4000_0001, "owner"),
    (0x4000_000C, "platform"),
    (0x4000_0007, "null"),
];
/// SEC 1, section 2.3.3.
const UNCOMPRESSED: u8 = 4;
