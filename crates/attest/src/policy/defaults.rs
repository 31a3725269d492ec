//! The defaults a policy starts from, and below which it must say why.

use crate::snp::rules::{Floor, RevocationRule, Rules};
use crate::snp::{Part, Product, Tcb};

pub(crate) const VERSION: u64 = 1;
pub(crate) const MAX_KEY_LIFETIME_SECONDS: u64 = 1200;

/// A year and a day: vendors' lists are good for that long at most.
pub(crate) const LONGEST_COLLATERAL_AGE_SECONDS: u64 = 366 * 24 * 60 * 60;
pub(crate) const MAX_TEXT_CHARS: usize = 200;
pub(crate) const VMPL: u32 = 0;
pub(crate) const HIGHEST_VMPL: u32 = 3;

/// EPYC Milan (7003) is left out: attacks on its memory bus and on the firmware
/// that guards its attestation keys have been published, and the second kind
/// cannot be told apart by looking at the reported firmware level.
pub(crate) const PRODUCTS: [Product; 2] = [Product::Genoa, Product::Turin];

/// Date of the floors below; it is shown with them.
const TCB_FLOORS_AS_OF: &str = "2025-03-01";

/// Firmware levels below which a report is refused.
///
/// Microcode: the first levels that no longer load patches with a forged
/// signature (AMD-SB-3019, AMD-SB-7033; the Linux microcode loader lists the last
/// vulnerable ones). The other components: the levels that came with them on
/// machines of public clouds.
const TCB_FLOORS: [(Part, Tcb); 7] = [
    (Part::BergamoSiena, tcb(10, 0, 23, 0x19)),
    (Part::Genoa, tcb(10, 0, 23, 0x54)),
    (Part::GenoaX, tcb(10, 0, 23, 0x4F)),
    (Part::Milan, tcb(4, 0, 24, 0xDB)),
    (Part::MilanX, tcb(4, 0, 24, 0x44)),
    (Part::Turin, turin_tcb(1, 1, 1, 4, 0x47)),
    (Part::TurinDense, turin_tcb(1, 1, 1, 4, 0x47)),
];

pub(crate) fn floors() -> Vec<Floor> {
    TCB_FLOORS
        .iter()
        .map(|&(part, tcb)| Floor {
            part,
            tcb,
            as_of: TCB_FLOORS_AS_OF.to_owned(),
        })
        .collect()
}

pub(crate) fn snp_rules() -> Rules {
    Rules {
        products: PRODUCTS.to_vec(),
        floors: floors(),
        vmpl: VMPL..=VMPL,
        revocation: RevocationRule::IfPresent,
        allow_provisional_firmware: false,
        allow_cxl: false,
        require_alias_check: true,
        require_machine_identity: false,
        guest_restrictions: Vec::new(),
        platform_features: Vec::new(),
        minimum_abi: (0, 0),
        minimum_firmware: None,
        minimum_guest_svn: None,
        family_id: None,
        image_id: None,
        host_data: None,
        id_key_digests: Vec::new(),
        author_key_digests: Vec::new(),
        mitigations: None,
    }
}

const fn tcb(bootloader: u8, tee: u8, snp: u8, microcode: u8) -> Tcb {
    Tcb {
        fmc: None,
        bootloader,
        tee,
        snp,
        microcode,
    }
}

const fn turin_tcb(fmc: u8, bootloader: u8, tee: u8, snp: u8, microcode: u8) -> Tcb {
    Tcb {
        fmc: Some(fmc),
        bootloader,
        tee,
        snp,
        microcode,
    }
}
