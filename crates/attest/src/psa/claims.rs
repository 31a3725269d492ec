//! The claims set (PSA, section 4).

use serde::{Serialize, Serializer};
use serde_json::json;

use super::token::Token;
use crate::arm::{
    Claim, ClaimError, Lifecycle, SoftwareComponent, State, by_label, hex_value, read_claims,
    required,
};
use crate::identifiers::{ImplementationId, InstanceId};

/// What a device says about itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ClaimsSet {
    pub(super) labels: &'static Labels,
    pub(super) profile: Option<String>,
    pub(super) nonce: Vec<u8>,
    pub(super) client_id: i32,
    pub(super) lifecycle: Lifecycle,
    pub(super) implementation_id: ImplementationId,
    pub(super) instance_id: InstanceId,
    pub(super) boot_seed: Option<Vec<u8>>,
    pub(super) certification_reference: Option<String>,
    pub(super) components: Vec<SoftwareComponent>,
    pub(super) verification_service: Option<String>,
}

/// The labels of the claims, of one kind or the other.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Labels {
    nonce: i64,
    instance_id: i64,
    profile: i64,
    client_id: i64,
    lifecycle: i64,
    implementation_id: i64,
    boot_seed: i64,
    certification_reference: i64,
    components: i64,
    verification_service: i64,
}

/// PSA, section 4.
pub(super) static LABELS: Labels = Labels {
    nonce: 10,
    instance_id: 256,
    profile: 265,
    client_id: 2394,
    lifecycle: 2395,
    implementation_id: 2396,
    boot_seed: 2397,
    certification_reference: 2398,
    components: 2399,
    verification_service: 2400,
};

/// draft-tschofenig-rats-psa-token until version 08, section 4.
pub(super) static OLD_LABELS: Labels = Labels {
    nonce: -75008,
    instance_id: -75009,
    profile: -75000,
    client_id: -75001,
    lifecycle: -75002,
    implementation_id: -75003,
    boot_seed: -75004,
    certification_reference: -75005,
    components: -75006,
    verification_service: -75010,
};

/// The claims found so far.
#[derive(Default)]
struct Found {
    profile: Option<String>,
    nonce: Option<Vec<u8>>,
    client_id: Option<i32>,
    lifecycle: Option<Lifecycle>,
    implementation_id: Option<[u8; 32]>,
    instance_id: Option<[u8; 33]>,
    boot_seed: Option<Vec<u8>>,
    certification_reference: Option<String>,
    components: Option<Vec<SoftwareComponent>>,
    verification_service: Option<String>,
}

impl ClaimsSet {
    /// The kind of the labels follows from the nonce's. A set with one of the
    /// other kind is refused, so that nobody reads another claim than we do.
    pub(super) fn parse(payload: &[u8]) -> Result<Self, ClaimError> {
        let labels = find_labels(payload)?;
        let others = if labels == &LABELS {
            &OLD_LABELS
        } else {
            &LABELS
        };
        let mut found = Found::default();
        read_claims(payload, |claim| {
            if others.contain(claim.label) {
                return Err(ClaimError::Value { label: claim.label });
            }
            found.read(claim, labels)
        })?;
        found.complete(labels)
    }

    pub(super) fn is_old(&self) -> bool {
        self.labels == &OLD_LABELS
    }

    /// Name of the state the device is in.
    pub(super) fn lifecycle_state(&self) -> &'static str {
        match self.lifecycle.state {
            State::AssemblyAndTest => "assembly-and-test",
            State::Decommissioned => "decommissioned",
            State::OtherDebug => "non-psa-rot-debug",
            State::Provisioning => "psa-rot-provisioning",
            State::RecoverableDebug => "recoverable-psa-rot-debug",
            State::Secured => "secured",
            State::Unknown => "unknown",
        }
    }
}

fn find_labels(payload: &[u8]) -> Result<&'static Labels, ClaimError> {
    let mut labels = None;
    read_claims(payload, |claim| {
        for one in [&LABELS, &OLD_LABELS] {
            if claim.label == one.nonce {
                labels = Some(one);
            }
        }
        Ok(false)
    })?;
    required(labels, LABELS.nonce)
}

impl Labels {
    fn contain(&self, label: i64) -> bool {
        [
            self.nonce,
            self.instance_id,
            self.profile,
            self.client_id,
            self.lifecycle,
            self.implementation_id,
            self.boot_seed,
            self.certification_reference,
            self.components,
            self.verification_service,
        ]
        .contains(&label)
    }
}

