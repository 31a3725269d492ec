//! Claims of the platform token (CCA, section "Platform claims").

use serde::{Serialize, Serializer};
use serde_json::json;

use crate::arm::{
    ClaimError, Lifecycle, SoftwareComponent, State, by_label, hex_value, read_claims, required,
};
use crate::identifiers::{ImplementationId, InstanceId};

/// What a platform says about itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlatformClaims {
    pub(super) profile: String,
    /// Hash of the realm's key.
    pub(super) challenge: Vec<u8>,
    pub(super) implementation_id: ImplementationId,
    pub(super) instance_id: InstanceId,
    pub(super) configuration: Vec<u8>,
    pub(super) lifecycle: Lifecycle,
    pub(super) components: Vec<SoftwareComponent>,
    pub(super) verification_service: Option<String>,
    pub(super) hash_algorithm: String,
}

impl PlatformClaims {
    pub(super) fn parse(payload: &[u8]) -> Result<Self, ClaimError> {
        let (mut profile, mut challenge, mut implementation_id, mut instance_id) =
            (None, None, None, None);
        let (mut configuration, mut lifecycle, mut components, mut service, mut algorithm) =
            (None, None, None, None, None);
        read_claims(payload, |claim| {
            match claim.label {
                PROFILE => profile = Some(claim.text()?),
                CHALLENGE => challenge = Some(claim.digest()?.to_vec()),
                IMPLEMENTATION_ID => implementation_id = Some(claim.fixed()?),
                INSTANCE_ID => instance_id = Some(claim.instance_id()?),
                CONFIGURATION => configuration = Some(claim.bytes()?),
                LIFECYCLE => lifecycle = Some(claim.lifecycle()?),
                COMPONENTS => components = Some(claim.components(true)?),
                VERIFICATION_SERVICE => service = Some(claim.text()?),
                HASH_ALGORITHM => algorithm = Some(claim.text()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            profile: required(profile, PROFILE)?,
            challenge: required(challenge, CHALLENGE)?,
            implementation_id: required(implementation_id, IMPLEMENTATION_ID)
                .map(ImplementationId::new)?,
            instance_id: required(instance_id, INSTANCE_ID).map(InstanceId::new)?,
            configuration: required(configuration, CONFIGURATION)?,
            lifecycle: required(lifecycle, LIFECYCLE)?,
            components: required(components, COMPONENTS)?,
            verification_service: service,
            hash_algorithm: required(algorithm, HASH_ALGORITHM)?,
        })
    }

    /// Names the hardware and its immutable firmware.
    #[must_use]
    pub fn implementation_id(&self) -> ImplementationId {
        self.implementation_id
    }

    /// Names the machine.
    #[must_use]
    pub fn instance_id(&self) -> InstanceId {
        self.instance_id
    }

    /// The system properties that the maker of the platform defines.
    #[must_use]
    pub fn configuration(&self) -> &[u8] {
        &self.configuration
    }

    /// The firmware that runs below realms.
    #[must_use]
    pub fn components(&self) -> &[SoftwareComponent] {
        &self.components
    }

    /// Name of the state the platform is in.
    pub(super) fn lifecycle_state(&self) -> &'static str {
        match self.lifecycle.state {
            State::AssemblyAndTest => "assembly-and-test",
            State::Decommissioned => "decommissioned",
            State::OtherDebug => "non-cca-platform-rot-debug",
            State::Provisioning => "cca-platform-rot-provisioning",
            State::RecoverableDebug => "recoverable-cca-platform-rot-debug",
            State::Secured => "secured",
            State::Unknown => "unknown",
        }
    }
}

/// By label, as in the token; bytes in hexadecimal.
impl Serialize for PlatformClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        by_label(vec![
            (PROFILE, json!(self.profile)),
            (CHALLENGE, hex_value(&self.challenge)),
            (IMPLEMENTATION_ID, json!(self.implementation_id)),
            (INSTANCE_ID, json!(self.instance_id)),
            (CONFIGURATION, hex_value(&self.configuration)),
            (LIFECYCLE, json!(self.lifecycle.value)),
            (COMPONENTS, json!(self.components)),
            (VERIFICATION_SERVICE, json!(self.verification_service)),
            (HASH_ALGORITHM, json!(self.hash_algorithm)),
        ])
        .serialize(serializer)
    }
}

const CHALLENGE: i64 = 10;
const INSTANCE_ID: i64 = 256;
const PROFILE: i64 = 265;
const LIFECYCLE: i64 = 2395;
const IMPLEMENTATION_ID: i64 = 2396;
const COMPONENTS: i64 = 2399;
const VERIFICATION_SERVICE: i64 = 2400;
const CONFIGURATION: i64 = 2401;
const HASH_ALGORITHM: i64 = 2402;
