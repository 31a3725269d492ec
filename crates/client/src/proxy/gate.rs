//! Who may ask, and for what.

use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, ORIGIN, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use subrosa_api::error::{ApiError, Code};
use subrosa_api::request::Api;
use subrosa_attest::Sha256Digest;
use subtle::ConstantTimeEq;

use super::body::{ProxyBody, error_response};
use super::{ProxyConfig, Token};

/// Checks every request before anything of it is used.
pub(super) struct Gate {
    hosts: [String; 3],
    port: u16,
    origins: Vec<String>,
    token: Option<Token>,
}

/// What a request is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Route {
    /// A call that is passed on inside the seal.
    Call(Call),
    /// The page that says what this is.
    Page,
    /// Verdict and gaps.
    Status,
}

/// A call of an API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Call {
    pub(super) path: String,
    pub(super) method: Method,
    /// The API whose events and errors it gets; `None` for calls that generate nothing.
    pub(super) generates: Option<Api>,
}

/// A request that is not let in.
#[derive(Debug)]
pub(super) struct Denied {
    pub(super) error: ApiError,
    pub(super) api: Api,
}

impl Gate {
    pub(super) fn new(port: u16, config: &ProxyConfig) -> Self {
        Self {
            hosts: ["127.0.0.1", "localhost", "[::1]"].map(str::to_owned),
            port,
            origins: config.origins.clone(),
            token: config.token.clone(),
        }
    }

    /// Lets a request in, or says why not. Who asks is checked before what is asked for.
    pub(super) fn check(&self, parts: &Parts) -> Result<Route, Denied> {
        let path = parts.uri.path();
        let api = Api::from_path(path).unwrap_or(Api::Chat);
        let denied = |error| Denied { error, api };
        let refuse = |code| denied(ApiError::from_code(code));
        if !self.is_own_host(parts) || !self.is_allowed_origin(&parts.headers) {
            return Err(refuse(Code::Forbidden));
        }
        match (&parts.method, path) {
            (&Method::GET, "/") => return Ok(Route::Page),
            (&Method::GET, "/subrosa/status") => return Ok(Route::Status),
            _ => {}
        }
        if !self.has_token(&parts.headers) {
            return Err(refuse(Code::Unauthorized));
        }
        let call = Call::find(path, &parts.method).map_err(refuse)?;
        if parts.uri.query().is_some() {
            let error = ApiError::new(Code::InvalidValue, "a query is not supported");
            return Err(denied(error));
        }
        if call.method == Method::POST && !is_json(&parts.headers) {
            return Err(refuse(Code::UnsupportedMediaType));
        }
        Ok(Route::Call(call))
    }

    /// A page whose name was made to point to this machine sends that name.
    fn is_own_host(&self, parts: &Parts) -> bool {
        let is_own = |authority: &str| {
            self.hosts
                .iter()
                .any(|host| match authority.strip_prefix(host.as_str()) {
                    Some("") => self.port == 80,
                    Some(port) => port.strip_prefix(':') == Some(self.port.to_string().as_str()),
                    None => false,
                })
        };
        let mut hosts = parts.headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        // In absolute form the request line names a host of its own (RFC 9112 §3.2.2).
        host.to_str().is_ok_and(is_own)
            && parts
                .uri
                .authority()
                .is_none_or(|authority| is_own(authority.as_str()))
    }

    /// Browsers say which page asks: in `Origin`, or, for a plain navigation or an image, only in
    /// `Sec-Fetch-Site` (Fetch Metadata).
    fn is_allowed_origin(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(ORIGIN).iter().peekable();
        if origins.peek().is_some() {
            return origins.all(|origin| {
                self.origins
                    .iter()
                    .any(|allowed| allowed.as_bytes() == origin.as_bytes())
            });
        }
        let is_own_or_none =
            |site: &HeaderValue| matches!(site.as_bytes(), b"same-origin" | b"none");
        headers.get_all(SEC_FETCH_SITE).iter().all(is_own_or_none)
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let Some(Token(expected)) = &self.token else {
            return true;
        };
        let bearer = headers.get(AUTHORIZATION).and_then(|value| {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            scheme
                .eq_ignore_ascii_case("bearer")
                .then_some(token.trim_start().as_bytes())
        });
        let key = headers.get("x-api-key").map(HeaderValue::as_bytes);
        // Digests have one length, so that comparing them says nothing about the token's.
        let is_token = |given: &[u8]| {
            bool::from(
                Sha256Digest::of(given)
                    .as_bytes()
                    .ct_eq(expected.as_bytes()),
            )
        };
        bearer.is_some_and(is_token) || key.is_some_and(is_token)
    }
}

impl Call {
    fn find(path: &str, method: &Method) -> Result<Self, Code> {
        let generates = Api::from_path(path);
        let expected = match path {
            _ if generates.is_some() => Method::POST,
            "/v1/embeddings" => Method::POST,
            "/v1/models" => Method::GET,
            _ if path
                .strip_prefix("/v1/models/")
                .is_some_and(|name| !name.is_empty()) =>
            {
                Method::GET
            }
            _ => return Err(Code::NotFound),
        };
        if *method != expected {
            return Err(Code::MethodNotAllowed);
        }
        let path = path.to_owned();
        Ok(Self {
            path,
            method: expected,
            generates,
        })
    }

    /// The API whose errors it gets.
    pub(super) fn api(&self) -> Api {
        self.generates.unwrap_or(Api::Chat)
    }
}

impl Denied {
    pub(super) fn response(&self) -> Response<ProxyBody> {
        let mut response = error_response(&self.error, self.api, None);
        if self.error.code == Code::Unauthorized {
            let _replaced = response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// A form of a web page can send `text/plain` without asking first, but not this.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(media), None) = (types.next(), types.next()) else {
        return false;
    };
    let media = media
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    media.trim().eq_ignore_ascii_case("application/json") && !headers.contains_key(CONTENT_ENCODING)
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
