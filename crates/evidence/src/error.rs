//! Why there is no evidence, and what to do about it.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use subrosa_attest::UnixSeconds;
use subrosa_attest::bundle::BundleError;
use thiserror::Error;

/// Why there is no evidence.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CollectError {
    /// Evidence and key configuration do not fit into a bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The collector is still at work on an earlier request.
    #[error("the platform has not answered an earlier request yet")]
    Busy,
    /// A certificate is neither in the host's table nor in the configuration.
    #[error("no {what} certificate: the host's table does not hold it")]
    CertificateMissing {
        /// Which.
        what: &'static str,
    },
    /// The host's certificate table does not have the form of AMD 56421.
    #[error("the host's certificate table is malformed")]
    CertificateTable,
    /// A collateral file has expired.
    #[error("{} expired at {expired_at}", path.display())]
    CollateralExpired {
        /// The file.
        path: PathBuf,
        /// The last second at which it was in date.
        expired_at: UnixSeconds,
    },
    /// A collateral file is for another kind of evidence, or no such file.
    #[error("{} is no collateral for {expected}: {reason}", path.display())]
    CollateralUnusable {
        /// The file.
        path: PathBuf,
        /// What it must be for.
        expected: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody else used the same report folder at the same time, again and
    /// again.
    #[error("the report was made for somebody else's data")]
    Conflict,
    /// A file or device cannot be used.
    #[error("cannot {action} {}: {reason}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What kind of failure it is.
        kind: ErrorKind,
        /// The system's words.
        reason: String,
    },
    /// The privilege level is below the lowest that this guest has.
    #[error("privilege level {got} is asked for, this guest has {floor} and above")]
    Level {
        /// The level in the configuration.
        got: u32,
        /// The kernel's `privlevel_floor`.
        floor: u64,
    },
    /// Bytes from the platform do not have the form they must have.
    #[error("the platform's {what} is malformed")]
    Malformed {
        /// Which bytes.
        what: &'static str,
    },
    /// The machine has no such interface.
    #[error("this machine offers no {what} at {}", path.display())]
    Missing {
        /// What was looked for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What to do.
        hint: &'static str,
    },
    /// No bundle of this version holds evidence of this platform.
    #[error("evidence of {platform} does not fit into an evidence bundle of this version")]
    NotInBundle {
        /// Which platform.
        platform: &'static str,
    },
    /// Another driver answers than the configuration names.
    #[error("reports of this machine come from `{got}`, not from `{expected}`")]
    OtherProvider {
        /// The driver that belongs to the configured platform.
        expected: &'static str,
        /// The one that answers.
        got: String,
    },
    /// The platform answered that it will not.
    #[error("{what} refused: {code}")]
    Refused {
        /// Who refused what.
        what: &'static str,
        /// The answer.
        code: String,
        /// What to do.
        hint: &'static str,
    },
    /// The secret of the simulated root does not read.
    #[error("{} is not the secret file of a simulated root", path.display())]
    RootSecret {
        /// The file.
        path: PathBuf,
    },
    /// The collector ended, which is an error of this program.
    #[error("the collector has stopped")]
    Stopped,
    /// The platform did not answer in time.
    #[error("the platform did not answer within {} seconds", after.as_secs())]
    TimedOut {
        /// How long it was waited for.
        after: Duration,
    },
    /// A file is longer than it may be.
    #[error("{} has more than {limit} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        limit: u64,
    },
}

impl CollectError {
    pub(crate) fn file(action: &'static str, path: &Path, error: &Error) -> Self {
        Self::File {
            action,
            path: path.to_owned(),
            kind: error.kind(),
            reason: error.to_string(),
        }
    }

    /// The step that failed, for the log.
    #[must_use]
    pub const fn step(&self) -> &'static str {
        match self {
            Self::Bundle(_) | Self::NotInBundle { .. } => "bundle",
            Self::Busy | Self::Stopped | Self::TimedOut { .. } => "deadline",
            Self::CertificateMissing { .. } | Self::CertificateTable => "certificates",
            Self::CollateralExpired { .. } | Self::CollateralUnusable { .. } => "collateral",
            Self::Conflict
            | Self::Level { .. }
            | Self::Malformed { .. }
            | Self::Missing { .. }
            | Self::OtherProvider { .. }
            | Self::Refused { .. } => "report",
            Self::File { .. } | Self::TooLong { .. } => "file",
            Self::RootSecret { .. } => "root-secret",
        }
    }

    /// What to do next.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Bundle(_) => "the numbers above say which part is too long or missing",
            Self::Busy | Self::TimedOut { .. } => {
                "ask the host's operator: for Intel TDX its quoting service must run, for others the firmware must answer"
            }
            Self::CertificateMissing { .. } | Self::CertificateTable => {
                "name files in `platform.certificates`, or one that `subrosa collateral` wrote in `platform.collateral`"
            }
            Self::CollateralExpired { .. } => {
                "run `subrosa collateral` again for newly collected evidence, and put its file in this place"
            }
            Self::CollateralUnusable { .. } => {
                "`subrosa-enclave --evidence` collects evidence, and `subrosa collateral` writes the file for it"
            }
            Self::Conflict => {
                "give this program a report folder of its own: nobody else may write below `platform.tsm_folder`"
            }
            Self::File { kind, .. } => file_hint(*kind),
            Self::Level { .. } => "raise `platform.privilege_level`, or leave it out",
            Self::Malformed { .. } => "update the kernel, or the library that was asked",
            Self::Missing { hint, .. } | Self::Refused { hint, .. } => hint,
            Self::NotInBundle { .. } => {
                "`subrosa-enclave --evidence` collects it to be verified by itself; serve from another platform"
            }
            Self::OtherProvider { .. } => "set `platform.kind` to what this machine is",
            Self::RootSecret { .. } => "`subrosa try` makes such a file",
            Self::Stopped => "start the service again, and report what it wrote before",
            Self::TooLong { .. } => "check that the path names the file that it should",
        }
    }
}

const fn file_hint(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "check the path, and that the kernel module behind it is loaded",
        ErrorKind::PermissionDenied => {
            "run the service as root, or let its user read and write there"
        }
        ErrorKind::ResourceBusy => "another program holds it: stop that one",
        ErrorKind::TimedOut => {
            "the host did not answer: for Intel TDX its quoting service must run"
        }
        _ => "the system's words above say what is wrong",
    }
}
