//! JSON that Intel's TCB signer signed.

use core::str::FromStr;

use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::Anchors;
use crate::appraisal::Code;
use crate::signature::{Hash, Scheme};
use crate::time::UnixSeconds;
use crate::x509::path::{self, Links};
use crate::x509::{Certificate, PathError, pem};

/// Longest object that is read, in bytes. Those in use have 1,000 to 20,000.
pub(super) const MAX_LEN: usize = 512 * 1024;

/// A signed object, its signature and the certificates of the signer.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignedJson<'a> {
    pub(super) object: &'a [u8],
    pub(super) signature: &'a [u8],
    pub(super) chain: &'a [u8],
}

impl SignedJson<'_> {
    /// Verifies that Intel signed the bytes, and gives back its certificate.
    pub(super) fn verify(
        &self,
        anchors: &Anchors,
        now: UnixSeconds,
        links: &mut Links,
    ) -> Result<Certificate, SignedError> {
        let chain = certificates(self.chain)?;
        let key = path::verify_sharing(&chain, &anchors.root, now, links)?;
        // The root certifies the signer itself (PCS API, "TCB Info Issuer Chain").
        let [signer, _root] = <[Certificate; 2]>::try_from(chain)
            .map_err(|chain| PathError::Length { got: chain.len() })?;
        if signer.common_name().as_deref() != Some(TCB_SIGNER) {
            return Err(PathError::Usage { at: 0 }.into());
        }
        let scheme = Scheme::EcdsaFixed(Hash::Sha256);
        if self.object.len() <= MAX_LEN && key.verifies(scheme, self.object, self.signature) {
            Ok(signer)
        } else {
            Err(SignedError::Signature)
        }
    }
}

/// Reads a chain in PEM; a C string's end is no part of it.
pub(super) fn certificates(text: &[u8]) -> Result<Vec<Certificate>, PathError> {
    let end = text.iter().rev().take_while(|&&byte| byte == 0).count();
    let text = text.get(..text.len().saturating_sub(end));
    let encoded = text
        .filter(|text| text.len() <= MAX_CHAIN_LEN)
        .and_then(|text| pem::certificates(text, path::MAX_CERTIFICATES))
        .ok_or(PathError::Length { got: 0 })?;
    encoded
        .iter()
        .enumerate()
        .map(|(at, der)| {
            Certificate::parse(der).map_err(|source| PathError::Certificate { at, source })
        })
        .collect()
}

/// Why a signed object was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum SignedError {
    #[error("not in the form that Intel specifies")]
    Format,
    #[error("signer: {0}")]
    Path(#[from] PathError),
    #[error("signature does not verify")]
    Signature,
    #[error("good from {issued} to {next_update}, it is {now}")]
    Stale {
        issued: UnixSeconds,
        next_update: UnixSeconds,
        now: UnixSeconds,
    },
    #[error("{field} is {found}, expected {expected}")]
    Subject {
        field: &'static str,
        found: String,
        expected: String,
    },
}

impl SignedError {
    pub(super) const fn code(&self) -> Code {
        match self {
            Self::Format => Code::CollateralMalformed,
            Self::Path(error) => error.code(),
            Self::Signature => Code::CollateralSignature,
            Self::Stale { .. } => Code::CollateralStale,
            Self::Subject { .. } => Code::CollateralMismatch,
        }
    }
}

/// When an object was issued, and when the next one is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Window {
    pub(super) issued: UnixSeconds,
    pub(super) next_update: UnixSeconds,
}

impl Window {
    pub(super) fn check(self, now: UnixSeconds) -> Result<(), SignedError> {
        if now < self.issued || now > self.next_update {
            return Err(SignedError::Stale {
                issued: self.issued,
                next_update: self.next_update,
                now,
            });
        }
        Ok(())
    }
}

/// Fails unless both are the same.
pub(super) fn expect(field: &'static str, found: &str, expected: &str) -> Result<(), SignedError> {
    if found == expected {
        return Ok(());
    }
    Err(SignedError::Subject {
        field,
        found: found.to_owned(),
        expected: expected.to_owned(),
    })
}

/// A number of bytes in hexadecimal, in either case, as Intel writes both.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Hex<const N: usize>(pub(super) [u8; N]);

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; N];
        hex::decode_to_slice(&text, &mut bytes).map_err(de::Error::custom)?;
        Ok(Self(bytes))
    }
}

/// A point in time, as `2026-02-18T10:58:51Z`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Time(pub(super) UnixSeconds);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let date = der::DateTime::from_str(&text).map_err(de::Error::custom)?;
        Ok(Self(UnixSeconds::new(date.unix_duration().as_secs())))
    }
}

/// Common name of the signer ("Intel SGX PCK Certificate and CRL Profile
/// Specification").
const TCB_SIGNER: &str = "Intel SGX TCB Signing";
/// Longest chain that is read, in bytes of PEM. Those in use have 2,000 to 4,000.
const MAX_CHAIN_LEN: usize = 32 * 1024;
