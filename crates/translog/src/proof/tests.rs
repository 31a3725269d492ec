#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::fixtures::{Log, NOW};

fn log() -> Log {
    Log::of(&[b"a", b"b", b"c", b"d", b"e"])
}

#[test]
fn a_proof_is_read_as_it_is_written_and_proves_its_entry() {
    for index in 0..5 {
        let proof = log().proof(index);
        let read = LogProof::parse(proof.to_string().as_bytes()).unwrap();
        assert_eq!(read, proof);
        let logged = read.verify(&log().policy(3, 2), NOW).unwrap();
        assert_eq!(logged.index(), u64::try_from(index).unwrap());
        assert_eq!(logged.entry(), &b"abcde"[index..=index]);
        assert_eq!(logged.checkpoint().checkpoint().size(), 5);
    }
}

#[test]
fn another_entry_index_or_hash_is_not_proven() {
    let text = log().proof(2).to_string();
    let policy = log().policy(3, 2);
    let hash = text.lines().nth(3).unwrap();
    let replacements = [
        ("extra Yw==", "extra ZA=="),
        ("index 2", "index 3"),
        ("index 2", "index 7"),
        (hash, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        (&format!("{hash}\n"), ""),
    ];
    for (from, to) in replacements {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        let proof = LogProof::parse(changed.as_bytes()).unwrap();
        assert!(matches!(
            proof.verify(&policy, NOW),
            Err(LogProofError::Inclusion(_))
        ));
    }
}

#[test]
fn a_proof_of_another_log_or_without_a_quorum_is_refused() {
    let other = Log::named("example.com/other", &[b"a"]).proof(0);
    assert_eq!(
        other.verify(&log().policy(3, 2), NOW),
        Err(LogProofError::Checkpoint(CheckpointError::Origin))
    );
    assert!(matches!(
        log().proof(0).verify(&log().policy(5, 4), NOW),
        Err(LogProofError::Checkpoint(CheckpointError::Quorum { .. }))
    ));
}

#[test]
fn text_of_another_form_is_not_a_proof() {
    let text = log().proof(2).to_string();
    let cases = [
        text.replacen("@v1", "@v2", 1),
        text.replacen("extra Yw==\n", "", 1),
        text.replacen("extra Yw==", "extra Yw", 1),
        text.replacen("extra Yw==", "extra ", 1),
        text.replacen("index 2", "index 02", 1),
        text.replacen("index 2", "index -2", 1),
        text.replacen("index 2\n", "", 1),
        text.replacen("index 2\n", "index 2\nAAAA\n", 1),
        text.replacen("\n\n", "\n", 1),
        text.replacen("extra Yw==\nindex 2", "index 2\nextra Yw==", 1),
    ];
    for case in cases {
        assert_ne!(case, text);
        assert!(LogProof::parse(case.as_bytes()).is_err(), "{case}");
    }
}

#[test]
fn proofs_are_bounded() {
    let proof = log().proof(0);
    let hash = Hash::of_leaf(b"1");
    let many = vec![hash; MAX_INCLUSION + 1];
    assert!(LogProof::new(b"a".to_vec(), 0, many, proof.checkpoint.clone()).is_err());
    let large = vec![0; LogProof::MAX_ENTRY + 1];
    assert!(LogProof::new(large, 0, vec![], proof.checkpoint.clone()).is_err());
    assert!(LogProof::new(vec![], 0, vec![], proof.checkpoint.clone()).is_err());
    let line = format!("index 0\n{}", format!("{}\n", hash.to_base64()).repeat(64));
    let text = proof.to_string().replacen("index 0\n", &line, 1);
    assert!(LogProof::parse(text.as_bytes()).is_err());
    assert!(LogProof::parse(&vec![b'a'; LogProof::MAX + 1]).is_err());
}

#[test]
fn an_entry_is_not_shown() {
    let proof = log().proof(1);
    assert_eq!(format!("{proof:?}"), "LogProof(entry 1)");
}

proptest! {
    #[test]
    fn what_nearly_is_a_proof_is_refused_or_written_as_it_was_read(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = log().proof(3).to_string().into_bytes();
        let at = at.index(bytes.len());
        let changed = bytes[at] != byte;
        bytes[at] = byte;
        if let Ok(proof) = LogProof::parse(&bytes) {
            prop_assert_eq!(proof.to_string().into_bytes(), bytes);
            let verdict = proof.verify(&log().policy(3, 3), NOW);
            prop_assert_eq!(verdict.is_err(), changed);
        }
    }
}
