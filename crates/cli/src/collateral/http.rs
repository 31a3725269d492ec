//! One request to a vendor's service.

use std::io;
use std::time::Duration;

use ureq::http::{HeaderMap, Response, StatusCode, header};
use ureq::{Agent, Body};

use crate::download::{check_address, next_address};
use crate::failure::{Exit, Failure};

use super::retry::retry_after;
use super::services::server;

/// What to send and what to accept.
pub(super) struct Request<'a> {
    /// What it is, for messages.
    pub(super) name: &'a str,
    pub(super) url: &'a str,
    /// A question to post; without one the address is read.
    pub(super) question: Option<&'a [u8]>,
    pub(super) media: Media,
    pub(super) max_bytes: usize,
}

/// Which content types are accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Media {
    /// Certificates and lists, which services label in many ways: anything but a web page.
    Any,
    /// `application/json`
    Json,
    /// `application/ocsp-response` (RFC 6960, appendix A.2)
    Ocsp,
}

/// A good answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// What came of a request that failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// It would fail again.
    Final(Failure),
    /// It may pass; the service may have said after which time.
    Passing(Failure, Option<Duration>),
}

/// Sends the request, within `time`, and reads the whole answer.
pub(super) fn send(agent: &Agent, request: &Request<'_>, time: Duration) -> Result<Reply, Fault> {
    let response = follow(agent, request, time)?;
    check_status(request, &response)?;
    check_media(request, &response)?;
    let headers = response.headers().clone();
    let limit = u64::try_from(request.max_bytes).unwrap_or(u64::MAX);
    let body = response.into_body().into_with_config().limit(limit);
    match body.read_to_vec() {
        Ok(body) => Ok(Reply { headers, body }),
        Err(ureq::Error::BodyExceedsLimit(_)) => Err(Fault::Final(
            request
                .failure(Exit::Network)
                .cause(format!("the answer has more than {limit} bytes")),
        )),
        Err(error) => Err(Fault::Passing(broken(request, &error), None)),
    }
}

/// No proxy from the environment, no redirect that was not looked at.
pub(super) fn agent() -> Agent {
    Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_resolve(Some(CONNECT_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .user_agent(concat!("subrosa/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

impl Request<'_> {
    fn failure(&self, exit: Exit) -> Failure {
        let message = format!("cannot fetch {} from {}", self.name, server(self.url));
        Failure::new(exit, message)
    }

    fn call(
        &self,
        agent: &Agent,
        url: &str,
        time: Duration,
    ) -> Result<Response<Body>, ureq::Error> {
        match self.question {
            None => agent
                .get(url)
                .header(header::ACCEPT_ENCODING, "identity")
                .config()
                .timeout_global(Some(time))
                .build()
                .call(),
            Some(question) => agent
                .post(url)
                .header(header::ACCEPT_ENCODING, "identity")
                .content_type("application/ocsp-request")
                .config()
                .timeout_global(Some(time))
                .build()
                .send(question),
        }
    }
}

/// Follows redirects of what is read; a question is sent to nobody else. What was asked for by https is not fetched
/// by http, not even from this machine.
fn follow(agent: &Agent, request: &Request<'_>, time: Duration) -> Result<Response<Body>, Fault> {
    let mut url = request.url.to_owned();
    for _ in 0..=MAX_REDIRECTS {
        let response = request
            .call(agent, &url, time)
            .map_err(|error| Fault::Passing(broken(request, &error), None))?;
        if !response.status().is_redirection() || request.question.is_some() {
            return Ok(response);
        }
        let next = next_address(&url, &response).map_err(Fault::Final)?;
        check_address(&next).map_err(Fault::Final)?;
        if url.starts_with("https:") && !next.starts_with("https:") {
            let failure = request.failure(Exit::Network);
            return Err(Fault::Final(
                failure.cause("it was redirected to plain http"),
            ));
        }
        url = next;
    }
    Err(Fault::Final(request.failure(Exit::Network).cause(format!(
        "it was redirected more than {MAX_REDIRECTS} times"
    ))))
}

fn check_status(request: &Request<'_>, response: &Response<Body>) -> Result<(), Fault> {
    let status = response.status();
    if status == StatusCode::OK {
        return Ok(());
    }
    let failure = request
        .failure(Exit::Network)
        .cause(format!("the service answered {status}"));
    let may_pass = status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT;
    if may_pass {
        let asked = response.headers().get(header::RETRY_AFTER);
        let asked = asked.and_then(|value| retry_after(value.to_str().ok()?));
        let failure = failure.hint("the service is busy or down: try again later");
        return Err(Fault::Passing(failure, asked));
    }
    Err(Fault::Final(match status {
        StatusCode::NOT_FOUND => failure.hint(
            "the service does not know what this evidence names: it may be simulated, too new, or of another service",
        ),
        _ => failure.hint("check the addresses of the services"),
    }))
}

fn check_media(request: &Request<'_>, response: &Response<Body>) -> Result<(), Fault> {
    let value = response.headers().get(header::CONTENT_TYPE);
    let value = value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media = value.split(';').next().unwrap_or_default().trim();
    let is = |expected: &str| media.eq_ignore_ascii_case(expected);
    let right = match request.media {
        Media::Any => !is("text/html"),
        Media::Json => is("application/json"),
        Media::Ocsp => is("application/ocsp-response"),
    };
    if right {
        return Ok(());
    }
    let failure = request.failure(Exit::Network);
    Err(Fault::Final(
        failure
            .cause(format!("the answer's content type is {media:?}"))
            .hint("a login page or a proxy may have answered in the service's place"),
    ))
}

fn broken(request: &Request<'_>, error: &ureq::Error) -> Failure {
    let failure = request.failure(Exit::Network);
    let failure = match error {
        // Its text names a field of the library's settings.
        ureq::Error::Timeout(_) => failure.cause("it took too long"),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            failure.cause("the connection ended before the answer did")
        }
        error => failure.because(error),
    };
    failure.hint("check the network; a proxy from the environment is not used")
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_REDIRECTS: usize = 3;
