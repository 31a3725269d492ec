//! A server on this machine that speaks the APIs of OpenAI and Anthropic and passes requests on
//! inside the seal.
//!
//! ```text
//! application ──HTTP──▶ gate (Host, Origin, token, media type) ──▶ Client::send ──▶ sealed exchange
//!      ▲                                                                              │
//!      └── SSE or JSON, with the headers subrosa-verdict and subrosa-receipt ◀────────┘
//! ```
//!
//! It listens on loopback addresses only. Web pages cannot use it: a page of another origin is
//! refused by its `Origin`, one that had its name point to this machine by its `Host`, and no
//! answer has a header that would let a page read it. An answer that is cut off or does not verify
//! ends as an error event, which official clients raise, and with a broken connection.

use core::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use subrosa_attest::Sha256Digest;
use thiserror::Error;
use tokio::net::TcpListener;

use crate::client::{Client, SendOptions};

mod body;
mod forward;
mod gate;
mod pages;
mod server;
mod streaming;

use gate::Gate;

/// How the proxy serves.
#[derive(Clone)]
#[non_exhaustive]
pub struct ProxyConfig {
    /// Where it listens: a loopback address.
    pub listen: SocketAddr,
    /// Values of `Origin` that are let in, such as `tauri://localhost`. None by default.
    pub origins: Vec<String>,
    /// What applications must present, if anything.
    pub token: Option<Token>,
    /// Folder in which every receipt is kept, if any.
    pub receipts: Option<PathBuf>,
    /// How requests are sent.
    pub send: SendOptions,
    /// Bounds.
    pub limits: Limits,
    /// Is told what no application can be told.
    pub notice: Arc<dyn Fn(&Notice) + Send + Sync>,
}

/// Bounds on what applications may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at the same time; more wait.
    pub connections: usize,
    /// Bytes of a request's body.
    pub request_bytes: usize,
    /// Bytes of an answer that is not streamed.
    pub answer_bytes: usize,
    /// Time for the headers of a request, from when it is awaited.
    pub head_time: Duration,
    /// Time for the body of a request.
    pub body_time: Duration,
}

/// A secret that applications present as `authorization: Bearer …` or `x-api-key`.
#[derive(Clone)]
pub struct Token(Sha256Digest);

/// Something the owner of the proxy may want to know. It holds no text of a user.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// An answer arrived, but its receipt could not be kept.
    ReceiptNotKept(crate::receipt::StorageError),
}

/// Why the proxy does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The address cannot be listened on; often another program does already.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The address can be reached from other machines.
    #[error("{address} is not a loopback address")]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
}

/// A proxy that listens.
pub struct Proxy {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What all connections have in common.
pub(crate) struct Shared {
    client: Client,
    gate: Gate,
    config: ProxyConfig,
}

impl ProxyConfig {
    /// No origin, no token, no receipts kept.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            origins: Vec::new(),
            token: None,
            receipts: None,
            send: SendOptions::default(),
            limits: Limits::default(),
            notice: Arc::new(|_| {}),
        }
    }
}

impl Token {
    /// `None` if the text is empty.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(Sha256Digest::of(text.as_bytes())))
    }
}

impl Proxy {
    /// Listens.
    ///
    /// # Errors
    ///
    /// [`ProxyError`].
    pub async fn bind(client: Client, config: ProxyConfig) -> Result<Self, ProxyError> {
        let address = config.listen;
        if !address.ip().is_loopback() {
            return Err(ProxyError::NotLoopback { address });
        }
        let listen = |source| ProxyError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let gate = Gate::new(address.port(), &config);
        Ok(Self {
            listener,
            address,
            shared: Arc::new(Shared {
                client,
                gate,
                config,
            }),
        })
    }

    /// Where it listens; the port is known even if it was asked for as 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready. Answers under way are cut off then.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => {}
            () = server::accept(self.listener, self.shared) => {}
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            request_bytes: 16 << 20,
            answer_bytes: 64 << 20,
            head_time: Duration::from_mins(1),
            body_time: Duration::from_mins(1),
        }
    }
}

impl fmt::Debug for ProxyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyConfig")
            .field("listen", &self.listen)
            .field("origins", &self.origins)
            .field("token", &self.token)
            .field("receipts", &self.receipts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
