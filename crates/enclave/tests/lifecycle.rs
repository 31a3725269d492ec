//! Start, stop, and what is said when it does not start.

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

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use support::device::chat;
use support::process::{PROGRAM, Settings, command, root};
use support::{Answer, Connection, Device, Enclave};

fn write(folder: &Path, config: &str) -> std::path::PathBuf {
    let path = folder.join("enclave.toml");
    std::fs::write(&path, config).unwrap();
    path
}

/// What the program says to a configuration that it refuses.
fn refused(config: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("root.secret"),
        root().to_secret_file().as_bytes(),
    )
    .unwrap();
    let output = command(&write(folder.path(), config), &[])
        .output()
        .unwrap();
    assert!(output.stdout.is_empty(), "it said that it is ready");
    said(&output)
}

fn said(output: &Output) -> (i32, String) {
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stderr.clone()).unwrap(),
    )
}

fn echo(listen: &str, platform: &str) -> String {
    format!("listen.address = \"{listen}\"\nengine.kind = \"echo\"\nplatform = {platform}\n")
}

const SIMULATED: &str = "{ kind = \"simulated\", root_secret = \"root.secret\" }";

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, said) = refused(&echo(&taken.local_addr().unwrap().to_string(), SIMULATED));
    assert_eq!(code, 1);
    assert!(
        said.contains("cannot listen on") && said.contains("hint: choose another port"),
        "{said}"
    );
}

#[test]
fn an_unknown_key_is_named_with_what_to_do() {
    let (code, said) = refused(&format!("typo = 1\n{}", echo("127.0.0.1:0", SIMULATED)));
    assert_eq!(code, 2);
    assert!(
        said.contains("`typo`") && said.contains("spec/configuration.md"),
        "{said}"
    );
}

#[test]
fn the_simulated_platform_on_a_public_address_is_refused() {
    let (code, said) = refused(&echo("0.0.0.0:0", SIMULATED));
    assert_eq!(code, 2);
    assert!(said.contains("loopback"), "{said}");
}

#[test]
fn a_root_secret_that_is_missing_or_none_is_named() {
    let missing = "{ kind = \"simulated\", root_secret = \"nowhere\" }";
    let (code, said) = refused(&echo("127.0.0.1:0", missing));
    assert!(code == 1 && said.contains("nowhere"), "{said}");
    let none = "{ kind = \"simulated\", root_secret = \"enclave.toml\" }";
    let (code, said) = refused(&echo("127.0.0.1:0", none));
    assert!(code == 1 && said.contains("not the secret file"), "{said}");
}

#[test]
fn a_missing_configuration_is_named() {
    let output = command(Path::new("/nowhere/enclave.toml"), &[])
        .output()
        .unwrap();
    let (code, said) = said(&output);
    assert!(
        code == 2 && said.contains("/nowhere/enclave.toml"),
        "{said}"
    );
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let output = Command::new(PROGRAM).arg("--confg").output().unwrap();
    assert_eq!(said(&output).0, 2);
    assert_eq!(
        Command::new(PROGRAM).output().unwrap().status.code(),
        Some(2)
    );
}

#[test]
fn help_shows_examples() {
    let output = Command::new(PROGRAM).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && help.contains("Examples:"));
    assert!(help.contains("subrosa-enclave --config /etc/subrosa/enclave.toml --check"));
    assert!(!help.contains("worker"), "a hidden command is shown");
}

#[test]
fn check_reads_the_configuration_and_does_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), &echo("127.0.0.1:0", SIMULATED));
    let output = command(&config, &["--check"]).output().unwrap();
    assert!(output.status.success());
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
    let config = write(folder.path(), "listen = 3\n");
    assert_eq!(
        command(&config, &["--check"])
            .output()
            .unwrap()
            .status
            .code(),
        Some(2)
    );
}

