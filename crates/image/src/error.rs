//! What can go wrong while an image is built or started.

use std::path::{Path, PathBuf};

use crate::cpio::CpioError;
use crate::elf::ElfError;
use crate::uki::UkiError;

/// Why there is no image, or why it does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The initial RAM disk cannot be written.
    #[error("the initial RAM disk cannot be written")]
    Cpio(#[from] CpioError),

    /// A library that a program needs is not on this machine.
    #[error("{} needs the library {library}, which is not here", program.display())]
    Library {
        /// The program.
        program: PathBuf,
        /// Its name, as the program asks for it.
        library: String,
    },

    /// What the image would measure cannot be said.
    #[error("what the image measures cannot be predicted: {reason}")]
    Measure {
        /// Why.
        reason: String,
    },

    /// A tool is not installed, or a file of a package is not there.
    #[error("{what} is not here: {hint}")]
    Missing {
        /// What.
        what: String,
        /// How to get it.
        hint: &'static str,
    },

    /// A kernel module is missing, or stands before one that it depends on.
    #[error("kernel module {name}: {reason}")]
    Module {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },

    /// The machine ended, or was not ready in time.
    #[error("the virtual machine {what}; the end of its console:\n{console}")]
    NotReady {
        /// What happened.
        what: String,
        /// The last lines.
        console: String,
    },

    /// A pinned file has other contents.
    #[error("{} has the SHA-256 {got}, expected {expected}", path.display())]
    Pinned {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: String,
        /// What it is.
        got: String,
    },

    /// A program cannot be read.
    #[error("{}", path.display())]
    Program {
        /// The program.
        path: PathBuf,
        /// What is wrong with it.
        source: ElfError,
    },

    /// The boot stub is of a version whose measurements nobody has compared.
    #[error("the boot stub is {got:?}, known are the versions 252 and 257")]
    Stub {
        /// What it says about itself.
        got: String,
    },

    /// A file or a process could not be used.
    #[error("{action} {}", path.display())]
    System {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },

    /// A tool failed.
    #[error("{tool} failed: {output}")]
    Tool {
        /// Its name.
        tool: String,
        /// The end of what it said.
        output: String,
    },

    /// The unified kernel image cannot be put together.
    #[error("the unified kernel image cannot be put together")]
    Uki(#[from] UkiError),
}

impl ImageError {
    pub(crate) fn system(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        Self::System {
            action,
            path,
            source,
        }
    }
}
