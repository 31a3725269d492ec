//! The server's chunks as events, checked on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::Deserialize;
use subrosa_api::event::{Event, FinishReason, Logprob, TokenLogprob, Usage};
use subrosa_api::limits::MAX_ID_BYTES;
use subrosa_api::request::GenerateRequest;
use tokio::sync::mpsc::UnboundedSender;

use crate::engine::{Embeddings, EngineError};
use crate::upstream::sse::SseReader;

/// Reads one answer.
pub(crate) struct AnswerReader {
    choices: Vec<Choice>,
    names: Vec<String>,
    usage: Usage,
    bytes: usize,
}

#[derive(Clone, Default)]
struct Choice {
    /// Calls begun.
    calls: u8,
    /// The server's reason, once it gave one.
    finish: Option<FinishReason>,
}

impl AnswerReader {
    /// A reader for the answer to `request`.
    pub(crate) fn new(request: &GenerateRequest) -> Self {
        let names = request.tools.iter().map(|tool| tool.name.clone());
        Self {
            choices: vec![Choice::default(); usize::from(request.sampling.n.max(1))],
            names: names.collect(),
            usage: Usage::default(),
            bytes: 0,
        }
    }

    /// Passes the answer on until its end. Whoever gets an error here has to
    /// send it: the events so far are not a whole answer.
    pub(crate) async fn run(
        mut self,
        response: Response<Incoming>,
        idle: Duration,
        events: &UnboundedSender<Event>,
    ) -> Result<(), EngineError> {
        let mut body = response.into_body();
        let mut reader = SseReader::default();
        loop {
            let frame = tokio::time::timeout(idle, body.frame());
            let Some(frame) = frame.await.map_err(|_| BROKEN)? else {
                // The end of the body is no end of the answer by itself.
                return self.end(events);
            };
            let Ok(data) = frame.map_err(|_| BROKEN)?.into_data() else {
                continue;
            };
            self.bytes = self.bytes.saturating_add(data.len());
            if self.bytes > MAX_ANSWER_BYTES {
                return Err(BROKEN);
            }
            for event in reader.push(&data).map_err(|_| BROKEN)? {
                if event == b"[DONE]" {
                    return self.end(events);
                }
                self.chunk(&event, events)?;
            }
        }
    }

    /// Ends a complete answer; one in which a choice has not finished was cut.
    fn end(self, events: &UnboundedSender<Event>) -> Result<(), EngineError> {
        if self.choices.iter().any(|choice| choice.finish.is_none()) {
            return Err(BROKEN);
        }
        for (number, choice) in (0_u8..).zip(&self.choices) {
            let _ = events.send(Event::Finish {
                choice: number,
                reason: choice.finish.unwrap_or(FinishReason::Stop),
                stop_sequence: None,
            });
        }
        let _ = events.send(Event::Usage(self.usage));
        let _ = events.send(Event::End);
        Ok(())
    }

    fn chunk(&mut self, data: &[u8], events: &UnboundedSender<Event>) -> Result<(), EngineError> {
        let chunk: Chunk = serde_json::from_slice(data).map_err(|_| BROKEN)?;
        if chunk.error.is_some() {
            return Err(BROKEN);
        }
        if let Some(usage) = chunk.usage {
            self.usage = usage.into();
        }
        for choice in chunk.choices {
            self.choice(choice, events)?;
        }
        Ok(())
    }

    fn choice(
        &mut self,
        chunk: ChunkChoice,
        events: &UnboundedSender<Event>,
    ) -> Result<(), EngineError> {
        let number = chunk.index;
        let state = self.choices.get_mut(usize::from(number)).ok_or(BROKEN)?;
        let delta = chunk.delta.unwrap_or_default();
        let text = delta.content.or(chunk.text).unwrap_or_default();
        let has_content = !text.is_empty() || !delta.tool_calls.is_empty();
        if has_content && state.finish.is_some() {
            return Err(BROKEN);
        }
        let tokens = chunk.logprobs.map(Logprobs::tokens).transpose()?;
        if let Some(tokens) = tokens.filter(|tokens| !tokens.is_empty()) {
            let _ = events.send(Event::Logprobs {
                choice: number,
                tokens,
            });
        }
        if !text.is_empty() {
            let _ = events.send(Event::TextDelta {
                choice: number,
                text,
            });
        }
        for call in delta.tool_calls {
            tool_call(number, state, call, &self.names, events)?;
        }
        if let Some(reason) = chunk.finish_reason {
            state.finish = Some(finish_reason(&reason, state.calls)?);
        }
        Ok(())
    }
}

/// A call's beginning, or more of the one that began last.
fn tool_call(
    choice: u8,
    state: &mut Choice,
    call: CallDelta,
    names: &[String],
    events: &UnboundedSender<Event>,
) -> Result<(), EngineError> {
    let function = call.function.unwrap_or_default();
    if call.index == state.calls {
        let name = function.name.ok_or(BROKEN)?;
        if !names.contains(&name) || state.calls >= MAX_CALLS {
            return Err(BROKEN);
        }
        let id = match call.id {
            Some(id) if !id.is_empty() && id.len() <= MAX_ID_BYTES => id,
            _ => format!("call_{choice}_{}", call.index),
        };
        state.calls = state.calls.saturating_add(1);
        let index = call.index;
        let _ = events.send(Event::ToolCallStart {
            choice,
            index,
            id,
            name,
        });
    } else if Some(call.index) != state.calls.checked_sub(1) {
        return Err(BROKEN);
    }
    if let Some(text) = function.arguments.filter(|text| !text.is_empty()) {
        let _ = events.send(Event::ToolCallArguments {
            choice,
            index: call.index,
            text,
        });
    }
    Ok(())
}

