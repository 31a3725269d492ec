//! The embedded engine with the demo model, behind the real seal.

#![cfg(all(feature = "development", feature = "demo-model"))]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use subrosa_api::event::Event;
use subrosa_channel::{Profile, Recipient as _};
use support::process::{Settings, command, root};
use support::{Answer, Connection, Device, Enclave};

const MODEL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../models/demo/subrosa-demo.gguf"
);

fn weights() -> [u8; 32] {
    Sha256::digest(std::fs::read(MODEL).unwrap()).into()
}

/// One thread and a small context: the machine may be busy.
fn settings() -> Settings {
    Settings {
        engine: Some(
            "kind = \"embedded\"\nmodel = \"demo\"\nthreads = 1\ncontext_tokens = 512\nslots = 2\nsandbox = \"best-effort\""
                .to_owned(),
        ),
        weights: vec![weights()],
        ..Settings::default()
    }
}

fn chat(text: &str, stream: bool) -> Value {
    json!({
        "model": "subrosa-demo",
        "messages": [{"role": "user", "content": text}],
        "stream": stream,
        "temperature": 0,
        "max_tokens": 40,
    })
}

const CHAT: &str = "/v1/chat/completions";

/// An answer of the length that was asked for, whatever the model says.
fn long() -> Value {
    let mut body = chat("Tell me something.", true);
    body["max_tokens"] = json!(400);
    body["response_format"] = json!({"type": "json_schema", "json_schema": {
        "name": "numbers",
        "schema": {"type": "array", "items": {"type": "integer"}, "minItems": 200},
    }});
    body
}

/// The worker of this enclave.
fn worker(enclave: &Enclave) -> Option<Pid> {
    let parent = enclave.pid().to_string();
    std::fs::read_dir("/proc").unwrap().find_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{name}/stat")).ok()?;
        // The name of a program stands in brackets and may hold spaces.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let lives = *fields.first()? != "Z";
        let ours = lives && *fields.get(1)? == parent;
        ours.then(|| Pid::from_raw(name.parse().ok()?))?
    })
}

#[test]
fn the_demo_model_answers_and_the_receipt_names_its_weights() {
    let enclave = Enclave::with(&settings());
    let device = Device::new(&enclave).profile(Profile::Off);
    let answer = device.post(CHAT, &chat("Hello", false));
    assert_eq!(answer.status(), 200, "{}", answer.json());
    let said = answer.json()["choices"][0]["message"]["content"].clone();
    assert!(!said.as_str().unwrap().trim().is_empty());
    assert_eq!(answer.receipt.weights(), &weights());
    let streamed = device.post(CHAT, &chat("Hello", true));
    assert_eq!(streamed.text(), said.as_str().unwrap());
    assert_eq!(streamed.receipt.weights(), &weights());
}

#[test]
fn the_key_configuration_binds_the_demo_model() {
    let enclave = Enclave::with(&settings());
    let device = Device::new(&enclave);
    let bound = device.node.key_configuration().models();
    assert_eq!((bound.len(), bound[0].weights), (1, weights()));
    let models = device.get("/v1/models").json();
    assert_eq!(models["data"][0]["id"], "subrosa-demo");
    let directory = Connection::open(enclave.address)
        .get("/subrosa/v1/directory")
        .json();
    assert_eq!(directory["nodes"][0]["models"], json!(["subrosa-demo"]));
}

#[test]
fn a_worker_that_dies_ends_its_answer_with_an_error_and_nothing_else() {
    let enclave = Enclave::with(&settings());
    let device = Device::new(&enclave).profile(Profile::Off);
    let (sealed, opener) = device.seal("POST", CHAT, long().to_string().as_bytes());
    let mut connection = Connection::open(enclave.address);
    let reply = connection.exchange(&sealed);
    kill_process(worker(&enclave).unwrap(), Signal::KILL).unwrap();
    let answer = Answer::read(reply, opener);
    let failed = answer.events().iter().any(
        |event| matches!(event, Event::Error(error) if error.code.as_str() == "engine_failed"),
    );
    assert!(failed, "the answer does not say that it failed");
    let start = Instant::now();
    loop {
        let again = device.post(CHAT, &chat("Hello", false));
        if again.status() == 200 {
            break;
        }
        assert_eq!(
            (again.status(), again.header("subrosa-ran")),
            (503, Some("no"))
        );
        assert!(
            start.elapsed() < Duration::from_mins(1),
            "it does not come back"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn no_worker_outlives_its_service() {
    let mut enclave = Enclave::with(&settings());
    let first = worker(&enclave).unwrap();
    enclave.terminate();
    assert!(enclave.wait().success());
    gone(first);
    let enclave = Enclave::with(&settings());
    let second = worker(&enclave).unwrap();
    // Killed, not asked to end.
    drop(enclave);
    gone(second);
}

fn gone(pid: Pid) {
    let start = Instant::now();
    let path = format!("/proc/{}/stat", pid.as_raw_nonzero());
    while std::fs::read_to_string(&path).is_ok_and(|text| !text.contains(") Z ")) {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "the worker lives"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn refused(model: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let secret = root().to_secret_file();
    std::fs::write(folder.path().join("root.secret"), secret.as_bytes()).unwrap();
    let config = format!(
        "listen.address = \"127.0.0.1:0\"\n[engine]\nkind = \"embedded\"\nsandbox = \"best-effort\"\nmodel = {model}\n\
         [platform]\nkind = \"simulated\"\nroot_secret = \"root.secret\"\n"
    );
    let path = folder.path().join("enclave.toml");
    std::fs::write(&path, config).unwrap();
    let output = command(Path::new(&path), &[]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said)
}

#[test]
fn a_model_with_another_digest_stops_the_start() {
    let wrong = "00".repeat(32);
    let (code, said) = refused(&format!(
        "{{ name = \"m\", path = \"{MODEL}\", sha256 = \"{wrong}\" }}"
    ));
    assert_eq!(code, 5, "{said}");
    assert!(
        said.contains(&wrong) && said.contains(&hex::encode(weights())),
        "{said}"
    );
}

#[test]
fn a_model_that_is_missing_stops_the_start() {
    let digest = "00".repeat(32);
    let (code, said) = refused(&format!(
        "{{ name = \"m\", path = \"/nowhere/m.gguf\", sha256 = \"{digest}\" }}"
    ));
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("hint: check `engine`"), "{said}");
}
