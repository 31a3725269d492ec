//! Who is asking: sessions, and that the store's own page asks.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::config::Origin;
use crate::error::Problem;
use crate::service::State;

const COOKIE: &str = "subrosa-session";
/// Seconds.
pub(crate) const SESSION_LIFE: i64 = 30 * 24 * 3600;

/// A session that exists.
pub(crate) struct Session {
    pub(crate) account: String,
    /// H of its token.
    pub(crate) digest: String,
}

/// A new session's token, which only its device has.
pub(crate) struct Token(String);

impl Token {
    pub(crate) fn generate() -> Result<Self, Problem> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| Problem::Unavailable)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// What the store keeps of it.
    pub(crate) fn digest(&self) -> String {
        sha256_hex(self.0.as_bytes())
    }

    pub(crate) fn cookie(&self, origin: &Origin) -> String {
        let secure = if origin.is_secure() { "; Secure" } else { "" };
        let value = &self.0;
        format!(
            "{COOKIE}={value}; Path=/store; Max-Age={SESSION_LIFE}; HttpOnly; SameSite=Strict{secure}"
        )
    }
}

/// What ends a session at the device.
pub(crate) fn ended_cookie(origin: &Origin) -> String {
    let secure = if origin.is_secure() { "; Secure" } else { "" };
    format!("{COOKIE}=; Path=/store; Max-Age=0; HttpOnly; SameSite=Strict{secure}")
}

impl OptionalFromRequestParts<State> for Session {
    type Rejection = Problem;

    /// No session where none is said; one that is said and over is refused.
    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Option<Self>, Problem> {
        if digest_of_cookie(&parts.headers).is_none() {
            return Ok(None);
        }
        let session = <Self as FromRequestParts<State>>::from_request_parts(parts, state).await;
        session.map(Some)
    }
}

impl FromRequestParts<State> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let digest = digest_of_cookie(&parts.headers).ok_or(Problem::Unauthorized)?;
        let account = state.database.session(&digest).await?;
        account
            .map(|account| Self { account, digest })
            .ok_or(Problem::Unauthorized)
    }
}

/// Refuses what another site's page could have made a browser send.
pub(crate) fn check_sender(
    method: &Method,
    headers: &HeaderMap,
    origin: &Origin,
) -> Result<(), Problem> {
    if method == Method::GET {
        return Ok(());
    }
    let is_marked = headers
        .get("subrosa-store")
        .is_some_and(|value| value == "1");
    let is_own = headers
        .get(header::ORIGIN)
        .is_none_or(|value| value == origin.as_str());
    if is_marked && is_own {
        Ok(())
    } else {
        Err(Problem::Forbidden)
    }
}

/// H of the session's token that a device sends.
pub(crate) fn digest_of_cookie(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::COOKIE).iter();
    let mut pairs = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(name, value)| *name == COOKIE && value.len() == 43)
        .map(|(_, value)| sha256_hex(value.as_bytes()))
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
