//! Refusals outside of the seal: RFC 9457 problem documents.
//!
//! They are not authenticated and prove nothing; they hold a stable code and
//! words of this source.

use http::{Response, StatusCode};
use serde::Serialize;
use subrosa_api::error::Code;
use subrosa_channel::OpenError;

use super::http::{Content, respond};

/// A refusal that could not be sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
}

#[derive(Serialize)]
struct Document {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
}

impl Problem {
    pub(super) const fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self {
            status,
            code,
            title,
        }
    }

    /// A problem that one of the API's codes describes.
    pub(super) fn from_code(code: Code) -> Self {
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, code.as_str(), code.summary())
    }

    /// The sealed request is larger than this service takes.
    pub(super) const fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "request-too-large",
            "the sealed request is too large",
        )
    }

    /// The request ended before it was whole.
    pub(super) const fn cut_off() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed-request",
            "the request was cut off",
        )
    }

    /// Why a request did not open.
    pub(super) fn from_open(error: &OpenError) -> Self {
        let title = match error {
            OpenError::TooLarge { .. } => return Self::too_large(),
            OpenError::KeyExpired => "the key has expired",
            OpenError::KeyNotYetValid => "the key is not valid yet",
            OpenError::Replayed => "the request was seen before",
            OpenError::UnknownKey => "no such key here",
            OpenError::UnknownVersion => "not a request of version 1",
            OpenError::Malformed(_) => "the request is malformed",
            _ => "the request does not open",
        };
        Self::new(StatusCode::BAD_REQUEST, error.code(), title)
    }

    pub(super) fn response(&self) -> Response<Content> {
        let document = Document {
            r#type: "about:blank",
            title: self.title,
            status: self.status.as_u16(),
            code: self.code,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        respond(self.status, "application/problem+json", body.into())
    }
}
