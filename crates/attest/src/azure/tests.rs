//! Azure confidential VMs that are good but for one thing.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::type_complexity,
    reason = "tests"
)]

use proptest::prelude::*;
use serde_json::json;

use super::fixtures::{Setup, jwk, tpm_rules};
use super::*;
use crate::appraisal::{Code, Gap, Outcome};
use crate::fixtures::MEASUREMENT;
use crate::fixtures::pki::TestKey;
use crate::identifiers::Measurement;
use crate::snp::layout;
use crate::tpm::Requirement;
use crate::tpm::fixtures::{ATTRIBUTES, NONCE, public, value};

mod tdx;

#[test]
fn a_good_machine_is_accepted_and_excludes_the_host() {
    let appraisal = Setup::new().appraise();
    let claims = appraisal.verdict().unwrap();
    assert_eq!(claims.snp().unwrap().measurement(), &MEASUREMENT);
    let registers = claims.tpm().unwrap().registers().unwrap();
    assert_eq!(registers.get(4), Some(&value(4)[..]));
    assert_eq!(
        appraisal.gaps(),
        [
            Gap::TpmKeyAttributesUnknown,
            Gap::TpmKeyNotCertified,
            Gap::RevocationNotChecked
        ]
    );
    assert!(excludes_host(&appraisal));
}

fn excludes_host(appraisal: &EvidenceAppraisal<Claims>) -> bool {
    let row = |row: &&crate::appraisal::Row| row.name() == "excludes-host";
    let row = appraisal.rows().iter().find(row).unwrap();
    row.outcome() == &Outcome::Pass
}

/// Each line changes one thing before hardware and virtual TPM sign.
#[test]
fn each_field_alone_can_refuse() {
    let malformed = Code::ReportMalformed;
    let cases: [(&str, fn(&mut Setup), Code); 25] = [
        ("signature", |s| s.header[0] ^= 1, malformed),
        ("version 0", |s| s.header[1] = 0, malformed),
        ("version 3", |s| s.header[1] = 3, malformed),
        ("size", |s| s.header[2] = 1, malformed),
        ("request", |s| s.header[3] = 1, malformed),
        ("status", |s| s.header[4] = 1, malformed),
        ("reserved", |s| s.header[7] = 1, malformed),
        ("data version", |s| s.data_header[0] = 2, malformed),
        ("no hardware", |s| s.data_header[1] = 0, malformed),
        ("TVM", |s| s.data_header[1] = 3, malformed),
        ("SHA-384", |s| s.data_header[2] = 2, malformed),
        ("longer", |s| s.data_header[3] = 1, malformed),
        ("shorter", |s| s.data_header[3] = u32::MAX, malformed),
        ("padding", |s| s.padding[99] = 1, malformed),
        (
            "other report data",
            |s| s.report_data = Some([1; 64]),
            Code::ReportDataMismatch,
        ),
        (
            "no attestation key",
            |s| s.runtime["keys"][0]["kid"] = "HCLEkPub".into(),
            malformed,
        ),
        (
            "two attestation keys",
            |s| s.runtime["keys"][1]["kid"] = "HCLAkPub".into(),
            malformed,
        ),
        (
            "elliptic curve key",
            |s| s.runtime["keys"][0]["kty"] = "EC".into(),
            malformed,
        ),
        (
            "exponent 3",
            |s| s.runtime["keys"][0]["e"] = "Aw".into(),
            malformed,
        ),
        (
            "short modulus",
            |s| s.runtime["keys"][0]["n"] = "yJsX".into(),
            malformed,
        ),
        (
            "short user data",
            |s| s.runtime["user-data"] = "00".into(),
            malformed,
        ),
        (
            "no configuration",
            |s| s.runtime["vm-configuration"] = "none".into(),
            malformed,
        ),
        (
            "another attestation key",
            |s| s.runtime["keys"][0] = jwk("HCLAkPub", &TestKey::rsa_pss()),
            Code::ReportSignature,
        ),
        ("nonce", |s| s.quote.nonce.push(0), Code::NonceMismatch),
        (
            "digest",
            |s| s.quote.digest[31] ^= 1,
            Code::PcrDigestMismatch,
        ),
    ];
    for (name, edit, code) in cases {
        assert_eq!(Setup::new().with(edit).code(), Some(code), "{name}");
    }
}

#[test]
fn every_byte_behind_the_digest_must_be_zero() {
    for at in 32..64 {
        let setup = Setup::new();
        let report = setup.pieces().report;
        let found: [u8; 64] = *report[32 + layout::REPORT_DATA..].first_chunk().unwrap();
        let mut report_data = found;
        report_data[at] = 1;
        let setup = setup.with(|setup| setup.report_data = Some(report_data));
        assert_eq!(setup.code(), Some(Code::ReportDataMismatch), "{at}");
    }
}

