//! One row for each rule of `/v1/completions`.

use serde_json::json;

use super::*;
use crate::endpoint::testing::Subject;
use crate::error::Code::{InvalidValue, UnsupportedField};

fn completions() -> Subject<GenerateRequest> {
    let base = json!({"model": "m", "prompt": "once"});
    Subject { parse, base }
}

#[test]
fn a_prompt_is_one_text() {
    for prompt in [json!("once"), json!(["once"])] {
        let request = completions().with(json!({"prompt": prompt})).unwrap();
        assert!(request.input == Input::Prompt("once".to_owned()));
    }
}

#[test]
fn the_documented_default_of_max_tokens_holds() {
    let request = completions().with(json!({})).unwrap();
    assert_eq!(request.sampling.max_tokens, Some(16));
    let request = completions().with(json!({"max_tokens": 99})).unwrap();
    assert_eq!(request.sampling.max_tokens, Some(99));
}

#[test]
fn logprobs_are_a_number_of_alternatives() {
    let request = completions().with(json!({"logprobs": 0})).unwrap();
    assert_eq!(request.sampling.logprobs, Some(0));
}

#[test]
fn values_that_ask_for_nothing_are_accepted() {
    completions().accepts([
        json!({"echo": false, "suffix": null, "best_of": 1, "logprobs": null}),
        json!({"suffix": ""}),
        json!({"n": 3, "best_of": 3}),
        json!({"stream": true, "stream_options": {"include_usage": true}}),
        json!({"user": "u", "seed": 1, "stop": "x", "logit_bias": {"1": 1}}),
    ]);
}

#[test]
fn what_is_not_supported_is_named() {
    completions().requires(&["model", "prompt"]);
    completions().refuses([
        (json!({"prompt": []}), UnsupportedField, "prompt"),
        (json!({"prompt": ["a", "b"]}), UnsupportedField, "prompt"),
        (json!({"prompt": [1]}), UnsupportedField, "prompt[0]"),
        (json!({"prompt": [[1, 2]]}), UnsupportedField, "prompt[0]"),
        (json!({"prompt": [true]}), InvalidValue, "prompt[0]"),
        (json!({"prompt": 1}), InvalidValue, "prompt"),
        (json!({"echo": true}), UnsupportedField, "echo"),
        (json!({"suffix": "end"}), UnsupportedField, "suffix"),
        (json!({"best_of": 2}), UnsupportedField, "best_of"),
        (json!({"n": 2, "best_of": 3}), UnsupportedField, "best_of"),
        (json!({"logprobs": 6}), InvalidValue, "logprobs"),
        (json!({"logprobs": true}), InvalidValue, "logprobs"),
        (json!({"max_tokens": 0}), InvalidValue, "max_tokens"),
        (json!({"messages": []}), UnsupportedField, "messages"),
        (json!({"tools": []}), UnsupportedField, "tools"),
        (json!({"store": false}), UnsupportedField, "store"),
    ]);
}
