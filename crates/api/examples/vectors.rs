//! Writes `spec/vectors/stream-events.json` and `spec/vectors/errors.json`.
//!
//! Run from the workspace root: `cargo run -p subrosa-api --example vectors`.

#![expect(
    clippy::unwrap_used,
    reason = "a generator for developers: it stops at the first problem"
)]

use std::fs;

use serde_json::{Value, json};
use subrosa_api::error::{ApiError, Code, Layer, Retry};
use subrosa_api::event::{Event, FinishReason, Logprob, Start, TokenLogprob, Usage};
use subrosa_api::request::Api;

fn main() {
    write("stream-events", &stream_events());
    write("errors", &errors());
}

fn write(name: &str, value: &Value) {
    let path = format!("spec/vectors/{name}.json");
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    fs::write(path, text).unwrap();
}

fn errors() -> Value {
    let codes = Code::ALL.iter().map(|code| {
        json!({
            "code": code.as_str(),
            "status": code.status(),
            "layer": layer(code.layer()),
            "nothing_ran": code.nothing_ran(),
            "retry": retry(code.retry()),
            "openai_type": code.openai_type(),
            "anthropic_type": code.anthropic_type(),
        })
    });
    codes.collect()
}

fn layer(layer: Layer) -> &'static str {
    match layer {
        Layer::Api => "api",
        Layer::Exchange => "exchange",
        _ => "device",
    }
}

fn retry(retry: Retry) -> &'static str {
    match retry {
        Retry::Never => "never",
        Retry::Safe => "safe",
        Retry::Repeat => "repeat",
        _ => "ask",
    }
}

fn stream_events() -> Value {
    json!({
        "valid": [
            valid("a chat answer", &chat()),
            valid("a tool call", &tool_call()),
            valid("log probabilities", &logprobs()),
            valid("two choices", &two_choices()),
            valid("an error before the start", &[
                Event::Error(
                    ApiError::new(Code::QueueFull, "the queue is full").with_retry_after(3),
                ),
                Event::End,
            ]),
            valid("an error after the start", &[
                start(Api::Messages, "msg_1"),
                text(0, "Hel"),
                Event::Error(ApiError::new(Code::EngineFailed, "failed").with_param("n")),
                Event::End,
            ]),
            valid("a text of 300 bytes", &[
                start(Api::Completions, "cmpl-1"),
                text(0, &"x".repeat(300)),
                finish(0, FinishReason::Length, None),
                Event::End,
            ]),
        ],
        "invalid": invalid(),
    })
}

fn valid(name: &str, events: &[Event]) -> Value {
    let described: Vec<Value> = events.iter().map(describe).collect();
    json!({"name": name, "hex": hex::encode(encode(events)), "events": described})
}

fn encode(events: &[Event]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in events {
        event.encode(&mut bytes).unwrap();
    }
    bytes
}

fn describe(event: &Event) -> Value {
    match event {
        Event::Start(start) => json!({
            "event": "start",
            "path": start.api.path(),
            "id": start.id,
            "created": start.created,
            "model": start.model,
        }),
        Event::TextDelta { choice, text } => {
            json!({"event": "text", "choice": choice, "text": text})
        }
        Event::Logprobs { choice, tokens } => {
            let tokens: Vec<Value> = tokens.iter().map(describe_token).collect();
            json!({"event": "logprobs", "choice": choice, "tokens": tokens})
        }
        Event::ToolCallStart {
            choice,
            index,
            id,
            name,
        } => json!({
            "event": "tool_call_start", "choice": choice, "index": index, "id": id, "name": name,
        }),
        Event::ToolCallArguments {
            choice,
            index,
            text,
        } => json!({
            "event": "tool_call_arguments", "choice": choice, "index": index, "text": text,
        }),
        Event::Finish {
            choice,
            reason,
            stop_sequence,
        } => json!({
            "event": "finish",
            "choice": choice,
            "reason": describe_reason(*reason),
            "stop_sequence": stop_sequence,
        }),
        Event::Usage(usage) => json!({
            "event": "usage",
            "prompt": usage.prompt,
            "completion": usage.completion,
            "cached": usage.cached,
        }),
        Event::Error(error) => json!({
            "event": "error",
            "code": error.code.as_str(),
            "retry_after": error.retry_after,
            "param": error.param,
            "message": error.message,
        }),
        Event::End => json!({"event": "end"}),
    }
}

