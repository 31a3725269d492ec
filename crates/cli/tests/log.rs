//! `subrosa log`, `witness` and `monitor` together, on this machine.
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

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use subrosa_translog::{
    KeyKind, KeyName, LogPolicy, LogProof, Note, NoteSigner, Timestamp, VerifierKey,
};
use support::running::Running;
use support::{Home, Outcome};

/// Three witnesses that know a log, and a file that lists them.
struct Setup {
    home: Home,
    key: String,
    witness_keys: Vec<String>,
    _witnesses: Vec<Running>,
}

fn ok(outcome: Outcome) -> Outcome {
    assert_eq!(outcome.exit, Some(0), "{outcome:#?}");
    outcome
}

fn setup() -> Setup {
    let home = Home::new();
    let made = ok(home.run(&["log", "init", "log", "--name", "example.com/log", "--json"]));
    let key = made.json()["key"].as_str().unwrap().to_owned();
    let mut list = "quorum = 2\n".to_owned();
    let (mut witnesses, mut witness_keys) = (Vec::new(), Vec::new());
    for n in 0..3 {
        let (folder, name) = (format!("w{n}"), format!("witness{n}.example"));
        let algorithm = if n == 0 { "ed25519" } else { "ml-dsa44" };
        let made = ok(home.run(&[
            "witness",
            "init",
            &folder,
            "--name",
            &name,
            "--algorithm",
            algorithm,
            "--json",
        ]));
        let own = made.json()["key"].as_str().unwrap().to_owned();
        let witness = Running::start(
            &home,
            &[
                "witness",
                "serve",
                &folder,
                "--listen",
                "127.0.0.1:0",
                "--log",
                &key,
            ],
        );
        let url = &witness.line;
        write!(list, "[[witnesses]]\nurl = \"{url}\"\nkey = \"{own}\"\n").unwrap();
        witnesses.push(witness);
        witness_keys.push(own);
    }
    home.write("witnesses.toml", list);
    Setup {
        home,
        key,
        witness_keys,
        _witnesses: witnesses,
    }
}

impl Setup {
    fn policy(&self) -> LogPolicy {
        let key = |text: &String| text.parse::<VerifierKey>().unwrap();
        let witnesses = self.witness_keys.iter().map(key).collect();
        LogPolicy::new(key(&self.key), witnesses, 3, 600).unwrap()
    }

