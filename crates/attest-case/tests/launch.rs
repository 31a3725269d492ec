//! Known answers for launch measurements: a wrong one is refused, and so is one that
//! cannot be computed. The images are those of `spec/vectors/measurements.json`.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use subrosa_attest::Code;
use subrosa_attest_case::{Case, CaseError, Description, judge};
use subrosa_measure::snp::Firmware;

type Files = BTreeMap<String, Vec<u8>>;

fn vectors() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../spec/vectors/measurements.json"
    );
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn bytes(vectors: &Value, name: &str) -> Vec<u8> {
    hex::decode(vectors[name].as_str().unwrap()).unwrap()
}

fn description(kind: &str, files: &Files) -> Description {
    let described: serde_json::Map<_, _> =
        files.keys().map(|name| (name.clone(), json!({}))).collect();
    let json = json!({"kind": kind, "files": described}).to_string();
    Description::parse(json.as_bytes()).unwrap()
}

fn case(kind: &str, files: Files) -> Case {
    Case::new(description(kind, &files), files).unwrap()
}

/// The vector of SEV-SNP with this number, as an entry.
fn entry(number: usize) -> Value {
    let vectors = vectors();
    let vector = &vectors["snp"][number];
    let started = vector["kernel"].as_bool().unwrap();
    let name = |name: &str| started.then(|| name.to_owned());
    json!({
        "mode": "SEV_SNP",
        "vcpus": vector["processors"],
        "vcpu_type": vector["model"],
        "ovmf": "ovmf.fd",
        "kernel": name("kernel.bin"),
        "initrd": name("initrd.bin"),
        "append": name("console=ttyS0"),
        "guest_features": vector["features"],
        "vmm_type": vector["vmm"],
        "result": vector["digest"],
    })
}

fn files(entries: &[Value]) -> Files {
    let vectors = vectors();
    Files::from([
        (
            "kat.json".to_owned(),
            json!(entries).to_string().into_bytes(),
        ),
        ("ovmf.fd".to_owned(), bytes(&vectors, "firmware")),
        ("kernel.bin".to_owned(), bytes(&vectors, "kernel")),
        ("initrd.bin".to_owned(), bytes(&vectors, "initrd")),
    ])
}

fn code(entry: &Value) -> Option<Code> {
    let case = case("snp-launch-digest", files(std::slice::from_ref(entry)));
    judge(&case).unwrap().code()
}

#[test]
fn every_vector_is_accepted_and_counted() {
    let count = vectors()["snp"].as_array().unwrap().len();
    let entries: Vec<_> = (0..count).map(entry).collect();
    let judgement = judge(&case("snp-launch-digest", files(&entries))).unwrap();
    assert_eq!(judgement.code(), None);
    assert_eq!(judgement.claims(), &json!({ "count": count }));
}

#[test]
fn one_wrong_answer_among_right_ones_is_refused() {
    let mut wrong = entry(1);
    wrong["result"] = entry(0)["result"].clone();
    let entries = [entry(0), wrong, entry(2)];
    let judgement = judge(&case("snp-launch-digest", files(&entries))).unwrap();
    assert_eq!(judgement.code(), Some(Code::LaunchDigestMismatch));
}

#[test]
fn each_field_of_an_entry_is_in_its_answer() {
    for (field, value) in [
        ("vcpus", json!(2)),
        ("vcpu_type", json!("EPYC-Genoa")),
        ("append", json!("other")),
        ("kernel", json!("initrd.bin")),
        ("initrd", json!("<empty file>")),
        ("guest_features", json!(3)),
        ("vmm_type", json!("GCE")),
        ("snp_ovmf_hash", json!("00".repeat(48))),
        ("mode", json!("SEV_ES")),
        ("mode", json!("SEV")),
        ("result", json!("00".repeat(48))),
        ("result", json!(null)),
    ] {
        let mut entry = entry(1);
        assert_eq!(code(&entry), None);
        entry[field] = value;
        assert_eq!(code(&entry), Some(Code::LaunchDigestMismatch), "{field}");
    }
}

#[test]
fn an_answer_of_none_is_right_only_where_a_kernel_would_be_unmeasured() {
    let mut entry = entry(1);
    entry["result"] = json!(null);
    let mut files = files(&[entry]);
    let image = files.get_mut("ovmf.fd").unwrap();
    // The address of the table for the kernel's digests.
    let address = 0x0081_0c00_u32.to_le_bytes();
    let at = image.windows(4).rposition(|bytes| bytes == address);
    image[at.unwrap()..][..4].fill(0);
    let judgement = judge(&case("snp-launch-digest", files)).unwrap();
    assert_eq!(judgement.code(), None);
}

