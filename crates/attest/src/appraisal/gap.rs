//! What was not checked although the verdict is not a refusal: `spec/verdicts.md`.

use core::fmt;

use crate::policy::{WeakenedRule, Weakening};

/// Something a verdict does not cover.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Gap {
    /// Nobody said which image the TPM should have seen start.
    BootNotCompared,
    /// The report is bound to no log checkpoint, so nothing says how old it is.
    CheckpointAbsent,
    /// A checkpoint is there and bound, and the policy names no log to verify it by.
    CheckpointNotVerified,
    /// Nobody looked whether the directory is in the log.
    DirectoryNotChecked,
    /// The enclave may use the provisioning key.
    EnclaveProvisionKey,
    /// The report is bound to no GPU evidence.
    GpuEvidenceAbsent,
    /// Switches between GPUs, or GPUs behind switches, are not in the evidence.
    GpuFabricNotVerified,
    /// The device's report does not name the firmware that made it.
    GpuFirmwareIdAbsent,
    /// Not every reference manifest is there, so measurements were not compared.
    GpuMeasurementsNotCompared,
    /// Nobody said which nonce to expect, so the evidence may be old.
    GpuNonceNotCompared,
    /// Nothing endorses the hardware report.
    HardwareReportNotVerified,
    /// The evidence does not exclude the operator of the host.
    HostNotExcluded,
    /// The log was not compared with what the device has seen of it.
    LogHistoryNotChecked,
    /// The evidence does not say which machine it comes from.
    MachineNotIdentified,
    /// Nothing proves that the machine is one of the admitted ones.
    MachineNotProven,
    /// Nobody said which paravisor to expect.
    ParavisorNotCompared,
    /// The quoted registers' values are not there.
    PcrValuesAbsent,
    /// Nothing proves that the release is in the public log.
    ReleaseNotLogged,
    /// There is no revocation list.
    RevocationNotChecked,
    /// The revocation list is older than its issuer intended.
    RevocationStale,
    /// Another guest may act on this one.
    ServiceGuestBound,
    /// Nothing says which software below the attested program is accepted.
    SoftwareNotCompared,
    /// The platform needs to be configured against known attacks.
    TcbConfigurationNeeded,
    /// The platform is safe only for hardened software.
    TcbHardeningNeeded,
    /// The firmware is known to be vulnerable.
    TcbOutOfDate,
    /// The host may raise faults about memory in the guest.
    TdMemoryFaultsVisible,
    /// Nothing says what the attestation key may do.
    TpmKeyAttributesUnknown,
    /// No certificates lead from the attestation key to a root.
    TpmKeyNotCertified,
    /// Nobody said which nonce the quote was made for.
    TpmNonceNotCompared,
    /// There is no quote of the virtual TPM.
    TpmQuoteAbsent,
    /// The policy loosens a rule.
    Weakened {
        /// Which rule.
        rule: WeakenedRule,
        /// The reason in the policy.
        reason: String,
    },
}

