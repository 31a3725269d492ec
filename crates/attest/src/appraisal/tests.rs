//! Whole appraisals that are good but for one thing.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::too_many_lines,
    clippy::type_complexity,
    reason = "tests: tables are long"
)]

use super::*;
use crate::binding;
use crate::fixtures::{NOW, Setup};
use crate::policy::Platform;
use crate::snp::{Product, layout};

mod azure;
mod azure_tdx;
mod gpu;
mod log;
mod nitro;
mod nodes;
mod tdx;
mod tpm;
mod tpm_alone;

mod rules;
mod verdict;

#[test]
fn good_evidence_reaches_verified_with_gaps_and_no_further() {
    let verdict = Setup::new().appraise().verdict();
    let gaps = vec![
        Gap::CheckpointAbsent,
        Gap::GpuEvidenceAbsent,
        Gap::ReleaseNotLogged,
        Gap::MachineNotProven,
    ];
    assert_eq!(verdict, Verdict::VerifiedWithGaps(gaps));
}

#[test]
fn a_good_appraisal_becomes_a_proof_of_the_exact_key_configuration() {
    let setup = Setup::new();
    let bundle = setup.bundle();
    let attested = setup.appraise_bundle(&bundle).into_attested().unwrap();
    assert_eq!(attested.key_configuration(), bundle.key_configuration());
    let digest = Sha256Digest::of(bundle.key_configuration());
    assert_eq!(attested.key_configuration_digest(), digest);
    assert_eq!(attested.bundle_hash(), bundle.hash());
    assert_eq!(attested.appraised_at(), NOW);
    assert_eq!(attested.facts().platform(), Platform::SevSnp);
    let registers = [("value", crate::fixtures::MEASUREMENT)];
    assert_eq!(attested.facts().registers(), registers);
    let PlatformClaims::SevSnp(claims) = attested.facts().claims() else {
        panic!("claims of another platform");
    };
    assert_eq!(claims.product(), Product::Genoa);
    assert_eq!(attested.gaps().len(), 4);
    let reference = Sha256Digest::of(b"reference");
    assert!(attested.expectations().allows_weights(&reference));
}

/// Each line changes one signed field of the report and nothing else.
#[test]
fn each_field_of_the_report_alone_can_refuse() {
    let policy_word = |bits: u64| bits.to_le_bytes();
    let cases: [(&str, usize, &[u8], Code); 31] = [
        ("reserved", 0x18B, &[1], Code::ReportMalformed),
        (
            "bit 17",
            layout::POLICY,
            &policy_word(0),
            Code::GuestPolicyMalformed,
        ),
        (
            "bit 26",
            layout::POLICY,
            &policy_word(1 << 17 | 1 << 26),
            Code::GuestPolicyMalformed,
        ),
        (
            "bit 63",
            layout::POLICY,
            &policy_word(1 << 17 | 1 << 63),
            Code::GuestPolicyMalformed,
        ),
        (
            "debug",
            layout::POLICY,
            &policy_word(1 << 17 | 1 << 19),
            Code::GuestDebugAllowed,
        ),
        (
            "migration bit",
            layout::POLICY,
            &policy_word(1 << 17 | 1 << 18),
            Code::GuestMigrationAllowed,
        ),
        (
            "migration agent",
            layout::REPORT_ID_MA,
            &[0],
            Code::GuestMigrationAllowed,
        ),
        (
            "cxl",
            layout::POLICY,
            &policy_word(1 << 17 | 1 << 21),
            Code::GuestCxlAllowed,
        ),
        ("vmpl 1", layout::VMPL, &[1], Code::VmplMismatch),
        ("vmpl 3", layout::VMPL, &[3], Code::VmplMismatch),
        (
            "host requested",
            layout::VMPL,
            &[0xFF; 4],
            Code::VmplHostRequested,
        ),
        (
            "vlek signed",
            layout::KEY_INFO,
            &[1 << 2],
            Code::SigningKeyMismatch,
        ),
        (
            "not signed",
            layout::KEY_INFO,
            &[7 << 2],
            Code::SigningKeyMismatch,
        ),
        (
            "chip key masked",
            layout::KEY_INFO,
            &[0b10],
            Code::ChipIdMasked,
        ),
        (
            "chip id masked",
            layout::CHIP_ID,
            &[0; 64],
            Code::ChipIdMasked,
        ),
        ("other chip", layout::CHIP_ID, &[0xC0], Code::ChipIdMismatch),
        (
            "other chip, last byte",
            layout::CHIP_ID + 63,
            &[0xC0],
            Code::ChipIdMismatch,
        ),
        (
            "milan",
            layout::CPUID,
            &[0x19, 0x01, 1],
            Code::ProductMismatch,
        ),
        (
            "turin",
            layout::CPUID,
            &[0x1A, 0x02, 1],
            Code::ProductMismatch,
        ),
        (
            "unknown family",
            layout::CPUID,
            &[0x1B, 0x02, 1],
            Code::ProductMismatch,
        ),
        (
            "reported level",
            layout::REPORTED_TCB,
            &[9],
            Code::TcbMismatch,
        ),
        (
            "reserved level byte",
            layout::COMMITTED_TCB + 2,
            &[1],
            Code::ReportMalformed,
        ),
        (
            "committed bootloader",
            layout::COMMITTED_TCB,
            &[9],
            Code::TcbBelowFloor,
        ),
        (
            "committed snp",
            layout::COMMITTED_TCB + 6,
            &[22],
            Code::TcbBelowFloor,
        ),
        (
            "committed microcode",
            layout::COMMITTED_TCB + 7,
            &[0x53],
            Code::TcbBelowFloor,
        ),
        (
            "launch bootloader",
            layout::LAUNCH_TCB,
            &[9],
            Code::TcbBelowFloor,
        ),
        (
            "launch microcode",
            layout::LAUNCH_TCB + 7,
            &[0x53],
            Code::TcbBelowFloor,
        ),
        (
            "current below reported",
            layout::CURRENT_TCB,
            &[9],
            Code::TcbInconsistent,
        ),
        (
            "provisional firmware",
            layout::CURRENT_FIRMWARE,
            &[41],
            Code::FirmwareProvisional,
        ),
        (
            "alias check",
            layout::PLATFORM_INFO,
            &[0x05],
            Code::AliasCheckIncomplete,
        ),
        (
            "measurement",
            layout::MEASUREMENT,
            &[0],
            Code::MeasurementNotAllowed,
        ),
    ];
    for (name, at, field, code) in cases {
        let refusal = Setup::new().report_field(at, field).refusal();
        assert_eq!(refusal, Ok(code), "{name}");
    }
}

