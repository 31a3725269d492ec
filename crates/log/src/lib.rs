//! A transparency log that anyone can run.
//!
//! ```text
//! entries ─▶ Log::append ─▶ tiles, durable ─▶ checkpoint signed, durable ─▶ witnesses ─▶ Log::publish
//! checkpoint + proof ─▶ Witness::cosign ─▶ what was seen, durable ─▶ cosignature
//! ```
//!
//! A log must never sign two trees of one size, and never lose what it has signed, whatever the
//! machine does. So a checkpoint leaves the program only when its tree and itself are durable, and the order of
//! the writes is tested with a storage that loses, tears and reorders everything that was not synced
//! ([`storage`]).
//!
//! A [`Sequencer`] takes entries from many, appends them in turns, asks the witnesses, and publishes. [`http`] serves
//! both to the network; who asks the witnesses, and with which clock, is the caller's.
//!
//! What is logged, and what a proof is worth, is crate `subrosa-translog`.

pub mod http;
pub mod log;
mod sequencer;
pub mod storage;
mod witness;

pub use log::{Log, LogError};
pub use sequencer::{Cosigners, Sequencer, Submission, SubmitError};
pub use storage::{DiskStorage, ObjectStorage, Storage};
pub use subrosa_translog::tiles::{MAX_ENTRIES, TilePath, WIDTH, parse_entries};
pub use witness::{AddCheckpoint, Witness, WitnessError};
