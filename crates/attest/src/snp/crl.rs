//! The revocation list that an AMD root signs (AMD 57230, "CRL"): it lists
//! intermediate keys. VCEKs are not revoked: newer firmware supersedes them, and
//! the TCB floor of the policy refuses the old ones.
//!
//! AMD publishes a list beside the VCEKs and another beside the VLEKs (AMD 58369).
//! Both come from the same root, and nothing inside says which is which. A list
//! without an issuing distribution point is its issuer's complete list (RFC 5280,
//! section 5.2.5), so either applies to both intermediates; one that has such an
//! extension covers a part, and is refused.

use der::oid::ObjectIdentifier;
use der::{Decode, Encode};
use x509_cert::Version;
use x509_cert::certificate::Raw;
use x509_cert::crl::TbsCertList;

use super::chain::VerifiedChain;
use crate::signature::{Hash, Scheme};
use crate::time::UnixSeconds;
use crate::x509::signed::{SignedObject, scheme};

/// A revocation list of which nothing is verified.
#[derive(Clone, Debug)]
pub struct RevocationList {
    content: Vec<u8>,
    signature: Vec<u8>,
    list: TbsCertList<Raw>,
    this_update: UnixSeconds,
    next_update: UnixSeconds,
}

impl RevocationList {
    /// Largest list that is read, in bytes. AMD's have less than 1,000.
    pub const MAX_LEN: usize = 32 * 1024;

    /// Reads one list in DER, with nothing behind it.
    ///
    /// # Errors
    ///
    /// [`RevocationError::Format`] or [`RevocationError::TooLong`]. No
    /// cryptography is done here.
    pub fn parse(der: &[u8]) -> Result<Self, RevocationError> {
        if der.len() > Self::MAX_LEN {
            return Err(RevocationError::TooLong { got: der.len() });
        }
        Self::read(der).ok_or(RevocationError::Format)
    }

    fn read(der: &[u8]) -> Option<Self> {
        let object = SignedObject::split(der)?;
        let expected = Scheme::RsaPss(Hash::Sha384);
        let list = TbsCertList::<Raw>::from_der(object.content).ok()?;
        let inner_algorithm = list.signature.to_der().ok()?;
        let complete = list.version == Version::V2
            && object.scheme == expected
            && scheme(&inner_algorithm) == Some(expected)
            && has_only_known_critical_extensions(&list);
        complete.then_some(())?;
        Some(Self {
            content: object.content.to_vec(),
            signature: object.signature.to_vec(),
            this_update: UnixSeconds::new(list.this_update.to_unix_duration().as_secs()),
            next_update: UnixSeconds::new(list.next_update?.to_unix_duration().as_secs()),
            list,
        })
    }

    /// Checks who signed the list and that nothing in `chain` is on it.
    ///
    /// A listed certificate stays revoked, so this holds for an old list too;
    /// [`RevocationList::check_window`] says whether the list is recent.
    ///
    /// # Errors
    ///
    /// [`RevocationError::Issuer`], [`RevocationError::Signature`] or
    /// [`RevocationError::Revoked`].
    pub fn check_against(&self, chain: &VerifiedChain) -> Result<(), RevocationError> {
        if self.list.issuer != *chain.root_name() {
            return Err(RevocationError::Issuer);
        }
        let scheme = Scheme::RsaPss(Hash::Sha384);
        if !chain
            .root_key()
            .verifies(scheme, &self.content, &self.signature)
        {
            return Err(RevocationError::Signature);
        }
        for entry in self.list.revoked_certificates.iter().flatten() {
            let serial = entry.serial_number.as_bytes();
            if chain.serials().iter().any(|used| used == serial) {
                return Err(RevocationError::Revoked {
                    serial: hex::encode(serial),
                });
            }
        }
        Ok(())
    }

    /// Checks that `now` lies between the list's two dates.
    ///
    /// # Errors
    ///
    /// [`RevocationError::NotYetValid`] or [`RevocationError::Stale`].
    pub fn check_window(&self, now: UnixSeconds) -> Result<(), RevocationError> {
        if now < self.this_update {
            return Err(RevocationError::NotYetValid {
                this_update: self.this_update,
                now,
            });
        }
        if now > self.next_update {
            return Err(RevocationError::Stale {
                next_update: self.next_update,
                now,
            });
        }
        Ok(())
    }

    /// When the list was issued.
    #[must_use]
    pub fn this_update(&self) -> UnixSeconds {
        self.this_update
    }

    /// When the issuer promised the next list.
    #[must_use]
    pub fn next_update(&self) -> UnixSeconds {
        self.next_update
    }
}

/// A critical extension can narrow what a list means, so an unknown one makes it
/// useless (RFC 5280, section 5.2). None that AMD uses is critical.
fn has_only_known_critical_extensions(list: &TbsCertList<Raw>) -> bool {
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

/// A delta list (RFC 5280, section 5.2.4) or a list of one distribution point
/// (section 5.2.5) is not a complete list, even if it forgets to say so critically.
const OF_PARTIAL_LISTS: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("2.5.29.27"),
    ObjectIdentifier::new_unwrap("2.5.29.28"),
];

/// Why a revocation list was refused, or refused a chain.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationError {
    /// The bytes are not one version-2 list signed with RSASSA-PSS and SHA-384
    /// that says when the next one comes.
    #[error("not a complete X.509 version 2 revocation list signed with RSASSA-PSS and SHA-384")]
    Format,

    /// The list names another issuer than the chain's root.
    #[error("revocation list names another issuer")]
    Issuer,

    /// The list is from the future.
    #[error("revocation list is valid from {this_update}, it is {now}")]
    NotYetValid {
        /// The list's `thisUpdate`.
        this_update: UnixSeconds,
        /// The time of the check.
        now: UnixSeconds,
    },

    /// A certificate of the chain is on the list.
    #[error("certificate with serial number {serial} is revoked")]
    Revoked {
        /// Its serial number, in hexadecimal.
        serial: String,
    },

    /// The list's signature does not verify under the chain's root key.
    #[error("revocation list signature does not verify")]
    Signature,

    /// The next list is due.
    #[error("revocation list was to be replaced at {next_update}, it is {now}")]
    Stale {
        /// The list's `nextUpdate`.
        next_update: UnixSeconds,
        /// The time of the check.
        now: UnixSeconds,
    },

    /// The input is longer than [`RevocationList::MAX_LEN`].
    #[error(
        "revocation list is {got} bytes long, at most {} are read",
        RevocationList::MAX_LEN
    )]
    TooLong {
        /// Length of the input, in bytes.
        got: usize,
    },
}

#[cfg(test)]
mod tests;
