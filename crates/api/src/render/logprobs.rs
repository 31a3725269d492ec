//! Log probabilities in the shapes of the OpenAI APIs.

use serde_json::{Map, Value, json};

use crate::event::{Logprob, TokenLogprob};
use crate::render::set;

/// One entry of chat's `logprobs.content`, and of responses' `logprobs`.
pub(super) fn entries(tokens: &[TokenLogprob]) -> Value {
    tokens
        .iter()
        .map(|token| {
            let mut entry = single(&token.token);
            set(
                &mut entry,
                "top_logprobs",
                token.top.iter().map(single).collect(),
            );
            entry
        })
        .collect()
}

/// Chat's `logprobs`; `null` when there are none.
pub(super) fn chat(tokens: &[TokenLogprob]) -> Value {
    if tokens.is_empty() {
        return Value::Null;
    }
    json!({"content": entries(tokens), "refusal": null})
}

/// The parallel arrays of completions. `offset` counts the characters before the first token and
/// is moved behind the last.
pub(super) fn completions(tokens: &[TokenLogprob], offset: &mut usize) -> Value {
    if tokens.is_empty() {
        return Value::Null;
    }
    let mut offsets = Vec::with_capacity(tokens.len());
    for token in tokens {
        offsets.push(*offset);
        *offset = offset.saturating_add(text(&token.token).chars().count());
    }
    let tops: Vec<Value> = tokens.iter().map(|token| top_map(&token.top)).collect();
    let texts: Vec<String> = tokens.iter().map(|token| text(&token.token)).collect();
    let values: Vec<f64> = tokens.iter().map(|token| value(&token.token)).collect();
    json!({
        "tokens": texts,
        "token_logprobs": values,
        "top_logprobs": tops,
        "text_offset": offsets,
    })
}

fn top_map(top: &[Logprob]) -> Value {
    let entries = top.iter().map(|entry| (text(entry), json!(value(entry))));
    Value::Object(entries.collect::<Map<_, _>>())
}

fn single(entry: &Logprob) -> Value {
    json!({"token": text(entry), "logprob": value(entry), "bytes": entry.bytes})
}

/// The token as text; parts of characters show as U+FFFD, and `bytes` has them exactly.
fn text(entry: &Logprob) -> String {
    String::from_utf8_lossy(&entry.bytes).into_owned()
}

/// The value without the noise of widening an `f32`.
fn value(entry: &Logprob) -> f64 {
    (f64::from(entry.logprob) * 1e6).round() / 1e6
}
