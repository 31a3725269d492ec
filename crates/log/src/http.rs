//! A log and a witness on the network (c2sp.org/tlog-tiles, c2sp.org/tlog-witness), and `POST /add` for entries.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use subrosa_translog::{LogProof, Note, Timestamp, VerifierKey};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use crate::sequencer::{Submission, SubmitError};
use crate::storage::Storage;
use crate::witness::{AddCheckpoint, Witness, WitnessError};
use subrosa_translog::tiles::{MAX_ENTRIES, TilePath};

/// A log, as the network sees it.
#[derive(Debug)]
pub struct LogService<S> {
    /// Where checkpoint and tiles are read from.
    pub storage: S,
    /// Where entries are handed in.
    pub submission: Submission,
    /// Whose entries are taken: a signature of one of them is enough.
    pub authors: Vec<VerifierKey>,
}

/// A witness, as the network sees it.
pub struct WitnessService<S> {
    /// The witness: one request at a time.
    pub witness: Mutex<Witness<S>>,
    /// Tells the time.
    pub clock: fn() -> Timestamp,
}

/// Something that answers requests.
pub trait Service: Send + Sync + 'static {
    /// The most bytes of a request's body.
    const MAX_BODY: usize;

    /// Answers a request whose body is at most [`Self::MAX_BODY`] bytes.
    fn answer(
        self: Arc<Self>,
        method: Method,
        path: String,
        body: Vec<u8>,
    ) -> impl Future<Output = Answer> + Send;
}

/// An answer to a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    status: StatusCode,
    media: &'static str,
    cache: &'static str,
    body: Vec<u8>,
}

impl Answer {
    fn text(status: StatusCode, text: impl Into<String>) -> Self {
        let body = text.into().into_bytes();
        Self {
            status,
            media: "text/plain; charset=utf-8",
            cache: "no-store",
            body,
        }
    }

    fn of_status(status: u16, text: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::text(status, text)
    }

    fn not_found() -> Self {
        Self::text(StatusCode::NOT_FOUND, "there is nothing here\n")
    }

    fn failed() -> Self {
        Self::text(StatusCode::INTERNAL_SERVER_ERROR, "this did not work\n")
    }
}

impl<S: Storage + Send + Sync + 'static> LogService<S> {
    /// A file of the log, as it is stored.
    async fn file(self: Arc<Self>, name: String, max: usize) -> Option<Vec<u8>> {
        let read = spawn_blocking(move || self.storage.get(&name, max));
        read.await.ok()?.ok()?
    }

    async fn add(&self, entry: Vec<u8>) -> Answer {
        let author = Note::parse(&entry)
            .ok()
            .and_then(|note| note.count(&self.authors).ok());
        match author {
            None => return Answer::of_status(400, "an entry is a signed note\n"),
            Some(0) => return Answer::of_status(403, "no author of this log has signed it\n"),
            Some(_) => {}
        }
        match self.submission.submit(entry).await {
            Ok(proof) => Answer::text(StatusCode::OK, proof.to_string()),
            Err(
                error @ (SubmitError::Busy | SubmitError::Stopped | SubmitError::Quorum { .. }),
            ) => Answer::of_status(503, format!("{error}\n")),
            Err(SubmitError::Log(_)) => Answer::failed(),
        }
    }
}

impl<S: Storage + Send + Sync + 'static> Service for LogService<S> {
    const MAX_BODY: usize = LogProof::MAX_ENTRY;

    async fn answer(self: Arc<Self>, method: Method, path: String, body: Vec<u8>) -> Answer {
        let path = path.strip_prefix('/').unwrap_or_default();
        if method == Method::POST && path == "add" {
            return self.add(body).await;
        }
        if method != Method::GET {
            return Answer::of_status(405, "GET, or POST /add\n");
        }
        if path == "checkpoint" {
            let note = self.file(path.to_owned(), Note::MAX).await;
            return note.map_or_else(Answer::not_found, |body| Answer {
                body,
                ..Answer::text(StatusCode::OK, "")
            });
        }
        let Some(tile) = TilePath::parse(path) else {
            return Answer::not_found();
        };
        let bytes = self.file(tile.to_string(), MAX_ENTRIES).await;
        bytes.map_or_else(Answer::not_found, |body| Answer {
            status: StatusCode::OK,
            media: "application/octet-stream",
            cache: "public, max-age=31536000, immutable",
            body,
        })
    }
}

impl<S: Storage + Send + 'static> Service for WitnessService<S> {
    const MAX_BODY: usize = AddCheckpoint::MAX;

    async fn answer(self: Arc<Self>, method: Method, path: String, body: Vec<u8>) -> Answer {
        if method != Method::POST || path != "/add-checkpoint" {
            return Answer::not_found();
        }
        let cosign = spawn_blocking(move || {
            let request = AddCheckpoint::parse(&body)?;
            // Whoever held it and ended has written all or nothing.
            let mut witness = self.witness.lock().unwrap_or_else(PoisonError::into_inner);
            witness.cosign(&request, (self.clock)())
        });
        match cosign.await {
            Ok(Ok(line)) => Answer::text(StatusCode::OK, format!("{line}\n")),
            Ok(Err(WitnessError::Conflict { size })) => Answer {
                media: "text/x.tlog.size",
                ..Answer::of_status(409, format!("{size}\n"))
            },
            Ok(Err(WitnessError::Storage(_))) | Err(_) => Answer::failed(),
            Ok(Err(error)) => Answer::of_status(error.status(), format!("{error}\n")),
        }
    }
}

/// Serves until `stop` is ready.
pub async fn serve<T: Service>(listener: TcpListener, service: Arc<T>, stop: impl Future) {
    tokio::select! {
        _ = stop => {}
        () = accept(listener, service) => {}
    }
}

async fn accept<T: Service>(listener: TcpListener, service: Arc<T>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely; some come back.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let service = Arc::clone(&service);
        let _handle = connections.spawn(async move {
            let _place = place;
            let handler = service_fn(|request| {
                let service = Arc::clone(&service);
                async move { Ok::<_, Infallible>(respond(service, request).await) }
            });
            let mut builder = http1::Builder::new();
            let _ = builder
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME)
                .max_buf_size(MAX_HEAD)
                .max_headers(64);
            // A broken connection concerns the other end alone.
            let _ = builder
                .serve_connection(TokioIo::new(stream), handler)
                .await;
        });
    }
}

async fn respond<T: Service>(service: Arc<T>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let answer = match timeout(BODY_TIME, Limited::new(body, T::MAX_BODY).collect()).await {
        Ok(Ok(body)) => {
            let body = body.to_bytes().to_vec();
            service.answer(parts.method, path, body).await
        }
        Ok(Err(_)) => Answer::of_status(413, format!("at most {} bytes\n", T::MAX_BODY)),
        Err(_) => Answer::of_status(408, "this took too long\n"),
    };
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.media));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(answer.cache));
    response
}

const MAX_CONNECTIONS: usize = 256;
/// Bytes of a request's head.
const MAX_HEAD: usize = 16 << 10;
const HEAD_TIME: Duration = Duration::from_secs(30);
const BODY_TIME: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
