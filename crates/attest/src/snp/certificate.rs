//! X.509 certificates as AMD issues them.
//!
//! Two things are unusual and accepted: the serial number 0 of VCEK and VLEK
//! certificates, and the encoded default described in `signed.rs`. Everything
//! else is strict DER.

use der::{Decode, Encode};
use p384::ecdsa::VerifyingKey;
use p384::pkcs8::DecodePublicKey;
use rsa::RsaPublicKey;
use rsa::traits::PublicKeyParts;
use x509_cert::Version;
use x509_cert::certificate::{Raw, TbsCertificateInner};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::name::Name;

use super::signed::{self, SignedObject};
use crate::identifiers::Sha256Digest;
use crate::time::UnixSeconds;

/// A certificate whose format is known and of which nothing is verified.
#[derive(Clone, Debug)]
pub struct Certificate {
    content: Vec<u8>,
    signature: Vec<u8>,
    tbs: TbsCertificateInner<Raw>,
}

impl Certificate {
    /// Largest certificate that is read, in bytes. AMD's have about 1,700.
    pub const MAX_LEN: usize = 8 * 1024;

    /// Reads one certificate in DER, with nothing behind it.
    ///
    /// # Errors
    ///
    /// [`CertificateError`]. No cryptography is done here.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > Self::MAX_LEN {
            return Err(CertificateError::TooLong { got: der.len() });
        }
        let object = SignedObject::split(der).ok_or(CertificateError::Format)?;
        let tbs = TbsCertificateInner::<Raw>::from_der(object.content)
            .map_err(|_| CertificateError::Format)?;
        let inner_algorithm = tbs
            .signature()
            .to_der()
            .map_err(|_| CertificateError::Format)?;
        if tbs.version() != Version::V3 || !signed::is_pss_with_sha384(&inner_algorithm) {
            return Err(CertificateError::Format);
        }
        let certificate = Self {
            content: object.content.to_vec(),
            signature: object.signature.to_vec(),
            tbs,
        };
        certificate.check_extensions()?;
        Ok(certificate)
    }

    /// Each extension once, and no critical one that this crate does not know
    /// (RFC 5280, section 4.2).
    fn check_extensions(&self) -> Result<(), CertificateError> {
        let mut seen = Vec::new();
        for extension in self.extensions() {
            if seen.contains(&extension.extn_id) {
                return Err(CertificateError::DuplicateExtension {
                    oid: extension.extn_id.to_string(),
                });
            }
            if extension.critical && !KNOWN_CRITICAL.contains(&extension.extn_id) {
                return Err(CertificateError::UnknownCriticalExtension {
                    oid: extension.extn_id.to_string(),
                });
            }
            seen.push(extension.extn_id);
        }
        Ok(())
    }

    /// SHA-256 of the `SubjectPublicKeyInfo`, by which keys are pinned.
    #[must_use]
    pub fn public_key_digest(&self) -> Option<Sha256Digest> {
        let spki = self.tbs.subject_public_key_info().to_der().ok()?;
        Some(Sha256Digest::of(&spki))
    }

    /// First second at which the certificate is valid.
    #[must_use]
    pub fn not_before(&self) -> UnixSeconds {
        let time = self.tbs.validity().not_before;
        UnixSeconds::new(time.to_unix_duration().as_secs())
    }

    /// Last second at which the certificate is valid.
    #[must_use]
    pub fn not_after(&self) -> UnixSeconds {
        let time = self.tbs.validity().not_after;
        UnixSeconds::new(time.to_unix_duration().as_secs())
    }

    pub(super) fn subject(&self) -> &Name {
        self.tbs.subject()
    }

    pub(super) fn issuer(&self) -> &Name {
        self.tbs.issuer()
    }

    pub(super) fn serial(&self) -> &[u8] {
        self.tbs.serial_number().as_bytes()
    }

    pub(super) fn extensions(&self) -> &[Extension] {
        self.tbs.extensions().map_or(&[], Vec::as_slice)
    }

    /// The key as an RSA key of 2048 to 4096 bits with the usual exponent.
    pub(super) fn rsa_key(&self) -> Option<RsaPublicKey> {
        let spki = self.tbs.subject_public_key_info().to_der().ok()?;
        let key = RsaPublicKey::from_public_key_der(&spki).ok()?;
        let usual_exponent = key.e_bytes().as_ref() == [1, 0, 1];
        (usual_exponent && (256..=512).contains(&key.size())).then_some(key)
    }

    /// The key as a P-384 key.
    pub(super) fn p384_key(&self) -> Option<VerifyingKey> {
        let spki = self.tbs.subject_public_key_info().to_der().ok()?;
        VerifyingKey::from_public_key_der(&spki).ok()
    }

    /// Whether the certificate may sign certificates.
    pub(super) fn is_authority(&self) -> bool {
        let constraints = self.tbs.get_extension::<BasicConstraints>();
        let usage = self.tbs.get_extension::<KeyUsage>();
        matches!(constraints, Ok(Some((_, constraints))) if constraints.ca)
            && matches!(usage, Ok(Some((_, usage))) if usage.key_cert_sign())
    }

    /// Whether the certificate says that it is no authority, or says nothing.
    pub(super) fn is_end_entity(&self) -> bool {
        match self.tbs.get_extension::<BasicConstraints>() {
            Ok(Some((_, constraints))) => !constraints.ca,
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Whether the certificate may sign revocation lists.
    pub(super) fn may_sign_revocation_lists(&self) -> bool {
        matches!(self.tbs.get_extension::<KeyUsage>(), Ok(Some((_, usage))) if usage.crl_sign())
    }

    /// Whether `issuer` signed this certificate.
    pub(super) fn is_signed_by(&self, issuer: &RsaPublicKey) -> bool {
        signed::verifies(issuer, &self.content, &self.signature)
    }
}

/// Why bytes were refused as a certificate.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// An extension occurs twice.
    #[error("certificate has the extension {oid} twice")]
    DuplicateExtension {
        /// Its object identifier.
        oid: String,
    },

    /// The bytes are not one version-3 certificate signed with RSASSA-PSS and
    /// SHA-384.
    #[error("not an X.509 version 3 certificate signed with RSASSA-PSS and SHA-384")]
    Format,

    /// The input is longer than [`Certificate::MAX_LEN`].
    #[error(
        "certificate is {got} bytes long, at most {} are read",
        Certificate::MAX_LEN
    )]
    TooLong {
        /// Length of the input, in bytes.
        got: usize,
    },

    /// An extension is marked critical and is not known here.
    #[error("certificate has the unknown critical extension {oid}")]
    UnknownCriticalExtension {
        /// Its object identifier.
        oid: String,
    },
}

const KNOWN_CRITICAL: [der::oid::ObjectIdentifier; 2] = [
    // id-ce-keyUsage, id-ce-basicConstraints (RFC 5280, sections 4.2.1.3 and .9).
    der::oid::ObjectIdentifier::new_unwrap("2.5.29.15"),
    der::oid::ObjectIdentifier::new_unwrap("2.5.29.19"),
];
