#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::fixtures::{LOG, Log, NOW, authors, log_of, manifest, sign};
use crate::merkle::consistency_proof;

const ENTRIES: [&[u8]; 5] = [b"a", b"b", b"c", b"d", b"e"];

fn witnessed(log: &Log) -> WitnessedCheckpoint {
    let note = log.checkpoint_at(&[5, 5, 5]);
    log.policy(3, 2).verify(&note, NOW).unwrap()
}

fn seen(entries: &[&[u8]]) -> DeviceState {
    let mut state = DeviceState::new();
    state.see(&witnessed(&Log::of(entries)), &[]).unwrap();
    state
}

#[test]
fn a_log_that_grows_is_followed() {
    let mut state = DeviceState::new();
    assert_eq!(state.size_of(LOG), 0);
    for size in 1..=ENTRIES.len() {
        let log = Log::of(&ENTRIES[..size]);
        let old = state.size_of(LOG);
        let proof = consistency_proof(&log, old, u64::try_from(size).unwrap()).unwrap();
        state.see(&witnessed(&log), &proof).unwrap();
        assert_eq!(state.size_of(LOG), u64::try_from(size).unwrap());
        // Shown again it says nothing new.
        state.see(&witnessed(&log), &[]).unwrap();
    }
}

#[test]
fn a_shorter_log_is_a_rollback_and_both_checkpoints_are_kept() {
    let mut state = seen(&ENTRIES);
    let before = state.clone();
    let shorter = witnessed(&Log::of(&ENTRIES[..3]));
    let Err(StateError::Rollback {
        size: 3,
        seen: 5,
        conflict,
    }) = state.see(&shorter, &[])
    else {
        unreachable!("not refused");
    };
    assert_eq!(conflict.refused, shorter.note().to_string());
    assert_eq!(
        conflict.seen,
        witnessed(&Log::of(&ENTRIES)).note().to_string()
    );
    assert_eq!(state, before);
}

#[test]
fn another_tree_of_the_same_size_is_a_fork_that_two_notes_prove() {
    let mut state = seen(&ENTRIES);
    let before = state.clone();
    let fork = Log::of(&[b"a", b"b", b"c", b"d", b"x"]);
    let Err(StateError::Fork(conflict)) = state.see(&witnessed(&fork), &[]) else {
        unreachable!("not refused");
    };
    assert_eq!(state, before);
    let policy = fork.policy(3, 2);
    let read = |note: &str| {
        let note = Note::parse(note.as_bytes()).unwrap();
        policy.verify(&note, NOW).unwrap().checkpoint().clone()
    };
    let (one, other) = (read(&conflict.seen), read(&conflict.refused));
    assert_eq!(one.size(), other.size());
    assert_ne!(one.root(), other.root());
}

#[test]
fn a_longer_log_without_a_proof_or_with_anothers_is_refused() {
    let longer = Log::of(&ENTRIES);
    let fork = Log::of(&[b"x", b"b", b"c", b"d", b"e"]);
    let proof = consistency_proof(&longer, 3, 5).unwrap();
    let other = consistency_proof(&fork, 3, 5).unwrap();
    for (log, proof) in [
        (&longer, &[][..]),
        (&longer, &other),
        (&fork, &proof),
        (&fork, &other),
    ] {
        let mut state = seen(&ENTRIES[..3]);
        let before = state.clone();
        let verdict = state.see(&witnessed(log), proof);
        assert!(matches!(verdict, Err(StateError::Unproven { .. })));
        assert_eq!(state, before);
    }
    assert!(seen(&ENTRIES[..3]).see(&witnessed(&longer), &proof).is_ok());
}

#[test]
fn each_log_has_a_state_of_its_own() {
    let mut state = seen(&ENTRIES);
    let other = Log::named("example.com/other", &ENTRIES[..1]);
    state.see(&witnessed(&other), &[]).unwrap();
    assert_eq!(state.size_of("example.com/other"), 1);
    assert_eq!(state.size_of(LOG), 5);
}

