//! The list of slots, signed by the account (spec/history.md §4).

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::account::Known;
use crate::seal::sha256;
use crate::slot::PUBLIC_KEY_LEN;
use crate::wire::Reader;
use crate::{AccountId, HistoryError, SlotId, SlotKind};

const MAGIC: &[u8] = b"SHR1";
const LABEL: &[u8] = b"subrosa/history/1/roster";
const LINK_LABEL: &[u8] = b"subrosa/history/1/link";
const SIGNATURE_LEN: usize = 64;

/// Bytes of an identity's public half.
pub(crate) const IDENTITY_LEN: usize = 32;
pub(crate) const MAX_LINKS: usize = 1024;
pub(crate) const MAX_SLOTS: usize = 32;

/// A list of slots whose signature was verified, by an identity that is known.
#[derive(Clone, Eq, PartialEq)]
pub struct Roster {
    pub(crate) account: AccountId,
    pub(crate) version: u64,
    pub(crate) previous: [u8; 32],
    pub(crate) epoch: u32,
    pub(crate) first: [u8; IDENTITY_LEN],
    pub(crate) links: Vec<Link>,
    pub(crate) slots: Vec<Slot>,
    /// H of the bytes it was read from, or written to.
    pub(crate) digest: [u8; 32],
}

/// An identity and the word of the one before.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Link {
    pub(crate) next: [u8; IDENTITY_LEN],
    pub(crate) signature: [u8; SIGNATURE_LEN],
}

#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Slot {
    pub(crate) id: SlotId,
    pub(crate) kind: SlotKind,
    pub(crate) public_key: [u8; PUBLIC_KEY_LEN],
    /// The account's secrets, sealed to it.
    pub(crate) sealed: Vec<u8>,
}

impl Link {
    pub(crate) fn sign(account: AccountId, old: &SigningKey, next: [u8; IDENTITY_LEN]) -> Self {
        let message = [LINK_LABEL, &account.0, &next].concat();
        Self {
            next,
            signature: old.sign(&message).to_bytes(),
        }
    }
}

impl Roster {
    /// The longest roster, in bytes.
    pub const MAX_LEN: usize = 256 * 1024 + MAX_SLOTS * (64 * 1024 + 2048);

    /// Reads a roster, and verifies it against what is known.
    pub(crate) fn verify(
        bytes: &[u8],
        account: AccountId,
        known: &Known,
    ) -> Result<Self, HistoryError> {
        const WHAT: HistoryError = HistoryError::Malformed("a list of slots");
        if bytes.len() > Self::MAX_LEN {
            return Err(WHAT);
        }
        let (roster, signature) = Self::parse(bytes).ok_or(WHAT)?;
        if roster.account != account {
            return Err(HistoryError::OtherAccount);
        }
        roster
            .check_signatures(bytes, &signature, &known.identity)
            .ok_or(HistoryError::RosterUnsigned)?;
        if roster.version < known.version {
            return Err(HistoryError::RosterRolledBack {
                found: roster.version,
                known: known.version,
            });
        }
        let replaced = roster.version == known.version && roster.digest != known.digest;
        let next = known.version.checked_add(1) == Some(roster.version);
        if replaced || (next && roster.previous != known.digest) {
            return Err(HistoryError::RosterForked);
        }
        Ok(roster)
    }

    /// The newest identity.
    pub(crate) fn identity(&self) -> [u8; IDENTITY_LEN] {
        self.links.last().map_or(self.first, |link| link.next)
    }

    /// What a device remembers of it.
    pub(crate) fn known(&self) -> Known {
        Known {
            identity: self.identity(),
            version: self.version,
            digest: self.digest,
        }
    }

    /// Slots and their kinds.
    pub fn slots(&self) -> impl Iterator<Item = (SlotId, SlotKind)> {
        self.slots.iter().map(|slot| (slot.id, slot.kind))
    }

    /// Its version, from 1.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The epoch of the account key.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether history may be kept: with two slots, one of which is not a device.
    #[must_use]
    pub fn may_synchronise(&self) -> bool {
        let is_portable = |slot: &Slot| slot.kind != SlotKind::Device;
        self.slots.len() >= 2 && self.slots.iter().any(is_portable)
    }

