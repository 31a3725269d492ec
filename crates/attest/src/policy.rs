//! What a device accepts: `spec/policy.md`.
//!
//! A policy lists values; it has no wildcard, and an empty list accepts nothing.
//! Whatever it sets below the defaults must be named in a `[[weakened]]` entry
//! with a reason, which every appraisal then shows as a gap.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::appraisal::Gap;
use crate::identifiers::{Measurement, Sha256Digest};
use crate::snp::Part;
use crate::snp::rules::Rules;
use crate::{nitro, nvidia, tdx};

pub(crate) mod defaults;
mod file;
mod log;
mod release;

pub use log::LogRules;

/// A policy, complete and consistent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    pub(crate) name: String,
    pub(crate) platforms: Vec<Platform>,
    pub(crate) measurements: Vec<ReferenceValue>,
    /// Images that a TPM may have seen start.
    pub(crate) boots: Vec<Boot>,
    pub(crate) expectations: KeyConfigurationExpectations,
    /// Machines that are allowed, by the digest of their identity; any if there are none.
    pub(crate) machines: Vec<NamedDigest>,
    pub(crate) required_parts: Vec<RequiredPart>,
    /// Seconds since collateral was issued; `None` leaves it to the vendors' own dates.
    pub(crate) max_collateral_age: Option<u64>,
    pub(crate) snp: Rules,
    pub(crate) nitro: nitro::Rules,
    pub(crate) nvidia: nvidia::Rules,
    /// The log that releases, machines and directories must be in, if the policy names one.
    pub(crate) log: Option<LogRules>,
    pub(crate) tdx: tdx::Rules,
    pub(crate) weakened: Vec<Weakening>,
}

impl Policy {
    /// Largest policy file that is read, in bytes.
    pub const MAX_LEN: usize = 64 * 1024;

    /// Reads a policy file.
    ///
    /// # Errors
    ///
    /// [`PolicyError`]. A key that is not known is an error, and so is a value
    /// below the default without a statement, or a statement without its value.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > Self::MAX_LEN {
            return Err(PolicyError::TooLong { got: text.len() });
        }
        let file: file::File = toml::from_str(text).map_err(|error| PolicyError::Syntax {
            message: error.message().to_owned(),
            line: error.span().map(|span| line_of(text, span.start)),
        })?;
        file.into_policy()
    }

    /// The defaults with no reference values: it accepts nothing.
    #[must_use]
    pub fn strict_default() -> Self {
        Self {
            name: "strict default".to_owned(),
            platforms: vec![Platform::SevSnp],
            measurements: Vec::new(),
            boots: Vec::new(),
            expectations: KeyConfigurationExpectations {
                weights: Vec::new(),
                configurations: Vec::new(),
                releases: Vec::new(),
                max_lifetime_seconds: defaults::MAX_KEY_LIFETIME_SECONDS,
            },
            machines: Vec::new(),
            required_parts: Vec::new(),
            max_collateral_age: None,
            snp: defaults::snp_rules(),
            nitro: nitro::Rules::strict(),
            nvidia: nvidia::Rules::default(),
            log: None,
            tdx: tdx::Rules::strict(),
            weakened: Vec::new(),
        }
    }

    /// The policy's own name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rules that this policy loosens, each with its reason.
    #[must_use]
    pub fn weakened(&self) -> &[Weakening] {
        &self.weakened
    }

    /// The gap that stands for a rule this policy loosens.
    pub(crate) fn weakened_gap(&self, rule: WeakenedRule) -> Gap {
        let statement = self.weakened.iter().find(|stated| stated.rule == rule);
        Gap::Weakened {
            rule,
            reason: statement.map_or_else(String::new, |stated| stated.reason.clone()),
        }
    }

    /// What is demanded of SEV-SNP reports beyond reference values.
    #[must_use]
    pub fn snp_rules(&self) -> &Rules {
        &self.snp
    }

    /// What is demanded of TDX quotes beyond reference values.
    #[must_use]
    pub fn tdx_rules(&self) -> &tdx::Rules {
        &self.tdx
    }

    /// What is demanded of AWS Nitro documents beyond reference values.
    #[must_use]
    pub fn nitro_rules(&self) -> &nitro::Rules {
        &self.nitro
    }

    /// What is demanded of NVIDIA devices.
    #[must_use]
    pub fn nvidia_rules(&self) -> &nvidia::Rules {
        &self.nvidia
    }

    /// The log that releases, machines and directories must be in, if the policy names one.
    #[must_use]
    pub fn log(&self) -> Option<&LogRules> {
        self.log.as_ref()
    }

    /// What the key configuration must say.
    #[must_use]
    pub fn expectations(&self) -> &KeyConfigurationExpectations {
        &self.expectations
    }
}

/// Kind of confidential computing hardware.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Platform {
    /// AWS Nitro Enclaves.
    AwsNitro,
    /// Intel TDX behind a paravisor of Azure.
    AzureIntelTdx,
    /// AMD SEV-SNP behind a paravisor of Azure.
    AzureSevSnp,
    /// Intel TDX.
    IntelTdx,
    /// AMD SEV-SNP.
    SevSnp,
    /// A TPM 2.0 alone, which never excludes the host. What it started is listed
    /// under `[[boots]]`.
    Tpm,
}

