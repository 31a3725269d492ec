//! The keys that certificates of attestation keys must lead back to.

use crate::identifiers::Sha256Digest;
use crate::x509::{Certificate, CertificateError};

/// The root keys an appraisal trusts, by the SHA-256 digest of their
/// `SubjectPublicKeyInfo`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Anchors(pub(super) Vec<Sha256Digest>);

impl Anchors {
    /// Microsoft's "Azure Virtual TPM Root Certificate Authority 2023".
    ///
    /// The makers of physical TPMs are many and certify endorsement keys, which do
    /// not sign quotes; a caller that runs an authority for attestation keys adds
    /// it with [`Anchors::with_root`].
    #[must_use]
    pub fn vendor() -> Self {
        Self(vec![AZURE_VIRTUAL_TPM_2023])
    }

    /// The digests of the pinned root keys.
    #[cfg(test)]
    pub(crate) fn roots(&self) -> Vec<Sha256Digest> {
        self.0.clone()
    }

    /// Trusts no root but the key of this certificate, in DER.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] if it is none.
    pub fn with_root(certificate: &[u8]) -> Result<Self, CertificateError> {
        let certificate = Certificate::parse(certificate)?;
        let digest = certificate
            .public_key_digest()
            .ok_or(CertificateError::Format)?;
        Ok(Self(vec![digest]))
    }
}

const AZURE_VIRTUAL_TPM_2023: Sha256Digest = Sha256Digest::new([
    0x5C, 0xBC, 0x52, 0x67, 0x2A, 0xE1, 0x01, 0x26, 0x3C, 0x29, 0x76, 0x73, 0x60, 0x44, 0xA9, 0x64,
    0xC1, 0x18, 0x2C, 0xE9, 0x41, 0x2C, 0x39, 0x93, 0x71, 0x83, 0xBA, 0xDD, 0xCC, 0xCB, 0x8C, 0xDF,
]);
