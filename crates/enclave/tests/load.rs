//! Many answers at the same time. Ignored by default: it takes a minute and the
//! whole machine. `cargo nextest run -p subrosa-enclave --run-ignored only`.

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

use std::sync::Arc;
use std::time::{Duration, Instant};

use subrosa_channel::{ResponseEvent, ResponseOpener};
use support::device::chat;
use support::process::Settings;
use support::{Device, Enclave};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Barrier;

const STREAMS: usize = 5000;

/// All streams are open at the same time, all are read, and each is complete.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute and the whole machine"]
async fn five_thousand_streams_stay_open_and_each_is_complete() {
    let settings = Settings {
        limits: "connections = 6000\nexchanges = 6000".to_owned(),
        ..Settings::engine("kind = \"echo\"\ndelay_ms = 3000\ntokens = 20")
    };
    let enclave = Enclave::with(&settings);
    let device = Device::new(&enclave);
    let body = chat("word", true).to_string();
    let before = enclave.resident();
    let begun = Instant::now();
    let all_begun = Arc::new(Barrier::new(STREAMS + 1));
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let (sealed, opener) = device.seal("POST", "/v1/chat/completions", body.as_bytes());
        let (address, begun) = (enclave.address, Arc::clone(&all_begun));
        streams.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!(
                "POST /subrosa/v1/exchange HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                 content-type: message/ohttp-chunked-req\r\ncontent-length: {}\r\n\r\n",
                sealed.len()
            );
            stream
                .write_all(&[head.as_bytes(), &sealed].concat())
                .await
                .unwrap();
            let mut answer = vec![0; 64];
            let read = stream.read(&mut answer).await.unwrap();
            answer.truncate(read);
            begun.wait().await;
            stream.read_to_end(&mut answer).await.unwrap();
            check(&answer, opener);
        }));
    }
    all_begun.wait().await;
    let opened = begun.elapsed();
    let held = enclave.resident().saturating_sub(before);
    for stream in streams {
        tokio::time::timeout(Duration::from_mins(5), stream)
            .await
            .unwrap()
            .unwrap();
    }
    println!(
        "{STREAMS} streams: all open after {opened:?} with {} KiB for 1,000, all complete after {:?}",
        held / 1024 / (STREAMS as u64 / 1000),
        begun.elapsed()
    );
}

/// Opens a whole HTTP answer in chunks.
fn check(answer: &[u8], mut opener: ResponseOpener) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let end =
        |bytes: &[u8], mark: &[u8]| bytes.windows(mark.len()).position(|window| window == mark);
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        text(&answer[..32])
    );
    let mut rest = &answer[end(answer, b"\r\n\r\n").unwrap() + 4..];
    let mut events = Vec::new();
    loop {
        let line = end(rest, b"\r\n").unwrap();
        let size = usize::from_str_radix(&text(&rest[..line]), 16).unwrap();
        if size == 0 {
            break;
        }
        opener
            .push(&rest[line + 2..line + 2 + size], &mut events)
            .unwrap();
        rest = &rest[line + 4 + size..];
    }
    opener.finish().unwrap();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, ResponseEvent::Complete(_)))
    );
}
