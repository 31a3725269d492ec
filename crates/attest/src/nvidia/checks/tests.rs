//! Whole appraisals that are good but for one thing.

#![allow(
    clippy::indexing_slicing,
    clippy::semicolon_if_nothing_returned,
    clippy::too_many_lines,
    clippy::type_complexity,
    reason = "tests: tables are long"
)]

use crate::appraisal::{Code, Gap};
use crate::development::certificates::ExtensionDraft;
use crate::fixtures::pki::TestKey;
use crate::identifiers::Sha256Digest;
use crate::nvidia::fixtures::{
    DRIVER, DeviceDraft, ManifestDraft, NONCE, Setup, VBIOS, pdi, tcb_info,
};
use crate::nvidia::opaque::{
    DRIVER_VERSION, FEATURE_FLAG, FIRMWARE_ID, NVDEC0_STATUS, PROTECTED_PCIE_STATUS,
    SWITCH_GPU_PDIS, SWITCH_PDIS, VBIOS_VERSION,
};
use crate::nvidia::{
    DeviceKind, FabricRule, Mode, ReferenceRule, RevocationRule, Rules, absent_checkpoint,
    expected_nonce,
};
use crate::time::UnixSeconds;

#[test]
fn a_gpu_with_its_manifests_is_accepted() {
    let appraisal = Setup::gpu().appraise();
    let claims = appraisal.verdict().unwrap();
    assert_eq!(appraisal.gaps(), [Gap::RevocationNotChecked]);
    let gpu = &claims.devices[0];
    assert_eq!((gpu.arch, gpu.chip.as_str()), ("HOPPER", "GH100"));
    assert_eq!(gpu.driver_version, DRIVER);
    assert_eq!(gpu.vbios_version, VBIOS);
    assert_eq!(gpu.nonce, hex::encode(NONCE));
    assert_eq!(gpu.measurements.len(), 64);
    let driver = gpu.driver_manifest_id().unwrap();
    assert_eq!(driver, "NV_GPU_DRIVER_GH100_550.90.07");
    let vbios = gpu.vbios_manifest_id().unwrap();
    assert_eq!(vbios, "NV_GPU_VBIOS_1010_0200_882_96009F0001");
}

#[test]
fn a_whole_fabric_is_accepted() {
    let appraisal = Setup::fabric().appraise();
    assert!(appraisal.verdict().is_ok(), "{:?}", appraisal.rows());
    let gaps = [Gap::RevocationNotChecked, Gap::GpuFirmwareIdAbsent];
    assert_eq!(appraisal.gaps(), gaps);
}

#[test]
fn a_blackwell_gpu_names_its_firmware_in_another_extension() {
    let blackwell = |setup: &mut Setup, extension: ExtensionDraft| {
        for draft in &mut setup.device().chain.drafts[..3] {
            draft.subject = draft.subject.replace("GH100", "GB100");
            draft.issuer = draft.issuer.replace("GH100 A01", "GB100 A01");
            draft.issuer = draft.issuer.replace("GH100 Prov", "GB100 Prov");
        }
        let leaf = &mut setup.device().chain.drafts[0];
        leaf.extensions.pop();
        leaf.extensions.push(extension);
        for manifest in &mut setup.manifests {
            manifest.product = "GB100".to_owned();
        }
    };
    let appraisal = Setup::gpu()
        .with(|s| blackwell(s, tcb_info(0x80)))
        .appraise();
    assert_eq!(appraisal.verdict().unwrap().devices[0].arch, "BLACKWELL");
    for flags in [0x40, 0x10] {
        let refusal = Setup::gpu()
            .with(|s| blackwell(s, tcb_info(flags)))
            .refusal();
        assert_eq!(refusal, Some(Code::DeviceNotSecure), "{flags:#x}");
    }
}