impl Platform {
    /// Every platform.
    pub const ALL: [Self; 6] = [
        Self::AwsNitro,
        Self::AzureIntelTdx,
        Self::AzureSevSnp,
        Self::IntelTdx,
        Self::SevSnp,
        Self::Tpm,
    ];

    /// The platform that names the machine: below a paravisor it is the processor's.
    #[must_use]
    pub const fn of_machine(self) -> Self {
        match self {
            Self::AzureIntelTdx | Self::IntelTdx => Self::IntelTdx,
            Self::AzureSevSnp | Self::SevSnp => Self::SevSnp,
            Self::AwsNitro => Self::AwsNitro,
            Self::Tpm => Self::Tpm,
        }
    }

    /// Names of the digests that say which program runs, as a policy lists them.
    #[must_use]
    pub const fn registers(self) -> &'static [&'static str] {
        match self {
            Self::AwsNitro => &["pcr0", "pcr1", "pcr2"],
            Self::AzureIntelTdx | Self::AzureSevSnp => &["paravisor"],
            Self::IntelTdx => &["mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"],
            Self::SevSnp => &["value"],
            Self::Tpm => &[],
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AwsNitro => "aws-nitro",
            Self::AzureIntelTdx => "azure-intel-tdx",
            Self::AzureSevSnp => "azure-sev-snp",
            Self::IntelTdx => "intel-tdx",
            Self::SevSnp => "sev-snp",
            Self::Tpm => "tpm",
        })
    }
}

/// A part of the evidence that a policy can insist on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RequiredPart {
    /// A verified checkpoint of the log.
    Checkpoint,
    /// Verified evidence of the graphics processors.
    GpuEvidence,
    /// A verified quote of a TPM.
    TpmEvidence,
    /// A verified log proof of the machine.
    MachineProof,
    /// A verified log proof of the release.
    ReleaseProof,
}

/// What a program measures on one platform, with the name a person gave it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ReferenceValue {
    pub(crate) name: String,
    pub(crate) platform: Platform,
    /// In the order of [`Platform::registers`].
    pub(crate) registers: Vec<Measurement>,
}

impl ReferenceValue {
    /// Whether evidence of `platform` with these registers is of this program.
    pub(crate) fn matches(
        &self,
        platform: Platform,
        registers: &[(&'static str, Measurement)],
    ) -> bool {
        let found = registers.iter().map(|(_, value)| value);
        platform == self.platform && found.eq(&self.registers)
    }
}

/// What an image measures into a TPM when it starts, with the name a person gave it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Boot {
    pub(crate) name: String,
    /// Values of [`Boot::REGISTERS`] in the SHA-256 bank.
    pub(crate) registers: [Sha256Digest; 3],
}

impl Boot {
    /// The registers that hold what was started (`spec/measurements.md`): programs,
    /// initial file system and command line, sections of the unified image.
    pub(crate) const REGISTERS: [u8; 3] = [4, 9, 11];
    /// The registers into which only a host that adds something measures.
    pub(crate) const ZERO: [u8; 2] = [12, 13];
}

/// A reference value with the name a person gave it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NamedDigest {
    pub(crate) name: String,
    pub(crate) digest: Sha256Digest,
}

/// What the key configuration in a bundle must say to be accepted.
///
/// This crate does not read key configurations; whoever does compares.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyConfigurationExpectations {
    pub(crate) weights: Vec<NamedDigest>,
    pub(crate) configurations: Vec<NamedDigest>,
    pub(crate) releases: Vec<NamedDigest>,
    pub(crate) max_lifetime_seconds: u64,
}

impl KeyConfigurationExpectations {
    /// Whether a model file with this digest may be served.
    #[must_use]
    pub fn allows_weights(&self, digest: &Sha256Digest) -> bool {
        contains(&self.weights, digest)
    }

    /// Whether a service configuration with this digest may be in force.
    #[must_use]
    pub fn allows_configuration(&self, digest: &Sha256Digest) -> bool {
        contains(&self.configurations, digest)
    }

    /// Whether a release with this id may run.
    #[must_use]
    pub fn allows_release(&self, id: &Sha256Digest) -> bool {
        contains(&self.releases, id)
    }

    /// Digests of the model files that may be served.
    pub fn weights(&self) -> impl Iterator<Item = &Sha256Digest> {
        self.weights.iter().map(|reference| &reference.digest)
    }

    /// Digests of the service configurations that may be in force.
    pub fn configurations(&self) -> impl Iterator<Item = &Sha256Digest> {
        self.configurations
            .iter()
            .map(|reference| &reference.digest)
    }

    /// Ids of the releases that may run.
    pub fn releases(&self) -> impl Iterator<Item = &Sha256Digest> {
        self.releases.iter().map(|reference| &reference.digest)
    }

    /// Longest time, in seconds, between a key's not-before and not-after.
    #[must_use]
    pub fn max_lifetime_seconds(&self) -> u64 {
        self.max_lifetime_seconds
    }
}

