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
//! What is logged, and what a proof is worth, is crate `subrosa-translog`. This one does I/O through
//! [`Storage`] only, reads no clock, and speaks no HTTP.

pub mod log;
pub mod storage;
mod tiles;
pub mod witness;

pub use log::{Log, LogError};
pub use storage::{DiskStorage, Storage};
pub use tiles::TilePath;
pub use witness::{Witness, WitnessError};
