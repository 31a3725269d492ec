//! What the network sees (spec/service.md): directory, bundles, health, and
//! exchanges as opaque bytes.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use subrosa_api::error::Code;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use super::problem::Problem;
use super::{Health, Service, exchange};
use crate::metrics::Outcome;

/// The content of an answer.
pub(super) enum Content {
    /// All of it.
    Whole(Option<Bytes>),
    /// Records, as they are sealed.
    Records(mpsc::Receiver<Record>),
}

/// A piece of a streamed answer.
pub(super) enum Record {
    /// Sealed bytes.
    Bytes(Bytes),
    /// Nothing follows. A stream that stops without it was cut.
    End,
}

/// A streamed answer was cut; the connection is closed without a clean end.
#[derive(Debug, thiserror::Error)]
#[error("the answer was cut")]
pub(super) struct Cut;

/// A request in memory, and its share of the memory that requests may take.
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    share: OwnedSemaphorePermit,
}

/// Answers one request of the network.
pub(super) async fn handle(
    service: Arc<Service>,
    request: Request<Incoming>,
) -> Result<Response<Content>, Infallible> {
    let answer = match route(&request) {
        Ok(route) => answer(&service, route, request).await,
        Err(problem) => Err(problem),
    };
    // Counted and not logged: anybody could fill a disk with such lines.
    Ok(answer.unwrap_or_else(|problem| {
        service.metrics.request(Outcome::Refused);
        problem.response()
    }))
}

enum Route {
    Bundle([u8; 32]),
    Directory,
    DirectoryProof,
    Exchange,
    Health,
    NextDirectory,
}

fn route(request: &Request<Incoming>) -> Result<Route, Problem> {
    let not_found = Problem::from_code(Code::NotFound);
    let path = request.uri().path().strip_prefix("/subrosa/v1/");
    let path = path
        .filter(|_| request.uri().query().is_none())
        .ok_or(not_found)?;
    let (method, route) = match path {
        "directory" => (Method::GET, Route::Directory),
        "directory/next" => (Method::GET, Route::NextDirectory),
        "directory/proof" => (Method::GET, Route::DirectoryProof),
        "exchange" => (Method::POST, Route::Exchange),
        "health" => (Method::GET, Route::Health),
        _ => {
            let hash = path.strip_prefix("bundles/").and_then(lower_hex);
            (Method::GET, Route::Bundle(hash.ok_or(not_found)?))
        }
    };
    if *request.method() == method {
        Ok(route)
    } else {
        Err(Problem::from_code(Code::MethodNotAllowed))
    }
}

async fn answer(
    service: &Arc<Service>,
    route: Route,
    request: Request<Incoming>,
) -> Result<Response<Content>, Problem> {
    let starting = Problem::from_code(Code::EngineRestarting);
    let running = || service.running.get().ok_or(starting);
    match route {
        Route::Health => Ok(health(service.health())),
        Route::Directory => {
            let directory = running()?.epochs.directory();
            Ok(respond(StatusCode::OK, "application/json", directory))
        }
        Route::NextDirectory => {
            let directory = running()?.epochs.next_directory();
            Ok(respond(StatusCode::OK, "application/json", directory))
        }
        Route::DirectoryProof => {
            let proof = running()?.epochs.directory_proof();
            let proof = proof.ok_or(Problem::from_code(Code::NotFound))?;
            Ok(respond(StatusCode::OK, "text/plain; charset=utf-8", proof))
        }
        Route::Bundle(hash) => {
            let bundle = running()?.epochs.bundle(&hash);
            let bundle = bundle.ok_or(Problem::from_code(Code::NotFound))?;
            Ok(respond(StatusCode::OK, "application/cmw+cbor", bundle))
        }
        Route::Exchange => {
            running()?;
            let held = read(service, request).await?;
            let content = exchange::answer(service, held).await?;
            Ok(response(
                StatusCode::OK,
                "message/ohttp-chunked-res",
                content,
            ))
        }
    }
}

/// Reads a sealed request. No byte is kept that is over the limit of one
/// request, or of all together.
async fn read(service: &Service, request: Request<Incoming>) -> Result<Held, Problem> {
    let media = request
        .headers()
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    let coded = request.headers().contains_key(CONTENT_ENCODING);
    if media != Some(b"message/ohttp-chunked-req") || coded {
        return Err(Problem::from_code(Code::UnsupportedMediaType));
    }
    let arrived = collect(service, request.into_body());
    timeout(service.limits.read_time(), arrived)
        .await
        .map_err(|_| {
            Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "timeout",
                "the request did not arrive in time",
            )
        })?
}

async fn collect(service: &Service, mut body: Incoming) -> Result<Held, Problem> {
    let limit = service.limits.sealed_bytes();
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(Problem::too_large());
    }
    let mut held = Held {
        share: share(&service.buffer, announced)?,
        bytes: Vec::with_capacity(announced),
    };
    let mut shared = announced;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::cut_off())?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let len = held.bytes.len().saturating_add(data.len());
        if len > limit {
            return Err(Problem::too_large());
        }
        if len > shared {
            held.share
                .merge(share(&service.buffer, len.saturating_sub(shared))?);
            shared = len;
        }
        held.bytes.extend_from_slice(&data);
    }
    Ok(held)
}

fn share(buffer: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
    let bytes = u32::try_from(bytes).map_err(|_| Problem::too_large())?;
    let share = Arc::clone(buffer).try_acquire_many_owned(bytes);
    share.map_err(|_| Problem::from_code(Code::RateLimited))
}

fn health(health: Health) -> Response<Content> {
    let status = match health {
        Health::Ready => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let body = format!(r#"{{"status":"{}"}}"#, health.name());
    respond(status, "application/json", body.into())
}

/// An answer with one header, the media type.
pub(super) fn respond(status: StatusCode, media: &'static str, body: Bytes) -> Response<Content> {
    response(status, media, Content::Whole(Some(body)))
}

fn response(status: StatusCode, media: &'static str, content: Content) -> Response<Content> {
    let mut response = Response::new(content);
    *response.status_mut() = status;
    let _ = response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// 32 bytes in the one spelling that is served.
fn lower_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    (lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

impl Body for Content {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Records(records) => records.poll_recv(context).map(|record| match record {
                Some(Record::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
                Some(Record::End) => None,
                None => Some(Err(Cut)),
            }),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                let len = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(len).unwrap_or(u64::MAX))
            }
            Self::Records(_) => SizeHint::default(),
        }
    }
}
