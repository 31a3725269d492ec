//! What a client is told.

use std::sync::Arc;
use std::time::Duration;

use subrosa_attest::Policy;
use subrosa_channel::Profile;

use crate::address::ServiceUrl;
use crate::log::LogHistory;
use crate::trust::Trust;

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
