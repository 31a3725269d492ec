//! Claims that Arm's attestation tokens share.
//!
//! PSA tokens (RFC 9783) came first; the platform token of Arm CCA
//! (draft-ffm-rats-cca-token) uses the same claims for the same things.

mod anchors;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::cose::CborError;
use crate::cose::cbor::{Key, Lengths, Reader};

pub use anchors::{Anchors, KeyError};

/// One measured piece of software (RFC 9783, section 4.4.1). It is written with
/// the labels of its attributes.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct SoftwareComponent {
    #[serde(rename = "1", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(rename = "2", serialize_with = "as_hex")]
    measurement: Vec<u8>,
    #[serde(rename = "4", skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(
        rename = "5",
        serialize_with = "as_optional_hex",
        skip_serializing_if = "Option::is_none"
    )]
    signer: Option<Vec<u8>>,
    #[serde(rename = "6", skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl SoftwareComponent {
    /// Its role, such as "BL" for a boot loader.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// Digest of the software.
    #[must_use]
    pub fn measurement(&self) -> &[u8] {
        &self.measurement
    }

    /// Its version, as its maker calls it.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Digest of the key that signed it.
    #[must_use]
    pub fn signer(&self) -> Option<&[u8]> {
        self.signer.as_deref()
    }
}

/// Software that a verifier accepts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReferenceComponent {
    kind: Option<String>,
    measurement: Vec<u8>,
    signer: Vec<u8>,
}

impl ReferenceComponent {
    /// Software with this digest, signed by the key with that digest.
    #[must_use]
    pub fn new(measurement: &[u8], signer: &[u8]) -> Self {
        Self {
            kind: None,
            measurement: measurement.to_vec(),
            signer: signer.to_vec(),
        }
    }

    /// The same, in this role only.
    #[must_use]
    pub fn of_kind(mut self, kind: &str) -> Self {
        self.kind = Some(kind.to_owned());
        self
    }

    fn matches(&self, found: &SoftwareComponent) -> bool {
        self.measurement == found.measurement
            && found.signer.as_ref() == Some(&self.signer)
            && (self.kind.is_none() || self.kind == found.kind)
    }
}

/// The first component that is none of those accepted.
pub(crate) fn unknown_component<'a>(
    found: &'a [SoftwareComponent],
    accepted: &[ReferenceComponent],
) -> Option<&'a SoftwareComponent> {
    found
        .iter()
        .find(|component| !accepted.iter().any(|one| one.matches(component)))
}

/// State of a root of trust (RFC 9783, section 4.3.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Lifecycle {
    pub(crate) value: u16,
    pub(crate) state: State,
}

/// The states that a lifecycle value stands for: the upper byte; the lower one is
/// the implementation's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    AssemblyAndTest,
    Decommissioned,
    OtherDebug,
    Provisioning,
    RecoverableDebug,
    Secured,
    Unknown,
}

impl Lifecycle {
    fn read(reader: &mut Reader<'_>, label: i64) -> Result<Self, ClaimError> {
        let value = reader.unsigned()?;
        let state = match value >> 8 {
            0x00 => State::Unknown,
            0x10 => State::AssemblyAndTest,
            0x20 => State::Provisioning,
            0x30 => State::Secured,
            0x40 => State::OtherDebug,
            0x50 => State::RecoverableDebug,
            0x60 => State::Decommissioned,
            _ => return Err(ClaimError::Value { label }),
        };
        let value = u16::try_from(value).map_err(|_| ClaimError::Value { label })?;
        Ok(Self { value, state })
    }
}

/// One claim that is being read.
pub(crate) struct Claim<'r, 'a> {
    pub(crate) reader: &'r mut Reader<'a>,
    pub(crate) label: i64,
}

impl<'a> Claim<'_, 'a> {
    /// A digest of a function of the SHA-2 family.
    pub(crate) fn digest(&mut self) -> Result<&'a [u8], ClaimError> {
        let bytes = self.reader.bytes(MAX_BYTES)?;
        if matches!(bytes.len(), 32 | 48 | 64) {
            Ok(bytes)
        } else {
            Err(self.length(bytes))
        }
    }

    pub(crate) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], ClaimError> {
        let bytes = self.reader.bytes(MAX_BYTES)?;
        bytes.try_into().map_err(|_| self.length(bytes))
    }

    /// At least one byte.
    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, ClaimError> {
        let bytes = self.reader.bytes(MAX_BYTES)?;
        if bytes.is_empty() {
            return Err(self.length(bytes));
        }
        Ok(bytes.to_vec())
    }

    pub(crate) fn text(&mut self) -> Result<String, ClaimError> {
        Ok(self.reader.text(MAX_TEXT)?.to_owned())
    }

    /// A UEID (RFC 9711, section 4.2.1) of the kind "random": its first byte is 1
    /// and 32 others follow.
    pub(crate) fn instance_id(&mut self) -> Result<[u8; 33], ClaimError> {
        let id: [u8; 33] = self.fixed()?;
        if id.first() == Some(&1) {
            Ok(id)
        } else {
            Err(ClaimError::Value { label: self.label })
        }
    }

    pub(crate) fn lifecycle(&mut self) -> Result<Lifecycle, ClaimError> {
        Lifecycle::read(self.reader, self.label)
    }

    /// At least one component. Old tokens may leave out who signed one.
    pub(crate) fn components(
        &mut self,
        signer_required: bool,
    ) -> Result<Vec<SoftwareComponent>, ClaimError> {
        let label = self.label;
        let mut components = Vec::new();
        self.reader
            .array(Lengths::Definite, MAX_COMPONENTS, |reader| {
                let component = read_component(reader, label)?;
                if signer_required && component.signer.is_none() {
                    return Err(ClaimError::Value { label });
                }
                components.push(component);
                Ok(())
            })?;
        if components.is_empty() {
            return Err(ClaimError::Length { label, got: 0 });
        }
        Ok(components)
    }

    fn length(&self, bytes: &[u8]) -> ClaimError {
        ClaimError::Length {
            label: self.label,
            got: bytes.len(),
        }
    }
}