#[test]
fn the_nonce_follows_from_every_input() {
    let [kc, checkpoint, other] = [b"kc".as_slice(), b"cp", b"x"].map(Sha256Digest::of);
    let good = expected_nonce(&kc, &checkpoint);
    // Known answer, computed with another implementation (Python's hashlib).
    let known = "6b73404bdac882074490ebc73a649a3215113558edbc42d134ab416ad1c1babe";
    assert_eq!(hex::encode(good), known);
    for nonce in [
        expected_nonce(&other, &checkpoint),
        expected_nonce(&kc, &other),
        expected_nonce(&checkpoint, &kc),
        expected_nonce(&kc, &absent_checkpoint()),
    ] {
        assert_ne!(nonce, good);
    }
}

/// Each line spoils one thing.
#[test]
fn each_thing_alone_refuses() {
    let cases: [(&str, Code, fn(&mut Setup)); 42] = [
        ("no device", Code::ReportMalformed, |s| s.devices.clear()),
        ("too many devices", Code::ReportMalformed, |s| {
            s.devices = (0..65).map(|_| DeviceDraft::gpu(1)).collect();
        }),
        ("cut report", Code::ReportMalformed, |s| {
            s.device().edit = Box::new(|bytes| bytes.truncate(200));
        }),
        ("byte behind", Code::ReportMalformed, |s| {
            s.device().trailing = vec![0, 1]
        }),
        ("other key", Code::ReportSignature, |s| {
            s.device().report_key = TestKey::p384(77)
        }),
        ("P-256 key", Code::CertificateMalformed, |s| {
            s.device().chain.drafts[0].public_key = TestKey::p256(77).spki();
        }),
        ("no nonce to expect", Code::ReferenceValuesEmpty, |s| {
            s.rules = Rules::default()
        }),
        ("another nonce expected", Code::NonceMismatch, |s| {
            s.rules = Rules::default().nonce([0; 32]);
        }),
        ("another nonce signed", Code::NonceMismatch, |s| {
            s.device().nonce[31] ^= 1
        }),
        ("no certificates", Code::CertificateMalformed, |s| {
            s.device().chain.drafts.clear();
        }),
        ("four certificates", Code::CertificateMalformed, |s| {
            s.device().chain.drafts.pop();
        }),
        ("six certificates", Code::CertificateMalformed, |s| {
            let chain = &mut s.device().chain;
            chain.drafts.push(chain.drafts[4].clone());
            chain.signers.push(chain.signers[4].clone());
        }),
        ("leaf of another's", Code::CertificateSignature, |s| {
            s.device().chain.signers[0] = TestKey::p384(77);
        }),
        ("expired", Code::CertificateExpired, |s| {
            s.device().chain.drafts[2].not_after = UnixSeconds::new(1);
        }),
        ("not yet valid", Code::CertificateNotYetValid, |s| {
            s.device().chain.drafts[1].not_before = s.now.saturating_add(1);
        }),
        ("other root", Code::RootNotPinned, |s| {
            let other = TestKey::p384(77);
            let chain = &mut s.device().chain;
            chain.drafts[4].public_key = other.spki();
            chain.signers[3] = other.clone();
            chain.signers[4] = other;
        }),
        ("root of manifests", Code::RootNotPinned, |s| {
            let other = TestKey::p384(101);
            let chain = &mut s.device().chain;
            chain.drafts[4].public_key = other.spki();
            chain.signers[3] = other.clone();
            chain.signers[4] = other;
        }),
        ("leaf is an authority", Code::CertificateMalformed, |s| {
            let extensions = s.device().chain.drafts[1].extensions.clone();
            s.device().chain.drafts[0]
                .extensions
                .splice(..2, extensions);
        }),
        ("leaf names no firmware", Code::CertificateMalformed, |s| {
            s.device().chain.drafts[0].extensions.pop();
        }),
        (
            "leaf names firmware twice",
            Code::CertificateMalformed,
            |s| {
                s.device().chain.drafts[0].extensions.push(tcb_info(0));
            },
        ),
        ("leaf of another chip", Code::ProductMismatch, |s| {
            s.device().chain.drafts[0].subject = "GH200 A01 GSP FMC LF".to_owned();
        }),
        ("unknown chip", Code::ProductMismatch, |s| {
            for draft in &mut s.device().chain.drafts[..3] {
                draft.subject = draft.subject.replace("GH100", "GX100");
                draft.issuer = draft.issuer.replace("GH100 A", "GX100 A");
                draft.issuer = draft.issuer.replace("GH100 P", "GX100 P");
            }
        }),
        ("a GPU as a switch", Code::ProductMismatch, |s| {
            s.device().kind = DeviceKind::Switch
        }),
        ("another firmware", Code::FirmwareIdMismatch, |s| {
            s.device().set(FIRMWARE_ID, &[7; 48])
        }),
        ("short firmware", Code::FirmwareIdMismatch, |s| {
            s.device().set(FIRMWARE_ID, &[0xF1; 47]);
        }),
        ("flag contradicts status", Code::GpuModeNotAllowed, |s| {
            s.device().set(FEATURE_FLAG, &[2, 0]);
        }),
        ("unknown flag", Code::GpuModeNotAllowed, |s| {
            s.device().set(FEATURE_FLAG, &[3, 0])
        }),
        ("long flag", Code::GpuModeNotAllowed, |s| {
            s.device().set(FEATURE_FLAG, &[0])
        }),
        ("unknown status", Code::GpuModeNotAllowed, |s| {
            s.device().set(PROTECTED_PCIE_STATUS, &[0xAB]);
        }),
        ("other mode demanded", Code::GpuModeNotAllowed, |s| {
            s.rules = s.rules.clone().mode(Mode::MultiplePassthrough);
        }),
        ("no manifests", Code::EvidenceMissing, |s| {
            s.manifests.clear()
        }),
        ("no VBIOS manifest", Code::EvidenceMissing, |s| {
            drop(s.manifests.pop())
        }),
        ("other driver", Code::EvidenceMissing, |s| {
            s.device().set(DRIVER_VERSION, b"550.90.08\0");
        }),
        ("no driver version", Code::EvidenceMissing, |s| {
            s.device().remove(DRIVER_VERSION)
        }),
        ("long VBIOS version", Code::EvidenceMissing, |s| {
            s.device()
                .set(VBIOS_VERSION, &[0, 0x9F, 0, 0x96, 1, 1, 0, 0]);
        }),
        ("manifest of another chip", Code::EvidenceMissing, |s| {
            s.manifests[0].product = "GB100".to_owned();
        }),
        ("manifest of a switch", Code::EvidenceMissing, |s| {
            s.manifests[0].edition = "SWITCH".to_owned();
        }),
        ("manifest of another version", Code::ManifestMismatch, |s| {
            let mut other = ManifestDraft::driver();
            other.version = "550.90.08".to_owned();
            s.manifests.push(other);
        }),
        ("two manifests of a version", Code::ManifestMismatch, |s| {
            s.manifests.push(ManifestDraft::driver());
        }),
        ("index in two manifests", Code::ManifestConflict, |s| {
            s.manifests[1].resources.push((21, true, vec![[22; 48]]));
        }),
        ("other measurement", Code::MeasurementNotAllowed, |s| {
            s.device().measurements[21] = [0xEF; 48];
        }),
        (
            "measurement out of range",
            Code::MeasurementNotAllowed,
            |s| {
                s.device().measurements.truncate(35);
            },
        ),
    ];
    for (name, code, spoil) in cases {
        let setup = Setup::gpu().with(spoil);
        assert_eq!(setup.refusal(), Some(code), "{name}");
    }
}

