//! TDX virtual firmware and the measurement of a trust domain's first memory.

use sha2::{Digest as _, Sha384};

use crate::footer::{FooterError, FooterTable, Guid};
use crate::{Sha384Digest, field};

/// A firmware image with metadata for TDX.
#[derive(Clone, Debug)]
pub struct Tdvf<'a> {
    bytes: &'a [u8],
    sections: Vec<TdvfSection>,
}

/// Memory of the trust domain at its start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TdvfSection {
    /// Where its contents are in the image.
    pub offset: u32,
    /// How many bytes of contents there are.
    pub contents: u32,
    /// Where it is in the trust domain.
    pub address: u64,
    /// How many bytes it has there.
    pub size: u64,
    /// What it is for.
    pub kind: TdvfSectionKind,
    /// Whether its contents are measured.
    pub measured: bool,
    /// Whether its pages are added later, and not measured.
    pub added_later: bool,
}

/// What a section is for: TDVF design guide, table `TDVF_SECTION`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "an unknown one is refused")]
pub enum TdvfSectionKind {
    /// Boot firmware volume: the code.
    BootFirmware,
    /// Configuration firmware volume: the variables it starts with.
    Configuration,
    /// Where the host describes the memory.
    HandOffBlock,
    /// Memory for the first steps.
    Temporary,
    /// Memory that is there from the start.
    Permanent,
    /// A payload.
    Payload,
    /// Parameters of a payload.
    PayloadParameter,
}

impl TdvfSectionKind {
    const fn of_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::BootFirmware),
            1 => Some(Self::Configuration),
            2 => Some(Self::HandOffBlock),
            3 => Some(Self::Temporary),
            4 => Some(Self::Permanent),
            5 => Some(Self::Payload),
            6 => Some(Self::PayloadParameter),
            _ => None,
        }
    }
}

/// In which order a VMM adds and measures the pages of a section.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PageOrder {
    /// Each page is measured when it is added: KVM in Linux 6.16 and later.
    PageByPage,
    /// All pages of a section are added, and then measured: QEMU and KVM before that.
    SectionBySection,
}

impl<'a> Tdvf<'a> {
    /// Longest image that is read, in bytes.
    pub const MAX_LEN: usize = 16 * 1024 * 1024;
    /// Most sections.
    pub const MAX_SECTIONS: usize = 64;
    /// Most memory in all sections that are measured as pages, in bytes.
    pub const MAX_SECTION_BYTES: u64 = 64 * 1024 * 1024;

    /// Reads a whole image.
    ///
    /// # Errors
    ///
    /// [`TdvfError`] if it has no metadata for TDX, or malformed ones.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TdvfError> {
        if bytes.is_empty() || bytes.len() > Self::MAX_LEN {
            return Err(TdvfError::Length { got: bytes.len() });
        }
        let table = FooterTable::parse(bytes)?;
        let entry = table.entry(TDX_METADATA).ok_or(TdvfError::Absent)?;
        let sections = sections(bytes, entry).ok_or(TdvfError::Metadata)??;
        Ok(Self { bytes, sections })
    }

    /// The sections, in the firmware's order.
    #[must_use]
    pub fn sections(&self) -> &[TdvfSection] {
        &self.sections
    }

    /// What quotes call `MRTD`.
    ///
    /// Adding a page measures its address, measuring it its contents in pieces of
    /// 256 bytes, each with its address.
    #[must_use]
    pub fn mrtd(&self, order: PageOrder) -> Sha384Digest {
        let mut hash = Sha384::new();
        for section in &self.sections {
            let pages = || (0..section.size / PAGE).map(|page| page.saturating_mul(PAGE));
            match order {
                PageOrder::PageByPage => {
                    for offset in pages() {
                        add_page(&mut hash, section, offset);
                        self.extend_page(&mut hash, section, offset);
                    }
                }
                PageOrder::SectionBySection => {
                    for offset in pages() {
                        add_page(&mut hash, section, offset);
                    }
                    for offset in pages() {
                        self.extend_page(&mut hash, section, offset);
                    }
                }
            }
        }
        Sha384Digest::new(hash.finalize().into())
    }

    /// The digest of the variables the firmware starts with, an event in RTMR 0.
    #[must_use]
    pub fn configuration_digest(&self) -> Option<Sha384Digest> {
        let section = self
            .sections
            .iter()
            .find(|section| section.kind == TdvfSectionKind::Configuration)?;
        Some(Sha384Digest::of(self.contents(section)?))
    }

    fn contents(&self, section: &TdvfSection) -> Option<&'a [u8]> {
        let offset = usize::try_from(section.offset).ok()?;
        field::slice(self.bytes, offset, usize::try_from(section.contents).ok()?)
    }

    fn extend_page(&self, hash: &mut Sha384, section: &TdvfSection, offset: u64) {
        if !section.measured {
            return;
        }
        let contents = self.contents(section).unwrap_or_default();
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        for piece in (0..PAGE_LEN).step_by(PIECE_LEN) {
            let at = start.saturating_add(piece);
            let address = section
                .address
                .saturating_add(offset)
                .saturating_add(field::wide(piece));
            hash.update(operation(b"MR.EXTEND", address));
            // Memory behind the contents is zero.
            let mut bytes = [0; PIECE_LEN];
            let rest = contents.get(at..).unwrap_or_default();
            let (piece, _) = rest.split_at(rest.len().min(PIECE_LEN));
            field::put(&mut bytes, 0, piece);
            hash.update(bytes);
        }
    }
}