/// A rule that a policy has loosened.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Weakening {
    rule: WeakenedRule,
    reason: String,
}

impl Weakening {
    /// Which rule.
    #[must_use]
    pub fn rule(&self) -> WeakenedRule {
        self.rule
    }

    /// Why, in the words of whoever wrote the policy.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// A default that a policy may loosen, if it says so.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WeakenedRule {
    /// TDX firmware that listed advisories concern is accepted.
    Advisories,
    /// The host need not report a completed memory alias check.
    AliasCheck,
    /// The guest may use CXL memory.
    Cxl,
    /// EPYC Milan is accepted.
    ProductMilan,
    /// Firmware that is running but not committed is accepted.
    ProvisionalFirmware,
    /// An old revocation list is accepted.
    StaleRevocation,
    /// TDX firmware judged by older collateral than the default is accepted.
    TcbEvaluation,
    /// A TCB floor is below the default.
    TcbFloor,
    /// The report may come from another privilege level than 0.
    Vmpl,
}

impl WeakenedRule {
    /// The rule as it is written in a policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Advisories => "advisories",
            Self::AliasCheck => "alias-check",
            Self::Cxl => "cxl",
            Self::ProductMilan => "product-milan",
            Self::ProvisionalFirmware => "provisional-firmware",
            Self::StaleRevocation => "stale-revocation",
            Self::TcbEvaluation => "tcb-evaluation",
            Self::TcbFloor => "tcb-floor",
            Self::Vmpl => "vmpl",
        }
    }
}

impl fmt::Display for WeakenedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a policy file was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Something is listed twice.
    #[error("policy lists {what} twice")]
    Duplicate {
        /// What is repeated.
        what: String,
    },

    /// A list that must name something is empty.
    #[error("policy leaves {list} empty")]
    Empty {
        /// Which list.
        list: &'static str,
    },

    /// A TCB floor names components that its part does not have, or lacks one.
    #[error("TCB floor of {part}: only turin parts have the component fmc, and they need it")]
    FloorComponents {
        /// Which part.
        part: Part,
    },

    /// A name or reason is empty or too long.
    #[error(
        "policy has an empty or overlong {what}, allowed are 1 to {} characters",
        defaults::MAX_TEXT_CHARS
    )]
    Text {
        /// Which text.
        what: &'static str,
    },

    /// The section about the log has a wrong value.
    #[error("policy has a wrong value in {what}: {reason}")]
    Log {
        /// Where.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },

    /// A value is weaker than the default and nothing says so.
    #[error(
        "policy is weaker than the default in {rule}: add a [[weakened]] entry for it, with a reason"
    )]
    NotStated {
        /// Which rule is loosened.
        rule: WeakenedRule,
    },

    /// A number is outside its range.
    #[error("policy sets {what} to {got}, allowed are {least} to {most}")]
    Range {
        /// Which number.
        what: &'static str,
        /// Its value.
        got: u64,
        /// Least value.
        least: u64,
        /// Greatest value.
        most: u64,
    },

    /// A statement says that a rule is loosened, and it is not.
    #[error("policy has a [[weakened]] entry for {rule}, but that is not below the default")]
    StatedInVain {
        /// Which rule.
        rule: WeakenedRule,
    },

    /// The file is not TOML of the right shape.
    #[error("policy{}: {message}", at_line(*line))]
    Syntax {
        /// What the parser says.
        message: String,
        /// Line, counted from 1.
        line: Option<usize>,
    },

    /// A measurement has not exactly the registers of its platform.
    #[error("policy lists a measurement for {platform} with {got:?}, expected are {}", platform.registers().join(", "))]
    Registers {
        /// Which platform.
        platform: Platform,
        /// The registers it has.
        got: Vec<String>,
    },

    /// Releases are listed although the log says which there are.
    #[error("policy has [[releases]] beside [log]: which releases there are is for the log to say")]
    ReleasesBesideLog,

    /// The input is longer than [`Policy::MAX_LEN`].
    #[error("policy is {got} bytes long, at most {} are read", Policy::MAX_LEN)]
    TooLong {
        /// Length of the input, in bytes.
        got: usize,
    },

    /// The file is of a version this code does not know.
    #[error("policy has version {got}, expected {}", defaults::VERSION)]
    Version {
        /// The version in the file.
        got: u64,
    },

    /// A key digest is all zeros, which a report says where no key signed.
    #[error("{list} holds an all-zero digest")]
    ZeroKeyDigest {
        /// The list.
        list: &'static str,
    },

    /// A measurement is all zeros, which firmware uses for "not measured".
    #[error("policy lists an all-zero measurement")]
    ZeroMeasurement,
}

fn contains(references: &[NamedDigest], digest: &Sha256Digest) -> bool {
    references
        .iter()
        .any(|reference| reference.digest == *digest)
}

fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    before
        .filter(|&&byte| byte == b'\n')
        .count()
        .saturating_add(1)
}

fn at_line(line: Option<usize>) -> String {
    line.map(|line| format!(" line {line}")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
