//! Whole appraisals that are good but for one thing.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::too_many_lines,
    clippy::type_complexity,
    reason = "tests: tables are long"
)]

use std::collections::BTreeSet;

use super::check::{Check, Need};
use super::*;
use crate::development::certificates::ExtensionDraft;
use crate::fixtures::{NOW, Setup, weakened};
use crate::snp::extensions as oid;
use crate::snp::{KeyKind, Product, layout};

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
    assert_eq!(attested.facts().product(), Product::Genoa);
    assert_eq!(
        attested.facts().measurement(),
        &crate::fixtures::MEASUREMENT
    );
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

/// A genoa part with microcode of its own is judged by its own floor.
#[test]
fn the_floor_follows_the_part() {
    let genoa_x = Setup::new().report_field(layout::CPUID, &[0x19, 0x11, 2]);
    assert!(genoa_x.refusal().is_err());
    let strict = "[[sev-snp.tcb-floors]]\npart = \"genoa-x\"\nas-of = \"x\"\n\
        bootloader = 10\ntee = 0\nsnp = 23\nmicrocode = 200\n";
    let refusal = genoa_x.snp_policy(strict).refusal();
    assert_eq!(refusal, Ok(Code::TcbBelowFloor));
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
        setup.gpu_evidence = Some(b"gpu".to_vec());
    });
    let gaps = vec![
        Gap::CheckpointNotVerified,
        Gap::GpuEvidenceNotVerified,
        Gap::ReleaseNotLogged,
        Gap::MachineNotProven,
    ];
    let verdict = setup.appraise().verdict();
    assert_eq!(verdict, Verdict::VerifiedWithGaps(gaps));
}

