//! `subrosa models pull` against a small server on loopback.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use support::Home;

#[test]
fn a_model_with_the_right_hash_is_kept() {
    let (home, server) = (Home::new(), Server::start(Behaviour::default()));
    let outcome = pull(&home, &server, &sha256(CONTENT));
    assert_eq!(outcome.exit, Some(0), "{outcome:?}");
    assert_eq!(std::fs::read(outcome.stdout.trim()).unwrap(), CONTENT);
    let list = home.run(&["models", "list", "--json", "--verbose"]).json();
    assert_eq!(list[0]["name"], "model.gguf");
    assert_eq!(list[0]["sha256"], sha256(CONTENT));
}

#[test]
fn a_model_with_another_hash_is_refused_and_nothing_is_kept() {
    let (home, server) = (Home::new(), Server::start(Behaviour::default()));
    pull(&home, &server, &sha256(b"other")).matches(
        "models-wrong-hash",
        &[(&server.address(), "127.0.0.1:[PORT]")],
    );
    assert_eq!(std::fs::read_dir(models(&home)).unwrap().count(), 0);
}

#[test]
fn an_interrupted_fetch_continues_where_it_ended() {
    let server = Server::start(Behaviour {
        cut_first: Some(1000),
        ..Behaviour::default()
    });
    let home = Home::new();
    assert_eq!(pull(&home, &server, &sha256(CONTENT)).exit, Some(4));
    assert_eq!(pull(&home, &server, &sha256(CONTENT)).exit, Some(0));
    assert_eq!(server.ranges(), [None, Some("bytes=1000-".to_owned())]);
}

#[test]
fn a_server_without_ranges_starts_again() {
    let behaviour = Behaviour {
        cut_first: Some(1000),
        no_ranges: true,
        ..Behaviour::default()
    };
    let (home, server) = (Home::new(), Server::start(behaviour));
    assert_eq!(pull(&home, &server, &sha256(CONTENT)).exit, Some(4));
    let outcome = pull(&home, &server, &sha256(CONTENT));
    assert_eq!(std::fs::read(outcome.stdout.trim()).unwrap(), CONTENT);
}

#[test]
fn a_server_that_sends_another_part_is_refused() {
    let behaviour = Behaviour {
        cut_first: Some(1000),
        range_off_by: 1,
        ..Behaviour::default()
    };
    let (home, server) = (Home::new(), Server::start(behaviour));
    assert_eq!(pull(&home, &server, &sha256(CONTENT)).exit, Some(4));
    let outcome = pull(&home, &server, &sha256(CONTENT));
    assert_eq!(outcome.exit, Some(4));
    assert!(outcome.stderr.contains("another part"), "{outcome:?}");
}

#[test]
fn a_file_over_the_cap_is_not_fetched() {
    let (home, server) = (Home::new(), Server::start(Behaviour::default()));
    let outcome = home.run(&[
        "models",
        "pull",
        &server.url(),
        "--sha256",
        &sha256(CONTENT),
        "--max-bytes",
        "4095",
    ]);
    assert_eq!(outcome.exit, Some(2));
    assert!(!models(&home).join("model.gguf").exists());
}

/// Without a content length the cap must hold while bytes arrive.
#[test]
fn a_file_of_unknown_length_stops_at_the_cap() {
    let server = Server::start(Behaviour {
        no_length: true,
        ..Behaviour::default()
    });
    let home = Home::new();
    let outcome = home.run(&[
        "models",
        "pull",
        &server.url(),
        "--sha256",
        &sha256(CONTENT),
        "--max-bytes",
        "4095",
    ]);
    assert_eq!(outcome.exit, Some(2));
}

#[test]
fn a_redirect_to_plain_http_elsewhere_is_not_followed() {
    let behaviour = Behaviour {
        redirect: Some("http://models.example/a".to_owned()),
        ..Behaviour::default()
    };
    let (home, server) = (Home::new(), Server::start(behaviour));
    let outcome = pull(&home, &server, &sha256(CONTENT));
    assert_eq!(outcome.exit, Some(2));
    assert!(
        outcome
            .stderr
            .contains("http://models.example/a is not fetched"),
        "{outcome:?}"
    );
}

