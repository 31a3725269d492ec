//! The whole way through, with a real service on the simulated platform and
//! the engine that repeats what it is told.
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

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use support::running::Running;
use support::{Home, Outcome, enclave_is_built};

#[test]
fn try_answers_one_prompt_from_stdin() {
    if !enclave_is_built() {
        return;
    }
    let home = Home::new();
    let outcome = try_echo(&home, "Hello there", &[]);
    outcome.matches("try", &[]);
    let lines: Vec<_> = outcome.stdout.lines().collect();
    let [answer, verdict, receipt] = lines[..] else {
        panic!("{outcome:?}")
    };
    assert!(answer.contains("Hello there"));
    assert_eq!(verdict, "NOT PROTECTED (development): simulated platform");
    assert!(receipt.starts_with("receipt: "));
}

#[test]
fn try_answers_with_the_demo_model() {
    if !enclave_is_built() {
        return;
    }
    let outcome = Home::new().run_with(&["try"], b"Hello, who are you?");
    if outcome.stderr.contains("needs a build with the feature") {
        assert!(std::env::var_os("CI").is_none(), "{outcome:?}");
        eprintln!("skipped: subrosa-enclave is built without its engine");
        return;
    }
    assert_eq!(outcome.exit, Some(0), "{outcome:?}");
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert!(lines.len() >= 3 && !lines[0].is_empty(), "{outcome:?}");
    assert!(
        lines.contains(&"NOT PROTECTED (development): simulated platform"),
        "{outcome:?}"
    );
}

#[test]
fn try_serves_a_model_file() {
    if !enclave_is_built() {
        return;
    }
    let home = Home::new();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/demo/subrosa-demo.gguf");
    std::fs::copy(demo, home.path().join("My Model.gguf")).unwrap();
    let outcome = home.run_with(&["try", "--model", "My Model.gguf", "--json"], b"Hello");
    if outcome.stderr.contains("needs a build with the feature") {
        assert!(std::env::var_os("CI").is_none(), "{outcome:?}");
        eprintln!("skipped: subrosa-enclave is built without its engine");
        return;
    }
    assert_eq!(outcome.json()["model"], "my-model");
}

#[test]
fn the_receipt_of_try_checks_and_stays_not_protected() {
    if !enclave_is_built() {
        return;
    }
    let home = Home::new();
    let id = receipt_id(&try_echo(&home, "Hello", &[]));
    let outcome = home.run(&[
        "receipt",
        "check",
        &id,
        "--policy",
        &policy(&home),
        "--development-root",
        &root(&home),
    ]);
    assert_eq!(outcome.exit, Some(6), "{outcome:?}");
    let shown = home.run(&["receipt", "show", &id, "--json"]).json();
    let time = shown["receipt"]["time"].as_str().unwrap().to_owned();
    outcome.matches("receipt-check", &[(&time, "[TIME]")]);
}

#[test]
fn a_receipt_without_the_flag_or_the_policy_is_refused() {
    if !enclave_is_built() {
        return;
    }
    let home = Home::new();
    let id = receipt_id(&try_echo(&home, "Hello", &[]));
    assert_eq!(home.run(&["receipt", "check", &id]).exit, Some(3));
    assert_eq!(
        home.run(&["receipt", "check", &id, "--policy", &policy(&home)])
            .exit,
        Some(3)
    );
    assert_eq!(
        home.run(&["receipt", "check", &id, "--development-root", &root(&home)])
            .exit,
        Some(3)
    );
}

#[test]
fn a_changed_receipt_is_refused() {
    if !enclave_is_built() {
        return;
    }
    let home = Home::new();
    let id = receipt_id(&try_echo(&home, "Hello", &[]));
    let file = receipts(&home).join(format!("{id}.json"));
    let mut stored: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let text = stored["receipt"].as_str().unwrap().to_owned();
    // The request's commitment, in the middle of the base64.
    let at = 60;
    let other = if text.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    stored["receipt"] = format!("{}{other}{}", &text[..at], &text[at + 1..]).into();
    std::fs::write(&file, stored.to_string()).unwrap();
    let outcome = home.run(&[
        "receipt",
        "check",
        file.to_str().unwrap(),
        "--policy",
        &policy(&home),
        "--development-root",
        &root(&home),
    ]);
    assert_eq!(outcome.exit, Some(3), "{outcome:?}");
}