/// A golden value is that of the block one higher, not of the block of its own number.
#[test]
fn indices_count_from_zero_and_blocks_from_one() {
    let setup = Setup::gpu().with(|s| s.manifests[1].resources[1] = (9, true, vec![[9; 48]]));
    assert_eq!(setup.refusal(), Some(Code::MeasurementNotAllowed));
}

#[test]
fn an_inactive_index_is_not_compared() {
    let setup = Setup::gpu().with(|s| s.manifests[1].resources.push((5, false, vec![[0; 48]])));
    assert_eq!(setup.refusal(), None);
}

#[test]
fn the_video_decoder_is_compared_only_while_it_is_on() {
    let spoilt = |status: Option<&[u8]>| {
        let setup = Setup::gpu().with(|s| {
            s.device().measurements[35] = [0; 48];
            s.device().remove(NVDEC0_STATUS);
            if let Some(status) = status {
                s.device().set(NVDEC0_STATUS, status);
            }
        });
        setup.refusal()
    };
    let refused = Some(Code::MeasurementNotAllowed);
    assert_eq!(spoilt(Some(&[0x55])), None);
    for status in [Some([0xAA].as_slice()), Some(&[0]), Some(&[0x55, 0]), None] {
        assert_eq!(spoilt(status), refused, "{status:?}");
    }
    // An unknown state is refused even if the value would match.
    let unknown = Setup::gpu().with(|s| s.device().set(NVDEC0_STATUS, &[0]));
    assert_eq!(unknown.refusal(), refused);
}

