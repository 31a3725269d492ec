//! One exchange: the authenticated answer, piece by piece.

use core::fmt;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use subrosa_channel::{Completed, Profile, ResponseEvent, ResponseHead, ResponseOpener};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::node::VerifiedNode;
use crate::stream::EventStream;
use crate::transport::SealedBody;

/// An answer that has begun: its head has authenticated. Dropping it before the end closes the
/// connection, which stops the service's work.
pub struct Exchange {
    head: ResponseHead,
    receiver: Receiver,
}

/// An answer that is whole: its receipt has verified.
#[non_exhaustive]
pub struct WholeAnswer {
    /// Status and headers.
    pub head: ResponseHead,
    /// Content.
    pub body: Zeroizing<Vec<u8>>,
    /// Receipt and the key that opens it.
    pub completed: Box<Completed>,
    /// The node that answered.
    pub node: Arc<VerifiedNode>,
}

/// Takes an answer off the network and opens it.
pub(crate) struct Receiver {
    node: Arc<VerifiedNode>,
    opener: ResponseOpener,
    body: SealedBody,
    /// Opened and not yet given out.
    pending: VecDeque<ResponseEvent>,
    failure: Option<Error>,
    on_a_clock: bool,
    begun: bool,
    tails: Arc<Semaphore>,
}

impl Exchange {
    /// Status and headers.
    #[must_use]
    pub fn head(&self) -> &ResponseHead {
        &self.head
    }

    /// The node that answers.
    #[must_use]
    pub fn node(&self) -> &Arc<VerifiedNode> {
        &self.receiver.node
    }

    /// The next piece of the answer, or [`ResponseEvent::Complete`]; the last one. What came before
    /// is an answer only when that has come.
    ///
    /// # Errors
    ///
    /// [`Error::Response`] when the answer is cut off or not authentic.
    pub async fn next(&mut self) -> Result<ResponseEvent, Error> {
        self.receiver.next().await
    }

    /// The rest of the answer, if it is whole and has at most `limit` bytes of content.
    ///
    /// # Errors
    ///
    /// As [`Self::next`], and [`Error::AnswerTooLarge`].
    pub async fn whole(mut self, limit: usize) -> Result<WholeAnswer, Error> {
        let mut body = Zeroizing::new(Vec::new());
        loop {
            match self.next().await? {
                ResponseEvent::Body(bytes) if body.len().saturating_add(bytes.0.len()) > limit => {
                    return Err(Error::AnswerTooLarge { limit });
                }
                ResponseEvent::Body(bytes) => body.extend_from_slice(&bytes.0),
                ResponseEvent::Complete(completed) => {
                    let node = Arc::clone(&self.receiver.node);
                    self.receiver.leave();
                    return Ok(WholeAnswer {
                        head: self.head,
                        body,
                        completed,
                        node,
                    });
                }
                _ => {}
            }
        }
    }

    /// Whether this is a stream of events (spec/stream-events.md).
    #[must_use]
    pub fn is_events(&self) -> bool {
        self.head.status == 200
            && self.head.header("content-type") == Some(subrosa_api::event::CONTENT_TYPE)
    }

    /// Reads the answer as a stream of events.
    ///
    /// # Errors
    ///
    /// [`Error::NotEvents`], when it is something else, such as an error.
    pub fn into_events(self) -> Result<EventStream, Error> {
        if self.is_events() {
            Ok(EventStream::new(self.receiver))
        } else {
            Err(Error::NotEvents)
        }
    }

    /// Receives the rest and keeps it, so that it can be looked at and still be given out.
    pub(crate) async fn receive_all(&mut self, limit: usize) -> Result<(), Error> {
        let (mut kept, mut len) = (VecDeque::new(), 0_usize);
        loop {
            let event = self.next().await?;
            if let ResponseEvent::Body(bytes) = &event {
                len = len.saturating_add(bytes.0.len());
            }
            if len > limit {
                return Err(Error::AnswerTooLarge { limit });
            }
            let is_last = matches!(event, ResponseEvent::Complete(_));
            kept.push_back(event);
            if is_last {
                self.receiver.pending = kept;
                return Ok(());
            }
        }
    }
}

impl Receiver {
    pub(crate) fn new(
        node: Arc<VerifiedNode>,
        opener: ResponseOpener,
        body: SealedBody,
        profile: Profile,
        tails: Arc<Semaphore>,
    ) -> Self {
        Self {
            node,
            opener,
            body,
            pending: VecDeque::new(),
            failure: None,
            on_a_clock: profile != Profile::Off,
            begun: false,
            tails,
        }
    }

    /// Waits for the head.
    pub(crate) async fn begin(mut self) -> Result<Exchange, Error> {
        match self.next().await? {
            ResponseEvent::Head(head) => {
                let receiver = self;
                Ok(Exchange { head, receiver })
            }
            // The opener yields the head first; anything else is no answer.
            _ => Err(subrosa_channel::OpenResponseError::UnknownHeader.into()),
        }
    }

    pub(crate) fn node(&self) -> &Arc<VerifiedNode> {
        &self.node
    }

    pub(crate) async fn next(&mut self) -> Result<ResponseEvent, Error> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Ok(event);
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            self.receive().await?;
        }
    }

    async fn receive(&mut self) -> Result<(), Error> {
        let bytes = match self.body.next(self.on_a_clock).await {
            Ok(bytes) => bytes,
            // Nothing has come: that may be the network's fault alone.
            Err(error @ Error::Timeout { .. }) if !self.begun => return Err(error),
            // Whatever ended the stream, the answer was cut off.
            Err(_) => None,
        };
        let Some(bytes) = bytes else {
            self.opener.finish()?;
            // The answer was complete before; there is nothing more to receive.
            return Err(Error::StreamTruncated);
        };
        self.begun = true;
        let mut events = Vec::new();
        let pushed = self.opener.push(&bytes, &mut events);
        // What was opened before an error is authentic, and comes before it.
        self.pending.extend(events);
        self.failure = pushed.err().map(Error::Response);
        Ok(())
    }

    /// Lets the padding behind a complete answer arrive in the background, so that the network
    /// does not see where the answer ended. It is bounded in number, time and bytes; what exceeds
    /// the bounds is cut off, which is harmless and visible.
    pub(crate) fn leave(self) {
        if self.opener.has_ended() {
            return;
        }
        let Ok(permit) = self.tails.try_acquire_owned() else {
            return;
        };
        let mut body = self.body;
        let _detached = tokio::spawn(async move {
            let _permit = permit;
            let drained = async {
                let mut len = 0_usize;
                while let Ok(Some(bytes)) = body.next(true).await {
                    len = len.saturating_add(bytes.len());
                    if len > MAX_TAIL_LEN {
                        break;
                    }
                }
            };
            // What is not there in time is not waited for.
            let _ = timeout(MAX_TAIL_TIME, drained).await;
        });
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("status", &self.head.status)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WholeAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WholeAnswer")
            .field("status", &self.head.status)
            .field("len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The number of records is rounded up to a power of two, so padding takes no longer than the
/// answer did, which the service bounds.
const MAX_TAIL_TIME: Duration = Duration::from_mins(5);
const MAX_TAIL_LEN: usize = 16 << 20;