#[test]
fn a_demanded_part_that_is_absent_or_unverifiable_is_a_refusal() {
    let demand = |part| {
        Setup::new().with(|setup| {
            setup.policy = format!("required = [\"{part}\"]\n{}", setup.policy);
        })
    };
    for part in [
        "checkpoint",
        "gpu-evidence",
        "release-proof",
        "machine-proof",
    ] {
        assert_eq!(demand(part).refusal(), Ok(Code::EvidenceMissing), "{part}");
    }
    for part in ["checkpoint", "gpu-evidence"] {
        let setup = demand(part).with(|setup| {
            setup.checkpoint = Some(b"cp".to_vec());
            setup.gpu_evidence = Some(b"gpu".to_vec());
        });
        assert_eq!(setup.refusal(), Ok(Code::RequiredCheckNotRun), "{part}");
    }
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
fn a_missing_revocation_list_is_a_gap_or_a_refusal() {
    let without = || Setup::new().with(|setup| setup.with_revocation_list = false);
    let Verdict::VerifiedWithGaps(gaps) = without().appraise().verdict() else {
        panic!("refused");
    };
    assert!(gaps.contains(&Gap::RevocationNotChecked));
    let strict = without().snp_policy("revocation = \"required\"");
    assert_eq!(strict.refusal(), Ok(Code::EvidenceMissing));
}

#[test]
fn a_stale_revocation_list_is_refused_unless_the_policy_says_so() {
    let stale = || {
        Setup::new().with(|setup| {
            setup.drafts.revocation_list.next_update = UnixSeconds::new(NOW.get() - 1);
        })
    };
    assert_eq!(stale().refusal(), Ok(Code::RevocationListStale));
    let strict = stale().snp_policy("revocation = \"required\"");
    assert_eq!(strict.refusal(), Ok(Code::RevocationListStale));
    let lines = "revocation = \"stale-tolerated\"\n".to_owned();
    let tolerant = lines + &weakened(&["stale-revocation"]);
    let Verdict::VerifiedWithGaps(gaps) = stale().snp_policy(&tolerant).appraise().verdict() else {
        panic!("refused");
    };
    assert!(gaps.contains(&Gap::RevocationStale));
}

/// Tolerating age must not tolerate anything else.
#[test]
fn a_tolerated_stale_list_still_revokes() {
    let lines = "revocation = \"stale-tolerated\"\n".to_owned();
    let tolerant = lines + &weakened(&["stale-revocation"]);
    let base = || {
        Setup::new().snp_policy(&tolerant).with(|setup| {
            setup.drafts.revocation_list.next_update = UnixSeconds::new(NOW.get() - 1);
        })
    };
    let revoked = base().with(|setup| {
        setup.drafts.revocation_list.revoked = vec![setup.drafts.ask.serial.clone()];
    });
    assert_eq!(revoked.refusal(), Ok(Code::Revoked));
    let future = Setup::new().snp_policy(&tolerant).with(|setup| {
        setup.drafts.revocation_list.this_update = NOW.saturating_add(1);
    });
    assert_eq!(future.refusal(), Ok(Code::RevocationListStale));
    let foreign = base().with(|setup| {
        setup.drafts.revocation_list.issuer = "x".to_owned();
    });
    assert_eq!(foreign.refusal(), Ok(Code::RevocationListInvalid));
}

#[test]
fn what_a_policy_loosens_is_a_gap_even_if_it_did_not_matter() {
    for (rule, lines) in [
        ("alias-check", "require-alias-check = false\n"),
        ("cxl", "allow-cxl = true\n"),
        (
            "provisional-firmware",
            "allow-provisional-firmware = true\n",
        ),
        ("product-milan", "products = [\"milan\", \"genoa\"]\n"),
    ] {
        let setup = Setup::new().snp_policy(&(lines.to_owned() + &weakened(&[rule])));
        let Verdict::VerifiedWithGaps(gaps) = setup.appraise().verdict() else {
            panic!("{rule}: refused");
        };
        let names: Vec<_> = gaps.iter().map(ToString::to_string).collect();
        assert!(
            names.contains(&format!("policy-weakened ({rule})")),
            "{names:?}"
        );
    }
}

#[test]
fn what_a_policy_loosens_is_accepted_and_nothing_else() {
    for (rule, lines, at, field) in [
        (
            "alias-check",
            "require-alias-check = false\n",
            layout::PLATFORM_INFO,
            &[0x05][..],
        ),
        (
            "cxl",
            "allow-cxl = true\n",
            layout::POLICY + 2,
            &[0b10_0010],
        ),
        (
            "provisional-firmware",
            "allow-provisional-firmware = true\n",
            layout::CURRENT_FIRMWARE,
            &[41],
        ),
        ("vmpl", "vmpl = 1\n", layout::VMPL, &[1]),
    ] {
        let loosened = Setup::new()
            .report_field(at, field)
            .snp_policy(&(lines.to_owned() + &weakened(&[rule])));
        assert!(loosened.refusal().is_err(), "{rule}");
        let debug = loosened.report_field(layout::POLICY + 2, &[0b10_1010]);
        assert!(debug.refusal().is_ok(), "{rule} with debugging");
    }
}

#[test]
fn a_required_level_is_exact() {
    let lines = "vmpl = 1\n".to_owned() + &weakened(&["vmpl"]);
    let refusal = Setup::new().snp_policy(&lines).refusal();
    assert_eq!(refusal, Ok(Code::VmplMismatch));
}

/// Each demand refuses the good report, and accepts one that meets it.
#[test]
fn each_demand_is_checked() {
    let digest = |byte: &str| byte.repeat(48);
    let cases: [(String, Code, usize, &[u8]); 14] = [
        (
            "guest-restrictions = [\"smt-forbidden\", \"single-socket\"]".into(),
            Code::GuestRestrictionMissing,
            layout::POLICY + 2,
            &[0b01_0010],
        ),
        (
            "guest-restrictions = [\"aes-256-xts\"]".into(),
            Code::GuestRestrictionMissing,
            layout::POLICY + 2,
            &[0b0100_0010],
        ),
        (
            "guest-restrictions = [\"rapl-disabled\"]".into(),
            Code::GuestRestrictionMissing,
            layout::POLICY + 2,
            &[0b1000_0010],
        ),
        (
            "guest-restrictions = [\"ciphertext-hiding\", \"page-swap-disabled\"]".into(),
            Code::GuestRestrictionMissing,
            layout::POLICY + 3,
            &[0b11],
        ),
        (
            "platform-features = [\"ecc\", \"tsme\", \"rapl-disabled\", \"ciphertext-hiding\"]"
                .into(),
            Code::PlatformFeatureMissing,
            layout::PLATFORM_INFO,
            &[0b11_1110],
        ),
        (
            "platform-features = [\"smt-disabled\"]".into(),
            Code::PlatformFeatureMissing,
            layout::PLATFORM_INFO,
            &[0b10_0100],
        ),
        (
            "minimum-abi = [1, 5]".into(),
            Code::GuestAbiBelowMinimum,
            layout::POLICY,
            &[5, 1],
        ),
        (
            "minimum-firmware = [1, 55, 40]\nminimum-guest-svn = 7".into(),
            Code::GuestSvnBelowMinimum,
            layout::GUEST_SVN,
            &[7],
        ),
        (
            format!("family-id = \"{}\"", "01".repeat(16)),
            Code::FamilyIdMismatch,
            layout::FAMILY_ID,
            &[1; 16],
        ),
        (
            format!("image-id = \"{}\"", "01".repeat(16)),
            Code::ImageIdMismatch,
            layout::IMAGE_ID,
            &[1; 16],
        ),
        (
            format!("host-data = \"{}\"", "01".repeat(32)),
            Code::HostDataMismatch,
            layout::HOST_DATA,
            &[1; 32],
        ),
        (
            format!(
                "id-key-digests = [\"{}\", \"{}\"]",
                digest("02"),
                digest("01")
            ),
            Code::IdKeyNotAllowed,
            layout::ID_KEY_DIGEST,
            &[1; 48],
        ),
        (
            format!("author-key-digests = [\"{}\"]", digest("01")),
            Code::AuthorKeyNotAllowed,
            layout::AUTHOR_KEY_DIGEST,
            &[1; 48],
        ),
        (
            "minimum-guest-svn = 256".into(),
            Code::GuestSvnBelowMinimum,
            layout::GUEST_SVN,
            &[0, 1],
        ),
    ];
    for (lines, code, at, field) in cases {
        let demanding = Setup::new().snp_policy(&lines);
        assert_eq!(demanding.refusal(), Ok(code), "{lines}");
        let met = demanding.report_field(at, field);
        assert!(met.refusal().is_err(), "{lines}");
    }
}

#[test]
fn a_minimum_firmware_is_compared_by_major_minor_build() {
    for (minimum, is_met) in [
        ("[1, 55, 40]", true),
        ("[1, 55, 41]", false),
        ("[1, 54, 99]", true),
        ("[1, 56, 0]", false),
        ("[2, 0, 0]", false),
        ("[0, 99, 99]", true),
    ] {
        let setup = Setup::new().snp_policy(&format!("minimum-firmware = {minimum}"));
        let refusal = setup.refusal();
        assert_eq!(refusal.is_err(), is_met, "{minimum}");
        if !is_met {
            assert_eq!(refusal, Ok(Code::FirmwareBelowMinimum));
        }
    }
}

#[test]
fn demanded_mitigations_need_both_vectors_and_a_report_that_has_them() {
    let demanding = || Setup::new().snp_policy("mitigations = 3");
    let version_5 = || demanding().report_field(layout::VERSION, &[5]);
    let missing = Ok(Code::MitigationMissing);
    assert_eq!(demanding().refusal(), missing);
    assert_eq!(version_5().refusal(), missing);
    let launch = version_5().report_field(layout::LAUNCH_MITIGATIONS, &[3]);
    assert_eq!(launch.refusal(), missing);
    let partly = launch.report_field(layout::CURRENT_MITIGATIONS, &[2]);
    assert_eq!(partly.refusal(), missing);
    let both = partly.report_field(layout::CURRENT_MITIGATIONS, &[7]);
    assert!(both.refusal().is_err());
}

#[test]
fn a_product_the_policy_does_not_list_is_refused() {
    let refusal = Setup::new().snp_policy("products = [\"turin\"]").refusal();
    assert_eq!(refusal, Ok(Code::ProductNotAllowed));
}

#[test]
fn a_version_2_report_is_judged_as_the_base_part() {
    let setup = Setup::new()
        .report_field(layout::VERSION, &[2])
        .report_field(layout::CPUID, &[0; 3]);
    assert!(setup.refusal().is_err());
}

#[test]
fn a_vlek_is_a_gap_unless_the_policy_wants_the_machine() {
    let vlek = || {
        Setup::new()
            .report_field(layout::CHIP_ID, &[0; 64])
            .report_field(layout::KEY_INFO, &[1 << 2])
            .with(|setup| {
                setup.kind = KeyKind::Vlek;
                let provider = ExtensionDraft::new(oid::CSP_ID, false, *b"\x16\x02CN");
                let extensions = &mut setup.drafts.vcek.extensions;
                extensions.retain(|it| it.oid != oid::HARDWARE_ID);
                extensions.push(provider);
            })
    };
    let attested = vlek().appraise().into_attested().unwrap();
    assert!(attested.gaps().contains(&Gap::MachineNotIdentified));
    assert_eq!(attested.facts().chip_id(), None);
    let strict = vlek().snp_policy("require-machine-identity = true");
    assert_eq!(strict.refusal(), Ok(Code::MachineNotIdentified));
    let signed_by_vcek = vlek().report_field(layout::KEY_INFO, &[0]);
    assert_eq!(signed_by_vcek.refusal(), Ok(Code::SigningKeyMismatch));
}

#[test]
fn a_policy_without_reference_values_refuses_good_evidence() {
    let setup = Setup::new();
    let roots = Roots::for_test(setup.anchors());
    let strict = Policy::strict_default();
    let verdict = appraise(&setup.bundle(), &strict, &roots, NOW).verdict();
    assert_eq!(verdict, Verdict::Refused(Code::ReferenceValuesEmpty));
}

#[test]
fn each_kind_of_reference_value_is_needed() {
    for table in ["measurements", "weights", "configurations", "releases"] {
        let setup = Setup::new().with(|setup| {
            let start = setup.policy.find(&format!("[[{table}]]")).unwrap();
            let length = setup.policy[start + 2..].find("\n[").unwrap() + 3;
            setup.policy.replace_range(start..start + length, "");
        });
        let refused = Ok(Code::ReferenceValuesEmpty);
        assert_eq!(setup.refusal(), refused, "{table}");
    }
}

#[test]
fn the_vendors_roots_refuse_the_simulated_vendor() {
    let setup = Setup::new();
    let appraisal = appraise(&setup.bundle(), &setup.policy(), &Roots::vendor(), NOW);
    assert_eq!(appraisal.verdict(), Verdict::Refused(Code::RootNotPinned));
    let refused = appraisal.into_attested().unwrap_err();
    assert_eq!(refused.code(), Code::RootNotPinned);
    assert!(refused.appraisal().facts().is_none());
}

#[test]
fn a_simulated_root_never_becomes_attested() {
    let setup = Setup::new();
    let appraisal = appraise_up_to(
        &setup.bundle(),
        &setup.policy(),
        &setup.anchors(),
        Origin::Simulated,
        NOW,
    );
    assert_eq!(appraisal.verdict(), Verdict::NotProtectedDevelopment);
    let refused = appraisal.into_attested().unwrap_err();
    assert_eq!(refused.code(), Code::HostNotExcluded);
}

#[test]
fn nothing_behind_a_bad_signature_is_looked_at() {
    let mut setup = Setup::new();
    setup.report_key = p384::ecdsa::SigningKey::from_slice(&[9; 48]).unwrap();
    let appraisal = setup.appraise();
    let after = appraisal
        .rows()
        .iter()
        .skip_while(|row| row.name() != "report-signature")
        .skip(1);
    for row in after {
        let why = NotRun::NotReached;
        assert_eq!(row.outcome(), &Outcome::NotRun { why }, "{}", row.name());
    }
    assert!(appraisal.facts().is_none());
}

#[test]
fn every_failure_has_a_row_of_its_own() {
    let appraisal = Setup::new()
        .report_field(layout::POLICY + 2, &[0b1010])
        .report_field(layout::VMPL, &[2])
        .report_field(layout::MEASUREMENT, &[0])
        .appraise();
    let failed: Vec<_> = appraisal
        .rows()
        .iter()
        .filter(|row| matches!(row.outcome(), Outcome::Fail { .. }))
        .map(Row::name)
        .collect();
    assert_eq!(
        failed,
        ["guest-debug", "vmpl", "measurement", "excludes-host"]
    );
    let code = Code::GuestDebugAllowed;
    assert_eq!(appraisal.verdict(), Verdict::Refused(code));
}

/// Takes each row of a good appraisal away: whatever is forgotten, nothing
/// becomes better for it.
#[test]
fn a_check_that_left_no_row_is_a_refusal() {
    let appraisal = Setup::new().appraise();
    let refused = Verdict::Refused(Code::RequiredCheckNotRun);
    for at in 0..appraisal.rows.len() {
        let mut forgetful = appraisal.clone();
        forgetful.rows.remove(at);
        assert_eq!(
            forgetful.verdict(),
            refused,
            "{}",
            appraisal.rows[at].name()
        );
    }
}

#[test]
fn a_required_check_that_did_not_run_is_a_refusal() {
    let appraisal = Setup::new().appraise();
    let refused = Verdict::Refused(Code::RequiredCheckNotRun);
    for at in 0..appraisal.rows.len() {
        let check = appraisal.rows[at].check;
        for why in [
            NotRun::NotReached,
            NotRun::Simulated,
            NotRun::Gap(Gap::MachineNotProven),
        ] {
            let is_gap = matches!(why, NotRun::Gap(_));
            let mut skipping = appraisal.clone();
            skipping.rows[at].outcome = Outcome::NotRun { why };
            if is_gap && check.need() == Need::GapAllowed {
                assert_ne!(skipping.verdict(), refused, "{}", check.name());
            } else {
                assert_eq!(skipping.verdict(), refused, "{}", check.name());
            }
        }
    }
}

#[test]
fn no_gap_replaces_the_exclusion_of_the_host() {
    assert_eq!(Check::ExcludesHost.need(), Need::Required);
}

#[test]
fn verified_needs_every_row_and_no_gap() {
    let mut appraisal = Setup::new().appraise();
    for row in &mut appraisal.rows {
        row.outcome = Outcome::Pass;
    }
    assert_eq!(appraisal.verdict(), Verdict::Verified);
    appraisal.weakened.push(Gap::RevocationStale);
    let gaps = vec![Gap::RevocationStale];
    assert_eq!(appraisal.verdict(), Verdict::VerifiedWithGaps(gaps));
}

#[test]
fn names_of_checks_and_codes_are_kebab_case_and_unique() {
    let names = Check::ALL.iter().map(|check| check.name());
    let codes = Code::ALL.iter().map(|code| code.as_str());
    for (kind, texts) in [
        ("check", names.collect::<Vec<_>>()),
        ("code", codes.collect()),
    ] {
        let unique: BTreeSet<_> = texts.iter().collect();
        assert_eq!(unique.len(), texts.len(), "{kind}");
        for text in texts {
            let right = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(text.chars().all(right), "{kind} {text}");
        }
    }
}

#[test]
fn the_specification_names_every_code_check_and_gap() {
    let text = include_str!("../../../../spec/verdicts.md");
    let codes = Code::ALL.iter().map(|code| code.as_str());
    let checks = Check::ALL.iter().map(|check| check.name());
    let gaps = [
        Gap::CheckpointAbsent,
        Gap::CheckpointNotVerified,
        Gap::GpuEvidenceAbsent,
        Gap::GpuEvidenceNotVerified,
        Gap::MachineNotIdentified,
        Gap::MachineNotProven,
        Gap::ReleaseNotLogged,
        Gap::RevocationNotChecked,
        Gap::RevocationStale,
        Gap::Weakened {
            rule: crate::policy::WeakenedRule::Cxl,
            reason: String::new(),
        },
    ];
    let gaps = gaps.iter().map(Gap::as_str);
    for name in codes.chain(checks).chain(gaps) {
        assert!(text.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn the_json_has_the_fields_of_the_specification() {
    let json = Setup::new().appraise().to_json();
    let node = &json["submods"]["node"];
    assert_eq!(json["eat_profile"], "tag:subrosa.dev,2026:appraisal/1");
    assert_eq!(json["iat"], NOW.get());
    assert_eq!(node["ear.status"], "warning");
    assert_eq!(node["subrosa.verdict"], "verified-with-gaps");
    assert_eq!(node["subrosa.gaps"][0]["gap"], "checkpoint-absent");
    assert_eq!(node["subrosa.facts"]["tcb"]["microcode"], 0x54);
    assert_eq!(node["subrosa.checks"][0]["check"], "platform-allowed");
    assert_eq!(node["subrosa.checks"][0]["outcome"], "pass");
    assert!(node["subrosa.code"].is_null());
    let refused = Setup::new().report_field(layout::VMPL, &[1]).appraise();
    let node = &refused.to_json()["submods"]["node"];
    assert_eq!(node["ear.status"], "contraindicated");
    assert_eq!(node["subrosa.code"], "vmpl-mismatch");
}

#[test]
fn the_text_says_what_was_checked_and_what_is_not_proved() {
    let appraisal = Setup::new().appraise();
    let text = appraisal.human_text();
    for row in appraisal.rows() {
        let question = &row.question()[1..];
        assert!(text.contains(question), "{question}");
    }
    assert!(text.contains("VERIFIED WITH GAPS"));
    assert!(text.contains("4 things named below were not checked"));
    assert!(text.contains("What this does not prove"));
    let refused = Setup::new().report_field(layout::VMPL, &[1]).appraise();
    assert!(refused.human_text().contains("REFUSED (vmpl-mismatch)"));
}

/// The key configuration is not secret, but it has no place in a log either.
#[test]
fn texts_do_not_repeat_the_key_configuration() {
    let appraisal = Setup::new().appraise();
    let kc = String::from_utf8(appraisal.key_configuration.clone()).unwrap();
    assert!(!appraisal.human_text().contains(&kc));
    assert!(!appraisal.to_json().to_string().contains(&kc));
}
