//! One record of the chain (spec/history.md §5).

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::account::Account;
use crate::seal::{Key, MAX_SEALED, derive, open, seal, sha256};
use crate::wire::Reader;
use crate::{AccountId, HistoryError, ObjectId};

const MAGIC: &[u8] = b"SHO1";
const HEAD_LABEL: &[u8] = b"subrosa/history/1/head";

/// What kind of object a record belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ObjectKind {
    /// What counts, at a time.
    Manifest = 1,
    /// An object that grows: a conversation.
    Log = 2,
    /// An object that is replaced: a folder, the settings.
    Item = 3,
}

impl ObjectKind {
    const fn read(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Manifest),
            2 => Some(Self::Log),
            3 => Some(Self::Item),
            _ => None,
        }
    }

    const fn byte(self) -> u8 {
        match self {
            Self::Manifest => 1,
            Self::Log => 2,
            Self::Item => 3,
        }
    }
}

/// What a record says of itself, in clear and under its seal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RecordHeader {
    /// What kind of object it belongs to.
    pub kind: ObjectKind,
    /// Whether it deletes the object.
    pub is_deletion: bool,
    /// The epoch of the account key.
    pub epoch: u32,
    /// The account.
    pub account: AccountId,
    /// Its place in the chain, from 1.
    pub sequence: u64,
    /// The object.
    pub object: ObjectId,
    /// The object's version, from 1.
    pub version: u64,
    /// The first version that still counts.
    pub first_version: u64,
    /// The head before it.
    pub previous: [u8; 32],
}

impl RecordHeader {
    /// Bytes of one.
    pub const LEN: usize = 98;
    /// The longest record, in bytes.
    pub const MAX_RECORD: usize = Self::LEN + MAX_SEALED;

    /// Reads the header of a record. It proves nothing: only opening does.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Malformed`].
    pub fn parse(record: &[u8]) -> Result<Self, HistoryError> {
        let parsed = (record.len() <= Self::MAX_RECORD).then(|| Self::read(record));
        parsed.flatten().ok_or(HistoryError::Malformed("a record"))
    }

    fn read(record: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(record);
        reader.expect(MAGIC)?;
        let kind = ObjectKind::read(reader.u8()?)?;
        let is_deletion = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let header = Self {
            kind,
            is_deletion,
            epoch: reader.u32()?,
            account: AccountId(reader.array()?),
            sequence: reader.u64()?,
            object: ObjectId(reader.array()?),
            version: reader.u64()?,
            first_version: reader.u64()?,
            previous: reader.array()?,
        };
        let counts = 1..=header.version;
        let is_whole = header.is_deletion || header.kind != ObjectKind::Log;
        let is_right = header.sequence > 0
            && counts.contains(&header.first_version)
            && (!is_whole || header.first_version == header.version)
            && (header.kind != ObjectKind::Manifest || !header.is_deletion);
        is_right.then_some(header)
    }

    fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LEN);
        bytes.extend_from_slice(MAGIC);
        bytes.push(self.kind.byte());
        bytes.push(u8::from(self.is_deletion));
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.account.0);
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.object.0);
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.extend_from_slice(&self.first_version.to_be_bytes());
        bytes.extend_from_slice(&self.previous);
        bytes
    }

    fn key(&self, account_key: &Key) -> Key {
        let kind = [self.kind.byte()];
        let label: &[u8] = b"subrosa/history/1/object";
        derive(
            account_key.as_slice(),
            &[label, &self.account.0, &kind, &self.object.0],
        )
    }

    /// The record of this header with this content.
    pub(crate) fn seal(
        &self,
        account: &Account,
        content: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, HistoryError> {
        let key = account
            .key(self.epoch)
            .ok_or(HistoryError::Epoch(self.sequence))?;
        let header = self.write();
        let sealed = seal(&self.key(key), &header, content, rng)?;
        Ok([&header[..], &sealed].concat())
    }

    /// The content of a record with this header.
    pub(crate) fn open(
        &self,
        account: &Account,
        record: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HistoryError> {
        if self.account != account.id() {
            return Err(HistoryError::OtherAccount);
        }
        let key = account
            .key(self.epoch)
            .ok_or(HistoryError::Epoch(self.sequence))?;
        let forged = HistoryError::Forged(self.sequence);
        let (header, sealed) = record.split_at_checked(Self::LEN).ok_or(forged)?;
        open(&self.key(key), header, sealed).ok_or(forged)
    }
}

/// What a store may keep of a record that no longer counts: its header, and H of the rest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stub {
    /// What the record said of itself.
    pub header: RecordHeader,
    /// The head after it.
    pub(crate) head: [u8; 32],
}

impl Stub {
    /// Bytes of one.
    pub const LEN: usize = RecordHeader::LEN + 32;

    /// Reads a stub. It proves nothing: only a later record that came whole does.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, HistoryError> {
        let malformed = HistoryError::Malformed("a stub");
        let (header, rest) = bytes
            .split_at_checked(RecordHeader::LEN)
            .filter(|_| bytes.len() == Self::LEN)
            .ok_or(malformed)?;
        Ok(Self {
            header: RecordHeader::read(header).ok_or(malformed)?,
            head: sha256(&[HEAD_LABEL, header, rest]),
        })
    }
}

/// The head before the first record.
pub(crate) fn head_of_nothing(account: AccountId) -> [u8; 32] {
    sha256(&[HEAD_LABEL, &account.0])
}

/// The head after a record.
pub(crate) fn head_after(record: &[u8]) -> Option<[u8; 32]> {
    let (header, rest) = record.split_at_checked(RecordHeader::LEN)?;
    Some(sha256(&[HEAD_LABEL, header, &sha256(&[rest])]))
}
