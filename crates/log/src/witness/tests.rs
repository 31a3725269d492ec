#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "tests")]

use subrosa_translog::merkle::{Frontier, HashSource, consistency_proof};
use subrosa_translog::{KeyKind, LogPolicy};

use super::*;
use crate::storage::Files as _;
use crate::storage::faulty::{FaultyStorage, Sync};

const NOW: Timestamp = Timestamp::new(1_780_000_000);

fn signer(kind: KeyKind, name: &str, seed: u8) -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(name).unwrap(), kind, &[seed; 32]).unwrap()
}

fn log_signer() -> NoteSigner {
    signer(KeyKind::Ed25519, "example.com/log", 1)
}

/// A tree in which entry `n` is `prefix n`.
struct Tree(String);

impl HashSource for Tree {
    type Error = ProofError;

    fn subtree(&self, level: u8, index: u64) -> Result<Hash, ProofError> {
        let mut frontier = Frontier::new();
        for at in (index << level)..((index + 1) << level) {
            let entry = format!("{} {at}", self.0);
            frontier.append(Hash::of_leaf(entry.as_bytes()), |_, _, _| ());
        }
        Ok(frontier.root())
    }
}

fn request(prefix: &str, old: u64, new: u64) -> AddCheckpoint {
    let tree = Tree(prefix.to_owned());
    let proof = consistency_proof(&tree, old, new).unwrap();
    AddCheckpoint::new(old, proof, checkpoint(prefix, new, &log_signer()))
}

fn checkpoint(prefix: &str, size: u64, signer: &NoteSigner) -> Note {
    let tree = Tree(prefix.to_owned());
    let root = Frontier::load(&tree, size).unwrap().root();
    let name = signer.verifier_key().name().clone();
    let text = Checkpoint::new(name, size, root).unwrap().to_string();
    let mut note = Note::new(text.clone()).unwrap();
    note.add(signer.sign(&text, NOW).unwrap()).unwrap();
    note
}

fn witness(storage: FaultyStorage) -> Witness<FaultyStorage> {
    let key = signer(KeyKind::MlDsa44Cosignature, "witness.example", 9);
    Witness::new(storage, key, vec![log_signer().verifier_key().clone()])
}

#[test]
fn a_log_that_grows_is_cosigned_and_the_cosignature_counts() {
    let mut witness = witness(FaultyStorage::new());
    for (old, new) in [(0, 3), (3, 3), (3, 8), (8, 100)] {
        let request = request("entry", old, new);
        let read = AddCheckpoint::parse(request.to_body().as_bytes()).unwrap();
        assert_eq!(read, request);
        let line = witness.cosign(&read, NOW).unwrap();
        let mut note = request.checkpoint;
        note.add(line).unwrap();
        let log = log_signer().verifier_key().clone();
        let policy = LogPolicy::new(log, vec![witness.key().clone()], 1, 60).unwrap();
        assert_eq!(policy.verify(&note, NOW).unwrap().time(), NOW);
    }
}

fn status(outcome: Result<NoteSignature, WitnessError>) -> u16 {
    outcome.map_or_else(|error| error.status(), |_| 200)
}

#[test]
fn whatever_does_not_continue_the_last_checkpoint_is_not_cosigned() {
    let mut witness = witness(FaultyStorage::new());
    assert_eq!(status(witness.cosign(&request("entry", 0, 8), NOW)), 200);
    // Another tree, of the same size or a larger one.
    assert_eq!(status(witness.cosign(&request("other", 8, 8), NOW)), 409);
    assert_eq!(status(witness.cosign(&request("other", 8, 12), NOW)), 422);
    // An older one, and one that leaves out what was between.
    assert_eq!(status(witness.cosign(&request("entry", 0, 5), NOW)), 409);
    assert_eq!(status(witness.cosign(&request("entry", 5, 8), NOW)), 409);
    assert_eq!(status(witness.cosign(&request("entry", 0, 12), NOW)), 409);
    let conflict = witness.cosign(&request("entry", 0, 12), NOW);
    assert!(matches!(conflict, Err(WitnessError::Conflict { size: 8 })));
    // A proof of something else.
    let mut wrong = request("entry", 8, 12);
    wrong.proof = vec![Hash::of_leaf(b"another")];
    assert_eq!(status(witness.cosign(&wrong, NOW)), 422);
    wrong.proof.clear();
    assert_eq!(status(witness.cosign(&wrong, NOW)), 422);
    let mut above = request("entry", 8, 8);
    above.old_size = 9;
    assert_eq!(status(witness.cosign(&above, NOW)), 400);
    // None of this has changed what was seen.
    assert_eq!(status(witness.cosign(&request("entry", 8, 12), NOW)), 200);
}

