//! Digests of what the VMM starts, in a page that is measured.
//!
//! QEMU, `target/i386/sev.c`, `sev_add_kernel_loader_hashes`; the firmware compares
//! what it is handed with these digests (EDK II, `OvmfPkg/AmdSev/BlobVerifierLibSevHashes`).

use super::chain::PAGE_LEN;
use crate::footer::Guid;
use crate::{Sha256Digest, field};

/// A kernel, what belongs to it, and nothing else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Boot {
    kernel: Sha256Digest,
    initrd: Sha256Digest,
    command_line: Sha256Digest,
}

impl Boot {
    /// What a VMM is given. An absent initial RAM disk is an empty one; the command
    /// line ends with a zero byte that is measured, and is not to bring one itself.
    #[must_use]
    pub fn new(kernel: &[u8], initrd: &[u8], command_line: &str) -> Self {
        Self {
            kernel: Sha256Digest::of(kernel),
            initrd: Sha256Digest::of(initrd),
            command_line: Sha256Digest::of_parts(&[command_line.as_bytes(), &[0]]),
        }
    }

    /// The table: header, command line, initrd, kernel, filled up to 16 bytes.
    pub(super) fn table(&self) -> Vec<u8> {
        let mut table = Vec::with_capacity(TABLE_LEN);
        table.extend_from_slice(HEADER.as_bytes());
        table.extend_from_slice(&UNPADDED_LEN.to_le_bytes());
        for (guid, digest) in [
            (COMMAND_LINE, self.command_line),
            (INITRD, self.initrd),
            (KERNEL, self.kernel),
        ] {
            table.extend_from_slice(guid.as_bytes());
            table.extend_from_slice(&ENTRY_LEN.to_le_bytes());
            table.extend_from_slice(digest.as_bytes());
        }
        table.resize(TABLE_LEN, 0);
        table
    }

    /// The page with the table at `address`; `None` if it would not fit.
    pub(super) fn page(&self, address: u32) -> Option<Vec<u8>> {
        let offset = usize::try_from(address).ok()?.checked_rem(PAGE_LEN)?;
        let table = self.table();
        if offset.checked_add(table.len())? > PAGE_LEN {
            return None;
        }
        let mut page = vec![0; PAGE_LEN];
        field::put(&mut page, offset, &table);
        Some(page)
    }
}

const ENTRY_LEN: u16 = 50;
const UNPADDED_LEN: u16 = 18 + 3 * ENTRY_LEN;
const TABLE_LEN: usize = 176;
/// 9438d606-4f22-4cc9-b479-a793d411fd21
const HEADER: Guid = Guid::new(
    0x9438_d606,
    0x4f22,
    0x4cc9,
    [0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21],
);
/// 4de79437-abd2-427f-b835-d5b172d2045b
const KERNEL: Guid = Guid::new(
    0x4de7_9437,
    0xabd2,
    0x427f,
    [0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b],
);
/// 44baf731-3a2f-4bd7-9af1-41e29169781d
const INITRD: Guid = Guid::new(
    0x44ba_f731,
    0x3a2f,
    0x4bd7,
    [0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d],
);
/// 97d02dd8-bd20-4c94-aa78-e7714d36ab2a
const COMMAND_LINE: Guid = Guid::new(
    0x97d0_2dd8,
    0xbd20,
    0x4c94,
    [0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a],
);
