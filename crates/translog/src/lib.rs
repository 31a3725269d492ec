//! Transparency logs: what is published is what everybody is shown.
//!
//! A log is an append-only Merkle tree of entries. Its checkpoints are signed by
//! the log and cosigned by witnesses, who each cosign only what is consistent
//! with what they cosigned before. A device that demands a quorum of them cannot
//! be shown a log of its own.
//!
//! ```text
//! bytes ─▶ LogProof ──(LogPolicy, now)──▶ LoggedEntry ─▶ Release, Roster, Directory
//!             └─ Note ─▶ Checkpoint
//! ```
//!
//! The crate does no I/O and reads no clock. It does not fetch or store a log
//! (`subrosa log` does; [`tiles`] names what is fetched), and does not decide what a device accepts: it says what
//! is logged. The formats are `spec/transparency.md` and `spec/release.md`.

mod checkpoint;
pub mod entry;
#[cfg(test)]
mod fixtures;
mod hash;
pub mod merkle;
mod note;
mod proof;
mod state;
pub mod tiles;
mod time;

pub use checkpoint::{
    Checkpoint, CheckpointError, CheckpointFormatError, LogPolicy, LogPolicyError,
    WitnessedCheckpoint,
};
pub use hash::Hash;
pub use note::{
    KeyError, KeyKind, KeyName, Note, NoteError, NoteSignature, NoteSigner, VerifierKey,
};
pub use proof::{LogProof, LogProofError, LoggedEntry};
pub use state::{Conflict, ConsistencyProofs, DeviceState, StateError, StateFileError};
pub use time::Timestamp;

#[cfg(test)]
mod vector_tests;
