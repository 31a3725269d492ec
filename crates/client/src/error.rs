//! What can go wrong on a device, with the stable codes of spec/errors.md.

use core::fmt;
use std::time::Duration;

use subrosa_api::error::{ApiError, Code};
use subrosa_api::event::DecodeError;
use subrosa_channel::{NodeError, OpenResponseError, SealError};
use thiserror::Error;

use crate::directory::DirectoryError;
use crate::log::HistoryError;
use crate::node::{Refusal, RefusalReason};

/// Why there is no answer, or no whole one. It holds no text of a user.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The answer is larger than the caller takes.
    #[error("the answer is larger than {limit} bytes")]
    AnswerTooLarge {
        /// Bytes the caller takes.
        limit: usize,
    },
    /// Simulated evidence was to be trusted from somewhere else than this machine.
    #[error(
        "a simulated root is trusted only at a loopback address such as 127.0.0.1, not at a host name or another machine"
    )]
    DevelopmentAddress,
    /// The directory of the service is not one.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// What was seen of logs cannot be read or kept, so nothing is sent.
    #[error("what this device has seen of logs cannot be used: {0}")]
    History(#[from] HistoryError),
    /// A key changed between verification and answer. It may mean that the request did not run;
    /// nothing proves it.
    #[error(
        "the service changed its key in between ({code}): it will be verified again; send the request again if it may run twice"
    )]
    KeyRotated {
        /// What the service says, not authenticated.
        code: Code,
    },
    /// The address of the log in the policy is not one.
    #[error("the policy's `log.tiles` is not the address of a log: {address}")]
    LogAddress {
        /// What the policy says.
        address: String,
    },
    /// The log cannot be read, so nothing shows that it continues what this device has seen.
    #[error("cannot read the transparency log at {address}: {source}")]
    LogUnreachable {
        /// Where it should be.
        address: String,
        /// Why not.
        source: Box<Error>,
    },
    /// A connection could not be made, or broke.
    #[error("{stage}")]
    Network {
        /// What was being done.
        stage: Stage,
        /// What happened.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The directory lists no node.
    #[error("the service lists no node")]
    NoNode,
    /// The answer is not a stream of events.
    #[error("the answer is not a stream of events")]
    NotEvents,
    /// A refusal in the clear. It is not authenticated and proves nothing.
    #[error("the service refused with status {status} outside of the seal{}, which proves nothing", said(*.reported))]
    Problem {
        /// HTTP status.
        status: u16,
        /// What it says, if that is a code.
        reported: Option<Code>,
    },
    /// No node passed verification; nothing was sent.
    #[error(transparent)]
    Refused(#[from] Box<Refusal>),
    /// The sealed answer is not authentic, or not whole.
    #[error(transparent)]
    Response(#[from] OpenResponseError),
    /// The request cannot be sealed; nothing was sent.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The events of an answer break their format.
    #[error("the answer is not well formed: {0}")]
    Stream(#[from] DecodeError),
    /// The events of an answer stopped before their end.
    #[error("the events of the answer stopped before their end")]
    StreamTruncated,
    /// Waited too long.
    #[error("{stage}: nothing happened for {} s", .after.as_secs())]
    Timeout {
        /// What was being done.
        stage: Stage,
        /// How long it waited.
        after: Duration,
    },
}

/// What a connection was doing when it failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Stage {
    /// Connecting.
    Connect,
    /// Receiving an answer.
    Receive,
    /// Looking up the name of the service.
    Resolve,
    /// Sending a request. It may have arrived.
    Send,
    /// Agreeing on TLS.
    Tls,
}

impl Error {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::AnswerTooLarge { .. } | Self::NotEvents | Self::Stream(_) => {
                Code::MalformedStream
            }
            Self::DevelopmentAddress
            | Self::Directory(_)
            | Self::History(_)
            | Self::LogAddress { .. } => Code::Refused,
            Self::KeyRotated { code } => *code,
            Self::LogUnreachable { .. }
            | Self::Network { .. }
            | Self::NoNode
            | Self::Timeout { .. } => Code::Network,
            Self::Problem { reported, .. } => reported
                .filter(|code| proves_nothing(*code))
                .unwrap_or(Code::Network),
            Self::Refused(refusal) => match refusal.reason() {
                RefusalReason::Expiring { .. } | RefusalReason::Node(NodeError::Expired { .. }) => {
                    Code::EvidenceExpired
                }
                RefusalReason::DirectoryMismatch { .. } => Code::WrongKeyConfiguration,
                RefusalReason::Node(error) if error.code() == "wrong-key-configuration" => {
                    Code::WrongKeyConfiguration
                }
                _ => Code::Refused,
            },
            Self::Response(error) => Code::parse(error.code()).unwrap_or(Code::RecordForged),
            Self::Seal(SealError::KeyExpired { .. }) => Code::EvidenceExpired,
            Self::Seal(SealError::TooLarge { .. }) => Code::RequestTooLarge,
            Self::Seal(SealError::Message(_)) => Code::InvalidValue,
            Self::Seal(_) => Code::WrongKeyConfiguration,
            Self::StreamTruncated => Code::Truncated,
        }
    }

    /// The refusal of a node, when that is what happened.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The same error in the form that APIs show.
    #[must_use]
    pub fn to_api_error(&self) -> ApiError {
        ApiError::new(self.code(), self.to_string())
    }

    pub(crate) fn network(
        stage: Stage,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Network {
            stage,
            source: Some(Box::new(source)),
        }
    }

    /// Whether it is certain that no byte of the request has left this device.
    pub(crate) fn nothing_was_sent(&self) -> bool {
        if matches!(self, Self::Seal(SealError::KeyExpired { .. })) {
            return true;
        }
        let (Self::Network { stage, .. } | Self::Timeout { stage, .. }) = self else {
            return false;
        };
        matches!(stage, Stage::Connect | Stage::Resolve | Stage::Tls)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "cannot connect to the service",
            Self::Receive => "the connection to the service broke while an answer was awaited",
            Self::Resolve => "the name of the service cannot be looked up",
            Self::Send => "the connection to the service broke while the request was sent",
            Self::Tls => "cannot agree on TLS with the service",
        })
    }
}