#[test]
fn any_bit_of_the_report_data_alone_refuses() {
    let good = binding::report_data(crate::fixtures::KEY_CONFIGURATION, None, None);
    for bit in (0..512).step_by(37) {
        let mut data = good;
        data[bit / 8] ^= 1 << (bit % 8);
        let refusal = Setup::new()
            .report_field(layout::REPORT_DATA, &data)
            .refusal();
        assert_eq!(refusal, Ok(Code::ReportDataMismatch), "bit {bit}");
    }
}

#[test]
fn a_committed_level_above_the_current_one_is_inconsistent() {
    let refusal = Setup::new()
        .report_field(layout::COMMITTED_TCB + 7, &[0x55])
        .refusal();
    assert_eq!(refusal, Ok(Code::TcbInconsistent));
}

/// Certificate and report agree on an old level: genuine, and too old. The
/// other levels of the report are recent.
#[test]
fn an_endorsed_level_below_the_floor_is_refused() {
    for (component, index) in [(0, 2), (6, 4), (7, 5)] {
        let level = crate::fixtures::TCB.to_report(Product::Genoa)[component] - 1;
        let setup = Setup::new()
            .report_field(layout::REPORTED_TCB + component, &[level])
            .with(|setup| {
                let value = &mut setup.drafts.vcek.extensions[index].value;
                *value.last_mut().unwrap() = level;
            });
        let appraisal = setup.appraise();
        let failed: Vec<_> = appraisal
            .rows()
            .iter()
            .filter(|row| matches!(row.outcome(), Outcome::Fail { .. }))
            .map(Row::name)
            .collect();
        assert_eq!(failed, ["tcb-floor-reported"], "byte {component}");
    }
}

#[test]
fn a_report_signed_by_another_key_is_refused() {
    let setup = Setup::new().with(|setup| {
        setup.report_key = p384::ecdsa::SigningKey::from_slice(&[9; 48]).unwrap();
    });
    assert_eq!(setup.refusal(), Ok(Code::ReportSignature));
}

