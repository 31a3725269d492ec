//! NVIDIA GPUs and switches: reports, certificates, reference manifests.

use serde_json::Value;
use subrosa_attest::nvidia::{
    Anchors, Device, DeviceKind, Evidence, FabricRule, ReferenceRule, Rules, appraise,
    appraise_certificates, appraise_manifest,
};
use subrosa_attest::x509::Certificate;
use subrosa_attest::{Code, UnixSeconds};

use crate::{Case, CaseError, Judgement};

pub(crate) fn judge(case: &Case) -> Result<Judgement, CaseError> {
    let kind = case.kind();
    match kind.strip_suffix("-synthetic").unwrap_or(kind) {
        "nvidia-cert-chain" => Ok(certificates(case)),
        "nvidia-gpu-report" => report(case, DeviceKind::Gpu),
        "nvidia-rim" => Ok(manifests(case)),
        "nvidia-switch-report" => report(case, DeviceKind::Switch),
        _ => Ok(Judgement::unsupported()),
    }
}

/// One device. The claims are those of the device alone.
fn report(case: &Case, kind: DeviceKind) -> Result<Judgement, CaseError> {
    let (Some(report), Some(certificates)) = (case.file("report.bin"), case.file(CERTIFICATES))
    else {
        return Ok(Judgement::refused(Code::EvidenceMissing));
    };
    let evidence = Evidence {
        devices: vec![Device {
            kind,
            report,
            certificates,
        }],
        manifests: manifest_files(case).map(|(_, bytes)| bytes).collect(),
        revocation_answers: case.files_in("ocsp/").map(|(_, bytes)| bytes).collect(),
    };
    let appraisal = appraise(&evidence, &rules(case)?, &anchors(case), now(case));
    let device = |claims: &mut Value| claims.pointer_mut("/devices/0").map(Value::take);
    Ok(Judgement::of(&appraisal).map_claims(|claims| device(claims).unwrap_or_default()))
}

fn certificates(case: &Case) -> Judgement {
    match case.file(CERTIFICATES) {
        Some(text) => Judgement::of(&appraise_certificates(text, &anchors(case), now(case))),
        None => Judgement::refused(Code::EvidenceMissing),
    }
}

/// Every manifest must be good. The claims are by file name.
fn manifests(case: &Case) -> Judgement {
    let judge = |bytes| Judgement::of(&appraise_manifest(bytes, &anchors(case), now(case)));
    let parts: Vec<_> = manifest_files(case)
        .map(|(name, bytes)| (name.to_owned(), judge(bytes)))
        .collect();
    Judgement::of_all(parts).unwrap_or_else(|| Judgement::refused(Code::EvidenceMissing))
}

fn manifest_files(case: &Case) -> impl Iterator<Item = (&str, &[u8])> {
    case.files_in("rims/")
}

/// Without a nonce, without a manifest for each part, or with a part of a fabric, what is there must be good.
fn rules(case: &Case) -> Result<Rules, CaseError> {
    let rules = Rules::default()
        .reference_values(ReferenceRule::WhereComplete)
        .fabric(FabricRule::PartTolerated);
    match case.param(NONCE) {
        Value::Null => Ok(rules.any_nonce()),
        nonce => {
            let mut expected = [0; 32];
            let text = nonce.as_str().unwrap_or_default();
            hex::decode_to_slice(text, &mut expected).map_err(|_| CaseError::Parameter {
                name: NONCE.to_owned(),
            })?;
            Ok(rules.nonce(expected))
        }
    }
}

/// NVIDIA's, and in synthetic cases those that the case brings.
fn anchors(case: &Case) -> Anchors {
    let mut anchors = Anchors::vendor();
    if case.is_synthetic() {
        if let Some(root) = case.certificate("nvidia_device_identity_root") {
            anchors = anchors.clone().with_device_root(&root).unwrap_or(anchors);
        }
        if let Some(root) = case.certificate("nvidia_rim_root") {
            anchors = anchors.clone().with_manifest_root(&root).unwrap_or(anchors);
        }
    }
    anchors
}

/// Where the case names no time: a day after the youngest certificate was issued.
fn now(case: &Case) -> UnixSeconds {
    case.verify_at().unwrap_or_else(|| {
        let certificates = case.certificates("cert_chain");
        let issued = certificates
            .iter()
            .filter_map(|der| Certificate::parse(der).ok())
            .map(|certificate| certificate.not_before())
            .max();
        issued
            .unwrap_or(UnixSeconds::new(0))
            .saturating_add(24 * 60 * 60)
    })
}

const CERTIFICATES: &str = "cert_chain.pem";
const NONCE: &str = "expected_nonce";
