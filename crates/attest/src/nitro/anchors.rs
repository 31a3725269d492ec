//! The root that documents must lead back to.

use crate::identifiers::Sha256Digest;
use crate::x509::{Certificate, CertificateError, path};

/// The root certificates an appraisal trusts.
///
/// A root is known by its key and by the certificate itself: AWS publishes the
/// certificate's digest and never re-issued it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Anchors(Vec<Root>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Root {
    /// SHA-256 of the `SubjectPublicKeyInfo`.
    public_key: Sha256Digest,
    /// SHA-256 of the certificate.
    certificate: Sha256Digest,
}

impl Anchors {
    /// AWS's own root, `aws.nitro-enclaves`.
    #[must_use]
    pub fn vendor() -> Self {
        Self(vec![AWS])
    }

    /// This certificate, DER, instead of AWS's: to judge evidence under another
    /// root. Evidence judged so never becomes an [`crate::Attested`].
    ///
    /// # Errors
    ///
    /// [`CertificateError`] if it is malformed.
    pub fn with_root(certificate: &[u8]) -> Result<Self, CertificateError> {
        let public_key = Certificate::parse(certificate)?
            .public_key_digest()
            .ok_or(CertificateError::Format)?;
        Ok(Self(vec![Root {
            public_key,
            certificate: Sha256Digest::of(certificate),
        }]))
    }

    /// Digests of the keys.
    pub(crate) fn public_keys(&self) -> Vec<Sha256Digest> {
        self.0.iter().map(|root| root.public_key).collect()
    }

    /// Whether `certificate` is one of the roots, byte for byte.
    pub(super) fn check_certificate(&self, certificate: &[u8]) -> Result<(), path::PathError> {
        let digest = Sha256Digest::of(certificate);
        if self.0.iter().any(|root| root.certificate == digest) {
            Ok(())
        } else {
            Err(path::PathError::RootNotPinned { digest })
        }
    }
}

/// AWS, section 2.1, `AWS_NitroEnclaves_Root-G1`.
const AWS: Root = Root {
    public_key: Sha256Digest::new([
        0xF2, 0xCA, 0xF5, 0xEC, 0xC6, 0x19, 0x0B, 0x4A, 0x83, 0x99, 0xB7, 0x8B, 0xC5, 0x8A, 0x2B,
        0xBC, 0xD0, 0x38, 0x23, 0x75, 0xDB, 0x8A, 0x1B, 0xFD, 0x78, 0xA8, 0x27, 0x43, 0x87, 0x4F,
        0xD2, 0x25,
    ]),
    certificate: Sha256Digest::new([
        0x64, 0x1A, 0x03, 0x21, 0xA3, 0xE2, 0x44, 0xEF, 0xE4, 0x56, 0x46, 0x31, 0x95, 0xD6, 0x06,
        0x31, 0x7E, 0xD7, 0xCD, 0xCC, 0x3C, 0x17, 0x56, 0xE0, 0x98, 0x93, 0xF3, 0xC6, 0x8F, 0x79,
        0xBB, 0x5B,
    ]),
};
