//! NVIDIA devices: recorded evidence of real hardware, and what may be done to it.
//!
//! The evidence is not part of the project. `SUBROSA_EVIDENCE` names its folder; without it the tests are skipped aloud,
//! except in CI.

#![allow(clippy::print_stderr, clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::{env, fs};

use subrosa_attest::nvidia::{
    Anchors, Claims, Device, DeviceKind, Evidence, FabricRule, ReferenceRule, Rules, appraise,
};
use subrosa_attest::{Code, EvidenceAppraisal, Gap, UnixSeconds};

/// 2025-05-01T00:00:00Z.
const NOW: UnixSeconds = UnixSeconds::new(1_746_057_600);

/// Two GPUs and a switch of one machine with eight and four.
#[test]
fn devices_of_one_machine_fit_together_and_are_only_a_part_of_it() {
    let Some(folder) = folder() else { return };
    let devices = ["hopper-ppcie-0", "hopper-ppcie-1", "switch-ls10-ppcie-0"];
    let devices = devices.map(|name| Recorded::read(&folder.join(name)));
    let tolerant = judge(&devices, &evaluation());
    assert_eq!(tolerant.verdict().err(), None);
    assert!(tolerant.gaps().contains(&Gap::GpuFabricNotVerified));
    let strict = judge(&devices, &evaluation().fabric(FabricRule::Required));
    assert_eq!(strict.verdict().err(), Some(Code::EvidenceMissing));
}

#[test]
fn a_switch_of_another_machine_is_refused() {
    let Some(folder) = folder() else { return };
    let devices = ["hopper-nvtrust-sample", "switch-ls10-sdk-match"];
    let devices = devices.map(|name| Recorded::read(&folder.join(name)));
    let found = judge(&devices, &evaluation());
    assert_eq!(found.verdict().err(), Some(Code::FabricMismatch));
}

#[test]
fn devices_that_answered_different_requests_are_refused() {
    let Some(folder) = folder() else { return };
    let devices = ["hopper-ppcie-0", "hopper-sdk-multi-gpu-1"];
    let devices = devices.map(|name| Recorded::read(&folder.join(name)));
    let found = judge(&devices, &evaluation());
    assert_eq!(found.verdict().err(), Some(Code::NonceMismatch));
}

#[test]
fn certificates_of_another_device_are_refused_with_every_report() {
    let Some(folder) = folder() else { return };
    let mut devices = ["hopper-nvtrust-sample", "hopper-ppcie-0", "blackwell-sdk"]
        .map(|name| Recorded::read(&folder.join(name)));
    let [first, second, third] = &mut devices;
    core::mem::swap(&mut first.certificates, &mut second.certificates);
    core::mem::swap(&mut second.certificates, &mut third.certificates);
    for device in devices {
        let found = judge(&[device], &evaluation());
        assert_eq!(found.verdict().err(), Some(Code::ReportSignature));
    }
}

/// Without being told what to expect, nothing recorded is good enough.
#[test]
fn the_default_rules_refuse_every_recorded_device() {
    let Some(folder) = folder() else { return };
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.join("report.bin").exists() {
            let found = judge(&[Recorded::read(&path)], &Rules::default());
            assert!(found.verdict().is_err(), "{}", path.display());
        }
    }
}

fn evaluation() -> Rules {
    Rules::default()
        .any_nonce()
        .reference_values(ReferenceRule::WhereComplete)
        .fabric(FabricRule::PartTolerated)
}

struct Recorded {
    kind: DeviceKind,
    report: Vec<u8>,
    certificates: Vec<u8>,
}

impl Recorded {
    fn read(folder: &Path) -> Self {
        let case = fs::read_to_string(folder.join("case.json")).unwrap();
        let is_switch = case.contains("nvidia-switch-report");
        Self {
            kind: if is_switch {
                DeviceKind::Switch
            } else {
                DeviceKind::Gpu
            },
            report: fs::read(folder.join("report.bin")).unwrap(),
            certificates: fs::read(folder.join("cert_chain.pem")).unwrap(),
        }
    }
}

fn judge(devices: &[Recorded], rules: &Rules) -> EvidenceAppraisal<Claims> {
    let devices = devices.iter().map(|recorded| Device {
        kind: recorded.kind,
        report: &recorded.report,
        certificates: &recorded.certificates,
    });
    let evidence = Evidence {
        devices: devices.collect(),
        ..Evidence::default()
    };
    appraise(&evidence, rules, &Anchors::vendor(), NOW)
}

fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence");
    let root = env::var_os("SUBROSA_EVIDENCE").map_or(beside, PathBuf::from);
    let folder = root.join("nvidia-gpu");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        env::var_os("CI").is_none(),
        "no evidence at {}",
        folder.display()
    );
    eprintln!("skipped: no evidence at {}", folder.display());
    None
}
