//! One sealed exchange: opened, understood, answered inside the seal.

use std::sync::Arc;

use subrosa_api::error::{ApiError, Code};
use subrosa_channel::{OpenError, Responder};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};

use super::Service;
use super::answer::{Answer, Answerer};
use super::call::{Call, Refusal};
use super::http::{Content, Held};
use super::problem::Problem;
use crate::metrics::Outcome;

/// What came out of opening a request.
enum Opened {
    Call(Box<Responder>, Call),
    Problem(Problem),
    Refused(Box<Responder>, Refusal),
}

/// Answers a sealed request.
pub(super) async fn answer(service: &Arc<Service>, held: Held) -> Result<Content, Problem> {
    let deadline = Instant::now().checked_add(service.limits.request_time());
    let deadline = deadline.unwrap_or_else(Instant::now);
    let running = service
        .running
        .get()
        .ok_or(Problem::from_code(Code::EngineRestarting))?;
    let (responder, call) = match open(service, held).await? {
        Opened::Problem(problem) => return Err(problem),
        Opened::Refused(responder, refusal) => (responder, Err(refusal)),
        Opened::Call(responder, call) => (responder, Ok(call)),
    };
    let admitted = call.and_then(|call| Ok((admit(service, &call)?, call)));
    let answerer = Answerer::new(service, running, deadline);
    match admitted {
        Err(refusal) => seal(service, *responder, Answer::refusal(&refusal)),
        Ok((permit, Call::Generate(request))) if request.stream => {
            answerer.stream(*responder, *request, permit).await
        }
        Ok((permit, call)) => {
            let answer = tokio::select! {
                answer = answerer.whole(&call) => answer,
                () = sleep_until(deadline) => Answer::timeout(call.api()),
            };
            drop(permit);
            seal(service, *responder, answer)
        }
    }
}

/// Opens and parses on a thread of its own: a key encapsulation takes a good
/// part of a millisecond, and a large body many.
async fn open(service: &Arc<Service>, held: Held) -> Result<Opened, Problem> {
    let internal = Problem::from_code(Code::Internal);
    let turn = Arc::clone(&service.opening)
        .acquire_owned()
        .await
        .map_err(|_| internal)?;
    let service = Arc::clone(service);
    let opened = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        open_now(&service, &held)
    });
    opened.await.map_err(|_| internal)
}

fn open_now(service: &Service, held: &Held) -> Opened {
    let Some(running) = service.running.get() else {
        return Opened::Problem(Problem::from_code(Code::EngineRestarting));
    };
    match running.epochs.open(&held.bytes) {
        Ok(opened) => {
            let call = Call::parse(&opened.request, &service.limits, &service.sampling);
            let responder = Box::new(opened.responder);
            match call {
                Ok(call) => Opened::Call(responder, call),
                Err(refusal) => Opened::Refused(responder, refusal),
            }
        }
        Err(error) => {
            let problem = Problem::from_open(&error);
            let code = match error {
                OpenError::RegisterFull(_) => Code::RegisterFull,
                _ => Code::MalformedRequest,
            };
            match error.into_responder() {
                Some(responder) => {
                    let refusal = Refusal::new(ApiError::from_code(code));
                    Opened::Refused(Box::new(responder), refusal)
                }
                None => Opened::Problem(problem),
            }
        }
    }
}

/// Takes a place among the running exchanges.
fn admit(service: &Service, call: &Call) -> Result<OwnedSemaphorePermit, Refusal> {
    let refuse = |error| Refusal {
        api: call.api(),
        error,
    };
    if service.is_draining() {
        return Err(refuse(ApiError::from_code(Code::Draining)));
    }
    Arc::clone(&service.exchanges)
        .try_acquire_owned()
        .map_err(|_| {
            let full = ApiError::from_code(Code::QueueFull);
            refuse(full.with_retry_after(RETRY_AFTER))
        })
}

/// Seals an answer that is complete.
fn seal(service: &Service, responder: Responder, answer: Answer) -> Result<Content, Problem> {
    service.metrics.request(Outcome::of_status(answer.status));
    let sealed = answer
        .seal(responder)
        .map_err(|_| Problem::from_code(Code::Internal))?;
    Ok(Content::Whole(Some(sealed.into())))
}

/// Seconds after which a place is likely to be free.
const RETRY_AFTER: u32 = 1;
