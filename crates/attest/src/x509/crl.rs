//! Revocation lists (RFC 5280, section 5) of an authority whose certificate is
//! verified.

use der::oid::ObjectIdentifier;
use der::{Decode, Encode};
use x509_cert::Version;
use x509_cert::certificate::Raw;
use x509_cert::crl::TbsCertList;

use super::Certificate;
use super::signed::{SignedObject, scheme};
use crate::appraisal::Code;
use crate::signature::Scheme;
use crate::time::UnixSeconds;

/// A complete list of which nothing is verified.
#[derive(Clone, Debug)]
pub(crate) struct RevocationList {
    content: Vec<u8>,
    scheme: Scheme,
    signature: Vec<u8>,
    list: TbsCertList<Raw>,
    next_update: UnixSeconds,
}

impl RevocationList {
    /// Largest list that is read, in bytes.
    pub(crate) const MAX_LEN: usize = 1024 * 1024;

    /// Reads one list in DER, with nothing behind it.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, CrlError> {
        if der.len() > Self::MAX_LEN {
            return Err(CrlError::Format);
        }
        Self::read(der).ok_or(CrlError::Format)
    }

    fn read(der: &[u8]) -> Option<Self> {
        let object = SignedObject::split(der)?;
        let list = TbsCertList::<Raw>::from_der(object.content).ok()?;
        let inner_algorithm = list.signature.to_der().ok()?;
        let complete = list.version == Version::V2
            && scheme(&inner_algorithm) == Some(object.scheme)
            && has_only_plain_extensions(&list);
        complete.then_some(())?;
        Some(Self {
            content: object.content.to_vec(),
            scheme: object.scheme,
            signature: object.signature.to_vec(),
            next_update: UnixSeconds::new(list.next_update?.to_unix_duration().as_secs()),
            list,
        })
    }

    /// Checks that `issuer`, which must be verified, issued the list, and that
    /// none of `certificates`, all issued by it, is on it. The window comes last:
    /// what is on an old list is revoked all the same.
    ///
    /// # Errors
    ///
    /// [`CrlError`] says what failed.
    pub(crate) fn check(
        &self,
        issuer: &Certificate,
        certificates: &[&Certificate],
        now: UnixSeconds,
    ) -> Result<UnixSeconds, CrlError> {
        if self.list.issuer != *issuer.subject() {
            return Err(CrlError::Issuer);
        }
        let verifies = issuer
            .public_key()
            .is_some_and(|key| key.verifies(self.scheme, &self.content, &self.signature));
        if !verifies || !issuer.may_sign_revocation_lists() {
            return Err(CrlError::Signature);
        }
        for entry in self.list.revoked_certificates.iter().flatten() {
            let serial = entry.serial_number.as_bytes();
            if certificates.iter().any(|one| one.serial() == serial) {
                return Err(CrlError::Revoked {
                    serial: hex::encode(serial),
                });
            }
        }
        let this_update = self.this_update();
        if now < this_update || now > self.next_update {
            return Err(CrlError::Stale {
                this_update,
                next_update: self.next_update,
                now,
            });
        }
        Ok(self.next_update)
    }

    /// When the list was issued.
    pub(crate) fn this_update(&self) -> UnixSeconds {
        UnixSeconds::new(self.list.this_update.to_unix_duration().as_secs())
    }
}

/// A critical extension can narrow what a list means, so an unknown one makes it
/// useless (section 5.2); a delta list (section 5.2.4) or a list of one distribution
/// point (section 5.2.5) is not a complete one.
fn has_only_plain_extensions(list: &TbsCertList<Raw>) -> bool {
    let of_list = list.crl_extensions.iter().flatten();
    let of_entries = list
        .revoked_certificates
        .iter()
        .flatten()
        .filter_map(|entry| entry.crl_entry_extensions.as_ref())
        .flatten();
    of_list
        .chain(of_entries)
        .all(|extension| !extension.critical && !OF_PARTIAL_LISTS.contains(&extension.extn_id))
}

const OF_PARTIAL_LISTS: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("2.5.29.27"),
    ObjectIdentifier::new_unwrap("2.5.29.28"),
];

/// Why a revocation list was refused, or refused a certificate.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum CrlError {
    /// The bytes are not one complete version-2 list that says when the next one
    /// comes.
    #[error("not a complete X.509 version 2 revocation list")]
    Format,

    /// The list names another issuer.
    #[error("revocation list names another issuer")]
    Issuer,

    /// A certificate is on the list.
    #[error("certificate with serial number {serial} is revoked")]
    Revoked {
        /// Its serial number, in hexadecimal.
        serial: String,
    },

    /// The list's signature does not verify under the issuer's key.
    #[error("revocation list signature does not verify")]
    Signature,

    /// The list is from the future, or the next one is due.
    #[error("revocation list is good from {this_update} to {next_update}, it is {now}")]
    Stale {
        /// The list's `thisUpdate`.
        this_update: UnixSeconds,
        /// The list's `nextUpdate`.
        next_update: UnixSeconds,
        /// The time of the check.
        now: UnixSeconds,
    },
}

impl CrlError {
    /// The stable code of this refusal.
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::Format | Self::Issuer | Self::Signature => Code::RevocationListInvalid,
            Self::Revoked { .. } => Code::Revoked,
            Self::Stale { .. } => Code::RevocationListStale,
        }
    }
}

#[cfg(test)]
mod tests;
