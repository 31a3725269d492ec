//! What the network sees and can do: directory, bundles, health, refusals
//! outside of the seal, and bounds.

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

use std::time::{Duration, Instant};

use getrandom::SysRng;
use rand_core::{Rng as _, UnwrapErr};
use support::device::chat;
use support::process::Settings;
use support::{Answer, Connection, Device, Enclave};

const EXCHANGE: &str = "/subrosa/v1/exchange";

fn post(path: &str, media: &str, body: &[u8]) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
}

#[test]
fn the_directory_names_the_key_that_the_program_printed() {
    let enclave = Enclave::start();
    let mut connection = Connection::open(enclave.address);
    let reply = connection.get("/subrosa/v1/directory");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let directory = reply.json();
    assert_eq!(directory["version"], 1);
    let node = &directory["nodes"][0];
    assert_eq!(node["key_id"], enclave.key_id);
    assert_eq!(node["models"], serde_json::json!(["echo"]));
    let life = node["not_after"].as_u64().unwrap() - node["not_before"].as_u64().unwrap();
    assert_eq!(life, 1200);
}

#[test]
fn an_answer_has_no_header_but_its_type_and_length() {
    let enclave = Enclave::start();
    let (sealed, _) = Device::new(&enclave).seal("GET", "/v1/models", b"");
    let mut connection = Connection::open(enclave.address);
    for path in [
        "/subrosa/v1/directory",
        "/subrosa/v1/health",
        "/subrosa/v1/nothing",
    ] {
        let reply = connection.get(path);
        let mut names: Vec<String> = reply.headers.iter().map(|(name, _)| name.clone()).collect();
        drop(reply.body());
        names.sort();
        assert_eq!(names, ["content-length", "content-type"], "{path}");
    }
    let reply = connection.exchange(&sealed);
    let mut names: Vec<&str> = reply
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "content-type"]);
}

#[test]
fn health_says_ready() {
    let enclave = Enclave::start();
    let mut connection = Connection::open(enclave.address);
    let reply = connection.get("/subrosa/v1/health");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body(), br#"{"status":"ready"}"#);
}

#[test]
fn a_bundle_is_found_by_its_exact_hash_only() {
    let enclave = Enclave::start();
    let mut connection = Connection::open(enclave.address);
    let directory = connection.get("/subrosa/v1/directory").json();
    let hash = directory["nodes"][0]["bundle"].as_str().unwrap().to_owned();
    let reply = connection.get(&format!("/subrosa/v1/bundles/{hash}"));
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("application/cmw+cbor"))
    );
    drop(reply.body());
    for wrong in [
        hash.to_uppercase(),
        hash[1..].to_owned(),
        format!("{hash}0"),
        "0".repeat(64),
        String::new(),
    ] {
        let reply = connection.get(&format!("/subrosa/v1/bundles/{wrong}"));
        assert_eq!(reply.status, 404, "{wrong}");
        drop(reply.body());
    }
}

