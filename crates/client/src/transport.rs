//! Connections to the service: HTTP/1.1, as little of it as possible.
//!
//! Each exchange has a connection of its own, so that a request never meets a connection that the
//! service is about to close, and two requests are not linked by sharing one. There are no
//! proxies, redirects, cookies or content codings, and the only headers sent are `host`,
//! `content-type` and `content-length`.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::address::{Host, ServiceUrl};
use crate::config::Timeouts;
use crate::error::{Error, Stage};

/// Makes connections to one service.
pub(crate) struct Transport {
    service: ServiceUrl,
    timeouts: Timeouts,
    tls: Option<TlsConnector>,
}

/// One connection.
pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
    authority: String,
    timeouts: Timeouts,
}

/// The sealed answer to one request, as it arrives.
pub(crate) struct SealedBody {
    body: Incoming,
    _driver: Driver,
    timeouts: Timeouts,
    begun: bool,
}

/// What came back of a request.
pub(crate) enum Reply {
    /// A sealed answer, or something that claims to be one.
    Sealed(SealedBody),
    /// Something in the clear.
    Problem(StatusCode, Vec<u8>),
}

/// A document, or that it is too large.
pub(crate) enum Document {
    Bytes(Vec<u8>),
    TooLarge,
}

/// The task that moves bytes. Dropping it closes the connection.
struct Driver(JoinHandle<()>);

impl Transport {
    pub(crate) fn new(service: ServiceUrl, timeouts: Timeouts) -> Self {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        Self::with_roots(service, timeouts, roots)
    }

    fn with_roots(service: ServiceUrl, timeouts: Timeouts, roots: RootCertStore) -> Self {
        let tls = service.is_secure().then(|| tls(roots)).flatten();
        Self {
            service,
            timeouts,
            tls,
        }
    }

    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// Makes a connection. No request has been sent when it fails.
    pub(crate) async fn open(&self) -> Result<Connection, Error> {
        within(self.timeouts.connect, Stage::Connect, self.connect()).await
    }

    /// Fetches a document of at most `limit` bytes, over a connection of its own.
    pub(crate) async fn get(&self, path: &str, limit: usize) -> Result<Document, Error> {
        let mut connection = self.open().await?;
        within(self.timeouts.document, Stage::Receive, async {
            let response = connection
                .request(Method::GET, path, None, Bytes::new())
                .await?;
            let status = response.status().as_u16();
            if response.status() != StatusCode::OK {
                return Err(Error::Problem {
                    status,
                    reported: None,
                });
            }
            read(response.into_body(), limit).await
        })
        .await
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let stream = self.tcp().await?;
        if !self.service.is_secure() {
            return self.speak(stream).await;
        }
        let tls = self.tls.as_ref().ok_or(Error::Network {
            stage: Stage::Tls,
            source: None,
        })?;
        let name = match self.service.host() {
            Host::Address(address) => ServerName::IpAddress((*address).into()),
            Host::Name(name) => ServerName::try_from(name.clone())
                .map_err(|error| Error::network(Stage::Tls, error))?,
        };
        let stream = tls.connect(name, stream).await;
        self.speak(stream.map_err(|error| Error::network(Stage::Tls, error))?)
            .await
    }

    async fn tcp(&self) -> Result<TcpStream, Error> {
        let port = self.service.port();
        let addresses: Vec<SocketAddr> = match self.service.host() {
            Host::Address(address) => vec![(*address, port).into()],
            Host::Name(name) => {
                let found = lookup_host((name.as_str(), port)).await;
                found
                    .map_err(|error| Error::network(Stage::Resolve, error))?
                    .take(MAX_ADDRESSES)
                    .collect()
            }
        };
        let mut failure = Error::Network {
            stage: Stage::Resolve,
            source: None,
        };
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Without it small records wait for one another; with it failing they still come.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => failure = Error::network(Stage::Connect, error),
            }
        }
        Err(failure)
    }

    async fn speak<S>(&self, stream: S) -> Result<Connection, Error>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_BUFFER)
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Error::network(Stage::Connect, error))?;
        let driver = tokio::spawn(async move {
            // What goes wrong here is seen by whoever waits for the answer.
            let _ = connection.await;
        });
        Ok(Connection {
            sender,
            driver: Driver(driver),
            authority: self.service.authority(),
            timeouts: self.timeouts,
        })
    }
}

impl Connection {
    /// Sends a sealed request. From here on it may run.
    pub(crate) async fn exchange(mut self, sealed: Vec<u8>) -> Result<Reply, Error> {
        let timeouts = self.timeouts;
        let request = self.request(
            Method::POST,
            EXCHANGE_PATH,
            Some(SEALED_REQUEST),
            sealed.into(),
        );
        let response = within(timeouts.answer, Stage::Receive, request).await?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(Reply::Sealed(SealedBody {
                body: response.into_body(),
                _driver: self.driver,
                timeouts,
                begun: false,
            }));
        }
        let problem = read(response.into_body(), MAX_PROBLEM);
        let body = match within(timeouts.document, Stage::Receive, problem).await? {
            Document::Bytes(bytes) => bytes,
            Document::TooLarge => Vec::new(),
        };
        Ok(Reply::Problem(status, body))
    }

    async fn request(
        &mut self,
        method: Method,
        path: &str,
        media: Option<&'static str>,
        body: Bytes,
    ) -> Result<Response<Incoming>, Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority);
        if let Some(media) = media {
            request = request.header(CONTENT_TYPE, media);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|error| Error::network(Stage::Send, error))?;
        let response = self.sender.send_request(request).await;
        response.map_err(|error| Error::network(Stage::Send, error))
    }
}

impl SealedBody {
    /// The next bytes, `None` at the end. With `on_a_clock`, pieces after the first must come soon.
    pub(crate) async fn next(&mut self, on_a_clock: bool) -> Result<Option<Bytes>, Error> {
        let limit = if self.begun && on_a_clock {
            self.timeouts.record
        } else {
            self.timeouts.answer
        };
        let bytes = within(limit, Stage::Receive, next_data(&mut self.body)).await?;
        self.begun = true;
        Ok(bytes)
    }
}

/// Reads a body of at most `limit` bytes; nothing beyond is kept.
async fn read(mut body: Incoming, limit: usize) -> Result<Document, Error> {
    let mut bytes = Vec::new();
    while let Some(data) = next_data(&mut body).await? {
        if bytes.len().saturating_add(data.len()) > limit {
            return Ok(Document::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Document::Bytes(bytes))
}

async fn next_data(body: &mut Incoming) -> Result<Option<Bytes>, Error> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::network(Stage::Receive, error))?;
        // Trailers mean nothing: they are not sealed.
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

async fn within<T>(
    after: Duration,
    stage: Stage,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match timeout(after, future).await {
        Ok(result) => result,
        Err(_) => Err(Error::Timeout { stage, after }),
    }
}

/// TLS 1.3 with these roots. It hides from the network which documents are fetched; what is secret
/// is sealed and does not depend on it.
fn tls(roots: RootCertStore) -> Option<TlsConnector> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Some(TlsConnector::from(Arc::new(config)))
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

const EXCHANGE_PATH: &str = "/subrosa/v1/exchange";
const SEALED_REQUEST: &str = "message/ohttp-chunked-req";
/// Bytes of headers, and of a body that wait to be read.
const MAX_BUFFER: usize = 64 << 10;
const MAX_HEADERS: usize = 64;
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;
/// Bytes of a problem document (RFC 9457).
const MAX_PROBLEM: usize = 8 << 10;

#[cfg(test)]
mod tests;
