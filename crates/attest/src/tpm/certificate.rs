//! Certificates of attestation keys.

use der::asn1::{AnyRef, ObjectIdentifier, UintRef, Utf8StringRef};
use der::{Decode, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};
use x509_cert::ext::pkix::ExtendedKeyUsage;

use super::anchors::{Anchors, Profile};
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
        if ![Profile::Tcg, Profile::GoogleInstance]
            .iter()
            .any(|profile| profile.holds(&leaf))
        {
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
        let key = path::verify(&path, &anchors.keys(), now)?;
        let root = path.last().and_then(Certificate::public_key_digest);
        let profile = root.and_then(|root| anchors.profile(&root));
        if profile.is_some_and(|profile| profile.holds(&leaf)) {
            Ok(Certification::Good(key))
        } else {
            Err(CertificationError::Usage)
        }
    }
}

/// From the leaf upwards by the issuers' names to one that is its own issuer. Of several with one name, which vendors
/// have, the one that signed.
fn find_path(leaf: Certificate, authorities: &[Certificate]) -> Option<Vec<Certificate>> {
    let mut path = vec![leaf];
    while path.len() < MAX_CERTIFICATES {
        let last = path.last()?;
        if path.len() > 1 && last.issuer() == last.subject() {
            return Some(path);
        }
        let mut named = authorities
            .iter()
            .filter(|one| one.subject() == last.issuer());
        let first = named.next()?;
        let signed =
            |one: &&Certificate| one.public_key().is_some_and(|key| last.is_signed_by(&key));
        let above = match named.next() {
            Some(second) => [first, second].into_iter().chain(named).find(signed)?,
            None => first,
        };
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

impl Profile {
    /// Whether `leaf` is written as a certificate of an attestation key.
    fn holds(self, leaf: &Certificate) -> bool {
        match self {
            Self::GoogleInstance => leaf
                .extension(GOOGLE_INSTANCE)
                .is_some_and(is_of_production),
            Self::Tcg => leaf
                .extension(EXTENDED_KEY_USAGE)
                .and_then(|value| ExtendedKeyUsage::from_der(value).ok())
                .is_some_and(|usage| usage.0.contains(&ATTESTATION_KEY)),
        }
    }
}

/// `SEQUENCE { zone, project number, project, instance number, instance, [0] SEQUENCE { [0] version, [1] production,
/// … } }`: the last part is there and says that the instance is none of Google's own tests.
fn is_of_production(extension: &[u8]) -> bool {
    let read = |reader: &mut SliceReader<'_>| {
        reader.sequence(|inner| {
            let _zone = Utf8StringRef::decode(inner)?;
            let _project_number = UintRef::decode(inner)?;
            let _project = Utf8StringRef::decode(inner)?;
            let _instance_number = UintRef::decode(inner)?;
            let _instance = Utf8StringRef::decode(inner)?;
            explicit(inner, 0, |properties| {
                properties.sequence(|inner| {
                    let _version = explicit(inner, 0, UintRef::decode)?;
                    let production = explicit(inner, 1, bool::decode)?;
                    while !inner.is_finished() {
                        inner.tlv_bytes()?;
                    }
                    Ok(production)
                })
            })
        })
    };
    SliceReader::new(extension).is_ok_and(|mut reader| {
        read(&mut reader).is_ok_and(|production| production) && reader.is_finished()
    })
}

/// Reads what is wrapped in the explicit tag `[number]`, whole.
fn explicit<'a, T>(
    reader: &mut SliceReader<'a>,
    number: u32,
    read: impl FnOnce(&mut SliceReader<'a>) -> der::Result<T>,
) -> der::Result<T> {
    let field = AnyRef::decode(reader)?;
    let expected = Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(number),
    };
    field.tag().assert_eq(expected)?;
    let mut inner = SliceReader::new(field.value())?;
    let value = read(&mut inner)?;
    inner.finish()?;
    Ok(value)
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
const GOOGLE_INSTANCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.1.21");
const ATTESTATION_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.8.3");
