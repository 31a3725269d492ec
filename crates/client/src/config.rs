//! What a client is told.

use core::fmt;
use std::sync::Arc;
use std::time::Duration;

use subrosa_attest::Policy;
#[cfg(feature = "development")]
use subrosa_attest::development::{DevelopmentError, DevelopmentRoot};
use subrosa_channel::Profile;

use crate::address::ServiceUrl;
use crate::log::LogHistory;

/// What a client connects to, and what it accepts there. Nothing is taken from the environment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where the service is.
    pub service: ServiceUrl,
    /// What is accepted.
    pub policy: Policy,
    /// Whose signature counts.
    pub trust: Trust,
    /// Shape of requests and answers.
    pub profile: Profile,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// What was seen of logs, where the policy names one.
    pub history: Arc<LogHistory>,
}

/// The keys at the top of the certificates.
#[derive(Clone)]
#[non_exhaustive]
pub enum Trust {
    /// A root that somebody generated on this machine: the verdict is NOT PROTECTED
    /// (development). It works with loopback addresses only.
    #[cfg(feature = "development")]
    Development(DevelopmentRoot),
    /// The hardware vendors' keys.
    Vendor,
}

/// How long to wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For one document: the directory, a bundle, a problem.
    pub document: Duration,
    /// For all of a verification.
    pub verification: Duration,
    /// For the first byte of an answer: a whole answer arrives when it is finished.
    pub answer: Duration,
    /// Between the pieces of an answer whose records come on a clock.
    pub record: Duration,
}

impl Config {
    /// The default profile and waiting times, and the vendors' keys. What is seen of a log is forgotten when the
    /// program ends.
    #[must_use]
    pub fn new(service: ServiceUrl, policy: Policy) -> Self {
        Self {
            service,
            policy,
            trust: Trust::Vendor,
            profile: Profile::default(),
            timeouts: Timeouts::default(),
            history: Arc::new(LogHistory::memory()),
        }
    }
}

impl Trust {
    /// Trust in a simulated root, from the content of its public file.
    ///
    /// # Errors
    ///
    /// [`DevelopmentError::File`].
    #[cfg(feature = "development")]
    pub fn development(public_file: &str) -> Result<Self, DevelopmentError> {
        DevelopmentRoot::from_public_file(public_file).map(Self::Development)
    }

    /// Whether it may be used with loopback addresses only.
    pub(crate) fn is_for_loopback_only(&self) -> bool {
        match self {
            #[cfg(feature = "development")]
            Self::Development(_) => true,
            Self::Vendor => false,
        }
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            #[cfg(feature = "development")]
            Self::Development(_) => "Development",
            Self::Vendor => "Vendor",
        })
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            document: Duration::from_secs(15),
            verification: Duration::from_mins(1),
            answer: Duration::from_mins(10),
            record: Duration::from_secs(30),
        }
    }
}
