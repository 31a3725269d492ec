//! An account whose secrets are open, and its changes of slots.

use ed25519_dalek::SigningKey;
use hpke::{
    Deserializable as _, OpModeR, OpModeS, Serializable as _, setup_receiver, setup_sender_with_rng,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::history::Pin;
use crate::roster::{IDENTITY_LEN, Link, MAX_LINKS, MAX_SLOTS, Roster, Slot};
use crate::seal::Key;
use crate::slot::{Kem, OwnSlot, PUBLIC_KEY_LEN, PublicKey, SlotSecret, public_key_bytes};
use crate::wire::Reader;
use crate::{AccountId, HistoryError, SlotId};

type Kdf = hpke::kdf::HkdfSha256;
type Aead = hpke::aead::ChaCha20Poly1305;
type EncappedKey = <Kem as hpke::Kem>::EncappedKey;

const ENC_LEN: usize = 1120;
const MAX_EPOCHS: usize = 256;
const LABEL: &[u8] = b"subrosa/history/1/slot";

/// What a device remembers of an account's list of slots.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Known {
    /// The newest identity of the account.
    pub identity: [u8; IDENTITY_LEN],
    /// The list's version.
    pub version: u64,
    /// H of the list.
    pub digest: [u8; 32],
}

/// An account whose secrets are open. It is made only from a slot that opened and a list of slots that the account signed.
#[derive(Clone)]
pub struct Account {
    id: AccountId,
    secrets: Secrets,
    roster: Roster,
    own: OwnSlot,
}

/// A change that counts once the store has taken it.
pub struct Change {
    /// The account afterwards.
    pub account: Account,
    /// The new list of slots.
    pub roster: Vec<u8>,
    /// The new slot and its locked private key.
    pub locked: Option<(SlotId, Vec<u8>)>,
}

/// What every slot knows.
#[derive(Clone)]
struct Secrets {
    identity: SigningKey,
    /// Ascending by epoch, never empty.
    keys: Vec<(u32, Key)>,
}

impl Account {
    /// Makes an account with its first slot.
    ///
    /// # Errors
    ///
    /// None that a generator of random numbers could cause.
    pub fn create(secret: &SlotSecret, rng: &mut impl CryptoRng) -> Result<Change, HistoryError> {
        let id = AccountId::generate(rng);
        let own = OwnSlot::generate(id, secret, rng);
        let secrets = Secrets {
            identity: new_identity(rng),
            keys: vec![(1, new_key(rng))],
        };
        let first = secrets.identity.verifying_key().to_bytes();
        let roster = Roster {
            account: id,
            version: 1,
            previous: [0; 32],
            epoch: 1,
            first,
            links: Vec::new(),
            slots: vec![secrets.seal_to(id, &own, 1, rng)?],
            digest: [0; 32],
        };
        let mut account = Self {
            id,
            secrets,
            roster,
            own,
        };
        let bytes = account.roster.sign(&account.secrets.identity)?;
        let locked = account.lock(&Pin::new(id), rng)?;
        let slot = account.own.id;
        Ok(Change {
            account,
            roster: bytes,
            locked: Some((slot, locked)),
        })
    }

    /// Opens an account through one of its slots. `known` is what this device remembers, if it does: the newer of it and of what the slot remembers
    /// counts. Also gives what the slot's holder saw last of the history.
    ///
    /// # Errors
    ///
    /// [`HistoryError::SlotRefused`] for another secret; otherwise what is wrong with the list of slots.
    pub fn unlock(
        locked: &[u8],
        secret: &SlotSecret,
        roster: &[u8],
        known: Option<&Known>,
    ) -> Result<(Self, Pin), HistoryError> {
        let (id, own, slot_known, pin) = OwnSlot::unlock(locked, secret)?;
        let verified = Roster::verify(roster, id, &slot_known)?;
        if let Some(known) = known {
            Roster::verify(roster, id, known)?;
        }
        let secrets = Secrets::open(id, &own, &verified)?;
        let account = Self {
            id,
            secrets,
            roster: verified,
            own,
        };
        Ok((account, pin))
    }

    /// Takes a newer list of slots from the store.
    ///
    /// # Errors
    ///
    /// What is wrong with the list; [`HistoryError::NoSuchSlot`] when this device's slot was removed.
    pub fn refresh(&self, roster: &[u8]) -> Result<Self, HistoryError> {
        let verified = Roster::verify(roster, self.id, &self.known())?;
        Ok(Self {
            id: self.id,
            secrets: Secrets::open(self.id, &self.own, &verified)?,
            roster: verified,
            own: self.own.clone(),
        })
    }

