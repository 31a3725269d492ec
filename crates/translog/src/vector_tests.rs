//! `spec/vectors/transparency.json`: written by an ignored test, read by the others, and by other
//! implementations.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::entry::Authors;
use crate::entry::directory::{Directory, LoggedDirectory};
use crate::entry::release::LoggedRelease;
use crate::fixtures::{Log, NOW, authors, log_of, manifest, sign};
use crate::merkle::{consistency_proof, inclusion_proof, verify_consistency, verify_inclusion};
use crate::{Hash, LogPolicy, LogProof, Note, Timestamp, VerifierKey};

const ENTRIES: [&[u8]; 7] = [b"", b"a", b"b", b"c", b"d", b"e", b"f"];

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
fn every_inclusion_is_proven_or_not_as_it_says() {
    let vectors = read();
    for vector in vectors["inclusion"].as_array().unwrap() {
        let root = hash(&vector["root"]);
        let (size, index) = (vector["size"].as_u64().unwrap(), &vector["index"]);
        let leaf = Hash::of_leaf(&hex::decode(vector["entry"].as_str().unwrap()).unwrap());
        let proof = hashes(&vector["proof"]);
        let verdict = verify_inclusion(&proof, size, &root, index.as_u64().unwrap(), &leaf);
        assert_eq!(json!(verdict.is_ok()), vector["accepted"]);
    }
}

#[test]
fn every_consistency_is_proven_or_not_as_it_says() {
    let vectors = read();
    for vector in vectors["consistency"].as_array().unwrap() {
        let number = |name: &str| vector[name].as_u64().unwrap();
        let (old, new) = (hash(&vector["old_root"]), hash(&vector["new_root"]));
        let proof = hashes(&vector["proof"]);
        let verdict =
            verify_consistency(&proof, number("old_size"), &old, number("new_size"), &new);
        assert_eq!(json!(verdict.is_ok()), vector["accepted"]);
    }
}

#[test]
fn every_checkpoint_is_witnessed_or_not_as_it_says() {
    let vectors = read();
    let policy = log_policy(&vectors["policy"]);
    for vector in vectors["checkpoints"].as_array().unwrap() {
        let verdict = Note::parse(vector["note"].as_str().unwrap().as_bytes())
            .ok()
            .and_then(|note| policy.verify(&note, now(&vectors)).ok());
        let time = verdict.map(|witnessed| witnessed.time().get());
        assert_eq!(json!(time), vector["time"], "{}", vector["name"]);
    }
}

#[test]
fn every_entry_is_accepted_or_not_as_it_says() {
    let vectors = read();
    let policy = log_policy(&vectors["policy"]);
    let authors = authors_of(&vectors["authors"]);
    let now = now(&vectors);
    for vector in vectors["entries"].as_array().unwrap() {
        let proof = LogProof::parse(vector["proof"].as_str().unwrap().as_bytes()).unwrap();
        let accepted = match vector["kind"].as_str().unwrap() {
            "release" => LoggedRelease::verify(&proof, &authors, &policy, now)
                .is_ok_and(|release| json!(hex::encode(release.id())) == vector["release_id"]),
            "directory" => {
                let document = hex::decode(vector["document"].as_str().unwrap()).unwrap();
                LoggedDirectory::verify(&document, &proof, &authors, &policy, now).is_ok()
            }
            other => unreachable!("{other}"),
        };
        assert_eq!(json!(accepted), vector["accepted"], "{}", vector["name"]);
    }
}

fn generate() -> Value {
    let log = Log::of(&ENTRIES);
    let policy = log.policy(3, 2);
    let witnesses: Vec<_> = policy.witnesses().iter().map(ToString::to_string).collect();
    let authors: Vec<_> = authors(3, 2)
        .keys()
        .iter()
        .map(ToString::to_string)
        .collect();
    json!({
        "now": NOW.get(),
        "policy": {
            "log": policy.log().to_string(),
            "witnesses": witnesses,
            "quorum": 2,
            "max_age_seconds": 3600,
        },
        "authors": { "keys": authors, "threshold": 2 },
        "inclusion": inclusion(&log),
        "consistency": consistency(&log),
        "checkpoints": checkpoints(&log),
        "entries": entries(),
    })
}

fn inclusion(log: &Log) -> Vec<Value> {
    let mut vectors = Vec::new();
    for size in 1..=7_u64 {
        let root = Log::of(&ENTRIES[..usize::try_from(size).unwrap()]).root();
        for index in 0..size {
            let proof = inclusion_proof(log, index, size).unwrap();
            let vector = |proof: &[Hash], accepted| {
                json!({
                    "size": size,
                    "root": root.to_base64(),
                    "index": index,
                    "entry": hex::encode(ENTRIES[usize::try_from(index).unwrap()]),
                    "proof": proof.iter().map(Hash::to_base64).collect::<Vec<_>>(),
                    "accepted": accepted,
                })
            };
            vectors.push(vector(&proof, true));
            vectors.push(vector(&[&proof[..], &[root]].concat(), false));
            if let Some((_, shorter)) = proof.split_last() {
                vectors.push(vector(shorter, false));
            }
        }
    }
    vectors
}