#[test]
fn json_holds_answer_verdict_and_receipt() {
    if !enclave_is_built() {
        return;
    }
    let home = Home::new();
    let json = try_echo(&home, "Hello", &["--json"]).json();
    assert!(json["answer"].as_str().unwrap().contains("Hello"));
    assert_eq!(
        json["verdict"],
        "NOT PROTECTED (development): simulated platform"
    );
    assert!(Path::new(json["receipt"]["path"].as_str().unwrap()).is_file());
}

#[test]
fn no_text_is_written_to_the_disk() {
    if !enclave_is_built() {
        return;
    }
    let home = Home::new();
    assert_eq!(try_echo(&home, CANARY, &[]).exit, Some(0));
    let with_canary = files_with_canary(home.path());
    assert!(with_canary.is_empty(), "{with_canary:?}");
}

#[test]
fn a_transcript_is_kept_when_asked_for() {
    if !enclave_is_built() {
        return;
    }
    let home = Home::new();
    assert_eq!(
        try_echo(&home, CANARY, &["--keep-transcript", "kept.jsonl"]).exit,
        Some(0)
    );
    assert_eq!(
        files_with_canary(home.path()),
        [home.path().join("kept.jsonl")]
    );
    assert_eq!(mode(&home.path().join("kept.jsonl")), 0o600);
}

#[test]
fn a_receipt_with_its_text_opens_and_with_another_text_does_not() {
    if !enclave_is_built() {
        return;
    }
    let home = Home::new();
    let id = receipt_id(&try_echo(
        &home,
        "Hello",
        &["--keep-transcript", "kept.jsonl"],
    ));
    let (policy, root) = (policy(&home), root(&home));
    let check = || {
        home.run(&[
            "receipt",
            "check",
            &id,
            "--json",
            "--policy",
            &policy,
            "--development-root",
            &root,
        ])
    };
    let opened = check();
    assert_eq!(opened.exit, Some(6), "{opened:?}");
    assert_eq!(opened.json()["checks"][3]["outcome"], "passed");
    let file = receipts(&home).join(format!("{id}.json"));
    let mut stored: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    stored["frames"] = stored["message"].clone();
    std::fs::write(&file, stored.to_string()).unwrap();
    let other = check();
    assert_eq!(other.exit, Some(3), "{other:?}");
    assert_eq!(other.json()["checks"][3]["outcome"], "failed");
}

#[test]
fn receipts_are_private_to_their_owner() {
    if !enclave_is_built() {
        return;
    }
    let home = Home::new();
    let id = receipt_id(&try_echo(&home, "Hello", &[]));
    assert_eq!(mode(&receipts(&home)), 0o700);
    assert_eq!(mode(&receipts(&home).join(format!("{id}.json"))), 0o600);
}

#[test]
fn escape_sequences_of_a_model_are_made_visible() {
    if !enclave_is_built() {
        return;
    }
    let outcome = try_echo(&Home::new(), "a\u{1b}[2Jb\u{9b}c\u{202e}d", &[]);
    assert!(outcome.stdout.contains("a␛[2Jb"), "{outcome:?}");
    assert!(
        !outcome.stdout.contains(['\u{1b}', '\u{9b}', '\u{202e}']),
        "{outcome:?}"
    );
}

#[test]
fn an_empty_prompt_is_a_usage_error() {
    if !enclave_is_built() {
        return;
    }
    try_echo(&Home::new(), " \n", &[]).matches("empty-prompt", &[]);
}

#[test]
fn chat_needs_the_policy_and_the_flag_that_names_the_root() {
    if !enclave_is_built() {
        return;
    }
    let home = Home::new();
    let served = Served::start(&home);
    let (policy, root) = (policy(&home), root(&home));
    let chat = |more: &[&str]| {
        let mut arguments = vec!["chat", "--url", &served.url];
        arguments.extend(more);
        home.run_with(&arguments, b"Hello")
    };
    let good = chat(&["--policy", &policy, "--development-root", &root]);
    assert_eq!(good.exit, Some(0), "{good:?}");
    assert!(
        good.stdout
            .contains("NOT PROTECTED (development): simulated platform")
    );
    assert_eq!(chat(&["--development-root", &root]).exit, Some(2));
    let refused = chat(&["--policy", &policy]);
    assert_eq!(refused.exit, Some(3));
    assert_eq!(refused.stdout, "");
    refused.matches("chat-refused", &[(&served.url, "http://[SERVICE]")]);
    let absent = "00".repeat(32);
    let text = std::fs::read_to_string(&policy).unwrap();
    let configuration = text
        .split("[[configurations]]")
        .nth(1)
        .unwrap()
        .split('"')
        .nth(3)
        .unwrap();
    home.write("other.toml", text.replace(configuration, &absent));
    assert_eq!(
        chat(&["--policy", "other.toml", "--development-root", &root]).exit,
        Some(3)
    );
}

