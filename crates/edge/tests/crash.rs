//! The program killed in the middle of writes, and what it passes on to a node.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::new_without_default,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest as _, Sha256};
use support::{Device, ORIGIN, Passkey, databases, empty_database};

/// The program, on a port of its own.
struct Edge {
    child: Child,
    url: String,
}

impl Edge {
    fn start(database: &str, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_subrosa-edge"))
            .args([
                "--listen",
                "127.0.0.1:0",
                "--origin",
                ORIGIN,
                "--database",
                database,
            ])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let (url, _) = line
            .split_once(" for ")
            .unwrap_or_else(|| panic!("{line:?}"));
        Self {
            url: url.to_owned(),
            child,
        }
    }

    /// Ends it as a power failure would, as far as the program can tell.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn record(sequence: u64, previous: [u8; 32], text: &[u8]) -> Vec<u8> {
    let mut record = b"SHO1".to_vec();
    record.extend_from_slice(&[2, 0, 0, 0, 0, 1]);
    record.extend_from_slice(&[1; 16]);
    record.extend_from_slice(&sequence.to_be_bytes());
    record.extend_from_slice(&[7; 16]);
    record.extend_from_slice(&sequence.to_be_bytes());
    record.extend_from_slice(&1_u64.to_be_bytes());
    record.extend_from_slice(&previous);
    record.extend_from_slice(text);
    record
}

fn head(record: &[u8]) -> [u8; 32] {
    let (header, rest) = record.split_at(98);
    let rest = Sha256::digest(rest);
    Sha256::digest([b"subrosa/history/1/head", header, rest.as_slice()].concat()).into()
}

/// Bytes of the parts of an answer.
fn parts(mut body: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = body.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
        parts.push(rest[1..=length].to_vec());
        body = &rest[1 + length..];
    }
    parts
}

const ACCOUNTS: usize = 40;
const EACH: u64 = 25;

/// A thousand writes by 40 devices at once; the program is killed while they are under way.
#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_program_is_killed() {
    for kind in databases() {
        for kill_after in [1, 150, 600] {
            kill(kind, kill_after);
        }
    }
}

fn kill(kind: &str, kill_after: usize) {
    let folder = tempfile::tempdir().unwrap();
    let database = empty_database(kind, folder.path());
    let edge = Edge::start(&database, &[]);
    let mut devices: Vec<_> = (0..ACCOUNTS)
        .map(|_| {
            let mut device = Device::new(&edge.url);
            assert_eq!(device.register(&Passkey::new()).status, 201);
            device
        })
        .collect();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = devices
        .drain(..)
        .enumerate()
        .map(|(n, device)| {
            let acknowledged = Arc::clone(&acknowledged);
            std::thread::spawn(move || {
                let (mut kept, mut previous) = (Vec::new(), [0; 32]);
                for sequence in 1..=EACH {
                    let text = format!("{n} {sequence} ").repeat(50);
                    let record = record(sequence, previous, text.as_bytes());
                    let answer = device.try_ask("POST", "history/records", &[], &record);
                    // The program is gone; what it did with this one nobody knows.
                    let Some(answer) = answer else { break };
                    assert_eq!(answer.status, 201, "{answer:?}");
                    previous = head(&record);
                    kept.push(record);
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
                (device, kept)
            })
        })
        .collect();
    while acknowledged.load(Ordering::SeqCst) < kill_after {
        std::thread::yield_now();
    }
    edge.kill();
    let edge = Edge::start(&database, &[]);
    let mut total = 0;
    for writer in writers {
        let (mut device, kept) = writer.join().unwrap();
        device.url.clone_from(&edge.url);
        total += kept.len();
        let found = parts(&device.get("history/records").body);
        // One more may have been taken without its answer.
        assert!(found.len() == kept.len() || found.len() == kept.len() + 1);
        assert_eq!(found[..kept.len()], kept[..]);
        let history = device.get("history").json();
        let last = found.last().map_or([0; 32], |last| head(last));
        assert_eq!(history["sequence"], found.len());
        assert!(found.is_empty() || history["head"] == hex::encode(last));
        let next = record(u64::try_from(found.len()).unwrap() + 1, last, b"goes on");
        assert_eq!(device.post("history/records", &next).status, 201);
    }
    assert!(total >= kill_after);
    eprintln!("{kind}: killed after {kill_after}; {total} acknowledged, none lost");
}

#[test]
fn a_database_of_a_newer_program_is_refused() {
    for kind in databases() {
        let folder = tempfile::tempdir().unwrap();
        let database = empty_database(kind, folder.path());
        drop(Edge::start(&database, &[]));
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            sqlx::any::install_default_drivers();
            let pool = sqlx::AnyPool::connect(&database).await.unwrap();
            let query = "UPDATE meta SET value = 2 WHERE name = 'schema'";
            sqlx::query(query).execute(&pool).await.unwrap();
            pool.close().await;
        });
        let output = Command::new(env!("CARGO_BIN_EXE_subrosa-edge"))
            .args([
                "--listen",
                "127.0.0.1:0",
                "--origin",
                ORIGIN,
                "--database",
                &database,
            ])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("schema 2, and this program knows 1"),
            "{said}"
        );
    }
}

