//! A log, its witnesses and authors of entries, for tests.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use crate::entry::Authors;
use crate::entry::release::{
    Artefact, Builder, Manifest, Measurement, NamedDigest, ReleasePolicy, Source,
};
use crate::merkle::{Frontier, HashSource, ProofError, inclusion_proof};
use crate::{Checkpoint, Hash, KeyKind, KeyName, LogPolicy, LogProof, Note, NoteSigner, Timestamp};

pub(crate) const LOG: &str = "example.com/log";
pub(crate) const NOW: Timestamp = Timestamp::new(1_780_000_000);

pub(crate) fn signer(kind: KeyKind, name: &str, seed: u8) -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(name).unwrap(), kind, &[seed; 32]).unwrap()
}

/// A log in memory. Its witnesses alternate in kind.
pub(crate) struct Log {
    name: String,
    entries: Vec<Vec<u8>>,
}

impl Log {
    pub(crate) fn of(entries: &[&[u8]]) -> Self {
        Self::named(LOG, entries)
    }

    pub(crate) fn named(name: &str, entries: &[&[u8]]) -> Self {
        Self {
            name: name.to_owned(),
            entries: entries.iter().map(|entry| entry.to_vec()).collect(),
        }
    }

    pub(crate) fn key(&self) -> NoteSigner {
        signer(KeyKind::Ed25519, &self.name, 1)
    }

    pub(crate) fn witness(at: u8) -> NoteSigner {
        let kind = if at.is_multiple_of(2) {
            KeyKind::Ed25519Cosignature
        } else {
            KeyKind::MlDsa44Cosignature
        };
        signer(kind, &format!("witness{at}.example"), 10 + at)
    }

    pub(crate) fn policy(&self, witnesses: u8, quorum: usize) -> LogPolicy {
        let witnesses = (0..witnesses)
            .map(|at| Self::witness(at).verifier_key().clone())
            .collect();
        LogPolicy::new(self.key().verifier_key().clone(), witnesses, quorum, 3600).unwrap()
    }

    /// The checkpoint, cosigned by as many witnesses as there are ages, each so many seconds ago.
    pub(crate) fn checkpoint_at(&self, ages: &[u64]) -> Note {
        let root = self.root();
        let origin = KeyName::new(&self.name).unwrap();
        let size = u64::try_from(self.entries.len()).unwrap();
        let text = Checkpoint::new(origin, size, root).unwrap().to_string();
        let mut note = Note::new(text.clone()).unwrap();
        note.add(self.key().sign(&text, NOW).unwrap()).unwrap();
        for (at, age) in ages.iter().enumerate() {
            let witness = Self::witness(u8::try_from(at).unwrap());
            let time = Timestamp::new(NOW.get() - age);
            note.add(witness.sign(&text, time).unwrap()).unwrap();
        }
        note
    }

    pub(crate) fn root(&self) -> Hash {
        let mut frontier = Frontier::new();
        for entry in &self.entries {
            frontier.append(Hash::of_leaf(entry), |_, _, _| ());
        }
        frontier.root()
    }

    /// The proof of an entry, cosigned by three witnesses just now.
    pub(crate) fn proof(&self, index: usize) -> LogProof {
        let size = u64::try_from(self.entries.len()).unwrap();
        let hashes = inclusion_proof(self, u64::try_from(index).unwrap(), size).unwrap();
        let entry = self.entries[index].clone();
        let checkpoint = self.checkpoint_at(&[0, 0, 0]);
        LogProof::new(entry, u64::try_from(index).unwrap(), hashes, checkpoint).unwrap()
    }
}

impl HashSource for Log {
    type Error = ProofError;

    fn subtree(&self, level: u8, index: u64) -> Result<Hash, ProofError> {
        let width = 1_usize << level;
        let start = usize::try_from(index).unwrap() * width;
        let mut frontier = Frontier::new();
        for entry in &self.entries[start..start + width] {
            frontier.append(Hash::of_leaf(entry), |_, _, _| ());
        }
        Ok(frontier.root())
    }
}

pub(crate) fn author(seed: u8) -> NoteSigner {
    signer(
        KeyKind::Ed25519,
        &format!("author{seed}.example"),
        200 + seed,
    )
}

pub(crate) fn authors(count: u8, threshold: usize) -> Authors {
    let keys = (0..count).map(|seed| author(seed).verifier_key().clone());
    Authors::new(keys.collect(), threshold).unwrap()
}

pub(crate) fn sign(text: &str, signers: &[u8]) -> Note {
    let mut note = Note::new(text).unwrap();
    for seed in signers {
        note.add(author(*seed).sign(text, NOW).unwrap()).unwrap();
    }
    note
}

/// A log with something before and after this entry, which is entry 1.
pub(crate) fn log_of(entry: &Note) -> Log {
    Log::of(&[b"before", entry.to_string().as_bytes(), b"after"])
}

pub(crate) fn manifest(sequence: u64, minimum_sequence: u64) -> Manifest {
    let digest = |name: &str| NamedDigest {
        name: name.to_owned(),
        sha256: [7; 32],
    };
    Manifest {
        service: "subrosa.example/chat".to_owned(),
        version: "0.1.0".to_owned(),
        sequence,
        minimum_sequence,
        not_before: NOW.get() - 1000,
        not_after: NOW.get() + 1000,
        source: Source {
            repository: "https://git.example/subrosa".to_owned(),
            commit: "c".repeat(40),
        },
        builder: Builder {
            id: "https://ci.example/builder@v1".to_owned(),
            provenance: Some("d".repeat(64)),
        },
        artefacts: vec![Artefact {
            name: "subrosa-enclave".to_owned(),
            sha256: [1; 32],
            bytes: 1000,
        }],
        measurements: vec![Measurement {
            name: "SNP, 8 vCPUs".to_owned(),
            platform: "sev-snp".to_owned(),
            registers: [("value".to_owned(), "e".repeat(96))].into(),
        }],
        weights: vec![digest("demo")],
        configurations: vec![digest("default")],
        web_assets: Vec::new(),
        policy: ReleasePolicy::default(),
    }
}
