//! One certificate (RFC 5280, section 4).

use der::oid::ObjectIdentifier;
use der::{Decode, Encode};
use x509_cert::Version;
use x509_cert::certificate::{Raw, TbsCertificateInner};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::name::Name;

use super::signed::{self, SignedObject};
use crate::identifiers::Sha256Digest;
use crate::signature::{PublicKey, Scheme};
use crate::time::UnixSeconds;

/// A certificate whose format is known and of which nothing is verified.
#[derive(Clone, Debug)]
pub struct Certificate {
    content: Vec<u8>,
    scheme: Scheme,
    signature: Vec<u8>,
    tbs: TbsCertificateInner<Raw>,
}

impl Certificate {
    /// Largest certificate that is read, in bytes. Those in use have 600 to 2,500.
    pub const MAX_LEN: usize = 8 * 1024;

    /// Reads one certificate in DER, with nothing behind it.
    ///
    /// # Errors
    ///
    /// [`CertificateError`]. No cryptography is done here.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        Self::parse_knowing(der, &[])
    }

    /// Reads a certificate whose reader understands these further extensions,
    /// which may then be critical.
    pub(crate) fn parse_knowing(
        der: &[u8],
        extensions: &[ObjectIdentifier],
    ) -> Result<Self, CertificateError> {
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
        if tbs.version() != Version::V3 || signed::scheme(&inner_algorithm) != Some(object.scheme) {
            return Err(CertificateError::Format);
        }
        let certificate = Self {
            content: object.content.to_vec(),
            scheme: object.scheme,
            signature: object.signature.to_vec(),
            tbs,
        };
        certificate.check_extensions(extensions)?;
        Ok(certificate)
    }

    /// Each extension once, and no critical one that this crate does not know
    /// (RFC 5280, section 4.2).
    fn check_extensions(&self, also_known: &[ObjectIdentifier]) -> Result<(), CertificateError> {
        let mut seen = Vec::new();
        for extension in self.extensions() {
            if seen.contains(&extension.extn_id) {
                return Err(CertificateError::DuplicateExtension {
                    oid: extension.extn_id.to_string(),
                });
            }
            let is_known = KNOWN_CRITICAL.contains(&extension.extn_id)
                || also_known.contains(&extension.extn_id);
            if extension.critical && !is_known {
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

    pub(crate) fn subject(&self) -> &Name {
        self.tbs.subject()
    }

    /// The common name of the subject, if it has exactly one.
    pub(crate) fn common_name(&self) -> Option<String> {
        let name = self.subject().common_name().ok()??;
        Some(name.value().into_owned())
    }

    pub(crate) fn issuer(&self) -> &Name {
        self.tbs.issuer()
    }

    pub(crate) fn serial(&self) -> &[u8] {
        self.tbs.serial_number().as_bytes()
    }

    pub(crate) fn extensions(&self) -> &[Extension] {
        self.tbs.extensions().map_or(&[], Vec::as_slice)
    }

    /// The value of an extension.
    pub(crate) fn extension(&self, oid: ObjectIdentifier) -> Option<&[u8]> {
        let found = self.extensions().iter().find(|one| one.extn_id == oid)?;
        Some(found.extn_value.as_bytes())
    }

    /// The key, if it is of a kind that this crate verifies with.
    pub(crate) fn public_key(&self) -> Option<PublicKey> {
        PublicKey::from_spki(&self.tbs.subject_public_key_info().to_der().ok()?)
    }

    /// The bits of the key, without its algorithm, by which answers about
    /// revocation name an issuer (RFC 6960, section 4.1.1).
    pub(crate) fn public_key_bits(&self) -> &[u8] {
        let info = self.tbs.subject_public_key_info();
        info.subject_public_key.raw_bytes()
    }

    /// How the certificate is signed.
    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether the certificate may sign certificates.
    pub(crate) fn is_authority(&self) -> bool {
        let constraints = self.tbs.get_extension::<BasicConstraints>();
        let usage = self.tbs.get_extension::<KeyUsage>();
        matches!(constraints, Ok(Some((_, constraints))) if constraints.ca)
            && matches!(usage, Ok(Some((_, usage))) if usage.key_cert_sign())
    }

    /// Whether the certificate says that it is no authority, or says nothing.
    pub(crate) fn is_end_entity(&self) -> bool {
        match self.tbs.get_extension::<BasicConstraints>() {
            Ok(Some((_, constraints))) => !constraints.ca,
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Whether the certificate may sign revocation lists.
    pub(crate) fn may_sign_revocation_lists(&self) -> bool {
        matches!(self.tbs.get_extension::<KeyUsage>(), Ok(Some((_, usage))) if usage.crl_sign())
    }

    /// Whether the certificate's key may sign other things than certificates:
    /// it says so, or says nothing about usage.
    pub(crate) fn may_sign(&self) -> bool {
        match self.tbs.get_extension::<KeyUsage>() {
            Ok(Some((_, usage))) => usage.digital_signature(),
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// How many authorities may stand between this one and the leaf; `None` is
    /// no limit.
    pub(crate) fn path_length(&self) -> Option<u8> {
        match self.tbs.get_extension::<BasicConstraints>() {
            Ok(Some((_, constraints))) => constraints.path_len_constraint,
            _ => None,
        }
    }

    /// A digest of all that decides whether the key with the digest `issuer` signed
    /// this certificate.
    pub(crate) fn link_to(&self, issuer: &Sha256Digest) -> Sha256Digest {
        // Of fixed length each, so that no two inputs run together.
        let parts = [
            *issuer.as_bytes(),
            *Sha256Digest::of(format!("{:?}", self.scheme).as_bytes()).as_bytes(),
            *Sha256Digest::of(&self.content).as_bytes(),
            *Sha256Digest::of(&self.signature).as_bytes(),
        ];
        Sha256Digest::of(parts.as_flattened())
    }

    /// Whether `issuer` signed this certificate.
    pub(crate) fn is_signed_by(&self, issuer: &PublicKey) -> bool {
        issuer.verifies(self.scheme, &self.content, &self.signature)
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

    /// The bytes are not one version-3 certificate signed in a known way.
    #[error("not an X.509 version 3 certificate with a known kind of signature")]
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

const KNOWN_CRITICAL: [ObjectIdentifier; 2] = [
    // id-ce-keyUsage, id-ce-basicConstraints (RFC 5280, sections 4.2.1.3 and .9).
    ObjectIdentifier::new_unwrap("2.5.29.15"),
    ObjectIdentifier::new_unwrap("2.5.29.19"),
];
