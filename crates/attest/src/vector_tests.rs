//! `spec/vectors/evidence-bundle.json`: written by an ignored test, read by the
//! others, and by other implementations.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::too_many_lines,
    reason = "tests: tables are long"
)]

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::binding;
use crate::bundle::{Bundle, SnpEvidence};
use crate::development::{self, DevelopmentRoot, Root};
use crate::fixtures::{KEY_CONFIGURATION, Keys, MEASUREMENT, NOW, TestRng, policy};
use crate::identifiers::Sha256Digest;
use crate::nvidia;
use crate::policy::Policy;
use crate::snp::layout;
use crate::time::UnixSeconds;

#[test]
#[ignore = "writes the file that the other tests read"]
fn write_the_vectors() {
    let text = serde_json::to_string_pretty(&generate()).unwrap();
    fs::write(path(), text + "\n").unwrap();
}

#[test]
fn the_file_is_what_the_generator_writes() {
    assert_eq!(read(), generate());
}

#[test]
fn the_binding_follows_from_its_inputs() {
    for vector in read()["binding"].as_array().unwrap() {
        let part = |name: &str| vector[name].as_str().map(|hex| hex::decode(hex).unwrap());
        let data = binding::report_data(
            &part("key_configuration").unwrap(),
            part("checkpoint").as_deref(),
            part("gpu_evidence").as_deref(),
        );
        assert_eq!(vector["report_data"], hex::encode(data));
    }
}

#[test]
fn the_nonce_of_devices_follows_from_its_inputs() {
    for vector in read()["gpu_nonce"].as_array().unwrap() {
        let digest = |name: &str| {
            let hex = vector[name].as_str()?;
            Some(Sha256Digest::of(&hex::decode(hex).unwrap()))
        };
        let checkpoint = digest("checkpoint").unwrap_or_else(nvidia::absent_checkpoint);
        let nonce = nvidia::expected_nonce(&digest("key_configuration").unwrap(), &checkpoint);
        assert_eq!(vector["nonce"], hex::encode(nonce));
    }
}

#[test]
fn the_good_bundle_gets_its_verdict() {
    let vectors = read();
    let good = &vectors["good"];
    let bundle = Bundle::parse(&bytes(good)).unwrap();
    assert_eq!(good["bundle_hash"], bundle.hash().to_string());
    let attested = judge(good, &bundle).unwrap();
    assert_eq!(good["verdict"], attested.verdict().to_string());
    let kc = hex::encode(attested.key_configuration());
    assert_eq!(good["key_configuration"], kc);
}

#[test]
fn each_bad_bundle_is_refused_with_its_code() {
    let vectors = read();
    let bad = vectors["bad"].as_array().unwrap();
    assert!(bad.len() > 10);
    for vector in bad {
        let code = match Bundle::parse(&bytes(vector)) {
            Err(error) => error.code(),
            Ok(bundle) => judge(&vectors["good"], &bundle).unwrap_err().code(),
        };
        assert_eq!(vector["code"], code.as_str(), "{}", vector["name"]);
    }
}

fn judge(setting: &Value, bundle: &Bundle) -> Result<crate::DevelopmentAttested, crate::Refused> {
    let policy = Policy::parse(setting["policy"].as_str().unwrap()).unwrap();
    let root = setting["development_root"].as_str().unwrap();
    let root = DevelopmentRoot::from_public_file(root).unwrap();
    let now = UnixSeconds::new(setting["now"].as_u64().unwrap());
    development::appraise(bundle, &policy, &root, now)
}

fn generate() -> Value {
    let keys = Keys::new();
    let root = Root::issue(&keys.ark, &keys.ask, &mut TestRng::new(42), NOW).unwrap();
    let bundle = good_bundle(&root);
    json!({
        "binding": binding_vectors(),
        "gpu_nonce": nonce_vectors(),
        "good": {
            "bundle": hex::encode(bundle.as_bytes()),
            "bundle_hash": bundle.hash().to_string(),
            "development_root": root.public().to_public_file(),
            "key_configuration": hex::encode(KEY_CONFIGURATION),
            "now": NOW.get(),
            "policy": policy(""),
            "verdict": "NOT PROTECTED (development)",
        },
        "bad": bad_vectors(&root, &bundle),
    })
}

fn binding_vectors() -> Vec<Value> {
    let parts: [Option<&[u8]>; 3] = [None, Some(b""), Some(b"part")];
    let mut vectors = Vec::new();
    for checkpoint in parts {
        for gpu in parts {
            let data = binding::report_data(KEY_CONFIGURATION, checkpoint, gpu);
            vectors.push(json!({
                "key_configuration": hex::encode(KEY_CONFIGURATION),
                "checkpoint": checkpoint.map(hex::encode),
                "gpu_evidence": gpu.map(hex::encode),
                "report_data": hex::encode(data),
            }));
        }
    }
    vectors
}

