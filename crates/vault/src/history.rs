//! The chain of records, as one device follows it (spec/history.md §5 and §6).

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::record::{RecordHeader, Stub, head_after, head_of_nothing};
use crate::seal::sha256;
use crate::{Account, AccountId, HistoryError, ObjectId, ObjectKind};

const LIVE_LABEL: &[u8] = b"subrosa/history/1/live";
const MANIFEST_EVERY: u64 = 256;

/// How far a device has followed a history. It keeps this, and refuses to go back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pin {
    /// The newest record's sequence; 0 before the first.
    pub sequence: u64,
    /// The head after it.
    pub head: [u8; 32],
    /// H over the records that count.
    pub live: [u8; 32],
    /// Version and sequence of the newest manifest; zeros before the first.
    pub manifest: (u64, u64),
}

impl Pin {
    /// Bytes of one.
    pub const LEN: usize = 88;

    /// Of an empty history.
    #[must_use]
    pub fn new(account: AccountId) -> Self {
        Self {
            sequence: 0,
            head: head_of_nothing(account),
            live: sha256(&[LIVE_LABEL]),
            manifest: (0, 0),
        }
    }

    /// Its bytes: sequence, head, live, version and sequence of the manifest.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let (version, sequence) = self.manifest;
        let joined = [
            &self.sequence.to_be_bytes()[..],
            &self.head,
            &self.live,
            &version.to_be_bytes(),
            &sequence.to_be_bytes(),
        ]
        .concat();
        bytes.copy_from_slice(&joined);
        bytes
    }

    /// Reads [`Pin::to_bytes`].
    ///
    /// # Errors
    ///
    /// [`HistoryError::Malformed`] for another length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HistoryError> {
        let mut reader = crate::wire::Reader::new(bytes);
        let mut read = || {
            Some(Self {
                sequence: reader.u64()?,
                head: reader.array()?,
                live: reader.array()?,
                manifest: (reader.u64()?, reader.u64()?),
            })
        };
        read()
            .filter(|_| bytes.len() == Self::LEN)
            .ok_or(HistoryError::Malformed("what this device remembers"))
    }
}

/// What a device knows of an account's records.
pub struct History {
    account: AccountId,
    sequence: u64,
    head: [u8; 32],
    objects: BTreeMap<ObjectId, Object>,
    /// Records that count, by sequence: the head after each.
    live: BTreeMap<u64, [u8; 32]>,
    /// Version and sequence of the newest manifest.
    manifest: (u64, u64),
    /// What must be met on the way: what somebody saw before.
    seen: Vec<Pin>,
    /// Records that count and came as stubs.
    unread: BTreeSet<u64>,
    /// Whether the newest record came as a stub.
    ends_in_stub: bool,
}

struct Object {
    kind: ObjectKind,
    is_deleted: bool,
    version: u64,
    first_version: u64,
    /// Sequences of its records that count.
    live: Vec<u64>,
}

/// A record that was accepted.
pub struct Entry {
    /// What it says of itself.
    pub header: RecordHeader,
    /// Its content.
    pub content: Zeroizing<Vec<u8>>,
}

/// What is to be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Write {
    /// Adds to an object that grows.
    Append(ObjectId),
    /// Says all of an object that grows anew.
    Rewrite(ObjectId),
    /// Replaces an object that does not grow.
    Replace(ObjectId),
    /// Deletes an object.
    Delete(ObjectId),
}

impl History {
    /// An empty history. `seen` is what somebody saw before, and must be met: what a slot or this device remembers.
    #[must_use]
    pub fn new(account: AccountId, seen: &[Pin]) -> Self {
        let pin = Pin::new(account);
        Self {
            account,
            sequence: 0,
            head: pin.head,
            objects: BTreeMap::new(),
            live: BTreeMap::new(),
            manifest: (0, 0),
            seen: seen.to_vec(),
            unread: BTreeSet::new(),
            ends_in_stub: false,
        }
    }

    /// Begins with a manifest and the records that count before it, as a device does that has none. Gives their contents.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Incomplete`] if they are not all that the manifest counts; otherwise what is wrong with one of them.
    pub fn begin<'a>(
        account: &Account,
        seen: &[Pin],
        manifest: &[u8],
        records: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(Self, Vec<Entry>), HistoryError> {
        let header = RecordHeader::parse(manifest)?;
        if header.kind != ObjectKind::Manifest || header.object != manifest_id() {
            return Err(HistoryError::Malformed("a manifest"));
        }
        let content = header.open(account, manifest)?;
        let pin = Pin {
            sequence: header.sequence.saturating_sub(1),
            head: header.previous,
            live: content
                .as_slice()
                .try_into()
                .map_err(|_| HistoryError::Malformed("a manifest"))?,
            manifest: (header.version.saturating_sub(1), 0),
        };
        let (mut history, entries) = Self::resume(account, &pin, records)?;
        history.seen = seen.to_vec();
        history.accept(account, manifest)?;
        Ok((history, entries))
    }

