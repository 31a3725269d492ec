//! What a device keeps of the logs it has seen (spec/transparency.md §8).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::entry::directory::LoggedDirectory;
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
    directories: BTreeMap<String, SeenDirectory>,
}

/// Proofs that one tree of a log continues another, by the sizes of both.
pub type ConsistencyProofs = BTreeMap<(u64, u64), Vec<Hash>>;

#[derive(Clone, Debug, Eq, PartialEq)]
struct Seen {
    checkpoint: Checkpoint,
    note: Note,
}

/// The directory of the latest epoch that was seen.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct SeenDirectory {
    epoch: u64,
    /// In base64.
    root: String,
    /// The entry, a signed note.
    entry: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    schema: u64,
    latest: u64,
    logs: BTreeMap<String, String>,
    minimum_sequences: BTreeMap<String, u64>,
    roster_sequences: BTreeMap<String, u64>,
    /// Since schema 2.
    #[serde(default)]
    directories: BTreeMap<String, SeenDirectory>,
}

/// Two signed notes, both exact: what a refusal is about, and to be kept.
///
/// Two checkpoints of one size with different roots prove to anybody that the log has forked; two entries of one
/// epoch with different roots, that somebody was shown a directory of his own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Conflict {
    /// What was seen before, a signed note.
    pub seen: String,
    /// What was refused, a signed note.
    pub refused: String,
}

/// Why what a log shows is refused by who has seen more of it.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum StateError {
    /// The epoch has two directories.
    #[error("epoch {epoch} of the service has two directories in the log")]
    Directory {
        /// Which epoch.
        epoch: u64,
        /// The two entries.
        conflict: Box<Conflict>,
    },
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

impl StateError {
    /// The two signed notes, where the refusal is about two.
    #[must_use]
    pub fn conflict(&self) -> Option<&Conflict> {
        match self {
            Self::Directory { conflict, .. }
            | Self::Fork(conflict)
            | Self::Rollback { conflict, .. }
            | Self::Unproven { conflict, .. } => Some(conflict),
            Self::ReleaseTooOld { .. } | Self::RosterTooOld { .. } => None,
        }
    }
}

impl DeviceState {
    /// The schema that is written.
    pub const SCHEMA: u64 = 2;
    /// The oldest schema that is read.
    const OLDEST: u64 = 1;
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
    /// As [`Self::see_all`].
    pub fn see(&mut self, new: &WitnessedCheckpoint, proof: &[Hash]) -> Result<(), StateError> {
        let sizes = (
            self.size_of(new.checkpoint().origin().as_str()),
            new.checkpoint().size(),
        );
        self.see_all(&[new], &[(sizes, proof.to_vec())].into())
    }

    /// The sizes between which a proof of consistency is needed to take these checkpoints of one log: none where they are
    /// refused whatever is proven.
    #[must_use]
    pub fn steps(&self, shown: &[&WitnessedCheckpoint]) -> Vec<(u64, u64)> {
        let chain = self.chain(shown);
        if self.rolled_back(shown).is_some() || forked(&chain).is_some() {
            return Vec::new();
        }
        let sizes = chain.iter().map(|seen| seen.checkpoint.size());
        let pairs = sizes.clone().zip(sizes.skip(1));
        // An empty tree is the beginning of every other.
        pairs.filter(|(old, new)| *old != 0 && old < new).collect()
    }

    /// Takes checkpoints of one log that were shown together, if all are of one history with what was seen before
    /// and the largest is not older than it.
    ///
    /// `proofs` lead over each of [`Self::steps`].
    ///
    /// # Errors
    ///
    /// [`StateError::Rollback`], [`StateError::Fork`] or [`StateError::Unproven`]; the state is then as before.
    pub fn see_all(
        &mut self,
        shown: &[&WitnessedCheckpoint],
        proofs: &ConsistencyProofs,
    ) -> Result<(), StateError> {
        let Some(newest) = shown.iter().max_by_key(|one| one.checkpoint().size()) else {
            return Ok(());
        };
        if let Some((seen, newest)) = self.rolled_back(shown) {
            return Err(StateError::Rollback {
                size: newest.checkpoint.size(),
                seen: seen.checkpoint.size(),
                conflict: Box::new(conflict(seen, &newest)),
            });
        }
        let chain = self.chain(shown);
        // A fork that needs no proof is said first: it accuses the log.
        if let Some((old, new)) = forked(&chain) {
            return Err(StateError::Fork(Box::new(conflict(old, new))));
        }
        for (old, new) in chain.iter().zip(chain.iter().skip(1)) {
            let sizes = (old.checkpoint.size(), new.checkpoint.size());
            let proof = proofs.get(&sizes).map_or(&[][..], Vec::as_slice);
            check_continues(old, new, proof)?;
        }
        let origin = newest.checkpoint().origin().as_str().to_owned();
        self.logs.insert(origin, Seen::from(*newest));
        let times = shown.iter().map(|one| one.time().get());
        self.latest = times.fold(self.latest, u64::max);
        Ok(())
    }

