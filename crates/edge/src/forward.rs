//! The way to the node: sealed bytes, passed on as they are.

use axum::body::Body;
use axum::http::uri::{PathAndQuery, Scheme};
use axum::http::{HeaderMap, HeaderName, Request, Response, Uri, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::error::Problem;

/// What a node needs to see of a request, and a device of an answer. Everything else stays here: addresses, cookies, browsers' names.
const PASSED: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CACHE_CONTROL,
    header::RETRY_AFTER,
];

/// A node that sealed bytes are passed to.
#[derive(Clone)]
pub(crate) struct Node {
    uri: Uri,
    client: Client<HttpConnector, Body>,
}

impl Node {
    pub(crate) fn new(uri: Uri) -> Self {
        Self {
            uri,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    pub(crate) async fn pass(&self, request: Request<Body>) -> Result<Response<Body>, Problem> {
        let (parts, body) = request.into_parts();
        let path = PathAndQuery::try_from(parts.uri.path()).map_err(|_| Problem::NotFound)?;
        let mut uri = self.uri.clone().into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.path_and_query = Some(path);
        let mut request = Request::new(body);
        *request.method_mut() = parts.method;
        *request.uri_mut() = Uri::from_parts(uri).map_err(|_| Problem::NotFound)?;
        *request.headers_mut() = passed(&parts.headers);
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|_| Problem::Unavailable)?;
        let (parts, body) = answer.into_parts();
        let mut response = Response::new(Body::new(body));
        *response.status_mut() = parts.status;
        *response.headers_mut() = passed(&parts.headers);
        Ok(response)
    }
}

fn passed(headers: &HeaderMap) -> HeaderMap {
    let mut passed = HeaderMap::new();
    for name in PASSED {
        if let Some(value) = headers.get(&name) {
            passed.insert(name, value.clone());
        }
    }
    // What a node says of an error, without which no client would know what to do.
    for name in ["subrosa-error", "x-should-retry"] {
        if let Some(value) = headers.get(name) {
            passed.insert(HeaderName::from_static(name), value.clone());
        }
    }
    passed
}
