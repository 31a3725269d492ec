//! Which event may follow which (spec/stream-events.md, "Order").

use crate::event::Event;

/// Checks that events come in an order that makes sense.
#[derive(Clone, Debug, Default)]
pub struct Order {
    phase: Phase,
    choices: [Choice; CHOICES],
}

impl Order {
    /// Before the first event.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of the next event.
    ///
    /// # Errors
    ///
    /// [`OrderError`] when it may not come now; the state is as before.
    pub fn next(&mut self, event: &Event) -> Result<(), OrderError> {
        match (self.phase, event) {
            (Phase::Before, Event::Start(_)) => self.phase = Phase::Running,
            (Phase::Before | Phase::Running, Event::Error(_)) => self.phase = Phase::Failed,
            (Phase::Failed, Event::End) => self.phase = Phase::Ended,
            (Phase::Running, Event::End) if self.is_complete() => self.phase = Phase::Ended,
            (Phase::Running, Event::End) => return Err(OrderError::NotFinished),
            (Phase::Running, Event::Usage(_)) => {}
            (Phase::Running, _) => self.of_choice(event)?,
            (Phase::Before, _) => return Err(OrderError::NotStarted),
            (Phase::Failed, _) => return Err(OrderError::AfterError),
            (Phase::Ended, _) => return Err(OrderError::AfterEnd),
        }
        Ok(())
    }

    /// Whether `End` has come.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    fn is_complete(&self) -> bool {
        let begun = self.choices.iter().filter(|choice| choice.begun);
        begun.clone().count() > 0 && begun.clone().all(|choice| choice.finished)
    }

    fn of_choice(&mut self, event: &Event) -> Result<(), OrderError> {
        let number = match event {
            Event::TextDelta { choice, .. }
            | Event::Logprobs { choice, .. }
            | Event::ToolCallStart { choice, .. }
            | Event::ToolCallArguments { choice, .. }
            | Event::Finish { choice, .. } => *choice,
            Event::Start(_) => return Err(OrderError::Restarted),
            Event::Usage(_) | Event::Error(_) | Event::End => return Ok(()),
        };
        let choice = self
            .choices
            .get_mut(usize::from(number))
            .ok_or(OrderError::Choice { got: number })?;
        if choice.finished {
            return Err(OrderError::AfterFinish { choice: number });
        }
        choice.next(event)?;
        choice.begun = true;
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Phase {
    #[default]
    Before,
    Running,
    Failed,
    Ended,
}

#[derive(Clone, Debug, Default)]
struct Choice {
    begun: bool,
    finished: bool,
    calls: u8,
    /// The last call takes arguments.
    call_open: bool,
}

impl Choice {
    fn next(&mut self, event: &Event) -> Result<(), OrderError> {
        match event {
            Event::TextDelta { .. } => self.call_open = false,
            Event::ToolCallStart { index, .. } => {
                if *index != self.calls || *index >= MAX_TOOL_CALLS {
                    return Err(OrderError::ToolCall { got: *index });
                }
                self.calls = self.calls.saturating_add(1);
                self.call_open = true;
            }
            Event::ToolCallArguments { index, .. }
                if !self.call_open || Some(*index) != self.calls.checked_sub(1) =>
            {
                return Err(OrderError::ToolCall { got: *index });
            }
            Event::Finish { .. } => self.finished = true,
            _ => {}
        }
        Ok(())
    }
}

/// Choices an answer may have: `limits::MAX_CHOICES` as a length.
const CHOICES: usize = 8;

/// Calls one choice may make.
const MAX_TOOL_CALLS: u8 = 128;

/// Why an event may not come now.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// Something follows `End`.
    #[error("an event follows the end")]
    AfterEnd,

    /// Something other than `End` follows `Error`.
    #[error("an event follows an error")]
    AfterError,

    /// Something about a choice follows its `Finish`.
    #[error("an event of choice {choice} follows its finish")]
    AfterFinish {
        /// Which choice.
        choice: u8,
    },

    /// There is no such choice.
    #[error("choice {got} is out of range")]
    Choice {
        /// Its number.
        got: u8,
    },

    /// `End` comes before every choice has finished.
    #[error("the end comes before every choice has finished")]
    NotFinished,

    /// Something other than `Start` or `Error` comes first.
    #[error("the first event does not start the answer")]
    NotStarted,

    /// A second `Start`.
    #[error("the answer starts twice")]
    Restarted,

    /// A tool call is out of order.
    #[error("tool call {got} is out of order")]
    ToolCall {
        /// Its index.
        got: u8,
    },
}

#[cfg(test)]
mod tests;
