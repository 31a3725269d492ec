//! `tlog_tiles` and `signed_note` agree with our own trees, proofs, checkpoints and notes.

use signed_note::{Note as OtherNote, StandardVerifier, VerifierList};
use subrosa_translog::merkle::{
    self, Frontier, HashSource, ProofError, consistency_proof, inclusion_proof,
};
use subrosa_translog::{
    Checkpoint, Hash, KeyKind, KeyName, Note, NoteSigner, Timestamp, VerifierKey,
};
use tlog_tiles::{HashReader, stored_hash_index, tlog};

const SIZE: u64 = 130;

/// Our tree, whose complete subtrees are kept as they are made.
struct Ours(std::collections::BTreeMap<(u8, u64), Hash>);

impl HashSource for Ours {
    type Error = ProofError;

    fn subtree(&self, level: u8, index: u64) -> Result<Hash, ProofError> {
        Ok(self.0[&(level, index)])
    }
}

/// Their tree, in the order in which they store hashes.
struct Theirs(Vec<tlog::Hash>);

impl HashReader for Theirs {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|&at| self.0[at as usize]).collect())
    }
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

fn trees() -> (Ours, Theirs) {
    let (mut ours, mut frontier) = (Ours(Default::default()), Frontier::new());
    let mut theirs = Theirs(Vec::new());
    for index in 0..SIZE {
        frontier.append(Hash::of_leaf(&entry(index)), |level, at, hash| {
            ours.0.insert((level, at), hash);
        });
        assert_eq!(theirs.0.len() as u64, stored_hash_index(0, index));
        let hashes = tlog::stored_hashes(index, &entry(index), &theirs).unwrap();
        theirs.0.extend(hashes);
    }
    (ours, theirs)
}

fn translate(proof: &[Hash]) -> Vec<tlog::Hash> {
    proof
        .iter()
        .map(|hash| tlog::Hash(*hash.as_bytes()))
        .collect()
}

#[test]
fn roots_and_proofs_of_every_tree_are_the_same() {
    let (ours, theirs) = trees();
    for size in 1..=SIZE {
        let root = merkle::tree_root(&ours, size).unwrap();
        let their_root = tlog::tree_hash(size, &theirs).unwrap();
        assert_eq!(*root.as_bytes(), their_root.0);
        for index in (0..size).step_by(3) {
            let proof = translate(&inclusion_proof(&ours, index, size).unwrap());
            assert_eq!(proof, tlog::prove_record(size, index, &theirs).unwrap());
            let leaf = tlog::record_hash(&entry(index));
            tlog::check_record(&proof, size, their_root, index, leaf).unwrap();
        }
        for old in (1..=size).step_by(3) {
            let old_root = merkle::tree_root(&ours, old).unwrap();
            let proof = consistency_proof(&ours, old, size).unwrap();
            let their_proof = tlog::prove_tree(size, old, &theirs).unwrap();
            assert_eq!(translate(&proof), their_proof);
            let their_old = tlog::Hash(*old_root.as_bytes());
            tlog::check_tree(&their_proof, size, their_root, old, their_old).unwrap();
        }
    }
}

fn signer() -> NoteSigner {
    let name = KeyName::new("example.com/log").unwrap();
    NoteSigner::from_seed(name, KeyKind::Ed25519, &[7; 32]).unwrap()
}

#[test]
fn a_checkpoint_that_we_sign_is_one_for_them() {
    let (ours, _) = trees();
    let root = merkle::tree_root(&ours, 77).unwrap();
    let signer = signer();
    let name = signer.verifier_key().name().clone();
    let text = Checkpoint::new(name, 77, root).unwrap().to_string();
    let mut note = Note::new(text.clone()).unwrap();
    note.add(signer.sign(&text, Timestamp::new(1)).unwrap())
        .unwrap();

    let theirs = OtherNote::from_bytes(note.to_string().as_bytes()).unwrap();
    let key = StandardVerifier::new(&signer.verifier_key().to_string()).unwrap();
    let (verified, unverified) = theirs
        .verify(&VerifierList::new(vec![Box::new(key)]))
        .unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(theirs.text()).unwrap();
    assert_eq!(checkpoint.origin(), "example.com/log");
    assert_eq!(checkpoint.size(), 77);
    assert_eq!(checkpoint.hash().0, *root.as_bytes());
}

#[test]
fn a_checkpoint_of_the_vectors_is_one_for_them() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../spec/vectors/transparency.json"
    );
    let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let key = vectors["policy"]["log"].as_str().unwrap();
    let note = vectors["checkpoints"][0]["note"].as_str().unwrap();
    let theirs = OtherNote::from_bytes(note.as_bytes()).unwrap();
    let verifiers = VerifierList::new(vec![Box::new(StandardVerifier::new(key).unwrap())]);
    let (verified, unverified) = theirs.verify(&verifiers).unwrap();
    // Witnesses' keys are of kinds that they do not know.
    assert_eq!((verified.len(), unverified.len()), (1, 2));
    assert!(key.parse::<VerifierKey>().is_ok());
}
