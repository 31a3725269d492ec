//! OVMF images, as far as they say how they are measured.
//!
//! EDK II, `OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm` (sections) and
//! `OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm` (GUIDs).

use super::chain::{Chain, PAGE_LEN};
use crate::footer::{FooterError, FooterTable, Guid};
use crate::{Sha384Digest, field};

/// A firmware image.
#[derive(Clone, Debug)]
pub struct Firmware<'a> {
    bytes: &'a [u8],
    sections: Vec<Section>,
    reset_address: Option<u32>,
    hashes_table: Option<u32>,
    svsm_entry: Option<u32>,
}

/// Memory that the firmware wants to find at launch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the format fixes it")]
pub struct Section {
    /// Where it is in the guest.
    pub address: u32,
    /// How many bytes it has.
    pub size: u32,
    /// What it is for.
    pub kind: SectionKind,
}

/// What a section is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "an unknown one is refused")]
pub enum SectionKind {
    /// Memory that starts as zero.
    Memory,
    /// The secrets page.
    Secrets,
    /// The CPUID page.
    Cpuid,
    /// Calling area of an SVSM.
    CallingArea,
    /// Digests of kernel, initrd and command line.
    KernelHashes,
}

impl SectionKind {
    const fn of_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Memory),
            2 => Some(Self::Secrets),
            3 => Some(Self::Cpuid),
            4 => Some(Self::CallingArea),
            0x10 => Some(Self::KernelHashes),
            _ => None,
        }
    }
}

impl<'a> Firmware<'a> {
    /// Longest image that is read, in bytes; QEMU maps 16 MiB at most.
    pub const MAX_LEN: usize = 16 * 1024 * 1024;
    /// Most sections.
    pub const MAX_SECTIONS: usize = 64;
    /// Most memory in all sections together, in bytes.
    pub const MAX_SECTION_BYTES: u64 = 64 * 1024 * 1024;

    /// Reads an image, or the last part of one.
    ///
    /// # Errors
    ///
    /// [`FirmwareError`] if it does not have the form of OVMF.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FirmwareError> {
        if bytes.is_empty() || bytes.len() > Self::MAX_LEN || !bytes.len().is_multiple_of(PAGE_LEN)
        {
            return Err(FirmwareError::Length { got: bytes.len() });
        }
        let table = FooterTable::parse(bytes)?;
        let sections = match table.entry(SEV_METADATA) {
            None => Vec::new(),
            Some(entry) => sections(bytes, entry).ok_or(FirmwareError::Metadata)??,
        };
        Ok(Self {
            bytes,
            sections,
            reset_address: table.word(RESET_BLOCK).filter(|&address| address != 0),
            hashes_table: table.word(HASHES_TABLE).filter(|&address| address != 0),
            svsm_entry: table.word(SVSM_INFO),
        })
    }

    /// The digest of the image's own pages, with which every launch digest begins.
    /// It is all of the image that a prediction needs besides its last page.
    #[must_use]
    pub fn pages_digest(&self) -> Sha384Digest {
        let mut chain = Chain::new();
        chain.add_pages(self.base(), self.bytes);
        chain.digest()
    }

    /// The sections, in the firmware's order.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Where processors other than the first start.
    #[must_use]
    pub fn reset_address(&self) -> Option<u32> {
        self.reset_address
    }

    /// Where the digests of kernel, initrd and command line are expected.
    #[must_use]
    pub fn hashes_table(&self) -> Option<u32> {
        self.hashes_table
    }

    /// Where an SVSM starts, from its own beginning.
    #[must_use]
    pub fn svsm_entry(&self) -> Option<u32> {
        self.svsm_entry
    }

    /// The image.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where it is in the guest: it ends at 4 GiB.
    pub(super) fn base(&self) -> u64 {
        FOUR_GIB.saturating_sub(self.len())
    }

    pub(super) fn len(&self) -> u64 {
        field::wide(self.bytes.len())
    }
}

