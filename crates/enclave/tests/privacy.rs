//! What an observer on the wire, a reader of the log and a reader of the
//! metrics can find of a conversation: nothing.

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

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use subrosa_channel::{InnerRequest, Profile};
use support::process::Settings;
use support::{Device, Enclave};

const MODEL: &str = "canary-model-7421";
const PROMPT: &str = "the heron sleeps on one leg beside the quiet reservoir";
const HEADER: (&str, &str) = ("x-canary-header", "a header value that nobody may read");

/// A relay that writes down every byte of both directions.
struct Tap {
    address: SocketAddr,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    fn before(enclave: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&bytes);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(enclave).unwrap());
                copy(
                    client.try_clone().unwrap(),
                    server.try_clone().unwrap(),
                    Arc::clone(&seen),
                );
                copy(server, client, Arc::clone(&seen));
            }
        });
        Self { address, bytes }
    }

    fn seen(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, seen: Arc<Mutex<Vec<u8>>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            seen.lock().unwrap().extend(&buffer[..read]);
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}

/// What must not be found, in every form in which it might be.
fn canaries() -> Vec<Vec<u8>> {
    let texts = [
        PROMPT,
        "heron sleeps",
        MODEL,
        HEADER.0,
        HEADER.1,
        "/v1/chat/completions",
        "subrosa-ran",
        "chatcmpl-",
        "messages",
    ];
    let mut forms = Vec::new();
    for text in texts {
        forms.push(text.as_bytes().to_vec());
        forms.push(text.to_uppercase().into_bytes());
        forms.push(hex::encode(text).into_bytes());
        forms.push(hex::encode_upper(text).into_bytes());
        // Base64 of a text inside a longer one depends on where it begins.
        for skip in 0..3_usize {
            let shifted = [&b"###"[..skip], text.as_bytes()].concat();
            for encoded in [STANDARD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
                let inner = encoded.trim_end_matches('=');
                forms.push(inner.as_bytes()[4..inner.len() - 2].to_vec());
            }
        }
    }
    forms
}

fn found(haystack: &[u8]) -> Vec<String> {
    canaries()
        .into_iter()
        .filter(|form| haystack.windows(form.len()).any(|window| window == form))
        .map(|form| String::from_utf8_lossy(&form).into_owned())
        .collect()
}

fn request(stream: bool) -> InnerRequest {
    InnerRequest {
        method: "POST".to_owned(),
        path: "/v1/chat/completions".to_owned(),
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            (HEADER.0.to_owned(), HEADER.1.to_owned()),
        ],
        body: json!({"model": MODEL, "messages": [{"role": "user", "content": PROMPT}], "stream": stream})
            .to_string()
            .into_bytes(),
    }
}

/// The directory names the models a node offers: that is public. The tap
/// therefore starts after the device has verified the node.
fn tapped() -> (Enclave, Device, Tap) {
    let enclave = Enclave::with(&Settings::engine(&format!(
        "kind = \"echo\"\nname = \"{MODEL}\""
    )));
    let mut device = Device::new(&enclave);
    device.headers = vec![(HEADER.0.to_owned(), HEADER.1.to_owned())];
    let tap = Tap::before(enclave.address);
    device.address = tap.address;
    (enclave, device, tap)
}

#[test]
fn nothing_of_a_conversation_can_be_read_from_the_wire() {
    let (_enclave, mut device, tap) = tapped();
    for profile in Profile::ALL {
        device.options.profile = profile;
        for stream in [false, true] {
            let answer = device.call("POST", "/v1/chat/completions", &request(stream).body);
            let text = if stream {
                answer.text()
            } else {
                answer.json()["choices"][0]["message"]["content"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            };
            assert_eq!(text, PROMPT);
        }
        let mut refused = request(false).body.clone();
        refused.push(b'x');
        assert_eq!(
            device
                .call("POST", "/v1/chat/completions", &refused)
                .status(),
            400
        );
    }
    let seen = tap.seen();
    assert!(seen.len() > 20_000, "the tap saw {} bytes", seen.len());
    assert_eq!(found(&seen), Vec::<String>::new());
}

/// The control: the same search finds every text where it can be read.
#[test]
fn the_search_finds_a_conversation_that_is_not_sealed() {
    let plain = request(true).encode().unwrap().to_vec();
    let answer = format!("subrosa-ran: yes chatcmpl-1 {plain:?}");
    let mut bytes = plain.clone();
    bytes.extend(answer.as_bytes());
    bytes.extend(hex::encode(&plain).as_bytes());
    let all = found(&bytes);
    for text in [
        PROMPT,
        MODEL,
        HEADER.0,
        HEADER.1,
        "/v1/chat/completions",
        "subrosa-ran",
        "chatcmpl-",
        "messages",
    ] {
        assert!(all.contains(&text.to_owned()), "{text} was not found");
    }
    assert!(all.contains(&hex::encode(PROMPT)));
    for start in 0..3 {
        let shifted = [&b"###"[..start], PROMPT.as_bytes()].concat();
        assert!(
            !found(STANDARD.encode(shifted).as_bytes()).is_empty(),
            "base64 from {start}"
        );
    }
}

#[test]
fn the_log_and_the_metrics_hold_nothing_of_a_conversation() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let settings = Settings {
        listen: format!("metrics = \"{address}\""),
        ..Settings::engine(&format!("kind = \"echo\"\nname = \"{MODEL}\""))
    };
    let mut enclave = Enclave::with(&settings);
    let mut device = Device::new(&enclave);
    device.headers = vec![(HEADER.0.to_owned(), HEADER.1.to_owned())];
    for stream in [false, true] {
        assert_eq!(
            device
                .call("POST", "/v1/chat/completions", &request(stream).body)
                .status(),
            200
        );
        let mut refused = request(stream).body.clone();
        refused.push(b'x');
        device.call("POST", "/v1/chat/completions", &refused);
    }
    let metrics = support::Connection::open(address).get("/metrics").body();
    enclave.terminate();
    enclave.wait();
    let log = enclave.log();
    assert!(
        log.contains("epoch-started") && log.contains("stopped"),
        "{log}"
    );
    assert_eq!(found(log.as_bytes()), Vec::<String>::new());
    assert_eq!(found(&metrics), Vec::<String>::new());
}

/// With a profile, an answer's size says only which power of two it is under.
#[test]
fn refusals_and_short_answers_have_the_same_size() {
    let (_enclave, device, _tap) = tapped();
    let good = device.call("POST", "/v1/chat/completions", &request(false).body);
    let refused = device.call("POST", "/v1/chat/completions", b"{");
    let unknown = device.call("POST", "/v1/nothing", b"{}");
    assert_eq!((good.wire, refused.wire), (refused.wire, unknown.wire));
}