#[test]
fn a_malformed_firmware_is_refused() {
    let mut files = files(&[entry(0)]);
    files.get_mut("ovmf.fd").unwrap().pop();
    let judgement = judge(&case("snp-launch-digest", files)).unwrap();
    assert_eq!(judgement.code(), Some(Code::FirmwareMalformed));
}

#[test]
fn a_case_without_answers_is_refused() {
    let mut files = files(&[]);
    let judgement = judge(&case("snp-launch-digest", files.clone())).unwrap();
    assert_eq!(judgement.code(), Some(Code::EvidenceMissing));
    files.remove("kat.json");
    let judgement = judge(&case("snp-launch-digest", files)).unwrap();
    assert_eq!(judgement.code(), Some(Code::EvidenceMissing));
}

#[test]
fn an_entry_that_cannot_be_computed_is_an_error_and_no_pass() {
    for (field, value) in [
        ("mode", json!("SEV_NEXT")),
        ("vcpus", json!(0)),
        ("vcpu_type", json!("EPYC-Venice")),
        ("vcpu_type", json!(null)),
        ("vcpu_sig", json!("a00f11")),
        ("vcpu_sig", json!("0x1")),
        ("vmm_type", json!("KRUN")),
        ("snp_ovmf_hash", json!("00")),
        ("vcpus", json!(null)),
    ] {
        let mut entry = entry(0);
        entry[field] = value;
        let error = judge(&case("snp-launch-digest", files(&[entry]))).unwrap_err();
        assert!(matches!(error, CaseError::Description { .. }), "{field}");
    }
}

#[test]
fn a_file_of_another_case_is_used_only_if_the_entry_gives_its_digest() {
    let mut described = files(&[entry(0)]);
    let image = described.remove("ovmf.fd").unwrap();
    let digest = Firmware::parse(&image).unwrap().pages_digest().to_string();
    let lender = Files::from([("ovmf.fd".to_owned(), image.clone())]);
    let lender = description("snp-launch-digest", &lender);
    let judged = |pages: Option<&str>, lent: bool| {
        let mut entry = entry(0);
        entry["snp_ovmf_hash"] = pages.into();
        let mut files = described.clone();
        files.insert(
            "kat.json".to_owned(),
            json!([entry]).to_string().into_bytes(),
        );
        let mut case = case("snp-launch-digest", files);
        assert_eq!(case.wanted(), ["ovmf.fd"]);
        if lent {
            case.lend("ovmf.fd", &lender, image.clone()).unwrap();
            assert!(case.wanted().is_empty());
        }
        judge(&case).map(|judgement| judgement.code())
    };
    assert_eq!(judged(Some(&digest), true), Ok(None));
    let refused = Ok(Some(Code::LaunchDigestMismatch));
    assert_eq!(judged(None, true), refused);
    assert_eq!(judged(Some(&"11".repeat(48)), true), refused);
    let name = "ovmf.fd".to_owned();
    assert_eq!(
        judged(Some(&digest), false),
        Err(CaseError::Missing { name })
    );
}

#[test]
fn only_a_described_and_wanted_file_is_lent() {
    let mut files = files(&[entry(0)]);
    let image = files.remove("ovmf.fd").unwrap();
    let mut case = case("snp-launch-digest", files.clone());
    let lender = json!({"kind": "x", "files": {"ovmf.fd": {"bytes": image.len()}, "other": {}}});
    let lender = Description::parse(lender.to_string().as_bytes()).unwrap();
    let name = "ovmf.fd".to_owned();
    let damaged = case.lend("ovmf.fd", &lender, image[1..].to_vec());
    assert_eq!(damaged, Err(CaseError::Damaged { name }));
    for name in ["other", "nowhere"] {
        let error = case.lend(name, &lender, Vec::new()).unwrap_err();
        let name = name.to_owned();
        assert_eq!(error, CaseError::Missing { name });
    }
    assert_eq!(case.lend("ovmf.fd", &lender, image), Ok(()));
}

#[test]
fn an_identity_block_that_is_none_is_refused() {
    let judged = |files: Files| judge(&case("snp-id-block", files)).unwrap().code();
    assert_eq!(judged(Files::new()), Some(Code::EvidenceMissing));
    let page = Files::from([("auth_block.bin".to_owned(), vec![0; 4096])]);
    assert_eq!(judged(page), Some(Code::IdBlockMalformed));
}

#[test]
fn a_quote_or_firmware_that_is_none_is_refused() {
    let judged = |files: Files| judge(&case("tdx-measurement", files)).unwrap().code();
    assert_eq!(judged(Files::new()), Some(Code::EvidenceMissing));
    let files = Files::from([
        ("quote.bin".to_owned(), vec![0; 700]),
        ("firmware.json".to_owned(), b"{}".to_vec()),
    ]);
    assert_eq!(judged(files), Some(Code::ReportMalformed));
}