#[test]
fn the_rules_for_the_hardware_apply() {
    for (at, field, code) in [
        (layout::VMPL, &[1_u8][..], Code::VmplMismatch),
        (layout::VMPL, &[0xFF; 4], Code::VmplHostRequested),
        (layout::POLICY + 2, &[0b1010], Code::GuestDebugAllowed),
        (layout::MEASUREMENT, &[0], Code::MeasurementNotAllowed),
        (layout::CHIP_ID, &[0], Code::ChipIdMismatch),
    ] {
        let appraisal = Setup::new().report_field(at, field).appraise();
        assert_eq!(appraisal.verdict().unwrap_err(), code);
        let about_the_chip = code == Code::ChipIdMismatch;
        assert_eq!(excludes_host(&appraisal), about_the_chip, "{code}");
    }
    let expired = Setup::new().with(|setup| {
        setup.rules = setup
            .rules
            .clone()
            .snp(crate::snp::Rules::strict().products(&[]));
    });
    assert_eq!(expired.code(), Some(Code::ProductNotAllowed));
}

#[test]
fn the_vendors_roots_refuse_a_simulated_vendor() {
    let setup = Setup::new();
    let pieces = setup.pieces();
    let mut refused = None;
    setup.appraise_edited(&pieces, |evidence| {
        let now = crate::fixtures::NOW;
        let appraisal = appraise(evidence, &setup.rules, &Anchors::vendor(), now);
        refused = appraisal.verdict().err();
    });
    assert_eq!(refused, Some(Code::RootNotPinned));
}

#[test]
fn a_paravisor_that_nobody_named_is_refused_or_a_gap() {
    let rules = || Rules::strict().tpm(tpm_rules().nonce(NONCE));
    let judge = |rules: Rules| Setup::new().with(|setup| setup.rules = rules).appraise();
    let unknown = judge(rules());
    assert_eq!(unknown.verdict().unwrap_err(), Code::ReferenceValuesEmpty);
    for allowed in [&[][..], &[Measurement::new([1; 48])]] {
        let other = judge(rules().paravisors(allowed));
        assert_eq!(other.verdict().unwrap_err(), Code::MeasurementNotAllowed);
    }
    let any = judge(rules().any_paravisor());
    assert!(any.verdict().is_ok());
    assert!(any.gaps().contains(&Gap::ParavisorNotCompared));
    assert!(any.gaps().contains(&Gap::HostNotExcluded));
    assert!(!excludes_host(&any));
}

#[test]
fn hardware_that_nothing_endorses_is_refused_or_a_gap() {
    let setup = Setup::new();
    let pieces = setup.pieces();
    let judge = |setup: &Setup| setup.appraise_edited(&pieces, |one| one.hardware = None);
    assert_eq!(judge(&setup).verdict().unwrap_err(), Code::EvidenceMissing);
    let lenient = |rules: Rules| Setup::new().with(|setup| setup.rules = rules);
    let rules = setup.rules.clone().hardware(Requirement::IfPresent);
    let named = judge(&lenient(rules.clone()));
    assert_eq!(named.verdict().unwrap_err(), Code::MeasurementNotAllowed);
    let any = judge(&lenient(rules.any_paravisor()));
    assert!(any.verdict().unwrap().snp().is_none());
    for gap in [Gap::HardwareReportNotVerified, Gap::HostNotExcluded] {
        assert!(any.gaps().contains(&gap), "{gap}");
    }
    assert!(!excludes_host(&any));
}

/// Without verified hardware the parts must still fit together.
#[test]
fn unverified_hardware_must_name_the_runtime_data() {
    let setup = Setup::new().with(|setup| {
        let rules = setup.rules.clone().hardware(Requirement::IfPresent);
        setup.rules = rules.any_paravisor();
        setup.report_data = Some([0; 64]);
    });
    let appraisal = setup.appraise_edited(&setup.pieces(), |one| one.hardware = None);
    assert_eq!(appraisal.verdict().unwrap_err(), Code::ReportDataMismatch);
}

#[test]
fn amds_certificates_do_not_endorse_other_hardware() {
    let setup = Setup::new().with(|setup| setup.data_header[1] = 4);
    let mut pieces = setup.pieces();
    // A TDREPORT is followed by zeros.
    pieces.report[32 + 1024..32 + 0x4A0].fill(0);
    let appraisal = setup.appraise_pieces(&pieces);
    let failed = |name: &str| {
        let row = appraisal.rows().iter().find(|row| row.name() == name);
        row.unwrap().outcome().clone()
    };
    let code = Code::ProductMismatch;
    assert_eq!(failed("azure-hardware"), Outcome::Fail { code });
    assert!(appraisal.verdict().is_err());
    pieces.report[32 + 1100] = 1;
    let appraisal = setup.appraise_pieces(&pieces);
    assert_eq!(appraisal.verdict().unwrap_err(), Code::ReportMalformed);
}

