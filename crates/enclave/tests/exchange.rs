//! Calls inside the seal, through real sockets, with the test engine.

#![cfg(feature = "development")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use serde_json::{Value, json};
use subrosa_api::event::{Event, FinishReason};
use subrosa_channel::{Profile, absent_weights};
use support::device::chat;
use support::process::{Settings, now};
use support::{Answer, Connection, Device, Enclave};

#[test]
fn a_whole_chat_is_answered_with_a_receipt() {
    let enclave = Enclave::start();
    let answer = Device::new(&enclave).chat("hello there", false);
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.json()["choices"][0]["message"]["content"],
        "hello there"
    );
    assert_eq!(answer.header("subrosa-ran"), Some("yes"));
    assert_eq!(answer.receipt.weights(), &absent_weights());
}

#[test]
fn a_streamed_chat_is_a_sequence_of_events_in_every_profile() {
    let enclave = Enclave::start();
    for profile in Profile::ALL {
        let answer = Device::new(&enclave)
            .profile(profile)
            .chat("one two three", true);
        let media = answer.header("content-type").unwrap();
        assert!(
            media.starts_with("application/vnd.subrosa.events"),
            "{media}"
        );
        assert_eq!(answer.text(), "one two three", "{profile}");
        let events = answer.events();
        assert!(matches!(events.first(), Some(Event::Start(start)) if start.model == "echo"));
        let finish = Event::Finish {
            choice: 0,
            reason: FinishReason::Stop,
            stop_sequence: None,
        };
        assert!(events.contains(&finish));
    }
}

#[test]
fn every_endpoint_answers() {
    let enclave = Enclave::start();
    let device = Device::new(&enclave);
    let message = json!([{"role": "user", "content": "hi"}]);
    for (path, body, pointer, expected) in [
        (
            "/v1/chat/completions",
            json!({"model": "echo", "messages": message}),
            "/choices/0/message/content",
            json!("hi"),
        ),
        (
            "/v1/completions",
            json!({"model": "echo", "prompt": "hi"}),
            "/choices/0/text",
            json!("hi"),
        ),
        (
            "/v1/responses",
            json!({"model": "echo", "input": "hi"}),
            "/output/0/content/0/text",
            json!("hi"),
        ),
        (
            "/v1/messages",
            json!({"model": "echo", "messages": message, "max_tokens": 9}),
            "/content/0/text",
            json!("hi"),
        ),
        (
            "/v1/embeddings",
            json!({"model": "echo", "input": "hi"}),
            "/data/0/index",
            json!(0),
        ),
    ] {
        let answer = device.post(path, &body);
        assert_eq!(answer.status(), 200, "{path}: {}", answer.json());
        assert_eq!(
            answer.json().pointer(pointer),
            Some(&expected),
            "{path}: {}",
            answer.json()
        );
        assert_eq!(answer.header("subrosa-ran"), Some("yes"), "{path}");
    }
    let models = device.get("/v1/models");
    assert_eq!(models.json()["data"][0]["id"], "echo");
    assert_eq!(models.header("subrosa-ran"), Some("no"));
    assert_eq!(device.get("/v1/models/echo").json()["id"], "echo");
}

#[test]
fn every_streaming_endpoint_streams() {
    let enclave = Enclave::start();
    let device = Device::new(&enclave).profile(Profile::Off);
    let message = json!([{"role": "user", "content": "a b"}]);
    for (path, body) in [
        (
            "/v1/chat/completions",
            json!({"model": "echo", "messages": message, "stream": true}),
        ),
        (
            "/v1/completions",
            json!({"model": "echo", "prompt": "a b", "stream": true}),
        ),
        (
            "/v1/responses",
            json!({"model": "echo", "input": "a b", "stream": true}),
        ),
        (
            "/v1/messages",
            json!({"model": "echo", "messages": message, "max_tokens": 9, "stream": true}),
        ),
    ] {
        assert_eq!(device.post(path, &body).text(), "a b", "{path}");
    }
}

#[test]
fn a_refusal_is_sealed_and_says_that_nothing_ran() {
    let enclave = Enclave::start();
    let device = Device::new(&enclave);
    let unsupported =
        json!({"model": "echo", "messages": [{"role": "user", "content": "x"}], "audio": {}});
    for (method, path, body, status, code) in [
        ("POST", "/v1/nothing", "{}".to_owned(), 404, "not_found"),
        (
            "GET",
            "/v1/models/other",
            String::new(),
            404,
            "model_not_found",
        ),
        (
            "GET",
            "/v1/chat/completions",
            String::new(),
            405,
            "method_not_allowed",
        ),
        (
            "POST",
            "/v1/models",
            "{}".to_owned(),
            405,
            "method_not_allowed",
        ),
        (
            "POST",
            "/v1/chat/completions",
            "{".to_owned(),
            400,
            "invalid_json",
        ),
        (
            "POST",
            "/v1/chat/completions",
            unsupported.to_string(),
            400,
            "unsupported_field",
        ),
        (
            "POST",
            "/v1/chat/completions",
            chat("x", true).to_string().replace("echo", "other"),
            404,
            "model_not_found",
        ),
        (
            "POST",
            "/v1/chat/completions?a=b",
            chat("x", false).to_string(),
            404,
            "not_found",
        ),
    ] {
        let answer = device.call(method, path, body.as_bytes());
        assert_eq!(
            (answer.status(), answer.code()),
            (status, code.to_owned()),
            "{method} {path}"
        );
        assert_eq!(answer.header("subrosa-ran"), Some("no"), "{method} {path}");
        assert_eq!(answer.header("subrosa-error"), Some(code));
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        assert_eq!(answer.receipt.weights(), &absent_weights());
    }
}