#[test]
fn what_may_be_missing_is_a_named_gap() {
    let lenient = || {
        Rules::default()
            .nonce(NONCE)
            .reference_values(ReferenceRule::WhereComplete)
            .fabric(FabricRule::PartTolerated)
    };
    let cases: [(Gap, fn(&mut Setup)); 4] = [
        (Gap::GpuNonceNotCompared, |s| {
            s.rules = s.rules.clone().any_nonce()
        }),
        (Gap::GpuFirmwareIdAbsent, |s| s.device().remove(FIRMWARE_ID)),
        (Gap::GpuMeasurementsNotCompared, |s| drop(s.manifests.pop())),
        (Gap::GpuFabricNotVerified, |s| {
            s.devices = vec![DeviceDraft::gpu(1).protected(&[pdi(9)])];
        }),
    ];
    for (gap, spoil) in cases {
        let mut setup = Setup::gpu();
        setup.rules = lenient();
        let appraisal = setup.with(spoil).appraise();
        assert!(appraisal.verdict().is_ok(), "{:?}", appraisal.rows());
        let mut gaps = appraisal.gaps();
        gaps.retain(|gap| *gap != Gap::RevocationNotChecked);
        assert_eq!(gaps, [gap]);
    }
}

/// An incomplete set is a gap, and what differs is told.
#[test]
fn mismatches_of_an_incomplete_set_are_in_the_claims() {
    let setup = Setup::gpu().with(|s| {
        s.rules = s
            .rules
            .clone()
            .reference_values(ReferenceRule::WhereComplete);
        s.manifests.remove(0);
        s.device().measurements[9] = [0; 48];
    });
    let appraisal = setup.appraise();
    let claims = appraisal.verdict().unwrap();
    assert_eq!(claims.manifests[0].mismatching_indices, [9]);
}

#[test]
fn devices_that_signed_different_nonces_are_refused_whatever_is_expected() {
    let setup = Setup::fabric().with(|s| {
        s.rules = s.rules.clone().any_nonce();
        s.devices[1].nonce = [1; 32];
    });
    assert_eq!(setup.refusal(), Some(Code::NonceMismatch));
}

#[test]
fn each_spoilt_fabric_is_refused() {
    let cases: [(&str, Code, fn(&mut Setup)); 11] = [
        ("no switch", Code::EvidenceMissing, |s| {
            s.devices.pop();
            s.manifests.pop();
        }),
        ("a GPU is missing", Code::EvidenceMissing, |s| {
            drop(s.devices.remove(0))
        }),
        ("only a switch", Code::EvidenceMissing, |s| {
            s.devices.drain(..2);
            s.manifests.drain(..2);
        }),
        ("a GPU names one more switch", Code::EvidenceMissing, |s| {
            let gpu = DeviceDraft::gpu(1).protected(&[pdi(9), pdi(8)]);
            s.devices[0] = gpu;
        }),
        ("a GPU names another switch", Code::FabricMismatch, |s| {
            s.devices[0] = DeviceDraft::gpu(1).protected(&[pdi(8)]);
        }),
        ("a GPU names no switches", Code::FabricMismatch, |s| {
            s.devices[0].remove(SWITCH_PDIS)
        }),
        ("the switch names another GPU", Code::FabricMismatch, |s| {
            s.devices[2] = DeviceDraft::switch(9, &[pdi(1), pdi(3)]);
        }),
        ("the switch names no GPUs", Code::FabricMismatch, |s| {
            s.devices[2].remove(SWITCH_GPU_PDIS);
        }),
        ("the switch is another", Code::FabricMismatch, |s| {
            s.devices[2].set(SWITCH_PDIS, &pdi(8));
        }),
        ("a GPU is there twice", Code::FabricMismatch, |s| {
            s.devices[1] = DeviceDraft::gpu(1).protected(&[pdi(9)]);
        }),
        ("a GPU is not protected", Code::FabricMismatch, |s| {
            s.devices[1] = DeviceDraft::gpu(2)
        }),
    ];
    for (name, code, spoil) in cases {
        let setup = Setup::fabric().with(spoil);
        assert_eq!(setup.refusal(), Some(code), "{name}");
    }
}

