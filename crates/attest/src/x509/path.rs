//! Certification paths (RFC 5280, section 6.1) to a pinned key.

use super::{Certificate, known};
use crate::appraisal::Code;
use crate::identifiers::Sha256Digest;
use crate::signature::PublicKey;
use crate::time::UnixSeconds;

/// Most certificates in a path.
pub(crate) const MAX_CERTIFICATES: usize = 8;

/// Checks `path`, leaf first and pinned certificate last, as of `now`, and gives
/// back the leaf's key.
///
/// Each certificate must be valid now, name the next one's subject as its issuer
/// and carry a signature by the next one's key; each but the leaf must be an
/// authority that allows a path of this length. The last one must be its own issuer,
/// and its key among `pins`. The leaf must be no authority, and may sign.
///
/// # Errors
///
/// [`PathError`] says what failed and where, counted from the leaf, which is 0.
pub(crate) fn verify(
    path: &[Certificate],
    pins: &[Sha256Digest],
    now: UnixSeconds,
) -> Result<PublicKey, PathError> {
    verify_sharing(path, pins, now, &mut Links::default())
}

/// The same for one of several paths in an appraisal, which may share certificates:
/// every check is made for every path, but a signature over the same bytes by the same
/// key is computed once.
///
/// # Errors
///
/// As [`verify`].
pub(crate) fn verify_sharing(
    path: &[Certificate],
    pins: &[Sha256Digest],
    now: UnixSeconds,
    links: &mut Links,
) -> Result<PublicKey, PathError> {
    let (Some(first), Some(last)) = (path.first(), path.last()) else {
        return Err(PathError::Length { got: 0 });
    };
    if path.len() > MAX_CERTIFICATES {
        return Err(PathError::Length { got: path.len() });
    }
    check_pin(last, path.len().saturating_sub(1), pins)?;
    if !(first.is_end_entity() && first.may_sign()) {
        return Err(PathError::Usage { at: 0 });
    }
    for (at, certificate) in path.iter().enumerate() {
        check_authority(certificate, at)?;
        let issuer = path.get(at.saturating_add(1)).unwrap_or(certificate);
        check_issuer(certificate, issuer, at, links)?;
        check_validity(certificate, at, now)?;
    }
    first.public_key().ok_or(PathError::Key { at: 0 })
}

fn check_pin(last: &Certificate, at: usize, pins: &[Sha256Digest]) -> Result<(), PathError> {
    let digest = last.public_key_digest().ok_or(PathError::Key { at })?;
    if pins.contains(&digest) {
        Ok(())
    } else {
        Err(PathError::RootNotPinned { digest })
    }
}

/// RFC 5280, sections 4.2.1.3 and 4.2.1.9: between the authority at `at` and the
/// leaf there are `at - 1` others.
fn check_authority(certificate: &Certificate, at: usize) -> Result<(), PathError> {
    let Some(between) = at.checked_sub(1) else {
        return Ok(());
    };
    let long_enough = certificate
        .path_length()
        .is_none_or(|limit| between <= usize::from(limit));
    if certificate.is_authority() && long_enough {
        Ok(())
    } else {
        Err(PathError::Usage { at })
    }
}

fn check_issuer(
    certificate: &Certificate,
    issuer: &Certificate,
    at: usize,
    links: &mut Links,
) -> Result<(), PathError> {
    if certificate.issuer() != issuer.subject() {
        return Err(PathError::Issuer { at });
    }
    let key = issuer.public_key().ok_or(PathError::Key {
        at: at.saturating_add(1),
    })?;
    if links.verify(certificate, issuer, &key) {
        Ok(())
    } else {
        Err(PathError::Signature { at })
    }
}

/// The signatures on certificates that are known to verify: those of vendors'
/// authorities from the start ([`known`]), others as they verified in one appraisal.
/// Only what verified is remembered, by the digest of all that the answer depends on.
#[derive(Debug, Default)]
pub(crate) struct Links(Vec<Sha256Digest>);

impl Links {
    /// Whether `issuer`, whose key is `key`, signed `certificate`.
    pub(crate) fn verify(
        &mut self,
        certificate: &Certificate,
        issuer: &Certificate,
        key: &PublicKey,
    ) -> bool {
        let link = issuer
            .public_key_digest()
            .map(|issuer| certificate.link_to(&issuer));
        if link.is_some_and(|link| known::contains(&link) || self.0.contains(&link)) {
            return true;
        }
        let verifies = certificate.is_signed_by(key);
        if verifies && self.0.len() < MAX_LINKS {
            self.0.extend(link);
        }
        verifies
    }
}

/// Certificates of the largest machine, and some to spare.
const MAX_LINKS: usize = 256;

fn check_validity(certificate: &Certificate, at: usize, now: UnixSeconds) -> Result<(), PathError> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    if now < not_before {
        return Err(PathError::NotYetValid {
            at,
            not_before,
            now,
        });
    }
    if now > not_after {
        return Err(PathError::Expired { at, not_after, now });
    }
    Ok(())
}

/// Why a certification path was refused. Positions count from the leaf, 0.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// A certificate is malformed.
    #[error("certificate {at}: {source}")]
    Certificate {
        /// Which certificate.
        at: usize,
        /// What is wrong with it.
        source: super::CertificateError,
    },

    /// A certificate is past its validity.
    #[error("certificate {at} expired at {not_after}, it is {now}")]
    Expired {
        /// Which certificate.
        at: usize,
        /// Last valid second.
        not_after: UnixSeconds,
        /// The time of the check.
        now: UnixSeconds,
    },

    /// A certificate names another issuer than the certificate above it.
    #[error("certificate {at} names another issuer")]
    Issuer {
        /// Which certificate.
        at: usize,
    },

    /// A certificate holds a key of a kind that is not accepted.
    #[error("certificate {at} holds a key of the wrong kind")]
    Key {
        /// Which certificate.
        at: usize,
    },

    /// The path is empty or too long.
    #[error("{got} certificates in the path, allowed are 1 to {MAX_CERTIFICATES}")]
    Length {
        /// How many there are.
        got: usize,
    },

    /// A certificate is not valid yet.
    #[error("certificate {at} is valid from {not_before}, it is {now}")]
    NotYetValid {
        /// Which certificate.
        at: usize,
        /// First valid second.
        not_before: UnixSeconds,
        /// The time of the check.
        now: UnixSeconds,
    },

    /// The last certificate's key is not one of those pinned.
    #[error("root key {digest} is not pinned")]
    RootNotPinned {
        /// SHA-256 of the key's `SubjectPublicKeyInfo`.
        digest: Sha256Digest,
    },

    /// A certificate's signature does not verify under the key above it.
    #[error("certificate {at}'s signature does not verify")]
    Signature {
        /// Which certificate.
        at: usize,
    },

    /// A certificate may not be used for what it is used for.
    #[error("certificate {at} may not be used in its place")]
    Usage {
        /// Which certificate.
        at: usize,
    },
}

impl PathError {
    /// The stable code of this refusal.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Certificate { .. }
            | Self::Key { .. }
            | Self::Length { .. }
            | Self::Usage { .. } => Code::CertificateMalformed,
            Self::Expired { .. } => Code::CertificateExpired,
            Self::NotYetValid { .. } => Code::CertificateNotYetValid,
            Self::RootNotPinned { .. } => Code::RootNotPinned,
            Self::Issuer { .. } | Self::Signature { .. } => Code::CertificateSignature,
        }
    }
}

#[cfg(test)]
mod tests;
