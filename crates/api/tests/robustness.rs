//! No input makes a parser panic, and no error repeats what was sent.

#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value, json};
use subrosa_api::endpoint::{chat, completions, embeddings, messages, responses};
use subrosa_api::error::ApiError;

fn parse_everywhere(body: &[u8]) -> Vec<Option<ApiError>> {
    vec![
        chat::parse(body).err(),
        completions::parse(body).err(),
        embeddings::parse(body).err(),
        messages::parse(body).err(),
        responses::parse(body).err(),
    ]
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        parse_everywhere(&bytes);
    }

    #[test]
    fn arbitrary_values_in_known_fields_never_panic_and_are_never_repeated(
        fields in prop::collection::vec((field(), value()), 0..6),
    ) {
        let body: serde_json::Map<String, Value> = base().into_iter().chain(fields).collect();
        for error in parse_everywhere(Value::Object(body).to_string().as_bytes()).into_iter().flatten() {
            let shown = format!("{error} {error:?}");
            prop_assert!(!shown.contains("canary"), "{shown}");
        }
    }
}

fn base() -> Vec<(String, Value)> {
    let messages = json!([{"role": "user", "content": "hi"}]);
    [
        ("model", json!("m")),
        ("messages", messages),
        ("input", json!("hi")),
        ("prompt", json!("hi")),
        ("max_tokens", json!(5)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn field() -> impl Strategy<Value = String> {
    let names = [
        "model",
        "messages",
        "input",
        "prompt",
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "seed",
        "stop",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "n",
        "response_format",
        "tools",
        "tool_choice",
        "stream",
        "stream_options",
        "user",
        "metadata",
        "system",
        "stop_sequences",
        "thinking",
        "text",
        "include",
        "instructions",
        "encoding_format",
        "dimensions",
        "echo",
        "suffix",
        "best_of",
        "store",
        "reasoning",
        "modalities",
    ];
    prop::sample::select(names.to_vec()).prop_map(str::to_owned)
}

/// Nested JSON whose texts all hold a canary, apart from words the parsers know.
fn value() -> impl Strategy<Value = Value> {
    let known = [
        "role",
        "content",
        "type",
        "text",
        "name",
        "id",
        "function",
        "arguments",
        "schema",
        "json_schema",
        "parameters",
        "format",
    ];
    let words = [
        "user",
        "assistant",
        "tool",
        "text",
        "function",
        "json_schema",
        "tool_use",
        "tool_result",
        "message",
        "function_call",
        "auto",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "canary.{0,5}".prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        let name = prop::sample::select(known.to_vec()).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}
