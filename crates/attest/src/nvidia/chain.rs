//! The certificates of a device: five, from the key that signs reports to NVIDIA's root.
//!
//! ```text
//! GH100 A01 GSP FMC LF      attestation key, names the digest of the firmware that holds it
//! GH100 A01 GSP BROM        this one device, by its boot ROM
//! NVIDIA GH100 Provisioner ICA
//! NVIDIA GH100 Identity
//! NVIDIA Device Identity CA pinned
//! ```

use core::fmt;

use der::asn1::{AnyRef, OctetStringRef};
use der::oid::ObjectIdentifier;
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
use x509_cert::name::{Name, RelativeDistinguishedName};

use super::anchors::Anchors;
use crate::identifiers::Sha384Digest;
use crate::signature::PublicKey;
use crate::time::UnixSeconds;
use crate::x509::path::{self, Links};
use crate::x509::{Certificate, PathError, pem};

/// What a verified chain says about a device.
#[derive(Clone, Debug)]
pub(super) struct DeviceChain {
    /// The key that signs reports.
    pub(super) key: PublicKey,
    /// Digest of the firmware that holds the key (DICE: `FWID`).
    pub(super) firmware_id: Sha384Digest,
    pub(super) chip: Chip,
    /// The 8 bytes by which GPUs and switches name each other.
    pub(super) pdi: Option<[u8; 8]>,
    /// Leaf first.
    pub(super) certificates: Vec<Certificate>,
}

impl DeviceChain {
    /// Reads and verifies the certificates, as text, leaf first.
    pub(super) fn verify(
        text: &[u8],
        anchors: &Anchors,
        now: UnixSeconds,
        links: &mut Links,
    ) -> Result<Self, ChainError> {
        let certificates = parse(text)?;
        let key = path::verify_sharing(&certificates, &anchors.device, now, links)
            .map_err(ChainError::Path)?;
        let [leaf, device, provisioner, _, _] = certificates.as_slice() else {
            return Err(ChainError::Count {
                got: certificates.len(),
            });
        };
        if !matches!(key, PublicKey::P384(_)) {
            return Err(ChainError::Path(PathError::Key { at: 0 }));
        }
        let firmware_id = firmware_id(leaf)?;
        let chip = Chip::named_by(leaf, device, provisioner).ok_or(ChainError::Chip)?;
        let pdi = device.serial().split_last_chunk().map(|(_, pdi)| *pdi);
        Ok(Self {
            key,
            firmware_id,
            chip,
            pdi,
            certificates,
        })
    }
}

/// Reads the five certificates.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Certificate>, ChainError> {
    if text.len() > MAX_TEXT {
        return Err(ChainError::Text);
    }
    let encoded = pem::certificates(text, path::MAX_CERTIFICATES).ok_or(ChainError::Text)?;
    if encoded.len() != CERTIFICATES {
        return Err(ChainError::Count { got: encoded.len() });
    }
    let read = |(at, der): (usize, &Vec<u8>)| {
        Certificate::parse(der)
            .map_err(|source| ChainError::Path(PathError::Certificate { at, source }))
    };
    encoded.iter().enumerate().map(read).collect()
}

/// The chip that a chain is for, by the name NVIDIA gives it in reference manifests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Chip {
    pub(super) name: String,
    pub(super) architecture: Architecture,
}

impl Chip {
    /// The device's two certificates begin with the chip's name, and the provisioner's contains it. The certificate
    /// above is no help: switches, too, have "NVIDIA GH100 Identity".
    pub(super) fn named_by(
        leaf: &Certificate,
        device: &Certificate,
        provisioner: &Certificate,
    ) -> Option<Self> {
        let word = first_word(leaf)?;
        let provisioner = common_name(provisioner.subject())?;
        let agree =
            first_word(device)? == word && provisioner.split(' ').any(|other| other == word);
        let architecture = Architecture::of_chip(word)?;
        agree.then(|| Self {
            // "LS_10" in certificates, "LS10" in manifests.
            name: word.replace('_', ""),
            architecture,
        })
    }
}

/// Generation of a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Architecture {
    /// GPUs whose chip is named GB….
    Blackwell,
    /// GPUs whose chip is named GH….
    Hopper,
    /// The `NVSwitch` LS10.
    Ls10,
}

impl Architecture {
    fn of_chip(name: &str) -> Option<Self> {
        let number = |prefix: &str| {
            let digits = name.strip_prefix(prefix)?;
            let is_number = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then_some(())
        };
        match name {
            "LS_10" => Some(Self::Ls10),
            _ if number("GH").is_some() => Some(Self::Hopper),
            _ if number("GB").is_some() => Some(Self::Blackwell),
            _ => None,
        }
    }

    /// What kind of device has this architecture.
    #[must_use]
    pub const fn kind(self) -> DeviceKind {
        match self {
            Self::Blackwell | Self::Hopper => DeviceKind::Gpu,
            Self::Ls10 => DeviceKind::Switch,
        }
    }

    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blackwell => "BLACKWELL",
            Self::Hopper => "HOPPER",
            Self::Ls10 => "LS10",
        }
    }
}

/// Whether a device computes or connects.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum DeviceKind {
    /// A graphics processor.
    Gpu,
    /// An `NVSwitch`, which connects graphics processors.
    Switch,
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gpu => "GPU",
            Self::Switch => "NVSwitch",
        })
    }
}

fn first_word(certificate: &Certificate) -> Option<&str> {
    common_name(certificate.subject())?.split(' ').next()
}