    /// Signs it, and gives its bytes.
    pub(crate) fn sign(&mut self, identity: &SigningKey) -> Result<Vec<u8>, HistoryError> {
        if self.slots.len() > MAX_SLOTS {
            return Err(HistoryError::TooMany("ways in"));
        }
        if self.links.len() > MAX_LINKS {
            return Err(HistoryError::TooMany("identities"));
        }
        self.slots.sort_by_key(|slot| slot.id);
        let mut bytes = self.unsigned()?;
        let message = [LABEL, &bytes].concat();
        bytes.extend_from_slice(&identity.sign(&message).to_bytes());
        self.digest = sha256(&[&bytes]);
        Ok(bytes)
    }

    fn unsigned(&self) -> Result<Vec<u8>, HistoryError> {
        let count =
            |length: usize, what| u16::try_from(length).map_err(|_| HistoryError::TooMany(what));
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.account.0);
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.extend_from_slice(&self.previous);
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.first);
        bytes.extend_from_slice(&count(self.links.len(), "identities")?.to_be_bytes());
        for link in &self.links {
            bytes.extend_from_slice(&link.next);
            bytes.extend_from_slice(&link.signature);
        }
        let slots = u8::try_from(self.slots.len()).map_err(|_| HistoryError::TooMany("ways in"))?;
        bytes.push(slots);
        for slot in &self.slots {
            bytes.extend_from_slice(&slot.id.0);
            bytes.push(slot.kind.byte());
            bytes.extend_from_slice(&slot.public_key);
            bytes.extend_from_slice(&count(slot.sealed.len(), "keys")?.to_be_bytes());
            bytes.extend_from_slice(&slot.sealed);
        }
        Ok(bytes)
    }

    fn parse(bytes: &[u8]) -> Option<(Self, [u8; SIGNATURE_LEN])> {
        let mut reader = Reader::new(bytes);
        reader.expect(MAGIC)?;
        let account = AccountId(reader.array()?);
        let version = reader.u64().filter(|version| *version > 0)?;
        let previous = reader.array()?;
        let epoch = reader.u32().filter(|epoch| *epoch > 0)?;
        let first = reader.array()?;
        let links = usize::from(reader.u16()?);
        if links > MAX_LINKS {
            return None;
        }
        let links = (0..links)
            .map(|_| {
                Some(Link {
                    next: reader.array()?,
                    signature: reader.array()?,
                })
            })
            .collect::<Option<Vec<_>>>()?;
        let count = usize::from(reader.u8()?);
        if count == 0 || count > MAX_SLOTS {
            return None;
        }
        let slots = (0..count)
            .map(|_| Slot::read(&mut reader))
            .collect::<Option<Vec<_>>>()?;
        if !slots.is_sorted_by(|one, other| one.id < other.id) {
            return None;
        }
        let signature = reader.array()?;
        reader.end()?;
        let digest = sha256(&[bytes]);
        let roster = Self {
            account,
            version,
            previous,
            epoch,
            first,
            links,
            slots,
            digest,
        };
        Some((roster, signature))
    }

    /// All links, and the last identity's signature; and that the known identity is one of them.
    fn check_signatures(
        &self,
        bytes: &[u8],
        signature: &[u8; SIGNATURE_LEN],
        known: &[u8; IDENTITY_LEN],
    ) -> Option<()> {
        let mut identity = VerifyingKey::from_bytes(&self.first).ok()?;
        let mut is_known = self.first == *known;
        for link in &self.links {
            let message = [LINK_LABEL, &self.account.0, &link.next].concat();
            identity
                .verify_strict(&message, &Signature::from_bytes(&link.signature))
                .ok()?;
            identity = VerifyingKey::from_bytes(&link.next).ok()?;
            is_known |= link.next == *known;
        }
        let unsigned = bytes.get(..bytes.len().checked_sub(SIGNATURE_LEN)?)?;
        let message = [LABEL, unsigned].concat();
        identity
            .verify_strict(&message, &Signature::from_bytes(signature))
            .ok()?;
        is_known.then_some(())
    }
}

impl Slot {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let id = SlotId(reader.array()?);
        let kind = SlotKind::read(reader.u8()?)?;
        let public_key = reader.array()?;
        let length = usize::from(reader.u16()?);
        Some(Self {
            id,
            kind,
            public_key,
            sealed: reader.take(length)?.to_vec(),
        })
    }
}
