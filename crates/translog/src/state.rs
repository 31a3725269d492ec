//! What a device keeps of the logs it has seen (spec/transparency.md §8).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::entry::release::LoggedRelease;
use crate::entry::roster::LoggedRoster;
use crate::hash::Hash;
use crate::merkle::{ProofError, verify_consistency};
use crate::note::Note;
use crate::{Checkpoint, Timestamp, WitnessedCheckpoint};

/// The last that a device has seen of each log. Text, to be written before it is acted on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DeviceState {
    logs: BTreeMap<String, Seen>,
    latest: u64,
    minimum_sequences: BTreeMap<String, u64>,
    roster_sequences: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Seen {
    checkpoint: Checkpoint,
    note: Note,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    schema: u64,
    latest: u64,
    logs: BTreeMap<String, String>,
    minimum_sequences: BTreeMap<String, u64>,
    roster_sequences: BTreeMap<String, u64>,
}

/// Two witnessed checkpoints of one log, both exact: what a refusal is about, and to be kept.
///
/// Of one size with different roots they prove to anybody that the log has forked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Conflict {
    /// The checkpoint that was seen before, a signed note.
    pub seen: String,
    /// The one that was refused, a signed note.
    pub refused: String,
}

/// Why what a log shows is refused by who has seen more of it.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum StateError {
    /// The log shows another tree of the same size.
    #[error("the log has forked: two of its checkpoints contradict each other")]
    Fork(Box<Conflict>),
    /// The release is older than the service allows.
    #[error("release {sequence} of the service is below its minimum, {minimum}")]
    ReleaseTooOld {
        /// Of the release.
        sequence: u64,
        /// What the device has seen to be the minimum.
        minimum: u64,
    },
    /// The log is shorter than it was.
    #[error("the log has {size} entries, and had {seen} before")]
    Rollback {
        /// Entries now.
        size: u64,
        /// Entries before.
        seen: u64,
        /// The two checkpoints.
        conflict: Box<Conflict>,
    },
    /// The roster is older than one that was seen.
    #[error("roster {sequence} is older than roster {seen}, which was seen before")]
    RosterTooOld {
        /// Of the roster.
        sequence: u64,
        /// What the device has seen.
        seen: u64,
    },
    /// The larger checkpoint comes without a proof that it continues the one that was seen.
    #[error(
        "the log's checkpoint does not come with a proof that it continues the last one: {error}"
    )]
    Unproven {
        /// What is wrong with the proof.
        error: ProofError,
        /// The two checkpoints.
        conflict: Box<Conflict>,
    },
}

/// Why a state file is not read.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum StateFileError {
    /// It is damaged.
    #[error("the state file is damaged: {0}")]
    Damaged(String),
    /// A newer version wrote it.
    #[error("the state file has schema {0}, which a newer version wrote: update this program")]
    Newer(u64),
}

impl DeviceState {
    /// The schema that is written.
    pub const SCHEMA: u64 = 1;
    /// The largest state file, in bytes.
    pub const MAX: usize = 1024 * 1024;

    /// The state of a device that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The size of the last checkpoint of this log, from which a proof of consistency must lead.
    #[must_use]
    pub fn size_of(&self, origin: &str) -> u64 {
        self.logs
            .get(origin)
            .map_or(0, |seen| seen.checkpoint.size())
    }

    /// The time that it is at least, whatever the device's clock says.
    #[must_use]
    pub fn not_before(&self, clock: Timestamp) -> Timestamp {
        clock.max(Timestamp::new(self.latest))
    }

    /// Takes a checkpoint as the log's last, if it continues the one before.
    ///
    /// `proof` leads from [`Self::size_of`] to it, and is empty where they are equal or nothing was seen.
    ///
    /// # Errors
    ///
    /// [`StateError::Rollback`], [`StateError::Fork`] or [`StateError::Unproven`]; the state is then as before.
    pub fn see(&mut self, new: &WitnessedCheckpoint, proof: &[Hash]) -> Result<(), StateError> {
        let origin = new.checkpoint().origin().as_str();
        if let Some(seen) = self.logs.get(origin) {
            check_continues(seen, new, proof)?;
        }
        let seen = Seen {
            checkpoint: new.checkpoint().clone(),
            note: new.note().clone(),
        };
        self.logs.insert(origin.to_owned(), seen);
        self.latest = self.latest.max(new.time().get());
        Ok(())
    }

