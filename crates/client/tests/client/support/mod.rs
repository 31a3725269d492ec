//! A node over loopback TCP that speaks the real formats, signs with a simulated root, and does
//! whatever a test tells it.
#![allow(dead_code, unused_imports, reason = "not every build has every test")]

mod app;
mod http;
mod world;

pub use app::{Answer, App, POST_CHAT, chat_body};
pub use http::{End, Reply, Seen, Server};
pub use world::{
    CONFIGURATION, Keys, MEASUREMENT, NOW, TestClock, TestRng, WEIGHTS, World, entry, evidence,
    policy_text, root,
};

use subrosa_api::error::ApiError;
use subrosa_api::event::{CONTENT_TYPE, Event, FinishReason, Start, Usage};
use subrosa_api::request::Api;
use subrosa_channel::{InnerRequest, OpenedExchange, ResponseClass, ResponseHead, absent_weights};

/// A chat request with `text` as its body's one message.
pub fn chat(text: &str, stream: bool) -> InnerRequest {
    let body = serde_json::json!({
        "model": "subrosa-demo",
        "messages": [{"role": "user", "content": text}],
        "stream": stream,
    });
    InnerRequest {
        method: "POST".to_owned(),
        path: "/v1/chat/completions".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.to_string().into_bytes(),
    }
}

/// The header of a sealed answer and each of its records on its own.
pub fn seal(
    opened: OpenedExchange,
    class: ResponseClass,
    head: &ResponseHead,
    body: &[u8],
) -> Vec<Vec<u8>> {
    let weights = if head.status == 200 {
        WEIGHTS
    } else {
        absent_weights()
    };
    let mut sealer = opened.responder.start(class, &mut TestRng(77)).unwrap();
    sealer.head(head).unwrap();
    sealer.body(body).unwrap();
    sealer.complete(&weights).unwrap();
    let mut bytes = Vec::new();
    while !sealer.has_ended() {
        sealer.poll(&mut bytes);
    }
    split(&bytes)
}

/// Cuts a sealed answer at its borders.
pub fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (header, mut rest) = bytes.split_at(3 + 32 + 1120);
    let mut pieces = vec![header.to_vec()];
    while !rest.is_empty() {
        let len = usize::from(u16::from_be_bytes([rest[0], rest[1]]) & 0x7fff);
        let (record, after) = rest.split_at(2 + len);
        pieces.push(record.to_vec());
        rest = after;
    }
    pieces
}

/// The events of an answer that says `texts`.
pub fn events(texts: &[&str]) -> Vec<Event> {
    let mut events = vec![Event::Start(Start {
        api: Api::Chat,
        id: "chatcmpl-1".to_owned(),
        created: NOW,
        model: "subrosa-demo".to_owned(),
    })];
    events.extend(texts.iter().map(|text| Event::TextDelta {
        choice: 0,
        text: (*text).to_owned(),
    }));
    events.push(Event::Finish {
        choice: 0,
        reason: FinishReason::Stop,
        stop_sequence: None,
    });
    events.push(Event::Usage(Usage {
        prompt: 3,
        completion: 2,
        cached: 0,
    }));
    events.push(Event::End);
    events
}

pub fn encode(events: &[Event]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in events {
        event.encode(&mut bytes).unwrap();
    }
    bytes
}

/// A streamed answer that says `texts`.
pub fn stream(opened: OpenedExchange, texts: &[&str]) -> Vec<Vec<u8>> {
    let mut head = ResponseHead::new(200, CONTENT_TYPE);
    head.headers
        .push(("subrosa-ran".to_owned(), "yes".to_owned()));
    seal(
        opened,
        ResponseClass::Stream,
        &head,
        &encode(&events(texts)),
    )
}

/// A whole answer.
pub fn whole(opened: OpenedExchange, body: &str) -> Vec<Vec<u8>> {
    let mut head = ResponseHead::new(200, "application/json");
    head.headers
        .push(("subrosa-ran".to_owned(), "yes".to_owned()));
    seal(opened, ResponseClass::Whole, &head, body.as_bytes())
}

/// A sealed refusal before anything ran.
pub fn refusal(opened: OpenedExchange, error: &ApiError) -> Vec<Vec<u8>> {
    let mut head = ResponseHead::new(error.status(), "application/json");
    head.headers
        .push(("subrosa-ran".to_owned(), "no".to_owned()));
    let headers = error.headers().into_iter();
    head.headers
        .extend(headers.map(|(name, value)| (name.to_owned(), value)));
    seal(opened, ResponseClass::Whole, &head, &error.body(Api::Chat))
}

/// What an honest node answers: events to a request for a stream, JSON to another.
pub fn honest(opened: OpenedExchange) -> Vec<Vec<u8>> {
    let body = String::from_utf8_lossy(&opened.request.body).into_owned();
    if body.contains("\"stream\":true") {
        stream(opened, &["Hel", "lo"])
    } else {
        whole(opened, r#"{"object":"chat.completion","hello":true}"#)
    }
}