/// The text of the only common name.
fn common_name(name: &Name) -> Option<&str> {
    let mut found = name
        .iter_rdn()
        .flat_map(RelativeDistinguishedName::iter)
        .filter(|attribute| attribute.oid == COMMON_NAME);
    let only = found.next().filter(|_| found.next().is_none())?;
    core::str::from_utf8(only.value.value()).ok()
}

/// Reads the firmware identifier. A leaf without one is not an attestation key's certificate.
fn firmware_id(leaf: &Certificate) -> Result<Sha384Digest, ChainError> {
    let digest = match (
        leaf.extension(COMPOSITE_DEVICE_ID),
        leaf.extension(TCB_INFO),
    ) {
        (Some(value), None) => composite_device_id(value),
        (None, Some(value)) => tcb_info(value)?,
        _ => None,
    };
    digest.ok_or(ChainError::FirmwareId)
}

/// Hopper and LS10: `SEQUENCE { version INTEGER, deviceID SubjectPublicKeyInfo, fwid FWID }`.
fn composite_device_id(der: &[u8]) -> Option<Sha384Digest> {
    let mut reader = SliceReader::new(der).ok()?;
    let fwid = reader.sequence(|inner| {
        u8::decode(inner)?;
        inner.tlv_bytes()?;
        inner.tlv_bytes()
    });
    let fwid = fwid.ok()?;
    reader.finish().ok()?;
    fwid_digest(fwid)
}

/// Blackwell: TCG DICE Attestation Architecture, section "`DiceTcbInfo`". The first of its `fwids` is the firmware's.
fn tcb_info(der: &[u8]) -> Result<Option<Sha384Digest>, ChainError> {
    let mut digest = None;
    for field in context_fields(der).ok_or(ChainError::FirmwareId)? {
        match field.tag() {
            Tag::ContextSpecific {
                constructed: true,
                number: FWIDS,
            } => digest = first_fwid(field.value()),
            Tag::ContextSpecific {
                constructed: false,
                number: FLAGS,
            } => check_flags(field.value())?,
            _ => {}
        }
    }
    Ok(digest)
}

/// The fields of a sequence, strictly in the order of their tags, so that none occurs twice.
fn context_fields(der: &[u8]) -> Option<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(der).ok()?;
    let fields = reader.sequence(|inner| {
        let mut fields = Vec::new();
        while !inner.is_finished() {
            fields.push(AnyRef::decode(inner)?);
        }
        Ok::<_, der::Error>(fields)
    });
    let fields = fields.ok()?;
    reader.finish().ok()?;
    let numbers: Option<Vec<_>> = fields
        .iter()
        .map(|field| match field.tag() {
            Tag::ContextSpecific { number, .. } => Some(number),
            _ => None,
        })
        .collect();
    numbers?.is_sorted_by(|a, b| a < b).then_some(fields)
}

fn first_fwid(fwids: &[u8]) -> Option<Sha384Digest> {
    let mut reader = SliceReader::new(fwids).ok()?;
    fwid_digest(reader.tlv_bytes().ok()?)
}

/// `FWID ::= SEQUENCE { hashAlg OBJECT IDENTIFIER, digest OCTET STRING }`, here always SHA-384.
fn fwid_digest(der: &[u8]) -> Option<Sha384Digest> {
    let mut reader = SliceReader::new(der).ok()?;
    let (algorithm, digest) = reader
        .sequence(|inner| {
            let algorithm = ObjectIdentifier::decode(inner)?;
            let digest = <&OctetStringRef>::decode(inner)?;
            Ok::<_, der::Error>((algorithm, digest))
        })
        .ok()?;
    reader.finish().ok()?;
    let digest = digest.as_bytes().try_into().ok()?;
    (algorithm == SHA_384).then(|| Sha384Digest::new(digest))
}

/// `OperationalFlags`: 1 is `notSecure`, 3 is `debug`.
fn check_flags(value: &[u8]) -> Result<(), ChainError> {
    let [_, first, ..] = value else {
        return Err(ChainError::FirmwareId);
    };
    if first & (NOT_SECURE | DEBUG) == 0 {
        Ok(())
    } else {
        Err(ChainError::NotSecure)
    }
}

/// Why the certificates of a device were refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum ChainError {
    /// The certificates do not agree on a chip that is known.
    #[error("certificates name no known chip, or not the same")]
    Chip,

    /// There are not five certificates.
    #[error("{got} certificates, expected {CERTIFICATES}")]
    Count {
        /// How many there are.
        got: usize,
    },

    /// The leaf does not name the firmware that holds its key.
    #[error("leaf certificate names no firmware")]
    FirmwareId,

    /// The leaf says that its firmware is in a debug or insecure state.
    #[error("leaf certificate says that the firmware is not secure")]
    NotSecure,

    /// A certificate or the path is refused.
    #[error(transparent)]
    Path(PathError),

    /// The bytes are not certificates as text.
    #[error("not certificates in PEM")]
    Text,
}

const CERTIFICATES: usize = 5;

/// NVML's buffer for certificates has 4 KiB for each of its two chains; those in use have 5,000 bytes.
const MAX_TEXT: usize = 32 * 1024;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const COMPOSITE_DEVICE_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.5.4.1");
const TCB_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.5.4.1.1");
const FWIDS: TagNumber = TagNumber(6);
const FLAGS: TagNumber = TagNumber(7);
const NOT_SECURE: u8 = 0x40;
const DEBUG: u8 = 0x10;

#[cfg(test)]
mod tests;
