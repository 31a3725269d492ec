//! A witness: cosigns only what continues what it has cosigned before (c2sp.org/tlog-witness).

use core::fmt::Write as _;

use subrosa_translog::merkle::{ProofError, verify_consistency};
use subrosa_translog::{
    Checkpoint, CheckpointFormatError, Hash, KeyName, Note, NoteError, NoteSignature, NoteSigner,
    Timestamp, VerifierKey,
};
use thiserror::Error;

use crate::log::{LogError, read, write};
use crate::storage::Storage;

/// A witness of some logs.
#[derive(Debug)]
pub struct Witness<S> {
    storage: S,
    signer: NoteSigner,
    logs: Vec<VerifierKey>,
}

/// What a log asks of a witness: the body of `add-checkpoint`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddCheckpoint {
    old_size: u64,
    proof: Vec<Hash>,
    checkpoint: Note,
}

/// Why a witness does not cosign. Each has the status that the protocol gives it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// The old size is not the size of the last checkpoint that was cosigned; or its root is another one.
    #[error("the last checkpoint that was cosigned has {size} entries")]
    Conflict {
        /// Its size.
        size: u64,
    },
    /// The proof does not prove it.
    #[error(transparent)]
    Consistency(ProofError),
    /// The request has another form.
    #[error("not a request to cosign: {0}")]
    Format(&'static str),
    /// The log's signature is missing or wrong.
    #[error("the log has not signed this checkpoint")]
    Signature,
    /// What was cosigned cannot be read or written: nothing is cosigned.
    #[error(transparent)]
    Storage(#[from] LogError),
    /// The log is not one of those that this witness knows.
    #[error("this witness does not know the log")]
    Unknown,
}

impl WitnessError {
    /// The status code of the answer.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Format(_) => 400,
            Self::Signature => 403,
            Self::Unknown => 404,
            Self::Conflict { .. } => 409,
            Self::Consistency(_) => 422,
            Self::Storage(_) => 500,
        }
    }
}

impl<S: Storage> Witness<S> {
    /// A witness with this key, of these logs.
    #[must_use]
    pub const fn new(storage: S, signer: NoteSigner, logs: Vec<VerifierKey>) -> Self {
        Self {
            storage,
            signer,
            logs,
        }
    }

    /// The witness's key.
    #[must_use]
    pub const fn key(&self) -> &VerifierKey {
        self.signer.verifier_key()
    }

    /// Cosigns a checkpoint, if it continues the last one. What was seen is durable before the cosignature exists.
    ///
    /// It takes the witness for itself: two requests at once cannot both continue one checkpoint.
    ///
    /// # Errors
    ///
    /// [`WitnessError`].
    pub fn cosign(
        &mut self,
        request: &AddCheckpoint,
        now: Timestamp,
    ) -> Result<NoteSignature, WitnessError> {
        let note = &request.checkpoint;
        let new = Checkpoint::parse(note.text())
            .map_err(|_| WitnessError::Format("the checkpoint is none"))?;
        let key = self
            .logs
            .iter()
            .find(|key| key.name() == new.origin())
            .ok_or(WitnessError::Unknown)?;
        note.verify(key).map_err(|_| WitnessError::Signature)?;
        if request.old_size > new.size() {
            return Err(WitnessError::Format("the old size is above the new one"));
        }
        let (size, root) = self.last(new.origin())?;
        if request.old_size != size || (size == new.size() && root != *new.root()) {
            return Err(WitnessError::Conflict { size });
        }
        verify_consistency(&request.proof, size, &root, new.size(), new.root())
            .map_err(WitnessError::Consistency)?;
        let line = self
            .signer
            .sign(note.text(), now)
            .map_err(|_| WitnessError::Format("the checkpoint is none"))?;
        write(
            &self.storage,
            &file_of(new.origin()),
            new.to_string().as_bytes(),
        )?;
        Ok(line)
    }

    /// Size and root of the last checkpoint of a log that was cosigned.
    fn last(&self, origin: &KeyName) -> Result<(u64, Hash), WitnessError> {
        let name = file_of(origin);
        let Some(bytes) = read(&self.storage, &name, Note::MAX)? else {
            return Ok((0, Hash::of_nothing()));
        };
        let damaged = || LogError::Damaged(name.clone());
        let text = core::str::from_utf8(&bytes).map_err(|_| damaged())?;
        let last: Checkpoint =
            Checkpoint::parse(text).map_err(|_: CheckpointFormatError| damaged())?;
        if last.origin() != origin {
            return Err(damaged().into());
        }
        Ok((last.size(), *last.root()))
    }
}

impl AddCheckpoint {
    /// The largest request, in bytes.
    pub const MAX: usize = Note::MAX + 4096;

    /// A request from its parts.
    #[must_use]
    pub const fn new(old_size: u64, proof: Vec<Hash>, checkpoint: Note) -> Self {
        Self {
            old_size,
            proof,
            checkpoint,
        }
    }

    /// Reads the body of a request.
    ///
    /// # Errors
    ///
    /// [`WitnessError::Format`].
    pub fn parse(body: &[u8]) -> Result<Self, WitnessError> {
        let format = WitnessError::Format;
        if body.len() > Self::MAX {
            return Err(format("it is too large"));
        }
        let text = core::str::from_utf8(body).map_err(|_| format("it is not UTF-8"))?;
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or(format("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old_size = lines
            .next()
            .and_then(|line| line.strip_prefix("old "))
            .filter(|digits| digits.len() == 1 || !digits.starts_with(['0', '+']))
            .and_then(|digits| digits.parse().ok())
            .ok_or(format("no line with the old size"))?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() >= MAX_LINES {
                return Err(format("the proof has too many lines"));
            }
            proof.push(Hash::from_base64(line).ok_or(format("a line is not a hash"))?);
        }
        let checkpoint = Note::parse(checkpoint.as_bytes())
            .map_err(|_: NoteError| format("the checkpoint is not a signed note"))?;
        Ok(Self {
            old_size,
            proof,
            checkpoint,
        })
    }

    /// The body of a request.
    #[must_use]
    pub fn to_body(&self) -> String {
        let mut body = format!("old {}\n", self.old_size);
        for hash in &self.proof {
            body.push_str(&hash.to_base64());
            body.push('\n');
        }
        // A string takes whatever is written into it.
        let _ = write!(body, "\n{}", self.checkpoint);
        body
    }
}

/// Where the last checkpoint of a log is kept: by the digest of its name, which may hold anything.
fn file_of(origin: &KeyName) -> String {
    format!("last-{}", Hash::of_leaf(origin.as_str().as_bytes()))
}

/// Hashes of a proof, at most (c2sp.org/tlog-witness).
const MAX_LINES: usize = 63;

#[cfg(test)]
mod tests;
