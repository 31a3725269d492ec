//! A device that asks the log: log, witnesses, node and `subrosa chat`, all real and on this machine.
#![cfg(unix)]
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::format_push_string,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use getrandom::SysRng;
use rand_core::UnwrapErr;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha384};
use subrosa_attest::development::Root;
use subrosa_attest::{Measurement, UnixSeconds};
use subrosa_channel::absent_weights;
use subrosa_web_core::{Failure, Verifier};
use support::running::Running;
use support::{Home, Outcome, enclave_is_built};

const SERVICE: &str = "subrosa.example/chat";

/// What a test changes.
struct Plan {
    sequence: u64,
    minimum: u64,
    /// Seconds from now until the release ends.
    life: i64,
    /// Whether the record is of another machine.
    other_machine: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            sequence: 5,
            minimum: 5,
            life: 3600,
            other_machine: false,
        }
    }
}

/// A log with witnesses and authors, before anything is in it.
struct Place {
    home: Home,
    root: Root,
    log_key: String,
    witness_keys: Vec<String>,
    authors: Vec<(&'static str, String)>,
}

/// Witnesses, log and node that run.
struct World {
    _witnesses: Vec<Running>,
    log: Running,
    node: Node,
}

struct Node {
    child: Child,
    url: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ok(outcome: Outcome) -> Outcome {
    assert_eq!(outcome.exit, Some(0), "{outcome:#?}");
    outcome
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs()
}

fn enclave() -> std::path::PathBuf {
    Path::new(env!("CARGO_BIN_EXE_subrosa")).with_file_name("subrosa-enclave")
}

impl Place {
    fn new() -> Self {
        let home = Home::new();
        let key = |outcome: Outcome| ok(outcome).json()["key"].as_str().unwrap().to_owned();
        let log_key = key(home.run(&["log", "init", "log", "--name", "example.com/log", "--json"]));
        let mut witness_keys = Vec::new();
        for n in 0..2 {
            let (folder, name) = (format!("w{n}"), format!("witness{n}.example"));
            let made = ["witness", "init", &folder, "--name", &name, "--json"];
            witness_keys.push(key(home.run(&made)));
        }
        let mut authors = Vec::new();
        for name in ["release", "admitter", "operator", "stranger"] {
            let made = ["log", "author", name, "--name", name, "--json"];
            authors.push((name, key(home.run(&made))));
        }
        let root = Root::generate(&mut UnwrapErr(SysRng), UnixSeconds::new(now())).unwrap();
        home.write("root.secret", &*root.to_secret_file());
        home.write("root-public.json", root.public().to_public_file());
        Self {
            home,
            root,
            log_key,
            witness_keys,
            authors,
        }
    }

    fn author(&self, name: &str) -> &str {
        let found = self.authors.iter().find(|(other, _)| *other == name);
        &found.unwrap().1
    }

    /// Witnesses with these folders, listed in a file.
    fn witnesses(&self, prefix: &str) -> Vec<Running> {
        let mut list = "quorum = 2\n".to_owned();
        let mut witnesses = Vec::new();
        for (n, key) in self.witness_keys.iter().enumerate() {
            let folder = format!("{prefix}{n}");
            let arguments = [
                "witness",
                "serve",
                &folder,
                "--listen",
                "127.0.0.1:0",
                "--log",
                &self.log_key,
            ];
            let witness = Running::start(&self.home, &arguments);
            list += &format!(
                "[[witnesses]]\nurl = \"{}\"\nkey = \"{key}\"\n",
                witness.line
            );
            witnesses.push(witness);
        }
        self.home.write("witnesses.toml", list);
        witnesses
    }

    fn config() -> String {
        let files = [
            ("release", "release.tlog-proof"),
            ("checkpoint", "checkpoint"),
            ("directory", "directory.tlog-proof"),
            ("machines", "machines.tlog-proof"),
            ("machine", "machine.record"),
        ];
        let files = files.map(|(key, file)| format!("{key} = \"stapled/{file}\"\n"));
        format!(
            "listen.address = \"127.0.0.1:0\"\nengine.kind = \"echo\"\n\
             platform = {{ kind = \"simulated\", root_secret = \"root.secret\" }}\n[log]\n{}",
            files.concat()
        )
    }

