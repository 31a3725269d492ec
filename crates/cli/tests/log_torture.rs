//! A log and its witness, killed again and again while writers hand entries in: what was acknowledged stays, and no two
//! trees were ever shown.
//!
//! A kill leaves what the kernel was told; what a power cut may take besides is tested in crate `log`, with a storage that
//! drops, tears and reorders. `SUBROSA_TORTURE_RUNS` sets how often they are killed.
#![cfg(unix)]
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use subrosa_log::{DiskStorage, Log};
use subrosa_translog::merkle::verify_consistency;
use subrosa_translog::{
    Checkpoint, KeyKind, KeyName, LogPolicy, LogProof, Note, NoteSigner, Timestamp,
};
use support::Home;
use support::running::Running;

const WRITERS: usize = 4;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::new(since.as_secs())
}

fn author() -> NoteSigner {
    let name = KeyName::new("author.example").unwrap();
    NoteSigner::from_seed(name, KeyKind::Ed25519, &[7; 32]).unwrap()
}

fn entry(number: u64) -> String {
    let text = format!("subrosa.dev/directory@v1\n{}\n", json!({ "epoch": number }));
    let mut note = Note::new(text.clone()).unwrap();
    note.add(author().sign(&text, now()).unwrap()).unwrap();
    note.to_string()
}

/// Hands an entry in; the proof, if the log answered with one.
fn submit(address: &str, entry: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .ok()?;
    let length = entry.len();
    write!(
        stream,
        "POST /add HTTP/1.1\r\nHost: log\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{entry}"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    (head.starts_with("HTTP/1.1 200") && length == Some(body.len())).then(|| body.to_owned())
}

/// The programs and what they are made of.
struct Torture {
    home: Home,
    log_key: String,
    witness_key: String,
    author_key: String,
}

impl Torture {
    fn new() -> Self {
        let home = Home::new();
        let make = |arguments: &[&str]| {
            let outcome = home.run(arguments);
            assert_eq!(outcome.exit, Some(0), "{outcome:#?}");
            outcome.json()["key"].as_str().unwrap().to_owned()
        };
        let log_key = make(&["log", "init", "log", "--name", "example.com/log", "--json"]);
        let witness_key = make(&[
            "witness",
            "init",
            "witness",
            "--name",
            "witness.example",
            "--algorithm",
            "ed25519",
            "--json",
        ]);
        Self {
            author_key: author().verifier_key().to_string(),
            home,
            log_key,
            witness_key,
        }
    }

    fn witness(&self) -> Running {
        let witness = Running::start(
            &self.home,
            &[
                "witness",
                "serve",
                "witness",
                "--listen",
                "127.0.0.1:0",
                "--log",
                &self.log_key,
            ],
        );
        let (url, key) = (&witness.line, &self.witness_key);
        self.home.write(
            "witnesses.toml",
            format!("quorum = 1\n[[witnesses]]\nurl = \"{url}\"\nkey = \"{key}\"\n"),
        );
        witness
    }

    fn log(&self) -> Running {
        Running::start(
            &self.home,
            &[
                "log",
                "serve",
                "log",
                "--listen",
                "127.0.0.1:0",
                "--author",
                &self.author_key,
                "--witnesses",
                "witnesses.toml",
            ],
        )
    }

    fn policy(&self) -> LogPolicy {
        let (log, witness) = (&self.log_key, &self.witness_key);
        LogPolicy::new(
            log.parse().unwrap(),
            vec![witness.parse().unwrap()],
            1,
            86_400,
        )
        .unwrap()
    }

    /// Whether somebody who looked after every run has seen two trees.
    fn monitor(&self, url: &str) {
        let state = ["--state", "seen.json", "--once", "--json"];
        let arguments = [&["monitor", url, "--key", &self.log_key][..], &state].concat();
        let outcome = self.home.run(&arguments);
        assert_eq!(outcome.exit, Some(0), "{outcome:#?}");
    }
}

#[test]
fn a_log_that_is_killed_loses_nothing_it_acknowledged_and_never_forks() {
    let runs = std::env::var("SUBROSA_TORTURE_RUNS");
    let runs: u64 = runs.map_or(6, |runs| runs.parse().expect("a number of runs"));
    let torture = Torture::new();
    let acknowledged = Arc::new(Mutex::new(Vec::<String>::new()));
    let next = Arc::new(AtomicU64::new(0));
    let mut witness = torture.witness();
    for run in 0..runs {
        let log = torture.log();
        // An empty log has nothing to look at.
        if !acknowledged.lock().unwrap().is_empty() {
            torture.monitor(&log.line);
        }
        let address = log.line.strip_prefix("http://").unwrap().to_owned();
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let (address, next) = (address.clone(), Arc::clone(&next));
                let acknowledged = Arc::clone(&acknowledged);
                thread::spawn(move || {
                    while let Some(proof) =
                        submit(&address, &entry(next.fetch_add(1, Ordering::Relaxed)))
                    {
                        acknowledged.lock().unwrap().push(proof);
                    }
                })
            })
            .collect();
        // Some runs end in the middle of the first entry, some after many.
        thread::sleep(Duration::from_millis(5 + run * 7919 % 400));
        if run % 3 == 2 {
            witness.kill();
            thread::sleep(Duration::from_millis(run % 20));
            log.kill();
            witness = torture.witness();
        } else {
            log.kill();
        }
        for writer in writers {
            writer.join().unwrap();
        }
    }
    let last = torture.log();
    torture.monitor(&last.line);
    drop(last);
    check(&torture, &acknowledged.lock().unwrap(), runs);
}

/// Every acknowledged entry is at its place, and every tree that was shown with it is a beginning of the last one.
fn check(torture: &Torture, acknowledged: &[String], runs: u64) {
    let folder = torture.home.path().join("log");
    let key = std::fs::read_to_string(folder.join("secret.key")).unwrap();
    let storage = DiskStorage::open(&folder.join("data")).unwrap();
    let log = Log::open(storage, NoteSigner::from_secret_text(&key).unwrap()).unwrap();
    let signed = Checkpoint::parse(log.signed().text()).unwrap();
    let (policy, now) = (torture.policy(), now());
    let (mut lost, mut forks) = (0, 0);
    for proof in acknowledged {
        let logged = LogProof::parse(proof.as_bytes())
            .unwrap()
            .verify(&policy, now)
            .unwrap();
        if log.entry(logged.index()).ok().as_deref() != Some(logged.entry()) {
            lost += 1;
        }
        let shown = logged.checkpoint().checkpoint();
        let path = log.consistency(shown.size(), signed.size());
        let is_beginning = path.is_ok_and(|path| {
            verify_consistency(
                &path,
                shown.size(),
                shown.root(),
                signed.size(),
                signed.root(),
            )
            .is_ok()
        });
        forks += u64::from(!is_beginning);
    }
    eprintln!(
        "{runs} kills: {} entries acknowledged, {} in the log, {lost} lost, {forks} forks",
        acknowledged.len(),
        signed.size()
    );
    assert_eq!((lost, forks), (0, 0));
    let count = u64::try_from(acknowledged.len()).unwrap();
    assert!(count >= runs, "too few entries to say anything");
    assert!(signed.size() >= count);
}
