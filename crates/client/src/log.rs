//! Asking the transparency log: what of it was seen, and its growth since.
//!
//! What a log says is verified by `subrosa-attest`. Here is what needs a file or the network: the state of this device
//! (`spec/transparency.md` §8), and tiles, from which proofs of consistency are made.

mod history;
mod tiles;

pub use history::{HistoryError, LogHistory, ReleaseRefused};
pub(crate) use tiles::LogReader;