/// Reads a claims set. `claim` reads those it knows and says so; others are read
/// over (RFC 9711, section 6.1).
pub(crate) fn read_claims<'a>(
    payload: &'a [u8],
    mut claim: impl FnMut(&mut Claim<'_, 'a>) -> Result<bool, ClaimError>,
) -> Result<(), ClaimError> {
    let mut reader = Reader::new(payload);
    reader.map(Lengths::Definite, MAX_CLAIMS, |reader, key| {
        let is_known = match key {
            Key::Integer(label) => claim(&mut Claim { reader, label })?,
            Key::Text(_) => false,
        };
        if !is_known {
            reader.skip()?;
        }
        Ok::<_, ClaimError>(())
    })?;
    Ok(reader.finish()?)
}

fn read_component(reader: &mut Reader<'_>, label: i64) -> Result<SoftwareComponent, ClaimError> {
    let (mut kind, mut measurement, mut version, mut signer, mut description) =
        (None, None, None, None, None);
    reader.map(Lengths::Definite, MAX_ATTRIBUTES, |reader, key| {
        let mut claim = Claim { reader, label };
        match key {
            Key::Integer(1) => kind = Some(claim.text()?),
            Key::Integer(2) => measurement = Some(claim.digest()?.to_vec()),
            Key::Integer(4) => version = Some(claim.text()?),
            Key::Integer(5) => signer = Some(claim.digest()?.to_vec()),
            Key::Integer(6) => description = Some(claim.text()?),
            _ => claim.reader.skip()?,
        }
        Ok::<_, ClaimError>(())
    })?;
    Ok(SoftwareComponent {
        kind,
        measurement: measurement.ok_or(ClaimError::Value { label })?,
        version,
        signer,
        description,
    })
}

/// A claim that must be there.
pub(crate) fn required<T>(claim: Option<T>, label: i64) -> Result<T, ClaimError> {
    claim.ok_or(ClaimError::Missing { label })
}

/// Claims by their labels, for people and logs; null is a claim that is absent.
pub(crate) fn by_label(claims: Vec<(i64, Value)>) -> Value {
    let present = claims.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(
        present
            .map(|(label, value)| (label.to_string(), value))
            .collect(),
    )
}

/// Bytes as they are written in claims.
pub(crate) fn hex_value(bytes: &[u8]) -> Value {
    json!(hex::encode(bytes))
}

fn as_hex<S: Serializer>(bytes: impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

#[expect(clippy::ref_option, reason = "serde passes references")]
fn as_optional_hex<S: Serializer>(
    bytes: &Option<Vec<u8>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    as_hex(bytes.as_deref().unwrap_or_default(), serializer)
}

/// Why a claims set was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// The CBOR is not what it should be.
    #[error("CBOR: {0}")]
    Cbor(#[from] CborError),

    /// A claim, or a part of it, has a length that is not allowed.
    #[error("claim {label} has a part of length {got}, which is not allowed")]
    Length {
        /// Its label.
        label: i64,
        /// Length that was found.
        got: usize,
    },

    /// A claim is missing.
    #[error("claim {label} is missing")]
    Missing {
        /// Its label.
        label: i64,
    },

    /// A claim has a value that is not allowed, or lacks a part.
    #[error("claim {label} has a value that is not allowed")]
    Value {
        /// Its label.
        label: i64,
    },
}

/// Most claims of a set. Those in use have 7 to 12.
const MAX_CLAIMS: usize = 64;
/// Most software components.
const MAX_COMPONENTS: usize = 64;
/// Most attributes of a component.
const MAX_ATTRIBUTES: usize = 16;
/// Longest byte string of a claim, in bytes.
const MAX_BYTES: usize = 1024;
/// Longest text of a claim, in bytes.
const MAX_TEXT: usize = 512;

#[cfg(test)]
mod tests;
