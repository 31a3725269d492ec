//! The upstream engine behind the real seal, with a small server that says
//! what a test wants.

#![cfg(all(feature = "development", feature = "upstream"))]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::{Value, json};
use subrosa_channel::{Profile, absent_weights};
use support::process::Settings;
use support::{Device, Enclave};

/// A server that gives one answer to everybody, and what it was asked.
fn server(events: &'static [&'static str]) -> (SocketAddr, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, asked) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap(), events, &sender);
        }
    });
    (address, asked)
}

fn serve(stream: TcpStream, events: &[&str], asked: &Sender<Value>) {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some((_, value)) = line.to_lowercase().split_once("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    asked.send(serde_json::from_slice(&body).unwrap()).unwrap();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let mut stream = reader.into_inner();
    stream.write_all(head.as_bytes()).unwrap();
    for event in events {
        stream
            .write_all(format!("data: {event}\n\n").as_bytes())
            .unwrap();
    }
}

const GOOD: &[&str] = &[
    r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":null}]}"#,
    r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}"#,
    "[DONE]",
];

fn enclave(server: SocketAddr) -> Enclave {
    Enclave::with(&Settings::engine(&format!(
        "kind = \"upstream\"\nname = \"ours\"\nmodel = \"theirs\"\naddress = \"{server}\""
    )))
}

fn chat(stream: bool) -> Value {
    json!({"model": "ours", "messages": [{"role": "user", "content": "x"}], "stream": stream})
}

const CHAT: &str = "/v1/chat/completions";

#[test]
fn a_server_in_the_same_machine_answers_and_the_receipt_names_no_weights() {
    let (address, asked) = server(GOOD);
    let enclave = enclave(address);
    let device = Device::new(&enclave).profile(Profile::Off);
    let answer = device.post(CHAT, &chat(true));
    assert_eq!(answer.text(), "Hello");
    assert_eq!(answer.receipt.weights(), &absent_weights());
    assert_eq!(asked.recv().unwrap()["model"], "theirs");
    let answer = device.post(CHAT, &chat(false)).json();
    assert_eq!(answer["choices"][0]["message"]["content"], "Hello");
    assert_eq!(answer["model"], "ours");
}

#[test]
fn a_server_that_stops_in_the_middle_is_an_error_and_not_a_shorter_answer() {
    let (address, _asked) = server(&GOOD[..2]);
    let enclave = enclave(address);
    let device = Device::new(&enclave).profile(Profile::Off);
    let answer = device.post(CHAT, &chat(false));
    assert_eq!(
        (answer.status(), answer.code()),
        (500, "engine_failed".to_owned())
    );
    assert_eq!(answer.header("subrosa-ran"), Some("yes"));
}

#[test]
fn a_server_that_is_not_there_is_an_error_inside_the_seal() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let enclave = enclave(address);
    let answer = Device::new(&enclave).post(CHAT, &chat(true));
    assert_eq!(
        (answer.status(), answer.code()),
        (503, "engine_restarting".to_owned())
    );
    assert_eq!(answer.header("subrosa-ran"), Some("no"));
}
