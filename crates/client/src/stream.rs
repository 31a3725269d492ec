//! An answer as events (spec/stream-events.md).

use core::fmt;
use std::collections::VecDeque;
use std::sync::Arc;

use subrosa_api::event::{Event, EventDecoder};
use subrosa_channel::{Completed, ResponseEvent};

use crate::error::Error;
use crate::exchange::Receiver;
use crate::node::VerifiedNode;

/// The events of an answer. Dropping it before the end stops the service's work.
pub struct EventStream {
    receiver: Option<Receiver>,
    node: Arc<VerifiedNode>,
    decoder: EventDecoder,
    pending: VecDeque<Event>,
}

/// What a stream yields.
#[expect(clippy::exhaustive_enums, reason = "an answer has pieces and an end")]
#[derive(Debug)]
pub enum StreamItem {
    /// The answer is whole and its receipt has verified; nothing follows.
    Complete(Box<Completed>),
    /// The next event. That the events end ([`Event::End`]) does not make the answer whole.
    Event(Event),
}

impl EventStream {
    pub(crate) fn new(receiver: Receiver) -> Self {
        Self {
            node: Arc::clone(receiver.node()),
            receiver: Some(receiver),
            decoder: EventDecoder::new(),
            pending: VecDeque::new(),
        }
    }

    /// The node that answers.
    #[must_use]
    pub fn node(&self) -> &Arc<VerifiedNode> {
        &self.node
    }

    /// The next event, or the end.
    ///
    /// # Errors
    ///
    /// [`Error::Response`] when the answer is cut off or not authentic, [`Error::Stream`] or
    /// [`Error::StreamTruncated`] when its events are not well formed. The answer is lost then,
    /// and so it is when this is called again after [`StreamItem::Complete`].
    pub async fn next(&mut self) -> Result<StreamItem, Error> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Ok(StreamItem::Event(event));
            }
            let receiver = self.receiver.as_mut().ok_or(Error::StreamTruncated)?;
            match receiver.next().await? {
                ResponseEvent::Body(bytes) => self.pending.extend(self.decoder.push(&bytes.0)?),
                ResponseEvent::Complete(completed) => {
                    if !self.decoder.is_clean_end() {
                        return Err(Error::StreamTruncated);
                    }
                    if let Some(receiver) = self.receiver.take() {
                        receiver.leave();
                    }
                    return Ok(StreamItem::Complete(completed));
                }
                _ => {}
            }
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}