/// Tolerating a part does not tolerate what does not fit.
#[test]
fn a_part_of_a_fabric_must_still_fit() {
    let setup = Setup::fabric().with(|s| {
        s.rules = s.rules.clone().fabric(FabricRule::PartTolerated);
        s.devices[0] = DeviceDraft::gpu(1).protected(&[pdi(8)]);
    });
    assert_eq!(setup.refusal(), Some(Code::FabricMismatch));
}

#[test]
fn a_report_under_another_devices_certificates_is_refused() {
    let setup = Setup::gpu().with(|s| s.device().chain = DeviceDraft::gpu(2).chain);
    assert_eq!(setup.refusal(), Some(Code::ReportSignature));
}

/// A GPU with answers for all that somebody answers for: three certificates of its own, three of each manifest.
fn answered() -> Setup {
    Setup::gpu().with(|s| {
        s.rules = s.rules.clone().revocation(RevocationRule::Required);
        let of_device = (1..4).map(|at| s.devices[0].chain.answer(at).sign());
        // The manifests share their certificates here.
        let of_manifests = (0..3).map(|at| s.manifests[0].chain.answer(at).sign());
        s.answers = of_device.chain(of_manifests).collect();
    })
}

#[test]
fn with_every_answer_there_is_no_gap() {
    let appraisal = answered().appraise();
    assert!(appraisal.verdict().is_ok(), "{:?}", appraisal.rows());
    assert_eq!(appraisal.gaps(), []);
}

#[test]
fn each_missing_answer_is_refused_where_all_are_demanded() {
    for at in 0..6 {
        let setup = answered().with(|s| drop(s.answers.remove(at)));
        assert_eq!(setup.refusal(), Some(Code::EvidenceMissing), "{at}");
        let lenient = setup.with(|s| {
            s.rules = s.rules.clone().revocation(RevocationRule::IfPresent);
        });
        let appraisal = lenient.appraise();
        assert_eq!(appraisal.gaps(), [Gap::RevocationNotChecked], "{at}");
    }
}

/// An answer that is there must be good, also where none is demanded.
#[test]
fn each_bad_answer_is_refused() {
    let cases: [(&str, Code, fn(&mut Setup) -> Vec<u8>); 6] = [
        ("revoked device", Code::Revoked, |s| {
            s.device().chain.answer(1).revoked().sign()
        }),
        ("revoked manifest", Code::Revoked, |s| {
            s.manifests[1].chain.answer(0).revoked().sign()
        }),
        ("old", Code::RevocationAnswerStale, |s| {
            let mut answer = s.device().chain.answer(2);
            answer.next_update = None;
            answer.sign()
        }),
        ("of another signer", Code::RevocationAnswerInvalid, |s| {
            let mut answer = s.device().chain.answer(3);
            answer.signer = TestKey::p384(77);
            answer.sign()
        }),
        ("about nothing here", Code::RevocationAnswerInvalid, |_| {
            DeviceDraft::gpu(9).chain.answer(1).sign()
        }),
        ("garbage", Code::RevocationAnswerInvalid, |_| vec![1, 2, 3]),
    ];
    for (name, code, answer) in cases {
        let setup = Setup::gpu().with(|s| {
            let answer = answer(s);
            s.answers.push(answer);
        });
        assert_eq!(setup.refusal(), Some(code), "{name}");
    }
}
