//! Streamed answers: sealed events in, server-sent events out.

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use subrosa_api::event::Event;
use subrosa_api::render::Sse;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::Shared;
use super::body::{Piece, ProxyBody, error_response, response};
use super::forward::keep;
use crate::error::Error;
use crate::exchange::Exchange;
use crate::stream::{EventStream, StreamItem};

/// Moves one answer from the service to an application.
pub(super) struct Pump {
    shared: Arc<Shared>,
    events: EventStream,
    sse: Sse,
    pieces: mpsc::Sender<Piece>,
    /// What tells an application that its answer is finished. It is held back until the answer is
    /// known to be whole, so that no application acts on one that is not.
    held: Vec<Event>,
}

/// The application takes nothing any more.
struct Gone;

impl Pump {
    /// Starts to move, and answers with what will come.
    pub(super) fn begin(shared: Arc<Shared>, exchange: Exchange, sse: Sse) -> Response<ProxyBody> {
        let verdict = exchange.node().verdict_line();
        let events = match exchange.into_events() {
            Ok(events) => events,
            Err(error) => {
                let error = error.to_api_error();
                return error_response(&error, subrosa_api::request::Api::Chat, Some(&verdict));
            }
        };
        let (pieces, receiver) = mpsc::channel(PIECES_AHEAD);
        let pump = Self {
            shared,
            events,
            sse,
            pieces,
            held: Vec::new(),
        };
        let _detached = tokio::spawn(pump.run());
        let body = ProxyBody::Events(receiver);
        response(200, Sse::CONTENT_TYPE, Some(&verdict), body)
    }

    /// Ends when the answer does, or when the application goes away: dropping the events then
    /// closes the connection to the service, which stops its work.
    async fn run(mut self) {
        loop {
            let item = tokio::select! {
                biased;
                () = self.pieces.closed() => return,
                item = self.events.next() => item,
            };
            let sent = match item {
                Ok(StreamItem::Event(event @ (Event::Finish { .. } | Event::End))) => {
                    self.held.push(event);
                    Ok(())
                }
                Ok(StreamItem::Event(event)) => self.push(&event).await,
                Ok(StreamItem::Complete(completed)) => {
                    let id = keep(&self.shared, self.events.node(), *completed).await;
                    // Nobody is left to be told if this fails.
                    let _ = self.complete(&id).await;
                    return;
                }
                Err(error) => {
                    let _ = self.break_off(&error).await;
                    return;
                }
            };
            if sent.is_err() {
                return;
            }
        }
    }

    async fn push(&mut self, event: &Event) -> Result<(), Gone> {
        let bytes = self.sse.push(event);
        self.send(bytes).await
    }

    async fn complete(&mut self, receipt: &str) -> Result<(), Gone> {
        let mut last = Vec::new();
        for event in std::mem::take(&mut self.held) {
            if event == Event::End {
                // A comment, which clients skip.
                last.extend_from_slice(format!(": subrosa-receipt {receipt}\n\n").as_bytes());
            }
            last.extend(self.sse.push(&event));
        }
        self.send(last).await?;
        self.pieces.send(Piece::End).await.map_err(|_| Gone)
    }

    /// Tells the application that what it has is not an answer. After the pause the channel closes
    /// without [`Piece::End`], and so does the connection; without the pause it would close before
    /// the error is on its way.
    async fn break_off(&mut self, error: &Error) -> Result<(), Gone> {
        let bytes = self.sse.error(&error.to_api_error());
        self.send(bytes).await?;
        sleep(FLUSH).await;
        Ok(())
    }

    async fn send(&mut self, bytes: Vec<u8>) -> Result<(), Gone> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.pieces
            .send(Piece::Bytes(bytes.into()))
            .await
            .map_err(|_| Gone)
    }
}

/// Pieces that may wait for the application.
const PIECES_AHEAD: usize = 16;
/// Time for an error to leave before the connection is broken.
const FLUSH: Duration = Duration::from_millis(100);