/// Whether a code may be passed on although it came in the clear: only where it makes nobody
/// believe that nothing ran.
fn proves_nothing(code: Code) -> bool {
    use subrosa_api::error::{Layer, Retry};
    code.layer() == Layer::Exchange && !code.nothing_ran() && code.retry() != Retry::Safe
}

fn said(reported: Option<Code>) -> String {
    reported
        .map(|code| format!(" ({code})"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use subrosa_api::error::Retry;

    use super::*;

    #[test]
    fn a_refusal_in_the_clear_never_says_that_nothing_ran() {
        for reported in Code::ALL.iter().copied().map(Some).chain([None]) {
            let code = Error::Problem {
                status: 400,
                reported,
            }
            .code();
            assert!(!code.nothing_ran(), "{reported:?}");
            assert_ne!(code.retry(), Retry::Safe, "{reported:?}");
        }
    }

    #[test]
    fn only_failures_before_the_request_left_count_as_nothing_sent() {
        let after = Duration::from_secs(1);
        for (stage, nothing_sent) in [
            (Stage::Resolve, true),
            (Stage::Connect, true),
            (Stage::Tls, true),
            (Stage::Send, false),
            (Stage::Receive, false),
        ] {
            let network = Error::Network {
                stage,
                source: None,
            };
            assert_eq!(network.nothing_was_sent(), nothing_sent);
            assert_eq!(
                Error::Timeout { stage, after }.nothing_was_sent(),
                nothing_sent
            );
        }
        assert!(!Error::StreamTruncated.nothing_was_sent());
    }
}
