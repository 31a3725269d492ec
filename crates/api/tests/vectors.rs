//! Reads the vectors of spec/stream-events.md and spec/errors.md back.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use subrosa_api::error::{Code, Layer, Retry};
use subrosa_api::event::{DecodeError, Event, EventDecoder};

#[test]
fn valid_streams_decode_to_what_they_say_and_encode_to_the_same_bytes() {
    for case in list(&vectors("stream-events")["valid"]) {
        let name = text(&case["name"]);
        let bytes = hex::decode(text(&case["hex"])).unwrap();
        let mut decoder = EventDecoder::new();
        let events = decoder.push(&bytes).unwrap();
        assert!(decoder.is_clean_end(), "{name}");
        let described = list(&case["events"]);
        assert_eq!(events.len(), described.len(), "{name}");
        for (event, described) in events.iter().zip(described) {
            assert_described(event, described, name);
        }
        let mut again = Vec::new();
        for event in &events {
            event.encode(&mut again).unwrap();
        }
        assert_eq!(again, bytes, "{name}");
    }
}

#[test]
fn a_stream_cut_anywhere_is_no_error_yet_and_no_clean_end() {
    for case in list(&vectors("stream-events")["valid"]) {
        let bytes = hex::decode(text(&case["hex"])).unwrap();
        for cut in 0..bytes.len() {
            let mut decoder = EventDecoder::new();
            decoder.push(&bytes[..cut]).unwrap();
            assert!(!decoder.is_clean_end(), "{} cut at {cut}", case["name"]);
        }
    }
}

#[test]
fn invalid_streams_are_refused_for_the_reason_given() {
    for case in list(&vectors("stream-events")["invalid"]) {
        let name = text(&case["name"]);
        let bytes = hex::decode(text(&case["hex"])).unwrap();
        let error = EventDecoder::new().push(&bytes).expect_err(name);
        assert_eq!(class(&error), text(&case["error"]), "{name}");
    }
}

#[test]
fn every_code_has_the_properties_of_its_vector() {
    let vectors = vectors("errors");
    let vectors = list(&vectors);
    assert_eq!(vectors.len(), Code::ALL.len());
    for (vector, code) in vectors.iter().zip(Code::ALL) {
        assert_eq!(text(&vector["code"]), code.as_str());
        assert_eq!(vector["status"], code.status(), "{code}");
        assert_eq!(text(&vector["layer"]), layer(*code), "{code}");
        assert_eq!(vector["nothing_ran"], code.nothing_ran(), "{code}");
        assert_eq!(text(&vector["retry"]), retry(*code), "{code}");
        assert_eq!(text(&vector["openai_type"]), code.openai_type(), "{code}");
        assert_eq!(
            text(&vector["anthropic_type"]),
            code.anthropic_type(),
            "{code}"
        );
    }
}

/// The document is what people read, so each of its rows must be true, and none may be missing.
#[test]
fn the_document_lists_every_code_with_its_properties() {
    let document = fs::read_to_string(spec("errors.md")).unwrap();
    for code in Code::ALL {
        let nothing_ran = if code.nothing_ran() { "yes" } else { "no" };
        let row = format!(
            "| `{code}` | {} | {nothing_ran} | {} |",
            code.status(),
            retry(*code)
        );
        assert!(
            document.contains(&row),
            "errors.md has no row that begins {row}"
        );
    }
    for line in document.lines().filter(|line| line.starts_with("| `")) {
        let name = line.split('`').nth(1).unwrap();
        assert!(
            Code::parse(name).is_some(),
            "errors.md lists unknown code {name}"
        );
    }
}

fn assert_described(event: &Event, described: &Value, name: &str) {
    let kind = match event {
        Event::Start(start) => {
            assert_eq!(described["path"], start.api.path(), "{name}");
            assert_eq!(described["id"], *start.id, "{name}");
            assert_eq!(described["created"], start.created, "{name}");
            assert_eq!(described["model"], *start.model, "{name}");
            "start"
        }
        Event::TextDelta { choice, text } => {
            assert_eq!(described["choice"], *choice, "{name}");
            assert_eq!(described["text"], **text, "{name}");
            "text"
        }
        Event::Logprobs { choice, tokens } => {
            assert_eq!(described["choice"], *choice, "{name}");
            for (token, described) in tokens.iter().zip(list(&described["tokens"])) {
                let entry = &described["token"];
                assert_eq!(
                    text(&entry["hex"]),
                    hex::encode(&token.token.bytes),
                    "{name}"
                );
                assert_eq!(entry["logprob"], f64::from(token.token.logprob), "{name}");
                assert_eq!(list(&described["top"]).len(), token.top.len(), "{name}");
            }
            "logprobs"
        }
        Event::ToolCallStart { id, name: tool, .. } => {
            assert_eq!(described["id"], **id, "{name}");
            assert_eq!(described["name"], **tool, "{name}");
            "tool_call_start"
        }
        Event::ToolCallArguments { text, .. } => {
            assert_eq!(described["text"], **text, "{name}");
            "tool_call_arguments"
        }
        Event::Finish { stop_sequence, .. } => {
            assert_eq!(
                described["stop_sequence"].as_str(),
                stop_sequence.as_deref(),
                "{name}"
            );
            "finish"
        }
        Event::Usage(usage) => {
            assert_eq!(described["prompt"], usage.prompt, "{name}");
            assert_eq!(described["completion"], usage.completion, "{name}");
            assert_eq!(described["cached"], usage.cached, "{name}");
            "usage"
        }
        Event::Error(error) => {
            assert_eq!(described["code"], error.code.as_str(), "{name}");
            assert_eq!(
                described["param"].as_str(),
                error.param.as_deref(),
                "{name}"
            );
            assert_eq!(described["message"], *error.message, "{name}");
            "error"
        }
        Event::End => "end",
    };
    assert_eq!(described["event"], kind, "{name}");
}

fn class(error: &DecodeError) -> String {
    match error {
        DecodeError::Length { field, .. } => format!("length of {field}"),
        DecodeError::Number { .. } => "number".to_owned(),
        DecodeError::Order(_) => "order".to_owned(),
        DecodeError::Payload { .. } => "payload".to_owned(),
        DecodeError::TooLarge { .. } => "too large".to_owned(),
        DecodeError::Unknown { field, .. } => format!("unknown {field}"),
        DecodeError::Utf8 { .. } => "utf-8".to_owned(),
        _ => "another error".to_owned(),
    }
}

fn layer(code: Code) -> &'static str {
    match code.layer() {
        Layer::Api => "api",
        Layer::Exchange => "exchange",
        Layer::Device => "device",
        _ => "unknown",
    }
}

fn retry(code: Code) -> &'static str {
    match code.retry() {
        Retry::Never => "never",
        Retry::Safe => "safe",
        Retry::Repeat => "repeat",
        Retry::Ask => "ask",
        _ => "unknown",
    }
}

fn vectors(name: &str) -> Value {
    let text = fs::read_to_string(spec(&format!("vectors/{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn spec(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../spec")
        .join(name)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