    /// Goes on from records that this device kept, and from what it remembers. Manifests are not among them.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Incomplete`] if they are not what this device remembers; otherwise what is wrong with one of them.
    pub fn resume<'a>(
        account: &Account,
        pin: &Pin,
        records: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(Self, Vec<Entry>), HistoryError> {
        let mut history = Self::new(account.id(), &[]);
        let mut entries = Vec::new();
        for record in records {
            let header = RecordHeader::parse(record)?;
            let content = header.open(account, record)?;
            history.place(&header, record, pin.sequence)?;
            entries.push(Entry { header, content });
        }
        history.sequence = pin.sequence;
        history.head = pin.head;
        history.manifest = pin.manifest;
        if history.pin() == *pin {
            Ok((history, entries))
        } else {
            Err(HistoryError::Incomplete)
        }
    }

    /// Takes the next record from the store, or this device's own that the store has taken.
    ///
    /// # Errors
    ///
    /// What is wrong with it. Nothing has changed then.
    pub fn accept(&mut self, account: &Account, record: &[u8]) -> Result<Entry, HistoryError> {
        let header = RecordHeader::parse(record)?;
        let sequence = header.sequence;
        let head = head_after(record).ok_or(HistoryError::Forked(sequence))?;
        self.check_next(&header, head)?;
        let content = header.open(account, record)?;
        if header.kind == ObjectKind::Manifest && *content != self.live_digest() {
            return Err(HistoryError::Incomplete);
        }
        self.advance(&header, head);
        self.ends_in_stub = false;
        Ok(Entry { header, content })
    }

    /// Takes what a store kept of the next record. The history [is followed](History::check_followed) only when a record that came whole, and
    /// with it everything before, says so.
    ///
    /// # Errors
    ///
    /// What is wrong with it. Nothing has changed then.
    pub fn accept_stub(&mut self, stub: &Stub) -> Result<(), HistoryError> {
        self.check_next(&stub.header, stub.head)?;
        self.advance(&stub.header, stub.head);
        if stub.header.kind != ObjectKind::Manifest {
            self.unread.insert(stub.header.sequence);
        }
        self.ends_in_stub = true;
        Ok(())
    }

    /// Refuses to call a history followed while a record that counts, or the newest, came as a stub: the store could have made it up.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Incomplete`].
    pub fn check_followed(&self) -> Result<(), HistoryError> {
        if self.ends_in_stub || !self.unread.is_empty() {
            return Err(HistoryError::Incomplete);
        }
        Ok(())
    }

    /// Whether this is the next record of the chain and of its object.
    fn check_next(&self, header: &RecordHeader, head: [u8; 32]) -> Result<(), HistoryError> {
        let sequence = header.sequence;
        if header.account != self.account {
            return Err(HistoryError::OtherAccount);
        }
        let is_next = self.sequence.checked_add(1) == Some(sequence);
        let is_seen = |seen: &Pin| seen.sequence != sequence || seen.head == head;
        if !is_next || header.previous != self.head || !self.seen.iter().all(is_seen) {
            return Err(HistoryError::Forked(sequence));
        }
        if self.follows(header) {
            Ok(())
        } else {
            Err(HistoryError::Version(sequence))
        }
    }

    fn advance(&mut self, header: &RecordHeader, head: [u8; 32]) {
        if header.kind == ObjectKind::Manifest {
            self.manifest = (header.version, header.sequence);
        } else {
            self.count(header, head);
        }
        self.sequence = header.sequence;
        self.head = head;
    }

    /// Refuses a store whose newest record is older than what was seen.
    ///
    /// # Errors
    ///
    /// [`HistoryError::RolledBack`].
    pub fn check_newest(&self, newest: u64) -> Result<(), HistoryError> {
        let seen = self.seen.iter().map(|seen| seen.sequence);
        let known = seen.chain([self.sequence]).max().unwrap_or_default();
        if newest < known {
            return Err(HistoryError::RolledBack {
                found: newest,
                known,
            });
        }
        Ok(())
    }

