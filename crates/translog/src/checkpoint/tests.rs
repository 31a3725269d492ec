#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use super::*;
use crate::Timestamp;
use crate::fixtures::{LOG, Log, NOW, signer};
use crate::note::{KeyKind, Note, NoteError};

#[test]
fn a_checkpoint_is_read_as_it_is_written() {
    let root = Hash::of_leaf(b"1");
    let checkpoint = Checkpoint::new(KeyName::new(LOG).unwrap(), 1, root).unwrap();
    let text = checkpoint.to_string();
    assert_eq!(text, format!("{LOG}\n1\n{}\n", root.to_base64()));
    assert_eq!(Checkpoint::parse(&text), Ok(checkpoint));
}

#[test]
fn text_of_another_form_is_not_a_checkpoint() {
    let root = Hash::of_leaf(b"1").to_base64();
    let nothing = Hash::of_nothing().to_base64();
    let cases = [
        String::new(),
        format!("{LOG}\n1\n{root}"),
        format!("\n1\n{root}\n"),
        format!("a b\n1\n{root}\n"),
        format!("{LOG}\n\n{root}\n"),
        format!("{LOG}\n01\n{root}\n"),
        format!("{LOG}\n+1\n{root}\n"),
        format!("{LOG}\n-1\n{root}\n"),
        format!("{LOG}\n1 \n{root}\n"),
        format!("{LOG}\n9223372036854775808\n{root}\n"),
        format!("{LOG}\n18446744073709551616\n{root}\n"),
        format!("{LOG}\n1\n{}\n", &root[..43]),
        format!("{LOG}\n1\n{}A\n", &root[..43]),
        format!(
            "{LOG}\n1\n{}\n",
            hex::encode(Hash::of_leaf(b"1").as_bytes())
        ),
        format!("{LOG}\n1\n\n"),
        format!("{LOG}\n1\n"),
        format!("{LOG}\n0\n{root}\n"),
    ];
    for case in cases {
        let verdict = Checkpoint::parse(&case);
        assert!(
            matches!(verdict, Err(CheckpointFormatError::Line(_))),
            "{case:?}"
        );
    }
    assert!(Checkpoint::parse(&format!("{LOG}\n0\n{nothing}\n")).is_ok());
    assert!(Checkpoint::parse(&format!("{LOG}\n9223372036854775807\n{root}\n")).is_ok());
    for extension in ["more\n", "\n"] {
        let text = format!("{LOG}\n1\n{root}\n{extension}");
        assert_eq!(
            Checkpoint::parse(&text),
            Err(CheckpointFormatError::Extension)
        );
    }
}

#[test]
fn a_quorum_makes_a_checkpoint_witnessed_and_its_time_is_the_quorums() {
    let log = Log::of(&[b"entry"]);
    // Three of five, cosigned at different times: two more could not make it younger.
    let note = log.checkpoint_at(&[10, 30, 20, 50, 40]);
    let witnessed = log.policy(5, 3).verify(&note, NOW).unwrap();
    assert_eq!(witnessed.time(), Timestamp::new(NOW.get() - 30));
    assert_eq!(witnessed.checkpoint().size(), 1);
    assert_eq!(witnessed.note(), &note);
    let note = log.checkpoint_at(&[10, 30, 20]);
    let witnessed = log.policy(5, 3).verify(&note, NOW).unwrap();
    assert_eq!(witnessed.time(), Timestamp::new(NOW.get() - 30));
}

#[test]
fn fewer_than_a_quorum_is_refused() {
    let log = Log::of(&[b"entry"]);
    for have in 0..3 {
        let note = log.checkpoint_at(&vec![10; have]);
        assert_eq!(
            log.policy(5, 3).verify(&note, NOW),
            Err(CheckpointError::Quorum {
                actual: have,
                expected: 3
            })
        );
    }
}

#[test]
fn witnesses_that_are_not_pinned_do_not_count() {
    let log = Log::of(&[b"entry"]);
    let mut note = log.checkpoint_at(&[10, 10]);
    for seed in 100..110 {
        let stranger = signer(
            KeyKind::Ed25519Cosignature,
            &format!("stranger{seed}"),
            seed,
        );
        note.add(stranger.sign(note.text(), NOW).unwrap()).unwrap();
    }
    assert!(matches!(
        log.policy(5, 3).verify(&note, NOW),
        Err(CheckpointError::Quorum { actual: 2, .. })
    ));
}