    fn manifest(plan: &Plan) -> Value {
        let program = std::fs::read(enclave()).unwrap();
        let digest = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
        json!({
            "service": SERVICE,
            "version": format!("0.{}.0", plan.sequence),
            "sequence": plan.sequence,
            "minimum-sequence": plan.minimum,
            "not-before": now() - 3600,
            "not-after": now().checked_add_signed(plan.life).unwrap(),
            "source": { "repository": "https://git.example/subrosa", "commit": "c".repeat(40) },
            "builder": { "id": "https://ci.example/builder@v1" },
            "artefacts": [{ "name": "subrosa-enclave", "sha256": digest(&program), "bytes": program.len() }],
            "measurements": [{
                "name": "simulated",
                "platform": "sev-snp",
                "registers": { "value": hex::encode(Sha384::digest(&program)) },
            }],
            "weights": [{ "name": "echo", "sha256": hex::encode(absent_weights()) }],
            "configurations": [{ "name": "echo", "sha256": digest(Self::config().as_bytes()) }],
        })
    }

    /// Writes and signs the entries of a plan.
    fn entries(&self, plan: &Plan) {
        self.home.write("service.toml", Self::config());
        self.home
            .write("manifest.json", Self::manifest(plan).to_string());
        let report = self
            .root
            .platform()
            .report(&[0; 64], &Measurement::new([1; 48]));
        // AMD 56860, `ATTESTATION_REPORT`: `CHIP_ID`.
        let chip = if plan.other_machine {
            &[7; 64][..]
        } else {
            &report[0x1A0..0x1E0]
        };
        let record = json!({
            "platform": "sev-snp",
            "identity": hex::encode(Sha256::digest(chip)),
            "site": "here",
            "custodian": "somebody",
            "not-after": now() + 3600,
        });
        self.home.write("records", format!("{record}\n"));
        ok(self.home.run(&[
            "log",
            "release",
            "manifest.json",
            "--key",
            "release",
            "--output",
            "release.note",
        ]));
        ok(self.home.run(&[
            "log",
            "machines",
            "records",
            "--sequence",
            "1",
            "--key",
            "admitter",
            "--output",
            "machines.note",
        ]));
    }

    fn add(&self, log: &str, files: &[&str]) {
        let mut arguments = vec!["log", "add", log];
        arguments.extend(files);
        arguments.extend(["--witnesses", "witnesses.toml"]);
        ok(self.home.run(&arguments));
    }

    fn serve_log(&self, log: &str) -> Running {
        let operator = self.author("operator");
        let arguments = [
            "log",
            "serve",
            log,
            "--listen",
            "127.0.0.1:0",
            "--author",
            operator,
            "--witnesses",
            "witnesses.toml",
        ];
        Running::start(&self.home, &arguments)
    }

    fn staple(&self, log: &Running, release: &str, machines: &str, node: Option<&Node>) {
        let mut arguments = vec![
            "log",
            "staple",
            &log.line,
            "stapled",
            "--release",
            release,
            "--machines",
            machines,
            "--records",
            "records",
            "--record",
            "0",
        ];
        if let Some(node) = node {
            arguments.extend(["--service", &node.url, "--operator", "operator"]);
        }
        ok(self.home.run(&arguments));
    }

    fn start_node(&self) -> Node {
        let mut child = Command::new(enclave())
            .args(["--config", "service.toml"])
            .current_dir(self.home.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let read = BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line);
        if read.unwrap() == 0 {
            let mut words = String::new();
            child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut words)
                .unwrap();
            panic!("the node did not start: {words}");
        }
        let ready: Value = serde_json::from_str(&line).unwrap();
        let url = format!("http://{}", ready["listening"].as_str().unwrap());
        Node { child, url }
    }

