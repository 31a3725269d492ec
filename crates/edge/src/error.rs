//! Answers that say what went wrong (spec/store.md, "Limits and codes").

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::database::DatabaseError;

/// Why a request was not done. Nothing of what was sent is in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Problem {
    BadRequest(&'static str),
    PrfRefused,
    Unauthorized,
    Forbidden,
    NotFound,
    NoRoster,
    Conflict,
    TooLarge,
    TooMany(&'static str),
    OverQuota,
    Unavailable,
}

impl Problem {
    const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest(why) => (StatusCode::BAD_REQUEST, "bad-request", why),
            Self::PrfRefused => (
                StatusCode::BAD_REQUEST,
                "prf-refused",
                "results of a passkey's PRF must stay on the device",
            ),
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "come in with a passkey or a recovery code first",
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "only the store's own page may ask for this",
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "nothing is here"),
            Self::NoRoster => (
                StatusCode::NOT_FOUND,
                "no-roster",
                "the account has no list of slots yet",
            ),
            Self::Conflict => (
                StatusCode::CONFLICT,
                "conflict",
                "the store has another newest: read it, then try again",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "longer than its limit",
            ),
            Self::TooMany(what) => (StatusCode::TOO_MANY_REQUESTS, "too-many", what),
            Self::OverQuota => (
                StatusCode::INSUFFICIENT_STORAGE,
                "over-quota",
                "the account is full: delete something, or ask the operator for more",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "the store does not work at the moment: try again later",
            ),
        }
    }
}

impl From<DatabaseError> for Problem {
    fn from(_: DatabaseError) -> Self {
        Self::Unavailable
    }
}

impl From<sqlx::Error> for Problem {
    fn from(_: sqlx::Error) -> Self {
        Self::Unavailable
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, title) = self.parts();
        let number = status.as_u16();
        let body = json!({ "type": "about:blank", "title": title, "status": number, "code": code });
        let mut response = (status, body.to_string()).into_response();
        let media = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, media);
        response
    }
}
