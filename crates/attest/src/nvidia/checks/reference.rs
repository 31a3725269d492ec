//! The measurements of devices against those in NVIDIA's reference manifests.

use crate::appraisal::check::{Check, Recorder};
use crate::appraisal::{Code, Gap};
use crate::nvidia::anchors::Anchors;
use crate::nvidia::chain::DeviceKind;
use crate::nvidia::claims::{ManifestClaims, firmware_version};
use crate::nvidia::opaque::{DRIVER_VERSION, NVDEC0_STATUS};
use crate::nvidia::rim::{Golden, Manifest, VerifiedManifest};
use crate::nvidia::rules::{ReferenceRule, Rules};
use crate::time::UnixSeconds;
use crate::x509::Certificate;
use crate::x509::path::Links;

use super::{OFF, ON, VerifiedDevice};

/// A verified manifest and its certificates.
#[derive(Clone, Debug)]
pub(in crate::nvidia) struct SignedManifest {
    pub(in crate::nvidia) content: VerifiedManifest,
    /// Leaf first.
    pub(in crate::nvidia) certificates: Vec<Certificate>,
}

/// Verifies every manifest. `None` if one is bad: it was given to be believed.
pub(super) fn verify_manifests(
    documents: &[&[u8]],
    anchors: &Anchors,
    now: UnixSeconds,
    links: &mut Links,
    recorder: &mut Recorder,
) -> Option<Vec<SignedManifest>> {
    if documents.len() > MAX_MANIFESTS {
        let found = format!("{} manifests", documents.len());
        recorder.fail(Check::GpuManifest, Code::ManifestMalformed, found);
        return None;
    }
    if documents.is_empty() {
        recorder.gap(Check::GpuManifest, Gap::GpuMeasurementsNotCompared);
    }
    let verified: Vec<_> = documents
        .iter()
        .map(|document| verify_manifest(document, anchors, now, links, recorder))
        .collect();
    verified.into_iter().collect()
}

pub(in crate::nvidia) fn verify_manifest(
    document: &[u8],
    anchors: &Anchors,
    now: UnixSeconds,
    links: &mut Links,
    recorder: &mut Recorder,
) -> Option<SignedManifest> {
    let verified =
        Manifest::parse(document).and_then(|manifest| manifest.verify(anchors, now, links));
    match verified {
        Ok(manifest) => {
            let found = format!("{} {}", manifest.content.product, manifest.content.version);
            recorder.pass(Check::GpuManifest, found);
            Some(manifest)
        }
        Err(error) => {
            recorder.fail(Check::GpuManifest, error.code(), error.to_string());
            None
        }
    }
}

/// Finds each device its manifests and compares; a manifest for no device here is refused.
pub(super) fn check(
    devices: &[VerifiedDevice],
    manifests: &[SignedManifest],
    rules: &Rules,
    recorder: &mut Recorder,
) -> Vec<ManifestClaims> {
    let mut claims: Vec<_> = manifests.iter().map(ManifestClaims::new).collect();
    let mut used = vec![false; manifests.len()];
    for device in devices {
        let wanted = wanted_versions(device);
        let mut found = Vec::new();
        let states = manifests.iter().zip(&mut used).zip(&mut claims);
        for ((manifest, is_used), claims) in states {
            if is_for(&manifest.content, device, &wanted) {
                *is_used = true;
                note_mismatches(device, &manifest.content, claims);
                found.push(&manifest.content);
            }
        }
        compare(device, &wanted, &found, rules, recorder);
    }
    let unused = manifests
        .iter()
        .zip(&used)
        .filter(|(_, is_used)| !**is_used);
    for (manifest, _) in unused {
        let content = &manifest.content;
        let found = format!(
            "{} {} is of no device here",
            content.product, content.version
        );
        recorder.fail(Check::GpuManifestMatch, Code::ManifestMismatch, found);
    }
    claims
}

/// The versions a device needs manifests for: of driver and VBIOS on a GPU, of the BIOS on a switch.
fn wanted_versions(device: &VerifiedDevice) -> Vec<Option<String>> {
    let firmware = firmware_version(&device.report, &device.chain);
    match device.kind() {
        DeviceKind::Gpu => {
            let driver = device.report.opaque.text(DRIVER_VERSION);
            vec![driver.map(ToOwned::to_owned), firmware]
        }
        DeviceKind::Switch => vec![firmware],
    }
}