#[test]
fn verify_asks_a_service_for_its_evidence() {
    if !enclave_is_built() {
        return;
    }
    let home = Home::new();
    let served = Served::start(&home);
    let (policy, root) = (policy(&home), root(&home));
    let arguments = ["verify", "--url", &served.url, "--policy", &policy];
    assert_eq!(home.run(&arguments).exit, Some(3));
    let with_root = home.run(&[&arguments[..], &["--development-root", &root]].concat());
    assert_eq!(with_root.exit, Some(6), "{with_root:?}");
    let later = home.run(
        &[
            &arguments[..],
            &["--development-root", &root, "--at", "2056-01-01T00:00:00Z"],
        ]
        .concat(),
    );
    assert_eq!(later.exit, Some(3), "{later:?}");
}

#[test]
fn a_simulated_root_works_with_literal_loopback_addresses_only() {
    if !enclave_is_built() {
        return;
    }
    let home = Home::new();
    let served = Served::start(&home);
    let port = served.url.rsplit(':').next().unwrap();
    for host in ["localhost", "0.0.0.0", "192.0.2.1", "ai.example.org"] {
        let url = format!("http://{host}:{port}");
        let arguments = [
            "chat",
            "--url",
            &url,
            "--policy",
            &policy(&home),
            "--development-root",
            &root(&home),
        ];
        let outcome = home.run_with(&arguments, b"Hello");
        assert_eq!(outcome.exit, Some(2), "{host}: {outcome:?}");
    }
}

#[test]
fn a_service_that_cannot_be_reached_names_the_next_step() {
    let home = Home::new();
    home.write("policy.toml", support::node::policy());
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}");
    let outcome = home.run_with(
        &["chat", "--url", &url, "--policy", "policy.toml"],
        b"Hello",
    );
    outcome.matches("no-network", &[(&port.to_string(), "[PORT]")]);
}

const CANARY: &str = "canary-7f3a91-never-on-a-disk";

fn try_echo(home: &Home, prompt: &str, more: &[&str]) -> Outcome {
    let mut arguments = vec!["try", "--engine", "echo", "--profile", "off"];
    arguments.extend(more);
    home.run_with(&arguments, prompt.as_bytes())
}

fn receipt_id(outcome: &Outcome) -> String {
    assert_eq!(outcome.exit, Some(0), "{outcome:?}");
    let line = outcome
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("receipt: "))
        .unwrap();
    line.split_once(' ').unwrap().0.to_owned()
}

fn state(home: &Home) -> PathBuf {
    home.path().join(".local/state/subrosa")
}

fn receipts(home: &Home) -> PathBuf {
    state(home).join("receipts")
}

fn root(home: &Home) -> String {
    state(home)
        .join("try/root-public.json")
        .to_str()
        .unwrap()
        .to_owned()
}

/// The policy that was written last.
fn policy(home: &Home) -> String {
    let folder = std::fs::read_dir(state(home).join("try")).unwrap();
    let mut paths = folder.map(|entry| entry.unwrap().path());
    let policy = paths.find(|path| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("policy-")
    });
    policy.unwrap().to_str().unwrap().to_owned()
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn files_with_canary(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with_canary(&path));
        } else if String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(CANARY) {
            found.push(path);
        }
    }
    found
}

/// `subrosa serve --development`.
struct Served {
    url: String,
    _running: Running,
}

impl Served {
    fn start(home: &Home) -> Self {
        let running = Running::start(home, &["serve", "--development", "--engine", "echo"]);
        let url = running
            .line
            .split_whitespace()
            .skip_while(|word| *word != "--url")
            .nth(1);
        Self {
            url: url.unwrap_or_else(|| panic!("{}", running.line)).to_owned(),
            _running: running,
        }
    }
}
