//! Transcripts of answers in every API, as the official clients read them.
//!
//! `cargo test -p subrosa-api --test golden -- --ignored` writes them anew; look at the difference
//! before you commit it. They are compared as JSON: the order of fields means nothing.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests"
)]

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use subrosa_api::collect::Collector;
use subrosa_api::endpoint::{chat, completions, messages, responses};
use subrosa_api::error::{ApiError, Code};
use subrosa_api::event::{Event, FinishReason, Logprob, Start, TokenLogprob, Usage};
use subrosa_api::render::Sse;
use subrosa_api::request::{Api, GenerateRequest};

#[test]
fn streams_are_what_official_clients_read() {
    each(|request, name, events| {
        let golden = fs::read_to_string(golden(&format!("{name}.sse"))).unwrap();
        assert_eq!(lines(&stream(request, events)), lines(&golden), "{name}");
    });
}

#[test]
fn whole_answers_are_what_official_clients_read() {
    each(|request, name, events| {
        let golden = fs::read_to_string(golden(&format!("{name}.json"))).unwrap();
        let golden: Value = serde_json::from_str(&golden).unwrap();
        assert_eq!(whole(request, events), golden, "{name}");
    });
}

#[test]
#[ignore = "writes the transcripts"]
fn write_transcripts() {
    fs::create_dir_all(golden("")).unwrap();
    each(|request, name, events| {
        fs::write(golden(&format!("{name}.sse")), stream(request, events)).unwrap();
        let body = serde_json::to_string_pretty(&whole(request, events)).unwrap() + "\n";
        fs::write(golden(&format!("{name}.json")), body).unwrap();
    });
}

fn stream(request: &GenerateRequest, events: &[Event]) -> String {
    let mut sse = Sse::for_request(request);
    let bytes = events.iter().flat_map(|event| sse.push(event)).collect();
    assert!(sse.is_done());
    String::from_utf8(bytes).unwrap()
}

fn whole(request: &GenerateRequest, events: &[Event]) -> Value {
    let mut collector = Collector::for_request(request);
    for event in events {
        collector.push(event);
    }
    let body = match collector.finish() {
        Ok(body) => body,
        Err(error) => error.body(request.api),
    };
    serde_json::from_slice(&body).unwrap()
}

/// Lines of a transcript; data as JSON, so that the order of fields makes no difference.
fn lines(text: &str) -> Vec<Result<Value, &str>> {
    let lines = text.split('\n');
    lines
        .map(|line| match line.strip_prefix("data: ") {
            Some(data) => serde_json::from_str(data).map_err(|_| line),
            None => Err(line),
        })
        .collect()
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// Calls `check` with every API and every answer it can give.
fn each(check: impl Fn(&GenerateRequest, &str, &[Event])) {
    for (name, request) in requests() {
        for (case, events) in answers() {
            if request.api == Api::Completions && case == "tools" {
                continue;
            }
            let start = Event::Start(Start {
                api: request.api,
                id: format!("{}abc", request.api.id_prefix()),
                created: 1_700_000_000,
                model: "demo".to_owned(),
            });
            let events: Vec<Event> = [start].into_iter().chain(events).collect();
            check(&request, &format!("{name}-{case}"), &events);
        }
    }
}

fn requests() -> [(&'static str, GenerateRequest); 4] {
    let chat = br#"{"model":"demo","messages":[{"role":"user","content":"hi"}],"stream":true,
        "stream_options":{"include_usage":true}}"#;
    let completions = br#"{"model":"demo","prompt":"hi"}"#;
    let messages =
        br#"{"model":"demo","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}"#;
    let responses = br#"{"model":"demo","input":"hi","temperature":0.5,"max_output_tokens":99,
        "tools":[{"type":"function","name":"weather","parameters":{"type":"object"}}],
        "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}}"#;
    [
        ("chat", chat::parse(chat).unwrap()),
        ("completions", completions::parse(completions).unwrap()),
        ("messages", messages::parse(messages).unwrap()),
        ("responses", responses::parse(responses).unwrap()),
    ]
}

/// Answers without their start.
fn answers() -> [(&'static str, Vec<Event>); 7] {
    let stop = |reason, stop: Option<&str>| {
        let stop_sequence = stop.map(str::to_owned);
        vec![
            Event::Finish {
                choice: 0,
                reason,
                stop_sequence,
            },
            Event::Usage(Usage {
                prompt: 12,
                completion: 5,
                cached: 4,
            }),
            Event::End,
        ]
    };
    let answer = |events: Vec<Event>, end: Vec<Event>| events.into_iter().chain(end).collect();
    let normal = || stop(FinishReason::Stop, None);
    [
        ("text", answer(vec![text("Hel"), text("lo 😀\n")], normal())),
        (
            "empty",
            answer(vec![], stop(FinishReason::Stop, Some("END"))),
        ),
        (
            "length",
            answer(vec![text("Hel")], stop(FinishReason::Length, None)),
        ),
        (
            "logprobs",
            answer(
                vec![logprobs("Hel"), text("Hel"), logprobs("lo"), text("lo")],
                normal(),
            ),
        ),
        (
            "tools",
            answer(tools(), stop(FinishReason::ToolCalls, None)),
        ),
        (
            "cancelled",
            answer(vec![text("Hel")], stop(FinishReason::Cancelled, None)),
        ),
        (
            "error",
            vec![
                text("Hel"),
                Event::Error(ApiError::from_code(Code::EngineFailed)),
                Event::End,
            ],
        ),
    ]
}

fn text(text: &str) -> Event {
    let text = text.to_owned();
    Event::TextDelta { choice: 0, text }
}

fn logprobs(text: &str) -> Event {
    let entry = |text: &str, logprob| Logprob {
        bytes: text.as_bytes().to_vec(),
        logprob,
    };
    let tokens = vec![TokenLogprob {
        token: entry(text, -0.1),
        top: vec![entry(text, -0.1), entry("no", -2.5)],
    }];
    Event::Logprobs { choice: 0, tokens }
}

fn tools() -> Vec<Event> {
    let call = |index, id: &str, name: &str| Event::ToolCallStart {
        choice: 0,
        index,
        id: id.to_owned(),
        name: name.to_owned(),
    };
    let arguments = |index, text: &str| Event::ToolCallArguments {
        choice: 0,
        index,
        text: text.to_owned(),
    };
    vec![
        text("Let me see."),
        call(0, "call_1", "weather"),
        arguments(0, "{\"city\":"),
        arguments(0, "\"Oslo\"}"),
        call(1, "call_2", "time"),
        arguments(1, "{}"),
    ]
}