#[test]
fn what_cannot_be_sealed_is_a_problem_document_with_a_stable_code() {
    let enclave = Enclave::start();
    let device = Device::new(&enclave);
    let (good, _) = device.seal("GET", "/v1/models", b"");
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] ^= byte;
        bytes
    };
    let media = "message/ohttp-chunked-req";
    for (name, head, body, status, code) in [
        (
            "another version",
            post(EXCHANGE, media, &good),
            with(0, 3),
            400,
            "unknown-version",
        ),
        (
            "another key",
            post(EXCHANGE, media, &good),
            with(1, 1),
            400,
            "unknown-key",
        ),
        (
            "another encapsulation",
            post(EXCHANGE, media, &good),
            with(100, 1),
            400,
            "decapsulation-failed",
        ),
        (
            "a changed chunk",
            post(EXCHANGE, media, &good),
            with(good.len() - 1, 1),
            400,
            "decapsulation-failed",
        ),
        (
            "nothing",
            post(EXCHANGE, media, b""),
            vec![],
            400,
            "unknown-version",
        ),
        (
            "another type",
            post(EXCHANGE, "application/json", &good),
            good.clone(),
            415,
            "unsupported_media_type",
        ),
        (
            "another method",
            format!("PUT {EXCHANGE} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"),
            vec![],
            405,
            "method_not_allowed",
        ),
        (
            "another path",
            post("/subrosa/v2/exchange", media, b""),
            vec![],
            404,
            "not_found",
        ),
        (
            "a query",
            post("/subrosa/v1/exchange?a", media, b""),
            vec![],
            404,
            "not_found",
        ),
    ] {
        let mut connection = Connection::open(enclave.address);
        let reply = connection.request(&head, &body);
        assert_eq!(reply.status, status, "{name}");
        assert_eq!(
            reply.header("content-type"),
            Some("application/problem+json"),
            "{name}"
        );
        let problem = reply.json();
        assert_eq!(
            (&problem["code"], &problem["type"], &problem["status"]),
            (&code.into(), &"about:blank".into(), &status.into()),
            "{name}"
        );
    }
}

#[test]
fn a_coded_request_is_refused() {
    let enclave = Enclave::start();
    let head = format!(
        "POST {EXCHANGE} HTTP/1.1\r\nhost: x\r\ncontent-type: message/ohttp-chunked-req\r\ncontent-encoding: gzip\r\ncontent-length: 0\r\n\r\n"
    );
    assert_eq!(
        Connection::open(enclave.address).request(&head, b"").status,
        415
    );
}

#[test]
fn a_replayed_request_is_refused_and_runs_once() {
    let enclave = Enclave::start();
    let device = Device::new(&enclave);
    let (sealed, opener) = device.seal(
        "POST",
        "/v1/chat/completions",
        chat("x", false).to_string().as_bytes(),
    );
    let mut connection = Connection::open(enclave.address);
    assert_eq!(
        Answer::read(connection.exchange(&sealed), opener).status(),
        200
    );
    let reply = connection.exchange(&sealed);
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json()["code"], "replayed");
}

#[test]
fn a_full_register_refuses_inside_the_seal() {
    let settings = Settings {
        keys: "replay_capacity = 1".to_owned(),
        ..Settings::default()
    };
    let enclave = Enclave::with(&settings);
    let device = Device::new(&enclave);
    assert_eq!(device.chat("x", false).status(), 200);
    let answer = device.chat("x", false);
    assert_eq!(
        (answer.status(), answer.code()),
        (503, "register-full".to_owned())
    );
    assert_eq!(answer.header("subrosa-ran"), Some("no"));
}

#[test]
fn a_request_over_the_limit_is_refused_before_it_is_read() {
    let enclave = Enclave::with(&Settings::limits("message_bytes = 4096"));
    let mut connection = Connection::open(enclave.address);
    let head = format!(
        "POST {EXCHANGE} HTTP/1.1\r\nhost: x\r\ncontent-type: message/ohttp-chunked-req\r\ncontent-length: 100000000\r\n\r\n"
    );
    let reply = connection.request(&head, b"");
    assert_eq!(
        (reply.status, &reply.json()["code"]),
        (413, &"request-too-large".into())
    );
}

