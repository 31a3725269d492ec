//! Intel TDX: `MRTD` and run-time registers.
//!
//! ```text
//! image ─Tdvf::parse─▶ sections ─(PageOrder)─▶ MRTD
//! digests of events, in order ─▶ Register ───▶ RTMR
//! ```
//!
//! "Intel TDX Virtual Firmware Design Guide", section 11 (metadata); "Intel TDX
//! Module ABI", `TDH.MEM.PAGE.ADD`, `TDH.MR.EXTEND`. The firmware measures events
//! into the run-time registers as it would into PCRs (UEFI, `EFI_CC_MEASUREMENT_PROTOCOL`):
//! PCR 1 and 7 are RTMR 0, PCR 2 to 6 are RTMR 1, PCR 8 to 15 are RTMR 2.

pub mod google;
mod hob;
mod tdvf;

pub use hob::{HobError, HobTemplate};
#[cfg(test)]
pub(crate) use tdvf::TDX_METADATA;
pub use tdvf::{PageOrder, Tdvf, TdvfError, TdvfSection, TdvfSectionKind};
