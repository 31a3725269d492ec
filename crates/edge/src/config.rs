//! What an operator sets.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use axum::http::Uri;
use axum::http::uri::{Authority, Scheme};
use thiserror::Error;

/// What an operator sets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// `sqlite://FILE` or `postgres://…`.
    pub database: String,
    /// The address that people see.
    pub origin: Origin,
    /// The node that exchanges are passed to, such as `http://127.0.0.1:8788`.
    pub node: Option<Address>,
    /// The transparency log whose tiles pages ask for.
    pub log: Option<Address>,
    /// The folder of the web application.
    pub web: Option<PathBuf>,
    /// What one account may have.
    pub limits: Limits,
}

/// What one account may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of everything.
    pub quota: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { quota: 256 << 20 }
    }
}

impl Config {
    /// A service on this address, with this database and origin.
    #[must_use]
    pub fn new(listen: SocketAddr, database: String, origin: Origin) -> Self {
        Self {
            listen,
            database,
            origin,
            node: None,
            log: None,
            web: None,
            limits: Limits::default(),
        }
    }
}

/// The address that people see: `https://chat.example.org`, or a loopback one with `http`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    text: String,
    host: String,
    is_secure: bool,
}

/// The address of another server: `http://HOST[:PORT][/PATH]`, or the same with `https`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    /// Without a slash at its end.
    pub(crate) prefix: String,
}

impl FromStr for Address {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let parts = Uri::from_str(text)
            .map_err(|_| ConfigError::Address)?
            .into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(ConfigError::Address);
        };
        let path = parts.path_and_query.ok_or(ConfigError::Address)?;
        let is_known = scheme == Scheme::HTTP || scheme == Scheme::HTTPS;
        if !is_known || path.query().is_some() || text.contains(['@', '#']) {
            return Err(ConfigError::Address);
        }
        let prefix = path.path().trim_end_matches('/').to_owned();
        Ok(Self {
            scheme,
            authority,
            prefix,
        })
    }
}

/// Why a setting is not accepted.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The address of a server is not one.
    #[error("an address is http://HOST[:PORT][/PATH], or the same with https")]
    Address,
    /// The origin is not one, or not safe.
    #[error("an origin is https://HOST[:PORT], or http://localhost[:PORT] for trying")]
    Origin,
}

impl Origin {
    /// The host alone: the relying party of passkeys (`WebAuthn` Level 3 §4, "RP ID").
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is `https`.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// As a browser sends it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Origin {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let uri = Uri::from_str(text).map_err(|_| ConfigError::Origin)?;
        let (scheme, authority) = (uri.scheme_str(), uri.authority());
        let (Some(scheme), Some(authority)) = (scheme, authority) else {
            return Err(ConfigError::Origin);
        };
        let is_secure = scheme == "https";
        // Browsers give passkeys to pages without TLS on this host only.
        let is_loopback = scheme == "http" && authority.host() == "localhost";
        let is_plain = uri.path() == "/" && uri.query().is_none() && !text.ends_with('/');
        let is_lower = text.bytes().all(|byte| !byte.is_ascii_uppercase());
        if !(is_secure || is_loopback) || !is_plain || !is_lower || text.contains('@') {
            return Err(ConfigError::Origin);
        }
        Ok(Self {
            text: text.to_owned(),
            host: authority.host().to_owned(),
            is_secure,
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_safe_or_on_this_machine() {
        let origin: Origin = "https://chat.example.org".parse().unwrap();
        assert_eq!(
            (origin.host(), origin.is_secure()),
            ("chat.example.org", true)
        );
        let origin: Origin = "http://localhost:8080".parse().unwrap();
        assert_eq!((origin.host(), origin.is_secure()), ("localhost", false));
        for wrong in [
            "",
            "localhost",
            "http://chat.example.org",
            "http://127.0.0.1:8080",
            "https://chat.example.org/",
            "https://chat.example.org/x",
            "https://chat.example.org?x",
            "https://Chat.example.org",
            "https://you@chat.example.org",
            "ftp://localhost",
        ] {
            assert_eq!(wrong.parse::<Origin>(), Err(ConfigError::Origin), "{wrong}");
        }
    }
    #[test]
    fn an_address_is_of_a_server_and_may_have_a_path() {
        let address: Address = "https://log.example/2026/".parse().unwrap();
        assert_eq!(address.authority, "log.example");
        assert_eq!(address.prefix, "/2026");
        let address: Address = "http://127.0.0.1:8788".parse().unwrap();
        assert_eq!(
            (address.scheme, address.prefix),
            (Scheme::HTTP, String::new())
        );
        for wrong in [
            "",
            "log.example",
            "/x",
            "ftp://log.example",
            "http://you@log.example",
            "http://log.example/?x",
            "http://log.example/#x",
        ] {
            assert_eq!(
                wrong.parse::<Address>(),
                Err(ConfigError::Address),
                "{wrong}"
            );
        }
    }
}
