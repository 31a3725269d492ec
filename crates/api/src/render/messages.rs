//! Anthropic messages: `message_start` … `message_stop`, and `message`.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::event::{Event, FinishReason, Usage};
use crate::render::answer::{Answer, Choice, Item};
use crate::render::{Dialect, Stream, write_named};

/// Renders events. The API has one choice.
#[derive(Default)]
pub(super) struct MessagesSse {
    blocks: usize,
    open: Option<Block>,
    reason: Option<FinishReason>,
    stop_sequence: Option<String>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Block {
    Text,
    ToolUse,
}

impl MessagesSse {
    /// Opens a block behind the last one.
    fn open(&mut self, block: Block, content: &Value, out: &mut Vec<u8>) {
        self.close(out);
        self.open = Some(block);
        let index = self.blocks;
        let event =
            json!({"type": "content_block_start", "index": index, "content_block": content});
        write_named(&event, out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            write_named(
                &json!({"type": "content_block_stop", "index": self.blocks}),
                out,
            );
            self.blocks = self.blocks.saturating_add(1);
        }
    }

    fn delta(&self, delta: &Value, out: &mut Vec<u8>) {
        let event = json!({"type": "content_block_delta", "index": self.blocks, "delta": delta});
        write_named(&event, out);
    }

    fn open_text(&mut self, out: &mut Vec<u8>) {
        if self.open != Some(Block::Text) {
            self.open(Block::Text, &text_block(""), out);
        }
    }

    fn finish(&mut self, stream: &Stream, out: &mut Vec<u8>) {
        let delta = json!({
            "stop_reason": self.reason.map(|reason| stop_reason(reason, self.stop_sequence.is_some())),
            "stop_sequence": self.stop_sequence,
        });
        let usage = usage(stream.usage);
        write_named(
            &json!({"type": "message_delta", "delta": delta, "usage": usage}),
            out,
        );
        write_named(&json!({"type": "message_stop"}), out);
    }
}

impl Dialect for MessagesSse {
    fn event(&mut self, stream: &Stream, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start(_) => {
                let message = message(stream_head(stream), &json!([]), None, None, stream.usage);
                write_named(&json!({"type": "message_start", "message": message}), out);
            }
            Event::TextDelta { text, .. } => {
                self.open_text(out);
                self.delta(&json!({"type": "text_delta", "text": text}), out);
            }
            Event::ToolCallStart { id, name, .. } => {
                let content = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                self.open(Block::ToolUse, &content, out);
            }
            Event::ToolCallArguments { text, .. } => {
                let delta = json!({"type": "input_json_delta", "partial_json": text});
                self.delta(&delta, out);
            }
            Event::Finish {
                reason,
                stop_sequence,
                ..
            } => {
                if self.blocks == 0 && self.open.is_none() {
                    self.open_text(out);
                }
                self.close(out);
                self.reason = Some(*reason);
                self.stop_sequence.clone_from(stop_sequence);
            }
            Event::End => self.finish(stream, out),
            // This API has no log probabilities.
            Event::Logprobs { .. } | Event::Usage(_) | Event::Error(_) => {}
        }
    }

    fn error(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        write_named(&error.anthropic(), out);
    }
}

/// The whole answer.
pub(super) fn body(answer: &Answer) -> Value {
    let head = (answer.start.id.as_str(), answer.start.model.as_str());
    let Some(choice) = answer.first() else {
        return message(head, &json!([]), None, None, answer.usage);
    };
    let stop = choice.stop_sequence.as_deref();
    let reason = choice
        .finish
        .map(|reason| stop_reason(reason, stop.is_some()));
    message(head, &content(choice), reason, stop, answer.usage)
}

fn content(choice: &Choice) -> Value {
    if choice.items.is_empty() {
        return json!([text_block("")]);
    }
    choice.items.iter().map(block).collect()
}

fn block(item: &Item) -> Value {
    match item {
        Item::Text { text, .. } => text_block(text),
        Item::Call {
            id,
            name,
            arguments,
        } => json!({"type": "tool_use", "id": id, "name": name, "input": input(arguments)}),
    }
}

/// The arguments as an object. A model may have written something else; the API has no way to
/// show that, and an object that was made up would be worse than an empty one.
fn input(arguments: &str) -> Value {
    serde_json::from_str(arguments)
        .ok()
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({}))
}

fn text_block(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn stream_head(stream: &Stream) -> (&str, &str) {
    (&stream.start.id, &stream.start.model)
}

fn message(
    (id, model): (&str, &str),
    content: &Value,
    reason: Option<&str>,
    stop_sequence: Option<&str>,
    counts: Usage,
) -> Value {
    json!({
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": stop_sequence,
        "usage": usage(counts),
    })
}

/// Here the prompt's tokens from a cache are counted apart.
fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt.saturating_sub(usage.cached),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.completion,
    })
}

fn stop_reason(reason: FinishReason, by_sequence: bool) -> &'static str {
    match reason {
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::Stop if by_sequence => "stop_sequence",
        FinishReason::Stop | FinishReason::Cancelled | FinishReason::Error => "end_turn",
    }
}