#[test]
fn a_chunked_request_over_the_limit_is_refused_while_it_arrives() {
    let enclave = Enclave::with(&Settings::limits("message_bytes = 4096"));
    let mut connection = Connection::open(enclave.address);
    let head = format!(
        "POST {EXCHANGE} HTTP/1.1\r\nhost: x\r\ncontent-type: message/ohttp-chunked-req\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let mut body = Vec::new();
    for _ in 0..13 {
        body.extend(b"400\r\n");
        body.extend([0; 1024]);
        body.extend(b"\r\n");
    }
    let reply = connection.request(&head, &body);
    assert_eq!(
        (reply.status, &reply.json()["code"]),
        (413, &"request-too-large".into())
    );
}

#[test]
fn requests_that_together_need_too_much_memory_are_refused() {
    let enclave = Enclave::with(&Settings::limits(
        "message_bytes = 65536\nbuffered_bytes = 90000",
    ));
    let head = format!(
        "POST {EXCHANGE} HTTP/1.1\r\nhost: x\r\ncontent-type: message/ohttp-chunked-req\r\ncontent-length: 60000\r\n\r\n"
    );
    let mut waiting = Connection::open(enclave.address);
    waiting.send(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let mut second = Connection::open(enclave.address);
    assert_eq!(second.request(&head, b"").status, 429);
    drop(waiting);
    std::thread::sleep(Duration::from_millis(300));
    let mut third = Connection::open(enclave.address);
    assert_ne!(third.request(&head, &vec![0; 60_000]).status, 429);
}

#[test]
fn a_client_that_sends_its_head_too_slowly_is_cut_off() {
    let enclave = Enclave::with(&Settings::limits("read_seconds = 1"));
    let mut connection = Connection::open(enclave.address);
    let start = Instant::now();
    let mut sent = connection.send(b"GET /subrosa/v1/health HTTP/1.1\r\n");
    while sent.is_ok() && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(100));
        sent = connection.send(b"a: b\r\n");
    }
    assert!(sent.is_err(), "it may go on for ever");
}

