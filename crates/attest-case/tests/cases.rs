//! Damaged cases are no evidence for anything.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use subrosa_attest::Code;
use subrosa_attest_case::{Case, CaseError, Description, judge};

fn description(json: &Value) -> Description {
    Description::parse(json.to_string().as_bytes()).unwrap()
}

fn described() -> Value {
    json!({
        "kind": "snp-synthetic",
        "verify_at": "2025-06-01T00:00:00Z",
        "files": {"report.bin": {"bytes": 2, "sha256": "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603"}},
        "params": {},
    })
}

fn files() -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([("report.bin".to_owned(), b"ab".to_vec())])
}

#[test]
fn a_short_report_is_refused_as_malformed() {
    let case = Case::new(description(&described()), files()).unwrap();
    let judgement = judge(&case).unwrap();
    assert_eq!(judgement.code(), Some(Code::ReportMalformed));
    let expected = json!({"verdict": "reject", "code": "report-malformed", "claims": {}});
    assert_eq!(judgement.to_json(), expected);
}

#[test]
fn a_platform_that_nobody_verifies_is_refused_and_named() {
    let mut json = described();
    json["kind"] = "abacus-report".into();
    let case = Case::new(description(&json), files()).unwrap();
    let judgement = judge(&case).unwrap();
    assert_eq!(judgement.code(), Some(Code::UnsupportedPlatform));
}

#[test]
fn a_file_that_is_not_the_described_one_is_an_error() {
    let name = "report.bin".to_owned();
    for bytes in [b"ac".to_vec(), b"abc".to_vec()] {
        let files = BTreeMap::from([(name.clone(), bytes)]);
        let error = Case::new(description(&described()), files).unwrap_err();
        assert_eq!(error, CaseError::Damaged { name: name.clone() });
    }
    let error = Case::new(description(&described()), BTreeMap::new()).unwrap_err();
    assert_eq!(error, CaseError::Missing { name });
}

#[test]
fn a_time_that_is_no_date_is_an_error() {
    let mut json = described();
    json["verify_at"] = "yesterday".into();
    let error = Case::new(description(&json), files()).unwrap_err();
    assert!(matches!(error, CaseError::Time { .. }), "{error}");
}

#[test]
fn a_description_that_cannot_be_read_is_an_error() {
    let long = vec![b' '; Description::MAX_LEN + 1];
    for text in [b"".as_slice(), b"{}", b"[1]", &long] {
        let error = Description::parse(text).unwrap_err();
        assert!(matches!(error, CaseError::Description { .. }), "{error}");
    }
    let many: serde_json::Map<_, _> = (0..=Description::MAX_FILES)
        .map(|number| (number.to_string(), json!({})))
        .collect();
    let mut json = described();
    json["files"] = many.into();
    assert!(Description::parse(json.to_string().as_bytes()).is_err());
}

#[test]
fn a_parameter_of_the_wrong_form_is_an_error_and_not_ignored() {
    for (name, value) in [
        ("expected_report_data", json!("00")),
        ("expected_report_data", json!(7)),
        ("required_vmpl", json!("0")),
        ("minimum_tcb", json!({"snp": 256})),
    ] {
        let mut json = described();
        json["params"] = json!({ name: value });
        json["files"] = json!({"report.bin": {}, "vcek.der": {}, "ask.der": {}, "ark.der": {}});
        let report = [&[2, 0, 0, 0][..], &[0; 0x30], &[1, 0, 0, 0], &[0; 0x468]].concat();
        let mut files = BTreeMap::from([("report.bin".to_owned(), report)]);
        for file in ["vcek.der", "ask.der", "ark.der"] {
            files.insert(file.to_owned(), Vec::new());
        }
        let case = Case::new(description(&json), files).unwrap();
        let error = judge(&case).unwrap_err();
        let name = name.to_owned();
        assert_eq!(error, CaseError::Parameter { name });
    }
}

