//! Checkpoints (c2sp.org/tlog-checkpoint) and what a device demands of one.

mod quorum;

pub use quorum::{CheckpointError, LogPolicy, LogPolicyError, WitnessedCheckpoint};

use core::fmt;

use thiserror::Error;

use crate::hash::Hash;
use crate::merkle::MAX_SIZE;
use crate::note::KeyName;

/// The state of a log: origin, size and root. Who signed it is not part of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    origin: KeyName,
    size: u64,
    root: Hash,
}

/// Why a text is not a checkpoint.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum CheckpointFormatError {
    /// A line after the third, which ML-DSA cosignatures would not cover.
    #[error("a checkpoint has three lines: extension lines are not accepted")]
    Extension,
    /// Another form.
    #[error("not a checkpoint: {0}")]
    Line(&'static str),
}

impl Checkpoint {
    /// A checkpoint of these values.
    ///
    /// # Errors
    ///
    /// [`CheckpointFormatError::Line`] if the size is more than 2^63 − 1, or the root of an empty tree
    /// is not the hash of nothing.
    pub fn new(origin: KeyName, size: u64, root: Hash) -> Result<Self, CheckpointFormatError> {
        if size > MAX_SIZE {
            return Err(CheckpointFormatError::Line("the size is too large"));
        }
        if size == 0 && root != Hash::of_nothing() {
            return Err(CheckpointFormatError::Line(
                "an empty tree has another root",
            ));
        }
        Ok(Self { origin, size, root })
    }

    /// Reads the text of a checkpoint.
    ///
    /// # Errors
    ///
    /// [`CheckpointFormatError`].
    pub fn parse(text: &str) -> Result<Self, CheckpointFormatError> {
        let text = text
            .strip_suffix('\n')
            .ok_or(CheckpointFormatError::Line("the last line does not end"))?;
        let mut lines = text.splitn(4, '\n');
        let mut line = || lines.next().unwrap_or_default();
        let origin = KeyName::new(line())
            .map_err(|_| CheckpointFormatError::Line("the origin cannot be the name of a key"))?;
        let size =
            decimal(line()).ok_or(CheckpointFormatError::Line("the size is not a number"))?;
        let root = Hash::from_base64(line()).ok_or(CheckpointFormatError::Line(
            "the root is not a hash in base64",
        ))?;
        if lines.next().is_some() {
            return Err(CheckpointFormatError::Extension);
        }
        Self::new(origin, size, root)
    }

    /// The name of the log.
    #[must_use]
    pub const fn origin(&self) -> &KeyName {
        &self.origin
    }

    /// How many entries the log has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of its tree.
    #[must_use]
    pub const fn root(&self) -> &Hash {
        &self.root
    }
}

impl fmt::Display for Checkpoint {
    /// The text that is signed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.origin)?;
        writeln!(f, "{}", self.size)?;
        writeln!(f, "{}", self.root.to_base64())
    }
}

/// ASCII decimal without leading zeroes.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let leading = text.len() > 1 && text.starts_with('0');
    (plain && !leading).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
