//! PE images and their Authenticode digest.
//!
//! Microsoft, "PE Format" (offsets) and "Windows Authenticode Portable Executable
//! Signature Format", "Calculating the PE Image Hash"; PFP 3.3.4.4 measures that
//! digest.

use crate::field;
use crate::register::Bank;

/// An executable image.
#[derive(Clone, Debug)]
pub struct PeImage<'a> {
    bytes: &'a [u8],
    checksum_at: usize,
    certificates_at: usize,
    headers: usize,
    sections: Vec<PeSection<'a>>,
}

/// A section of an image.
#[derive(Clone, Debug)]
struct PeSection<'a> {
    name: [u8; 8],
    size: usize,
    contents: &'a [u8],
    at: usize,
}

impl<'a> PeImage<'a> {
    /// Longest image that is read, in bytes.
    pub const MAX_LEN: usize = 1 << 30;
    /// Most sections.
    pub const MAX_SECTIONS: usize = 96;

    /// Reads an image for a 64-bit machine, without a signature.
    ///
    /// # Errors
    ///
    /// [`PeError`] if it is none, is signed, or if loaders could disagree about its
    /// digest.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PeError> {
        if bytes.len() > Self::MAX_LEN || !bytes.len().is_multiple_of(8) {
            return Err(PeError::Length { got: bytes.len() });
        }
        let image = Self::read(bytes).ok_or(PeError::Malformed)??;
        let mut ranges: Vec<_> = image.sections.iter().collect();
        ranges.sort_by_key(|section| section.at);
        let mut end = image.headers;
        for section in ranges.into_iter().filter(|one| !one.contents.is_empty()) {
            if section.at < end {
                return Err(PeError::Overlap { at: section.at });
            }
            end = section.at.saturating_add(section.contents.len());
        }
        Ok(image)
    }

    fn read(bytes: &'a [u8]) -> Option<Result<Self, PeError>> {
        if field::array(bytes, 0)? != *b"MZ" {
            return None;
        }
        let header = field::size(bytes, 0x3c)?;
        if field::array(bytes, header)? != *b"PE\0\0" {
            return None;
        }
        let count = usize::from(field::u16(bytes, header.checked_add(6)?)?);
        let optional_len = usize::from(field::u16(bytes, header.checked_add(20)?)?);
        let optional = header.checked_add(24)?;
        // PE32+ with a directory for certificates
        if field::u16(bytes, optional)? != 0x20b || optional_len < CERTIFICATES_AT.checked_add(8)? {
            return None;
        }
        if field::u32(bytes, optional.checked_add(108)?)? <= CERTIFICATES {
            return None;
        }
        let certificates_at = optional.checked_add(CERTIFICATES_AT)?;
        if field::u64(bytes, certificates_at)? != 0 {
            return Some(Err(PeError::Signed));
        }
        if count > Self::MAX_SECTIONS {
            return Some(Err(PeError::TooManySections { got: count }));
        }
        let headers = field::size(bytes, optional.checked_add(60)?)?;
        let table = optional.checked_add(optional_len)?;
        let end = table.checked_add(count.checked_mul(SECTION_LEN)?)?;
        if end > headers || headers > bytes.len() {
            return None;
        }
        let table = bytes.get(table..end)?;
        let sections: Option<Vec<_>> = table
            .chunks_exact(SECTION_LEN)
            .map(|entry| PeSection::read(bytes, entry))
            .collect();
        Some(Ok(Self {
            bytes,
            checksum_at: optional.checked_add(64)?,
            certificates_at,
            headers,
            sections: sections?,
        }))
    }

    /// The Authenticode digest: everything but checksum, signature and its place.
    #[must_use]
    pub fn authenticode(&self, bank: Bank) -> Vec<u8> {
        let part = |from: usize, to: usize| self.bytes.get(from..to).unwrap_or_default();
        let mut hashed = Vec::with_capacity(self.bytes.len());
        hashed.extend_from_slice(part(0, self.checksum_at));
        hashed.extend_from_slice(part(
            self.checksum_at.saturating_add(4),
            self.certificates_at,
        ));
        hashed.extend_from_slice(part(self.certificates_at.saturating_add(8), self.headers));
        let mut sections: Vec<_> = self.sections.iter().collect();
        sections.sort_by_key(|section| section.at);
        let mut total = self.headers;
        for section in sections {
            hashed.extend_from_slice(section.contents);
            total = total.saturating_add(section.contents.len());
        }
        hashed.extend_from_slice(self.bytes.get(total..).unwrap_or_default());
        bank.digest(&hashed)
    }

    /// What is in memory of the section `name` when the image is loaded; `None` if
    /// there is none, and [`PeError::Twice`] if there are two.
    ///
    /// # Errors
    ///
    /// [`PeError::Twice`]: which one counts depends on the program.
    pub fn section(&self, name: &str) -> Result<Option<Vec<u8>>, PeError> {
        let mut named = self.sections.iter().filter(|one| one.is(name));
        let Some(section) = named.next() else {
            return Ok(None);
        };
        if named.next().is_some() {
            return Err(PeError::Twice {
                name: name.to_owned(),
            });
        }
        let contents = section.contents;
        let (loaded, _) = contents.split_at(contents.len().min(section.size));
        let mut loaded = loaded.to_vec();
        loaded.resize(section.size, 0);
        Ok(Some(loaded))
    }
}

impl<'a> PeSection<'a> {
    fn read(image: &'a [u8], entry: &[u8]) -> Option<Self> {
        let (length, at) = (field::size(entry, 16)?, field::size(entry, 20)?);
        let size = field::size(entry, 8)?;
        // What is loaded is bounded by what is there, and the zeros behind it.
        if size > length.checked_add(MAX_ZEROS)? {
            return None;
        }
        let contents = if length == 0 {
            Default::default()
        } else {
            field::slice(image, at, length)?
        };
        Some(Self {
            name: field::array(entry, 0)?,
            size,
            contents,
            at,
        })
    }

    fn is(&self, name: &str) -> bool {
        let mut padded = [0; 8];
        field::put(&mut padded, 0, name.as_bytes());
        name.len() <= 8 && padded == self.name
    }
}

/// Why an image was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PeError {
    /// It is too long, or no multiple of 8, for which programs pad differently.
    #[error("an image of {got} bytes is too long, or no multiple of 8")]
    Length {
        /// Bytes that are there.
        got: usize,
    },

    /// It is no PE image for a 64-bit machine.
    #[error("not a PE image for a 64-bit machine")]
    Malformed,

    /// Two parts share bytes.
    #[error("two parts of the image overlap at {at:#x}")]
    Overlap {
        /// Where.
        at: usize,
    },

    /// It carries a signature, which this crate does not leave out.
    #[error("the image is signed")]
    Signed,

    /// There are too many sections.
    #[error("the image has {got} sections")]
    TooManySections {
        /// Their number.
        got: usize,
    },

    /// A section is there twice.
    #[error("the image has the section {name} twice")]
    Twice {
        /// Its name.
        name: String,
    },
}

/// Index of the certificate table among the data directories.
const CERTIFICATES: u32 = 4;
/// Its entry, from the beginning of the optional header.
const CERTIFICATES_AT: usize = 144;
const SECTION_LEN: usize = 40;
const MAX_ZEROS: usize = 1 << 20;

#[cfg(test)]
mod tests;
