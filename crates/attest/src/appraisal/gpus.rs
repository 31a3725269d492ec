//! Graphics processors as a part of a node's evidence.

use super::check::{Check, Recorder};
use super::{Code, Gap, Roots, list};
use crate::bundle::{Bundle, gpu};
use crate::identifiers::Sha256Digest;
use crate::nvidia;
use crate::policy::{Policy, RequiredPart};
use crate::time::UnixSeconds;

/// The devices of the node, if it has any: verified to the last check, and bound
/// both ways. The platform's report carries the digest of their evidence, and
/// they signed a nonce made of the key configuration.
pub(super) fn check_gpus(
    bundle: &Bundle,
    policy: &Policy,
    roots: &Roots,
    now: UnixSeconds,
    recorder: &mut Recorder,
) {
    let check = Check::GpuEvidence;
    let Some(bytes) = bundle.gpu_evidence() else {
        if policy.required_parts.contains(&RequiredPart::GpuEvidence) {
            recorder.fail(check, Code::EvidenceMissing, "absent");
        } else {
            recorder.gap(check, Gap::GpuEvidenceAbsent);
        }
        return;
    };
    recorder.expect(nvidia::GROUPS);
    let Some(evidence) = read_gpu_evidence(bytes, bundle.gpu_collateral()) else {
        let found = "not the encoding of devices and their collateral";
        recorder.fail(check, Code::ReportMalformed, found);
        return;
    };
    let checkpoint = bundle
        .checkpoint()
        .map_or_else(nvidia::absent_checkpoint, Sha256Digest::of);
    let key_configuration = Sha256Digest::of(bundle.key_configuration());
    let nonce = nvidia::expected_nonce(&key_configuration, &checkpoint);
    let rules = policy.nvidia.clone().nonce(nonce);
    let claims = nvidia::verify(&evidence, &rules, &roots.nvidia, now, recorder);
    if let Some(claims) = claims.filter(|_| !recorder.any_failed(nvidia::GROUPS)) {
        let found = claims.devices.iter().map(|device| &device.chip);
        recorder.pass(check, list(found));
    }
}

fn read_gpu_evidence<'a>(
    devices: &'a [u8],
    collateral: Option<&'a [u8]>,
) -> Option<nvidia::Evidence<'a>> {
    let collateral =
        collateral.map_or_else(|| Some(gpu::Collateral::default()), gpu::parse_collateral)?;
    Some(nvidia::Evidence {
        devices: gpu::parse_devices(devices)?,
        manifests: collateral.manifests,
        revocation_answers: collateral.revocation_answers,
    })
}
