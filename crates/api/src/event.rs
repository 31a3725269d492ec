//! The events of a streamed answer, and their compact form (spec/stream-events.md).
//!
//! An enclave encodes them into sealed records; a device decodes them and renders what its
//! application expects.

mod decode;
mod encode;
mod order;
mod varint;

use std::fmt;

pub use decode::{DecodeError, EventDecoder};
pub use encode::EncodeError;
pub use order::{Order, OrderError};

use crate::error::ApiError;
use crate::request::Api;

/// The media type of a stream of events, in the sealed response's head.
pub const CONTENT_TYPE: &str = "application/vnd.subrosa.events; version=1";

/// Most bytes of one event's payload.
pub const MAX_PAYLOAD: usize = 1 << 18;

/// One step of an answer.
#[expect(clippy::exhaustive_enums, reason = "version 1 of the format is closed")]
#[derive(Clone, PartialEq)]
pub enum Event {
    /// The answer begins.
    Start(Start),
    /// More text of a choice.
    TextDelta {
        /// Which answer, from 0.
        choice: u8,
        /// The text.
        text: String,
    },
    /// Log probabilities of the tokens in the choice's next text.
    Logprobs {
        /// Which answer.
        choice: u8,
        /// One entry per token.
        tokens: Vec<TokenLogprob>,
    },
    /// The model begins to call a tool.
    ToolCallStart {
        /// Which answer.
        choice: u8,
        /// Which call of the answer, from 0, without gaps.
        index: u8,
        /// Links the call to its result.
        id: String,
        /// The function's name.
        name: String,
    },
    /// More of the arguments of the call that began last.
    ToolCallArguments {
        /// Which answer.
        choice: u8,
        /// Which call.
        index: u8,
        /// A piece of JSON text.
        text: String,
    },
    /// A choice is complete, or will not be.
    Finish {
        /// Which answer.
        choice: u8,
        /// Why.
        reason: FinishReason,
        /// The stop sequence that ended it, when one of the request's did.
        stop_sequence: Option<String>,
    },
    /// Tokens counted so far; the last one counts.
    Usage(Usage),
    /// The answer failed.
    Error(ApiError),
    /// Nothing follows.
    End,
}

/// Shows which event it is, never what it says.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(start) => write!(f, "Start({:?})", start.api),
            Self::TextDelta { choice, text } => {
                write!(f, "TextDelta({choice}, {} bytes)", text.len())
            }
            Self::Logprobs { choice, tokens } => {
                write!(f, "Logprobs({choice}, {} tokens)", tokens.len())
            }
            Self::ToolCallStart { choice, index, .. } => {
                write!(f, "ToolCallStart({choice}, {index})")
            }
            Self::ToolCallArguments {
                choice,
                index,
                text,
            } => write!(
                f,
                "ToolCallArguments({choice}, {index}, {} bytes)",
                text.len()
            ),
            Self::Finish { choice, reason, .. } => write!(f, "Finish({choice}, {reason:?})"),
            Self::Usage(usage) => usage.fmt(f),
            Self::Error(error) => write!(f, "Error({})", error.code),
            Self::End => f.write_str("End"),
        }
    }
}

/// What an answer begins with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Start {
    /// The API the request came through.
    pub api: Api,
    /// The answer's identifier.
    pub id: String,
    /// When the answer began, in Unix seconds.
    pub created: u64,
    /// The model that answers.
    pub model: String,
}

/// Why a choice ended.
#[expect(clippy::exhaustive_enums, reason = "version 1 of the format is closed")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FinishReason {
    /// It was stopped from outside; the answer is not complete.
    Cancelled,
    /// It failed; an error follows.
    Error,
    /// It reached the most tokens it may have.
    Length,
    /// The model ended it, or a stop sequence did.
    Stop,
    /// The model waits for the results of its calls.
    ToolCalls,
}

/// Tokens counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Tokens of the prompt, those from a cache included.
    pub prompt: u32,
    /// Tokens of the answers.
    pub completion: u32,
    /// Tokens of the prompt that came from the conversation's prefix cache.
    pub cached: u32,
}

/// A token with its log probability and those of alternatives.
#[derive(Clone, PartialEq)]
pub struct TokenLogprob {
    /// The token that was chosen.
    pub token: Logprob,
    /// The likeliest tokens at its place, likeliest first.
    pub top: Vec<Logprob>,
}

/// A token and its log probability.
#[derive(Clone, PartialEq)]
pub struct Logprob {
    /// The token's bytes: a token may hold a part of a character.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability.
    pub logprob: f32,
}

/// Shows nothing that was said.
impl fmt::Debug for TokenLogprob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenLogprob").finish_non_exhaustive()
    }
}

/// Shows nothing that was said.
impl fmt::Debug for Logprob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logprob").finish_non_exhaustive()
    }
}

/// The first byte of each event.
mod kind {
    pub(super) const START: u8 = 1;
    pub(super) const TEXT: u8 = 2;
    pub(super) const LOGPROBS: u8 = 3;
    pub(super) const TOOL_CALL_START: u8 = 4;
    pub(super) const TOOL_CALL_ARGUMENTS: u8 = 5;
    pub(super) const FINISH: u8 = 6;
    pub(super) const USAGE: u8 = 7;
    pub(super) const ERROR: u8 = 8;
    pub(super) const END: u8 = 9;
}

#[cfg(test)]
mod tests;
