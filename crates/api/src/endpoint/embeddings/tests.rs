//! One row for each rule of `/v1/embeddings`.

use serde_json::{Value, json};

use super::*;
use crate::endpoint::testing::Subject;
use crate::error::Code::{InvalidValue, MissingField, UnsupportedField};

fn embeddings() -> Subject<EmbeddingsRequest> {
    let base = json!({"model": "m", "input": "hi"});
    Subject { parse, base }
}

#[test]
fn input_is_one_text_or_many() {
    assert_eq!(embeddings().with(json!({})).unwrap().inputs, ["hi"]);
    let many = embeddings().with(json!({"input": ["a", "b"]})).unwrap();
    assert_eq!(many.inputs, ["a", "b"]);
    assert_eq!(many.encoding, Encoding::Float);
}

#[test]
fn requests_that_cannot_be_met_are_refused() {
    embeddings().requires(&["model", "input"]);
    embeddings().accepts([json!({"user": "u", "encoding_format": "base64", "dimensions": null})]);
    embeddings().refuses([
        (json!({"dimensions": 5}), UnsupportedField, "dimensions"),
        (json!({"stream": false}), UnsupportedField, "stream"),
        (
            json!({"encoding_format": "int8"}),
            InvalidValue,
            "encoding_format",
        ),
        (json!({"input": []}), MissingField, "input[0]"),
        (json!({"input": ""}), InvalidValue, "input"),
        (json!({"input": ["a", ""]}), InvalidValue, "input[1]"),
        (json!({"input": [1, 2]}), UnsupportedField, "input[0]"),
        (json!({"input": [[1, 2]]}), UnsupportedField, "input[0]"),
        (json!({"input": ["a", true]}), InvalidValue, "input[1]"),
        (json!({"input": vec!["a"; 2049]}), InvalidValue, "input"),
        (
            json!({"input": vec![1; 2049]}),
            UnsupportedField,
            "input[0]",
        ),
        (json!({"input": {}}), InvalidValue, "input"),
    ]);
}

#[test]
fn vectors_are_numbers_or_base64_of_little_endian_floats() {
    let read = |encoding| -> Value {
        serde_json::from_slice(&body("m", &[vec![1.0, -0.5]], encoding, 3)).unwrap()
    };
    assert_eq!(
        read(Encoding::Float)["data"][0]["embedding"],
        json!([1.0, -0.5])
    );
    let base64 = &read(Encoding::Base64)["data"][0]["embedding"];
    assert_eq!(*base64, "AACAPwAAAL8=");
    let usage = json!({"prompt_tokens": 3, "total_tokens": 3});
    assert_eq!(read(Encoding::Float)["usage"], usage);
}