fn is_for(manifest: &VerifiedManifest, device: &VerifiedDevice, wanted: &[Option<String>]) -> bool {
    let edition = match device.kind() {
        DeviceKind::Gpu => "GPU",
        DeviceKind::Switch => "SWITCH",
    };
    manifest.edition == edition
        && manifest.product == device.chain.chip.name
        && wanted
            .iter()
            .flatten()
            .any(|version| *version == manifest.version)
}

fn compare(
    device: &VerifiedDevice,
    wanted: &[Option<String>],
    found: &[&VerifiedManifest],
    rules: &Rules,
    recorder: &mut Recorder,
) {
    let how_many = |version: &Option<String>| {
        let same = |manifest: &&&VerifiedManifest| Some(&manifest.version) == version.as_ref();
        found.iter().filter(same).count()
    };
    let counts: Vec<_> = wanted.iter().map(how_many).collect();
    if counts.iter().any(|&count| count > 1) {
        let text = "two manifests of the same version";
        return recorder.fail(Check::GpuManifestMatch, Code::ManifestMismatch, text);
    }
    if counts.contains(&0) {
        return incomplete(wanted, rules, recorder);
    }
    recorder.pass(Check::GpuManifestMatch, versions(wanted));
    if let Some(index) = repeated_index(found) {
        let text = format!("measurement {index} is active in two manifests");
        return recorder.fail(Check::GpuMeasurements, Code::ManifestConflict, text);
    }
    let golden = || found.iter().flat_map(|manifest| &manifest.golden);
    let wrong: Vec<_> = golden().filter(|golden| !matches(device, golden)).collect();
    let names: Vec<_> = wrong
        .iter()
        .map(|golden| golden.index.to_string())
        .collect();
    recorder.compare(
        Check::GpuMeasurements,
        wrong.is_empty(),
        Code::MeasurementNotAllowed,
        format!("{} golden measurements", golden().count()),
        if names.is_empty() {
            "all match".to_owned()
        } else {
            format!("others at {}", names.join(", "))
        },
    );
}

fn incomplete(wanted: &[Option<String>], rules: &Rules, recorder: &mut Recorder) {
    for check in [Check::GpuManifestMatch, Check::GpuMeasurements] {
        match rules.reference_values {
            ReferenceRule::Required => {
                let text = format!("not every manifest of {}", versions(wanted));
                recorder.fail(check, Code::EvidenceMissing, text);
            }
            ReferenceRule::WhereComplete => {
                recorder.gap(check, Gap::GpuMeasurementsNotCompared);
            }
        }
    }
}

fn versions(wanted: &[Option<String>]) -> String {
    let names: Vec<_> = wanted
        .iter()
        .map(|version| version.as_deref().unwrap_or("an unknown version"))
        .collect();
    names.join(" and ")
}

/// An index that two manifests speak for; nobody could say which of them is right.
fn repeated_index(manifests: &[&VerifiedManifest]) -> Option<u8> {
    let mut seen = Vec::new();
    for golden in manifests.iter().flat_map(|manifest| &manifest.golden) {
        if seen.contains(&golden.index) {
            return Some(golden.index);
        }
        seen.push(golden.index);
    }
    None
}

fn note_mismatches(
    device: &VerifiedDevice,
    manifest: &VerifiedManifest,
    claims: &mut ManifestClaims,
) {
    for golden in &manifest.golden {
        let indices = &mut claims.mismatching_indices;
        if !matches(device, golden) && !indices.contains(&golden.index) {
            indices.push(golden.index);
        }
    }
}

/// Whether the measurement at the index is one of the alternatives. It is compared even if it is zero: an active
/// index speaks of something that is there.
fn matches(device: &VerifiedDevice, golden: &Golden) -> bool {
    if golden.index == VIDEO_DECODER && device.kind() == DeviceKind::Gpu {
        match device.report.opaque.byte(NVDEC0_STATUS) {
            Some(ON) => {}
            // The decoder is off, so nothing was measured.
            Some(OFF) => return true,
            _ => return false,
        }
    }
    let measured = device.report.measurements.get(usize::from(golden.index));
    measured.is_some_and(|measured| golden.alternatives.contains(measured))
}

/// nvtrust: the index of the first video decoder's firmware.
const VIDEO_DECODER: u8 = 35;

/// A GPU has two, and the devices of a machine share them.
const MAX_MANIFESTS: usize = 64;