fn describe_token(token: &TokenLogprob) -> Value {
    let one = |entry: &Logprob| json!({"hex": hex::encode(&entry.bytes), "logprob": f64::from(entry.logprob)});
    let top: Vec<Value> = token.top.iter().map(one).collect();
    json!({"token": one(&token.token), "top": top})
}

fn describe_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Cancelled => "cancelled",
        FinishReason::Error => "error",
    }
}

fn start(api: Api, id: &str) -> Event {
    Event::Start(Start {
        api,
        id: id.to_owned(),
        created: 1_700_000_000,
        model: "demo".to_owned(),
    })
}

fn text(choice: u8, text: &str) -> Event {
    let text = text.to_owned();
    Event::TextDelta { choice, text }
}

fn finish(choice: u8, reason: FinishReason, stop: Option<&str>) -> Event {
    Event::Finish {
        choice,
        reason,
        stop_sequence: stop.map(str::to_owned),
    }
}

fn usage() -> Event {
    Event::Usage(Usage {
        prompt: 70,
        completion: 2,
        cached: 64,
    })
}

fn chat() -> Vec<Event> {
    vec![
        start(Api::Chat, "chatcmpl-1"),
        text(0, "Grüß"),
        text(0, " dich"),
        finish(0, FinishReason::Stop, Some("\n\n")),
        usage(),
        Event::End,
    ]
}

fn tool_call() -> Vec<Event> {
    let (choice, index) = (0, 0);
    let arguments = |text: &str| Event::ToolCallArguments {
        choice,
        index,
        text: text.to_owned(),
    };
    vec![
        start(Api::Responses, "resp_1"),
        Event::ToolCallStart {
            choice,
            index,
            id: "call_1".to_owned(),
            name: "weather".to_owned(),
        },
        arguments("{\"city\":"),
        arguments("\"Oslo\"}"),
        finish(0, FinishReason::ToolCalls, None),
        usage(),
        Event::End,
    ]
}

fn logprobs() -> Vec<Event> {
    let entry = |bytes: &[u8], logprob| Logprob {
        bytes: bytes.to_vec(),
        logprob,
    };
    vec![
        start(Api::Chat, "chatcmpl-1"),
        Event::Logprobs {
            choice: 0,
            tokens: vec![
                TokenLogprob {
                    token: entry(b"\xc3", -0.5),
                    top: vec![entry(b"\xc3", -0.5), entry(b"a", -1.5)],
                },
                TokenLogprob {
                    token: entry(b"\xa9", 0.0),
                    top: Vec::new(),
                },
            ],
        },
        text(0, "é"),
        finish(0, FinishReason::Stop, None),
        Event::End,
    ]
}

fn two_choices() -> Vec<Event> {
    vec![
        start(Api::Chat, "chatcmpl-1"),
        text(1, "b"),
        text(0, "a"),
        finish(0, FinishReason::Stop, None),
        text(1, "b"),
        finish(1, FinishReason::Length, None),
        usage(),
        Event::End,
    ]
}

