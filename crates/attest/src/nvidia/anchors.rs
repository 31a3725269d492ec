//! The keys that device certificates and reference manifests must lead back to.
//!
//! Both are pinned by the SHA-256 digest of their `SubjectPublicKeyInfo`.

use crate::identifiers::Sha256Digest;
use crate::x509::{Certificate, CertificateError};

/// The root keys an appraisal trusts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Anchors {
    pub(super) device: [Sha256Digest; 1],
    pub(super) manifest: [Sha256Digest; 1],
}

impl Anchors {
    /// NVIDIA's keys: "NVIDIA Device Identity CA" for devices, "NVIDIA `CoRIM` signing Root CA" for manifests.
    #[must_use]
    pub fn vendor() -> Self {
        Self {
            device: [DEVICE_IDENTITY_CA],
            manifest: [MANIFEST_ROOT_CA],
        }
    }

    /// The digests of the pinned root keys.
    #[cfg(test)]
    pub(crate) fn roots(&self) -> Vec<Sha256Digest> {
        [self.device, self.manifest].concat()
    }

    /// Evaluates devices under the key of another root certificate, in DER.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] if it is none.
    pub fn with_device_root(mut self, certificate: &[u8]) -> Result<Self, CertificateError> {
        self.device = [key_digest(certificate)?];
        Ok(self)
    }

    /// Evaluates reference manifests under the key of another root certificate, in DER.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] if it is none.
    pub fn with_manifest_root(mut self, certificate: &[u8]) -> Result<Self, CertificateError> {
        self.manifest = [key_digest(certificate)?];
        Ok(self)
    }
}

fn key_digest(certificate: &[u8]) -> Result<Sha256Digest, CertificateError> {
    let certificate = Certificate::parse(certificate)?;
    certificate
        .public_key_digest()
        .ok_or(CertificateError::Format)
}

const DEVICE_IDENTITY_CA: Sha256Digest = Sha256Digest::new([
    0xA9, 0x0C, 0x4E, 0xB5, 0xAC, 0xFD, 0x3E, 0x3D, 0x03, 0xA2, 0x5D, 0xB6, 0xA2, 0x6B, 0x84, 0xF7,
    0x20, 0xAD, 0x05, 0x03, 0x19, 0x6C, 0x62, 0x7C, 0x21, 0xDD, 0xD4, 0x8D, 0xD8, 0x5B, 0x06, 0xA4,
]);

const MANIFEST_ROOT_CA: Sha256Digest = Sha256Digest::new([
    0xDE, 0xC1, 0xDC, 0x31, 0x64, 0x77, 0xAA, 0x85, 0x1E, 0xEB, 0xDF, 0x51, 0x32, 0x7A, 0xE9, 0xF8,
    0x64, 0xBC, 0x8D, 0x89, 0x25, 0x46, 0x57, 0xED, 0x1E, 0x7E, 0xB9, 0x16, 0x8A, 0xF1, 0xE1, 0xA3,
]);
