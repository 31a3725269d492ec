//! The chain of pages: AMD 56860, section 8.17.2, structure `PAGE_INFO`.

use crate::{Sha384Digest, field};

/// Type of a page, by its number in `PAGE_INFO.PAGE_TYPE`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PageType {
    Normal,
    Vmsa,
    Zero,
    Unmeasured,
    Secrets,
    Cpuid,
}

impl PageType {
    const fn number(self) -> u8 {
        match self {
            Self::Normal => 1,
            Self::Vmsa => 2,
            Self::Zero => 3,
            Self::Unmeasured => 4,
            Self::Secrets => 5,
            Self::Cpuid => 6,
        }
    }
}

/// The digest of the pages that were inserted.
#[derive(Clone, Debug)]
pub(crate) struct Chain(Sha384Digest);

impl Chain {
    pub(crate) const fn new() -> Self {
        Self(Sha384Digest::ZERO)
    }

    /// A chain that goes on behind pages whose digest is known.
    pub(crate) const fn after(digest: Sha384Digest) -> Self {
        Self(digest)
    }

    pub(crate) const fn digest(&self) -> Sha384Digest {
        self.0
    }

    /// Pages with contents; the last one is filled up with zeros.
    pub(crate) fn add_pages(&mut self, mut address: u64, contents: &[u8]) {
        for page in contents.chunks(PAGE_LEN) {
            let mut whole = [0; PAGE_LEN];
            field::put(&mut whole, 0, page);
            self.add(PageType::Normal, address, Sha384Digest::of(&whole));
            address = address.saturating_add(PAGE);
        }
    }

    /// Pages whose contents are not measured, or known to be zero: their digest is
    /// zero.
    pub(crate) fn add_empty(&mut self, kind: PageType, address: u64, length: u64) {
        for page in 0..length.div_ceil(PAGE) {
            let offset = page.saturating_mul(PAGE);
            self.add(kind, address.saturating_add(offset), Sha384Digest::ZERO);
        }
    }

    /// The save area of one processor.
    pub(crate) fn add_save_area(&mut self, page: &[u8; PAGE_LEN]) {
        self.add(PageType::Vmsa, VMSA_ADDRESS, Sha384Digest::of(page));
    }

    fn add(&mut self, kind: PageType, address: u64, contents: Sha384Digest) {
        let [low, high] = PAGE_INFO_LEN.to_le_bytes();
        self.0 = Sha384Digest::of_parts(&[
            self.0.as_bytes(),
            contents.as_bytes(),
            // LENGTH, PAGE_TYPE, IMI_PAGE, permissions of VMPL 3, 2 and 1, reserved
            &[low, high, kind.number(), 0, 0, 0, 0, 0],
            &address.to_le_bytes(),
        ]);
    }
}

/// Size of a page in bytes.
pub(crate) const PAGE_LEN: usize = 4096;
/// The same as a part of an address.
pub(crate) const PAGE: u64 = 4096;
/// Save areas have no guest address; the firmware takes all ones, cut to a page and
/// to 52 bits.
const VMSA_ADDRESS: u64 = 0xffff_ffff_f000;
const PAGE_INFO_LEN: u16 = 0x70;