impl Gap {
    /// Stable name of the gap.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::CheckpointAbsent => "checkpoint-absent",
            Self::BootNotCompared => "boot-not-compared",
            Self::CheckpointNotVerified => "checkpoint-not-verified",
            Self::DirectoryNotChecked => "directory-not-checked",
            Self::EnclaveProvisionKey => "enclave-provision-key",
            Self::GpuEvidenceAbsent => "gpu-evidence-absent",
            Self::GpuFabricNotVerified => "gpu-fabric-not-verified",
            Self::GpuFirmwareIdAbsent => "gpu-firmware-id-absent",
            Self::GpuMeasurementsNotCompared => "gpu-measurements-not-compared",
            Self::GpuNonceNotCompared => "gpu-nonce-not-compared",
            Self::HardwareReportNotVerified => "hardware-report-not-verified",
            Self::HostNotExcluded => "host-not-excluded",
            Self::LogHistoryNotChecked => "log-history-not-checked",
            Self::MachineNotIdentified => "machine-not-identified",
            Self::MachineNotProven => "machine-not-proven",
            Self::ParavisorNotCompared => "paravisor-not-compared",
            Self::PcrValuesAbsent => "pcr-values-absent",
            Self::ReleaseNotLogged => "release-not-logged",
            Self::RevocationNotChecked => "revocation-not-checked",
            Self::RevocationStale => "revocation-stale",
            Self::ServiceGuestBound => "service-guest-bound",
            Self::SoftwareNotCompared => "software-not-compared",
            Self::TcbConfigurationNeeded => "tcb-configuration-needed",
            Self::TcbHardeningNeeded => "tcb-hardening-needed",
            Self::TcbOutOfDate => "tcb-out-of-date",
            Self::TdMemoryFaultsVisible => "td-memory-faults-visible",
            Self::TpmKeyAttributesUnknown => "tpm-key-attributes-unknown",
            Self::TpmKeyNotCertified => "tpm-key-not-certified",
            Self::TpmNonceNotCompared => "tpm-nonce-not-compared",
            Self::TpmQuoteAbsent => "tpm-quote-absent",
            Self::Weakened { .. } => "policy-weakened",
        }
    }

    /// What the gap means, as a clause for people.
    #[must_use]
    pub fn meaning(&self) -> String {
        match self {
            Self::CheckpointAbsent => "no log checkpoint is bound to the report, so its age is known only from the key's own dates".into(),
            Self::CheckpointNotVerified => "a log checkpoint is bound to the report, but the policy names no log to verify it by".into(),
            Self::DirectoryNotChecked => "nobody looked whether the directory of nodes is the one in the log".into(),
            Self::EnclaveProvisionKey => "the enclave may use the provisioning key, which names the platform across owners".into(),
            Self::GpuEvidenceAbsent => "no GPU evidence is bound to the report, so a GPU, if one is used, is unverified".into(),
            Self::BootNotCompared => "nobody said which image the TPM should have seen start, so its registers were not compared".into(),
            Self::GpuFabricNotVerified => "switches between GPUs, or GPUs behind switches, are not in the evidence".into(),
            Self::GpuFirmwareIdAbsent => "the device's report does not name the firmware that made it".into(),
            Self::GpuMeasurementsNotCompared => "not every reference manifest of the device is there, so its measurements were not compared".into(),
            Self::GpuNonceNotCompared => "nobody said which nonce to expect, so the device's report may be old".into(),
            Self::HardwareReportNotVerified => "nothing endorses the hardware report, so nobody vouches for what is bound to it".into(),
            Self::HostNotExcluded => "the evidence does not exclude the operator of the host".into(),
            Self::LogHistoryNotChecked => "the log was not compared with what this device has seen of it before".into(),
            Self::MachineNotIdentified => "the report does not say which machine it comes from".into(),
            Self::MachineNotProven => "no log proof that this machine is one of the admitted ones".into(),
            Self::ParavisorNotCompared => "nobody said which paravisor to expect, and the paravisor sees everything".into(),
            Self::PcrValuesAbsent => "the values of the quoted registers are not there, so what was measured was not compared".into(),
            Self::ReleaseNotLogged => "no log proof that this release is public".into(),
            Self::RevocationNotChecked => "no revocation list was supplied".into(),
            Self::RevocationStale => "the revocation list is older than its issuer intended".into(),
            Self::ServiceGuestBound => "another guest may act on this one, and which one was not checked".into(),
            Self::SoftwareNotCompared => "no values were given to compare the platform's software with".into(),
            Self::TcbConfigurationNeeded => "the platform needs to be configured against known attacks".into(),
            Self::TcbHardeningNeeded => "the platform is safe only for software that is hardened against known attacks".into(),
            Self::TcbOutOfDate => "the firmware is known to be vulnerable, and newer firmware is there".into(),
            Self::TdMemoryFaultsVisible => "the host may raise faults about memory in the guest (SEPT_VE_DISABLE is not set)".into(),
            Self::TpmKeyAttributesUnknown => "nothing says what the attestation key may do, so it may sign what no TPM made".into(),
            Self::TpmKeyNotCertified => "no certificates lead from the attestation key to a root, so whose TPM it is follows from elsewhere or not at all".into(),
            Self::TpmNonceNotCompared => "nobody said which nonce to expect, so the quote may be old".into(),
            Self::TpmQuoteAbsent => "there is no quote of the virtual TPM, so what the guest was started with is not known".into(),
            Self::Weakened { rule, reason } => format!("the policy loosens {rule}: {reason}"),
        }
    }
}

impl From<&Weakening> for Gap {
    fn from(weakening: &Weakening) -> Self {
        Self::Weakened {
            rule: weakening.rule(),
            reason: weakening.reason().to_owned(),
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weakened { rule, .. } => write!(f, "{} ({rule})", self.as_str()),
            _ => f.write_str(self.as_str()),
        }
    }
}
