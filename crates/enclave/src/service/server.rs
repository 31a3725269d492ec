//! Connections: how many, how long, and nothing else.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::http::{Content, handle, respond};
use super::{Service, permits};
use crate::log::Event;

/// Serves the network on `listener`, for ever.
pub async fn serve(service: Arc<Service>, listener: TcpListener) {
    let connections = Arc::new(Semaphore::new(permits(service.limits.connections)));
    loop {
        // The permit comes first: what is over the limit waits in the kernel.
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        let Some(stream) = accept(&service, &listener).await else {
            continue;
        };
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let _permit = permit;
            let handler = service_fn(|request| handle(Arc::clone(&service), request));
            let read_time = service.limits.read_time();
            // An error is the client's: it is not worth a word.
            let _ = http(read_time)
                .serve_connection(TokioIo::new(stream), handler)
                .await;
        });
    }
}

/// Serves the metrics on `listener`, for ever.
pub async fn serve_metrics(service: Arc<Service>, listener: TcpListener) {
    let connections = Arc::new(Semaphore::new(METRICS_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        let Some(stream) = accept(&service, &listener).await else {
            continue;
        };
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let _permit = permit;
            let handler = service_fn(|request| metrics(&service, &request));
            let _ = http(METRICS_READ)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), handler)
                .await;
        });
    }
}

fn metrics(
    service: &Service,
    request: &Request<Incoming>,
) -> Ready<Result<Response<Content>, Infallible>> {
    let (status, body) = if request.uri().path() == "/metrics" {
        (StatusCode::OK, service.metrics.snapshot())
    } else {
        (StatusCode::NOT_FOUND, bytes::Bytes::new())
    };
    ready(Ok(respond(status, OPEN_METRICS, body)))
}

async fn accept(service: &Service, listener: &TcpListener) -> Option<TcpStream> {
    match listener.accept().await {
        Ok((stream, _)) => {
            // Records must leave on their tick, and a client that takes nothing
            // must not keep its connection.
            let _ = stream.set_nodelay(true);
            let _ = set_tcp_user_timeout(&stream, STALLED_MILLIS);
            Some(stream)
        }
        Err(error) => {
            // Out of file descriptors, for example; trying at once would spin.
            if !is_of_one_connection(error.kind()) {
                service.log.write(&Event::AcceptFailed);
                sleep(ACCEPT_PAUSE).await;
            }
            None
        }
    }
}

fn is_of_one_connection(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        kind,
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// HTTP/1.1 without a date, so that the node tells nobody its clock.
fn http(read_time: Duration) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(read_time)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_BUFFER)
        .auto_date_header(false);
    http
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const METRICS_CONNECTIONS: usize = 8;
const METRICS_READ: Duration = Duration::from_secs(5);
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
const STALLED_MILLIS: u32 = 60_000;
const MAX_HEADERS: usize = 64;
const MAX_BUFFER: usize = 64 * 1024;
