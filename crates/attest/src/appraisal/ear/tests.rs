use super::*;
use crate::appraisal::check::Recorder;
use crate::appraisal::{Code, Gap};

#[test]
fn a_claim_is_as_bad_as_the_worst_of_its_checks() {
    let mut recorder = Recorder::new(&[]);
    recorder.pass(Check::ReportSignature, "");
    recorder.gap(Check::Revocation, Gap::RevocationNotChecked);
    recorder.pass(Check::Measurement, "");
    recorder.fail(Check::GuestDebug, Code::GuestDebugAllowed, "");
    recorder.pass(Check::Vmpl, "");
    let (_, rows) = recorder.finish();
    let expected = json!({ "hardware": 32, "executables": 2, "runtime-opaque": 96 });
    assert_eq!(TrustVector::of(&rows).to_json(), expected);
}

#[test]
fn of_nothing_nothing_is_claimed() {
    assert_eq!(TrustVector::of(&[]).to_json(), json!({}));
}

#[test]
fn a_result_names_its_profile_its_time_and_its_verifier() {
    let result = ear(
        UnixSeconds::new(7),
        "sev-snp",
        json!({ "ear.status": "affirming" }),
    );
    assert_eq!(result["iat"], json!(7));
    assert_eq!(result["eat_profile"], json!(PROFILE));
    assert_eq!(
        result["submods"]["sev-snp"]["ear.status"],
        json!("affirming")
    );
    assert!(result["ear.verifier-id"]["build"].is_string());
}
