//! Small firmware images in the format of EDK II, and PE images.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "tests"
)]

use crate::footer::{AFTER_TABLE, FOOTER, Guid};
use crate::snp::{HASHES_TABLE, RESET_BLOCK, SEV_METADATA};
use crate::tdx::TDX_METADATA;

/// An image that says what it is told to say.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) pages: usize,
    /// Entries of the table, last one first.
    pub(crate) entries: Vec<(Guid, Vec<u8>)>,
    /// Address, size, type.
    pub(crate) sev: Vec<[u32; 3]>,
    /// Offset, length, address, size, type, attributes.
    pub(crate) tdx: Vec<(u32, u32, u64, u64, u32, u32)>,
}

impl Image {
    /// Four pages, with every kind of section.
    pub(crate) fn new() -> Self {
        let word = |value: u32| value.to_le_bytes().to_vec();
        Self {
            pages: 4,
            entries: vec![
                (RESET_BLOCK, word(0x0080_b004)),
                (
                    HASHES_TABLE,
                    [word(0x0081_0c00), word(0x0000_0400)].concat(),
                ),
                (SEV_METADATA, word(SEV_AT)),
                (TDX_METADATA, word(TDX_AT)),
            ],
            sev: vec![
                [0x0080_0000, 0x9000, 1],
                [0x0080_d000, 0x1000, 2],
                [0x0080_e000, 0x1000, 3],
                [0x0080_f000, 0x1000, 4],
                [0x0081_0000, 0x1000, 0x10],
            ],
            tdx: vec![
                (0x1000, 0x3000, 0xffff_d000, 0x3000, 0, 1),
                (0, 0x1000, 0xffff_c000, 0x1000, 1, 0),
                (0, 0, 0x0080_9000, 0x2000, 2, 0),
                (0, 0, 0x0080_0000, 0x6000, 3, 0),
                (0x1800, 0x800, 0x0100_0000, 0x1000, 5, 3),
            ],
        }
    }

    /// The same without an entry.
    pub(crate) fn without(mut self, guid: Guid) -> Self {
        self.entries.retain(|(other, _)| *other != guid);
        self
    }

    /// The same with other data of an entry.
    pub(crate) fn with(self, guid: Guid, data: Vec<u8>) -> Self {
        let mut image = self.without(guid);
        image.entries.push((guid, data));
        image
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let length = self.pages * 4096;
        let mut image: Vec<u8> = (0..length).map(|at| (at * 7 % 251) as u8).collect();
        let mut put_from_end = |from_end: usize, bytes: &[u8]| {
            let at = length - from_end;
            image[at..at + bytes.len()].copy_from_slice(bytes);
        };
        put_from_end(SEV_AT as usize, &self.sev_metadata());
        put_from_end(TDX_AT as usize, &self.tdx_metadata());
        let mut table = Vec::new();
        for (guid, data) in self.entries.iter().rev() {
            table.extend(entry(*guid, data, data.len() + 18));
        }
        let length = table.len() + 18;
        table.extend(entry(FOOTER, &[], length));
        put_from_end(AFTER_TABLE + table.len(), &table);
        image
    }

    fn sev_metadata(&self) -> Vec<u8> {
        let length = 16 + 12 * self.sev.len() as u32;
        let mut bytes = header(*b"ASEV", length, self.sev.len());
        for section in &self.sev {
            bytes.extend(section.iter().flat_map(|value| value.to_le_bytes()));
        }
        bytes
    }

    fn tdx_metadata(&self) -> Vec<u8> {
        let length = 16 + 32 * self.tdx.len() as u32;
        let mut bytes = header(*b"TDVF", length, self.tdx.len());
        for &(offset, contents, address, size, kind, attributes) in &self.tdx {
            bytes.extend([offset, contents].iter().flat_map(|one| one.to_le_bytes()));
            bytes.extend([address, size].iter().flat_map(|one| one.to_le_bytes()));
            bytes.extend([kind, attributes].iter().flat_map(|one| one.to_le_bytes()));
        }
        bytes
    }
}

pub(crate) fn entry(guid: Guid, data: &[u8], length: usize) -> Vec<u8> {
    [data, &(length as u16).to_le_bytes(), guid.as_bytes()].concat()
}

fn header(signature: [u8; 4], length: u32, count: usize) -> Vec<u8> {
    let mut bytes = signature.to_vec();
    for value in [length, 1, count as u32] {
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

/// Where the metadata are, from the end.
pub(crate) const SEV_AT: u32 = 0x600;
pub(crate) const TDX_AT: u32 = 0x1000;

/// A PE image with these sections; the first has `contents` shorter in memory.
pub(crate) fn pe(sections: &[(&str, &[u8])]) -> Vec<u8> {
    const HEADERS: usize = 0x400;
    let mut image = vec![0; HEADERS];
    image[..2].copy_from_slice(b"MZ");
    image[0x3c] = 0x40;
    image[0x40..0x44].copy_from_slice(b"PE\0\0");
    image[0x46] = sections.len() as u8;
    image[0x54] = 0xf0;
    image[0x58..0x5a].copy_from_slice(&0x20b_u16.to_le_bytes());
    image[0x58 + 60..0x58 + 64].copy_from_slice(&(HEADERS as u32).to_le_bytes());
    image[0x58 + 64..0x58 + 68].copy_from_slice(&0xdead_beef_u32.to_le_bytes());
    image[0x58 + 108] = 16;
    for (number, (name, contents)) in sections.iter().enumerate() {
        let at = 0x58 + 0xf0 + 40 * number;
        let start = image.len();
        let length = contents.len().next_multiple_of(0x200);
        image[at..at + name.len()].copy_from_slice(name.as_bytes());
        for (offset, value) in [(8, contents.len()), (16, length), (20, start)] {
            image[at + offset..at + offset + 4].copy_from_slice(&(value as u32).to_le_bytes());
        }
        image.extend_from_slice(contents);
        image.resize(start + length, 0);
    }
    image
}

/// A unified kernel image.
pub(crate) fn unified_kernel() -> Vec<u8> {
    pe(&[
        (".sbat", b"sbat,1"),
        (".cmdline", b"console=ttyS0 quiet"),
        (".initrd", b"initial RAM disk"),
        (".linux", &pe(&[(".text", b"kernel")])),
    ])
}
