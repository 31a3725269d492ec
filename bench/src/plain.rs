//! The same engine behind plain HTTP: what the sealed service is compared with.
//!
//! It parses the same request and writes the same compact events, so that the
//! difference is the seal alone.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use subrosa_api::endpoint;
use subrosa_api::event::{Event, EventDecoder, Start};
use subrosa_api::request::Api;
use subrosa_inference::SharedEngine;
use tokio::net::{TcpListener, TcpStream};

use crate::Failed;
use crate::load::MODEL;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Serves `engine` on a loopback port until the program ends.
///
/// # Errors
///
/// When no port can be had.
pub async fn serve(engine: SharedEngine) -> Result<SocketAddr, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let engine = Arc::clone(&engine);
            tokio::spawn(async move {
                let service = service_fn(|request| answer(Arc::clone(&engine), request));
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    Ok(address)
}

async fn answer(
    engine: SharedEngine,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let stream = async {
        let body = request.into_body().collect().await.ok()?.to_bytes();
        let request = endpoint::parse(Api::Chat, &body).ok()?;
        engine.generate(request).await.ok()
    };
    let Some(events) = stream.await else {
        let empty = Full::new(Bytes::new()).boxed_unsync();
        return Ok(Response::new(empty));
    };
    let start = Start {
        api: Api::Chat,
        id: "bench".to_owned(),
        created: 0,
        model: MODEL.to_owned(),
    };
    let frames = futures_util::stream::unfold(
        (Some(Event::Start(start)), events),
        |(first, mut events)| async {
            let event = match first {
                Some(event) => event,
                None => events.next().await?,
            };
            let mut bytes = Vec::new();
            event.encode(&mut bytes).ok()?;
            Some((Ok(Frame::data(Bytes::from(bytes))), (None, events)))
        },
    );
    Ok(Response::new(UnsyncBoxBody::new(StreamBody::new(frames))))
}

/// Sends a request over a connection of its own.
///
/// # Errors
///
/// When the connection fails.
pub async fn post(server: SocketAddr, body: &Value) -> Result<Response<Incoming>, Failed> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::post(Api::Chat.path())
        .header("host", server.to_string())
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))?;
    Ok(sender.send_request(request).await?)
}

/// The client's side.
pub struct PlainStream {
    body: Incoming,
    decoder: EventDecoder,
    ready: std::collections::VecDeque<Event>,
    ended: bool,
}

impl PlainStream {
    /// Sends a request.
    ///
    /// # Errors
    ///
    /// When the connection fails.
    pub async fn open(server: SocketAddr, body: &Value) -> Result<Self, Failed> {
        Ok(Self {
            body: post(server, body).await?.into_body(),
            decoder: EventDecoder::new(),
            ready: std::collections::VecDeque::new(),
            ended: false,
        })
    }

    /// The next event, until the end.
    ///
    /// # Errors
    ///
    /// When the stream breaks.
    pub async fn next(&mut self) -> Result<Option<Event>, Failed> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.ended |= event == Event::End;
                return Ok(Some(event));
            }
            match self.body.frame().await {
                None if self.ended => return Ok(None),
                None => return Err("the plain stream was cut".into()),
                Some(frame) => {
                    if let Ok(bytes) = frame?.into_data() {
                        self.ready.extend(self.decoder.push(&bytes)?);
                    }
                }
            }
        }
    }
}
