//! The way to the node and to the log: bytes that devices verify, passed on as they are.

use axum::body::Body;
use axum::http::uri::{Authority, PathAndQuery, Scheme};
use axum::http::{HeaderMap, HeaderName, Request, Response, Uri, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::config::Address;
use crate::error::Problem;

/// What a node needs to see of a request, and a device of an answer. Everything else stays here: addresses, cookies, browsers' names.
const PASSED: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CACHE_CONTROL,
    header::RETRY_AFTER,
];

/// A server that requests are passed on to.
#[derive(Clone)]
pub(crate) struct Upstream {
    scheme: Scheme,
    authority: Authority,
    /// Path before every other, without a slash at its end.
    prefix: String,
    client: Client<HttpsConnector<HttpConnector>, Body>,
}

impl Upstream {
    pub(crate) fn new(address: &Address) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .build();
        Self {
            scheme: address.scheme.clone(),
            authority: address.authority.clone(),
            prefix: address.prefix.clone(),
            client: Client::builder(TokioExecutor::new()).build(connector),
        }
    }

    /// Passes a request on, to this path there.
    pub(crate) async fn pass(
        &self,
        request: Request<Body>,
        path: &str,
    ) -> Result<Response<Body>, Problem> {
        let (parts, body) = request.into_parts();
        let path = PathAndQuery::try_from(format!("{}{path}", self.prefix));
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path.map_err(|_| Problem::NotFound)?)
            .build();
        let mut request = Request::new(body);
        *request.method_mut() = parts.method;
        *request.uri_mut() = uri.map_err(|_| Problem::NotFound)?;
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
