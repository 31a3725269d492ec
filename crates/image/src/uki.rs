//! A unified kernel image: a stub with command line, initial RAM disk and kernel
//! as further sections (Microsoft, "PE Format"; UAPI Group, "Unified Kernel
//! Image"). The sections' order in the file is that of this list.

/// What is put behind the stub.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a section more is another image"
)]
pub struct Parts<'a> {
    /// The kernel's command line.
    pub command_line: &'a str,
    /// The initial RAM disk.
    pub initrd: &'a [u8],
    /// The kernel.
    pub kernel: &'a [u8],
}

/// Puts an image together.
///
/// There is no `.osrel`: newer stubs would add a file of their own to the RAM disk,
/// whose measurement nobody predicts.
///
/// # Errors
///
/// [`UkiError`] where the stub is no image for a 64-bit machine, or has no room for
/// three more sections.
pub fn assemble(stub: &[u8], parts: &Parts<'_>) -> Result<Vec<u8>, UkiError> {
    let mut image = Image::read(stub)?;
    image.append(*b".cmdline", parts.command_line.as_bytes())?;
    image.append(*b".initrd\0", parts.initrd)?;
    image.append(*b".linux\0\0", parts.kernel)?;
    Ok(image.finish())
}

/// An image to which sections are added.
struct Image {
    bytes: Vec<u8>,
    /// Where the PE header is.
    header: usize,
    /// Where the next section's header goes.
    next_header: usize,
    file_alignment: u32,
    section_alignment: u32,
    /// The first address behind all sections.
    end: u32,
}

impl Image {
    fn read(stub: &[u8]) -> Result<Self, UkiError> {
        let bytes = stub.to_vec();
        let header = to_size(u32_at(&bytes, 0x3c)?)?;
        let at = |offset: usize| header.checked_add(offset).ok_or(UkiError::Malformed);
        let optional = at(24)?;
        let is_image = array(&bytes, 0)? == *b"MZ"
            && array(&bytes, header)? == *b"PE\0\0"
            && array(&bytes, optional)? == PE32_PLUS;
        if !is_image {
            return Err(UkiError::Malformed);
        }
        let count = usize::from(u16::from_le_bytes(array(&bytes, at(6)?)?));
        let optional_length = usize::from(u16::from_le_bytes(array(&bytes, at(20)?)?));
        let table = optional.saturating_add(optional_length);
        let mut end = 0;
        for number in 0..count {
            let section = table.saturating_add(number.saturating_mul(SECTION_LEN));
            let (size, address) = (section.saturating_add(8), section.saturating_add(12));
            let behind = u32_at(&bytes, address)?.checked_add(u32_at(&bytes, size)?);
            end = end.max(behind.ok_or(UkiError::Malformed)?);
        }
        let alignment = |offset: usize| {
            let value = u32_at(&bytes, optional.saturating_add(offset))?;
            let is_sane = value.is_power_of_two() && value <= MAX_ALIGNMENT;
            is_sane.then_some(value).ok_or(UkiError::Malformed)
        };
        let (section_alignment, file_alignment) = (alignment(32)?, alignment(36)?);
        Ok(Self {
            header,
            next_header: table.saturating_add(count.saturating_mul(SECTION_LEN)),
            section_alignment: section_alignment.max(PAGE),
            file_alignment,
            end,
            bytes,
        })
    }

    fn append(&mut self, name: [u8; 8], contents: &[u8]) -> Result<(), UkiError> {
        let optional = self.header.saturating_add(24);
        let room_end = to_size(u32_at(&self.bytes, optional.saturating_add(60))?)?;
        let entry_end = self.next_header.saturating_add(SECTION_LEN);
        let room = self.bytes.get(self.next_header..entry_end);
        let is_free = room.is_some_and(|room| room.iter().all(|&byte| byte == 0));
        if entry_end > room_end || !is_free {
            return Err(UkiError::NoRoom);
        }
        let too_long = || UkiError::TooLong {
            name: String::from_utf8_lossy(&name)
                .trim_end_matches('\0')
                .to_owned(),
        };
        let size = u32::try_from(contents.len()).map_err(|_| too_long())?;
        let stored = size.checked_next_multiple_of(self.file_alignment);
        let address = self.end.checked_next_multiple_of(self.section_alignment);
        let (stored, address) = stored.zip(address).ok_or_else(too_long)?;
        self.end = address.checked_add(size).ok_or_else(too_long)?;
        self.align_file();
        let place = u32::try_from(self.bytes.len()).map_err(|_| too_long())?;
        let mut entry = name.to_vec();
        for field in [size, address, stored, place, 0, 0, 0, READ_ONLY_DATA] {
            entry.extend_from_slice(&field.to_le_bytes());
        }
        self.put(self.next_header, &entry)?;
        self.next_header = entry_end;
        self.bytes.extend_from_slice(contents);
        self.align_file();
        let count = self.header.saturating_add(6);
        let sections = u16::from_le_bytes(array(&self.bytes, count)?);
        let sections = sections.checked_add(1).ok_or(UkiError::NoRoom)?;
        self.put(count, &sections.to_le_bytes())?;
        let image_size = self.end.checked_next_multiple_of(self.section_alignment);
        let image_size = image_size.ok_or_else(too_long)?;
        self.put(optional.saturating_add(56), &image_size.to_le_bytes())?;
        // The checksum is of another image.
        self.put(optional.saturating_add(64), &[0; 4])
    }

    fn align_file(&mut self) {
        let alignment = to_size(self.file_alignment).unwrap_or(1).max(8);
        let length = self.bytes.len().next_multiple_of(alignment);
        self.bytes.resize(length, 0);
    }

    fn put(&mut self, at: usize, new: &[u8]) -> Result<(), UkiError> {
        let end = at.saturating_add(new.len());
        let place = self.bytes.get_mut(at..end).ok_or(UkiError::Malformed)?;
        place.copy_from_slice(new);
        Ok(())
    }

    fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Why there is no image.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UkiError {
    /// The stub is no PE image for a 64-bit machine.
    #[error("the stub is no PE image for a 64-bit machine")]
    Malformed,

    /// The stub's headers have no room for another section.
    #[error("the stub has no room for another section")]
    NoRoom,

    /// A part does not fit into an image of 4 GiB.
    #[error("{name} is too long")]
    TooLong {
        /// Name of its section.
        name: String,
    },
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], UkiError> {
    let rest = bytes.get(at..).ok_or(UkiError::Malformed)?;
    rest.first_chunk().copied().ok_or(UkiError::Malformed)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, UkiError> {
    array(bytes, at).map(u32::from_le_bytes)
}

fn to_size(number: u32) -> Result<usize, UkiError> {
    usize::try_from(number).map_err(|_| UkiError::Malformed)
}

const PE32_PLUS: [u8; 2] = [0x0b, 0x02];
const SECTION_LEN: usize = 40;
const PAGE: u32 = 4096;
const MAX_ALIGNMENT: u32 = 1 << 16;
/// `IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ`
const READ_ONLY_DATA: u32 = 0x4000_0040;

#[cfg(test)]
pub(crate) use tests::stub as stub_for_tests;

#[cfg(test)]
mod tests;