fn finish_reason(reason: &str, calls: u8) -> Result<FinishReason, EngineError> {
    match reason {
        "length" => Ok(FinishReason::Length),
        // Some servers say `stop` after a call.
        "stop" | "tool_calls" | "function_call" if calls > 0 => Ok(FinishReason::ToolCalls),
        "stop" => Ok(FinishReason::Stop),
        _ => Err(BROKEN),
    }
}

/// Reads the answer to an embeddings request for `inputs` texts.
pub(crate) fn embeddings(body: &[u8], inputs: usize) -> Result<Embeddings, EngineError> {
    #[derive(Deserialize)]
    struct Body {
        data: Vec<Item>,
        usage: Option<UsageBody>,
    }
    #[derive(Deserialize)]
    struct Item {
        index: usize,
        embedding: Vec<f32>,
    }
    let body: Body = serde_json::from_slice(body).map_err(|_| BROKEN)?;
    let in_order = body
        .data
        .iter()
        .enumerate()
        .all(|(at, item)| item.index == at);
    let length = body.data.first().map_or(0, |item| item.embedding.len());
    let equal = body.data.iter().all(|item| item.embedding.len() == length);
    let finite = |item: &Item| item.embedding.iter().all(|v| v.is_finite());
    if body.data.len() != inputs || !in_order || !equal || !body.data.iter().all(finite) {
        return Err(BROKEN);
    }
    let usage = body.usage.map_or(0, |usage| usage.prompt_tokens);
    let vectors = body.data.into_iter().map(|item| item.embedding).collect();
    Ok(Embeddings::new(vectors, usage))
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<ChunkChoice>,
    usage: Option<UsageBody>,
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct ChunkChoice {
    #[serde(default)]
    index: u8,
    delta: Option<Delta>,
    /// The text of `/v1/completions`.
    text: Option<String>,
    logprobs: Option<Logprobs>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    tool_calls: Vec<CallDelta>,
}

#[derive(Deserialize)]
struct CallDelta {
    #[serde(default)]
    index: u8,
    id: Option<String>,
    function: Option<FunctionDelta>,
}

#[derive(Default, Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<String>,
}

/// Log probabilities in the shape of `/v1/chat/completions`, or of
/// `/v1/completions`.
#[derive(Deserialize)]
struct Logprobs {
    content: Option<Vec<ChatLogprob>>,
    tokens: Option<Vec<String>>,
    #[serde(rename = "token_logprobs")]
    values: Option<Vec<Option<f32>>>,
    #[serde(rename = "top_logprobs")]
    tops: Option<Vec<Option<BTreeMap<String, f32>>>>,
}

#[derive(Deserialize)]
struct ChatLogprob {
    token: String,
    logprob: f32,
    bytes: Option<Vec<u8>>,
    #[serde(default)]
    top_logprobs: Vec<ChatLogprob>,
}

impl Logprobs {
    fn tokens(self) -> Result<Vec<TokenLogprob>, EngineError> {
        if let Some(content) = self.content {
            return Ok(content.into_iter().map(ChatLogprob::with_top).collect());
        }
        let tokens = self.tokens.unwrap_or_default();
        let values = self.values.unwrap_or_default();
        if tokens.len() != values.len() {
            return Err(BROKEN);
        }
        let mut tops = self.tops.unwrap_or_default().into_iter();
        let entries = tokens.into_iter().zip(values).map(|(token, logprob)| {
            let top = tops.next().flatten().unwrap_or_default();
            let mut top: Vec<Logprob> = top
                .into_iter()
                .map(|(token, value)| plain(token, value))
                .collect();
            top.sort_by(|a, b| b.logprob.total_cmp(&a.logprob));
            TokenLogprob {
                token: plain(token, logprob.unwrap_or(LEAST)),
                top,
            }
        });
        Ok(entries.collect())
    }
}

impl ChatLogprob {
    fn with_top(self) -> TokenLogprob {
        let top = self.top_logprobs.into_iter().map(|top| Logprob {
            bytes: top.bytes.unwrap_or_else(|| top.token.into_bytes()),
            logprob: top.logprob,
        });
        TokenLogprob {
            top: top.collect(),
            token: Logprob {
                bytes: self.bytes.unwrap_or_else(|| self.token.into_bytes()),
                logprob: self.logprob,
            },
        }
    }
}

fn plain(token: String, logprob: f32) -> Logprob {
    Logprob {
        bytes: token.into_bytes(),
        logprob,
    }
}

#[derive(Deserialize)]
struct UsageBody {
    #[serde(default)]
    prompt_tokens: u32,
    #[serde(default)]
    completion_tokens: u32,
    prompt_tokens_details: Option<UsageDetails>,
}

#[derive(Deserialize)]
struct UsageDetails {
    cached_tokens: Option<u32>,
}

impl From<UsageBody> for Usage {
    fn from(body: UsageBody) -> Self {
        let details = body.prompt_tokens_details;
        Self {
            prompt: body.prompt_tokens,
            completion: body.completion_tokens,
            cached: details.and_then(|d| d.cached_tokens).unwrap_or(0),
        }
    }
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<CallDelta>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The server is cut off, silent, or does not speak its protocol.
const BROKEN: EngineError = EngineError::Upstream { status: None };
/// Most bytes of one answer, with everything around it.
const MAX_ANSWER_BYTES: usize = 256 << 20;
/// Calls one choice may make.
const MAX_CALLS: u8 = 128;
/// What the APIs write for a probability of zero.
const LEAST: f32 = -9999.0;
