//! What UEFI firmware, a boot stub and the kernel measure of an image.
//!
//! ```text
//! image ─UnifiedKernel::parse─▶ sections ─┬─▶ PCR 4: what the firmware started
//!                                         ├─▶ PCR 9: command line and initrd
//!                                         └─▶ PCR 11: sections, by systemd-stub
//! ```
//!
//! TCG PC Client Platform Firmware Profile (PFP), section 3.3.4; systemd,
//! "TPM2 PCR Measurements Made by systemd"; Linux, `drivers/firmware/efi/libstub`.

mod pe;
mod unified_kernel;

use crate::footer::Guid;

pub use pe::{PeError, PeImage};
pub use unified_kernel::{BootMethod, Stub, UnifiedKernel, UnifiedKernelError};

/// A variable that decides which images the firmware starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "the variables of PFP 3.3.4.8")]
pub enum SecureBootVariable {
    /// Whether signatures are checked.
    SecureBoot,
    /// The platform key.
    PlatformKey,
    /// Keys that may change the lists.
    KeyExchangeKey,
    /// What may be started.
    Allowed,
    /// What may not.
    Forbidden,
}

impl SecureBootVariable {
    /// The measured event (`UEFI_VARIABLE_DATA`) of the variable with these contents.
    #[must_use]
    pub fn event(self, contents: &[u8]) -> Vec<u8> {
        let (guid, name) = match self {
            Self::SecureBoot => (GLOBAL, "SecureBoot"),
            Self::PlatformKey => (GLOBAL, "PK"),
            Self::KeyExchangeKey => (GLOBAL, "KEK"),
            Self::Allowed => (IMAGE_SECURITY, "db"),
            Self::Forbidden => (IMAGE_SECURITY, "dbx"),
        };
        let mut event = guid.as_bytes().to_vec();
        event.extend(crate::field::wide(name.len()).to_le_bytes());
        event.extend(crate::field::wide(contents.len()).to_le_bytes());
        event.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
        event.extend(contents);
        event
    }
}

/// `EV_EFI_ACTION`: a boot option is started.
pub const ACTION_BOOT: &[u8] = b"Calling EFI Application from Boot Option";
/// `EV_EFI_ACTION`: the kernel takes over.
pub const ACTION_EXIT: &[u8] = b"Exit Boot Services Invocation";
/// `EV_EFI_ACTION`: the firmware let go.
pub const ACTION_EXITED: &[u8] = b"Exit Boot Services Returned with Success";
/// `EV_SEPARATOR`: what follows is not the firmware's own.
pub const SEPARATOR: [u8; 4] = [0; 4];

/// `EFI_GLOBAL_VARIABLE`
const GLOBAL: Guid = Guid::new(
    0x8be4_df61,
    0x93ca,
    0x11d2,
    [0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c],
);
/// `EFI_IMAGE_SECURITY_DATABASE_GUID`
const IMAGE_SECURITY: Guid = Guid::new(
    0xd719_b2cb,
    0x3d3a,
    0x4596,
    [0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f],
);
