//! The simulated platform gives real formats and no protection.

use super::*;
use crate::appraisal::Roots;
use crate::binding;
use crate::fixtures::{Keys, MEASUREMENT, NOW, Setup, TestRng};
use crate::snp::layout;

#[test]
fn its_evidence_passes_every_check_and_is_not_protected() {
    let root = root();
    let attested = appraise(&bundle(&root), &policy(), root.public(), NOW).unwrap();
    assert_eq!(attested.verdict(), Verdict::NotProtectedDevelopment);
    assert_eq!(attested.key_configuration(), KC);
    assert_eq!(attested.facts().registers(), [("value", MEASUREMENT)]);
    let verdict = attested.verdict().to_string();
    assert_eq!(verdict, "NOT PROTECTED (development)");
}

#[test]
fn vendors_roots_refuse_it() {
    let appraisal = crate::appraise(&bundle(&root()), &policy(), &Roots::vendor(), NOW);
    let refused = Verdict::Refused(Code::RootNotPinned);
    assert_eq!(appraisal.verdict(), refused);
    assert!(appraisal.into_attested().is_err());
}

#[test]
fn another_development_root_refuses_it() {
    let keys = Keys::new();
    let other = Root::issue(&keys.other, &keys.ask, &mut TestRng::new(5), NOW).unwrap();
    let refused = appraise(&bundle(&root()), &policy(), other.public(), NOW).unwrap_err();
    assert_eq!(refused.code(), Code::RootNotPinned);
}

/// The same verifier: what refuses a vendor's report refuses a simulated one.
#[test]
fn a_wrong_field_refuses_it() {
    for (at, field, code) in [
        (layout::VMPL, &[3_u8][..], Code::VmplMismatch),
        (layout::POLICY + 2, &[0b1010], Code::GuestDebugAllowed),
        (layout::MEASUREMENT, &[0], Code::MeasurementNotAllowed),
        (layout::CHIP_ID, &[0], Code::ChipIdMismatch),
    ] {
        let setup = Setup::new().report_field(at, field);
        let public = DevelopmentRoot::from_public_file(&root().public().to_public_file());
        let bundle = setup.bundle();
        let refused = appraise(&bundle, &setup.policy(), &public.unwrap(), NOW).unwrap_err();
        assert_eq!(refused.code(), code);
        assert_eq!(refused.appraisal().verdict(), Verdict::Refused(code));
    }
}

#[test]
fn a_real_vendors_root_is_no_development_root() {
    let public = root().public().to_public_file();
    let root = DevelopmentRoot::from_public_file(&public).unwrap();
    assert_ne!(root.roots().snp, crate::snp::anchors::Anchors::amd());
}

#[test]
fn it_is_refused_before_and_after_its_certificates_are_valid() {
    let root = root();
    let judge = |now| appraise(&bundle(&root), &policy(), root.public(), now);
    let day = 24 * 60 * 60;
    let early = UnixSeconds::new(NOW.get().saturating_sub(2 * day));
    assert_eq!(
        judge(early).unwrap_err().code(),
        Code::CertificateNotYetValid
    );
    let late = NOW.saturating_add(3651 * day);
    assert_eq!(judge(late).unwrap_err().code(), Code::CertificateExpired);
}

#[test]
fn the_secret_file_round_trips() {
    let root = root();
    let read = Root::from_secret_file(&root.to_secret_file()).unwrap();
    let data = [3; 64];
    assert_eq!(
        read.platform().report(&data, &MEASUREMENT),
        root.platform().report(&data, &MEASUREMENT)
    );
    assert_eq!(read.public(), root.public());
}

#[test]
fn the_public_file_round_trips_and_holds_no_secret() {
    let root = root();
    let public = root.public().to_public_file();
    let read = DevelopmentRoot::from_public_file(&public).unwrap();
    assert_eq!(&read, root.public());
    let secret: serde_json::Value = serde_json::from_str(&root.to_secret_file()).unwrap();
    assert!(!public.contains(secret["chip_key"].as_str().unwrap()));
    assert!(!public.contains("chip"));
}

#[test]
fn the_two_files_are_not_taken_for_each_other() {
    let root = root();
    let expected = "subrosa-development-root-public/1";
    let error = DevelopmentRoot::from_public_file(&root.to_secret_file());
    assert_eq!(error.unwrap_err(), DevelopmentError::File { expected });
    let expected = "subrosa-development-root-secret/1";
    let error = Root::from_secret_file(&root.public().to_public_file());
    assert_eq!(error.unwrap_err(), DevelopmentError::File { expected });
}

#[test]
fn a_damaged_file_is_refused_without_showing_its_content() {
    let good = root().to_secret_file();
    for bad in [
        String::new(),
        "{}".to_owned(),
        good.replace("secret/1", "secret/2"),
        good.replace("\"vcek\"", "\"vlek\""),
        good.replace("\"chip_key\": \"", "\"chip_key\": \"zz"),
        good.replace("\"ark\": \"30", "\"ark\": \"31"),
    ] {
        let error = Root::from_secret_file(&bad).unwrap_err();
        assert!(matches!(error, DevelopmentError::File { .. }));
        assert!(error.to_string().len() < 80);
    }
}

#[test]
fn debug_output_shows_no_key() {
    let root = root();
    let shown = format!("{root:?} {:?}", root.platform());
    assert_eq!(shown, "Root { .. } SimulatedPlatform { .. }");
}

#[test]
fn reports_are_deterministic() {
    let root = root();
    let one = root.platform().report(&[1; 64], &MEASUREMENT);
    assert_eq!(one, root.platform().report(&[1; 64], &MEASUREMENT));
    assert_ne!(one, root.platform().report(&[2; 64], &MEASUREMENT));
}

#[test]
fn a_generated_root_works_like_one_from_known_keys() {
    let root = Root::generate(&mut TestRng::new(11), NOW).unwrap();
    assert!(appraise(&bundle(&root), &policy(), root.public(), NOW).is_ok());
}

#[test]
fn dates_after_2049_are_written_so_that_they_are_read() {
    let keys = Keys::new();
    // 2045-01-01: the certificates end after 2050.
    let now = UnixSeconds::new(2_366_841_600);
    let root = Root::issue(&keys.ark, &keys.ask, &mut TestRng::new(7), now).unwrap();
    assert!(appraise(&bundle(&root), &policy(), root.public(), now).is_ok());
}

const KC: &[u8] = b"kc";

fn root() -> Root {
    let keys = Keys::new();
    Root::issue(&keys.ark, &keys.ask, &mut TestRng::new(4), NOW).unwrap()
}

fn policy() -> Policy {
    Setup::new().policy()
}

fn bundle(root: &Root) -> Bundle {
    let data = binding::report_data(KC, None, None);
    let report = root.platform().report(&data, &MEASUREMENT);
    Bundle::builder(KC)
        .snp(root.platform().evidence(&report))
        .build()
        .unwrap()
}
