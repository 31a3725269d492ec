//! A log whose data are in a bucket, which a small server of this test keeps.
#![cfg(unix)]
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use sha2::{Digest as _, Sha256};
use subrosa_translog::{LogProof, Note};
use support::running::Running;
use support::{Home, Outcome};

/// What of S3 a log needs: objects that are read, and written under conditions.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Server {
    fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream.unwrap()));
            }
        });
        address
    }

    fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            let mut headers = BTreeMap::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let Some((name, value)) = line.trim_end().split_once(':') else {
                    break;
                };
                headers.insert(name.to_lowercase(), value.trim().to_owned());
            }
            let length = headers
                .get("content-length")
                .map_or(0, |n| n.parse().unwrap());
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let (status, tag, answer) = self.answer(&words[0], &words[1], &headers, body);
            let tag = tag.map_or(String::new(), |tag| format!("ETag: {tag}\r\n"));
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nLast-Modified: Mon, 23 Nov 2026 10:00:00 GMT\r\n{tag}\r\n",
                answer.len()
            );
            writer.write_all(head.as_bytes()).unwrap();
            if words[0] != "HEAD" {
                writer.write_all(&answer).unwrap();
            }
        }
    }

    fn answer(
        &self,
        method: &str,
        path: &str,
        headers: &BTreeMap<String, String>,
        body: Vec<u8>,
    ) -> (u16, Option<String>, Vec<u8>) {
        let signed = headers.get("authorization").cloned().unwrap_or_default();
        if !signed.starts_with("AWS4-HMAC-SHA256 Credential=somebody/") {
            return (403, None, Vec::new());
        }
        let mut objects = self.0.lock().unwrap();
        let tag = |bytes: &[u8]| format!("\"{}\"", hex::encode(&Sha256::digest(bytes)[..16]));
        let now = objects.get(path).map(|bytes| tag(bytes));
        if method != "PUT" {
            return match objects.get(path) {
                Some(bytes) => (200, now, bytes.clone()),
                None => (404, None, Vec::new()),
            };
        }
        let must_match = headers.get("if-match");
        let must_be_new = headers.contains_key("if-none-match");
        assert!(
            must_match.is_some() || must_be_new,
            "everything is written under a condition"
        );
        if must_match.is_some_and(|tag| Some(tag) != now.as_ref()) || (must_be_new && now.is_some())
        {
            return (412, None, Vec::new());
        }
        let new = tag(&body);
        objects.insert(path.to_owned(), body);
        (200, Some(new), Vec::new())
    }
}

struct Setup {
    home: Home,
    server: Server,
    address: SocketAddr,
}

impl Setup {
    fn new() -> Self {
        let server = Server::default();
        Self {
            home: Home::new(),
            address: server.start(),
            server,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.command(arguments);
        command
            .env("AWS_ENDPOINT", format!("http://{}", self.address))
            .env("AWS_ACCESS_KEY_ID", "somebody")
            .env("AWS_SECRET_ACCESS_KEY", "very secret")
            .env("AWS_REGION", "somewhere");
        command
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let output = self.command(arguments).output().unwrap();
        Outcome::of(output, self.home.path())
    }

    fn ok(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.exit, Some(0), "{outcome:#?}");
        outcome
    }

    fn init(&self) -> Outcome {
        let flags = [
            "--name",
            "example.com/log",
            "--objects",
            "s3://bucket/logs/one",
        ];
        self.run(&[&["log", "init", "log"][..], &flags].concat())
    }
}

#[test]
fn a_log_in_a_bucket_takes_entries_and_proves_them() {
    let setup = Setup::new();
    let made = setup.init();
    assert_eq!(made.exit, Some(0), "{made:#?}");
    setup.home.write("one", "entry one");
    setup.home.write("two", "entry two");
    setup.ok(&["log", "add", "log", "one"]);
    setup.ok(&["log", "add", "log", "two"]);
    let proof = setup.ok(&["log", "proof", "log", "1"]).stdout;
    assert_eq!(
        LogProof::parse(proof.as_bytes()).unwrap().entry(),
        b"entry two"
    );
    let names = setup.server.names();
    for name in [
        "signed",
        "checkpoint",
        "tile/0/000.p/2",
        "tile/entries/000.p/2",
    ] {
        let path = format!("/bucket/logs/one/{name}");
        assert!(names.contains(&path), "{path} of {names:?}");
    }
    let folder = setup.home.path().join("log");
    assert!(
        !folder.join("data").exists(),
        "nothing of it is on the disk"
    );
}

#[test]
fn a_log_in_a_bucket_is_served() {
    let setup = Setup::new();
    setup.init();
    setup.home.write("one", "entry one");
    setup.ok(&["log", "add", "log", "one"]);
    let arguments = ["log", "serve", "log", "--listen", "127.0.0.1:0"];
    let running = Running::of(setup.command(&arguments));
    let shown = ureq::get(format!("{}/checkpoint", running.line))
        .call()
        .unwrap();
    let note = shown.into_body().read_to_vec().unwrap();
    assert!(
        Note::parse(&note)
            .unwrap()
            .text()
            .starts_with("example.com/log\n1\n")
    );
    let tile = ureq::get(format!("{}/tile/entries/000.p/1", running.line))
        .call()
        .unwrap();
    assert_eq!(
        tile.into_body().read_to_vec().unwrap(),
        b"\x00\x09entry one"
    );
}

#[test]
fn a_bucket_that_cannot_be_written_is_said_and_the_log_can_be_made_later() {
    let setup = Setup::new();
    let flags = [
        "log",
        "init",
        "log",
        "--name",
        "example.com/log",
        "--objects",
        "s3://bucket/logs",
    ];
    let mut command = setup.command(&flags);
    let refused = command.env("AWS_ACCESS_KEY_ID", "nobody").output().unwrap();
    let refused = Outcome::of(refused, setup.home.path());
    assert_eq!(refused.exit, Some(1), "{refused:#?}");
    assert!(!refused.stderr.contains("very secret"), "{refused:#?}");
    setup.ok(&flags);
    let again = setup.run(&flags);
    assert_eq!(again.exit, Some(2), "{again:#?}");
    assert!(
        again.stderr.contains("there is a log here already"),
        "{again:#?}"
    );
}

#[test]
fn keys_are_not_sent_over_the_network_in_the_clear() {
    let setup = Setup::new();
    let flags = [
        "log",
        "init",
        "log",
        "--name",
        "example.com/log",
        "--objects",
        "s3://bucket/logs",
    ];
    let mut command = setup.command(&flags);
    let refused = command
        .env("AWS_ENDPOINT", "http://objects.example.com")
        .output()
        .unwrap();
    let refused = Outcome::of(refused, setup.home.path());
    assert_eq!(refused.exit, Some(2), "{refused:#?}");
    assert!(refused.stderr.contains("plain http"), "{refused:#?}");
}

#[test]
fn what_is_no_place_in_a_bucket_is_refused() {
    let setup = Setup::new();
    let flags = [
        "log",
        "init",
        "log",
        "--name",
        "example.com/log",
        "--objects",
        "s3://bucket",
    ];
    let refused = setup.run(&flags);
    assert_eq!(refused.exit, Some(2), "{refused:#?}");
    assert!(
        refused.stderr.contains("s3://BUCKET/PREFIX"),
        "{refused:#?}"
    );
}
