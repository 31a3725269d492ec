//! NVIDIA GPUs (Hopper, Blackwell) and `NVSwitch`es.
//!
//! ```text
//! certificates ──DeviceChain::verify(anchors, now)──▶ DeviceChain ─┐
//! report ──Report::parse──▶ Report ──verify(leaf's key)────────────┴▶ VerifiedReport ─┐
//! manifests ──Manifest::parse──▶ Manifest ──verify(anchors, now)──▶ VerifiedManifest ─┴▶ rows
//! ```
//!
//! A GPU says which driver and firmware it runs, and signs a nonce. It does not say whose it is or which virtual machine
//! uses it: **evidence of a GPU alone never excludes the operator of the host**. It is a part of a node's evidence, tied
//! to the rest by [`expected_nonce`] one way and by the report data of the confidential VM the other way.
//!
//! `docs/verify/nvidia.md` lists what is checked and what is not.

mod anchors;
mod chain;
mod checks;
mod claims;
mod cursor;
#[cfg(test)]
pub(crate) mod fixtures;
mod opaque;
mod query;
mod rim;
mod rules;
mod spdm;

use sha2::{Digest, Sha256};

use crate::appraisal::EvidenceAppraisal;
use crate::appraisal::check::{Group, Recorder};
use crate::identifiers::Sha256Digest;
use crate::time::UnixSeconds;
use crate::x509::path::Links;

pub use anchors::Anchors;
pub use chain::{Architecture, DeviceKind};
pub(crate) use checks::verify;
pub use claims::{CertificateClaims, Claims, DeviceClaims, ManifestClaims};
pub use query::{CollateralQuery, QueryError};
pub use rim::{Manifest, ManifestError};
pub use rules::{FabricRule, Mode, ReferenceRule, RevocationRule, Rules};
pub use spdm::{Report, ReportError};

/// Everything that is needed to verify the devices of one machine, all unverified.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct Evidence<'a> {
    /// The GPUs and the switches between them.
    pub devices: Vec<Device<'a>>,
    /// Reference manifests, as NVIDIA publishes them; devices may share them.
    pub manifests: Vec<&'a [u8]>,
    /// Answers about revocation (OCSP responses) for certificates of devices and manifests, in DER.
    pub revocation_answers: Vec<&'a [u8]>,
}

/// One device.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct Device<'a> {
    /// What it is presented as.
    pub kind: DeviceKind,
    /// The measurement request and the device's answer, as NVML or NSCQ hands them out.
    pub report: &'a [u8],
    /// Five certificates in PEM, leaf first, as NVML or NSCQ hands them out.
    pub certificates: &'a [u8],
}

/// Judges devices on their own, as of `now`.
///
/// It always returns: what is wrong is in the rows. Nothing follows from it about the machine around the devices.
#[must_use]
pub fn appraise(
    evidence: &Evidence<'_>,
    rules: &Rules,
    anchors: &Anchors,
    now: UnixSeconds,
) -> EvidenceAppraisal<Claims> {
    let mut recorder = Recorder::new(GROUPS);
    let claims = checks::verify(evidence, rules, anchors, now, &mut recorder);
    EvidenceAppraisal::new(recorder, claims, now)
}

/// Judges only the certificates of a device, as of `now`.
#[must_use]
pub fn appraise_certificates(
    certificates: &[u8],
    anchors: &Anchors,
    now: UnixSeconds,
) -> EvidenceAppraisal<CertificateClaims> {
    let mut recorder = Recorder::new(&[Group::NvidiaCertificates]);
    let mut links = Links::default();
    let chain = checks::verify_certificates(certificates, anchors, now, &mut links, &mut recorder);
    let claims = chain.as_ref().map(CertificateClaims::new);
    EvidenceAppraisal::new(recorder, claims, now)
}

/// Judges a reference manifest without a device, as of `now`.
#[must_use]
pub fn appraise_manifest(
    document: &[u8],
    anchors: &Anchors,
    now: UnixSeconds,
) -> EvidenceAppraisal<ManifestClaims> {
    let mut recorder = Recorder::new(&[Group::NvidiaManifests]);
    let mut links = Links::default();
    let manifest = checks::verify_manifest(document, anchors, now, &mut links, &mut recorder);
    let claims = manifest.as_ref().map(ManifestClaims::new);
    EvidenceAppraisal::new(recorder, claims, now)
}

/// The nonce that the devices of a node must sign: `SHA-256("subrosa/gpu/1" ‖ H(key configuration) ‖ H(checkpoint))`,
/// as `spec/evidence-bundle.md`, section "Binding", says.
///
/// The arguments are the SHA-256 digests of the exact bytes; [`absent_checkpoint`] is the one of a checkpoint that is
/// not there.
#[must_use]
pub fn expected_nonce(
    key_configuration_digest: &Sha256Digest,
    checkpoint_digest: &Sha256Digest,
) -> [u8; 32] {
    Sha256::new()
        .chain_update(NONCE_CONTEXT)
        .chain_update(key_configuration_digest.as_bytes())
        .chain_update(checkpoint_digest.as_bytes())
        .finalize()
        .into()
}

/// The digest that stands for a checkpoint that is not there.
#[must_use]
pub fn absent_checkpoint() -> Sha256Digest {
    Sha256Digest::of(crate::binding::ABSENT_CHECKPOINT)
}

/// The groups of the checks of devices.
pub(crate) const GROUPS: &[Group] = &[
    Group::Nvidia,
    Group::NvidiaCertificates,
    Group::NvidiaManifests,
];

const NONCE_CONTEXT: &[u8] = b"subrosa/gpu/1";
