//! Events to one whole JSON body, for requests without `stream`.

use std::fmt;

use crate::error::{ApiError, Code};
use crate::event::{Event, Order};
use crate::render::{Answer, Options, body, incomplete};
use crate::request::GenerateRequest;

/// Collects the events of one answer.
pub struct Collector {
    options: Options,
    order: Order,
    answer: Option<Answer>,
    error: Option<ApiError>,
}

/// Shows the state, never text.
impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector")
            .field("order", &self.order)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl Collector {
    /// Before the first event.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            order: Order::new(),
            answer: None,
            error: None,
        }
    }

    /// Collects the answer to a request.
    #[must_use]
    pub fn for_request(request: &GenerateRequest) -> Self {
        Self::new(Options::from_request(request))
    }

    /// Adds the next event. The first error stays.
    pub fn push(&mut self, event: &Event) {
        if self.error.is_some() {
            return;
        }
        if let Err(error) = self.order.next(event) {
            let message = format!("the engine broke the order of events: {error}");
            self.error = Some(ApiError::new(Code::EngineFailed, message));
            return;
        }
        match event {
            Event::Start(start) => self.answer = Some(Answer::new(start.clone())),
            Event::Error(error) => self.error = Some(error.clone()),
            Event::Finish { reason, .. } => {
                self.error = incomplete(*reason).map(ApiError::from_code);
            }
            _ => {}
        }
        if let Some(answer) = &mut self.answer {
            answer.push(event);
        }
    }

    /// The JSON body of the answer, in the shape of its API.
    ///
    /// # Errors
    ///
    /// The error the events carried; [`Code::Cancelled`] or [`Code::EngineFailed`] when a choice
    /// is not complete or the events ended before their end.
    pub fn finish(self) -> Result<Vec<u8>, ApiError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        match self.answer {
            Some(answer) if self.order.is_ended() => {
                Ok(body(&answer, &self.options).to_string().into_bytes())
            }
            _ => Err(ApiError::new(
                Code::EngineFailed,
                "the engine ended before its answer did",
            )),
        }
    }
}

#[cfg(test)]
mod tests;
