//! Bodies and heads of what the proxy answers.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use subrosa_api::error::ApiError;
use subrosa_api::request::Api;
use tokio::sync::mpsc;

/// The content of an answer.
pub(super) enum ProxyBody {
    /// Server-sent events, as they come.
    Events(mpsc::Receiver<Piece>),
    /// All of it.
    Whole(Option<Bytes>),
}

/// A piece of a stream.
pub(super) enum Piece {
    /// Bytes.
    Bytes(Bytes),
    /// Nothing follows.
    End,
}

/// The stream stops without having ended; the connection is closed in the middle of the body.
#[derive(Debug, thiserror::Error)]
#[error("the answer was cut off")]
pub(super) struct Cut;

/// An answer with the headers that all have.
pub(super) fn response(
    status: u16,
    media: &str,
    verdict: Option<&str>,
    body: ProxyBody,
) -> Response<ProxyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    add(&mut response, CONTENT_TYPE, media);
    add(&mut response, CACHE_CONTROL, "no-store");
    add(&mut response, X_CONTENT_TYPE_OPTIONS, "nosniff");
    if let Some(verdict) = verdict {
        add(&mut response, VERDICT, verdict);
    }
    response
}

/// An error in the shape of `api`.
pub(super) fn error_response(
    error: &ApiError,
    api: Api,
    verdict: Option<&str>,
) -> Response<ProxyBody> {
    let body = ProxyBody::Whole(Some(error.body(api).into()));
    let mut response = response(error.status(), "application/json", verdict, body);
    for (name, value) in error.headers() {
        add(&mut response, HeaderName::from_static(name), &value);
    }
    response
}

/// Sets a header, unless its value cannot be one.
pub(super) fn add(response: &mut Response<ProxyBody>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        let _replaced = response.headers_mut().insert(name, value);
    }
}

impl Body for ProxyBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Events(pieces) => pieces.poll_recv(context).map(|piece| match piece {
                Some(Piece::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
                Some(Piece::End) => None,
                // Whoever should have said that it ends is gone.
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
            Self::Events(_) => SizeHint::default(),
        }
    }
}

/// The verdict, in one line.
pub(super) const VERDICT: HeaderName = HeaderName::from_static("subrosa-verdict");
/// The id of the receipt of a whole answer.
pub(super) const RECEIPT: HeaderName = HeaderName::from_static("subrosa-receipt");
