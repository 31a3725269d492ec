//! A report judged without a bundle.

use super::*;
use crate::fixtures::{KEY_CONFIGURATION, MEASUREMENT, NOW, Setup};
use crate::snp::Product;
use crate::{Gap, binding};

fn judge(setup: &Setup, demands: &Demands) -> EvidenceAppraisal<Claims> {
    let bundle = setup.bundle();
    let evidence = bundle.snp().unwrap();
    appraise(&evidence, &Rules::strict(), demands, &setup.anchors(), NOW)
}

fn bound() -> ReportData {
    ReportData::new(binding::report_data(KEY_CONFIGURATION, None, None))
}

#[test]
fn a_good_report_is_accepted_and_its_claims_are_read() {
    let demands = Demands::none()
        .report_data(bound())
        .measurements(vec![MEASUREMENT]);
    let appraisal = judge(&Setup::new(), &demands);
    let claims = appraisal.verdict().unwrap();
    assert_eq!(claims.measurement(), &MEASUREMENT);
    assert_eq!(claims.report_data(), &bound());
    assert_eq!(claims.product(), Product::Genoa);
    let json = appraisal.to_json();
    assert_eq!(json["verdict"], "accept");
    assert_eq!(json["claims"]["measurement"], MEASUREMENT.to_string());
}

#[test]
fn other_report_data_or_another_measurement_than_demanded_is_refused() {
    let other = Demands::none().report_data(ReportData::new([0; 64]));
    let verdict = judge(&Setup::new(), &other).verdict().cloned();
    assert_eq!(verdict.unwrap_err(), Code::ReportDataMismatch);
    for allowed in [vec![], vec![Measurement::new([1; 48])]] {
        let other = Demands::none().measurements(allowed);
        let verdict = judge(&Setup::new(), &other).verdict().cloned();
        assert_eq!(verdict.unwrap_err(), Code::MeasurementNotAllowed);
    }
}

#[test]
fn refused_evidence_gives_its_first_code_and_no_verdict() {
    let mut setup = Setup::new();
    setup.drafts.vcek.not_after = UnixSeconds::new(NOW.get() - 1);
    let appraisal = judge(&setup, &Demands::none());
    assert_eq!(appraisal.verdict().unwrap_err(), Code::CertificateExpired);
    assert!(appraisal.claims().is_none());
    assert_eq!(appraisal.to_json()["code"], "certificate-expired");
}

#[test]
fn a_missing_list_is_a_named_gap() {
    let mut setup = Setup::new();
    setup.with_revocation_list = false;
    let appraisal = judge(&setup, &Demands::none());
    assert!(appraisal.verdict().is_ok());
    assert_eq!(appraisal.gaps(), [Gap::RevocationNotChecked]);
}

#[test]
fn rules_can_be_set_one_by_one() {
    let bundle = Setup::new().bundle();
    let evidence = bundle.snp().unwrap();
    let anchors = Setup::new().anchors();
    let judge = |rules: Rules| {
        let appraisal = appraise(&evidence, &rules, &Demands::none(), &anchors, NOW);
        appraisal.verdict().map(|_| ())
    };
    assert_eq!(judge(Rules::strict()), Ok(()));
    let no_product = Rules::strict().products(&[]);
    assert_eq!(judge(no_product), Err(Code::ProductNotAllowed));
    let no_floor = Rules::strict().tcb_floors(&[]);
    assert_eq!(judge(no_floor), Err(Code::TcbBelowFloor));
    assert_eq!(judge(Rules::strict().vmpl(1)), Err(Code::VmplMismatch));
    assert_eq!(judge(Rules::strict().any_guest_vmpl()), Ok(()));
}

#[test]
fn any_privilege_level_of_the_guest_is_not_the_hosts() {
    for (vmpl, expected) in [
        (3_u32, Ok(())),
        (4, Err(Code::VmplMismatch)),
        (u32::MAX, Err(Code::VmplHostRequested)),
    ] {
        let setup = Setup::new().report_field(crate::snp::layout::VMPL, &vmpl.to_le_bytes());
        let bundle = setup.bundle();
        let evidence = bundle.snp().unwrap();
        let rules = Rules::strict().any_guest_vmpl();
        let appraisal = appraise(&evidence, &rules, &Demands::none(), &setup.anchors(), NOW);
        assert_eq!(appraisal.verdict().map(|_| ()), expected, "{vmpl}");
    }
}

#[test]
fn a_test_root_vouches_for_its_own_evidence_only() {
    let setup = Setup::new();
    let bundle = setup.bundle();
    let evidence = bundle.snp().unwrap();
    let judge = |anchors: &Anchors| {
        let appraisal = appraise(&evidence, &Rules::strict(), &Demands::none(), anchors, NOW);
        appraisal.verdict().map(|_| ())
    };
    let own = Anchors::of_test_root(evidence.root, evidence.intermediate).unwrap();
    assert_eq!(judge(&own), Ok(()));
    let swapped = Anchors::of_test_root(evidence.root, evidence.root).unwrap();
    assert_eq!(judge(&swapped), Err(Code::IntermediateNotPinned));
    assert_eq!(judge(&Anchors::amd()), Err(Code::RootNotPinned));
    assert!(Anchors::of_test_root(b"", evidence.root).is_err());
}