    fn monitor(&self, url: &str) -> Outcome {
        self.home.run(&[
            "monitor",
            url,
            "--key",
            &self.key,
            "--state",
            "seen.json",
            "--once",
            "--json",
        ])
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::new(since.as_secs())
}

fn author() -> NoteSigner {
    let name = KeyName::new("author.example").unwrap();
    NoteSigner::from_seed(name, KeyKind::Ed25519, &[7; 32]).unwrap()
}

fn directory(epoch: u64) -> String {
    let text = format!("subrosa.dev/directory@v1\n{}\n", json!({ "epoch": epoch }));
    let mut note = Note::new(text.clone()).unwrap();
    note.add(author().sign(&text, now()).unwrap()).unwrap();
    note.to_string()
}

#[test]
fn entries_are_appended_cosigned_by_every_witness_and_proven() {
    let setup = setup();
    let add = |name: &str, content: &str| {
        setup.home.write(name, content);
        ok(setup.home.run(&[
            "log",
            "add",
            "log",
            name,
            "--witnesses",
            "witnesses.toml",
            "--proofs",
            "proofs",
        ]))
    };
    for (index, name) in ["one", "two", "three"].into_iter().enumerate() {
        add(name, &format!("entry {name}"));
        let path = setup.home.path().join(format!("proofs/{name}.tlog-proof"));
        let proof = LogProof::parse(&std::fs::read(path).unwrap()).unwrap();
        let logged = proof.verify(&setup.policy(), now()).unwrap();
        assert_eq!(logged.index(), u64::try_from(index).unwrap());
        assert_eq!(logged.entry(), format!("entry {name}").as_bytes());
    }
    let proof = ok(setup.home.run(&["log", "proof", "log", "1"]));
    let proof = LogProof::parse(proof.stdout.as_bytes()).unwrap();
    assert_eq!(
        proof.verify(&setup.policy(), now()).unwrap().entry(),
        b"entry two"
    );
    let shown = ok(setup.home.run(&["log", "show", "log", "--json"])).json();
    assert_eq!(
        (&shown["size"], &shown["key"]),
        (&json!(3), &json!(setup.key))
    );
}

#[test]
fn without_a_quorum_nothing_is_published_and_later_everything_is() {
    let setup = setup();
    setup.home.write("entry", "entry");
    let list = std::fs::read_to_string(setup.home.path().join("witnesses.toml")).unwrap();
    let away = list.replace("127.0.0.1:", "127.0.0.1:1");
    setup.home.write("away.toml", away);
    let outcome = setup
        .home
        .run(&["log", "add", "log", "entry", "--witnesses", "away.toml"]);
    assert_eq!(outcome.exit, Some(4), "{outcome:#?}");
    assert_eq!(setup.home.run(&["log", "proof", "log", "0"]).exit, Some(1));
    ok(setup.home.run(&[
        "log",
        "add",
        "log",
        "entry",
        "--witnesses",
        "witnesses.toml",
    ]));
    for index in ["0", "1"] {
        let proof = ok(setup.home.run(&["log", "proof", "log", index]));
        let proof = LogProof::parse(proof.stdout.as_bytes()).unwrap();
        assert!(proof.verify(&setup.policy(), now()).is_ok());
    }
    assert_eq!(setup.home.run(&["log", "proof", "log", "2"]).exit, Some(2));
}

/// What a monitor printed, a document on a line.
fn lines(outcome: &Outcome) -> Vec<Value> {
    let lines = outcome.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_monitor_reads_everything_once_and_finds_a_second_directory_of_an_epoch() {
    let setup = setup();
    let key = author().verifier_key().to_string();
    let log = Running::start(
        &setup.home,
        &[
            "log",
            "serve",
            "log",
            "--listen",
            "127.0.0.1:0",
            "--author",
            &key,
            "--witnesses",
            "witnesses.toml",
        ],
    );
    let add = |entry: &str| {
        let agent = ureq::Agent::new_with_defaults();
        let answer = agent.post(format!("{}/add", log.line)).send(entry).unwrap();
        let proof = answer.into_body().read_to_vec().unwrap();
        LogProof::parse(&proof)
            .unwrap()
            .verify(&setup.policy(), now())
            .unwrap()
    };
    for epoch in [1, 2] {
        add(&directory(epoch));
    }
    let first = lines(&ok(setup.monitor(&log.line)));
    assert_eq!(first.len(), 2);
    assert_eq!(first[0]["kind"], json!("subrosa.dev/directory@v1"));
    assert_eq!(first[0]["warning"], Value::Null);
    assert_eq!(lines(&ok(setup.monitor(&log.line))).len(), 0);
    let mut other = directory(2);
    other = other.replacen("\"epoch\":2", "\"epoch\": 2", 1);
    let text = other.split_once("\n\n").unwrap().0.to_owned() + "\n";
    let mut note = Note::new(text.clone()).unwrap();
    note.add(author().sign(&text, now()).unwrap()).unwrap();
    add(&note.to_string());
    let second = lines(&ok(setup.monitor(&log.line)));
    assert_eq!(second.len(), 1);
    assert!(
        second[0]["warning"]
            .as_str()
            .unwrap()
            .contains("another directory")
    );
}

#[test]
fn a_monitor_refuses_what_a_newer_one_or_nobody_wrote() {
    let setup = setup();
    for (text, words) in [
        (r#"{"schema":2,"more":[]}"#, "hint: update this program"),
        (
            r#"{"schema":0,"checkpoint":null,"size":0,"subtrees":[],"epochs":{}}"#,
            "is not what a monitor keeps",
        ),
        (r#"{"schema":1,"size":0}"#, "is not what a monitor keeps"),
        (r#"{"size":0}"#, "is not what a monitor keeps"),
    ] {
        setup.home.write("seen.json", text);
        let flags = ["monitor", "http://127.0.0.1:9", "--key", &setup.key];
        let refused = setup
            .home
            .run(&[&flags[..], &["--state", "seen.json", "--once"]].concat());
        assert_eq!(refused.exit, Some(2), "{refused:#?}");
        assert!(refused.stderr.contains(words), "{refused:#?}");
    }
}

#[test]
fn a_monitor_keeps_the_proof_of_a_log_that_goes_back() {
    let setup = setup();
    for name in ["one", "two"] {
        setup.home.write(name, name);
    }
    let add = |name: &str| {
        ok(setup
            .home
            .run(&["log", "add", "log", name, "--witnesses", "witnesses.toml"]))
    };
    add("one");
    let data = setup.home.path().join("log/data");
    let old = setup.home.path().join("old");
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let status = std::process::Command::new("cp")
            .arg("-a")
            .arg(from)
            .arg(to)
            .status();
        assert!(status.unwrap().success());
    };
    copy(&data, &old);
    add("two");
    let serve = || {
        Running::start(
            &setup.home,
            &["log", "serve", "log", "--listen", "127.0.0.1:0"],
        )
    };
    let log = serve();
    assert_eq!(lines(&ok(setup.monitor(&log.line))).len(), 2);
    drop(log);
    std::fs::remove_dir_all(&data).unwrap();
    copy(&old, &data);
    let log = serve();
    let outcome = setup.monitor(&log.line);
    assert_eq!(outcome.exit, Some(3), "{outcome:#?}");
    let kept = std::fs::read(setup.home.path().join("seen.misbehaviour.json")).unwrap();
    let kept: Value = serde_json::from_slice(&kept).unwrap();
    for name in ["seen", "refused"] {
        let note = Note::parse(kept[name].as_str().unwrap().as_bytes()).unwrap();
        assert!(note.verify(&setup.key.parse().unwrap()).is_ok());
    }
    drop(log);
    // The witnesses do not cosign what goes back.
    setup.home.write("other", "other");
    let outcome = setup.home.run(&[
        "log",
        "add",
        "log",
        "other",
        "--witnesses",
        "witnesses.toml",
    ]);
    assert_eq!(outcome.exit, Some(4), "{outcome:#?}");
}

#[test]
fn a_key_is_private_and_made_once_and_a_log_is_written_by_one_program() {
    use std::os::unix::fs::PermissionsExt as _;
    let setup = setup();
    for folder in ["log", "w0"] {
        let key = setup.home.path().join(folder).join("secret.key");
        let mode = std::fs::metadata(&key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let again = setup
        .home
        .run(&["log", "init", "log", "--name", "example.com/log"]);
    assert_eq!(again.exit, Some(2), "{again:#?}");
    let log = Running::start(
        &setup.home,
        &["log", "serve", "log", "--listen", "127.0.0.1:0"],
    );
    setup.home.write("entry", "entry");
    let busy = setup.home.run(&["log", "add", "log", "entry"]);
    assert_eq!(busy.exit, Some(1), "{busy:#?}");
    assert!(busy.stderr.contains("one program at a time"), "{busy:#?}");
    drop(log);
    ok(setup.home.run(&["log", "add", "log", "entry"]));
}

#[test]
fn lists_of_witnesses_and_keys_that_are_none_are_refused() {
    let setup = setup();
    setup.home.write("entry", "entry");
    let list = std::fs::read_to_string(setup.home.path().join("witnesses.toml")).unwrap();
    for wrong in [
        list.replacen("quorum = 2", "quorum = 1", 1),
        list.replacen("quorum = 2", "quorum = 4", 1),
        list.replacen("quorum = 2", "", 1),
        list.replacen("quorum = 2", "quorum = 2\nunknown = 1", 1),
        list.replacen("http://127.0.0.1", "http://example.org", 1),
        list.replacen(&setup.witness_keys[0], &setup.key, 1),
    ] {
        setup.home.write("wrong.toml", &wrong);
        let outcome = setup
            .home
            .run(&["log", "add", "log", "entry", "--witnesses", "wrong.toml"]);
        assert_eq!(outcome.exit, Some(2), "{wrong} {outcome:#?}");
    }
    let outcome = setup.home.run(&[
        "monitor",
        "https://log.example",
        "--key",
        "nonsense",
        "--state",
        "s",
    ]);
    assert_eq!(outcome.exit, Some(2));
    let outcome = setup.home.run(&["log", "show", "nowhere"]);
    assert_ne!(outcome.exit, Some(0));
}
