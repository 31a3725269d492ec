//! OpenAI chat completions: `chat.completion.chunk` and `chat.completion`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::event::{Event, TokenLogprob};
use crate::render::answer::{Answer, Choice, Item};
use crate::render::{Dialect, Stream, logprobs, openai_reason, openai_usage, set, write_data};

/// Renders chunks.
pub(super) struct ChatSse {
    include_usage: bool,
    begun: BTreeSet<u8>,
    pending: BTreeMap<u8, Vec<TokenLogprob>>,
}

impl ChatSse {
    pub(super) fn new(include_usage: bool) -> Self {
        Self {
            include_usage,
            begun: BTreeSet::new(),
            pending: BTreeMap::new(),
        }
    }

    /// The first chunk of a choice names the role.
    fn begin(&mut self, stream: &Stream, choice: u8, out: &mut Vec<u8>) {
        if self.begun.insert(choice) {
            let delta = json!({"role": "assistant", "content": "", "refusal": null});
            self.chunk(stream, &plain_choice(choice, &delta), out);
        }
    }

    fn chunk(&self, stream: &Stream, choice: &Value, out: &mut Vec<u8>) {
        let mut chunk = envelope(stream, &json!([choice]));
        if self.include_usage {
            set(&mut chunk, "usage", Value::Null);
        }
        write_data(&chunk, out);
    }

    fn usage(&self, stream: &Stream, out: &mut Vec<u8>) {
        if self.include_usage {
            let mut chunk = envelope(stream, &json!([]));
            set(&mut chunk, "usage", openai_usage(stream.usage));
            write_data(&chunk, out);
        }
    }
}

impl Dialect for ChatSse {
    fn event(&mut self, stream: &Stream, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start(_) => self.begin(stream, 0, out),
            Event::TextDelta { choice, text } => {
                self.begin(stream, *choice, out);
                let mut value = plain_choice(*choice, &json!({"content": text}));
                let tokens = self.pending.remove(choice).unwrap_or_default();
                set(&mut value, "logprobs", logprobs::chat(&tokens));
                self.chunk(stream, &value, out);
            }
            Event::Logprobs { choice, tokens } => {
                let pending = self.pending.entry(*choice).or_default();
                pending.extend_from_slice(tokens);
            }
            Event::ToolCallStart {
                choice,
                index,
                id,
                name,
            } => {
                self.begin(stream, *choice, out);
                let function = json!({"name": name, "arguments": ""});
                let call =
                    json!({"index": index, "id": id, "type": "function", "function": function});
                let value = plain_choice(*choice, &json!({"tool_calls": [call]}));
                self.chunk(stream, &value, out);
            }
            Event::ToolCallArguments {
                choice,
                index,
                text,
            } => {
                let call = json!({"index": index, "function": {"arguments": text}});
                let value = plain_choice(*choice, &json!({"tool_calls": [call]}));
                self.chunk(stream, &value, out);
            }
            Event::Finish { choice, reason, .. } => {
                self.begin(stream, *choice, out);
                let mut value = plain_choice(*choice, &json!({}));
                let tokens = self.pending.remove(choice).unwrap_or_default();
                set(&mut value, "logprobs", logprobs::chat(&tokens));
                set(&mut value, "finish_reason", json!(openai_reason(*reason)));
                self.chunk(stream, &value, out);
            }
            Event::End => {
                self.usage(stream, out);
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            Event::Usage(_) | Event::Error(_) => {}
        }
    }

    fn error(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        write_data(&error.openai(), out);
    }
}

fn envelope(stream: &Stream, choices: &Value) -> Value {
    json!({
        "id": stream.start.id,
        "object": "chat.completion.chunk",
        "created": stream.start.created,
        "model": stream.start.model,
        "choices": choices,
    })
}

fn plain_choice(index: u8, delta: &Value) -> Value {
    json!({"index": index, "delta": delta, "logprobs": null, "finish_reason": null})
}

/// The whole answer.
pub(super) fn body(answer: &Answer) -> Value {
    let choices: Vec<Value> = answer
        .choices
        .iter()
        .map(|(index, choice)| {
            json!({
                "index": index,
                "message": message(choice),
                "logprobs": logprobs::chat(&choice.logprobs),
                "finish_reason": choice.finish.map(openai_reason),
            })
        })
        .collect();
    json!({
        "id": answer.start.id,
        "object": "chat.completion",
        "created": answer.start.created,
        "model": answer.start.model,
        "choices": choices,
        "usage": openai_usage(answer.usage),
    })
}

fn message(choice: &Choice) -> Value {
    let text = choice.text();
    if choice.has_text_only() {
        return json!({"role": "assistant", "content": text, "refusal": null});
    }
    let calls: Vec<Value> = choice.items.iter().filter_map(call).collect();
    let content = (!text.is_empty()).then_some(text);
    json!({"role": "assistant", "content": content, "refusal": null, "tool_calls": calls})
}

fn call(item: &Item) -> Option<Value> {
    match item {
        Item::Text { .. } => None,
        Item::Call {
            id,
            name,
            arguments,
        } => Some(json!({
            "id": id,
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        })),
    }
}
