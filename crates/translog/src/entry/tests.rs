#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "tests"
)]

use serde_json::{Value, json};

use super::directory::{Directory, LoggedDirectory};
use super::release::{LoggedRelease, Manifest, release_id};
use super::roster::{LoggedRoster, MachineRecord, RecordProof, Roster};
use super::*;
use crate::fixtures::{Log, NOW, author, authors, log_of, manifest, sign};
use crate::merkle::{Frontier, inclusion_proof};
use crate::{Hash, Timestamp};

fn release(text: &str, signers: &[u8]) -> Result<LoggedRelease, EntryError> {
    let log = log_of(&sign(text, signers));
    LoggedRelease::verify(&log.proof(1), &authors(3, 2), &log.policy(3, 2), NOW)
}

/// The manifest with one member changed, or taken away where the value is null.
fn changed(member: &str, value: &Value) -> String {
    let mut json = serde_json::to_value(manifest(5, 4)).unwrap();
    let (parent, name) = member.rsplit_once('/').unwrap();
    let object = json.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        object.remove(name).unwrap();
    } else {
        object.insert(name.to_owned(), value.clone());
    }
    format!("{}\n{json}\n", Manifest::KIND)
}

#[test]
fn a_release_that_is_logged_and_signed_is_read() {
    let text = manifest(5, 4).entry_text().unwrap();
    let release = release(&text, &[0, 1]).unwrap();
    assert_eq!(*release.manifest(), manifest(5, 4));
    assert_eq!(*release.id(), release_id(&text));
    assert_eq!(Manifest::parse(&text), Ok(manifest(5, 4)));
}

#[test]
fn a_release_needs_as_many_of_its_own_authors_as_are_demanded() {
    let text = manifest(5, 4).entry_text().unwrap();
    for signers in [&[0][..], &[2], &[0, 7], &[7, 8, 9]] {
        assert!(matches!(
            release(&text, signers),
            Err(EntryError::Threshold { expected: 2, .. })
        ));
    }
    assert!(release(&text, &[2, 1, 0, 9]).is_ok());
}

#[test]
fn a_signature_that_does_not_verify_refuses_beside_enough_that_do() {
    let text = manifest(5, 4).entry_text().unwrap();
    let mut note = sign(&text, &[0, 1]);
    note.add(author(2).sign("other\n", NOW).unwrap()).unwrap();
    let log = log_of(&note);
    let verdict = LoggedRelease::verify(&log.proof(1), &authors(3, 2), &log.policy(3, 2), NOW);
    assert!(matches!(verdict, Err(EntryError::Note(_))));
}

#[test]
fn a_release_that_is_not_logged_by_a_quorum_is_refused() {
    let log = log_of(&sign(&manifest(5, 4).entry_text().unwrap(), &[0, 1]));
    let verdict = LoggedRelease::verify(&log.proof(1), &authors(3, 2), &log.policy(5, 4), NOW);
    assert!(matches!(verdict, Err(EntryError::Log(_))));
}

#[test]
fn a_release_outside_of_its_time_is_refused() {
    for (not_before, not_after, accepted) in [(0, 0, true), (1, 1, false), (-2, -1, false)] {
        let mut manifest = manifest(5, 4);
        manifest.not_before = NOW.get().saturating_add_signed(not_before);
        manifest.not_after = NOW.get().saturating_add_signed(not_after);
        let verdict = release(&manifest.entry_text().unwrap(), &[0, 1]);
        assert_eq!(verdict.is_ok(), accepted);
    }
}

