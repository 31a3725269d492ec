//! AMD SEV-SNP launch digests, those of its predecessors, and ID blocks.
//!
//! ```text
//! image ─Firmware::parse─▶ Firmware ─┐
//! kernel, initrd, cmdline ─▶ Boot ───┼─launch_digest─▶ what a report calls MEASUREMENT
//! processors, VMM ─────────▶ Guest ──┘
//! ```
//!
//! AMD 56860 (SEV-SNP Firmware ABI), section 8.17.2: the digest is a chain over one
//! `PAGE_INFO` structure for each page that the host inserts at launch. The host
//! software decides which pages these are and with which registers a processor
//! starts, so a prediction is one for a named VMM.

mod chain;
mod firmware;
mod hashes;
mod id_block;
mod legacy;
mod processor;
mod vmsa;

use crate::Sha384Digest;
use chain::{Chain, PageType};

pub use firmware::{Firmware, FirmwareError, Section, SectionKind};
#[cfg(test)]
pub(crate) use firmware::{HASHES_TABLE, RESET_BLOCK, SEV_METADATA, SVSM_INFO};
pub use hashes::Boot;
pub use id_block::{IdAuth, IdBlock, IdBlockError, IdKey, IdSignature, IdSignatureError};
pub use legacy::{sev_es_launch_digest, sev_launch_digest};
pub use processor::{ProcessorSignature, Processors};
pub use vmsa::Vmm;

/// How a guest is started.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is another measurement"
)]
pub struct Guest {
    /// How many virtual processors it has.
    pub processors: Processors,
    /// What `CPUID` leaf 1 says in EAX; some VMMs start a processor with it in EDX.
    pub signature: ProcessorSignature,
    /// `SEV_FEATURES` of the processors' save areas (AMD 24593, table B-4).
    pub features: u64,
    /// Who starts it.
    pub vmm: Vmm,
    /// What the VMM hands to the firmware, if it starts a kernel itself.
    pub boot: Option<Boot>,
}

/// The launch digest of a guest that starts with `firmware`.
///
/// # Errors
///
/// [`MeasureError`] if the firmware cannot start such a guest, or could not measure
/// what it starts.
pub fn launch_digest(firmware: &Firmware<'_>, guest: &Guest) -> Result<Sha384Digest, MeasureError> {
    launch_digest_after(firmware.pages_digest(), firmware, guest)
}

/// The same where only the end of the firmware is there, and the digest of its
/// pages ([`Firmware::pages_digest`]) is known from elsewhere.
///
/// # Errors
///
/// As [`launch_digest`].
pub fn launch_digest_after(
    pages: Sha384Digest,
    firmware: &Firmware<'_>,
    guest: &Guest,
) -> Result<Sha384Digest, MeasureError> {
    let mut chain = Chain::after(pages);
    let hashes = match &guest.boot {
        None => None,
        Some(boot) => Some(hashes_page(firmware, boot)?),
    };
    add_sections(&mut chain, firmware, guest.vmm, hashes.as_deref());
    let reset = firmware
        .reset_address()
        .ok_or(MeasureError::ResetAddressAbsent)?;
    for number in 0..guest.processors.count() {
        let start = if number == 0 { vmsa::RESET } else { reset };
        let page = vmsa::save_area(guest.vmm, start, guest.signature, guest.features);
        chain.add_save_area(&page);
    }
    Ok(chain.digest())
}

/// The launch digest of a guest in which an SVSM runs before the firmware
/// (Coconut-SVSM under its fork of QEMU). `variables` is the size of the variable
/// store that lies above the firmware's code in the image QEMU is given.
///
/// # Errors
///
/// [`MeasureError`] if the two do not fit into the address space, or the SVSM has
/// no entry point.
pub fn svsm_launch_digest(
    svsm: &Firmware<'_>,
    firmware: &Firmware<'_>,
    variables: u32,
    processors: Processors,
    signature: ProcessorSignature,
) -> Result<Sha384Digest, MeasureError> {
    let base = firmware
        .base()
        .checked_sub(u64::from(variables))
        .and_then(|end| end.checked_sub(svsm.len()))
        .filter(|base| base % chain::PAGE == 0)
        .ok_or(MeasureError::NoRoom)?;
    let entry = svsm
        .svsm_entry()
        .and_then(|entry| base.checked_add(u64::from(entry)))
        .ok_or(MeasureError::SvsmEntryAbsent)?;
    let mut chain = Chain::after(firmware.pages_digest());
    chain.add_pages(base, svsm.bytes());
    add_sections(&mut chain, svsm, Vmm::Qemu, None);
    let page = vmsa::svsm_save_area(entry, signature);
    for _ in 0..processors.count() {
        chain.add_save_area(&page);
    }
    Ok(chain.digest())
}

/// The page with the digests of what is started, as QEMU fills it in.
fn hashes_page(firmware: &Firmware<'_>, boot: &Boot) -> Result<Vec<u8>, MeasureError> {
    let has_section = firmware
        .sections()
        .iter()
        .any(|section| section.kind == SectionKind::KernelHashes);
    let table = firmware
        .hashes_table()
        .filter(|_| has_section)
        .ok_or(MeasureError::HashesTableAbsent)?;
    boot.page(table).ok_or(MeasureError::HashesTableOutside)
}

/// The pages that the firmware asks for, in its order.
fn add_sections(chain: &mut Chain, firmware: &Firmware<'_>, vmm: Vmm, hashes: Option<&[u8]>) {
    for section in firmware.sections() {
        let (address, size) = (u64::from(section.address), u64::from(section.size));
        match section.kind {
            SectionKind::Memory if vmm == Vmm::GoogleCompute => {
                chain.add_empty(PageType::Unmeasured, address, size);
            }
            SectionKind::Memory | SectionKind::CallingArea => {
                chain.add_empty(PageType::Zero, address, size);
            }
            SectionKind::Secrets => chain.add_empty(PageType::Secrets, address, chain::PAGE),
            SectionKind::Cpuid if vmm == Vmm::Ec2 => {}
            SectionKind::Cpuid => chain.add_empty(PageType::Cpuid, address, chain::PAGE),
            SectionKind::KernelHashes => match hashes {
                Some(page) => chain.add_pages(address, page),
                None => chain.add_empty(PageType::Zero, address, size),
            },
        }
    }
    // EC2 inserts this page behind all others.
    if vmm == Vmm::Ec2 {
        for section in firmware.sections() {
            if section.kind == SectionKind::Cpuid {
                chain.add_empty(PageType::Cpuid, u64::from(section.address), chain::PAGE);
            }
        }
    }
}

/// Why no measurement is predicted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MeasureError {
    /// A kernel is given, and the firmware has no place for its digest: it would be
    /// started unmeasured.
    #[error("the firmware has no table for the digests of a kernel")]
    HashesTableAbsent,

    /// The place for the kernel's digest is not in a page of its own.
    #[error("the table for the digests of a kernel does not lie in its page")]
    HashesTableOutside,

    /// Firmware and SVSM are larger than the address space they lie in, or do not
    /// lie at a page.
    #[error("firmware, variables and SVSM do not fit below 4 GiB")]
    NoRoom,

    /// The firmware does not say where the other processors start.
    #[error("the firmware does not say where the other processors start")]
    ResetAddressAbsent,

    /// The SVSM does not say where it starts.
    #[error("the SVSM does not say where it starts")]
    SvsmEntryAbsent,
}

#[cfg(test)]
mod tests;