#[test]
fn a_wrong_cosignature_refuses_even_beside_a_quorum_of_right_ones() {
    let log = Log::of(&[b"entry"]);
    let mut note = log.checkpoint_at(&[10, 10, 10]);
    let witness = Log::witness(4);
    note.add(witness.sign("example.com/log\n7\nother\n", NOW).unwrap())
        .unwrap();
    assert!(matches!(
        log.policy(5, 3).verify(&note, NOW),
        Err(CheckpointError::Note(NoteError::Signature(_)))
    ));
}

#[test]
fn without_the_logs_own_signature_witnesses_do_not_help() {
    let log = Log::of(&[b"entry"]);
    let signed = log.checkpoint_at(&[10, 10, 10]);
    let mut note = Note::new(signed.text()).unwrap();
    for line in &signed.signatures()[1..] {
        note.add(line.clone()).unwrap();
    }
    assert!(matches!(
        log.policy(5, 3).verify(&note, NOW),
        Err(CheckpointError::Note(NoteError::Unsigned(_)))
    ));
}

#[test]
fn a_checkpoint_of_another_log_is_refused() {
    let log = Log::named("example.com/other", &[b"entry"]);
    let note = log.checkpoint_at(&[10, 10, 10]);
    let policy = Log::of(&[b"entry"]).policy(5, 3);
    assert_eq!(policy.verify(&note, NOW), Err(CheckpointError::Origin));
}

#[test]
fn age_and_future_are_limited_to_the_second() {
    let log = Log::of(&[b"entry"]);
    let policy = log.policy(5, 3);
    let note = log.checkpoint_at(&[0, 0, 0]);
    let verdict = |now| policy.verify(&note, Timestamp::new(now)).map(drop);
    let limit = 3600;
    assert_eq!(verdict(NOW.get() + limit), Ok(()));
    let age = limit + 1;
    assert_eq!(
        verdict(NOW.get() + age),
        Err(CheckpointError::Stale { age, limit })
    );
    assert_eq!(verdict(NOW.get() - 300), Ok(()));
    assert_eq!(
        verdict(NOW.get() - 301),
        Err(CheckpointError::Future { seconds: 301 })
    );
}

#[test]
fn a_log_policy_with_one_value_out_of_bounds_is_none() {
    let log = Log::of(&[b"entry"]);
    let key = |kind, name: &str, seed| signer(kind, name, seed).verifier_key().clone();
    let own = key(KeyKind::Ed25519, LOG, 1);
    let w = |name: &str, seed| key(KeyKind::Ed25519Cosignature, name, seed);
    let policy = |witnesses, quorum, age| LogPolicy::new(own.clone(), witnesses, quorum, age);
    let three = || vec![w("a", 2), w("b", 3), w("c", 4)];
    assert!(policy(three(), 2, 3600).is_ok());
    assert_eq!(policy(vec![], 0, 60), Err(LogPolicyError::Witnesses));
    assert_eq!(
        policy(three(), 1, 60),
        Err(LogPolicyError::Quorum { witnesses: 3 })
    );
    assert_eq!(
        policy(three(), 4, 60),
        Err(LogPolicyError::Quorum { witnesses: 3 })
    );
    let even = vec![w("a", 2), w("b", 3)];
    assert_eq!(
        policy(even, 1, 60),
        Err(LogPolicyError::Quorum { witnesses: 2 })
    );
    assert_eq!(policy(three(), 2, 0), Err(LogPolicyError::Age));
    assert_eq!(policy(three(), 2, 604_801), Err(LogPolicyError::Age));
    let same_name = vec![w("a", 2), w("a", 3)];
    assert_eq!(policy(same_name, 2, 60), Err(LogPolicyError::Duplicate));
    let same_key = vec![w("a", 2), w("b", 2)];
    assert_eq!(policy(same_key, 2, 60), Err(LogPolicyError::Duplicate));
    let wrong_kind = vec![key(KeyKind::Ed25519, "a", 2)];
    assert_eq!(policy(wrong_kind, 1, 60), Err(LogPolicyError::Kind));
    let as_log = LogPolicy::new(w("a", 2), three(), 2, 60);
    assert_eq!(as_log, Err(LogPolicyError::Kind));
    let many = (0..33).map(|n| w(&format!("w{n}"), n)).collect();
    assert_eq!(policy(many, 17, 60), Err(LogPolicyError::Witnesses));
    assert_eq!(log.policy(5, 3).witnesses().len(), 5);
}