#[test]
fn a_missing_quote_is_refused_or_a_gap() {
    let setup = Setup::new();
    let pieces = setup.pieces();
    let strict = setup.appraise_edited(&pieces, |one| one.quote = None);
    assert_eq!(strict.verdict().unwrap_err(), Code::EvidenceMissing);
    let rules = setup.rules.clone().quote(Requirement::IfPresent);
    let lenient = setup.with(|setup| setup.rules = rules);
    let appraisal = lenient.appraise_edited(&pieces, |one| one.quote = None);
    assert!(appraisal.verdict().is_ok());
    assert_eq!(appraisal.gaps(), [Gap::TpmQuoteAbsent]);
}

#[test]
fn the_keys_own_structure_must_be_of_the_named_key() {
    let setup = Setup::new();
    let mut pieces = setup.pieces();
    pieces.public = Some(public(&setup.key, ATTRIBUTES));
    let known = setup.appraise_pieces(&pieces);
    assert!(known.verdict().is_ok());
    assert!(!known.gaps().contains(&Gap::TpmKeyAttributesUnknown));
    pieces.public = Some(public(&TestKey::rsa_pss(), ATTRIBUTES));
    let other = setup.appraise_pieces(&pieces);
    assert_eq!(other.verdict().unwrap_err(), Code::AttestationKeyMismatch);
    pieces.public = Some(public(&setup.key, ATTRIBUTES & !(1 << 16)));
    let free = setup.appraise_pieces(&pieces);
    let code = Code::AttestationKeyNotRestricted;
    assert_eq!(free.verdict().unwrap_err(), code);
}

#[test]
fn demands_on_the_runtime_data_are_compared() {
    let judge = |edit: fn(Rules) -> Rules, runtime: serde_json::Value| {
        let setup = Setup::new().with(|setup| {
            setup.rules = edit(setup.rules.clone());
            setup.runtime["vm-configuration"] = runtime["vm-configuration"].clone();
            setup.runtime["user-data"] = runtime["user-data"].clone();
        });
        setup.code()
    };
    let runtime = |secure: bool| {
        let user_data = "07".repeat(64);
        json!({ "vm-configuration": { "secure-boot": secure }, "user-data": user_data })
    };
    let user_data: fn(Rules) -> Rules = |rules| rules.user_data([7; 64]);
    let other: fn(Rules) -> Rules = |rules| rules.user_data([8; 64]);
    assert_eq!(judge(user_data, runtime(true)), None);
    assert_eq!(judge(other, runtime(true)), Some(Code::ReportDataMismatch));
    let without = json!({ "vm-configuration": {}, "user-data": null });
    let zeros: fn(Rules) -> Rules = |rules| rules.user_data([0; 64]);
    assert_eq!(
        judge(zeros, without.clone()),
        Some(Code::ReportDataMismatch)
    );
    assert_eq!(judge(Rules::secure_boot, runtime(true)), None);
    for runtime in [runtime(false), without] {
        let code = Some(Code::PlatformFeatureMissing);
        assert_eq!(judge(Rules::secure_boot, runtime), code);
    }
}

#[test]
fn pieces_of_another_machine_are_refused() {
    let one = Setup::new().pieces();
    let other = Setup::new().with(|setup| {
        setup.key = TestKey::rsa_pss();
        setup.runtime["keys"][0] = jwk("HCLAkPub", &setup.key);
    });
    let report = other.pieces().report;
    let setup = Setup::new();
    let mut swapped = one.clone();
    swapped.report = report.clone();
    let code = setup.appraise_pieces(&swapped).verdict().map(|_| ());
    assert_eq!(code, Err(Code::ReportSignature));
    // The other machine's runtime data behind this machine's hardware report.
    let mut swapped = one.clone();
    swapped.report = [&one.report[..32 + 0x4A0], &report[32 + 0x4A0..]].concat();
    let code = setup.appraise_pieces(&swapped).verdict().map(|_| ());
    assert_eq!(code, Err(Code::ReportDataMismatch));
}

/// A bit of every byte of the paravisor's report.
#[test]
fn a_flipped_bit_in_any_byte_is_refused() {
    let setup = Setup::new();
    let good = setup.pieces();
    assert!(setup.appraise_pieces(&good).verdict().is_ok());
    for at in 0..good.report.len() {
        let mut pieces = good.clone();
        pieces.report[at] ^= 1 << (at % 8);
        let appraisal = setup.appraise_pieces(&pieces);
        assert!(appraisal.verdict().is_err(), "byte {at}");
    }
}

#[test]
fn a_cut_report_is_refused_and_the_storage_may_be_of_any_size() {
    let setup = Setup::new().with(|setup| setup.padding.clear());
    let good = setup.pieces();
    assert!(setup.appraise_pieces(&good).verdict().is_ok());
    for length in 0..good.report.len() {
        assert!(HclReport::parse(&good.report[..length]).is_err());
    }
    let too_long = [&good.report[..], &vec![0; HclReport::MAX_LEN]].concat();
    assert!(HclReport::parse(&too_long).is_err());
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert!(HclReport::parse(&bytes).is_err());
        prop_assert!(RuntimeData::parse(&bytes).is_err());
        let start = [&b"HCLA\x02\0\0\0"[..], &bytes].concat();
        let _ = HclReport::parse(&start);
    }
}