    /// Adds a slot. The account key stays.
    ///
    /// # Errors
    ///
    /// [`HistoryError::TooMany`].
    pub fn add_slot(
        &self,
        secret: &SlotSecret,
        pin: &Pin,
        rng: &mut impl CryptoRng,
    ) -> Result<Change, HistoryError> {
        if self.roster.slots.len() >= MAX_SLOTS {
            return Err(HistoryError::TooMany("ways in"));
        }
        let slot = OwnSlot::generate(self.id, secret, rng);
        let epoch = self.roster.epoch;
        let mut account = self.clone();
        let sealed = self.secrets.seal_to(self.id, &slot, epoch, rng)?;
        account.roster.slots.push(sealed);
        let roster = account.sign_next()?;
        let locked = slot.lock(self.id, &account.known(), pin, rng)?;
        Ok(Change {
            account,
            roster,
            locked: Some((slot.id, locked)),
        })
    }

    /// Removes a slot: the identity and the account key are made anew, and sealed to the slots that are left.
    ///
    /// # Errors
    ///
    /// [`HistoryError::NoSuchSlot`]; [`HistoryError::SlotInUse`] for the slot that this account was opened with, so that one always is left; [`HistoryError::TooMany`] after a thousand removals.
    pub fn remove_slot(
        &self,
        id: SlotId,
        rng: &mut impl CryptoRng,
    ) -> Result<Change, HistoryError> {
        if !self.roster.slots.iter().any(|slot| slot.id == id) {
            return Err(HistoryError::NoSuchSlot);
        }
        if self.own.id == id {
            return Err(HistoryError::SlotInUse);
        }
        if self.roster.links.len() >= MAX_LINKS || self.secrets.keys.len() >= MAX_EPOCHS {
            return Err(HistoryError::TooMany("removals"));
        }
        let mut account = self.clone();
        let identity = new_identity(rng);
        let next = identity.verifying_key().to_bytes();
        let epoch = self
            .roster
            .epoch
            .checked_add(1)
            .ok_or(HistoryError::TooMany("removals"))?;
        account
            .roster
            .links
            .push(Link::sign(self.id, &self.secrets.identity, next));
        account.roster.epoch = epoch;
        account.secrets.identity = identity;
        account.secrets.keys.push((epoch, new_key(rng)));
        let left = self.roster.slots.iter().filter(|slot| slot.id != id);
        account.roster.slots = left
            .map(|slot| account.secrets.seal_again(self.id, slot, epoch, rng))
            .collect::<Result<_, _>>()?;
        let roster = account.sign_next()?;
        Ok(Change {
            account,
            roster,
            locked: None,
        })
    }

    /// The locked private key of the slot that was used, remembering what is known now. It replaces the one at the store.
    ///
    /// # Errors
    ///
    /// None that a generator of random numbers could cause.
    pub fn lock(&self, pin: &Pin, rng: &mut impl CryptoRng) -> Result<Vec<u8>, HistoryError> {
        self.own.lock(self.id, &self.known(), pin, rng)
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> AccountId {
        self.id
    }

    /// The slot that was used.
    #[must_use]
    pub const fn slot(&self) -> SlotId {
        self.own.id
    }

    /// Its list of slots.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// What this device has to remember of the list of slots.
    #[must_use]
    pub fn known(&self) -> Known {
        self.roster.known()
    }

    pub(crate) fn key(&self, epoch: u32) -> Option<&Key> {
        let keys = &self.secrets.keys;
        keys.iter()
            .find(|(own, _)| *own == epoch)
            .map(|(_, key)| key)
    }

    fn sign_next(&mut self) -> Result<Vec<u8>, HistoryError> {
        self.roster.previous = self.roster.digest;
        self.roster.version = self.roster.version.saturating_add(1);
        self.roster.sign(&self.secrets.identity)
    }

    #[cfg(test)]
    pub(crate) fn roster_mut(&mut self) -> &mut Roster {
        &mut self.roster
    }

    #[cfg(test)]
    pub(crate) fn identity(&self) -> &SigningKey {
        &self.secrets.identity
    }
}

impl Secrets {
    /// The account's secrets, sealed to a new slot.
    fn seal_to(
        &self,
        account: AccountId,
        slot: &OwnSlot,
        epoch: u32,
        rng: &mut impl CryptoRng,
    ) -> Result<Slot, HistoryError> {
        let public_key = slot.public_key().ok_or(HistoryError::WrapRefused)?;
        let empty = Slot {
            id: slot.id,
            kind: slot.kind,
            public_key: public_key_bytes(&public_key),
            sealed: Vec::new(),
        };
        self.seal_again(account, &empty, epoch, rng)
    }

