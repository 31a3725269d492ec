//! What a policy demands and what it loosens.

use super::super::*;
use crate::development::certificates::ExtensionDraft;
use crate::fixtures::{NOW, Setup, weakened};
use crate::snp::extensions as oid;
use crate::snp::{KeyKind, layout};

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
    let setup = demand("checkpoint").with(|setup| setup.checkpoint = Some(b"cp".to_vec()));
    assert_eq!(setup.refusal(), Ok(Code::RequiredCheckNotRun));
}

#[test]
fn where_machines_are_listed_any_other_is_refused_and_one_that_hides_too() {
    let policy = |digest: &str| {
        Setup::new().with(|setup| {
            setup.policy = format!(
                "{}\n[[machines]]\nname = \"rack 7\"\nsha256 = \"{digest}\"\n",
                setup.policy
            );
        })
    };
    let facts = Setup::new().appraise();
    let machine = facts.facts().and_then(Facts::machine).unwrap();
    let listed = policy(&machine.to_string());
    let row = |setup: &Setup| {
        let appraisal = setup.appraise();
        let rows = appraisal.rows().to_vec();
        rows.into_iter().find(|row| row.name() == "machine-allowed")
    };
    assert_eq!(row(&Setup::new()), None);
    assert_eq!(row(&listed).unwrap().outcome(), &Outcome::Pass);
    assert!(listed.refusal().is_err());
    let other = policy(&"ab".repeat(32));
    assert_eq!(other.refusal(), Ok(Code::MachineNotAllowed));
}

#[test]
fn a_machine_that_hides_which_it_is_is_none_of_those_listed() {
    let digest = Sha256Digest::of(&[0; 64]);
    let hidden = vlek().with(|setup| {
        setup.policy = format!(
            "{}\n[[machines]]\nname = \"rack 7\"\nsha256 = \"{digest}\"\n",
            setup.policy
        );
    });
    assert_eq!(hidden.appraise().facts().and_then(Facts::machine), None);
    assert_eq!(hidden.refusal(), Ok(Code::MachineNotAllowed));
}

#[test]
fn collateral_may_be_no_older_than_the_policy_asks() {
    let of_age = |age: u64, limit: u64| {
        Setup::new().with(|setup| {
            setup.policy = format!("max-collateral-age-seconds = {limit}\n{}", setup.policy);
            setup.now = setup.drafts.revocation_list.this_update.saturating_add(age);
        })
    };
    let has_row = |setup: &Setup| {
        let appraisal = setup.appraise();
        appraisal
            .rows()
            .iter()
            .any(|row| row.name() == "collateral-age")
    };
    assert!(!has_row(&Setup::new()));
    assert!(has_row(&of_age(500, 500)));
    assert!(of_age(500, 500).refusal().is_err());
    assert_eq!(of_age(500, 499).refusal(), Ok(Code::CollateralStale));
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

/// A report signed by a key that a cloud provider loads into any of its chips.
fn vlek() -> Setup {
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
}

#[test]
fn a_vlek_is_a_gap_unless_the_policy_wants_the_machine() {
    let attested = vlek().appraise().into_attested().unwrap();
    assert!(attested.gaps().contains(&Gap::MachineNotIdentified));
    let strict = vlek().snp_policy("require-machine-identity = true");
    assert_eq!(strict.refusal(), Ok(Code::MachineNotIdentified));
    let signed_by_vcek = vlek().report_field(layout::KEY_INFO, &[0]);
    assert_eq!(signed_by_vcek.refusal(), Ok(Code::SigningKeyMismatch));
}
