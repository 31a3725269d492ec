//! One connection per request: closing it is how an answer is cancelled.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use std::time::Duration;

use crate::engine::EngineError;
use crate::upstream::address::Kind;
use crate::upstream::config::UpstreamConfig;

/// A connection to the server; dropping it closes the socket.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<()>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(config: &UpstreamConfig) -> Result<Self, EngineError> {
        let connecting = async {
            match config.address.kind() {
                Kind::Loopback(address) => {
                    let stream = tokio::net::TcpStream::connect(address).await;
                    let stream = stream.map_err(|_| UNREACHABLE)?;
                    // Small writes should not wait for each other.
                    let _ = stream.set_nodelay(true);
                    Self::over(stream).await
                }
                #[cfg(unix)]
                Kind::Unix(path) => {
                    let stream = tokio::net::UnixStream::connect(path).await;
                    Self::over(stream.map_err(|_| UNREACHABLE)?).await
                }
            }
        };
        tokio::time::timeout(config.connect_timeout, connecting)
            .await
            .map_err(|_| UNREACHABLE)?
    }

    async fn over<S>(stream: S) -> Result<Self, EngineError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| UNREACHABLE)?;
        let task = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self { sender, task })
    }

    /// Sends a request and waits for a good status.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        body: Vec<u8>,
        config: &UpstreamConfig,
    ) -> Result<Response<Incoming>, EngineError> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| EngineError::Internal)?;
        let sending = self.sender.send_request(request);
        let response = tokio::time::timeout(config.idle_timeout, sending)
            .await
            .map_err(|_| BROKEN)?
            .map_err(|_| BROKEN)?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let refused = refusal(response, config.context_tokens);
        Err(tokio::time::timeout(config.idle_timeout, refused)
            .await
            .unwrap_or(BROKEN))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn whole_body(
    response: Response<Incoming>,
    limit: usize,
) -> Result<Bytes, EngineError> {
    let body = Limited::new(response.into_body(), limit);
    Ok(body.collect().await.map_err(|_| BROKEN)?.to_bytes())
}

/// What a status other than 200 means. The server's words are not passed on:
/// they may quote the prompt.
async fn refusal(response: Response<Incoming>, context: usize) -> EngineError {
    let status = response.status();
    let retry_after = retry_after(response.headers());
    match status {
        StatusCode::NOT_FOUND => EngineError::ModelUnknown,
        StatusCode::TOO_MANY_REQUESTS => EngineError::QueueFull { retry_after },
        StatusCode::SERVICE_UNAVAILABLE => EngineError::WorkerRestarting { retry_after },
        StatusCode::BAD_REQUEST if is_context_error(response).await => {
            EngineError::ContextTooLong {
                prompt_tokens: None,
                limit: context,
            }
        }
        status if status.is_client_error() => EngineError::UpstreamRefused {
            status: status.as_u16(),
        },
        status => EngineError::Upstream {
            status: Some(status.as_u16()),
        },
    }
}

async fn is_context_error(response: Response<Incoming>) -> bool {
    #[derive(Deserialize)]
    struct Body {
        error: Detail,
    }
    #[derive(Deserialize)]
    struct Detail {
        code: Option<String>,
    }
    let Ok(body) = whole_body(response, MAX_ERROR_BODY).await else {
        return false;
    };
    serde_json::from_slice::<Body>(&body)
        .is_ok_and(|body| body.error.code.as_deref() == Some("context_length_exceeded"))
}

fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = headers
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    Duration::from_secs(seconds.unwrap_or(1).clamp(1, 600))
}

const UNREACHABLE: EngineError = EngineError::WorkerRestarting {
    retry_after: Duration::from_secs(1),
};
const BROKEN: EngineError = EngineError::Upstream { status: None };
const MAX_ERROR_BODY: usize = 64 << 10;