/// Settings of libraries, of this project and of the shell: with all of them
/// the program does what it does with none.
#[test]
fn the_environment_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("root.secret"),
        root().to_secret_file().as_bytes(),
    )
    .unwrap();
    let config = write(folder.path(), &echo("127.0.0.1:0", SIMULATED));
    let mut digests = Vec::new();
    for loud in [false, true] {
        let mut command = command(&config, &[]);
        command.env_clear();
        if loud {
            for (name, value) in [
                ("RUST_LOG", "trace"),
                ("RUST_BACKTRACE", "full"),
                ("TOKIO_WORKER_THREADS", "0"),
                ("SUBROSA_LISTEN", "0.0.0.0:1"),
                ("SUBROSA_LISTEN_ADDRESS", "0.0.0.0:1"),
                ("SUBROSA_CONFIG", "/nowhere"),
                ("SUBROSA_DEVELOPMENT", "1"),
                ("HOME", "/nowhere"),
                ("XDG_CONFIG_HOME", "/nowhere"),
                ("TMPDIR", "/nowhere"),
                ("HTTP_PROXY", "http://127.0.0.1:1"),
                ("PORT", "1"),
                ("SSL_CERT_FILE", "/nowhere"),
            ] {
                command.env(name, value);
            }
        }
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        child.kill().unwrap();
        let mut log = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        child.wait().unwrap();
        assert!(
            line.starts_with("{\"listening\":\"127.0.0.1:"),
            "{line}{log}"
        );
        let events: Vec<serde_json::Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let started = events
            .iter()
            .find(|event| event["event"] == "started")
            .unwrap();
        digests.push((started["configuration"].clone(), events.len()));
    }
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn stdout_holds_one_line_and_stderr_only_json() {
    let mut enclave = Enclave::start();
    let device = Device::new(&enclave);
    device.chat("x", false);
    enclave.terminate();
    assert!(enclave.wait().success());
    assert_eq!(enclave.rest_of_stdout(), "");
    for line in enclave.log().lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["event"].is_string(), "{line}");
    }
}

