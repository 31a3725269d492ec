#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use subrosa_translog::{KeyKind, KeyName, LogPolicy, NoteSigner, Timestamp};

use super::*;
use crate::storage::{DiskStorage, faulty::FaultyStorage};
use crate::witness::Witness;

const NOW: Timestamp = Timestamp::new(1_780_000_000);

fn signer(kind: KeyKind, name: &str, seed: u8) -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(name).unwrap(), kind, &[seed; 32]).unwrap()
}

/// A witness in the same program, which can be away.
struct Local {
    witness: Witness<FaultyStorage>,
    is_there: Arc<Mutex<bool>>,
    asked: Arc<Mutex<usize>>,
}

impl Cosigners for Local {
    fn cosign(
        &mut self,
        _: &Note,
        prove: &dyn Fn(u64) -> Result<AddCheckpoint, LogError>,
    ) -> Vec<NoteSignature> {
        if !*self.is_there.lock().unwrap() {
            return Vec::new();
        }
        *self.asked.lock().unwrap() += 1;
        match self.witness.cosign(&prove(0).unwrap(), NOW) {
            Ok(line) => vec![line],
            Err(crate::witness::WitnessError::Conflict { size }) => {
                let request = prove(size).unwrap();
                vec![self.witness.cosign(&request, NOW).unwrap()]
            }
            Err(error) => unreachable!("{error}"),
        }
    }

    fn quorum(&self) -> usize {
        1
    }
}

struct Setup {
    submission: Submission,
    policy: LogPolicy,
    is_there: Arc<Mutex<bool>>,
    asked: Arc<Mutex<usize>>,
    _folder: tempfile::TempDir,
}

fn setup() -> Setup {
    let key = signer(KeyKind::Ed25519, "example.com/log", 1);
    let of_witness = signer(KeyKind::Ed25519Cosignature, "witness.example", 2);
    let (log_key, witness_key) = (
        key.verifier_key().clone(),
        of_witness.verifier_key().clone(),
    );
    let is_there = Arc::new(Mutex::new(true));
    let asked = Arc::new(Mutex::new(0));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let (sender, receiver) = sync_channel(1);
    let (there, count, known) = (is_there.clone(), asked.clone(), log_key.clone());
    std::thread::spawn(move || {
        let cosigners = Local {
            witness: Witness::new(FaultyStorage::new(), of_witness, vec![known]),
            is_there: there,
            asked: count,
        };
        let log = Log::create(DiskStorage::open(&path).unwrap(), key).unwrap();
        let (sequencer, submission) = Sequencer::new(log, cosigners);
        sender.send(submission).unwrap();
        sequencer.run();
    });
    Setup {
        submission: receiver.recv().unwrap(),
        policy: LogPolicy::new(log_key, vec![witness_key], 1, 60).unwrap(),
        is_there,
        asked,
        _folder: folder,
    }
}

#[tokio::test]
async fn an_entry_comes_back_with_a_proof_that_a_device_accepts() {
    let setup = setup();
    for n in 0..3_u64 {
        let entry = format!("entry {n}").into_bytes();
        let proof = setup.submission.submit(entry.clone()).await.unwrap();
        let logged = proof.verify(&setup.policy, NOW).unwrap();
        assert_eq!((logged.index(), logged.entry()), (n, entry.as_slice()));
    }
}

#[tokio::test]
async fn many_at_once_are_appended_each_once_with_few_cosignatures() {
    let setup = setup();
    let tasks: Vec<_> = (0..200_u64)
        .map(|n| {
            let submission = setup.submission.clone();
            tokio::spawn(async move { submission.submit(format!("entry {n}").into_bytes()).await })
        })
        .collect();
    let mut indices = std::collections::BTreeSet::new();
    for task in tasks {
        let proof = task.await.unwrap().unwrap();
        indices.insert(proof.verify(&setup.policy, NOW).unwrap().index());
    }
    assert_eq!(indices, (0..200).collect());
    assert!(*setup.asked.lock().unwrap() <= 200);
}

#[tokio::test]
async fn without_a_quorum_an_entry_is_kept_and_published_with_the_next_one() {
    let setup = setup();
    *setup.is_there.lock().unwrap() = false;
    let outcome = setup.submission.submit(b"first".to_vec()).await;
    assert!(matches!(
        outcome,
        Err(SubmitError::Quorum {
            index: 0,
            actual: 0,
            expected: 1
        })
    ));
    *setup.is_there.lock().unwrap() = true;
    let proof = setup.submission.submit(b"second".to_vec()).await.unwrap();
    assert_eq!(proof.verify(&setup.policy, NOW).unwrap().index(), 1);
}

#[tokio::test]
async fn an_entry_that_cannot_be_one_is_refused_and_the_log_goes_on() {
    let setup = setup();
    let outcome = setup.submission.submit(Vec::new()).await;
    assert!(matches!(outcome, Err(SubmitError::Log(_))));
    assert!(setup.submission.submit(b"entry".to_vec()).await.is_ok());
}