#[test]
fn a_server_that_is_not_there_is_a_network_error() {
    let home = Home::new();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}/model.gguf");
    let outcome = home.run(&["models", "pull", &url, "--sha256", &sha256(CONTENT)]);
    outcome.matches("models-no-network", &[(&port.to_string(), "[PORT]")]);
}

#[test]
fn a_proxy_variable_is_not_obeyed() {
    let (home, server) = (Home::new(), Server::start(Behaviour::default()));
    let mut command = home.command(&[
        "models",
        "pull",
        &server.url(),
        "--sha256",
        &sha256(CONTENT),
    ]);
    command
        .env("http_proxy", "http://127.0.0.1:1")
        .env("ALL_PROXY", "http://127.0.0.1:1");
    assert!(command.output().unwrap().status.success());
}

#[test]
fn a_name_cannot_leave_the_folder() {
    let (home, server) = (Home::new(), Server::start(Behaviour::default()));
    for name in ["../model", ".hidden", "a/b", ""] {
        let arguments = [
            "models",
            "pull",
            &server.url(),
            "--sha256",
            &sha256(CONTENT),
            "--name",
            name,
        ];
        assert_eq!(home.run(&arguments).exit, Some(2), "{name}");
    }
}

#[test]
fn no_progress_is_drawn_without_a_terminal() {
    let (home, server) = (Home::new(), Server::start(Behaviour::default()));
    let outcome = pull(&home, &server, &sha256(CONTENT));
    assert!(
        !outcome.stderr.contains(['\u{1b}', '\r', '█']),
        "{outcome:?}"
    );
}

fn pull(home: &Home, server: &Server, sha256: &str) -> support::Outcome {
    home.run(&["models", "pull", &server.url(), "--sha256", sha256])
}

fn models(home: &Home) -> std::path::PathBuf {
    home.path().join(".local/share/subrosa/models")
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

const CONTENT: &[u8] = &[7; 4096];

/// How the server misbehaves.
#[derive(Clone, Default)]
struct Behaviour {
    /// Bytes of the first answer before the connection breaks.
    cut_first: Option<usize>,
    no_ranges: bool,
    no_length: bool,
    range_off_by: usize,
    redirect: Option<String>,
}

struct Server {
    port: u16,
    ranges: Arc<Mutex<Vec<Option<String>>>>,
}

impl Server {
    fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&ranges);
        std::thread::spawn(move || {
            for (at, stream) in listener.incoming().enumerate() {
                answer(stream.unwrap(), &behaviour, at == 0, &seen);
            }
        });
        Self { port, ranges }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn url(&self) -> String {
        format!("http://{}/files/model.gguf?download=1", self.address())
    }

    fn ranges(&self) -> Vec<Option<String>> {
        self.ranges.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: TcpStream,
    behaviour: &Behaviour,
    first: bool,
    seen: &Mutex<Vec<Option<String>>>,
) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let head: Vec<_> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let range = head.iter().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("range: ")
            .map(str::to_owned)
    });
    seen.lock().unwrap().push(range.clone());
    let from = range.filter(|_| !behaviour.no_ranges).map(|range| {
        let first = range.trim_start_matches("bytes=").trim_end_matches('-');
        first.parse::<usize>().unwrap()
    });
    let part = &CONTENT[from.unwrap_or(0)..];
    let sent = if first {
        behaviour.cut_first.unwrap_or(part.len())
    } else {
        part.len()
    };
    let mut head = match (&behaviour.redirect, from) {
        (Some(to), _) => format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\n"),
        (None, Some(from)) => {
            let from = from + behaviour.range_off_by;
            format!(
                "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {from}-{}/{}\r\n",
                CONTENT.len() - 1,
                CONTENT.len()
            )
        }
        (None, None) => "HTTP/1.1 200 OK\r\n".to_owned(),
    };
    if !behaviour.no_length {
        head.push_str(&format!("content-length: {}\r\n", part.len()));
    }
    let _ = stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes());
    let _ = stream.write_all(&part[..sent]);
}
