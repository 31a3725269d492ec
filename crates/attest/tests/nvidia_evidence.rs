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

/// Each report with each other device's certificates, and the other way round.
#[test]
fn no_report_goes_with_the_certificates_of_another_device() {
    let Some(folder) = folder() else { return };
    let devices = good_devices(&folder);
    let mut swapped = 0;
    for report in &devices {
        for certificates in &devices {
            let device = Recorded {
                kind: report.kind,
                report: report.report.clone(),
                certificates: certificates.certificates.clone(),
            };
            let is_own = report.certificates == certificates.certificates;
            let found = judge(&[device], &evaluation());
            assert_eq!(found.verdict().is_ok(), is_own, "{:?}", found.rows());
            swapped += usize::from(!is_own);
        }
    }
    eprintln!("{swapped} swaps refused");
    assert!(swapped > 50);
}

/// Each manifest with each device that it is not for: it matches nothing, and is refused for that.
#[test]
fn no_manifest_goes_with_a_device_it_is_not_for() {
    let Some(folder) = folder() else { return };
    let devices = good_devices(&folder);
    let mut matched = 0;
    for entry in fs::read_dir(folder.join("rims-valid-set/rims")).unwrap() {
        let manifest = fs::read(entry.unwrap().path()).unwrap();
        for device in &devices {
            let evidence = Evidence {
                devices: vec![device.borrowed()],
                manifests: vec![&manifest],
                ..Evidence::default()
            };
            // 2025-03-01T00:00:00Z, when all of these manifests were good.
            let now = UnixSeconds::new(1_740_787_200);
            let found = appraise(&evidence, &evaluation(), &Anchors::vendor(), now);
            let claims = found.claims().unwrap();
            let version = &claims.manifests[0].version;
            let own = &claims.devices[0];
            let is_for = [&own.driver_version, &own.vbios_version].contains(&version);
            let expected = (!is_for).then_some(Code::ManifestMismatch);
            assert_eq!(found.verdict().err(), expected);
            matched += usize::from(is_for);
        }
    }
    eprintln!("{matched} manifests are for a device here");
}

/// One bit of every eleventh byte, in report and certificates of a genuine GPU and a genuine switch.
#[test]
fn no_byte_of_genuine_evidence_may_change() {
    let Some(folder) = folder() else { return };
    let mut flipped = 0;
    for name in ["hopper-trustee-580", "switch-ls10-ppcie-0"] {
        let good = Recorded::read(&folder.join(name));
        assert!(
            judge(std::slice::from_ref(&good), &evaluation())
                .verdict()
                .is_ok()
        );
        for at in (0..good.report.len()).step_by(11) {
            let mut device = good.clone();
            device.report[at] ^= 1 << (at % 8);
            assert!(judge(&[device], &evaluation()).verdict().is_err(), "{at}");
            flipped += 1;
        }
        for at in (0..good.certificates.len()).step_by(11) {
            let mut device = good.clone();
            device.certificates[at] ^= 1;
            // The same certificates, with other white space between the lines.
            let is_same = good.certificates[at].is_ascii_whitespace()
                && device.certificates[at].is_ascii_whitespace();
            let is_refused = judge(&[device], &evaluation()).verdict().is_err();
            assert!(is_refused || is_same, "{at}");
            flipped += 1;
        }
    }
    eprintln!("{flipped} changes refused");
}

fn evaluation() -> Rules {
    Rules::default()
        .any_nonce()
        .reference_values(ReferenceRule::WhereComplete)
        .fabric(FabricRule::PartTolerated)
}

/// The devices whose report and certificates are good.
fn good_devices(folder: &Path) -> Vec<Recorded> {
    let mut folders: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("report.bin").exists())
        .collect();
    folders.sort();
    folders
        .iter()
        .map(|path| Recorded::read(path))
        .filter(|device| {
            judge(std::slice::from_ref(device), &evaluation())
                .verdict()
                .is_ok()
        })
        .collect()
}

#[derive(Clone)]
struct Recorded {
    kind: DeviceKind,
    report: Vec<u8>,
    certificates: Vec<u8>,
}

impl Recorded {
    fn borrowed(&self) -> Device<'_> {
        Device {
            kind: self.kind,
            report: &self.report,
            certificates: &self.certificates,
        }
    }

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
    let evidence = Evidence {
        devices: devices.iter().map(Recorded::borrowed).collect(),
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