    /// What was seen, and the largest of these checkpoints, if that is smaller.
    fn rolled_back(&self, shown: &[&WitnessedCheckpoint]) -> Option<(&Seen, Seen)> {
        let newest = shown.iter().max_by_key(|one| one.checkpoint().size())?;
        let seen = self.logs.get(newest.checkpoint().origin().as_str())?;
        let is_smaller = newest.checkpoint().size() < seen.checkpoint.size();
        is_smaller.then(|| (seen, Seen::from(*newest)))
    }

    /// What was seen of the log, and these checkpoints, in ascending order.
    fn chain(&self, shown: &[&WitnessedCheckpoint]) -> Vec<Seen> {
        let origin = shown.first().map(|one| one.checkpoint().origin().as_str());
        let seen = origin.and_then(|origin| self.logs.get(origin)).cloned();
        let shown = shown.iter().map(|one| Seen::from(*one));
        let mut chain: Vec<Seen> = seen.into_iter().chain(shown).collect();
        // Stable: of equal sizes what was seen comes first.
        chain.sort_by_key(|one| one.checkpoint.size());
        chain
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

    /// Takes the directory of a service, if its epoch has no other.
    ///
    /// Of an epoch before the latest nothing is kept; it is not refused here, because directories are short-lived.
    ///
    /// # Errors
    ///
    /// [`StateError::Directory`].
    pub fn see_directory(
        &mut self,
        service: &str,
        directory: &LoggedDirectory,
    ) -> Result<(), StateError> {
        let new = SeenDirectory {
            epoch: directory.directory().epoch(),
            root: directory.root().to_base64(),
            entry: directory.entry().to_owned(),
        };
        if let Some(seen) = self.directories.get(service) {
            if seen.epoch == new.epoch && seen.root != new.root {
                return Err(StateError::Directory {
                    epoch: new.epoch,
                    conflict: Box::new(Conflict {
                        seen: seen.entry.clone(),
                        refused: new.entry,
                    }),
                });
            }
            if seen.epoch >= new.epoch {
                return Ok(());
            }
        }
        self.directories.insert(service.to_owned(), new);
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
            directories: self.directories.clone(),
        };
        let text = serde_json::to_string_pretty(&file).map_err(damaged)?;
        Ok(format!("{text}\n"))
    }

    /// Reads a state file, also of an older schema. It is the device's own: signatures in it are not verified again.
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
        if schema < Self::OLDEST || (schema == 1 && !file.directories.is_empty()) {
            return Err(damaged("its schema has other members"));
        }
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
            directories: file.directories,
        })
    }
}

/// Two of one size with different roots.
fn forked(chain: &[Seen]) -> Option<(&Seen, &Seen)> {
    let mut pairs = chain.iter().zip(chain.iter().skip(1));
    pairs.find(|(old, new)| {
        let (old, new) = (&old.checkpoint, &new.checkpoint);
        old.size() == new.size() && old.root() != new.root()
    })
}

fn damaged(error: impl std::fmt::Display) -> StateFileError {
    StateFileError::Damaged(format!("{error}"))
}

impl From<&WitnessedCheckpoint> for Seen {
    fn from(witnessed: &WitnessedCheckpoint) -> Self {
        Self {
            checkpoint: witnessed.checkpoint().clone(),
            note: witnessed.note().clone(),
        }
    }
}

fn conflict(seen: &Seen, refused: &Seen) -> Conflict {
    Conflict {
        seen: seen.note.to_string(),
        refused: refused.note.to_string(),
    }
}

fn check_continues(seen: &Seen, new: &Seen, proof: &[Hash]) -> Result<(), StateError> {
    let (old, next) = (&seen.checkpoint, &new.checkpoint);
    let verdict = verify_consistency(proof, old.size(), old.root(), next.size(), next.root());
    // A proof that fails may be a bad proof, and accuses nobody.
    verdict.map_err(|error| StateError::Unproven {
        error,
        conflict: Box::new(conflict(seen, new)),
    })
}

#[cfg(test)]
mod tests;
