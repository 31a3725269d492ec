//! What the transparency log has said about this node, from files that its host keeps fresh.
//!
//! Nothing of them is trusted: devices verify it. The host can only leave out or spoil what devices then miss.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use subrosa_evidence::Stapled;
use subrosa_translog::entry::release::release_id;
use subrosa_translog::entry::roster::RecordProof;
use subrosa_translog::{LogProof, Note};
use thiserror::Error;

use crate::config::LogSettings;

/// Why there is nothing to go with the evidence.
#[derive(Debug, Error)]
#[error("the file of the log {}: {reason}", path.display())]
pub struct LogFileError {
    path: PathBuf,
    reason: String,
}

/// The proofs that go into a bundle, and the id of the release.
pub(crate) struct Proofs {
    pub(crate) stapled: Stapled,
    pub(crate) release: [u8; 32],
}

/// Reads everything that goes into a bundle.
pub(crate) fn read(files: &LogSettings) -> Result<Proofs, LogFileError> {
    let release_proof = bytes(&files.release, LogProof::MAX)?;
    let release = id_of(&release_proof).map_err(|reason| failed(&files.release, reason))?;
    let optional = |path: &Option<PathBuf>, limit| {
        let path = path.as_deref();
        path.map(|path| bytes(path, limit)).transpose()
    };
    Ok(Proofs {
        stapled: Stapled {
            checkpoint: Some(bytes(&files.checkpoint, Note::MAX)?),
            machine_record: optional(&files.machine, RecordProof::MAX)?,
            machine_proof: optional(&files.machines, LogProof::MAX)?,
            release_proof: Some(release_proof),
        },
        release,
    })
}

/// The proof of a directory, if there is one that can be read.
pub(crate) fn directory(files: &LogSettings) -> Option<(LogProof, Vec<u8>)> {
    let bytes = bytes(&files.directory, LogProof::MAX).ok()?;
    Some((LogProof::parse(&bytes).ok()?, bytes))
}

/// What the key configuration calls the release: devices compare it with the manifest.
fn id_of(proof: &[u8]) -> Result<[u8; 32], String> {
    let proof = LogProof::parse(proof).map_err(|error| error.to_string())?;
    let note = Note::parse(proof.entry()).map_err(|error| error.to_string())?;
    Ok(release_id(note.text()))
}

fn bytes(path: &Path, limit: usize) -> Result<Vec<u8>, LogFileError> {
    let read = || {
        let mut bytes = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    let bytes = read().map_err(|error| failed(path, error))?;
    if bytes.len() > limit {
        return Err(failed(path, "it is too large"));
    }
    Ok(bytes)
}

fn failed(path: &Path, reason: impl std::fmt::Display) -> LogFileError {
    LogFileError {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
