//! Certificates of attestation keys.

use der::asn1::ObjectIdentifier;
use der::{Decode, Reader as _, SliceReader};
use x509_cert::ext::pkix::ExtendedKeyUsage;

use super::anchors::Anchors;
use crate::appraisal::Code;
use crate::signature::PublicKey;
use crate::time::UnixSeconds;
use crate::x509::path::{self, MAX_CERTIFICATES};
use crate::x509::{Certificate, PathError};

/// A certificate of an attestation key and those above it, all unverified.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct KeyCertificates<'a> {
    /// The certificate of the attestation key, DER; a TPM's storage pads it with
    /// zeros.
    pub leaf: &'a [u8],
    /// Certificates of authorities, DER, the root among them, in any order; those
    /// that are not above the leaf are ignored.
    pub authorities: Vec<&'a [u8]>,
}

/// Most certificates of authorities that are read.
const MAX_AUTHORITIES: usize = 32;

/// What came of looking for a path from the leaf to a root.
#[derive(Debug)]
pub(super) enum Certification {
    /// The path is good; this is the certified key.
    Good(PublicKey),
    /// The leaf is well formed and for this key, but a certificate above it is not
    /// there.
    Incomplete(PublicKey),
}

impl KeyCertificates<'_> {
    /// First second at which the attestation key's certificate is valid, if it can
    /// be read.
    #[must_use]
    pub fn valid_from(&self) -> Option<UnixSeconds> {
        let leaf = Certificate::parse(without_padding(self.leaf)).ok()?;
        Some(leaf.not_before())
    }

    pub(super) fn verify(
        &self,
        anchors: &Anchors,
        now: UnixSeconds,
    ) -> Result<Certification, CertificationError> {
        let malformed = |at| move |source| PathError::Certificate { at, source };
        let leaf = Certificate::parse(without_padding(self.leaf)).map_err(malformed(0))?;
        if !is_for_attestation_keys(&leaf) {
            return Err(CertificationError::Usage);
        }
        if self.authorities.len() > MAX_AUTHORITIES {
            let got = self.authorities.len();
            return Err(PathError::Length { got }.into());
        }
        let mut authorities = Vec::new();
        for der in &self.authorities {
            authorities.push(Certificate::parse(der).map_err(malformed(1))?);
        }
        let Some(path) = find_path(leaf.clone(), &authorities) else {
            let key = leaf.public_key().ok_or(PathError::Key { at: 0 })?;
            return Ok(Certification::Incomplete(key));
        };
        let key = path::verify(&path, &anchors.0, now)?;
        Ok(Certification::Good(key))
    }
}

/// From the leaf upwards by the issuers' names to one that is its own issuer.
fn find_path(leaf: Certificate, authorities: &[Certificate]) -> Option<Vec<Certificate>> {
    let mut path = vec![leaf];
    while path.len() < MAX_CERTIFICATES {
        let last = path.last()?;
        if path.len() > 1 && last.issuer() == last.subject() {
            return Some(path);
        }
        let above = authorities
            .iter()
            .find(|one| one.subject() == last.issuer())?;
        path.push(above.clone());
    }
    None
}

/// A TPM keeps certificates in storage of a fixed size, filled with zeros. Other
/// bytes behind the certificate are left for the reader to refuse.
fn without_padding(stored: &[u8]) -> &[u8] {
    let first = SliceReader::new(stored).and_then(|mut reader| reader.tlv_bytes());
    match first {
        Ok(certificate) => match stored.get(certificate.len()..) {
            Some(rest) if rest.iter().all(|&byte| byte == 0) => certificate,
            _ => stored,
        },
        Err(_) => stored,
    }
}

/// `tcg-kp-AIKCertificate` (TCG Credential Profile EK, "Extended Key Usage").
fn is_for_attestation_keys(leaf: &Certificate) -> bool {
    leaf.extension(EXTENDED_KEY_USAGE)
        .and_then(|value| ExtendedKeyUsage::from_der(value).ok())
        .is_some_and(|usage| usage.0.contains(&ATTESTATION_KEY))
}

/// Why an attestation key is not certified.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum CertificationError {
    /// The certificates do not lead to a pinned root.
    #[error(transparent)]
    Path(#[from] PathError),

    /// The certificate is not one for attestation keys.
    #[error("the certificate is not for attestation keys")]
    Usage,
}

impl CertificationError {
    pub(super) const fn code(&self) -> Code {
        match self {
            Self::Path(error) => error.code(),
            Self::Usage => Code::CertificateMalformed,
        }
    }
}

const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const ATTESTATION_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.8.3");