#[test]
fn a_running_answer_ends_well_while_new_ones_are_refused_inside_the_seal() {
    let mut enclave = Enclave::with(&Settings::engine(
        "kind = \"echo\"\ndelay_ms = 100\ntokens = 20",
    ));
    let device = Device::new(&enclave);
    let (sealed, opener) = device.seal(
        "POST",
        "/v1/chat/completions",
        chat("x", true).to_string().as_bytes(),
    );
    let mut connection = Connection::open(enclave.address);
    let reply = connection.exchange(&sealed);
    enclave.terminate();
    std::thread::sleep(Duration::from_millis(300));
    let mut health = Connection::open(enclave.address);
    let health = health.get("/subrosa/v1/health");
    assert_eq!(
        (health.status, health.body()),
        (503, br#"{"status":"draining"}"#.to_vec())
    );
    let refused = device.chat("y", false);
    assert_eq!(
        (refused.status(), refused.code()),
        (503, "draining".to_owned())
    );
    assert_eq!(refused.header("subrosa-ran"), Some("no"));
    assert_eq!(Answer::read(reply, opener).text(), "x".repeat(20));
    assert!(enclave.wait().success());
}

#[test]
fn an_answer_that_outlives_the_drain_is_cut_and_seen_as_cut() {
    let settings = Settings {
        limits: "drain_seconds = 1".to_owned(),
        ..Settings::engine("kind = \"echo\"\ndelay_ms = 1000\ntokens = 100")
    };
    let mut enclave = Enclave::with(&settings);
    let device = Device::new(&enclave);
    let (sealed, opener) = device.seal(
        "POST",
        "/v1/chat/completions",
        chat("x", true).to_string().as_bytes(),
    );
    let mut connection = Connection::open(enclave.address);
    let reply = connection.exchange(&sealed);
    let start = Instant::now();
    enclave.terminate();
    let error = Answer::try_read(reply, opener).err().unwrap();
    assert!(error.contains("cut off"), "{error}");
    assert!(enclave.wait().success());
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn with_exit_with_parent_the_end_of_stdin_ends_the_service() {
    let settings = Settings {
        arguments: vec!["--exit-with-parent"],
        ..Settings::default()
    };
    let mut enclave = Enclave::with(&settings);
    enclave.close_stdin();
    assert!(enclave.wait().success());
}

#[test]
fn without_exit_with_parent_the_end_of_stdin_changes_nothing() {
    let mut enclave = Enclave::start();
    enclave.close_stdin();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(Device::new(&enclave).chat("x", false).status(), 200);
}

#[test]
fn after_a_restart_an_old_request_opens_nothing_and_a_new_key_is_there() {
    let first = Enclave::start();
    let device = Device::new(&first);
    let (sealed, _) = device.seal(
        "POST",
        "/v1/chat/completions",
        chat("x", false).to_string().as_bytes(),
    );
    let old_key = first.key_id.clone();
    drop(first);
    let second = Enclave::start();
    assert_ne!(second.key_id, old_key);
    let mut connection = Connection::open(second.address);
    let reply = connection.exchange(&sealed);
    assert_eq!(
        (reply.status, &reply.json()["code"]),
        (400, &"unknown-key".into())
    );
    assert_eq!(Device::new(&second).chat("again", false).status(), 200);
}

#[test]
fn an_enclave_that_dies_mid_answer_is_seen_as_cut() {
    let enclave = Enclave::with(&Settings::engine(
        "kind = \"echo\"\ndelay_ms = 200\ntokens = 100",
    ));
    let device = Device::new(&enclave);
    let (sealed, opener) = device.seal(
        "POST",
        "/v1/chat/completions",
        chat("x", true).to_string().as_bytes(),
    );
    let mut connection = Connection::open(enclave.address);
    let mut reply = connection.exchange(&sealed);
    reply.piece().unwrap();
    drop(enclave);
    assert!(Answer::try_read(reply, opener).is_err());
}

#[test]
fn a_new_key_is_made_in_time_and_the_old_one_is_erased() {
    let settings = Settings {
        keys: "epoch_seconds = 2\nlife_seconds = 4".to_owned(),
        ..Settings::default()
    };
    let enclave = Enclave::with(&settings);
    let device = Device::new(&enclave);
    let (early, opener) = device.seal("GET", "/v1/models", b"");
    let (late, _) = device.seal("GET", "/v1/models", b"");
    let start = Instant::now();
    let named = || {
        let directory = Connection::open(enclave.address)
            .get("/subrosa/v1/directory")
            .json();
        directory["nodes"][0]["key_id"].as_str().unwrap().to_owned()
    };
    while named() == enclave.key_id {
        assert!(start.elapsed() < Duration::from_secs(30), "no new key");
        std::thread::sleep(Duration::from_millis(50));
    }
    // The old key may still be alive; whether it was depends on how busy this
    // machine is, so only what must not happen is asserted.
    let _ = Answer::try_read(Connection::open(enclave.address).exchange(&early), opener);
    while start.elapsed() < Duration::from_secs(6) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut connection = Connection::open(enclave.address);
    let reply = connection.exchange(&late);
    assert_eq!(
        (reply.status, &reply.json()["code"]),
        (400, &"unknown-key".into())
    );
}

#[test]
fn the_process_writes_no_core() {
    let enclave = Enclave::start();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", enclave.pid())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let columns: Vec<&str> = core.split_whitespace().collect();
    assert_eq!((columns[4], columns[5]), ("0", "0"));
}

#[cfg(not(feature = "embedded"))]
#[test]
fn an_engine_that_was_not_built_in_is_named() {
    let config = "listen.address = \"127.0.0.1:0\"\nengine = { kind = \"embedded\", model = \"demo\" }\nplatform = { kind = \"simulated\", root_secret = \"root.secret\" }\n";
    let (code, said) = refused(config);
    assert!(code == 2 && said.contains("feature `embedded`"), "{said}");
}

#[test]
fn a_machine_without_confidential_computing_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "listen.address = \"127.0.0.1:0\"\n{}\n[platform]\nkind = \"snp\"\ntsm_folder = \"nowhere\"\n",
        if cfg!(feature = "upstream") {
            "engine = { kind = \"upstream\", name = \"m\", address = \"127.0.0.1:1\" }"
        } else {
            return;
        }
    );
    let mut child = command(&write(folder.path(), &config), &[]);
    let output = child.stdin(Stdio::null()).output().unwrap();
    let (code, said) = said(&output);
    assert!(
        code == 1 && said.contains("confidential VM") && said.contains("simulated"),
        "{said}"
    );
}
