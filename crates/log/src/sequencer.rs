//! Turns: entries of many are appended together, cosigned once, published, and each gets its proof.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use subrosa_translog::{Checkpoint, LogProof, Note, NoteSignature};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::log::{Log, LogError, with_cosignatures};
use crate::storage::Storage;
use crate::witness::AddCheckpoint;

/// Who cosigns the checkpoints of a log.
pub trait Cosigners {
    /// Cosignatures of a signed checkpoint that were verified, of as many witnesses as answered.
    ///
    /// `prove` makes the request for a witness whose last checkpoint had so many entries.
    fn cosign(
        &mut self,
        signed: &Note,
        prove: &dyn Fn(u64) -> Result<AddCheckpoint, LogError>,
    ) -> Vec<NoteSignature>;

    /// How many of them a checkpoint must bear to be published.
    fn quorum(&self) -> usize;
}

/// An entry on its way into the log.
#[derive(Debug)]
struct Turn {
    entry: Vec<u8>,
    reply: oneshot::Sender<Result<LogProof, SubmitError>>,
}

/// Where entries are handed in. Clones lead to the same log.
#[derive(Clone, Debug)]
pub struct Submission(SyncSender<Turn>);

/// Takes entries in turns. It is run by a thread of its own.
#[derive(Debug)]
pub struct Sequencer<S, C> {
    log: Log<S>,
    cosigners: C,
    turns: Receiver<Turn>,
}

/// Why an entry has no proof.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// Too many entries wait.
    #[error("too many entries wait: try again in some seconds")]
    Busy,
    /// The log has failed; its operator must look.
    #[error("the log does not take entries: {0}")]
    Log(String),
    /// It is appended and will be published, but too few witnesses have answered now.
    #[error(
        "the entry is number {index}, but only {actual} of {expected} witnesses have answered: ask for its proof later"
    )]
    Quorum {
        /// Which entry it is.
        index: u64,
        /// How many have.
        actual: usize,
        /// How many must have.
        expected: usize,
    },
    /// The log is being stopped.
    #[error("the log is being stopped: try again later")]
    Stopped,
}

impl<S: Storage, C: Cosigners> Sequencer<S, C> {
    /// A sequencer of this log, and where entries are handed in.
    #[must_use]
    pub fn new(log: Log<S>, cosigners: C) -> (Self, Submission) {
        let (sender, turns) = sync_channel(MAX_WAITING);
        let sequencer = Self {
            log,
            cosigners,
            turns,
        };
        (sequencer, Submission(sender))
    }

    /// The log.
    #[must_use]
    pub const fn log(&self) -> &Log<S> {
        &self.log
    }

    /// Publishes what was signed before, so that a log whose program ended between signing and publishing goes on.
    ///
    /// # Errors
    ///
    /// [`SubmitError`].
    pub fn publish(&mut self) -> Result<(), SubmitError> {
        let (note, actual) = self.cosigned()?;
        let expected = self.cosigners.quorum();
        if actual < expected {
            return Err(SubmitError::Quorum {
                index: self.log.size().saturating_sub(1),
                actual,
                expected,
            });
        }
        self.log.publish(&note).map_err(|error| failed(&error))
    }

    /// Takes turns until every [`Submission`] is gone.
    pub fn run(mut self) {
        while let Ok(first) = self.turns.recv() {
            let mut turns = vec![first];
            turns.extend(self.turns.try_iter().take(MAX_TOGETHER.saturating_sub(1)));
            self.turn(turns);
        }
    }

    fn turn(&mut self, turns: Vec<Turn>) {
        let entries: Vec<_> = turns.iter().map(|turn| &turn.entry).collect();
        let outcome = self
            .log
            .append(&entries)
            .map_err(|error| failed(&error))
            .and_then(|first| self.cosigned().map(|cosigned| (first, cosigned)));
        let (first, (note, actual)) = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                for turn in turns {
                    // Whoever does not wait any more needs no answer.
                    let _ = turn.reply.send(Err(error.clone()));
                }
                return;
            }
        };
        let expected = self.cosigners.quorum();
        let published = if actual < expected {
            None
        } else {
            Some(self.log.publish(&note).map_err(|error| failed(&error)))
        };
        for (index, turn) in (first..).zip(turns) {
            let answer = match &published {
                None => Err(SubmitError::Quorum {
                    index,
                    actual,
                    expected,
                }),
                Some(Err(error)) => Err(error.clone()),
                Some(Ok(())) => self.log.proof(index, &note).map_err(|error| failed(&error)),
            };
            let _ = turn.reply.send(answer);
        }
    }

    /// The last signed checkpoint with the cosignatures of whoever answered, and how many those are.
    fn cosigned(&mut self) -> Result<(Note, usize), SubmitError> {
        let signed = self.log.signed().clone();
        let size = Checkpoint::parse(signed.text()).map_or(0, |checkpoint| checkpoint.size());
        let log = &self.log;
        let prove = |old_size: u64| {
            let proof = log.consistency(old_size, size)?;
            Ok(AddCheckpoint::new(old_size, proof, log.signed().clone()))
        };
        let lines = self.cosigners.cosign(&signed, &prove);
        let actual = lines.len();
        let note = with_cosignatures(&signed, lines).map_err(|error| failed(&error))?;
        Ok((note, actual))
    }
}

impl Submission {
    /// Hands an entry in and waits for its proof.
    ///
    /// # Errors
    ///
    /// [`SubmitError`].
    pub async fn submit(&self, entry: Vec<u8>) -> Result<LogProof, SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.0
            .try_send(Turn { entry, reply })
            .map_err(|error| match error {
                TrySendError::Full(_) => SubmitError::Busy,
                TrySendError::Disconnected(_) => SubmitError::Stopped,
            })?;
        answer.await.unwrap_or(Err(SubmitError::Stopped))
    }
}

fn failed(error: &LogError) -> SubmitError {
    SubmitError::Log(error.to_string())
}

/// Entries that may wait.
const MAX_WAITING: usize = 1024;
/// Entries of one turn.
const MAX_TOGETHER: usize = 256;

#[cfg(test)]
mod tests;
