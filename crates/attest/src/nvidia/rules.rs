//! What an appraisal of NVIDIA devices demands.

/// The demands on the devices. [`Rules::default`] is strict, and accepts nothing until it is told the nonce.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    pub(super) nonce: NonceRule,
    pub(super) reference_values: ReferenceRule,
    pub(super) fabric: FabricRule,
    pub(super) revocation: RevocationRule,
    pub(super) mode: Option<Mode>,
}

impl Rules {
    /// Demands that every device signed this nonce: [`super::expected_nonce`].
    #[must_use]
    pub fn nonce(mut self, nonce: [u8; 32]) -> Self {
        self.nonce = NonceRule::Exactly(nonce);
        self
    }

    /// Accepts any nonce, as a gap: old evidence looks like new then.
    #[must_use]
    pub fn any_nonce(mut self) -> Self {
        self.nonce = NonceRule::Any;
        self
    }

    /// Says what to do where reference manifests are missing.
    #[must_use]
    pub fn reference_values(mut self, rule: ReferenceRule) -> Self {
        self.reference_values = rule;
        self
    }

    /// Says what to do where the switches between the devices are missing.
    #[must_use]
    pub fn fabric(mut self, rule: FabricRule) -> Self {
        self.fabric = rule;
        self
    }

    /// Says what to do where revocation is not answered for.
    #[must_use]
    pub fn revocation(mut self, rule: RevocationRule) -> Self {
        self.revocation = rule;
        self
    }

    /// Demands that every GPU is in this mode.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum NonceRule {
    Any,
    Exactly([u8; 32]),
    /// Nobody said what to expect, which is a refusal.
    #[default]
    Unknown,
}

/// What to do about reference manifests. One that is there must always be good.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum ReferenceRule {
    /// Every device needs its manifests, for driver and firmware, and must match them.
    #[default]
    Required,
    /// A device with all its manifests must match them; without, there is a gap.
    WhereComplete,
}

/// What to do about the switches that connect protected GPUs. A fabric that is there must always fit together.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum FabricRule {
    /// Protected GPUs need all their switches, and switches all their GPUs, in the same evidence.
    #[default]
    Required,
    /// A part of the fabric is a gap.
    PartTolerated,
}

/// What to do about revocation.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum RevocationRule {
    /// An answer that is there must be good and recent; a certificate without one is a gap.
    #[default]
    IfPresent,
    /// There must be a good and recent answer for every certificate below a root that a certification authority issued:
    /// not for a device's leaf, which the device itself issued.
    Required,
}

/// How GPUs are given to a virtual machine: NVIDIA's feature flag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Mode {
    /// Several GPUs, their links encrypted.
    MultiplePassthrough,
    /// Several GPUs and all their switches; the links are not encrypted, so every device must be verified.
    ProtectedPcie,
    /// One GPU.
    SinglePassthrough,
}

impl Mode {
    /// nvtrust, `OPAQUE_FIELD_ID_FEATURE_FLAG`.
    pub(super) const fn from_flag(flag: u16) -> Option<Self> {
        match flag {
            0 => Some(Self::SinglePassthrough),
            1 => Some(Self::MultiplePassthrough),
            2 => Some(Self::ProtectedPcie),
            _ => None,
        }
    }

    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MultiplePassthrough => "multiple-passthrough",
            Self::ProtectedPcie => "protected-pcie",
            Self::SinglePassthrough => "single-passthrough",
        }
    }
}
