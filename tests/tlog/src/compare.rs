//! Times our tree and the one of `tlog_tiles` in turn, on the same entries: `compare SIZE ROUNDS`.
//!
//! Prints one JSON object: seconds of every round as `[ours, theirs]`, and how many hashes proofs have.
#![allow(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a measurement: what goes wrong ends it"
)]

use std::time::Instant;

use serde_json::json;
use subrosa_translog::Hash;
use subrosa_translog::merkle::{
    self, Frontier, HashSource, ProofError, consistency_proof, inclusion_proof, tree_root,
};
use tlog_tiles::{HashReader, tlog};

/// Complete subtrees, level by level.
#[derive(Default)]
struct Ours(Vec<Vec<Hash>>);

impl HashSource for Ours {
    type Error = ProofError;

    fn subtree(&self, level: u8, index: u64) -> Result<Hash, ProofError> {
        Ok(self.0[usize::from(level)][index as usize])
    }
}

/// Complete subtrees, in the order in which they are made.
struct Theirs(Vec<tlog::Hash>);

impl HashReader for Theirs {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|&at| self.0[at as usize]).collect())
    }
}

fn entry(index: u64) -> [u8; 128] {
    let mut entry = [0; 128];
    entry[..8].copy_from_slice(&index.to_be_bytes());
    entry
}

fn our_tree(size: u64) -> Ours {
    let (mut ours, mut frontier) = (Ours::default(), Frontier::new());
    for index in 0..size {
        frontier.append(Hash::of_leaf(&entry(index)), |level, _, hash| {
            let level = usize::from(level);
            if ours.0.len() == level {
                ours.0.push(Vec::new());
            }
            ours.0[level].push(hash);
        });
    }
    ours
}

fn their_tree(size: u64) -> Theirs {
    let mut theirs = Theirs(Vec::new());
    for index in 0..size {
        let hashes = tlog::stored_hashes(index, &entry(index), &theirs).unwrap();
        theirs.0.extend(hashes);
    }
    theirs
}

/// Seconds of both, `rounds` times. Who goes first changes.
fn pairs(rounds: usize, ours: impl Fn(), theirs: impl Fn()) -> Vec<[f64; 2]> {
    let time = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    (0..rounds)
        .map(|round| {
            if round % 2 == 0 {
                let first = time(&ours);
                [first, time(&theirs)]
            } else {
                let first = time(&theirs);
                [time(&ours), first]
            }
        })
        .collect()
}

/// Numbers from 1 up to and with `size`, spread evenly and without a pattern in their bits.
fn sample(size: u64) -> Vec<u64> {
    let step = size / SAMPLE;
    (0..SAMPLE)
        .map(|at| 1 + at * step + (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % step)
        .collect()
}

fn main() {
    let mut words = std::env::args().skip(1);
    let mut number = || words.next()?.parse::<u64>().ok();
    let (Some(size), Some(rounds)) = (number(), number()) else {
        eprintln!("usage: compare SIZE ROUNDS");
        std::process::exit(2);
    };
    assert!((SAMPLE..=1 << 24).contains(&size), "SIZE is 1000 to 2^24");
    let rounds = rounds as usize;

    let build = pairs(
        rounds,
        || drop(std::hint::black_box(our_tree(size))),
        || drop(std::hint::black_box(their_tree(size))),
    );
    let (ours, theirs) = (our_tree(size), their_tree(size));
    let root = tree_root(&ours, size).unwrap();
    let their_root = tlog::tree_hash(size, &theirs).unwrap();
    assert_eq!(*root.as_bytes(), their_root.0, "the roots differ");

    let sample = sample(size);
    let included: Vec<_> = sample
        .iter()
        .map(|&at| inclusion_proof(&ours, at - 1, size).unwrap())
        .collect();
    let consistent: Vec<_> = sample
        .iter()
        .map(|&old| consistency_proof(&ours, old, size).unwrap())
        .collect();
    let old_roots: Vec<_> = sample
        .iter()
        .map(|&old| tree_root(&ours, old).unwrap())
        .collect();
    let translate = |proofs: &[Vec<Hash>]| -> Vec<Vec<tlog::Hash>> {
        let one = |proof: &Vec<Hash>| proof.iter().map(|h| tlog::Hash(*h.as_bytes())).collect();
        proofs.iter().map(one).collect()
    };
    let (their_included, their_consistent) = (translate(&included), translate(&consistent));
    for (at, &index) in sample.iter().enumerate() {
        let proof = tlog::prove_record(size, index - 1, &theirs).unwrap();
        assert_eq!(proof, their_included[at], "inclusion of {index}");
        let proof = tlog::prove_tree(size, index, &theirs).unwrap();
        assert_eq!(proof, their_consistent[at], "consistency of {index}");
    }

    let include = pairs(
        rounds,
        || {
            for &index in &sample {
                std::hint::black_box(inclusion_proof(&ours, index - 1, size).unwrap());
            }
        },
        || {
            for &index in &sample {
                std::hint::black_box(tlog::prove_record(size, index - 1, &theirs).unwrap());
            }
        },
    );
    let check_included = pairs(
        rounds,
        || {
            for (proof, &index) in included.iter().zip(&sample) {
                let leaf = Hash::of_leaf(&entry(index - 1));
                merkle::verify_inclusion(proof, size, &root, index - 1, &leaf).unwrap();
            }
        },
        || {
            for (proof, &index) in their_included.iter().zip(&sample) {
                let leaf = tlog::record_hash(&entry(index - 1));
                tlog::check_record(proof, size, their_root, index - 1, leaf).unwrap();
            }
        },
    );
    let connect = pairs(
        rounds,
        || {
            for &old in &sample {
                std::hint::black_box(consistency_proof(&ours, old, size).unwrap());
            }
        },
        || {
            for &old in &sample {
                std::hint::black_box(tlog::prove_tree(size, old, &theirs).unwrap());
            }
        },
    );
    let check_consistent = pairs(
        rounds,
        || {
            for ((proof, &old), old_root) in consistent.iter().zip(&sample).zip(&old_roots) {
                merkle::verify_consistency(proof, old, old_root, size, &root).unwrap();
            }
        },
        || {
            let old_roots = old_roots.iter().map(|root| tlog::Hash(*root.as_bytes()));
            for ((proof, &old), old_root) in their_consistent.iter().zip(&sample).zip(old_roots) {
                tlog::check_tree(proof, size, their_root, old, old_root).unwrap();
            }
        },
    );
    println!(
        "{}",
        json!({
            "proofs": SAMPLE,
            "build": build,
            "prove inclusion": include,
            "verify inclusion": check_included,
            "prove consistency": connect,
            "verify consistency": check_consistent,
        })
    );
}

const SAMPLE: u64 = 1000;