#[test]
fn every_member_of_a_manifest_has_its_bounds() {
    let digest = "a".repeat(64);
    let cases = [
        ("/service", json!("")),
        ("/service", json!("a\nb")),
        ("/service", json!("a".repeat(201))),
        ("/service", Value::Null),
        ("/version", json!("")),
        ("/version", json!("1".repeat(65))),
        ("/version", Value::Null),
        ("/sequence", json!(0)),
        ("/sequence", json!(3)),
        ("/sequence", json!(-1)),
        ("/sequence", Value::Null),
        ("/minimum-sequence", json!(0)),
        ("/minimum-sequence", json!(6)),
        ("/minimum-sequence", Value::Null),
        ("/not-before", json!(NOW.get() + 10_000_000)),
        ("/not-before", json!(1)),
        ("/not-before", Value::Null),
        ("/not-after", json!(NOW.get() - 10_000_000)),
        ("/not-after", json!(NOW.get() + 401 * 86_400)),
        ("/not-after", Value::Null),
        ("/source", Value::Null),
        ("/source/repository", json!("")),
        ("/source/repository", Value::Null),
        ("/source/commit", json!("a".repeat(39))),
        ("/source/commit", json!("A".repeat(40))),
        ("/source/commit", json!("g".repeat(40))),
        ("/source/commit", Value::Null),
        ("/source/branch", json!("main")),
        ("/builder/id", json!("")),
        ("/builder/id", Value::Null),
        ("/builder/provenance", json!("a".repeat(63))),
        ("/builder/provenance", json!("A".repeat(64))),
        ("/artefacts", json!([])),
        ("/artefacts", Value::Null),
        (
            "/artefacts",
            json!([{"name": "a", "sha256": digest, "bytes": 1}, {"name": "a", "sha256": digest, "bytes": 1}]),
        ),
        (
            "/artefacts",
            json!([{"name": "", "sha256": digest, "bytes": 1}]),
        ),
        (
            "/artefacts",
            json!([{"name": "a", "sha256": "aa", "bytes": 1}]),
        ),
        (
            "/artefacts",
            json!([{"name": "a", "sha256": digest.to_uppercase(), "bytes": 1}]),
        ),
        ("/artefacts", json!([{"name": "a", "sha256": digest}])),
        (
            "/artefacts",
            json!([{"name": "a", "sha256": digest, "bytes": 1, "more": 1}]),
        ),
        ("/measurements", json!([])),
        ("/measurements", Value::Null),
        (
            "/measurements",
            json!([{"name": "a", "platform": "", "registers": {"r": digest}}]),
        ),
        (
            "/measurements",
            json!([{"name": "a", "platform": "p", "registers": {}}]),
        ),
        (
            "/measurements",
            json!([{"name": "a", "platform": "p", "registers": {"r": "aa"}}]),
        ),
        (
            "/measurements",
            json!([{"name": "a", "platform": "p", "registers": {"": digest}}]),
        ),
        ("/measurements", json!([{"name": "a", "platform": "p"}])),
        ("/weights", json!([])),
        ("/weights", Value::Null),
        (
            "/weights",
            json!([{"name": "a", "sha256": digest}, {"name": "a", "sha256": digest}]),
        ),
        ("/weights", json!([{"name": "a", "sha256": "*"}])),
        ("/configurations", json!([])),
        ("/configurations", Value::Null),
        (
            "/configurations",
            json!([{"name": "a", "sha256": digest}, {"name": "a", "sha256": digest}]),
        ),
        (
            "/web-assets",
            json!([{"name": "a", "sha256": digest, "bytes": 1}, {"name": "a", "sha256": digest, "bytes": 1}]),
        ),
        ("/policy", json!({"allow": true})),
        ("/more", json!(1)),
    ];
    for (member, value) in cases {
        let text = changed(member, &value);
        assert!(Manifest::parse(&text).is_err(), "{member}: {value}");
        assert!(release(&text, &[0, 1]).is_err(), "{member}: {value}");
    }
    assert!(release(&changed("/version", &json!("1.0")), &[0, 1]).is_ok());
}

#[test]
fn a_member_that_occurs_twice_or_comes_after_the_object_is_refused() {
    let text = manifest(5, 4).entry_text().unwrap();
    let twice = text.replacen("\"sequence\": 5", "\"sequence\": 5, \"sequence\": 6", 1);
    assert_ne!(twice, text);
    assert!(matches!(Manifest::parse(&twice), Err(EntryError::Json(_))));
    let more = format!("{text}{{}}\n");
    assert!(matches!(Manifest::parse(&more), Err(EntryError::Json(_))));
}

#[test]
fn an_entry_of_one_kind_is_not_one_of_another() {
    let text = manifest(5, 4).entry_text().unwrap();
    let text = text.replacen("release@v1", "machines@v1", 1);
    assert_eq!(
        release(&text, &[0, 1]),
        Err(EntryError::Kind {
            expected: Manifest::KIND
        })
    );
    let longer = manifest(5, 4)
        .entry_text()
        .unwrap()
        .replacen("@v1", "@v10", 1);
    assert!(matches!(
        Manifest::parse(&longer),
        Err(EntryError::Kind { .. })
    ));
}

#[test]
fn authors_with_one_value_out_of_bounds_are_none() {
    let key = |seed| author(seed).verifier_key().clone();
    let three = || vec![key(0), key(1), key(2)];
    assert!(Authors::new(three(), 2).is_ok());
    for threshold in [0, 1, 4] {
        assert_eq!(
            Authors::new(three(), threshold),
            Err(AuthorsError::Threshold { authors: 3 })
        );
    }
    assert_eq!(Authors::new(vec![], 0), Err(AuthorsError::Number));
    let many = (0..17).map(key).collect();
    assert_eq!(Authors::new(many, 9), Err(AuthorsError::Number));
    let twice = vec![key(0), key(0)];
    assert_eq!(Authors::new(twice, 2), Err(AuthorsError::Duplicate));
    let witness = Log::witness(0).verifier_key().clone();
    assert_eq!(Authors::new(vec![witness], 1), Err(AuthorsError::Kind));
}

