//! OpenAI completions: `text_completion`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::event::{Event, TokenLogprob};
use crate::render::answer::Answer;
use crate::render::{Dialect, Stream, logprobs, openai_reason, openai_usage, set, write_data};

/// Renders chunks.
pub(super) struct CompletionsSse {
    include_usage: bool,
    choices: BTreeMap<u8, Progress>,
}

/// How far a choice has come.
#[derive(Default)]
struct Progress {
    pending: Vec<TokenLogprob>,
    offset: usize,
}

impl CompletionsSse {
    pub(super) fn new(include_usage: bool) -> Self {
        Self {
            include_usage,
            choices: BTreeMap::new(),
        }
    }

    fn chunk(
        &mut self,
        stream: &Stream,
        index: u8,
        text: &str,
        reason: Option<&str>,
        out: &mut Vec<u8>,
    ) {
        let progress = self.choices.entry(index).or_default();
        let tokens = std::mem::take(&mut progress.pending);
        let logprobs = logprobs::completions(&tokens, &mut progress.offset);
        let choice =
            json!({"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason});
        let mut chunk = envelope(stream, &json!([choice]));
        if self.include_usage {
            set(&mut chunk, "usage", Value::Null);
        }
        write_data(&chunk, out);
    }
}

impl Dialect for CompletionsSse {
    fn event(&mut self, stream: &Stream, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::TextDelta { choice, text } => self.chunk(stream, *choice, text, None, out),
            Event::Logprobs { choice, tokens } => {
                let progress = self.choices.entry(*choice).or_default();
                progress.pending.extend_from_slice(tokens);
            }
            Event::Finish { choice, reason, .. } => {
                let reason = openai_reason(*reason);
                self.chunk(stream, *choice, "", Some(reason), out);
            }
            Event::End => {
                if self.include_usage {
                    let mut chunk = envelope(stream, &json!([]));
                    set(&mut chunk, "usage", openai_usage(stream.usage));
                    write_data(&chunk, out);
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            // This API has no tools.
            Event::ToolCallStart { .. }
            | Event::ToolCallArguments { .. }
            | Event::Start(_)
            | Event::Usage(_)
            | Event::Error(_) => {}
        }
    }

    fn error(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        write_data(&error.openai(), out);
    }
}

fn envelope(stream: &Stream, choices: &Value) -> Value {
    json!({
        "id": stream.start.id,
        "object": "text_completion",
        "created": stream.start.created,
        "model": stream.start.model,
        "choices": choices,
    })
}

/// The whole answer.
pub(super) fn body(answer: &Answer) -> Value {
    let choices: Vec<Value> = answer
        .choices
        .iter()
        .map(|(index, choice)| {
            json!({
                "index": index,
                "text": choice.text(),
                "logprobs": logprobs::completions(&choice.logprobs, &mut 0),
                "finish_reason": choice.finish.map(openai_reason),
            })
        })
        .collect();
    json!({
        "id": answer.start.id,
        "object": "text_completion",
        "created": answer.start.created,
        "model": answer.start.model,
        "choices": choices,
        "usage": openai_usage(answer.usage),
    })
}
