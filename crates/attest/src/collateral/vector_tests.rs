//! `spec/vectors/collateral.json`: written by an ignored test, read by the others,
//! and by tests elsewhere.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::fixtures::{LATER, Sample};
use super::{Collateral, Label, wire};

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
fn each_good_file_holds_what_it_should() {
    let vectors = read();
    for vector in vectors["good"].as_array().unwrap() {
        let collateral = Collateral::parse(&bytes(&vector["collateral"])).unwrap();
        assert_eq!(vector["kind"], collateral.kind().as_str());
        assert_eq!(vector["gathered_at"], collateral.gathered_at().get());
        assert_eq!(vector["expires_at"], collateral.expires_at().get());
        assert!(collateral.is_for(&bytes(&vector["evidence"])));
        let entries = collateral.entries().iter();
        let labels: Vec<_> = entries.map(|entry| entry.label().to_string()).collect();
        assert_eq!(vector["labels"], json!(labels));
    }
}

#[test]
fn each_bad_file_is_refused_by_its_name() {
    let vectors = read();
    let bad = vectors["bad"].as_array().unwrap();
    assert!(bad.len() > 10);
    for vector in bad {
        let error = Collateral::parse(&bytes(&vector["collateral"])).unwrap_err();
        assert_eq!(vector["error"], error.name(), "{}", vector["name"]);
    }
}

fn generate() -> Value {
    let good: Vec<_> = Sample::all().iter().map(good).collect();
    json!({ "good": good, "bad": bad() })
}

fn good(sample: &Sample) -> Value {
    let collateral = sample.build();
    let entries = collateral.entries().iter();
    json!({
        "kind": collateral.kind().as_str(),
        "evidence": hex::encode(&sample.evidence),
        "certificates": sample.certificates,
        "collateral": hex::encode(collateral.as_bytes()),
        "gathered_at": collateral.gathered_at().get(),
        "expires_at": collateral.expires_at().get(),
        "labels": entries.map(|entry| entry.label().to_string()).collect::<Vec<_>>(),
    })
}

fn bad() -> Vec<Value> {
    let file = Sample::snp().build();
    let bytes = file.as_bytes();
    let at = |needle: &[u8]| {
        let mut windows = bytes.windows(needle.len());
        windows.position(|window| window == needle).unwrap()
    };
    let replaced = |old: &[u8], new: &[u8]| {
        assert_eq!(old.len(), new.len());
        let mut changed = bytes.to_vec();
        changed[at(old)..][..old.len()].copy_from_slice(new);
        changed
    };
    let later = {
        let mut content = file.content.clone();
        content.expires_at = LATER.saturating_add(1);
        wire::encode(&content).unwrap()
    };
    let without_list = {
        let mut content = file.content.clone();
        content.entries.retain(|entry| entry.label != Label::SnpCrl);
        wire::encode(&content).unwrap()
    };
    let other_order = {
        let mut content = file.content.clone();
        content.entries.reverse();
        wire::encode(&content).unwrap()
    };
    [
        ("empty", Vec::new(), "format"),
        ("cut short", bytes[..bytes.len() - 1].to_vec(), "format"),
        ("a byte long", [bytes, &[0]].concat(), "format"),
        (
            "long map length",
            [&[0xB8, 6], &bytes[1..]].concat(),
            "not-deterministic",
        ),
        (
            "indefinite map",
            [&[0xBF], &bytes[1..], &[0xFF]].concat(),
            "format",
        ),
        ("entries in another order", other_order, "not-deterministic"),
        ("unknown key", replaced(b"evidence", b"evidense"), "unknown-key"),
        ("another version", replaced(b"collateral/1", b"collateral/2"), "wrong-type"),
        ("unknown kind", replaced(b"sev-snp-report", b"sev-snq-report"), "kind"),
        ("unknown label", replaced(b"snp-crl", b"snp-crm"), "unknown-label"),
        ("label twice", replaced(b"gsnp-ask", b"gsnp-ark"), "duplicate"),
        ("another media type", replaced(b"pkix-crl", b"pkix-cra"), "media-type"),
        ("source of a file", replaced(b"https://vendor", b"file:///vendor"), "source"),
        ("no revocation list", without_list, "missing"),
        ("a later expiry", later, "expiry"),
    ]
    .into_iter()
    .map(|(name, bytes, error)| {
        json!({ "name": name, "collateral": hex::encode(bytes), "error": error })
    })
    .collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn read() -> Value {
    serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap()
}

fn path() -> PathBuf {
    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/vectors");
    PathBuf::from(spec).join("collateral.json")
}
