#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use subrosa_translog::merkle::verify_consistency;
use subrosa_translog::{KeyKind, KeyName, LogPolicy};

use super::*;
use crate::storage::DiskStorage;
use crate::storage::Files as _;
use crate::storage::faulty::FaultyStorage;

const NOW: Timestamp = Timestamp::new(1_780_000_000);

fn signer(kind: KeyKind, name: &str, seed: u8) -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(name).unwrap(), kind, &[seed; 32]).unwrap()
}

fn log_signer() -> NoteSigner {
    signer(KeyKind::Ed25519, "example.com/log", 1)
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

fn entries(from: u64, to: u64) -> Vec<Vec<u8>> {
    (from..to).map(entry).collect()
}

fn filled(storage: FaultyStorage, count: u64) -> Log<FaultyStorage> {
    let mut log = Log::create(storage, log_signer()).unwrap();
    log.append(&entries(0, count)).unwrap();
    log
}

fn root_of(count: u64) -> Hash {
    let mut frontier = Frontier::new();
    for index in 0..count {
        frontier.append(Hash::of_leaf(&entry(index)), |_, _, _| ());
    }
    frontier.root()
}

fn root(log: &Log<FaultyStorage>) -> Hash {
    *Checkpoint::parse(log.signed().text()).unwrap().root()
}

#[test]
fn a_log_signs_the_tree_of_its_entries_however_they_came() {
    for batch in [1, 7, 255, 256, 257, 600] {
        let storage = FaultyStorage::new();
        let mut log = Log::create(storage.clone(), log_signer()).unwrap();
        let mut size = 0;
        while size < 600 {
            let next = (size + batch).min(600);
            assert_eq!(log.append(&entries(size, next)).unwrap(), size);
            assert_eq!(root(&log), root_of(next));
            size = next;
        }
        let again = Log::open(storage, log_signer()).unwrap();
        assert_eq!(again.signed(), log.signed());
        assert_eq!(again.entry(599).unwrap(), entry(599));
    }
}

#[test]
fn a_log_of_three_levels_is_opened_and_goes_on() {
    let storage = FaultyStorage::new();
    drop(filled(storage.clone(), 65_600));
    let mut log = Log::open(storage.clone(), log_signer()).unwrap();
    log.append(&entries(65_600, 65_800)).unwrap();
    assert_eq!(root(&log), root_of(65_800));
    for path in [
        "tile/0/x256/257",
        "tile/1/000",
        "tile/1/001.p/1",
        "tile/2/000.p/1",
    ] {
        let is_there = storage.read(path, MAX_HASHES).unwrap().is_some();
        assert_eq!(is_there, !path.starts_with("tile/0"), "{path}");
    }
    let proof = log.consistency(300, 65_800).unwrap();
    verify_consistency(&proof, 300, &root_of(300), 65_800, &root_of(65_800)).unwrap();
}

#[test]
fn every_entry_is_proven_in_the_published_checkpoint() {
    let mut log = filled(FaultyStorage::new(), 300);
    assert_eq!(log.published().unwrap(), None);
    let witness = signer(KeyKind::Ed25519Cosignature, "witness.example", 2);
    let line = witness.sign(log.signed().text(), NOW).unwrap();
    let note = with_cosignatures(log.signed(), [line]).unwrap();
    log.publish(&note).unwrap();
    log.append(&entries(300, 301)).unwrap();
    let published = log.published().unwrap().unwrap();
    assert_eq!(published, note);
    let policy = LogPolicy::new(
        log_signer().verifier_key().clone(),
        vec![witness.verifier_key().clone()],
        1,
        60,
    )
    .unwrap();
    for index in [0, 1, 255, 256, 299] {
        let proof = log.proof(index, &published).unwrap();
        let logged = proof.verify(&policy, NOW).unwrap();
        assert_eq!(logged.entry(), entry(index));
    }
    assert!(matches!(
        log.proof(300, &published),
        Err(LogError::Proof(ProofError::Index { .. }))
    ));
}

#[test]
fn every_growth_is_proven_and_none_beyond_the_log() {
    let log = filled(FaultyStorage::new(), 600);
    for (old, new) in [
        (1, 600),
        (255, 256),
        (256, 257),
        (300, 513),
        (600, 600),
        (0, 5),
    ] {
        let proof = log.consistency(old, new).unwrap();
        verify_consistency(&proof, old, &root_of(old), new, &root_of(new)).unwrap();
    }
    assert!(log.consistency(1, 601).is_err());
    assert!(log.consistency(5, 4).is_err());
    assert!(log.entry(600).is_err());
}

#[test]
fn only_the_checkpoint_that_was_signed_last_is_published() {
    let mut log = filled(FaultyStorage::new(), 3);
    let old = log.signed().clone();
    log.append(&entries(3, 4)).unwrap();
    assert!(matches!(
        log.publish(&old),
        Err(LogError::Stale {
            actual: 3,
            expected: 4
        })
    ));
    assert_eq!(log.published().unwrap(), None);
}

#[test]
fn entries_of_no_size_or_too_large_a_one_are_refused_and_nothing_is_appended() {
    let mut log = filled(FaultyStorage::new(), 3);
    let before = log.signed().clone();
    for bad in [vec![], vec![0; 65_536]] {
        let outcome = log.append(&[entry(3), bad]);
        assert!(matches!(outcome, Err(LogError::Entry { .. })));
        assert_eq!((log.size(), log.signed()), (3, &before));
    }
    assert_eq!(log.append::<&[u8]>(&[]).unwrap(), 3);
    assert_eq!(log.signed(), &before);
    log.append(&entries(3, 4)).unwrap();
    assert_eq!(root(&log), root_of(4));
    assert!(log.append(&[vec![0; 65_535]]).is_ok());
}

#[test]
fn a_log_is_made_once_and_opened_with_its_own_key() {
    let storage = FaultyStorage::new();
    let missing = Log::open(storage.clone(), log_signer());
    assert!(matches!(missing, Err(LogError::Missing)));
    drop(filled(storage.clone(), 3));
    let again = Log::create(storage.clone(), log_signer());
    assert!(matches!(again, Err(LogError::Exists)));
    for (name, seed) in [("example.com/log", 2), ("example.com/other", 1)] {
        let other = Log::open(storage.clone(), signer(KeyKind::Ed25519, name, seed));
        assert!(matches!(other, Err(LogError::OtherKey)));
    }
}

#[test]
fn a_log_that_is_damaged_where_it_goes_on_is_not_opened() {
    // Full tiles are not read to go on: their hashes are in the level above.
    for path in [
        "signed",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        "tile/entries/001.p/44",
    ] {
        let storage = FaultyStorage::new();
        drop(filled(storage.clone(), 300));
        let mut bytes = storage.read(path, MAX_ENTRIES).unwrap().unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        storage.write(path, &bytes).unwrap();
        assert!(Log::open(storage.clone(), log_signer()).is_err(), "{path}");
        storage.remove(path).unwrap();
        assert!(Log::open(storage, log_signer()).is_err(), "{path}");
    }
}

#[test]
fn a_bundle_that_is_missing_or_cut_is_named() {
    let storage = FaultyStorage::new();
    drop(filled(storage.clone(), 300));
    let path = "tile/entries/001.p/44";
    let bytes = storage.read(path, MAX_ENTRIES).unwrap().unwrap();
    storage.write(path, &bytes[1..]).unwrap();
    let cut = Log::open(storage.clone(), log_signer()).map(drop);
    assert!(matches!(cut, Err(LogError::Damaged(name)) if name == path));
    storage.remove(path).unwrap();
    let missing = Log::open(storage, log_signer()).map(drop);
    assert!(matches!(missing, Err(LogError::Damaged(name)) if name == path));
}

#[test]
fn after_a_write_that_failed_nothing_is_signed_until_the_log_is_opened_again() {
    let mut after_open = 0;
    for steps in 0..40 {
        let storage = FaultyStorage::new();
        let mut log = filled(storage.clone(), 3);
        storage.crash_after(steps);
        if log.append(&[b"one"]).is_ok() {
            continue;
        }
        storage.crash_after(1000);
        assert!(matches!(log.append(&[b"other"]), Err(LogError::Failed)));
        assert!(log.append(&[b"one"]).is_err());
        let mut again = Log::open(storage, log_signer()).unwrap();
        after_open += again.size() - 3;
        again.append(&[b"other"]).unwrap();
    }
    // In one of the cases it was signed although the write is said to have failed.
    assert!(after_open > 0);
}

#[test]
fn a_log_on_a_disk_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let open = || DiskStorage::open(folder.path()).unwrap();
    let mut log = Log::create(open(), log_signer()).unwrap();
    log.append(&entries(0, 300)).unwrap();
    drop(log);
    let log = Log::open(open(), log_signer()).unwrap();
    assert_eq!(log.size(), 300);
    assert_eq!(log.entry(299).unwrap(), entry(299));
    assert!(folder.path().join("tile/0/000").is_file());
    assert!(folder.path().join("tile/0/001.p/44").is_file());
}