/// Evidence is relayed: another node's good report with this key configuration.
#[test]
fn evidence_for_another_key_configuration_is_refused() {
    let setup = Setup::new();
    let (signed, report) = (setup.signed(), setup.report_bytes());
    let good = setup.bundle_of(&signed, &report);
    let other = Bundle::builder(&b"another key configuration"[..])
        .snp(good.snp().unwrap())
        .build()
        .unwrap();
    let verdict = setup.appraise_bundle(&other).verdict();
    assert_eq!(verdict, Verdict::Refused(Code::ReportDataMismatch));
}

#[test]
fn a_bound_part_cannot_be_added_removed_or_exchanged() {
    let part = |setup: &mut Setup, checkpoint: Option<&[u8]>, gpu: Option<&[u8]>| {
        setup.checkpoint = checkpoint.map(<[u8]>::to_vec);
        setup.gpu_evidence = gpu.map(<[u8]>::to_vec);
    };
    let variants = [
        (None, None),
        (Some(&b"a"[..]), None),
        (Some(&b"b"[..]), None),
        (None, Some(&b"a"[..])),
        (Some(&b"a"[..]), Some(&b"b"[..])),
        (Some(&b"b"[..]), Some(&b"a"[..])),
    ];
    for (bound, found) in variants
        .iter()
        .flat_map(|one| variants.iter().map(move |other| (one, other)))
    {
        let mut setup = Setup::new();
        part(&mut setup, bound.0, bound.1);
        let report = setup.report_bytes();
        part(&mut setup, found.0, found.1);
        let bundle = setup.bundle_of(&setup.signed(), &report);
        let refused = matches!(
            setup.appraise_bundle(&bundle).verdict(),
            Verdict::Refused(Code::ReportDataMismatch)
        );
        assert_eq!(refused, bound != found, "{bound:?} {found:?}");
    }
}

#[test]
fn parts_that_cannot_be_verified_are_gaps() {
    let setup = Setup::new().with(|setup| {
        setup.checkpoint = Some(b"cp".to_vec());
    });
    let gaps = vec![
        Gap::CheckpointNotVerified,
        Gap::GpuEvidenceAbsent,
        Gap::ReleaseNotLogged,
        Gap::MachineNotProven,
    ];
    let verdict = setup.appraise().verdict();
    assert_eq!(verdict, Verdict::VerifiedWithGaps(gaps));
}

#[test]
fn each_certificate_error_has_its_code() {
    let cases: [(&str, fn(&mut Setup), Code); 9] = [
        (
            "expired",
            |s| s.drafts.vcek.not_after = UnixSeconds::new(NOW.get() - 1),
            Code::CertificateExpired,
        ),
        (
            "not yet valid",
            |s| s.drafts.ask.not_before = NOW.saturating_add(1),
            Code::CertificateNotYetValid,
        ),
        (
            "other issuer name",
            |s| s.drafts.vcek.issuer = "x".to_owned(),
            Code::CertificateSignature,
        ),
        (
            "no extensions",
            |s| s.drafts.vcek.extensions.truncate(1),
            Code::CertificateMalformed,
        ),
        (
            "critical",
            |s| s.drafts.vcek.extensions[0].critical = true,
            Code::CertificateMalformed,
        ),
        (
            "no authority",
            |s| s.drafts.ask.extensions.clear(),
            Code::CertificateMalformed,
        ),
        (
            "other product",
            |s| s.drafts.vcek.extensions[1].value = b"\x16\x05Milan".to_vec(),
            Code::ProductMismatch,
        ),
        (
            "other level",
            |s| s.drafts.vcek.extensions[5].value = vec![2, 1, 0x55],
            Code::TcbMismatch,
        ),
        (
            "other chip",
            |s| s.drafts.vcek.extensions[6].value = vec![0xC2; 64],
            Code::ChipIdMismatch,
        ),
    ];
    for (name, edit, code) in cases {
        assert_eq!(Setup::new().with(edit).refusal(), Ok(code), "{name}");
    }
}

#[test]
fn each_component_of_the_certificates_level_counts() {
    for index in 2..6 {
        let setup = Setup::new().with(|setup| {
            let value = &mut setup.drafts.vcek.extensions[index].value;
            *value.last_mut().unwrap() ^= 1;
        });
        assert_eq!(setup.refusal(), Ok(Code::TcbMismatch), "extension {index}");
    }
}

#[test]
fn a_version_2_report_is_judged_as_the_base_part() {
    let setup = Setup::new()
        .report_field(layout::VERSION, &[2])
        .report_field(layout::CPUID, &[0; 3]);
    assert!(setup.refusal().is_err());
}
