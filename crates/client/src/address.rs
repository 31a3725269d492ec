//! Where a service is.

use core::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// Scheme, host and port of a service. It has no path, query or user part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceUrl {
    secure: bool,
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Host {
    Address(IpAddr),
    Name(String),
}

/// Why a text is not the URL of a service.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum AddressError {
    /// The host is neither an IP address nor a host name.
    #[error("the URL of the service has no valid host")]
    Host,
    /// There is more behind the port: a path, a query, a user.
    #[error(
        "the URL of the service must be http(s)://host or http(s)://host:port and nothing more"
    )]
    Other,
    /// The port is not a number from 1 to 65535.
    #[error("the URL of the service has no valid port")]
    Port,
    /// It begins with neither `http://` nor `https://`.
    #[error("the URL of the service must begin with http:// or https://")]
    Scheme,
}

impl ServiceUrl {
    /// Whether connections are wrapped in TLS. Nothing depends on it: what is sent is sealed.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether the host is written as a loopback address: `127.0.0.0/8` or `[::1]`. A name never
    /// is one, whatever it resolves to.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        matches!(self.host, Host::Address(address) if address.is_loopback())
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, as in the header `host`.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl FromStr for ServiceUrl {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (secure, rest) = match text.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            _ => return Err(AddressError::Scheme),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '@', '\\']) {
            return Err(AddressError::Other);
        }
        let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
            let (address, port) = rest.split_once(']').ok_or(AddressError::Host)?;
            let address: Ipv6Addr = address.parse().map_err(|_| AddressError::Host)?;
            (Host::Address(address.into()), port)
        } else {
            let colon = authority.find(':').unwrap_or(authority.len());
            let (host, port) = authority.split_at(colon);
            (Host::name_or_ipv4(host)?, port)
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => parse_port(digits)?,
            None if port.is_empty() => {
                if secure {
                    443
                } else {
                    80
                }
            }
            None => return Err(AddressError::Port),
        };
        Ok(Self { secure, host, port })
    }
}

impl Host {
    fn name_or_ipv4(text: &str) -> Result<Self, AddressError> {
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        let is_name = (1..=MAX_NAME).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        is_name
            .then(|| Self::Name(text.to_ascii_lowercase()))
            .ok_or(AddressError::Host)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

fn parse_port(digits: &str) -> Result<u16, AddressError> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.parse().ok().filter(|port| is_number && *port != 0);
    port.ok_or(AddressError::Port)
}

/// Longest host name (RFC 1035 §2.3.4, as text).
const MAX_NAME: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, AddressError> {
        text.parse().map(|url: ServiceUrl| url.to_string())
    }

    #[test]
    fn a_url_is_scheme_host_and_port() {
        assert_eq!(
            parse("http://127.0.0.1:8080").unwrap(),
            "http://127.0.0.1:8080"
        );
        assert_eq!(
            parse("https://Example.org/").unwrap(),
            "https://example.org:443"
        );
        assert_eq!(parse("http://[::1]:9").unwrap(), "http://[::1]:9");
    }

    #[test]
    fn anything_more_is_refused() {
        for (text, error) in [
            ("ftp://a", AddressError::Scheme),
            ("127.0.0.1:80", AddressError::Scheme),
            ("HTTP://a", AddressError::Scheme),
            ("http://a/b", AddressError::Other),
            ("http://a?b", AddressError::Other),
            ("http://a#b", AddressError::Other),
            ("http://127.0.0.1@evil.example", AddressError::Other),
            ("http://127.0.0.1\\@evil.example", AddressError::Other),
            ("http://", AddressError::Host),
            ("http://a b", AddressError::Host),
            ("http://a\r\nb", AddressError::Host),
            ("http://[::1", AddressError::Host),
            ("http://[v1.x]", AddressError::Host),
            ("http://a:", AddressError::Port),
            ("http://a:0", AddressError::Port),
            ("http://a:+80", AddressError::Port),
            ("http://a:65536", AddressError::Port),
            ("http://[::1]80", AddressError::Port),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn only_literal_loopback_addresses_are_loopback() {
        let is_loopback = |text: &str| text.parse::<ServiceUrl>().unwrap().is_loopback();
        for text in ["http://127.0.0.1", "http://127.255.3.4:5", "https://[::1]"] {
            assert!(is_loopback(text), "{text}");
        }
        for text in [
            "http://localhost",
            "http://127.0.0.1.example.org",
            "http://127.1",
            "http://0x7f000001",
            "http://2130706433",
            "http://0.0.0.0",
            "http://[::]",
            "http://[::ffff:127.0.0.1]",
            "http://128.0.0.1",
        ] {
            assert!(!is_loopback(text), "{text}");
        }
    }
}