#[test]
fn a_client_that_sends_its_body_too_slowly_is_refused() {
    let enclave = Enclave::with(&Settings::limits("read_seconds = 1"));
    let mut connection = Connection::open(enclave.address);
    let head = format!(
        "POST {EXCHANGE} HTTP/1.1\r\nhost: x\r\ncontent-type: message/ohttp-chunked-req\r\ncontent-length: 1000\r\n\r\n"
    );
    let start = Instant::now();
    assert_eq!(connection.request(&head, b"a").status, 408);
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_idle_connection_is_closed() {
    let enclave = Enclave::with(&Settings::limits("read_seconds = 1"));
    let mut connection = Connection::open(enclave.address);
    drop(connection.get("/subrosa/v1/health").body());
    let start = Instant::now();
    assert!(connection.reply().is_err());
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn connections_over_the_limit_wait_until_one_is_free() {
    let enclave = Enclave::with(&Settings::limits("connections = 1\nread_seconds = 2"));
    let holder = Connection::open(enclave.address);
    std::thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    let mut waiting = Connection::open(enclave.address);
    assert_eq!(waiting.get("/subrosa/v1/health").status, 200);
    assert!(start.elapsed() > Duration::from_secs(1), "it did not wait");
    drop(holder);
}

#[test]
fn an_exchange_over_the_limit_gets_a_sealed_429() {
    let settings = Settings {
        limits: "exchanges = 1".to_owned(),
        ..Settings::engine("kind = \"echo\"\ndelay_ms = 200\ntokens = 40")
    };
    let enclave = Enclave::with(&settings);
    let device = Device::new(&enclave);
    let (sealed, opener) = device.seal(
        "POST",
        "/v1/chat/completions",
        chat("x", true).to_string().as_bytes(),
    );
    let mut connection = Connection::open(enclave.address);
    let mut running = connection.exchange(&sealed);
    running.piece().unwrap();
    for stream in [true, false] {
        let answer = device.chat("y", stream);
        assert_eq!(
            (answer.status(), answer.code()),
            (429, "queue_full".to_owned())
        );
        assert_eq!(answer.header("subrosa-ran"), Some("no"));
        assert_eq!(answer.header("subrosa-error"), Some("queue_full"));
        assert_eq!(answer.header("x-should-retry"), Some("true"));
        assert!(
            answer
                .header("retry-after")
                .unwrap()
                .parse::<u32>()
                .unwrap()
                >= 1
        );
    }
    drop((running, opener));
    drop(connection);
    // The client is gone, so its place is free at once.
    let start = Instant::now();
    while device.get("/v1/models").status() != 200 {
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "the place is not free"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_client_that_leaves_before_a_whole_answer_frees_its_place() {
    let settings = Settings {
        limits: "exchanges = 1".to_owned(),
        ..Settings::engine("kind = \"echo\"\ndelay_ms = 500\ntokens = 100")
    };
    let enclave = Enclave::with(&settings);
    let device = Device::new(&enclave);
    let (sealed, _) = device.seal(
        "POST",
        "/v1/chat/completions",
        chat("x", false).to_string().as_bytes(),
    );
    let mut leaving = Connection::open(enclave.address);
    let head = post(EXCHANGE, "message/ohttp-chunked-req", &sealed);
    leaving.send(head.as_bytes()).unwrap();
    leaving.send(&sealed).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(device.get("/v1/models").status(), 429);
    drop(leaving);
    let start = Instant::now();
    while device.get("/v1/models").status() != 200 {
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "the place is not free"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// With a tick, what leaves when does not depend on the engine.
#[test]
fn records_of_one_size_leave_while_the_engine_thinks() {
    let enclave = Enclave::with(&Settings::engine("kind = \"echo\"\ndelay_ms = 1500"));
    let device = Device::new(&enclave);
    let (sealed, opener) = device.seal(
        "POST",
        "/v1/chat/completions",
        chat("word", true).to_string().as_bytes(),
    );
    let mut connection = Connection::open(enclave.address);
    let mut reply = connection.exchange(&sealed);
    let start = Instant::now();
    let mut sizes = Vec::new();
    let mut early = 0;
    while let Some(piece) = reply.piece().unwrap() {
        if start.elapsed() < Duration::from_millis(1200) {
            early += 1;
        }
        sizes.push(piece.len());
    }
    drop(opener);
    assert!(early >= 15, "{early} records in 1.2 s");
    assert!(
        sizes.len() >= 16 && sizes.len().is_power_of_two(),
        "{}",
        sizes.len()
    );
    assert!(sizes[1..].iter().all(|size| *size == sizes[1]), "{sizes:?}");
}

#[test]
fn ten_thousand_malformed_requests_leave_the_memory_flat() {
    let enclave = Enclave::start();
    let device = Device::new(&enclave);
    let (good, _) = device.seal("GET", "/v1/models", b"");
    let mut rng = UnwrapErr(SysRng);
    let mut connection = Connection::open(enclave.address);
    let mut before = 0;
    for number in 0..10_000_u32 {
        if number == 2000 {
            before = enclave.resident();
        }
        let mut bytes = good.clone();
        let at =
            1 + usize::try_from(rng.next_u64() % u64::try_from(bytes.len() - 1).unwrap()).unwrap();
        match number % 3 {
            0 => bytes[at] ^= 1 << (number % 8),
            1 => bytes.truncate(at),
            _ => bytes.extend(&good[..at]),
        }
        let reply = connection.exchange(&bytes);
        assert_eq!(reply.status, 400, "{number}");
        let code = reply.json()["code"].clone();
        assert_ne!(code, "replayed", "a malformed request was entered");
    }
    let grown = enclave.resident().saturating_sub(before);
    assert!(grown < 8 << 20, "memory grew by {grown} bytes");
    assert_eq!(device.chat("still here", false).status(), 200);
}

#[test]
fn metrics_are_served_where_the_configuration_says_and_nowhere_else() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let settings = Settings {
        listen: format!("metrics = \"{address}\""),
        ..Settings::default()
    };
    let enclave = Enclave::with(&settings);
    let text = String::from_utf8(Connection::open(address).get("/metrics").body()).unwrap();
    assert!(
        text.contains("subrosa_requests") && text.ends_with("# EOF\n"),
        "{text}"
    );
    assert_eq!(
        Connection::open(address)
            .get("/subrosa/v1/directory")
            .status,
        404
    );
    assert_eq!(
        Connection::open(enclave.address).get("/metrics").status,
        404
    );
}
