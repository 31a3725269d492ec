//! Proofs that need nothing else (c2sp.org/tlog-proof).

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::Timestamp;
use crate::checkpoint::{CheckpointError, LogPolicy, WitnessedCheckpoint, decimal};
use crate::hash::Hash;
use crate::merkle::{MAX_INCLUSION, ProofError, verify_inclusion};
use crate::note::{Note, NoteError};

/// A proof that an entry is in a log. Nothing of it is verified.
#[derive(Clone, Eq, PartialEq)]
pub struct LogProof {
    entry: Vec<u8>,
    index: u64,
    hashes: Vec<Hash>,
    checkpoint: Note,
}

/// An entry that a witnessed log holds. Only [`LogProof::verify`] makes one.
#[derive(Clone, Eq, PartialEq)]
pub struct LoggedEntry {
    entry: Vec<u8>,
    index: u64,
    checkpoint: WitnessedCheckpoint,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum LogProofError {
    /// The checkpoint is not accepted.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The bytes have another form.
    #[error("not a log proof: {0}")]
    Format(&'static str),
    /// The entry is not in the checkpoint's tree.
    #[error(transparent)]
    Inclusion(#[from] ProofError),
    /// The checkpoint is not a note.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl LogProof {
    /// The largest proof, in bytes.
    pub const MAX: usize = 96 * 1024;
    /// The largest entry, in bytes: what an entry bundle can hold.
    pub const MAX_ENTRY: usize = 65_535;

    /// A proof from its parts.
    ///
    /// # Errors
    ///
    /// [`LogProofError::Format`] if the entry is empty or too large, or there are too many hashes.
    pub fn new(
        entry: Vec<u8>,
        index: u64,
        hashes: Vec<Hash>,
        checkpoint: Note,
    ) -> Result<Self, LogProofError> {
        if entry.is_empty() || entry.len() > Self::MAX_ENTRY {
            return Err(LogProofError::Format("an entry has 1 to 65535 bytes"));
        }
        if hashes.len() > MAX_INCLUSION {
            return Err(LogProofError::Format("too many hashes"));
        }
        Ok(Self {
            entry,
            index,
            hashes,
            checkpoint,
        })
    }

    /// Reads a proof; the entry is in its `extra` line.
    ///
    /// # Errors
    ///
    /// [`LogProofError::Format`] or [`LogProofError::Note`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LogProofError> {
        let format = LogProofError::Format;
        if bytes.len() > Self::MAX {
            return Err(format("it is too large"));
        }
        let text = core::str::from_utf8(bytes).map_err(|_| format("it is not UTF-8"))?;
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or(format("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(format("it does not begin with c2sp.org/tlog-proof@v1"));
        }
        let entry = lines
            .next()
            .and_then(|line| line.strip_prefix("extra "))
            .ok_or(format("no `extra` line with the entry"))?;
        let entry = STANDARD
            .decode(entry)
            .map_err(|_| format("the entry is not canonical base64"))?;
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(decimal)
            .ok_or(format("no `index` line with a number"))?;
        let mut hashes = Vec::new();
        for line in lines {
            if hashes.len() >= MAX_INCLUSION {
                return Err(format("too many hashes"));
            }
            hashes.push(Hash::from_base64(line).ok_or(format("a line is not a hash"))?);
        }
        let checkpoint = Note::parse(checkpoint.as_bytes())?;
        Self::new(entry, index, hashes, checkpoint)
    }

    /// The entry, of which nothing is verified.
    #[must_use]
    pub fn entry(&self) -> &[u8] {
        &self.entry
    }

    /// Which entry it is, from 0; nothing is verified.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint, of which nothing is verified.
    #[must_use]
    pub const fn checkpoint(&self) -> &Note {
        &self.checkpoint
    }

    /// Verifies checkpoint and inclusion.
    ///
    /// # Errors
    ///
    /// [`LogProofError::Checkpoint`] or [`LogProofError::Inclusion`].
    pub fn verify(&self, policy: &LogPolicy, now: Timestamp) -> Result<LoggedEntry, LogProofError> {
        let witnessed = policy.verify(&self.checkpoint, now)?;
        let checkpoint = witnessed.checkpoint();
        verify_inclusion(
            &self.hashes,
            checkpoint.size(),
            checkpoint.root(),
            self.index,
            &Hash::of_leaf(&self.entry),
        )?;
        Ok(LoggedEntry {
            entry: self.entry.clone(),
            index: self.index,
            checkpoint: witnessed,
        })
    }
}

impl LoggedEntry {
    /// The exact bytes that are logged.
    #[must_use]
    pub fn entry(&self) -> &[u8] {
        &self.entry
    }

    /// Which entry of the log it is, from 0.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint that proves it.
    #[must_use]
    pub const fn checkpoint(&self) -> &WitnessedCheckpoint {
        &self.checkpoint
    }
}

impl fmt::Display for LogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        writeln!(f, "extra {}", STANDARD.encode(&self.entry))?;
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", hash.to_base64())?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl fmt::Debug for LogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogProof(entry {})", self.index)
    }
}

impl fmt::Debug for LoggedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoggedEntry({})", self.index)
    }
}

const HEADER: &str = "c2sp.org/tlog-proof@v1";

#[cfg(test)]
mod tests;