    /// Makes the next record. It counts only when the store has taken it and [`History::accept`] was called with it.
    ///
    /// # Errors
    ///
    /// [`HistoryError::OneSlot`] while everything could be lost with one slot; [`HistoryError::Version`] when the object is deleted or of another kind;
    /// [`HistoryError::TooLong`].
    pub fn seal(
        &self,
        account: &Account,
        write: Write,
        content: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, HistoryError> {
        let (object, kind, is_deletion) = match write {
            Write::Append(object) | Write::Rewrite(object) => (object, ObjectKind::Log, false),
            Write::Replace(object) => (object, ObjectKind::Item, false),
            Write::Delete(object) => {
                let kind = self.objects.get(&object).map(|object| object.kind);
                (
                    object,
                    kind.ok_or(HistoryError::Version(self.next()))?,
                    true,
                )
            }
        };
        let last = self.objects.get(&object);
        let version = last.map_or(0, |last| last.version).saturating_add(1);
        let first_version = match (write, last) {
            (Write::Append(_), Some(last)) => last.first_version,
            _ => version,
        };
        let header = RecordHeader {
            kind,
            is_deletion,
            epoch: account.roster().epoch(),
            account: self.account,
            sequence: self.next(),
            object,
            version,
            first_version,
            previous: self.head,
        };
        self.seal_header(account, &header, content, rng)
    }

    /// Whether a manifest is due.
    #[must_use]
    pub fn wants_manifest(&self) -> bool {
        let (_, sequence) = self.manifest;
        self.sequence.saturating_sub(sequence) >= MANIFEST_EVERY
    }

    /// Makes a manifest of what counts now, as the next record.
    ///
    /// # Errors
    ///
    /// [`HistoryError::OneSlot`].
    pub fn seal_manifest(
        &self,
        account: &Account,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, HistoryError> {
        let (version, _) = self.manifest;
        let version = version.saturating_add(1);
        let header = RecordHeader {
            kind: ObjectKind::Manifest,
            is_deletion: false,
            epoch: account.roster().epoch(),
            account: self.account,
            sequence: self.next(),
            object: manifest_id(),
            version,
            first_version: version,
            previous: self.head,
        };
        self.seal_header(account, &header, &self.live_digest(), rng)
    }

    /// How far this device has followed it.
    #[must_use]
    pub fn pin(&self) -> Pin {
        Pin {
            sequence: self.sequence,
            head: self.head,
            live: self.live_digest(),
            manifest: self.manifest,
        }
    }

    /// Whether the record of this sequence still counts.
    #[must_use]
    pub fn is_live(&self, sequence: u64) -> bool {
        self.live.contains_key(&sequence)
    }

    fn seal_header(
        &self,
        account: &Account,
        header: &RecordHeader,
        content: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, HistoryError> {
        if !account.roster().may_synchronise() {
            return Err(HistoryError::OneSlot);
        }
        // Nothing is sealed on top of what the store may have made up.
        self.check_followed()?;
        // What its reader would refuse is not written.
        if !self.follows(header) {
            return Err(HistoryError::Version(header.sequence));
        }
        header.seal(account, content, rng)
    }

    fn next(&self) -> u64 {
        self.sequence.saturating_add(1)
    }

    /// Whether version and first version follow from what is known of the object.
    fn follows(&self, header: &RecordHeader) -> bool {
        if header.kind == ObjectKind::Manifest {
            let (version, _) = self.manifest;
            return header.object == manifest_id()
                && version.checked_add(1) == Some(header.version);
        }
        if header.object == manifest_id() {
            return false;
        }
        match self.objects.get(&header.object) {
            None => header.version == 1 && !header.is_deletion,
            Some(last) => {
                let stays = header.first_version == last.first_version;
                let begins = header.first_version == header.version;
                !last.is_deleted
                    && last.kind == header.kind
                    && last.version.checked_add(1) == Some(header.version)
                    && (stays || begins)
            }
        }
    }

    /// Counts a record, and no longer those that it replaces.
    fn count(&mut self, header: &RecordHeader, head: [u8; 32]) {
        let begins = header.first_version == header.version;
        let last = self.objects.remove(&header.object);
        let mut live = last.map(|last| last.live).unwrap_or_default();
        if begins {
            for sequence in live.drain(..) {
                self.live.remove(&sequence);
                self.unread.remove(&sequence);
            }
        }
        live.push(header.sequence);
        self.live.insert(header.sequence, head);
        let object = Object {
            kind: header.kind,
            is_deleted: header.is_deletion,
            version: header.version,
            first_version: header.first_version,
            live,
        };
        self.objects.insert(header.object, object);
    }

    /// Counts a record that was kept, without those between.
    fn place(
        &mut self,
        header: &RecordHeader,
        record: &[u8],
        newest: u64,
    ) -> Result<(), HistoryError> {
        let last = self
            .live
            .last_key_value()
            .map_or(0, |(sequence, _)| *sequence);
        let head = head_after(record).ok_or(HistoryError::Incomplete)?;
        let is_next = match self.objects.get(&header.object) {
            None => header.version == header.first_version,
            Some(last) => {
                !last.is_deleted
                    && last.kind == header.kind
                    && last.first_version == header.first_version
                    && last.version.checked_add(1) == Some(header.version)
            }
        };
        let in_order = header.sequence > last && header.sequence <= newest;
        if !is_next || !in_order || header.kind == ObjectKind::Manifest {
            return Err(HistoryError::Incomplete);
        }
        self.count(header, head);
        Ok(())
    }

    fn live_digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(LIVE_LABEL);
        for (sequence, head) in &self.live {
            hash.update(sequence.to_be_bytes());
            hash.update(head);
        }
        hash.finalize().into()
    }
}

/// The object of all manifests.
fn manifest_id() -> ObjectId {
    let digest = sha256(&[b"subrosa/history/1/manifest"]);
    let mut id = [0; ObjectId::LEN];
    if let Some(first) = digest.first_chunk() {
        id = *first;
    }
    ObjectId(id)
}

#[cfg(test)]
mod tests;