/// A database that answers before it has written cannot be used.
#[test]
fn a_database_that_does_not_promise_to_keep_is_refused() {
    if !databases().contains(&"postgres") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let database = empty_database("postgres", folder.path());
    let database = format!("{database}&options=-c%20synchronous_commit%3Doff");
    let output = Command::new(env!("CARGO_BIN_EXE_subrosa-edge"))
        .args([
            "--listen",
            "127.0.0.1:0",
            "--origin",
            ORIGIN,
            "--database",
            &database,
        ])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("does not promise to keep"), "{said}");
}

#[test]
fn wrong_settings_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let database = empty_database("sqlite", folder.path());
    let web = folder.path().display().to_string();
    for (flags, words) in [
        (
            vec!["--database", "mysql://x"],
            "sqlite://FILE or postgres://",
        ),
        (vec!["--database", &database, "--web", &web], "index.html"),
        (
            vec!["--database", &database, "--web", "/nowhere"],
            "/nowhere",
        ),
        (vec!["--database-file", "/nowhere"], "/nowhere"),
        (
            vec!["--database", &database, "--listen", "192.0.2.1:1"],
            "192.0.2.1:1",
        ),
        (vec![], "--database"),
        (vec!["--database", &database, "--quota", "0"], "--quota"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_subrosa-edge"))
            .args(["--origin", ORIGIN])
            .args(flags)
            .output()
            .unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(words), "{words} in {said}");
    }
}

/// A node that shows what it was sent, and answers with headers that must not pass.
fn node() -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.ends_with(b"sealed") {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0);
            request.extend_from_slice(&buffer[..read]);
        }
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: message/ohttp-chunked-res\r\nset-cookie: id=1\r\n\
            server: node\r\ncontent-length: 6\r\n\r\nanswer";
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(request).unwrap().to_lowercase()
    });
    (url, thread)
}

#[test]
fn a_node_sees_sealed_bytes_and_nothing_of_who_sent_them() {
    let folder = tempfile::tempdir().unwrap();
    let database = empty_database("sqlite", folder.path());
    let (url, node) = node();
    let edge = Edge::start(&database, &["--node", &url]);
    let device = Device::new(&edge.url);
    let headers = [
        ("content-type", "message/ohttp-chunked-req"),
        ("cookie", "subrosa-session=secret"),
        ("user-agent", "a browser"),
        ("accept-language", "de"),
        ("x-forwarded-for", "203.0.113.7"),
        ("authorization", "Bearer secret"),
        ("referer", "http://localhost/conversation"),
    ];
    let answer = device
        .raw("POST", "/subrosa/v1/exchange?who=me", &headers, b"sealed")
        .unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"answer"[..]));
    assert_eq!(answer.headers["content-type"], "message/ohttp-chunked-res");
    for name in ["set-cookie", "server"] {
        assert!(answer.headers.get(name).is_none(), "{name}");
    }
    let seen = node.join().unwrap();
    assert!(
        seen.starts_with("post /subrosa/v1/exchange http/1.1\r\n"),
        "{seen}"
    );
    let names: Vec<_> = seen
        .lines()
        .skip(1)
        .map_while(|line| line.split_once(':'))
        .map(|(name, _)| name)
        .collect();
    for name in &names {
        assert!(
            ["content-type", "content-length", "host"].contains(name),
            "{name}"
        );
    }
    // The node is gone.
    let answer = device
        .raw("POST", "/subrosa/v1/exchange", &headers, b"sealed")
        .unwrap();
    assert_eq!(answer.code(), (503, "unavailable".to_owned()));
}

#[test]
fn only_tiles_of_the_log_are_passed_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/log/", listener.local_addr().unwrap());
    let log = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap())
            .read_line(&mut line)
            .unwrap();
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntile";
        stream.write_all(answer.as_bytes()).unwrap();
        line
    });
    let folder = tempfile::tempdir().unwrap();
    let database = empty_database("sqlite", folder.path());
    let edge = Edge::start(&database, &["--log", &url]);
    let device = Device::new(&edge.url);
    for (method, path) in [
        ("GET", "checkpoint"),
        ("GET", ""),
        ("GET", "tile/0/x001/../checkpoint"),
        ("GET", "tile/0/1"),
        ("GET", "tile/%30/001"),
        ("POST", "tile/0/001"),
    ] {
        let path = format!("/subrosa/v1/log/{path}");
        let answer = device.raw(method, &path, &[], b"").unwrap();
        assert_eq!(answer.code(), (404, "not-found".to_owned()), "{path}");
    }
    let path = "/subrosa/v1/log/tile/0/x001/234.p/5?who=me";
    let answer = device.raw("GET", path, &[], b"").unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"tile"[..]));
    let line = log.join().unwrap();
    assert_eq!(line, "GET /log/tile/0/x001/234.p/5 HTTP/1.1\r\n");
}