    /// The account's secrets, sealed to a slot of the list.
    fn seal_again(
        &self,
        account: AccountId,
        slot: &Slot,
        epoch: u32,
        rng: &mut impl CryptoRng,
    ) -> Result<Slot, HistoryError> {
        let failed = |_| HistoryError::WrapRefused;
        let key: &[u8; PUBLIC_KEY_LEN] = &slot.public_key;
        let key = PublicKey::from_bytes(key).map_err(failed)?;
        let info = info(account, slot);
        let mode = OpModeS::Base;
        let (enc, mut context) =
            setup_sender_with_rng::<Aead, Kdf, Kem>(&mode, &key, &info, rng).map_err(failed)?;
        let identity = self.identity.verifying_key().to_bytes();
        let sealed = context
            .seal(&self.write(), &aad(epoch, &identity))
            .map_err(failed)?;
        Ok(Slot {
            sealed: [&enc.to_bytes()[..], &sealed].concat(),
            ..slot.clone()
        })
    }

    /// What is sealed to this slot, if it is what the list says.
    fn open(account: AccountId, own: &OwnSlot, roster: &Roster) -> Result<Self, HistoryError> {
        let slot = roster
            .slots
            .iter()
            .find(|slot| slot.id == own.id)
            .ok_or(HistoryError::NoSuchSlot)?;
        let secrets = Self::unseal(account, own, slot, roster).ok_or(HistoryError::WrapRefused)?;
        let is_identity = secrets.identity.verifying_key().to_bytes() == roster.identity();
        let is_epoch = secrets
            .keys
            .last()
            .is_some_and(|(epoch, _)| *epoch == roster.epoch);
        if is_identity && is_epoch {
            Ok(secrets)
        } else {
            Err(HistoryError::WrapRefused)
        }
    }

    fn unseal(account: AccountId, own: &OwnSlot, slot: &Slot, roster: &Roster) -> Option<Self> {
        let (enc, sealed) = slot.sealed.split_at_checked(ENC_LEN)?;
        let enc = EncappedKey::from_bytes(enc).ok()?;
        let info = info(account, slot);
        let key = own.private_key()?;
        let mode = OpModeR::Base;
        let mut context = setup_receiver::<Aead, Kdf, Kem>(&mode, &key, &enc, &info).ok()?;
        let aad = aad(roster.epoch, &roster.identity());
        Self::read(&Zeroizing::new(context.open(sealed, &aad).ok()?))
    }

    fn write(&self) -> Zeroizing<Vec<u8>> {
        // All of the room at once: a vector that grows would leave a copy behind.
        let room = self.keys.len().saturating_mul(36).saturating_add(34);
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        bytes.extend_from_slice(self.identity.as_bytes());
        let count = u16::try_from(self.keys.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&count.to_be_bytes());
        for (epoch, key) in &self.keys {
            bytes.extend_from_slice(&epoch.to_be_bytes());
            bytes.extend_from_slice(key.as_slice());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let seed = Zeroizing::new(reader.array()?);
        let count = usize::from(reader.u16()?);
        if count == 0 || count > MAX_EPOCHS {
            return None;
        }
        let keys = (0..count)
            .map(|_| Some((reader.u32()?, Zeroizing::new(reader.array()?))))
            .collect::<Option<Vec<_>>>()?;
        reader.end()?;
        keys.is_sorted_by(|(one, _), (other, _)| one < other)
            .then(|| Self {
                identity: SigningKey::from_bytes(&seed),
                keys,
            })
    }
}

fn info(account: AccountId, slot: &Slot) -> Vec<u8> {
    [LABEL, &account.0, &slot.id.0, &[slot.kind.byte()]].concat()
}

fn aad(epoch: u32, identity: &[u8; IDENTITY_LEN]) -> Vec<u8> {
    [&epoch.to_be_bytes()[..], identity].concat()
}

fn new_identity(rng: &mut impl CryptoRng) -> SigningKey {
    SigningKey::from_bytes(&new_key(rng))
}

fn new_key(rng: &mut impl CryptoRng) -> Key {
    let mut key = Zeroizing::new([0; 32]);
    rng.fill_bytes(key.as_mut_slice());
    key
}

#[cfg(test)]
mod tests;
