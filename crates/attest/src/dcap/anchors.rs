//! The key that everything Intel signs must lead back to.

use crate::identifiers::Sha256Digest;
use crate::x509::{Certificate, CertificateError};

/// The root key an appraisal trusts, by the SHA-256 digest of its
/// `SubjectPublicKeyInfo`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Anchors {
    pub(super) root: [Sha256Digest; 1],
}

impl Anchors {
    /// Intel's own: "Intel SGX Root CA".
    #[must_use]
    pub const fn vendor() -> Self {
        Self {
            root: [INTEL_SGX_ROOT_CA],
        }
    }

    /// The digests of the pinned root keys.
    #[cfg(test)]
    pub(crate) fn roots(&self) -> Vec<Sha256Digest> {
        self.root.to_vec()
    }

    /// The key of another root certificate, in DER, to evaluate test evidence
    /// under a test root. Evidence judged so never becomes an [`crate::Attested`].
    ///
    /// # Errors
    ///
    /// [`CertificateError`] if it is no certificate.
    pub fn with_root(certificate: &[u8]) -> Result<Self, CertificateError> {
        let certificate = Certificate::parse(certificate)?;
        let digest = certificate
            .public_key_digest()
            .ok_or(CertificateError::Format)?;
        Ok(Self { root: [digest] })
    }
}

/// Key of the certificate whose SHA-256 fingerprint begins `44A0196B`.
const INTEL_SGX_ROOT_CA: Sha256Digest = Sha256Digest::new([
    0xA0, 0xAF, 0x03, 0x12, 0x89, 0xF5, 0xD5, 0xD4, 0x13, 0x2F, 0x91, 0x86, 0x06, 0x8A, 0x7F, 0xC1,
    0x36, 0x28, 0x63, 0x3B, 0xA2, 0x35, 0x77, 0x74, 0x72, 0xE2, 0x9B, 0x6B, 0x6C, 0x67, 0xA4, 0x9E,
]);