fn records() -> Vec<Vec<u8>> {
    (0..5_u8)
        .map(|n| {
            let record = MachineRecord {
                platform: "sev-snp".to_owned(),
                identity: [n; 32],
                site: format!("site {n}"),
                custodian: "somebody".to_owned(),
                not_after: NOW.get() + 100,
            };
            serde_json::to_vec(&record).unwrap()
        })
        .collect()
}

fn roster(change: impl FnOnce(&mut Roster)) -> (Result<LoggedRoster, EntryError>, Log) {
    let records = records();
    let entries: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    let tree = Log::of(&entries);
    let mut roster = Roster {
        sequence: 7,
        not_before: NOW.get(),
        not_after: NOW.get(),
        size: 5,
        root: *tree.root().as_bytes(),
    };
    change(&mut roster);
    let text = write(Roster::KIND, &roster).unwrap();
    let log = log_of(&sign(&text, &[0, 1]));
    let verdict = LoggedRoster::verify(&log.proof(1), &authors(3, 2), &log.policy(3, 2), NOW);
    (verdict, tree)
}

#[test]
fn a_roster_admits_the_machines_it_has_and_no_others() {
    let (logged, tree) = roster(|_| ());
    let logged = logged.unwrap();
    for n in 0..5_u8 {
        let record = &records()[usize::from(n)];
        let proof = inclusion_proof(&tree, u64::from(n), 5).unwrap();
        let index = u64::from(n);
        let admits = |record: &[u8], index, platform: &str, identity: u8, now: u64| {
            let proof = RecordProof::new(record.to_vec(), index, proof.clone())?;
            let now = Timestamp::new(now);
            logged.admits(&proof, platform, &[identity; 32], now)
        };
        let now = NOW.get();
        let admitted = admits(record, index, "sev-snp", n, now).unwrap();
        assert_eq!(admitted.site, format!("site {n}"));
        assert!(admits(record, index, "sev-snp", n, now + 100).is_ok());
        assert!(matches!(
            admits(record, index, "sev-snp", n, now + 101),
            Err(EntryError::Expired { seconds: 1 })
        ));
        assert!(admits(record, index, "sev-snp", n + 1, now).is_err());
        assert!(admits(record, index, "intel-tdx", n, now).is_err());
        assert!(admits(record, (index + 1) % 5, "sev-snp", n, now).is_err());
        let other = String::from_utf8(record.clone())
            .unwrap()
            .replace("site", "place");
        assert!(admits(other.as_bytes(), index, "sev-snp", n, now).is_err());
    }
}

#[test]
fn a_record_that_is_in_the_tree_must_still_be_a_record() {
    for record in [&b"{}"[..], b"", &vec![b' '; MachineRecord::MAX + 1]] {
        let (logged, _) = roster(|roster| {
            roster.size = 1;
            roster.root = *Hash::of_leaf(record).as_bytes();
        });
        let verdict = RecordProof::new(record.to_vec(), 0, Vec::new())
            .and_then(|proof| logged.unwrap().admits(&proof, "sev-snp", &[0; 32], NOW));
        assert!(verdict.is_err());
    }
}

#[test]
fn a_roster_is_made_of_records_and_each_has_its_proof() {
    let records = records();
    let later = Timestamp::new(NOW.get() + 10);
    let made = Roster::of_records(7, NOW, later, &records).unwrap();
    let (logged, _) = roster(|roster| roster.clone_from(&made));
    let logged = logged.unwrap();
    for n in 0..5_u8 {
        let proof = RecordProof::of_records(&records, u64::from(n)).unwrap();
        let text = proof.to_string();
        assert_eq!(RecordProof::parse(text.as_bytes()), Ok(proof.clone()));
        assert_eq!(proof.record(), records[usize::from(n)]);
        assert!(logged.admits(&proof, "sev-snp", &[n; 32], NOW).is_ok());
    }
    assert!(RecordProof::of_records(&records, 5).is_err());
    assert!(Roster::of_records(7, NOW, later, &[b"{}"]).is_err());
    assert!(Roster::of_records(0, NOW, later, &records).is_err());
}