    /// Everything runs, and the node's directory is logged.
    fn run(&self, plan: &Plan) -> World {
        let world = self.run_unlisted(plan);
        self.list(&world, "0", "1");
        world
    }

    /// The same but for the directory.
    fn run_unlisted(&self, plan: &Plan) -> World {
        let witnesses = self.witnesses("w");
        self.entries(plan);
        self.add("log", &["release.note", "machines.note"]);
        let log = self.serve_log("log");
        self.staple(&log, "0", "1", None);
        World {
            _witnesses: witnesses,
            log,
            node: self.start_node(),
        }
    }

    /// Logs the node's directory, and waits until the node shows it.
    fn list(&self, world: &World, release: &str, machines: &str) {
        self.staple(&world.log, release, machines, Some(&world.node));
        let until = Instant::now() + Duration::from_secs(20);
        while !is_listed(&world.node) {
            assert!(
                Instant::now() < until,
                "the node does not show its directory"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn policy(&self, world: &World) -> String {
        let list = |keys: &[&str]| {
            let keys: Vec<_> = keys.iter().map(|key| format!("{key:?}")).collect();
            format!("[{}]", keys.join(", "))
        };
        let witnesses: Vec<&str> = self.witness_keys.iter().map(String::as_str).collect();
        let signers = |name| format!("{{ keys = {}, threshold = 1 }}", list(&[self.author(name)]));
        format!(
            "version = 1\nname = \"logged\"\nplatforms = [\"sev-snp\"]\n\n[log]\n\
             service = \"{SERVICE}\"\nkey = \"{}\"\ntiles = \"{}\"\nwitnesses = {}\nquorum = 2\n\
             releases = {}\nmachines = {}\ndirectories = {}\n",
            self.log_key,
            world.log.line,
            list(&witnesses),
            signers("release"),
            signers("admitter"),
            signers("operator"),
        )
    }

    fn chat_by(&self, world: &World, policy: &str) -> Outcome {
        self.home.write("policy.toml", policy);
        let arguments = [
            "chat",
            "--url",
            &world.node.url,
            "--policy",
            "policy.toml",
            "--development-root",
            "root-public.json",
            "--profile",
            "off",
        ];
        self.home.run_with(&arguments, b"Hello there")
    }

    fn chat(&self, world: &World) -> Outcome {
        self.chat_by(world, &self.policy(world))
    }

    /// What the core of the web application says of the node: what is seen then, or why it is refused. It gets the tiles of a log
    /// only if `tiles` says so.
    fn browse(&self, world: &World, seen: &str, tiles: bool) -> Result<String, Failure> {
        let root = std::fs::read_to_string(self.home.path().join("root-public.json")).unwrap();
        let verifier = Verifier::development(&self.policy(world), &root, "localhost")?;
        let at = |path: &str| get(&format!("{}/subrosa/v1/{path}", world.node.url));
        let directory = at("directory").unwrap();
        let listing = verifier.listing(&directory, at("directory/proof"))?;
        let name = listing.bundle(0).unwrap();
        let bundle = at(&format!("bundles/{name}")).unwrap();
        let now = f64::from(u32::try_from(now()).unwrap());
        let mut inquiry = verifier.inquire(&listing, 0, &bundle, seen, now)?;
        while let Some(tile) = inquiry.tile() {
            let bytes = get(&format!("{}/{tile}", world.log.line)).unwrap();
            inquiry.add(if tiles { &bytes } else { &[1] });
        }
        let judged = inquiry.judge()?;
        let seen = judged.seen().unwrap();
        assert!(judged.node().report().contains("\"development\""));
        Ok(seen)
    }

    fn state(&self) -> std::path::PathBuf {
        self.home.path().join(".local/state/subrosa")
    }

    /// A copy of folders, as of now.
    fn copy(&self, folders: &[(&str, &str)]) {
        for (from, to) in folders {
            let status = Command::new("cp")
                .args(["-r", from, to])
                .current_dir(self.home.path())
                .status();
            assert!(status.unwrap().success());
        }
    }
}

fn is_listed(node: &Node) -> bool {
    let address = node.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "GET /subrosa/v1/directory/proof HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.starts_with("HTTP/1.1 200")
}

fn accepted(outcome: &Outcome) {
    assert_eq!(outcome.exit, Some(0), "{outcome:#?}");
    assert!(outcome.stdout.contains("Hello there"), "{outcome:#?}");
}

fn get(url: &str) -> Option<Vec<u8>> {
    ureq::get(url).call().ok()?.body_mut().read_to_vec().ok()
}

fn refused(outcome: &Outcome, code: &str) {
    assert_eq!(outcome.exit, Some(3), "{outcome:#?}");
    assert!(outcome.stdout.is_empty(), "{outcome:#?}");
    let words = format!("REFUSED: {code}\n");
    assert!(outcome.stderr.contains(&words), "{outcome:#?}");
}

#[test]
fn a_logged_node_is_accepted_and_what_was_seen_is_kept() {
    if !enclave_is_built() {
        return;
    }
    let place = Place::new();
    let world = place.run(&Plan::default());
    accepted(&place.chat(&world));
    let state = std::fs::read_to_string(place.state().join("logs.json")).unwrap();
    let state: Value = serde_json::from_str(&state).unwrap();
    assert_eq!(state["minimum-sequences"][SERVICE], json!(5));
    let seen = state["logs"]["example.com/log"].as_str().unwrap();
    assert!(seen.starts_with("example.com/log\n3\n"), "{seen}");
    // Stapled anew, with nothing to log.
    place.staple(&world.log, "0", "1", Some(&world.node));
    accepted(&place.chat(&world));
}

#[test]
fn a_browser_follows_the_log_as_it_grows() {
    if !enclave_is_built() {
        return;
    }
    let place = Place::new();
    let world = place.run(&Plan::default());
    let seen = place.browse(&world, "", true).unwrap();
    assert!(seen.contains("example.com/log\\n3\\n"), "{seen}");
    drop(world);
    let witnesses = place.witnesses("w");
    place.add("log", &["machines.note"]);
    let log = place.serve_log("log");
    place.staple(&log, "0", "3", None);
    let world = World {
        _witnesses: witnesses,
        log,
        node: place.start_node(),
    };
    place.list(&world, "0", "3");
    let failure = place.browse(&world, &seen, false).unwrap_err();
    assert_eq!(failure.code(), "log-not-continued");
    assert!(failure.conflict().is_some());
    let grown = place.browse(&world, &seen, true).unwrap();
    assert!(grown.contains("example.com/log\\n5\\n"), "{grown}");
    let failure = place.browse(&world, "{}", true).unwrap_err();
    assert_eq!(failure.code(), "log-state");
}

#[test]
fn a_directory_that_is_not_in_the_log_is_refused() {
    if !enclave_is_built() {
        return;
    }
    let place = Place::new();
    let world = place.run_unlisted(&Plan::default());
    refused(&place.chat(&world), "directory-not-logged");
    let failure = place.browse(&world, "", true).unwrap_err();
    assert_eq!(failure.code(), "directory-not-logged");
    place.list(&world, "0", "1");
    accepted(&place.chat(&world));
}

#[test]
fn an_expired_release_is_refused() {
    if !enclave_is_built() {
        return;
    }
    let place = Place::new();
    let plan = Plan {
        life: -60,
        ..Plan::default()
    };
    refused(&place.chat(&place.run(&plan)), "log-entry-expired");
}

#[test]
fn a_machine_that_is_not_admitted_is_refused() {
    if !enclave_is_built() {
        return;
    }
    let place = Place::new();
    let plan = Plan {
        other_machine: true,
        ..Plan::default()
    };
    refused(&place.chat(&place.run(&plan)), "machine-not-admitted");
}

#[test]
fn a_release_of_another_key_and_a_missing_witness_are_refused() {
    if !enclave_is_built() {
        return;
    }
    let place = Place::new();
    let world = place.run(&Plan::default());
    let good = place.policy(&world);
    let other = good.replacen(place.author("release"), place.author("stranger"), 1);
    refused(&place.chat_by(&world, &other), "log-entry-signature");
    let made = place.home.run(&[
        "witness",
        "init",
        "w9",
        "--name",
        "witness9.example",
        "--json",
    ]);
    let third = ok(made).json()["key"].as_str().unwrap().to_owned();
    let more = good
        .replacen("witnesses = [", &format!("witnesses = [\"{third}\", "), 1)
        .replacen("quorum = 2", "quorum = 3", 1);
    refused(&place.chat_by(&world, &more), "witness-quorum");
    assert!(!place.state().join("logs.json").exists());
    accepted(&place.chat_by(&world, &good));
}

#[test]
fn nothing_is_sent_where_the_log_cannot_be_read() {
    if !enclave_is_built() {
        return;
    }
    let place = Place::new();
    let world = place.run(&Plan::default());
    let policy = place.policy(&world);
    let away = policy.replacen(&world.log.line, "http://127.0.0.1:1", 1);
    let outcome = place.chat_by(&world, &away);
    assert_eq!(outcome.exit, Some(4), "{outcome:#?}");
    assert!(outcome.stdout.is_empty(), "{outcome:#?}");
}

#[test]
fn an_older_release_is_refused_by_who_has_seen_the_newer_ones_minimum() {
    if !enclave_is_built() {
        return;
    }
    let place = Place::new();
    let world = place.run(&Plan::default());
    accepted(&place.chat(&world));
    // Everybody may log: the old release is logged again, and a node runs it.
    drop(world);
    let plan = Plan {
        sequence: 4,
        minimum: 4,
        ..Plan::default()
    };
    let witnesses = place.witnesses("w");
    place.entries(&plan);
    place.add("log", &["release.note", "machines.note"]);
    let log = place.serve_log("log");
    place.staple(&log, "3", "4", None);
    let world = World {
        _witnesses: witnesses,
        log,
        node: place.start_node(),
    };
    place.list(&world, "3", "4");
    refused(&place.chat(&world), "release-superseded");
}

#[test]
fn a_forked_log_is_refused_and_both_checkpoints_are_kept() {
    if !enclave_is_built() {
        return;
    }
    let place = Place::new();
    // The log and both witnesses conspire: they begin again from where they were empty.
    place.copy(&[("log", "fork"), ("w0", "f0"), ("w1", "f1")]);
    let world = place.run(&Plan::default());
    accepted(&place.chat(&world));
    drop(world);
    let witnesses = place.witnesses("f");
    let plan = Plan {
        sequence: 6,
        ..Plan::default()
    };
    place.entries(&plan);
    place.add("fork", &["release.note", "machines.note"]);
    let log = place.serve_log("fork");
    place.staple(&log, "0", "1", None);
    let world = World {
        _witnesses: witnesses,
        log,
        node: place.start_node(),
    };
    place.list(&world, "0", "1");
    let outcome = place.chat(&world);
    refused(&outcome, "log-forked");
    let kept = std::fs::read_dir(place.state()).unwrap();
    let kept: Vec<_> = kept
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().contains("misbehaviour"))
        .collect();
    let [kept] = &kept[..] else {
        panic!("{kept:?}")
    };
    assert!(
        outcome.stderr.contains(kept.to_str().unwrap()),
        "{outcome:#?}"
    );
    let both: Value = serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap();
    for name in ["seen", "refused"] {
        let note = both[name].as_str().unwrap();
        assert!(note.starts_with("example.com/log\n3\n"), "{note}");
    }
    assert_ne!(both["seen"], both["refused"]);
    let seen = std::fs::read_to_string(place.state().join("logs.json")).unwrap();
    let failure = place.browse(&world, &seen, true).unwrap_err();
    assert_eq!(failure.code(), "log-forked");
    let shown: Value = serde_json::from_str(&failure.conflict().unwrap()).unwrap();
    assert_eq!(shown, both);
}
