//! Launch digests of SEV and SEV-ES, which are SHA-256 over everything inserted.
//!
//! AMD 55766 (SEV API), `LAUNCH_UPDATE_DATA` and `LAUNCH_UPDATE_VMSA`.

use sha2::{Digest as _, Sha256};

use super::{Boot, Firmware, MeasureError, ProcessorSignature, Processors, Vmm, vmsa};
use crate::Sha256Digest;

/// The launch digest of a guest under plain SEV, whose registers the host sees.
///
/// # Errors
///
/// [`MeasureError::HashesTableAbsent`] if a kernel is given that the firmware could
/// not compare with a digest.
pub fn sev_launch_digest(
    firmware: &Firmware<'_>,
    boot: Option<&Boot>,
) -> Result<Sha256Digest, MeasureError> {
    Ok(finish(memory(firmware, boot)?))
}

/// The launch digest of a guest under SEV-ES.
///
/// # Errors
///
/// [`MeasureError`] as for [`sev_launch_digest`], or if the firmware does not say
/// where other processors start.
pub fn sev_es_launch_digest(
    firmware: &Firmware<'_>,
    boot: Option<&Boot>,
    processors: Processors,
    signature: ProcessorSignature,
    vmm: Vmm,
) -> Result<Sha256Digest, MeasureError> {
    let mut hash = memory(firmware, boot)?;
    let reset = firmware
        .reset_address()
        .ok_or(MeasureError::ResetAddressAbsent)?;
    for number in 0..processors.count() {
        let start = if number == 0 { vmsa::RESET } else { reset };
        hash.update(vmsa::save_area(vmm, start, signature, 0));
    }
    Ok(finish(hash))
}

fn memory(firmware: &Firmware<'_>, boot: Option<&Boot>) -> Result<Sha256, MeasureError> {
    let mut hash = Sha256::new();
    hash.update(firmware.bytes());
    if let Some(boot) = boot {
        firmware
            .hashes_table()
            .ok_or(MeasureError::HashesTableAbsent)?;
        hash.update(boot.table());
    }
    Ok(hash)
}

fn finish(hash: Sha256) -> Sha256Digest {
    Sha256Digest::new(hash.finalize().into())
}
