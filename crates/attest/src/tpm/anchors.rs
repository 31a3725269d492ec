//! The keys that certificates of attestation keys must lead back to.

use crate::identifiers::Sha256Digest;
use crate::x509::{Certificate, CertificateError};

/// The root keys an appraisal trusts, by the SHA-256 digest of their
/// `SubjectPublicKeyInfo`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Anchors(Vec<Root>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Root {
    key: Sha256Digest,
    profile: Profile,
}

/// How the authorities below a root say that a key is an attestation key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Profile {
    /// By Google's extension about the instance, and the right to sign: the
    /// certificates of other keys of the same instance do not have it.
    GoogleInstance,
    /// By `tcg-kp-AIKCertificate` (TCG EK Credential Profile, "Extended Key Usage").
    Tcg,
}

impl Anchors {
    /// Microsoft's "Azure Virtual TPM Root Certificate Authority 2023" and Google's
    /// "EK/AK CA Root" of 2022.
    ///
    /// The makers of physical TPMs are many and certify endorsement keys, which do
    /// not sign quotes; a caller that runs an authority for attestation keys adds
    /// it with [`Anchors::with_root`].
    #[must_use]
    pub fn vendor() -> Self {
        Self(vec![
            Root {
                key: AZURE_VIRTUAL_TPM_2023,
                profile: Profile::Tcg,
            },
            Root {
                key: GOOGLE_EK_AK_2022,
                profile: Profile::GoogleInstance,
            },
        ])
    }

    /// The digests of the pinned root keys.
    #[cfg(test)]
    pub(crate) fn roots(&self) -> Vec<Sha256Digest> {
        self.keys()
    }

    /// Trusts no root but the key of this certificate, in DER.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] if it is none.
    pub fn with_root(certificate: &[u8]) -> Result<Self, CertificateError> {
        let key = key_of(certificate)?;
        let profile = Profile::Tcg;
        Ok(Self(vec![Root { key, profile }]))
    }

    /// A root whose authorities write certificates as Google's do.
    #[cfg(test)]
    pub(super) fn with_google_root(certificate: &[u8]) -> Self {
        let key = key_of(certificate).unwrap();
        let profile = Profile::GoogleInstance;
        Self(vec![Root { key, profile }])
    }

    /// Digests of the keys.
    pub(super) fn keys(&self) -> Vec<Sha256Digest> {
        self.0.iter().map(|root| root.key).collect()
    }

    /// How certificates below this key are written.
    pub(super) fn profile(&self, key: &Sha256Digest) -> Option<Profile> {
        let root = self.0.iter().find(|root| root.key == *key)?;
        Some(root.profile)
    }
}

fn key_of(certificate: &[u8]) -> Result<Sha256Digest, CertificateError> {
    let certificate = Certificate::parse(certificate)?;
    certificate
        .public_key_digest()
        .ok_or(CertificateError::Format)
}

const AZURE_VIRTUAL_TPM_2023: Sha256Digest =
    Sha256Digest::of_hex(b"5cbc52672ae101263c2976736044a964c1182ce9412c39937183baddcccb8cdf");
const GOOGLE_EK_AK_2022: Sha256Digest =
    Sha256Digest::of_hex(b"56a613f57126a385dd6949294e93b0b566f96ab0573be0c2368e6f5ca779831f");