fn nonce_vectors() -> Vec<Value> {
    let parts: [Option<&[u8]>; 3] = [None, Some(b""), Some(b"part")];
    let vector = |checkpoint: Option<&[u8]>| {
        let digest = checkpoint.map_or_else(nvidia::absent_checkpoint, Sha256Digest::of);
        let nonce = nvidia::expected_nonce(&Sha256Digest::of(KEY_CONFIGURATION), &digest);
        json!({
            "key_configuration": hex::encode(KEY_CONFIGURATION),
            "checkpoint": checkpoint.map(hex::encode),
            "nonce": hex::encode(nonce),
        })
    };
    parts.into_iter().map(vector).collect()
}

fn good_bundle(root: &Root) -> Bundle {
    let data = binding::report_data(KEY_CONFIGURATION, None, None);
    let report = root.platform().report(&data, &MEASUREMENT);
    Bundle::builder(KEY_CONFIGURATION)
        .snp(root.platform().evidence(&report))
        .build()
        .unwrap()
}

fn bad_vectors(root: &Root, good: &Bundle) -> Vec<Value> {
    let bytes = good.as_bytes();
    let evidence = good.snp().unwrap();
    let report = evidence.report.to_vec();
    let flipped = |at: usize| {
        let mut report = report.clone();
        report[at] ^= 1;
        rebuilt(
            KEY_CONFIGURATION,
            SnpEvidence {
                report: &report,
                ..evidence
            },
        )
    };
    let swapped = SnpEvidence {
        intermediate: evidence.root,
        ..evidence
    };
    let unsigned_list = [1, 2, 3];
    let bad_list = SnpEvidence {
        revocation_list: Some(&unsigned_list),
        ..evidence
    };
    let other_guest = root.platform().report(
        &binding::report_data(KEY_CONFIGURATION, None, None),
        &other_measurement(),
    );
    let other_guest = SnpEvidence {
        report: &other_guest,
        ..evidence
    };
    let with_checkpoint = Bundle::builder(KEY_CONFIGURATION).snp(evidence);
    let with_checkpoint = with_checkpoint.checkpoint(*b"cp").build().unwrap();
    let at_label = position(bytes, b"snp-crl");
    let relabelled = |label: &[u8; 7]| {
        let mut bytes = bytes.to_vec();
        bytes[at_label..at_label + 7].copy_from_slice(label);
        bytes
    };
    [
        ("empty", Vec::new(), "bundle-malformed"),
        (
            "cut short",
            bytes[..bytes.len() - 1].to_vec(),
            "bundle-malformed",
        ),
        ("a byte long", [bytes, &[0]].concat(), "bundle-malformed"),
        (
            "long map length",
            [&[0xB8, bytes[0] & 0x1F], &bytes[1..]].concat(),
            "bundle-malformed",
        ),
        (
            "indefinite map",
            [&[0xBF], &bytes[1..], &[0xFF]].concat(),
            "bundle-malformed",
        ),
        ("unknown label", relabelled(b"snp-xxx"), "bundle-malformed"),
        ("repeated label", relabelled(b"snp-ark"), "bundle-malformed"),
        (
            "label of another platform",
            relabelled(b"tdx-crl"),
            "unsupported-platform",
        ),
        (
            "version flipped",
            flipped(layout::VERSION),
            "report-malformed",
        ),
        ("reserved byte set", flipped(0x18B), "report-malformed"),
        (
            "policy flipped",
            flipped(layout::POLICY + 2),
            "report-signature",
        ),
        (
            "measurement flipped",
            flipped(layout::MEASUREMENT),
            "report-signature",
        ),
        (
            "signature flipped",
            flipped(layout::SIGNATURE),
            "report-signature",
        ),
        (
            "R extended",
            flipped(layout::SIGNATURE + 48),
            "report-malformed",
        ),
        (
            "root as intermediate",
            rebuilt(KEY_CONFIGURATION, swapped),
            "intermediate-not-pinned",
        ),
        (
            "garbage for a revocation list",
            rebuilt(KEY_CONFIGURATION, bad_list),
            "revocation-list-invalid",
        ),
        (
            "other key configuration",
            rebuilt(b"another", evidence),
            "report-data-mismatch",
        ),
        (
            "checkpoint added",
            with_checkpoint.as_bytes().to_vec(),
            "report-data-mismatch",
        ),
        (
            "other program",
            rebuilt(KEY_CONFIGURATION, other_guest),
            "measurement-not-allowed",
        ),
    ]
    .into_iter()
    .map(|(name, bytes, code)| json!({ "name": name, "bundle": hex::encode(bytes), "code": code }))
    .collect()
}

fn rebuilt(key_configuration: &[u8], evidence: SnpEvidence<'_>) -> Vec<u8> {
    let bundle = Bundle::builder(key_configuration).snp(evidence).build();
    bundle.unwrap().as_bytes().to_vec()
}

fn other_measurement() -> crate::Measurement {
    crate::Measurement::new([0xA5; 48])
}

fn position(bytes: &[u8], needle: &[u8]) -> usize {
    let mut windows = bytes.windows(needle.len());
    windows.position(|window| window == needle).unwrap()
}

fn bytes(vector: &Value) -> Vec<u8> {
    hex::decode(vector["bundle"].as_str().unwrap()).unwrap()
}

fn read() -> Value {
    serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap()
}

fn path() -> PathBuf {
    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/vectors");
    PathBuf::from(spec).join("evidence-bundle.json")
}
