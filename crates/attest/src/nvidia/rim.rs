//! Reference integrity manifests (RIM): NVIDIA's signed lists of the measurements that a driver or a firmware has.
//!
//! A manifest is a software identification tag (ISO/IEC 19770-2:2015) as the TCG's "Reference Integrity Manifest
//! Information Model" extends it, with an XML signature:
//!
//! ```text
//! text ──Manifest::parse──▶ Manifest ──verify(anchors, now)──▶ VerifiedManifest
//! ```

use super::anchors::Anchors;
use super::checks::SignedManifest;
use crate::appraisal::Code;
use crate::identifiers::Sha384Digest;
use crate::time::UnixSeconds;
use crate::x509::path::{self, Links};
use crate::x509::{Certificate, PathError};

mod canonical;
mod xml;
mod xmldsig;

use xml::Element;
use xmldsig::Signature;

/// A manifest of which nothing is verified.
///
/// It offers nothing but verification, so code cannot use an unsigned value by mistake.
#[derive(Clone, Debug)]
pub struct Manifest {
    signature: Signature,
    content: VerifiedManifest,
}

impl Manifest {
    /// Largest manifest that is read, in bytes. Those in use have 20,000 to 26,000.
    pub const MAX_LEN: usize = 256 * 1024;

    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Content`], [`ManifestError::Form`] or [`ManifestError::TooLong`]. No cryptography is done here.
    pub fn parse(document: &[u8]) -> Result<Self, ManifestError> {
        if document.len() > Self::MAX_LEN {
            return Err(ManifestError::TooLong {
                got: document.len(),
            });
        }
        let root = core::str::from_utf8(document)
            .ok()
            .and_then(xml::parse)
            .ok_or(ManifestError::Form)?;
        Ok(Self {
            signature: Signature::read(&root).ok_or(ManifestError::Form)?,
            content: read_content(&root).ok_or(ManifestError::Content)?,
        })
    }

    /// Checks the certificates up to NVIDIA's root and the signature, as of `now`.
    pub(super) fn verify(
        &self,
        anchors: &Anchors,
        now: UnixSeconds,
        links: &mut Links,
    ) -> Result<SignedManifest, ManifestError> {
        let certificates = self.certificates()?;
        let key = path::verify_sharing(&certificates, &anchors.manifest, now, links)
            .map_err(ManifestError::Path)?;
        if self.signature.verifies(&key) {
            Ok(SignedManifest {
                content: self.content.clone(),
                certificates,
            })
        } else {
            Err(ManifestError::Signature)
        }
    }

    fn certificates(&self) -> Result<Vec<Certificate>, ManifestError> {
        let encoded = &self.signature.certificates;
        if encoded.len() != CERTIFICATES {
            return Err(ManifestError::Count { got: encoded.len() });
        }
        let read = |(at, der): (usize, &Vec<u8>)| {
            Certificate::parse(der)
                .map_err(|source| ManifestError::Path(PathError::Certificate { at, source }))
        };
        encoded.iter().enumerate().map(read).collect()
    }
}

/// What NVIDIA signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct VerifiedManifest {
    /// Version of the driver or firmware it describes.
    pub(super) version: String,
    /// `GPU` or `SWITCH`.
    pub(super) edition: String,
    /// The chip.
    pub(super) product: String,
    /// Active measurements, by index.
    pub(super) golden: Vec<Golden>,
}

/// One golden measurement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Golden {
    /// Index from 0; the block of a report with this measurement is one higher.
    pub(super) index: u8,
    /// The values that are good.
    pub(super) alternatives: Vec<Sha384Digest>,
}

fn read_content(root: &Element) -> Option<VerifiedManifest> {
    root.is(SWID, "SoftwareIdentity").then_some(())?;
    let children = root.elements()?;
    let only = |local: &str| {
        let mut found = children.iter().filter(|child| child.is(SWID, local));
        found.next().filter(|_| found.next().is_none())
    };
    let meta = only("Meta")?;
    let text = |name: &str| {
        let value = meta.attribute("", name)?;
        let is_plain = value.bytes().all(|byte| byte.is_ascii_graphic());
        (is_plain && !value.is_empty() && value.len() <= MAX_TEXT).then(|| value.to_owned())
    };
    Some(VerifiedManifest {
        version: text("colloquialVersion")?,
        edition: text("edition")?,
        product: text("product")?,
        golden: read_payload(only("Payload")?)?,
    })
}

/// Reads the measurements; an index may occur once, and one at least is active.
fn read_payload(payload: &Element) -> Option<Vec<Golden>> {
    let mut seen = Vec::new();
    let mut golden = Vec::new();
    for resource in payload.elements()? {
        let (measurement, is_active) = read_resource(resource)?;
        if seen.contains(&measurement.index) {
            return None;
        }
        seen.push(measurement.index);
        if is_active {
            golden.push(measurement);
        }
    }
    (!golden.is_empty()).then_some(golden)
}

fn read_resource(resource: &Element) -> Option<(Golden, bool)> {
    let is_measurement = resource.is(SWID, "Resource")
        && resource.attribute("", "type") == Some("Measurement")
        && resource.attribute("", "size") == Some("48");
    is_measurement.then_some(())?;
    let is_active = match resource.attribute("", "active")? {
        "True" => true,
        "False" => false,
        _ => return None,
    };
    let index = number(resource.attribute("", "index")?)?;
    let count = number(resource.attribute("", "alternatives")?)?;
    let digests = resource
        .attributes
        .iter()
        .filter(|attribute| attribute.namespace == HASH_NAMESPACE)
        .count();
    if count == 0 || digests != usize::from(count) {
        return None;
    }
    let alternatives = (0..count)
        .map(|number| {
            let digest = resource.attribute(HASH_NAMESPACE, &format!("Hash{number}"))?;
            digest.to_ascii_lowercase().parse().ok()
        })
        .collect::<Option<_>>()?;
    let golden = Golden {
        index,
        alternatives,
    };
    Some((golden, is_active))
}

/// A number in the one usual spelling; the highest index has no block.
fn number(text: &str) -> Option<u8> {
    let number: u8 = text.parse().ok()?;
    (number.to_string() == text && number < u8::MAX).then_some(number)
}

/// Why a reference manifest was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The document does not hold what a manifest of measurements holds.
    #[error("manifest does not list measurements as NVIDIA's do")]
    Content,

    /// There are not four certificates.
    #[error("{got} certificates in the manifest, expected {CERTIFICATES}")]
    Count {
        /// How many there are.
        got: usize,
    },

    /// The document is not XML with one signature of the accepted form.
    #[error("manifest is not XML with a signature of the accepted form")]
    Form,

    /// A certificate or the path is refused.
    #[error("manifest: {0}")]
    Path(PathError),

    /// The digest or the signature does not verify.
    #[error("manifest signature does not verify")]
    Signature,

    /// The input is longer than [`Manifest::MAX_LEN`].
    #[error("manifest is {got} bytes long, at most {} are read", Manifest::MAX_LEN)]
    TooLong {
        /// Length of the input, in bytes.
        got: usize,
    },
}

impl ManifestError {
    /// The stable code of this refusal.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Content | Self::Form | Self::TooLong { .. } => Code::ManifestMalformed,
            Self::Count { .. } => Code::CertificateMalformed,
            Self::Path(error) => error.code(),
            Self::Signature => Code::ManifestSignature,
        }
    }
}

const CERTIFICATES: usize = 4;
const MAX_TEXT: usize = 64;

/// ISO/IEC 19770-2:2015.
const SWID: &str = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd";
/// Digests of measurements, as attributes `Hash0`, `Hash1`, ….
const HASH_NAMESPACE: &str = "http://www.w3.org/2001/04/xmlenc#sha384";

#[cfg(test)]
mod tests;
