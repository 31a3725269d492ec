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
fn nothing_is_asked_of_a_log_that_is_refused_anyway() {
    let state = seen(&ENTRIES);
    let (shorter, shortest) = (Log::of(&ENTRIES[..3]), Log::of(&ENTRIES[..2]));
    let shown = [&witnessed(&shortest), &witnessed(&shorter)];
    assert_eq!(state.steps(&shown), []);
    let fork = Log::of(&[b"a", b"b", b"c", b"d", b"x"]);
    let shown = [&witnessed(&shorter), &witnessed(&fork)];
    assert_eq!(state.steps(&shown), []);
    let shown = [&witnessed(&shorter), &witnessed(&Log::of(&ENTRIES))];
    assert_eq!(state.steps(&shown), [(3, 5)]);
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

/// The proofs that the state asks for.
fn proofs(state: &DeviceState, log: &Log, shown: &[&WitnessedCheckpoint]) -> ConsistencyProofs {
    let steps = state.steps(shown).into_iter();
    steps
        .map(|(old, new)| ((old, new), consistency_proof(log, old, new).unwrap()))
        .collect()
}

#[test]
fn checkpoints_that_are_shown_together_must_be_of_one_history() {
    let log = Log::of(&ENTRIES);
    let older = witnessed(&Log::of(&ENTRIES[..2]));
    let newer = witnessed(&log);
    for before in [None, Some(1), Some(2), Some(3), Some(5)] {
        let state = before.map_or_else(DeviceState::new, |size| seen(&ENTRIES[..size]));
        let proofs = proofs(&state, &log, &[&newer, &older]);
        let mut good = state.clone();
        good.see_all(&[&newer, &older], &proofs).unwrap();
        assert_eq!(good.size_of(LOG), 5);
        // Each proof is needed.
        for step in proofs.keys() {
            let mut fewer = proofs.clone();
            fewer.remove(step);
            let mut left = state.clone();
            let verdict = left.see_all(&[&newer, &older], &fewer);
            assert!(matches!(verdict, Err(StateError::Unproven { .. })));
            assert_eq!(left, state);
        }
    }
}

#[test]
fn an_older_checkpoint_of_another_history_beside_a_good_one_is_refused() {
    let log = Log::of(&ENTRIES);
    let newer = witnessed(&log);
    let mut state = DeviceState::new();
    let fork = witnessed(&Log::of(&[b"a", b"x"]));
    let proofs = proofs(&state, &log, &[&newer, &fork]);
    let verdict = state.see_all(&[&newer, &fork], &proofs);
    assert!(matches!(verdict, Err(StateError::Unproven { .. })));
    let same_size = witnessed(&Log::of(&[b"a", b"b", b"c", b"d", b"x"]));
    let verdict = state.see_all(&[&newer, &same_size], &ConsistencyProofs::new());
    assert!(matches!(verdict, Err(StateError::Fork(_))));
    assert_eq!(state, DeviceState::new());
}

fn directory(epoch: u64, bundle: u8) -> LoggedDirectory {
    use crate::entry::directory::Directory;
    let directory = Directory::new(epoch, NOW, NOW, vec![[bundle; 32]]).unwrap();
    let log = log_of(&sign(&directory.entry_text().unwrap(), &[0]));
    let (policy, proof) = (log.policy(3, 2), log.proof(1));
    LoggedDirectory::verify(&directory.document(), &proof, &authors(1, 1), &policy, NOW).unwrap()
}

#[test]
fn a_second_directory_of_an_epoch_is_refused_and_both_entries_are_kept() {
    let mut state = DeviceState::new();
    state.see_directory("one", &directory(7, 1)).unwrap();
    let before = state.clone();
    state.see_directory("one", &directory(7, 1)).unwrap();
    state.see_directory("one", &directory(6, 9)).unwrap();
    assert_eq!(state, before);
    let other = directory(7, 2);
    let verdict = state.see_directory("one", &other);
    let Err(StateError::Directory { epoch: 7, conflict }) = verdict else {
        unreachable!("not refused");
    };
    assert_eq!(conflict.seen, directory(7, 1).entry());
    assert_eq!(conflict.refused, other.entry());
    assert_eq!(state, before);
    assert!(state.see_directory("two", &other).is_ok());
    state.see_directory("one", &directory(8, 2)).unwrap();
    assert!(state.see_directory("one", &directory(8, 1)).is_err());
}

/// As the first version wrote it.
#[test]
fn a_file_of_the_previous_schema_is_read_and_written_as_the_current_one() {
    let mut state = seen(&ENTRIES);
    state.see_release(&release(12, 11, "one")).unwrap();
    let text = state.to_text().unwrap();
    let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let members = file.as_object_mut().unwrap();
    members.insert("schema".to_owned(), 1.into()).unwrap();
    let directories = members.remove("directories").unwrap();
    let old = serde_json::to_string(&file).unwrap();
    assert_eq!(DeviceState::parse(&old), Ok(state.clone()));
    assert_eq!(DeviceState::parse(&old).unwrap().to_text().unwrap(), text);
    let mixed = old.replacen('{', &format!("{{\"directories\":{directories},"), 1);
    assert!(DeviceState::parse(&mixed).is_ok());
    state.see_directory("one", &directory(7, 1)).unwrap();
    let mixed = state
        .to_text()
        .unwrap()
        .replacen("\"schema\": 2", "\"schema\": 1", 1);
    assert!(matches!(
        DeviceState::parse(&mixed),
        Err(StateFileError::Damaged(_))
    ));
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
    state.see_directory("one", &directory(7, 1)).unwrap();
    let text = state.to_text().unwrap();
    assert_eq!(DeviceState::parse(&text), Ok(state));
    let empty = DeviceState::new();
    assert_eq!(DeviceState::parse(&empty.to_text().unwrap()), Ok(empty));
}

#[test]
fn a_newer_file_is_refused_with_a_hint_and_a_damaged_one_as_such() {
    let text = seen(&ENTRIES).to_text().unwrap();
    let newer = text.replacen("\"schema\": 2", "\"schema\": 3, \"unknown\": 1", 1);
    let verdict = DeviceState::parse(&newer);
    assert_eq!(verdict, Err(StateFileError::Newer(3)));
    assert!(verdict.unwrap_err().to_string().contains("update"));
    let cases = [
        String::new(),
        "{}".to_owned(),
        text.replacen("\"latest\"", "\"later\"", 1),
        text.replacen("\"schema\": 2", "\"schema\": 0", 1),
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