/// The sections of the metadata that `entry` points at; `None` if they do not lie
/// in the image.
fn sections(image: &[u8], entry: &[u8]) -> Option<Result<Vec<Section>, FirmwareError>> {
    let from_end = field::size(entry, 0)?;
    let start = image.len().checked_sub(from_end)?;
    let metadata = image.get(start..)?;
    if field::array(metadata, 0)? != *b"ASEV" || field::u32(metadata, 8)? != 1 {
        return None;
    }
    let count = field::size(metadata, 12)?;
    if count > Firmware::MAX_SECTIONS {
        return Some(Err(FirmwareError::TooManySections { got: count }));
    }
    let length = count
        .checked_mul(SECTION_LEN)?
        .checked_add(METADATA_HEADER)?;
    if field::size(metadata, 4)? != length {
        return None;
    }
    let table = metadata.get(METADATA_HEADER..length)?;
    let sections: Result<Vec<_>, _> = table
        .chunks_exact(SECTION_LEN)
        .map(|bytes| section(bytes).unwrap_or(Err(FirmwareError::Metadata)))
        .collect();
    Some(sections.and_then(|sections| {
        let total: u64 = sections.iter().map(|one| u64::from(one.size)).sum();
        if total > Firmware::MAX_SECTION_BYTES {
            Err(FirmwareError::SectionsTooLarge { got: total })
        } else {
            Ok(sections)
        }
    }))
}

fn section(bytes: &[u8]) -> Option<Result<Section, FirmwareError>> {
    let (address, size) = (field::u32(bytes, 0)?, field::u32(bytes, 4)?);
    let number = field::u32(bytes, 8)?;
    let Some(kind) = SectionKind::of_number(number) else {
        return Some(Err(FirmwareError::SectionKind { got: number }));
    };
    let page = u32::try_from(PAGE_LEN).ok()?;
    let one_page = matches!(
        kind,
        SectionKind::Secrets | SectionKind::Cpuid | SectionKind::KernelHashes
    );
    if !address.is_multiple_of(page)
        || size == 0
        || !size.is_multiple_of(page)
        || (one_page && size != page)
    {
        return Some(Err(FirmwareError::SectionPlace { address, size }));
    }
    Some(Ok(Section {
        address,
        size,
        kind,
    }))
}

/// Why an image was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FirmwareError {
    /// The table of GUIDs is malformed.
    #[error(transparent)]
    Footer(#[from] FooterError),

    /// It is empty, no whole number of pages, or too long.
    #[error("{got} bytes are no firmware image: it has 1 to {max} bytes in whole pages", max = Firmware::MAX_LEN)]
    Length {
        /// Bytes that are there.
        got: usize,
    },

    /// The metadata do not lie in the image, or have another form or version.
    #[error("the metadata for SEV are malformed")]
    Metadata,

    /// A section is for a purpose that is not known.
    #[error("a section for SEV has the unknown type {got}")]
    SectionKind {
        /// Its type.
        got: u32,
    },

    /// A section does not consist of whole pages, or of more than its one.
    #[error("a section for SEV cannot have {size:#x} bytes at {address:#x}")]
    SectionPlace {
        /// Its address.
        address: u32,
        /// Its size.
        size: u32,
    },

    /// The sections together are larger than any firmware's.
    #[error("the sections for SEV have {got} bytes together")]
    SectionsTooLarge {
        /// Their size.
        got: u64,
    },

    /// There are more sections than any firmware has.
    #[error("the metadata for SEV have {got} sections")]
    TooManySections {
        /// Their number.
        got: usize,
    },
}

const FOUR_GIB: u64 = 0x1_0000_0000;
const METADATA_HEADER: usize = 16;
const SECTION_LEN: usize = 12;
/// dc886566-984a-4798-a75e-5585a7bf67cc
pub(crate) const SEV_METADATA: Guid = Guid::new(
    0xdc88_6566,
    0x984a,
    0x4798,
    [0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc],
);
/// 00f771de-1a7e-4fcb-890e-68c77e2fb44e
pub(crate) const RESET_BLOCK: Guid = Guid::new(
    0x00f7_71de,
    0x1a7e,
    0x4fcb,
    [0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e],
);
/// 7255371f-3a3b-4b04-927b-1da6efa8d454
pub(crate) const HASHES_TABLE: Guid = Guid::new(
    0x7255_371f,
    0x3a3b,
    0x4b04,
    [0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54],
);
/// a789a612-0597-4c4b-a49f-cbb1fe9d1ddd
pub(crate) const SVSM_INFO: Guid = Guid::new(
    0xa789_a612,
    0x0597,
    0x4c4b,
    [0xa4, 0x9f, 0xcb, 0xb1, 0xfe, 0x9d, 0x1d, 0xdd],
);

#[cfg(test)]
mod tests;
