//! Where the fields of a report are (AMD 56860, table "`ATTESTATION_REPORT`
//! Structure"), for the reader and for the simulated platform.

pub(crate) const VERSION: usize = 0x000;
pub(crate) const GUEST_SVN: usize = 0x004;
pub(crate) const POLICY: usize = 0x008;
pub(crate) const FAMILY_ID: usize = 0x010;
pub(crate) const IMAGE_ID: usize = 0x020;
pub(crate) const VMPL: usize = 0x030;
pub(crate) const SIGNATURE_ALGO: usize = 0x034;
pub(crate) const CURRENT_TCB: usize = 0x038;
pub(crate) const PLATFORM_INFO: usize = 0x040;
pub(crate) const KEY_INFO: usize = 0x048;
pub(crate) const REPORT_DATA: usize = 0x050;
pub(crate) const MEASUREMENT: usize = 0x090;
pub(crate) const HOST_DATA: usize = 0x0C0;
pub(crate) const ID_KEY_DIGEST: usize = 0x0E0;
pub(crate) const AUTHOR_KEY_DIGEST: usize = 0x110;
pub(crate) const REPORT_ID: usize = 0x140;
pub(crate) const REPORT_ID_MA: usize = 0x160;
pub(crate) const REPORTED_TCB: usize = 0x180;
pub(crate) const CPUID: usize = 0x188;
pub(crate) const CHIP_ID: usize = 0x1A0;
pub(crate) const COMMITTED_TCB: usize = 0x1E0;
pub(crate) const CURRENT_FIRMWARE: usize = 0x1E8;
pub(crate) const COMMITTED_FIRMWARE: usize = 0x1EC;
pub(crate) const LAUNCH_TCB: usize = 0x1F0;
pub(crate) const LAUNCH_MITIGATIONS: usize = 0x1F8;
pub(crate) const CURRENT_MITIGATIONS: usize = 0x200;
pub(crate) const SIGNATURE: usize = 0x2A0;
pub(crate) const SIGNATURE_S: usize = SIGNATURE + 72;
