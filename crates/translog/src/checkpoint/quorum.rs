//! Who must have signed a checkpoint, and when.

use thiserror::Error;

use super::{Checkpoint, CheckpointFormatError};
use crate::Timestamp;
use crate::note::{KeyKind, Note, NoteError, VerifierKey};

/// A log and its witnesses, as a device pins them (spec/transparency.md §4).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogPolicy {
    log: VerifierKey,
    witnesses: Vec<VerifierKey>,
    quorum: usize,
    max_age: u64,
}

/// Why a log policy is none.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum LogPolicyError {
    /// The age is not within its bounds.
    #[error("a checkpoint's age is limited to 1..={} seconds", LogPolicy::MAX_AGE)]
    Age,
    /// Two witnesses are one.
    #[error("a witness is named twice, by name or by key")]
    Duplicate,
    /// A key has the wrong kind.
    #[error("a log's key is of type 0x01, a witness's of type 0x04 or 0x06")]
    Kind,
    /// The quorum is not more than half, or more than all.
    #[error("the quorum must be more than half of {witnesses} witnesses, and at most all")]
    Quorum {
        /// How many there are.
        witnesses: usize,
    },
    /// None, or too many.
    #[error("there are 1..={} witnesses", LogPolicy::MAX_WITNESSES)]
    Witnesses,
}

/// A checkpoint that a quorum of witnesses has cosigned, recently enough. Only [`LogPolicy::verify`] makes one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WitnessedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
    time: Timestamp,
}

/// Why a checkpoint is not accepted.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The text is not a checkpoint.
    #[error(transparent)]
    Format(#[from] CheckpointFormatError),
    /// It is from the future.
    #[error("the checkpoint was cosigned {seconds} s from now")]
    Future {
        /// How far.
        seconds: u64,
    },
    /// A signature is missing or wrong.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// It is of another log.
    #[error("the checkpoint is of another log")]
    Origin,
    /// Too few witnesses.
    #[error("{actual} witnesses have cosigned the checkpoint, {expected} must have")]
    Quorum {
        /// How many have.
        actual: usize,
        /// How many must have.
        expected: usize,
    },
    /// It is too old.
    #[error("the checkpoint was cosigned {age} s ago, {limit} s are allowed")]
    Stale {
        /// How old it is.
        age: u64,
        /// How old it may be.
        limit: u64,
    },
}

impl LogPolicy {
    /// The longest age that can be allowed, in seconds: 7 days.
    pub const MAX_AGE: u64 = 7 * 24 * 3600;
    /// The most witnesses.
    pub const MAX_WITNESSES: usize = 32;
    /// How far a witness's clock may be ahead of the device's, in seconds.
    pub const TOLERANCE: u64 = 300;

    /// A policy of these values.
    ///
    /// # Errors
    ///
    /// [`LogPolicyError`].
    pub fn new(
        log: VerifierKey,
        witnesses: Vec<VerifierKey>,
        quorum: usize,
        max_age: u64,
    ) -> Result<Self, LogPolicyError> {
        if witnesses.is_empty() || witnesses.len() > Self::MAX_WITNESSES {
            return Err(LogPolicyError::Witnesses);
        }
        let is_kind = witnesses.iter().all(|key| key.kind().is_cosignature());
        if log.kind() != KeyKind::Ed25519 || !is_kind {
            return Err(LogPolicyError::Kind);
        }
        for (at, key) in witnesses.iter().enumerate() {
            let same = |other: &VerifierKey| {
                other.name() == key.name() || other.public_bytes() == key.public_bytes()
            };
            if witnesses.iter().skip(at.saturating_add(1)).any(same) {
                return Err(LogPolicyError::Duplicate);
            }
        }
        if quorum <= witnesses.len() / 2 || quorum > witnesses.len() {
            return Err(LogPolicyError::Quorum {
                witnesses: witnesses.len(),
            });
        }
        if max_age == 0 || max_age > Self::MAX_AGE {
            return Err(LogPolicyError::Age);
        }
        Ok(Self {
            log,
            witnesses,
            quorum,
            max_age,
        })
    }

    /// The key of the log.
    #[must_use]
    pub const fn log(&self) -> &VerifierKey {
        &self.log
    }

    /// The keys of the witnesses.
    #[must_use]
    pub fn witnesses(&self) -> &[VerifierKey] {
        &self.witnesses
    }

    /// Verifies that a note is a checkpoint of this log, signed by it and cosigned by a quorum, in time.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`].
    pub fn verify(
        &self,
        note: &Note,
        now: Timestamp,
    ) -> Result<WitnessedCheckpoint, CheckpointError> {
        let checkpoint = Checkpoint::parse(note.text())?;
        if checkpoint.origin() != self.log.name() {
            return Err(CheckpointError::Origin);
        }
        note.verify(&self.log)?;
        let time = self.time(note)?;
        let age = now.since(time);
        if age > self.max_age {
            return Err(CheckpointError::Stale {
                age,
                limit: self.max_age,
            });
        }
        let seconds = time.since(now);
        if seconds > Self::TOLERANCE {
            return Err(CheckpointError::Future { seconds });
        }
        Ok(WitnessedCheckpoint {
            checkpoint,
            note: note.clone(),
            time,
        })
    }

    /// The time at which a quorum had cosigned: fewer than a quorum cannot move it.
    fn time(&self, note: &Note) -> Result<Timestamp, CheckpointError> {
        let mut times = Vec::new();
        for witness in &self.witnesses {
            match note.verify(witness) {
                Ok(time) => times.extend(time),
                Err(NoteError::Unsigned(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        times.sort_unstable();
        let at = times.len().checked_sub(self.quorum);
        at.and_then(|at| times.get(at))
            .copied()
            .ok_or(CheckpointError::Quorum {
                actual: times.len(),
                expected: self.quorum,
            })
    }
}

impl WitnessedCheckpoint {
    /// Origin, size and root.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note, with its signatures.
    #[must_use]
    pub const fn note(&self) -> &Note {
        &self.note
    }

    /// When a quorum had cosigned it.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }
}
