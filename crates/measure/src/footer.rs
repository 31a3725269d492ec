//! The table of entries named by GUIDs at the end of a firmware image.
//!
//! EDK II, `OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm`: 32 bytes before the end
//! of the image ends the entry with the footer's GUID, which holds the length of
//! the whole table; entries are read backwards, each `data, length (2 bytes),
//! GUID`, with the length covering all three.

use core::fmt;

use crate::field;

/// A GUID in the byte order of UEFI.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Guid([u8; 16]);

impl Guid {
    /// A GUID from its usual fields: the first three are little-endian in memory.
    #[must_use]
    pub const fn new(first: u32, second: u16, third: u16, rest: [u8; 8]) -> Self {
        let [a0, a1, a2, a3] = first.to_le_bytes();
        let [b0, b1] = second.to_le_bytes();
        let [c0, c1] = third.to_le_bytes();
        let [d0, d1, d2, d3, d4, d5, d6, d7] = rest;
        Self([
            a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, d2, d3, d4, d5, d6, d7,
        ])
    }

    /// The bytes as they are in memory.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, last @ ..] = self.0;
        let first = u32::from_le_bytes([a0, a1, a2, a3]);
        let second = u16::from_le_bytes([b0, b1]);
        let third = u16::from_le_bytes([c0, c1]);
        let fourth = u16::from_be_bytes([d0, d1]);
        let last = hex::encode(last);
        write!(
            f,
            "{first:08x}-{second:04x}-{third:04x}-{fourth:04x}-{last}"
        )
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The entries of the table.
#[derive(Clone, Debug)]
pub(crate) struct FooterTable<'a> {
    entries: Vec<(Guid, &'a [u8])>,
}

impl<'a> FooterTable<'a> {
    pub(crate) fn parse(image: &'a [u8]) -> Result<Self, FooterError> {
        let end = image
            .len()
            .checked_sub(AFTER_TABLE)
            .ok_or(FooterError::Absent)?;
        let image = image.get(..end).ok_or(FooterError::Absent)?;
        let (table, footer, length) = last_entry(image).ok_or(FooterError::Absent)?;
        if footer != FOOTER {
            return Err(FooterError::Absent);
        }
        let length = length
            .checked_sub(ENTRY_HEADER)
            .filter(|&length| length <= table.len())
            .ok_or(FooterError::Length { got: length })?;
        let (_, mut table) = table.split_at(table.len().saturating_sub(length));
        let mut entries = Vec::new();
        while !table.is_empty() {
            let malformed = FooterError::Entry { left: table.len() };
            let (before, guid, length) = last_entry(table).ok_or(malformed.clone())?;
            let data = length
                .checked_sub(ENTRY_HEADER)
                .and_then(|data| before.len().checked_sub(data))
                .ok_or(malformed)?;
            let (rest, data) = before.split_at(data);
            if entries.iter().any(|(other, _)| *other == guid) {
                return Err(FooterError::Twice { guid });
            }
            if entries.len() >= MAX_ENTRIES {
                return Err(FooterError::TooMany);
            }
            entries.push((guid, data));
            table = rest;
        }
        Ok(Self { entries })
    }

    /// The data of the entry with this GUID.
    pub(crate) fn entry(&self, guid: Guid) -> Option<&'a [u8]> {
        let mut entries = self.entries.iter();
        entries
            .find(|(other, _)| *other == guid)
            .map(|&(_, data)| data)
    }

    /// The first 32 bits of that entry.
    pub(crate) fn word(&self, guid: Guid) -> Option<u32> {
        field::u32(self.entry(guid)?, 0)
    }
}

/// What lies before the last entry's header, its GUID and its length.
fn last_entry(table: &[u8]) -> Option<(&[u8], Guid, usize)> {
    let at = table.len().checked_sub(ENTRY_HEADER)?;
    let length = usize::from(field::u16(table, at)?);
    let guid = Guid(field::array(table, at.checked_add(2)?)?);
    Some((table.get(..at)?, guid, length))
}

/// Why the table at the end of an image was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FooterError {
    /// There is none.
    #[error("no table of GUIDs ends the image")]
    Absent,

    /// An entry is longer than what is left of the table, or shorter than a header.
    #[error("an entry of the table of GUIDs does not fit into the {left} bytes left")]
    Entry {
        /// Bytes that are left.
        left: usize,
    },

    /// The table is longer than the image, or shorter than its own header.
    #[error("the table of GUIDs cannot be {got} bytes long")]
    Length {
        /// Its length, as the footer says.
        got: usize,
    },

    /// There are more entries than any firmware has.
    #[error("the table of GUIDs has more than {MAX_ENTRIES} entries")]
    TooMany,

    /// An entry is there twice.
    #[error("the table of GUIDs has {guid} twice")]
    Twice {
        /// Its GUID.
        guid: Guid,
    },
}

/// 96b582de-1fb2-45f7-baea-a366c55a082d
pub(crate) const FOOTER: Guid = Guid::new(
    0x96b5_82de,
    0x1fb2,
    0x45f7,
    [0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d],
);
/// Length and GUID.
pub(crate) const ENTRY_HEADER: usize = 18;
/// The reset vector's last bytes lie behind the table.
pub(crate) const AFTER_TABLE: usize = 32;
const MAX_ENTRIES: usize = 32;

#[cfg(test)]
mod tests;