    /// Takes a release, if it is not below the minimum that was seen, and its own minimum.
    ///
    /// # Errors
    ///
    /// [`StateError::ReleaseTooOld`].
    pub fn see_release(&mut self, release: &LoggedRelease) -> Result<(), StateError> {
        let manifest = release.manifest();
        let minimum = self
            .minimum_sequences
            .entry(manifest.service.clone())
            .or_default();
        if manifest.sequence < *minimum {
            return Err(StateError::ReleaseTooOld {
                sequence: manifest.sequence,
                minimum: *minimum,
            });
        }
        *minimum = manifest.minimum_sequence.max(*minimum);
        Ok(())
    }

    /// Takes a roster, if no newer one was seen.
    ///
    /// # Errors
    ///
    /// [`StateError::RosterTooOld`].
    pub fn see_roster(&mut self, roster: &LoggedRoster) -> Result<(), StateError> {
        let origin = roster.checkpoint().checkpoint().origin().as_str();
        let seen = self.roster_sequences.entry(origin.to_owned()).or_default();
        let sequence = roster.roster().sequence;
        if sequence < *seen {
            return Err(StateError::RosterTooOld {
                sequence,
                seen: *seen,
            });
        }
        *seen = sequence;
        Ok(())
    }

    /// The text of a state file.
    ///
    /// # Errors
    ///
    /// None that is known: [`StateFileError::Damaged`] if the library cannot write it.
    pub fn to_text(&self) -> Result<String, StateFileError> {
        let file = File {
            schema: Self::SCHEMA,
            latest: self.latest,
            logs: self
                .logs
                .iter()
                .map(|(origin, seen)| (origin.clone(), seen.note.to_string()))
                .collect(),
            minimum_sequences: self.minimum_sequences.clone(),
            roster_sequences: self.roster_sequences.clone(),
        };
        let text = serde_json::to_string_pretty(&file).map_err(damaged)?;
        Ok(format!("{text}\n"))
    }

    /// Reads a state file. It is the device's own: signatures in it are not verified again.
    ///
    /// # Errors
    ///
    /// [`StateFileError`].
    pub fn parse(text: &str) -> Result<Self, StateFileError> {
        #[derive(Deserialize)]
        struct Schema {
            schema: u64,
        }
        if text.len() > Self::MAX {
            return Err(damaged("it is too large"));
        }
        let Schema { schema } = serde_json::from_str(text).map_err(damaged)?;
        if schema > Self::SCHEMA {
            return Err(StateFileError::Newer(schema));
        }
        let file: File = serde_json::from_str(text).map_err(damaged)?;
        let mut logs = BTreeMap::new();
        for (origin, note) in file.logs {
            let note = Note::parse(note.as_bytes()).map_err(damaged)?;
            let checkpoint = Checkpoint::parse(note.text()).map_err(damaged)?;
            if checkpoint.origin().as_str() != origin {
                return Err(damaged("a checkpoint is of another log"));
            }
            logs.insert(origin, Seen { checkpoint, note });
        }
        Ok(Self {
            logs,
            latest: file.latest,
            minimum_sequences: file.minimum_sequences,
            roster_sequences: file.roster_sequences,
        })
    }
}

fn damaged(error: impl std::fmt::Display) -> StateFileError {
    StateFileError::Damaged(format!("{error}"))
}

fn check_continues(
    seen: &Seen,
    new: &WitnessedCheckpoint,
    proof: &[Hash],
) -> Result<(), StateError> {
    let (old, next) = (&seen.checkpoint, new.checkpoint());
    let conflict = || {
        Box::new(Conflict {
            seen: seen.note.to_string(),
            refused: new.note().to_string(),
        })
    };
    if next.size() < old.size() {
        return Err(StateError::Rollback {
            size: next.size(),
            seen: old.size(),
            conflict: conflict(),
        });
    }
    let verdict = verify_consistency(proof, old.size(), old.root(), next.size(), next.root());
    verdict.map_err(|error| {
        // Of one size there is one root: no proof is needed to see the fork. A proof that fails may
        // be a bad proof, and accuses nobody.
        if next.size() == old.size() && next.root() != old.root() {
            StateError::Fork(conflict())
        } else {
            StateError::Unproven {
                error,
                conflict: conflict(),
            }
        }
    })
}

#[cfg(test)]
mod tests;