#[test]
fn an_unsupported_field_is_named() {
    let enclave = Enclave::start();
    let body =
        json!({"model": "echo", "messages": [{"role": "user", "content": "x"}], "audio": {}});
    let answer = Device::new(&enclave).post("/v1/chat/completions", &body);
    assert_eq!(answer.json()["error"]["param"], "audio");
}

#[test]
fn an_error_has_the_shape_of_the_api_that_was_called() {
    let enclave = Enclave::start();
    let answer = Device::new(&enclave).post("/v1/messages", &json!({"model": "echo"}));
    let error = answer.json();
    assert_eq!(
        (&error["type"], &error["error"]["type"]),
        (&json!("error"), &json!("invalid_request_error"))
    );
}

#[test]
fn a_body_of_another_media_type_is_refused() {
    let enclave = Enclave::start();
    let device = Device::new(&enclave);
    let (sealed, opener) = {
        let request = subrosa_channel::InnerRequest {
            method: "POST".to_owned(),
            path: "/v1/chat/completions".to_owned(),
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            body: chat("x", false).to_string().into_bytes(),
        };
        let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
        let sealed =
            subrosa_channel::seal_request(&device.node, &request, &device.options, now(), &mut rng)
                .unwrap();
        (sealed.bytes, sealed.opener)
    };
    let answer = Answer::read(Connection::open(enclave.address).exchange(&sealed), opener);
    assert_eq!(
        (answer.status(), answer.code()),
        (415, "unsupported_media_type".to_owned())
    );
}

#[test]
fn asking_for_more_tokens_than_the_service_gives_is_refused_by_name() {
    let enclave = Enclave::with(&Settings::limits("answer_tokens = 5"));
    let device = Device::new(&enclave);
    let mut body = chat("x", false);
    body["max_tokens"] = json!(6);
    let answer = device.post("/v1/chat/completions", &body);
    assert_eq!(
        (answer.status(), &answer.json()["error"]["param"]),
        (400, &json!("max_tokens"))
    );
    body["max_tokens"] = json!(5);
    assert_eq!(device.post("/v1/chat/completions", &body).status(), 200);
}

#[test]
fn an_answer_is_no_longer_than_the_service_gives() {
    let enclave = Enclave::with(&Settings::limits("answer_tokens = 2"));
    let answer = Device::new(&enclave).chat("a b c d", false);
    let choice = &answer.json()["choices"][0];
    assert_eq!(choice["message"]["content"].as_str().unwrap().trim(), "a b");
    assert_eq!(choice["finish_reason"], "length");
}

#[test]
fn the_configured_system_prompt_comes_first() {
    let settings = Settings {
        rest: "[sampling]\nsystem_prompt = \"be brief\"\n".to_owned(),
        ..Settings::default()
    };
    let enclave = Enclave::with(&settings);
    // The test engine repeats the last message, so the prompt shows only where
    // there is no other.
    let body = json!({"model": "echo", "messages": [{"role": "system", "content": "be kind"}]});
    let answer = Device::new(&enclave).post("/v1/chat/completions", &body);
    let said: Value = answer.json()["choices"][0]["message"]["content"].clone();
    assert_eq!(said, "be brief\n\nbe kind");
}

#[test]
fn a_malformed_conversation_key_is_refused() {
    let enclave = Enclave::start();
    let mut device = Device::new(&enclave);
    device.headers = vec![("subrosa-conversation".to_owned(), "short".to_owned())];
    let answer = device.chat("x", false);
    assert_eq!(
        (answer.status(), answer.code()),
        (400, "invalid_value".to_owned())
    );
}

#[test]
fn a_request_that_takes_too_long_ends_with_an_error() {
    let settings = Settings {
        limits: "request_seconds = 1".to_owned(),
        ..Settings::engine("kind = \"echo\"\ndelay_ms = 400\ntokens = 50")
    };
    let enclave = Enclave::with(&settings);
    let device = Device::new(&enclave);
    let whole = device.chat("x", false);
    assert_eq!((whole.status(), whole.code()), (504, "timeout".to_owned()));
    assert_eq!(whole.header("subrosa-ran"), Some("yes"));
    let events = device.chat("x", true).events();
    let error = events.iter().find_map(|event| match event {
        Event::Error(error) => Some(error.code.as_str()),
        _ => None,
    });
    assert_eq!(error, Some("timeout"));
}