impl Found {
    fn read(&mut self, claim: &mut Claim<'_, '_>, labels: &Labels) -> Result<bool, ClaimError> {
        let is_old = labels == &OLD_LABELS;
        match claim.label {
            label if label == labels.nonce => self.nonce = Some(claim.digest()?.to_vec()),
            label if label == labels.profile => self.profile = Some(claim.text()?),
            label if label == labels.client_id => self.client_id = Some(read_client(claim)?),
            label if label == labels.lifecycle => self.lifecycle = Some(claim.lifecycle()?),
            label if label == labels.implementation_id => {
                self.implementation_id = Some(claim.fixed()?);
            }
            label if label == labels.instance_id => self.instance_id = Some(claim.instance_id()?),
            label if label == labels.boot_seed => {
                self.boot_seed = Some(read_seed(claim, is_old)?);
            }
            label if label == labels.certification_reference => {
                self.certification_reference = Some(read_reference(claim, is_old)?);
            }
            label if label == labels.components => {
                self.components = Some(claim.components(!is_old)?);
            }
            label if label == labels.verification_service => {
                self.verification_service = Some(claim.text()?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn complete(self, labels: &'static Labels) -> Result<ClaimsSet, ClaimError> {
        if labels == &OLD_LABELS {
            required(self.boot_seed.as_ref(), labels.boot_seed)?;
        } else {
            required(self.profile.as_ref(), labels.profile)?;
        }
        Ok(ClaimsSet {
            labels,
            profile: self.profile,
            nonce: required(self.nonce, labels.nonce)?,
            client_id: required(self.client_id, labels.client_id)?,
            lifecycle: required(self.lifecycle, labels.lifecycle)?,
            implementation_id: required(self.implementation_id, labels.implementation_id)
                .map(ImplementationId::new)?,
            instance_id: required(self.instance_id, labels.instance_id).map(InstanceId::new)?,
            boot_seed: self.boot_seed,
            certification_reference: self.certification_reference,
            components: required(self.components, labels.components)?,
            verification_service: self.verification_service,
        })
    }
}

fn read_client(claim: &mut Claim<'_, '_>) -> Result<i32, ClaimError> {
    let label = claim.label;
    let value = claim.reader.integer()?;
    i32::try_from(value).map_err(|_| ClaimError::Value { label })
}

/// PSA, section 4.3.2: 8 to 32 bytes; 32 before 2022.
fn read_seed(claim: &mut Claim<'_, '_>, is_old: bool) -> Result<Vec<u8>, ClaimError> {
    let seed = claim.bytes()?;
    let least = if is_old { 32 } else { 8 };
    if (least..=32).contains(&seed.len()) {
        Ok(seed)
    } else {
        let (label, got) = (claim.label, seed.len());
        Err(ClaimError::Length { label, got })
    }
}

/// PSA, section 4.2.3: an EAN-13 and five digits; before 2022 the EAN-13 alone
/// was also in use.
fn read_reference(claim: &mut Claim<'_, '_>, is_old: bool) -> Result<String, ClaimError> {
    let text = claim.text()?;
    let are_digits =
        |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let is_good = match text.split_once('-') {
        Some((article, version)) => are_digits(article, 13) && are_digits(version, 5),
        None => is_old && are_digits(&text, 13),
    };
    if is_good {
        Ok(text)
    } else {
        Err(ClaimError::Value { label: claim.label })
    }
}

/// By label, as in the token; bytes in hexadecimal.
impl Serialize for ClaimsSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let labels = self.labels;
        by_label(vec![
            (labels.profile, json!(self.profile)),
            (labels.nonce, hex_value(&self.nonce)),
            (labels.client_id, json!(self.client_id)),
            (labels.lifecycle, json!(self.lifecycle.value)),
            (labels.implementation_id, json!(self.implementation_id)),
            (labels.instance_id, json!(self.instance_id)),
            (
                labels.boot_seed,
                json!(self.boot_seed.as_ref().map(hex::encode)),
            ),
            (
                labels.certification_reference,
                json!(self.certification_reference),
            ),
            (labels.components, json!(self.components)),
            (
                labels.verification_service,
                json!(self.verification_service),
            ),
        ])
        .serialize(serializer)
    }
}

/// The claims of a token whose signature is verified.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Claims {
    /// Number of the signature's algorithm in IANA's registry "COSE Algorithms".
    alg: i64,
    #[serde(rename = "claims")]
    set: ClaimsSet,
    lifecycle_state: &'static str,
}

impl Claims {
    pub(super) fn new(token: Token<'_>) -> Self {
        Self {
            alg: token.envelope.algorithm().number(),
            lifecycle_state: token.claims.lifecycle_state(),
            set: token.claims,
        }
    }

    /// The bytes the token was asked with.
    #[must_use]
    pub fn nonce(&self) -> &[u8] {
        &self.set.nonce
    }

    /// Names the hardware and its immutable firmware.
    #[must_use]
    pub fn implementation_id(&self) -> ImplementationId {
        self.set.implementation_id
    }

    /// Names the device.
    #[must_use]
    pub fn instance_id(&self) -> InstanceId {
        self.set.instance_id
    }

    /// Who asked for the token: a positive number is a secure partition, others
    /// are callers outside.
    #[must_use]
    pub fn client_id(&self) -> i32 {
        self.set.client_id
    }

    /// The value that is new at each start of the device.
    #[must_use]
    pub fn boot_seed(&self) -> Option<&[u8]> {
        self.set.boot_seed.as_deref()
    }

    /// The certificate of the device's root of trust, by its reference.
    #[must_use]
    pub fn certification_reference(&self) -> Option<&str> {
        self.set.certification_reference.as_deref()
    }

    /// The software that was measured.
    #[must_use]
    pub fn components(&self) -> &[SoftwareComponent] {
        &self.set.components
    }
}