/// A case of an NVIDIA kind with these files, all empty.
fn nvidia_case(kind: &str, names: &[&str], params: &Value) -> Case {
    let files: BTreeMap<_, _> = names
        .iter()
        .map(|name| ((*name).to_owned(), Vec::new()))
        .collect();
    let described: serde_json::Map<_, _> = names
        .iter()
        .map(|name| ((*name).to_owned(), json!({})))
        .collect();
    let json = json!({"kind": kind, "files": described, "params": params});
    Case::new(description(&json), files).unwrap()
}

#[test]
fn an_nvidia_case_without_its_files_is_refused() {
    for (kind, names) in [
        ("nvidia-gpu-report", &["report.bin"][..]),
        ("nvidia-switch-report", &["cert_chain.pem"]),
        ("nvidia-cert-chain", &["report.bin"]),
        ("nvidia-rim", &["cert_chain.pem"]),
    ] {
        let judgement = judge(&nvidia_case(kind, names, &json!({}))).unwrap();
        assert_eq!(judgement.code(), Some(Code::EvidenceMissing), "{kind}");
    }
}

#[test]
fn an_nvidia_nonce_of_the_wrong_form_is_an_error_and_not_ignored() {
    for nonce in [json!("00"), json!(7), json!("zz".repeat(32))] {
        let names = ["report.bin", "cert_chain.pem"];
        let params = json!({ "expected_nonce": nonce });
        let case = nvidia_case("nvidia-gpu-report", &names, &params);
        let name = "expected_nonce".to_owned();
        assert_eq!(judge(&case).unwrap_err(), CaseError::Parameter { name });
    }
}

/// Answers of NVIDIA's attestation service are no evidence for a device that checks for itself.
#[test]
fn a_token_of_nvidias_service_is_never_accepted() {
    let case = nvidia_case("nvidia-nras-eat", &["detached_eat.json"], &json!({}));
    let judgement = judge(&case).unwrap();
    assert_eq!(judgement.code(), Some(Code::UnsupportedPlatform));
}

/// Tokens and documents are judged with the parameters of the case, or not at all.
#[test]
fn a_parameter_of_a_token_or_document_that_cannot_be_used_is_an_error() {
    for (kind, file, name, value) in [
        ("nitro-doc", "document.cbor", "expected_nonce", json!("0g")),
        ("nitro-doc", "document.cbor", "expected_user_data", json!(7)),
        (
            "nitro-doc",
            "document.cbor",
            "expected_public_key",
            json!([]),
        ),
        (
            "nitro-doc",
            "document.cbor",
            "expected_pcrs",
            json!({"0": 1}),
        ),
        (
            "nitro-doc",
            "document.cbor",
            "expected_pcrs",
            json!({"256": "00"}),
        ),
        ("cca-token", "token.cbor", "expected_nonce", json!("00")),
        ("cca-token", "token.cbor", "expected_challenge", json!("5a")),
        ("cca-token", "token.cbor", "expected_rim", json!(true)),
        ("psa-token", "token.cbor", "expected_nonce", json!("x")),
    ] {
        let mut json = described();
        json["kind"] = kind.into();
        json["files"] = json!({ file: {} });
        let files = || BTreeMap::from([(file.to_owned(), b"ab".to_vec())]);
        let case = Case::new(description(&json), files()).unwrap();
        let judgement = judge(&case).unwrap();
        assert_eq!(judgement.code(), Some(Code::ReportMalformed), "{kind}");
        json["params"] = json!({ name: value });
        let case = Case::new(description(&json), files()).unwrap();
        let error = judge(&case).unwrap_err();
        let name = name.to_owned();
        assert_eq!(error, CaseError::Parameter { name });
        json["files"] = json!({});
        let case = Case::new(description(&json), BTreeMap::new()).unwrap();
        let judgement = judge(&case).unwrap();
        assert_eq!(judgement.code(), Some(Code::EvidenceMissing), "{kind}");
    }
}
