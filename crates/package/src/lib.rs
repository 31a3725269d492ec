//! Packs built programs. The same programs give the same bytes: no clock, no names or numbers of whoever packs.

pub mod oci;
pub mod wheel;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why something is not packed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PackageError {
    /// A file cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// An archive or a document cannot be written.
    #[error("cannot write the package: {0}")]
    Format(String),
    /// A program is not static, and would not run elsewhere.
    #[error("{} is not a static program", .0.display())]
    NotStatic(PathBuf),
}

impl PackageError {
    fn io(action: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

/// Reads a program.
fn read(path: &std::path::Path) -> Result<Vec<u8>, PackageError> {
    std::fs::read(path).map_err(PackageError::io("read", path))
}
