//! What a release consists of, read from a source and a folder of built files.
//!
//! ```text
//! release.toml + source + built files ─▶ Contents ─▶ a manifest to sign and log (spec/release.md)
//!                                            └─────▶ compare with a logged manifest ─▶ findings
//! ```
//!
//! Who releases and who audits run the same code: an auditor checks out the commit that a manifest names, builds it, and
//! compares what the list in that very source says a release consists of. Nothing here signs, verifies or
//! uses the network; manifests are those of `subrosa-translog`.

mod compare;
mod contents;
mod difference;
mod plan;

pub use compare::{Finding, Outcome, compare};
pub use contents::Contents;
pub use difference::{Difference, first_difference};
pub use plan::Plan;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a release cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The file of measurements is another than the image builder writes.
    #[error("{} is no file of measurements: {reason}", path.display())]
    Measurements {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The list of what a release consists of is wrong.
    #[error("the list of what a release consists of is wrong: {0}")]
    Plan(String),
    /// A file is larger than any of its kind.
    #[error("{} is larger than {max} bytes", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// The most bytes.
        max: u64,
    },
}