#[test]
fn only_known_logs_that_have_signed_are_cosigned() {
    let mut witness = witness(FaultyStorage::new());
    let unknown = signer(KeyKind::Ed25519, "example.com/unknown", 1);
    let ask = |signer| AddCheckpoint::new(0, vec![], checkpoint("entry", 3, signer));
    assert_eq!(status(witness.cosign(&ask(&unknown), NOW)), 404);
    let impostor = signer(KeyKind::Ed25519, "example.com/log", 2);
    assert_eq!(status(witness.cosign(&ask(&impostor), NOW)), 403);
    let mut unsigned = ask(&log_signer());
    unsigned.checkpoint = Note::new(unsigned.checkpoint.text()).unwrap();
    assert_eq!(status(witness.cosign(&unsigned, NOW)), 403);
    unsigned.checkpoint = Note::new("no checkpoint\n").unwrap();
    assert_eq!(status(witness.cosign(&unsigned, NOW)), 400);
}

#[test]
fn what_was_cosigned_is_remembered_after_a_restart_and_a_damaged_memory_stops_it() {
    let storage = FaultyStorage::new();
    let mut first = witness(storage.clone());
    assert_eq!(status(first.cosign(&request("entry", 0, 8), NOW)), 200);
    let mut again = witness(storage.clone());
    assert_eq!(status(again.cosign(&request("other", 0, 8), NOW)), 409);
    assert_eq!(status(again.cosign(&request("entry", 8, 9), NOW)), 200);
    let name = file_of(log_signer().verifier_key().name());
    storage.write(&name, b"").unwrap();
    assert_eq!(status(again.cosign(&request("entry", 0, 8), NOW)), 500);
}

#[test]
fn two_logs_do_not_disturb_each_other() {
    let other = signer(KeyKind::Ed25519, "example.com/log/../other", 3);
    let mut witness = witness(FaultyStorage::new());
    witness.logs.push(other.verifier_key().clone());
    assert_eq!(status(witness.cosign(&request("entry", 0, 8), NOW)), 200);
    let ask = AddCheckpoint::new(0, vec![], checkpoint("entry", 3, &other));
    assert_eq!(status(witness.cosign(&ask, NOW)), 200);
    assert_eq!(status(witness.cosign(&request("entry", 8, 9), NOW)), 200);
}

/// Cosigns one tree, crashes at a step, and is asked to cosign another one of the same size.
fn is_forked_by_a_crash(ignored: Option<Sync>) -> bool {
    let mut forked = false;
    for crash in 0..=4 {
        for seed in 0..64_u64 {
            let mut state = seed;
            let mut choice = |n: usize| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                usize::try_from(state >> 33).unwrap() % n
            };
            let storage = FaultyStorage::new();
            storage.ignore_if(ignored);
            storage.crash_after(crash);
            let first = witness(storage.clone()).cosign(&request("entry", 0, 8), NOW);
            let mut after = witness(storage.after_crash(&mut choice));
            let second = after.cosign(&request("other", 0, 8), NOW);
            forked |= first.is_ok() && second.is_ok();
            if ignored.is_none() && first.is_err() {
                // What was not cosigned does not stop the witness either.
                let next = after.cosign(&request("other", 8, 9), NOW);
                assert!(second.is_ok() && next.is_ok() || second.is_err());
            }
        }
    }
    forked
}

#[test]
fn a_crash_never_makes_a_witness_cosign_two_trees() {
    assert!(!is_forked_by_a_crash(None));
}

#[test]
fn without_the_sync_of_the_names_a_crash_makes_a_witness_cosign_two_trees() {
    assert!(is_forked_by_a_crash(Some(Sync::StateNames)));
}

#[test]
fn bodies_of_another_form_are_refused() {
    let body = request("entry", 3, 8).to_body();
    let hash = body.lines().nth(1).unwrap().to_owned();
    let many = format!("{hash}\n").repeat(64);
    for case in [
        String::new(),
        body.replacen("old 3", "old 03", 1),
        body.replacen("old 3", "old +3", 1),
        body.replacen("old 3", "old -3", 1),
        body.replacen("old 3", "old", 1),
        body.replacen("old 3", "old 18446744073709551616", 1),
        body.replacen("old 3\n", "", 1),
        body.replacen(&hash, &hash.to_lowercase(), 1),
        body.replacen(&hash, "AAAA", 1),
        body.replacen(&format!("{hash}\n"), &many, 1),
        body.replacen("\n\n", "\n", 2),
        body.trim_end().to_owned(),
        "old 3\n\n".to_owned(),
        format!("{body}{}", " ".repeat(AddCheckpoint::MAX)),
    ] {
        if case != body {
            let verdict = AddCheckpoint::parse(case.as_bytes());
            assert!(matches!(verdict, Err(WitnessError::Format(_))), "{case}");
        }
    }
    assert!(AddCheckpoint::parse(body.replacen("old 3", "old 0", 1).as_bytes()).is_ok());
}
