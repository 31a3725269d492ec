//! What a policy asks of SEV-SNP evidence.

use core::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::report::{FirmwareVersion, GuestPolicy, PlatformInfo};
use super::{Part, Product, Tcb};
use crate::identifiers::{BlockId, KeyDigest, Sha256Digest};
use crate::policy::defaults;

/// What is demanded of SEV-SNP evidence: the section of a policy, defaults
/// filled in.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a rule of its own, named as in the policy file"
)]
pub struct Rules {
    pub(crate) products: Vec<Product>,
    pub(crate) floors: Vec<Floor>,
    /// Privilege levels accepted.
    pub(crate) vmpl: RangeInclusive<u32>,
    pub(crate) revocation: RevocationRule,
    pub(crate) allow_provisional_firmware: bool,
    pub(crate) allow_cxl: bool,
    pub(crate) require_alias_check: bool,
    pub(crate) require_machine_identity: bool,
    pub(crate) guest_restrictions: Vec<GuestRestriction>,
    pub(crate) platform_features: Vec<PlatformFeature>,
    pub(crate) minimum_abi: (u8, u8),
    pub(crate) minimum_firmware: Option<FirmwareVersion>,
    pub(crate) minimum_guest_svn: Option<u32>,
    pub(crate) family_id: Option<BlockId>,
    pub(crate) image_id: Option<BlockId>,
    pub(crate) host_data: Option<Sha256Digest>,
    pub(crate) id_key_digests: Vec<KeyDigest>,
    pub(crate) author_key_digests: Vec<KeyDigest>,
    pub(crate) mitigations: Option<u64>,
}

impl Rules {
    /// The rules of the default policy.
    #[must_use]
    pub fn strict() -> Self {
        defaults::snp_rules()
    }

    /// Accepts processors of these generations.
    #[must_use]
    pub fn products(mut self, products: &[Product]) -> Self {
        self.products = products.to_vec();
        self
    }

    /// Accepts firmware from these levels on, one for each part; a part without
    /// a floor is refused.
    #[must_use]
    pub fn tcb_floors(mut self, floors: &[(Part, Tcb)]) -> Self {
        let floor = |&(part, tcb)| Floor {
            part,
            tcb,
            as_of: "set by the caller".to_owned(),
        };
        self.floors = floors.iter().map(floor).collect();
        self
    }

    /// Demands that the report was asked for at this privilege level.
    #[must_use]
    pub fn vmpl(mut self, level: u32) -> Self {
        self.vmpl = level..=level;
        self
    }

    /// Accepts a report that the guest asked for at any privilege level; a
    /// report that the host asked for is refused all the same.
    #[must_use]
    pub fn any_guest_vmpl(mut self) -> Self {
        self.vmpl = defaults::VMPL..=defaults::HIGHEST_VMPL;
        self
    }

    /// Whether the host must have completed its memory alias check.
    #[must_use]
    pub fn alias_check_required(mut self, required: bool) -> Self {
        self.require_alias_check = required;
        self
    }

    /// Whether firmware that is running but not committed is accepted.
    #[must_use]
    pub fn provisional_firmware_accepted(mut self, accepted: bool) -> Self {
        self.allow_provisional_firmware = accepted;
        self
    }

    /// The floor for a part; none means that the part is refused.
    pub(super) fn floor(&self, part: Part) -> Option<&Floor> {
        self.floors.iter().find(|floor| floor.part == part)
    }
}

/// The least firmware level accepted on one part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Floor {
    pub(crate) part: Part,
    pub(crate) tcb: Tcb,
    /// Date of the value, for people.
    pub(crate) as_of: String,
}

/// What to do about revocation lists.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RevocationRule {
    /// A list that is there must be good and recent; without one there is a gap.
    #[default]
    IfPresent,
    /// A good and recent list must be there.
    Required,
    /// As `IfPresent`, but an old list is a gap instead of a refusal.
    StaleTolerated,
}

/// A bit of the guest policy that a Subrosa policy can insist on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum GuestRestriction {
    #[serde(rename = "aes-256-xts")]
    Aes256Xts,
    CiphertextHiding,
    PageSwapDisabled,
    RaplDisabled,
    SingleSocket,
    SmtForbidden,
}

impl GuestRestriction {
    pub(super) fn holds(self, policy: GuestPolicy) -> bool {
        match self {
            Self::Aes256Xts => policy.has(GuestPolicy::AES_256_XTS),
            Self::CiphertextHiding => policy.has(GuestPolicy::CIPHERTEXT_HIDING),
            Self::PageSwapDisabled => policy.has(GuestPolicy::PAGE_SWAP_DISABLED),
            Self::RaplDisabled => policy.has(GuestPolicy::RAPL_DISABLED),
            Self::SingleSocket => policy.has(GuestPolicy::SINGLE_SOCKET),
            Self::SmtForbidden => !policy.has(GuestPolicy::SMT),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Aes256Xts => "aes-256-xts",
            Self::CiphertextHiding => "ciphertext-hiding",
            Self::PageSwapDisabled => "page-swap-disabled",
            Self::RaplDisabled => "rapl-disabled",
            Self::SingleSocket => "single-socket",
            Self::SmtForbidden => "smt-forbidden",
        }
    }
}

/// A property of the host that a Subrosa policy can insist on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PlatformFeature {
    CiphertextHiding,
    Ecc,
    RaplDisabled,
    SmtDisabled,
    Tsme,
}

impl PlatformFeature {
    pub(super) fn holds(self, info: PlatformInfo) -> bool {
        match self {
            Self::CiphertextHiding => info.has(PlatformInfo::CIPHERTEXT_HIDING),
            Self::Ecc => info.has(PlatformInfo::ECC),
            Self::RaplDisabled => info.has(PlatformInfo::RAPL_DISABLED),
            Self::SmtDisabled => !info.has(PlatformInfo::SMT),
            Self::Tsme => info.has(PlatformInfo::TSME),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::CiphertextHiding => "ciphertext-hiding",
            Self::Ecc => "ecc",
            Self::RaplDisabled => "rapl-disabled",
            Self::SmtDisabled => "smt-disabled",
            Self::Tsme => "tsme",
        }
    }
}