fn consistency(log: &Log) -> Vec<Value> {
    let root = |size: u64| Log::of(&ENTRIES[..usize::try_from(size).unwrap()]).root();
    let mut vectors = Vec::new();
    for new in 1..=7_u64 {
        for old in 0..=new {
            let proof = consistency_proof(log, old, new).unwrap();
            let vector = |proof: &[Hash], accepted| {
                json!({
                    "old_size": old,
                    "old_root": root(old).to_base64(),
                    "new_size": new,
                    "new_root": root(new).to_base64(),
                    "proof": proof.iter().map(Hash::to_base64).collect::<Vec<_>>(),
                    "accepted": accepted,
                })
            };
            vectors.push(vector(&proof, true));
            vectors.push(vector(&[&proof[..], &[root(new)]].concat(), false));
        }
    }
    vectors
}

fn checkpoints(log: &Log) -> Vec<Value> {
    let vector = |name: &str, note: String, age: Option<u64>| {
        let time = age.map(|age| NOW.get() - age);
        json!({ "name": name, "note": note, "time": time })
    };
    let text = |ages: &[u64]| log.checkpoint_at(ages).to_string();
    let extended = text(&[5, 5]).replacen("\n\n", "\nextension\n\n", 1);
    vec![
        vector("two of three", text(&[10, 20]), Some(20)),
        vector(
            "three of three: the second latest counts",
            text(&[10, 20, 30]),
            Some(20),
        ),
        vector("one of three", text(&[10]), None),
        vector("as old as it may be", text(&[3600, 3600]), Some(3600)),
        vector("too old", text(&[3601, 10]), None),
        vector("with an extension line", extended, None),
        vector(
            "another size",
            text(&[5, 5]).replacen("\n7\n", "\n8\n", 1),
            None,
        ),
        vector(
            "another log",
            Log::named("example.com/x", &ENTRIES)
                .checkpoint_at(&[5, 5])
                .to_string(),
            None,
        ),
    ]
}

fn entries() -> Vec<Value> {
    let release = |name: &str, text: &str, signers: &[u8], accepted| {
        json!({
            "name": name,
            "kind": "release",
            "proof": log_of(&sign(text, signers)).proof(1).to_string(),
            "release_id": hex::encode(crate::entry::release::release_id(text)),
            "accepted": accepted,
        })
    };
    let text = manifest(5, 4).entry_text().unwrap();
    let minimum = text.replacen("\"minimum-sequence\": 4", "\"minimum-sequence\": 6", 1);
    let unknown = text.replacen("\"sequence\": 5", "\"sequence\": 5, \"unknown\": 1", 1);
    let end = Timestamp::new(NOW.get() + 1200);
    let nodes = Directory::new(9, NOW, end, vec![[1; 32], [2; 32]]).unwrap();
    let proof = log_of(&sign(&nodes.entry_text().unwrap(), &[0, 1])).proof(1);
    let directory = |name: &str, document: &[u8], accepted| {
        json!({
            "name": name,
            "kind": "directory",
            "proof": proof.to_string(),
            "document": hex::encode(document),
            "accepted": accepted,
        })
    };
    vec![
        release("two of three authors", &text, &[0, 2], true),
        release("one of three authors", &text, &[0], false),
        release("a minimum above the sequence", &minimum, &[0, 2], false),
        release("an unknown member", &unknown, &[0, 2], false),
        directory("the nodes that are logged", &nodes.document(), true),
        directory("one node fewer", &nodes.document()[..32], false),
    ]
}

fn log_policy(value: &Value) -> LogPolicy {
    let quorum = usize::try_from(value["quorum"].as_u64().unwrap()).unwrap();
    let age = value["max_age_seconds"].as_u64().unwrap();
    let log = value["log"].as_str().unwrap().parse().unwrap();
    LogPolicy::new(log, keys(&value["witnesses"]), quorum, age).unwrap()
}

fn authors_of(value: &Value) -> Authors {
    let threshold = usize::try_from(value["threshold"].as_u64().unwrap()).unwrap();
    Authors::new(keys(&value["keys"]), threshold).unwrap()
}

fn keys(value: &Value) -> Vec<VerifierKey> {
    let keys = value.as_array().unwrap().iter();
    keys.map(|key| key.as_str().unwrap().parse().unwrap())
        .collect()
}

fn hash(value: &Value) -> Hash {
    Hash::from_base64(value.as_str().unwrap()).unwrap()
}

fn hashes(value: &Value) -> Vec<Hash> {
    value.as_array().unwrap().iter().map(hash).collect()
}

fn now(vectors: &Value) -> Timestamp {
    Timestamp::new(vectors["now"].as_u64().unwrap())
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors/transparency.json")
}

fn read() -> Value {
    serde_json::from_slice(&fs::read(path()).unwrap()).unwrap()
}