#[test]
fn a_record_in_another_spelling_is_refused() {
    let records = records();
    let good = RecordProof::of_records(&records, 1).unwrap().to_string();
    assert!(RecordProof::parse(good.as_bytes()).is_ok());
    for bad in [
        String::new(),
        good.replacen("@v1", "@v2", 1),
        good.replacen("record ", "record  ", 1),
        good.replacen("index 1", "index 01", 1),
        good.replacen("index 1", "index -1", 1),
        good.replacen("index 1\n", "", 1),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("{good}x\n"),
        good.replace('\n', "\r\n"),
        format!("{good}{}", "\n".repeat(RecordProof::MAX)),
    ] {
        assert_ne!(bad, good);
        assert!(RecordProof::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
}

#[test]
fn a_roster_has_a_number_and_a_bounded_life() {
    assert!(roster(|roster| roster.sequence = 0).0.is_err());
    assert!(roster(|roster| roster.not_after -= 1).0.is_err());
    assert!(roster(|roster| roster.not_before += 1).0.is_err());
    assert!(
        roster(|roster| roster.not_after += Roster::MAX_LIFE)
            .0
            .is_ok()
    );
    assert!(
        roster(|roster| roster.not_after += Roster::MAX_LIFE + 1)
            .0
            .is_err()
    );
    let ended = |roster: &mut Roster| {
        roster.not_before -= 10;
        roster.not_after -= 1;
    };
    assert!(matches!(
        roster(ended).0,
        Err(EntryError::Expired { seconds: 1 })
    ));
}

fn directory() -> Directory {
    let end = Timestamp::new(NOW.get() + 1200);
    Directory::new(9, NOW, end, vec![[3; 32], [1; 32], [2; 32]]).unwrap()
}

fn look_up(document: &[u8], text: &str, now: u64) -> Result<LoggedDirectory, EntryError> {
    let log = log_of(&sign(text, &[0]));
    let policy = log.policy(3, 2);
    LoggedDirectory::verify(
        document,
        &log.proof(1),
        &authors(1, 1),
        &policy,
        Timestamp::new(now),
    )
}

#[test]
fn a_directory_names_the_nodes_that_are_logged() {
    let directory = directory();
    let text = directory.entry_text().unwrap();
    let logged = look_up(&directory.document(), &text, NOW.get()).unwrap();
    assert_eq!(*logged.directory(), directory);
    assert!(logged.names(&[2; 32]));
    assert!(!logged.names(&[4; 32]));
}

#[test]
fn a_list_of_nodes_that_is_not_the_logged_one_is_refused() {
    let text = directory().entry_text().unwrap();
    let lists: [&[[u8; 32]]; 7] = [
        &[],
        &[[1; 32]],
        &[[1; 32], [2; 32]],
        &[[1; 32], [2; 32], [4; 32]],
        &[[1; 32], [2; 32], [3; 32], [4; 32]],
        &[[2; 32], [1; 32], [3; 32]],
        &[[1; 32], [2; 32], [2; 32], [3; 32]],
    ];
    for list in lists {
        assert!(
            look_up(&list.concat(), &text, NOW.get()).is_err(),
            "{list:?}"
        );
    }
    let document = directory().document();
    assert!(look_up(&document[..95], &text, NOW.get()).is_err());
}

#[test]
fn a_directory_of_another_size_root_or_time_is_refused() {
    let document = directory().document();
    let text = directory().entry_text().unwrap();
    assert!(look_up(&document, &text, NOW.get() + 240).is_ok());
    assert!(matches!(
        look_up(&document, &text, NOW.get() - 1),
        Err(EntryError::Early { seconds: 1 })
    ));
    // The checkpoint is still recent enough when the directory has ended.
    assert!(matches!(
        look_up(&document, &text, NOW.get() + 1201),
        Err(EntryError::Expired { seconds: 1 })
    ));
    let root = &hex::encode(Hash::of_leaf(b"1").as_bytes());
    let own = text.split('"').rev().nth(1).unwrap();
    for (from, to) in [("\"size\": 3", "\"size\": 4"), (own, root)] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        assert!(look_up(&document, &changed, NOW.get()).is_err());
    }
    let life = format!("\"not-after\": {}", NOW.get() + 1200);
    let longer = text.replacen(&life, &format!("\"not-after\": {}", NOW.get() + 1201), 1);
    assert_ne!(longer, text);
    assert!(look_up(&document, &longer, NOW.get()).is_err());
}

#[test]
fn a_directory_that_says_too_much_or_nothing_cannot_be_made() {
    let make = |life, bundles| Directory::new(1, NOW, Timestamp::new(NOW.get() + life), bundles);
    assert!(make(1200, vec![[1; 32]]).is_ok());
    assert!(make(1201, vec![[1; 32]]).is_err());
    assert!(make(1200, vec![]).is_err());
    assert!(make(1200, vec![[1; 32], [1; 32]]).is_err());
    let mut frontier = Frontier::new();
    frontier.append(Hash::of_leaf(&[1; 32]), |_, _, _| ());
    let text = make(1200, vec![[1; 32]]).unwrap().entry_text().unwrap();
    assert!(text.contains(&frontier.root().to_string()));
}
