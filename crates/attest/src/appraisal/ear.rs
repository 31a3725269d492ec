//! Attestation results in the words of RATS: draft-ietf-rats-ear and AR4SI (draft-ietf-rats-ar4si).

use serde_json::{Map, Value, json};

use super::check::Check;
use super::{Outcome, Row};
use crate::time::UnixSeconds;

/// An EAT attestation result with one submodule. It is a JSON object and not signed: whoever wants to hand it on signs it.
#[must_use]
pub fn ear(at: UnixSeconds, submodule: &str, content: Value) -> Value {
    let mut submodules = Map::new();
    submodules.insert(submodule.to_owned(), content);
    json!({
        "eat_profile": PROFILE,
        "iat": at.get(),
        "ear.verifier-id": {
            "developer": "Subrosa",
            "build": concat!("subrosa-attest ", env!("CARGO_PKG_VERSION")),
        },
        "submods": submodules,
    })
}

/// What the checks come to in AR4SI's claims, each with the worst of its checks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TrustVector {
    configuration: Tier,
    executables: Tier,
    hardware: Tier,
    instance_identity: Tier,
    runtime_opaque: Tier,
}

/// AR4SI section 2.3.2: none, affirming, warning, contraindicated.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
enum Tier {
    /// Nothing was checked.
    #[default]
    None,
    Affirming,
    Warning,
    Contraindicated,
}

impl Tier {
    const fn number(self) -> i8 {
        match self {
            Self::None => 0,
            Self::Affirming => 2,
            Self::Warning => 32,
            Self::Contraindicated => 96,
        }
    }
}

impl TrustVector {
    /// The vector of these rows.
    #[must_use]
    pub fn of(rows: &[Row]) -> Self {
        let mut vector = Self::default();
        for row in rows {
            let tier = match row.outcome() {
                Outcome::Pass => Tier::Affirming,
                Outcome::NotRun { .. } => Tier::Warning,
                Outcome::Fail { .. } => Tier::Contraindicated,
            };
            let claim = vector.claim(row.check);
            *claim = tier.max(*claim);
        }
        vector
    }

    /// The claim that a check is about. What is about none of the others is about the hardware.
    fn claim(&mut self, check: Check) -> &mut Tier {
        match check {
            Check::Measurement
            | Check::BootMeasurement
            | Check::ReferenceValues
            | Check::ReleaseLogged
            | Check::LogHistory
            | Check::TdRegisters
            | Check::TdEventLog
            | Check::EnclaveMeasurement
            | Check::EnclaveSigner
            | Check::EnclaveProduct
            | Check::EnclaveSvn
            | Check::NitroRegisters
            | Check::CcaInitialMeasurement
            | Check::CcaExtensibleMeasurements
            | Check::CcaComponents
            | Check::PsaComponents
            | Check::GpuManifest
            | Check::GpuManifestMatch
            | Check::GpuMeasurements
            | Check::TpmPcrValues
            | Check::TpmEventLog
            | Check::AzureParavisor => &mut self.executables,
            Check::GuestPolicyFormat
            | Check::GuestMigration
            | Check::GuestCxl
            | Check::GuestRestrictions
            | Check::TdAttributes
            | Check::TdMigration
            | Check::TdSeptVe
            | Check::TdXfam
            | Check::TdService
            | Check::TdIdentity
            | Check::EnclaveAttributes
            | Check::EnclaveProvisionKey
            | Check::EnclaveConfiguration
            | Check::PlatformConfiguration
            | Check::PlatformFeatures
            | Check::GpuMode
            | Check::GpuFabric
            | Check::AzureSecureBoot => &mut self.configuration,
            Check::GuestDebug
            | Check::TdDebug
            | Check::EnclaveDebug
            | Check::NitroDebug
            | Check::Vmpl
            | Check::CcaLifecycle
            | Check::PsaLifecycle
            | Check::PsaHost
            | Check::ExcludesHost => &mut self.runtime_opaque,
            Check::ChipIdentity
            | Check::CollateralAge
            | Check::MachineAllowed
            | Check::MachineAdmitted
            | Check::DirectoryLogged
            | Check::NitroMachine
            | Check::NitroModule => &mut self.instance_identity,
            _ => &mut self.hardware,
        }
    }

    /// The claims by their names, without those of which nothing is known.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let claims = [
            ("configuration", self.configuration),
            ("executables", self.executables),
            ("hardware", self.hardware),
            ("instance-identity", self.instance_identity),
            ("runtime-opaque", self.runtime_opaque),
        ];
        let known = claims.into_iter().filter(|(_, tier)| *tier != Tier::None);
        known
            .map(|(name, tier)| (name.to_owned(), json!(tier.number())))
            .collect::<Map<_, _>>()
            .into()
    }
}

const PROFILE: &str = "tag:subrosa.dev,2026:appraisal/1";

#[cfg(test)]
mod tests;
