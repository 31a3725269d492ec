//! Passing a call on inside the seal.

use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use subrosa_api::endpoint;
use subrosa_api::error::{ApiError, Code};
use subrosa_api::render::{Options, Sse};
use subrosa_api::request::{Api, ConversationKey};
use subrosa_channel::{Completed, InnerRequest};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::body::{ProxyBody, RECEIPT, add, error_response, response};
use super::gate::{Call, Denied};
use super::streaming::Pump;
use super::{Notice, Shared};
use crate::client::refused_unrun;
use crate::error::Error;
use crate::exchange::{Exchange, WholeAnswer};
use crate::node::{Refusal, VerifiedNode};
use crate::receipt::ReceiptFile;

/// Answers a call.
pub(super) async fn forward(
    shared: Arc<Shared>,
    call: Call,
    headers: &HeaderMap,
    body: Incoming,
) -> Response<ProxyBody> {
    let api = call.api();
    let request = match inner(&shared, &call, headers, body).await {
        Ok(request) => request,
        Err(error) => return Denied { error, api }.response(),
    };
    let sse = call.generates.map(|api| renderer(api, &request.body));
    let exchange = match shared.client.send(&request, &shared.config.send).await {
        Ok(exchange) => exchange,
        Err(error) => return failed(&error, api, None),
    };
    match sse {
        Some(sse) if exchange.is_events() => Pump::begin(shared, exchange, sse),
        _ => whole(&shared, exchange, api).await,
    }
}

/// The request as it travels inside the seal. Of the application's headers only those go along
/// that the service reads: the others say who and what the application is.
async fn inner(
    shared: &Shared,
    call: &Call,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<InnerRequest, ApiError> {
    let mut inner = Vec::new();
    for name in FORWARDED {
        if let Some(value) = headers.get(&name) {
            let invalid = |_| {
                ApiError::new(
                    Code::InvalidValue,
                    format!("the header {name} is not ASCII text"),
                )
            };
            inner.push((
                name.to_string(),
                value.to_str().map_err(invalid)?.to_owned(),
            ));
        }
    }
    let limits = &shared.config.limits;
    let late = |_| {
        ApiError::new(
            Code::Timeout,
            "the body of the request did not arrive in time",
        )
    };
    let body = timeout(limits.body_time, read(body, limits.request_bytes))
        .await
        .map_err(late)??;
    Ok(InnerRequest {
        method: call.method.to_string(),
        path: call.path.clone(),
        headers: inner,
        body: body.to_vec(),
    })
}

/// Reads a body; nothing beyond the limit is kept.
async fn read(mut body: Incoming, limit: usize) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    let too_large = || ApiError::from_code(Code::RequestTooLarge);
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(too_large());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(announced));
    while let Some(frame) = body.frame().await {
        let broken = |_| ApiError::new(Code::InvalidValue, "the body of the request was cut off");
        let Ok(data) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if bytes.len().saturating_add(data.len()) > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// What turns events into what the application expects. A request that cannot be read here goes to
/// the service all the same, which says what is wrong with it, or knows more than this version.
fn renderer(api: Api, body: &[u8]) -> Sse {
    match endpoint::parse(api, body) {
        Ok(request) => Sse::for_request(&request),
        Err(_) => Sse::new(api, Options::default()),
    }
}

async fn whole(shared: &Arc<Shared>, exchange: Exchange, api: Api) -> Response<ProxyBody> {
    let verdict = exchange.node().verdict_line();
    // Events are read with the call that asked for them; here they are a broken answer.
    if exchange.is_events() {
        return failed(&Error::NotEvents, api, Some(&verdict));
    }
    let answer = match exchange.whole(shared.config.limits.answer_bytes).await {
        Ok(answer) => answer,
        Err(error) => return failed(&error, api, Some(&verdict)),
    };
    let WholeAnswer {
        head,
        body,
        completed,
        node,
        ..
    } = answer;
    let media = head
        .header("content-type")
        .unwrap_or("application/octet-stream");
    let body = ProxyBody::Whole(Some(body.to_vec().into()));
    let mut response = response(head.status, media, Some(&verdict), body);
    for name in PASSED_BACK {
        if let Some(value) = head.header(name.as_str()) {
            add(&mut response, name, value);
        }
    }
    if head.status >= 400 && head.header(SHOULD_RETRY).is_none() {
        // Official clients would send most errors again, whether or not the request ran.
        let unrun = refused_unrun(&head).is_some();
        let name = HeaderName::from_static(SHOULD_RETRY);
        add(&mut response, name, if unrun { "true" } else { "false" });
    }
    add(
        &mut response,
        RECEIPT,
        &keep(shared, &node, *completed).await,
    );
    response
}

/// Keeps the receipt where the owner wants it; returns its id.
pub(super) async fn keep(
    shared: &Arc<Shared>,
    node: &Arc<VerifiedNode>,
    completed: Completed,
) -> String {
    let id = completed.receipt.receipt().id();
    if let Some(folder) = shared.config.receipts.clone() {
        let file = ReceiptFile::new(node, completed);
        let saved = spawn_blocking(move || file.save(&folder)).await;
        if let Ok(Err(error)) = saved {
            (shared.config.notice)(&Notice::ReceiptNotKept(error));
        }
    }
    id
}

fn failed(error: &Error, api: Api, verdict: Option<&str>) -> Response<ProxyBody> {
    let refused = error.refusal().map(Refusal::verdict_line);
    error_response(&error.to_api_error(), api, refused.as_deref().or(verdict))
}

const FORWARDED: [HeaderName; 4] = [
    ACCEPT,
    CONTENT_TYPE,
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static(ConversationKey::HEADER),
];
/// Headers of a sealed answer that the application gets.
const PASSED_BACK: [HeaderName; 3] = [
    RETRY_AFTER,
    HeaderName::from_static(ApiError::CODE_HEADER),
    HeaderName::from_static(SHOULD_RETRY),
];
const SHOULD_RETRY: &str = "x-should-retry";
