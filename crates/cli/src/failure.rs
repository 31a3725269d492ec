//! What went wrong, why, and what to do next.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// How the program ended, as scripts see it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// It did what was asked.
    Done = 0,
    /// It failed for a reason without a number of its own.
    Failed = 1,
    /// The command line, the settings or a policy file are wrong.
    Usage = 2,
    /// Verification refused: the service, the evidence or a receipt.
    Refused = 3,
    /// The service could not be reached, or a port could not be opened.
    Network = 4,
    /// The service was reached and verified, but did not answer.
    Engine = 5,
    /// Verified, but only against a simulated platform.
    NotProtected = 6,
}

impl Exit {
    /// The exit code.
    pub(crate) const fn number(self) -> u8 {
        #[expect(
            clippy::as_conversions,
            reason = "the discriminants are the exit codes"
        )]
        {
            self as u8
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// A failure, in three parts: what happened, why, and the next step.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    nobody_reads: bool,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self {
            exit,
            message: message.to_string(),
            causes: Vec::new(),
            hint: None,
            nobody_reads: false,
        }
    }

    /// A failed operation on a file, with the next step where the cause is common.
    pub(crate) fn file(action: &str, path: &Path, error: &io::Error) -> Self {
        let failure =
            Self::new(Exit::Failed, format!("cannot {action} {}", path.display())).because(error);
        match error.kind() {
            io::ErrorKind::NotFound => failure.hint("check the path; nothing is there"),
            io::ErrorKind::PermissionDenied => {
                failure.hint("check who owns the file and its folder, and their permissions")
            }
            _ => failure,
        }
    }

    /// A failed write to the program's own output.
    pub(crate) fn output(error: &io::Error) -> Self {
        Self {
            nobody_reads: error.kind() == io::ErrorKind::BrokenPipe,
            ..Self::new(Exit::Failed, "cannot write to standard output").because(error)
        }
    }

    /// Adds an error and everything that caused it.
    pub(crate) fn because(mut self, error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            let text = cause.to_string();
            if let Some(error) = cause.downcast_ref::<io::Error>() {
                self.hint = self
                    .hint
                    .or_else(|| disk_hint(error.kind()).map(str::to_owned));
            }
            // Many errors repeat their cause in their own text.
            if !self.causes.last().is_some_and(|last| last.ends_with(&text)) {
                self.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// Adds what caused an error that is itself the message.
    pub(crate) fn caused_by(self, error: &(dyn Error + 'static)) -> Self {
        match error.source() {
            Some(source) => self.because(source),
            None => self,
        }
    }

    /// Adds one line to the chain of causes.
    pub(crate) fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Sets the next step.
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Whether the program that read the output has gone, as `head` does: then
    /// there is nothing to say.
    pub(crate) fn is_nobody_reading(&self) -> bool {
        self.nobody_reads
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn causes(&self) -> &[String] {
        &self.causes
    }

    pub(crate) fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// The next step where a disk is the cause.
fn disk_hint(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::QuotaExceeded | io::ErrorKind::StorageFull => Some(
            "the disk is full: free some space, or point XDG_STATE_HOME and XDG_DATA_HOME at a disk that has some",
        ),
        io::ErrorKind::ReadOnlyFilesystem => {
            Some("point XDG_STATE_HOME and XDG_DATA_HOME at a folder that can be written")
        }
        _ => None,
    }
}
