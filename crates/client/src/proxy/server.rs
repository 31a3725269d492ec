//! Connections of applications.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::body::ProxyBody;
use super::gate::Route;
use super::{Shared, forward, pages};

/// Serves connections for as long as it is polled. Dropping it closes them.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(shared.config.limits.connections));
    let mut connections = JoinSet::new();
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely; some come back.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        // Small pieces should not wait for one another.
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        let _handle = connections.spawn(async move {
            let _place = place;
            let service = service_fn(|request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(answer(shared, request).await) }
            });
            let mut builder = http1::Builder::new();
            let _ = builder
                .timer(TokioTimer::new())
                .header_read_timeout(shared.config.limits.head_time)
                .max_buf_size(MAX_BUFFER)
                .max_headers(MAX_HEADERS);
            // A broken connection concerns the application alone.
            let _ = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: hyper::Request<hyper::body::Incoming>,
) -> Response<ProxyBody> {
    let (parts, body) = request.into_parts();
    match shared.gate.check(&parts) {
        Err(denied) => denied.response(),
        Ok(Route::Page) => pages::about(),
        Ok(Route::Status) => pages::status(&shared.client).await,
        Ok(Route::Call(call)) => forward::forward(shared, call, &parts.headers, body).await,
    }
}

/// Bytes of headers.
const MAX_BUFFER: usize = 64 << 10;
const MAX_HEADERS: usize = 100;