fn add_page(hash: &mut Sha384, section: &TdvfSection, offset: u64) {
    if !section.added_later {
        let address = section.address.saturating_add(offset);
        hash.update(operation(b"MEM.PAGE.ADD", address));
    }
}

/// The 128 bytes with which the TDX module begins each step.
fn operation(name: &[u8], address: u64) -> [u8; 128] {
    let mut bytes = [0; 128];
    field::put(&mut bytes, 0, name);
    field::put(&mut bytes, 16, &address.to_le_bytes());
    bytes
}

/// The sections of the metadata that `entry` points at; `None` if they do not lie
/// in the image.
fn sections(image: &[u8], entry: &[u8]) -> Option<Result<Vec<TdvfSection>, TdvfError>> {
    let start = image.len().checked_sub(field::size(entry, 0)?)?;
    let metadata = image.get(start..)?;
    if field::array(metadata, 0)? != *b"TDVF" || field::u32(metadata, 8)? != 1 {
        return None;
    }
    let count = field::size(metadata, 12)?;
    if count > Tdvf::MAX_SECTIONS {
        return Some(Err(TdvfError::TooManySections { got: count }));
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
        .map(|bytes| section(image, bytes).unwrap_or(Err(TdvfError::Metadata)))
        .collect();
    Some(sections.and_then(|sections| {
        let sizes = sections.iter().map(|one| one.size);
        let total = sizes.fold(0_u64, u64::saturating_add);
        if total > Tdvf::MAX_SECTION_BYTES {
            Err(TdvfError::SectionsTooLarge { got: total })
        } else {
            Ok(sections)
        }
    }))
}

fn section(image: &[u8], bytes: &[u8]) -> Option<Result<TdvfSection, TdvfError>> {
    let number = field::u32(bytes, 24)?;
    let Some(kind) = TdvfSectionKind::of_number(number) else {
        return Some(Err(TdvfError::SectionKind { got: number }));
    };
    let attributes = field::u32(bytes, 28)?;
    if attributes & !(MEASURED | ADDED_LATER) != 0 {
        return Some(Err(TdvfError::Attributes { got: attributes }));
    }
    let section = TdvfSection {
        offset: field::u32(bytes, 0)?,
        contents: field::u32(bytes, 4)?,
        address: field::u64(bytes, 8)?,
        size: field::u64(bytes, 16)?,
        kind,
        measured: attributes & MEASURED != 0,
        added_later: attributes & ADDED_LATER != 0,
    };
    let end = u64::from(section.offset).saturating_add(u64::from(section.contents));
    let well_placed = section.address.is_multiple_of(PAGE)
        && section.size.is_multiple_of(PAGE)
        && section.address.checked_add(section.size).is_some()
        && u64::from(section.contents) <= section.size
        && end <= field::wide(image.len());
    if !well_placed {
        let TdvfSection { address, size, .. } = section;
        return Some(Err(TdvfError::SectionPlace { address, size }));
    }
    Some(Ok(section))
}

/// Why an image was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TdvfError {
    /// It has no metadata for TDX.
    #[error("the image has no metadata for TDX")]
    Absent,

    /// A section has attributes that are not known.
    #[error("a section for TDX has the unknown attributes {got:#x}")]
    Attributes {
        /// Its attributes.
        got: u32,
    },

    /// The table of GUIDs is malformed.
    #[error(transparent)]
    Footer(#[from] FooterError),

    /// It is empty or too long.
    #[error("{got} bytes are no firmware image: it has 1 to {max} bytes", max = Tdvf::MAX_LEN)]
    Length {
        /// Bytes that are there.
        got: usize,
    },

    /// The metadata do not lie in the image, or have another form or version.
    #[error("the metadata for TDX are malformed")]
    Metadata,

    /// A section is for a purpose that is not known.
    #[error("a section for TDX has the unknown type {got}")]
    SectionKind {
        /// Its type.
        got: u32,
    },

    /// A section is not whole pages, is smaller than its contents, or its contents
    /// are not in the image.
    #[error("a section for TDX cannot have {size:#x} bytes at {address:#x}")]
    SectionPlace {
        /// Its address.
        address: u64,
        /// Its size.
        size: u64,
    },

    /// The sections together are larger than any firmware's.
    #[error("the sections for TDX have {got} bytes together")]
    SectionsTooLarge {
        /// Their size.
        got: u64,
    },

    /// There are more sections than any firmware has.
    #[error("the metadata for TDX have {got} sections")]
    TooManySections {
        /// Their number.
        got: usize,
    },
}

const MEASURED: u32 = 1;
const ADDED_LATER: u32 = 2;
const PAGE: u64 = 4096;
const PAGE_LEN: usize = 4096;
const PIECE_LEN: usize = 256;
const METADATA_HEADER: usize = 16;
const SECTION_LEN: usize = 32;
/// e47a6535-984a-4798-865e-4685a7bf8ec2
pub(crate) const TDX_METADATA: Guid = Guid::new(
    0xe47a_6535,
    0x984a,
    0x4798,
    [0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2],
);

#[cfg(test)]
mod tests;
