//! What the client crate reports, with an exit code and a next step.

use subrosa_api::error::{ApiError, Code, Retry};
use subrosa_client::{Error, Refusal, RefusalReason};

use crate::failure::{Exit, Failure};
use crate::judgement::{node_words, refusal_hint};

/// A failed exchange.
pub(crate) fn of_client(error: &Error) -> Failure {
    if let Error::Refused(refusal) = error {
        return of_refusal(refusal);
    }
    let (exit, hint) = match error {
        Error::DevelopmentAddress => (
            Exit::Usage,
            "use http://127.0.0.1:PORT, or a service with real hardware and no --development-root",
        ),
        Error::Seal(_) => (Exit::Usage, "send less at once"),
        Error::Directory(_) | Error::NoNode => (
            Exit::Network,
            "check that the address belongs to a Subrosa service of this version, and that it has started",
        ),
        Error::History(_) => (
            Exit::Usage,
            "restore the file, or correct its place; removing it makes this device forget what it has seen of logs",
        ),
        Error::LogAddress { .. } => (Exit::Usage, "correct `tiles` in the policy's section [log]"),
        Error::LogUnreachable { .. } => (
            Exit::Network,
            "check that the log runs and that `tiles` in the policy is its address: without it nothing shows that the log \
             continues what this device has seen",
        ),
        Error::Network { .. } | Error::Timeout { .. } => (
            Exit::Network,
            "check that the service runs, that the address is right, and that this machine has a network",
        ),
        Error::KeyRotated { .. } => (Exit::Network, "send it again; it may have run already"),
        Error::Response(_) | Error::StreamTruncated if error.code() == Code::Truncated => (
            Exit::Network,
            "the answer was cut off: do not use what has arrived, and ask again",
        ),
        Error::Response(_) => (
            Exit::Refused,
            "do not use what has arrived: somebody has changed it, or the service is faulty",
        ),
        Error::Problem { .. } => (Exit::Engine, "ask again; it may have run already"),
        _ => (
            Exit::Engine,
            "ask again; if it stays, service and program may be of different versions (subrosa --version)",
        ),
    };
    Failure::new(exit, error).caused_by(error).hint(hint)
}

/// A service that did not pass.
pub(crate) fn of_refusal(refusal: &Refusal) -> Failure {
    let failure = Failure::new(
        Exit::Refused,
        format!(
            "the service did not pass verification, nothing was sent: {}",
            refusal.verdict_line()
        ),
    );
    let failure = match refusal.reason() {
        RefusalReason::Node(error) => failure.cause(node_words(error)),
        RefusalReason::Expiring { .. } => {
            failure.cause("its key ends too soon, or this machine's clock is ahead")
        }
        RefusalReason::Evidence(code) => failure.cause(format!("the evidence was refused: {code}")),
        _ => failure.cause(refusal),
    };
    let failure = match refusal.kept() {
        Some(path) => failure.cause(format!(
            "both signed notes of the log are kept in {}: show them to others",
            path.display()
        )),
        None => failure,
    };
    failure.hint(refusal_hint(refusal))
}

/// A refusal from inside the seal.
pub(crate) fn of_api(error: &ApiError) -> Failure {
    let failure = Failure::new(
        Exit::Engine,
        format!("the service refused: {}", error.message),
    );
    let hint = match (error.code, error.code.retry()) {
        (Code::ContextLengthExceeded, _) => {
            "ask less at once, or start a new conversation with /new"
        }
        (Code::ModelNotFound, _) => "choose another model with --model",
        (_, Retry::Safe) => "nothing ran; try again in a while",
        (_, Retry::Never) => "the same request would be refused again; change it",
        _ => "ask again; it may have run already",
    };
    failure.cause(error.code).hint(hint)
}
