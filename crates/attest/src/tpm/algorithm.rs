//! Algorithms by the numbers of the TCG Algorithm Registry, table `TPM_ALG_ID`.

use core::fmt;

use crate::signature::Hash;

/// A hash algorithm, as a TPM names it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// One that this crate does not compute, SHA-1 among them, by its number.
    Other(u16),
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashAlgorithm {
    /// By its number.
    #[must_use]
    pub const fn new(id: u16) -> Self {
        match id {
            0x000B => Self::Sha256,
            0x000C => Self::Sha384,
            0x000D => Self::Sha512,
            other => Self::Other(other),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::Other(id) => id,
            Self::Sha256 => 0x000B,
            Self::Sha384 => 0x000C,
            Self::Sha512 => 0x000D,
        }
    }

    /// The function, if this crate computes it.
    pub(crate) const fn function(self) -> Option<Hash> {
        match self {
            Self::Other(_) => None,
            Self::Sha256 => Some(Hash::Sha256),
            Self::Sha384 => Some(Hash::Sha384),
            Self::Sha512 => Some(Hash::Sha512),
        }
    }

    /// Length of a digest, in bytes, if this crate computes it.
    pub(crate) const fn digest_len(self) -> Option<usize> {
        match self {
            Self::Other(_) => None,
            Self::Sha256 => Some(32),
            Self::Sha384 => Some(48),
            Self::Sha512 => Some(64),
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(0x0004) => f.write_str("SHA-1"),
            Self::Other(id) => write!(f, "algorithm {id:#06x}"),
            Self::Sha256 => f.write_str("SHA-256"),
            Self::Sha384 => f.write_str("SHA-384"),
            Self::Sha512 => f.write_str("SHA-512"),
        }
    }
}

pub(super) const RSA: u16 = 0x0001;
pub(super) const NULL: u16 = 0x0010;
pub(super) const RSASSA: u16 = 0x0014;
pub(super) const RSAPSS: u16 = 0x0016;
pub(super) const ECDSA: u16 = 0x0018;
pub(super) const ECC: u16 = 0x0023;

/// Longest digest of the registry, in bytes.
pub(super) const MAX_DIGEST: usize = 64;
/// A digest with the number of its algorithm in front.
pub(super) const MAX_NAME: usize = 2 + MAX_DIGEST;