#[test]
fn a_clock_that_was_set_back_is_not_believed() {
    let state = seen(&ENTRIES);
    let cosigned = Timestamp::new(NOW.get() - 5);
    assert_eq!(state.not_before(Timestamp::new(1)), cosigned);
    assert_eq!(state.not_before(NOW), NOW);
    assert_eq!(
        DeviceState::new().not_before(Timestamp::new(1)),
        Timestamp::new(1)
    );
}

fn release(sequence: u64, minimum: u64, service: &str) -> LoggedRelease {
    let mut manifest = manifest(sequence, minimum);
    service.clone_into(&mut manifest.service);
    let log = log_of(&sign(&manifest.entry_text().unwrap(), &[0, 1]));
    LoggedRelease::verify(&log.proof(1), &authors(3, 2), &log.policy(3, 2), NOW).unwrap()
}

#[test]
fn two_releases_run_side_by_side_until_the_minimum_is_raised() {
    let mut state = DeviceState::new();
    for (sequence, minimum, accepted) in [
        (11, 10, true),
        (12, 11, true),
        (11, 10, true),
        (10, 10, false),
        (12, 12, true),
        (11, 10, false),
        (13, 1, true),
        (11, 10, false),
    ] {
        let verdict = state.see_release(&release(sequence, minimum, "one"));
        assert_eq!(verdict.is_ok(), accepted, "{sequence} {minimum}");
    }
    assert_eq!(
        state.see_release(&release(11, 11, "one")),
        Err(StateError::ReleaseTooOld {
            sequence: 11,
            minimum: 12
        })
    );
    assert!(state.see_release(&release(1, 1, "other")).is_ok());
}

fn roster(sequence: u64) -> LoggedRoster {
    let roster = crate::entry::roster::Roster {
        sequence,
        not_before: NOW.get(),
        not_after: NOW.get(),
        size: 1,
        root: [1; 32],
    };
    let log = log_of(&sign(&roster.entry_text().unwrap(), &[0, 1]));
    LoggedRoster::verify(&log.proof(1), &authors(3, 2), &log.policy(3, 2), NOW).unwrap()
}

#[test]
fn a_roster_older_than_one_that_was_seen_is_refused() {
    let mut state = DeviceState::new();
    assert!(state.see_roster(&roster(3)).is_ok());
    assert!(state.see_roster(&roster(3)).is_ok());
    assert_eq!(
        state.see_roster(&roster(2)),
        Err(StateError::RosterTooOld {
            sequence: 2,
            seen: 3
        })
    );
    assert!(state.see_roster(&roster(4)).is_ok());
    assert!(state.see_roster(&roster(3)).is_err());
}

#[test]
fn a_state_survives_its_file() {
    let mut state = seen(&ENTRIES);
    state.see_release(&release(12, 11, "one")).unwrap();
    state.see_roster(&roster(3)).unwrap();
    let text = state.to_text().unwrap();
    assert_eq!(DeviceState::parse(&text), Ok(state));
    let empty = DeviceState::new();
    assert_eq!(DeviceState::parse(&empty.to_text().unwrap()), Ok(empty));
}

#[test]
fn a_newer_file_is_refused_with_a_hint_and_a_damaged_one_as_such() {
    let text = seen(&ENTRIES).to_text().unwrap();
    let newer = text.replacen("\"schema\": 1", "\"schema\": 2, \"unknown\": 1", 1);
    let verdict = DeviceState::parse(&newer);
    assert_eq!(verdict, Err(StateFileError::Newer(2)));
    assert!(verdict.unwrap_err().to_string().contains("update"));
    let cases = [
        String::new(),
        "{}".to_owned(),
        text.replacen("\"latest\"", "\"later\"", 1),
        text.replacen(&format!("\"{LOG}\""), "\"example.com/other\"", 1),
        text.replacen("\\n5\\n", "\\n05\\n", 1),
        text[..text.len() - 3].to_owned(),
        format!("{text}{}", " ".repeat(DeviceState::MAX)),
    ];
    for case in cases {
        assert_ne!(case, text);
        let verdict = DeviceState::parse(&case);
        assert!(matches!(verdict, Err(StateFileError::Damaged(_))));
    }
}
