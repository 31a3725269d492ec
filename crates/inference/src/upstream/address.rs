//! Where an upstream server may be: on this machine, and nowhere else.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The address of an upstream server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UpstreamAddress(Kind);

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Loopback(SocketAddr),
    #[cfg(unix)]
    Unix(PathBuf),
}

impl UpstreamAddress {
    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }
}

/// Reads `unix:/path/to/socket`, `http://127.0.0.1:8000` or `http://[::1]:8000`.
///
/// Host names are refused, since resolving one is a way to leave the machine.
impl FromStr for UpstreamAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            if !path.is_absolute() {
                return Err(AddressError::RelativePath);
            }
            #[cfg(unix)]
            return Ok(Self(Kind::Unix(path)));
            #[cfg(not(unix))]
            return Err(AddressError::Format);
        }
        let rest = text.strip_prefix("http://").ok_or(AddressError::Format)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let address: SocketAddr = rest.parse().map_err(|_| AddressError::Format)?;
        if !address.ip().is_loopback() {
            return Err(AddressError::NotLoopback);
        }
        Ok(Self(Kind::Loopback(address)))
    }
}

/// Why an address was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Neither form was found.
    #[error("address is neither `unix:/path` nor `http://` with a numeric address and a port")]
    Format,

    /// The address is on another machine.
    #[error("address is not a loopback address")]
    NotLoopback,

    /// The path of the socket is relative.
    #[error("path of the socket is not absolute")]
    RelativePath,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_and_loopback_addresses_are_read() {
        for text in [
            "unix:/run/engine.sock",
            "http://127.0.0.1:8000/",
            "http://[::1]:8000",
        ] {
            assert!(text.parse::<UpstreamAddress>().is_ok(), "{text}");
        }
    }

    #[test]
    fn addresses_outside_this_machine_are_refused() {
        for text in [
            "http://10.0.0.1:80",
            "http://[2001:db8::1]:80",
            "http://0.0.0.0:80",
        ] {
            assert_eq!(
                text.parse::<UpstreamAddress>(),
                Err(AddressError::NotLoopback),
                "{text}"
            );
        }
    }

    #[test]
    fn names_other_schemes_and_missing_ports_are_refused() {
        for text in [
            "http://localhost:80",
            "https://127.0.0.1:80",
            "http://127.0.0.1",
            "http://127.0.0.1:80/v1",
            "http://user@127.0.0.1:80",
            "",
        ] {
            assert_eq!(
                text.parse::<UpstreamAddress>(),
                Err(AddressError::Format),
                "{text}"
            );
        }
    }

    #[test]
    fn a_relative_socket_is_refused() {
        assert_eq!(
            "unix:run.sock".parse::<UpstreamAddress>(),
            Err(AddressError::RelativePath)
        );
    }
}