/// Bytes that must be refused. Each differs from a good stream in one thing.
#[expect(clippy::too_many_lines, reason = "a table")]
fn invalid() -> Value {
    let head = hex::encode(encode(&[start(Api::Chat, "a")]));
    let after = |rest: &str| format!("{head}{rest}");
    let padded = |rest: &str, bytes: usize| after(rest) + &"61".repeat(bytes);
    let cases = [
        ("kind 0", "0000".to_owned(), "unknown kind"),
        ("kind 10", "0a00".to_owned(), "unknown kind"),
        (
            "length in two bytes where one is enough",
            "014001".to_owned(),
            "number",
        ),
        (
            "payload of 262145 bytes",
            "0280040001".to_owned(),
            "too large",
        ),
        (
            "start with api 0",
            "01050000016162".to_owned(),
            "unknown api",
        ),
        (
            "start with api 5",
            "01050500016162".to_owned(),
            "unknown api",
        ),
        (
            "start with a time in two bytes where one is enough",
            "0106014000016162".to_owned(),
            "number",
        ),
        (
            "start with an empty id",
            "010401000062".to_owned(),
            "length of id",
        ),
        (
            "start with an empty model",
            "010401000161".to_owned(),
            "length of model",
        ),
        (
            "start with an id longer than the payload",
            "010401000561".to_owned(),
            "payload",
        ),
        (
            "start with an id that is not UTF-8",
            "0105010001ff62".to_owned(),
            "utf-8",
        ),
        ("text first", "02020061".to_owned(), "order"),
        ("end first", "0900".to_owned(), "order"),
        ("usage first", "0703000000".to_owned(), "order"),
        ("start twice", after(&head), "order"),
        ("text without a choice", after("0200"), "payload"),
        ("text that is not UTF-8", after("020200ff"), "utf-8"),
        ("text of choice 8", after("02020861"), "order"),
        ("no log probabilities", after("030100"), "payload"),
        (
            "log probability without a count of alternatives",
            after("030700016100000000"),
            "payload",
        ),
        (
            "log probability that is not a number",
            after("03080001617fc0000000"),
            "number",
        ),
        (
            "log probability with 21 alternatives",
            after("03080001610000000015"),
            "length of alternatives",
        ),
        (
            "tool call that starts with 1",
            after("04050001016162"),
            "order",
        ),
        (
            "tool call whose id is longer than the payload",
            after("04050000056162"),
            "payload",
        ),
        (
            "tool call with an id of 129 bytes",
            padded("04408500004081", 129),
            "length of id",
        ),
        (
            "tool call with a name of 65 bytes",
            padded("04404500000161", 65),
            "length of name",
        ),
        (
            "finish with a stop sequence of 257 bytes",
            padded("0641030001", 257),
            "length of stop sequence",
        ),
        ("arguments without a call", after("050300007b"), "order"),
        (
            "arguments after text",
            after("0405000001616202020061050300007b"),
            "order",
        ),
        (
            "arguments of an earlier call",
            after("0405000001616204050001016162050300007b"),
            "order",
        ),
        (
            "arguments that are not UTF-8",
            after("0405000001616205030000ff"),
            "utf-8",
        ),
        ("finish with reason 0", after("06020000"), "unknown reason"),
        ("finish with reason 6", after("06020006"), "unknown reason"),
        ("text after finish", after("0602000102020061"), "order"),
        ("finish twice", after("0602000106020001"), "order"),
        (
            "usage over 32 bits",
            after("070ac0000001000000000000"),
            "number",
        ),
        ("usage with two counts", after("07020000"), "payload"),
        ("usage with four counts", after("070400000000"), "payload"),
        (
            "error with an unknown code",
            after("080401780000"),
            "unknown code",
        ),
        (
            "error with a code of the exchange",
            after("080c097472756e63617465640000"),
            "unknown code",
        ),
        (
            "text after an error",
            after("080a0774696d656f7574000002020061"),
            "order",
        ),
        ("end before any finish", after("0900"), "order"),
        (
            "end before every finish",
            after("02020161060200010900"),
            "order",
        ),
        ("end with a payload", after("06020001090100"), "payload"),
        ("bytes after the end", after("0602000109000900"), "order"),
    ];
    cases
        .iter()
        .map(|(name, hex, error)| json!({"name": name, "hex": hex, "error": error}))
        .collect()
}
