//! Events to the server-sent events that official clients of OpenAI and Anthropic read.

mod answer;
mod chat;
mod completions;
mod logprobs;
mod messages;
mod responses;

use std::fmt;

pub use responses::Echo;

pub(crate) use answer::Answer;

use serde_json::Value;

use crate::error::{ApiError, Code};
use crate::event::{Event, FinishReason, Start, Usage};
use crate::request::{Api, GenerateRequest};

/// What a rendered answer takes from its request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Whether a stream of chat or completions ends with token counts.
    pub include_usage: bool,
    /// Settings that `/v1/responses` repeats in its answer.
    pub echo: Echo,
}

impl Options {
    /// The options that go with a request.
    #[must_use]
    pub fn from_request(request: &GenerateRequest) -> Self {
        Self {
            include_usage: request.include_usage,
            echo: Echo::from_request(request),
        }
    }
}

/// Renders one answer as server-sent events.
///
/// Feed it every event in order. When the stream breaks (it is truncated, malformed or does not
/// verify), call [`Sse::error`] instead of pushing more: what it returns makes official clients
/// raise, so that a part of an answer never passes for a whole one.
pub struct Sse {
    dialect: Box<dyn Dialect + Send>,
    stream: Stream,
    done: bool,
}

/// Shows the state, never text.
impl fmt::Debug for Sse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sse")
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl Sse {
    /// The media type of the output.
    pub const CONTENT_TYPE: &'static str = "text/event-stream; charset=utf-8";

    /// Renders an answer in the shape of `api`.
    #[must_use]
    pub fn new(api: Api, options: Options) -> Self {
        let dialect: Box<dyn Dialect + Send> = match api {
            Api::Chat => Box::new(chat::ChatSse::new(options.include_usage)),
            Api::Completions => Box::new(completions::CompletionsSse::new(options.include_usage)),
            Api::Messages => Box::new(messages::MessagesSse::default()),
            Api::Responses => Box::new(responses::ResponsesSse::new(options.echo)),
        };
        Self {
            dialect,
            stream: Stream::default(),
            done: false,
        }
    }

    /// Renders the answer to a request.
    #[must_use]
    pub fn for_request(request: &GenerateRequest) -> Self {
        Self::new(request.api, Options::from_request(request))
    }

    /// The bytes for the next event; often none.
    #[must_use]
    pub fn push(&mut self, event: &Event) -> Vec<u8> {
        if self.done {
            return Vec::new();
        }
        match event {
            Event::Start(start) => self.stream.start.clone_from(start),
            Event::Usage(usage) => self.stream.usage = *usage,
            Event::Error(error) => return self.error(error),
            Event::Finish { reason, .. } => {
                if let Some(code) = incomplete(*reason) {
                    self.stream.failure = Some(code);
                    return Vec::new();
                }
            }
            Event::End => {
                if let Some(code) = self.stream.failure {
                    return self.error(&ApiError::from_code(code));
                }
                self.done = true;
            }
            _ => {}
        }
        let mut out = Vec::new();
        self.dialect.event(&self.stream, event, &mut out);
        out
    }

    /// Ends the output with an error. Does nothing when it has ended already.
    #[must_use]
    pub fn error(&mut self, error: &ApiError) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.done {
            self.done = true;
            self.dialect.error(error, &mut out);
        }
        out
    }

    /// Whether the output has ended, well or with an error.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }
}

/// One API's way to stream.
trait Dialect {
    /// Renders an event other than an error; nothing follows [`Event::End`].
    fn event(&mut self, stream: &Stream, event: &Event, out: &mut Vec<u8>);

    /// Renders an error; nothing follows it.
    fn error(&mut self, error: &ApiError, out: &mut Vec<u8>);
}

/// What every dialect needs to know of the events before.
struct Stream {
    start: Start,
    usage: Usage,
    failure: Option<Code>,
}

impl Default for Stream {
    fn default() -> Self {
        let start = Start {
            api: Api::Chat,
            id: String::new(),
            created: 0,
            model: String::new(),
        };
        Self {
            start,
            usage: Usage::default(),
            failure: None,
        }
    }
}

/// The error behind a finish that is not the end of a complete answer.
pub(crate) fn incomplete(reason: FinishReason) -> Option<Code> {
    match reason {
        FinishReason::Cancelled => Some(Code::Cancelled),
        FinishReason::Error => Some(Code::EngineFailed),
        FinishReason::Length | FinishReason::Stop | FinishReason::ToolCalls => None,
    }
}

/// The whole answer as a JSON body.
pub(crate) fn body(answer: &Answer, options: &Options) -> Value {
    match answer.start.api {
        Api::Chat => chat::body(answer),
        Api::Completions => completions::body(answer),
        Api::Messages => messages::body(answer),
        Api::Responses => responses::body(answer, &options.echo),
    }
}

/// Writes an event without a name, as OpenAI's older APIs do.
fn write_data(data: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data.to_string().as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// Writes an event that carries its `type` as its name.
fn write_named(data: &Value, out: &mut Vec<u8>) {
    if let Some(name) = data.get("type").and_then(Value::as_str) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    write_data(data, out);
}

/// Sets a field of an object.
fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

/// OpenAI's token counts of chat and completions.
fn openai_usage(usage: Usage) -> Value {
    serde_json::json!({
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": u64::from(usage.prompt).saturating_add(usage.completion.into()),
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    })
}

/// OpenAI's word for the end of a choice in chat and completions.
fn openai_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Stop | FinishReason::Cancelled | FinishReason::Error => "stop",
    }
}

#[cfg(test)]
mod tests;
