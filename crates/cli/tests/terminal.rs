//! A person at a terminal: what is typed, and Ctrl-C.
#![cfg(target_os = "linux")]
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

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use support::{Home, enclave_is_built};

#[test]
fn a_person_chats_asks_for_help_and_leaves_with_ctrl_d() {
    if !can_run() {
        return;
    }
    let home = Home::new();
    let mut terminal = Terminal::start(&home, "try --engine echo --profile off");
    terminal.expect(PROMPT);
    terminal.write("first question\r");
    terminal.expect("first question\r\n");
    terminal.expect(PROMPT);
    terminal.write("/help\r");
    terminal.expect("/verify");
    terminal.expect(PROMPT);
    terminal.write("/receipt\r");
    terminal.expect("receipt: ");
    terminal.expect(PROMPT);
    terminal.write("/verify\r");
    terminal.expect("What this does not prove:");
    terminal.expect(PROMPT);
    terminal.write("/nonsense\r");
    terminal.expect("/nonsense is not a command");
    terminal.expect(PROMPT);
    terminal.write("\u{4}");
    terminal.ends_well();
}

#[test]
fn ctrl_c_stops_the_answer_and_not_the_program() {
    if !can_run() {
        return;
    }
    let home = Home::new();
    let slow = SlowService::start(&home);
    let mut terminal = Terminal::start(&home, &slow.chat);
    terminal.expect(PROMPT);
    terminal.write("word word word\r");
    terminal.expect("word word");
    terminal.write("\u{3}");
    terminal.expect("stopped; question and answer are not part of the conversation");
    terminal.expect(PROMPT);
    terminal.write("\u{3}");
    terminal.expect("Ctrl-D leaves");
    terminal.expect(PROMPT);
    terminal.write("/quit\r");
    terminal.ends_well();
}

const PROMPT: &str = "NOT PROTECTED (development)\u{1b}[0m > ";

fn can_run() -> bool {
    let has_script = Command::new("script").arg("--version").output().is_ok();
    if !has_script {
        eprintln!("skipped: `script` of util-linux, which makes a terminal, is not there");
    }
    has_script && enclave_is_built()
}

/// The program in a terminal of its own.
struct Terminal {
    child: Child,
    seen: String,
    pieces: Receiver<Vec<u8>>,
}

impl Terminal {
    fn start(home: &Home, arguments: &str) -> Self {
        let program = env!("CARGO_BIN_EXE_subrosa");
        let mut child = Command::new("script")
            .args([
                "--quiet",
                "--return",
                "--command",
                &format!("exec {program} {arguments}"),
                "/dev/null",
            ])
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", "/usr/bin:/bin")
            .env("TERM", "xterm")
            .current_dir(home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let (sender, pieces) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            seen: String::new(),
            pieces,
        }
    }

    fn write(&mut self, text: &str) {
        // The editor throws away what is typed before it has set up the terminal.
        std::thread::sleep(Duration::from_millis(100));
        self.child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
    }

    /// Waits until `text` appears, and forgets everything up to it.
    fn expect(&mut self, text: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            let left = until.saturating_duration_since(Instant::now());
            let Ok(piece) = self.pieces.recv_timeout(left) else {
                panic!("{text:?} did not appear in {:?}", self.seen);
            };
            self.seen.push_str(&String::from_utf8_lossy(&piece));
        }
    }

    fn ends_well(mut self) {
        let status = self.child.wait().unwrap();
        let rest: Vec<u8> = self.pieces.try_iter().flatten().collect();
        assert!(
            status.success(),
            "{status}: {}{}",
            self.seen,
            String::from_utf8_lossy(&rest)
        );
    }
}

/// A service that takes its time, with the command line that talks to it.
struct SlowService {
    child: Child,
    chat: String,
}

impl SlowService {
    fn start(home: &Home) -> Self {
        // `try` makes root, configuration and policy; this service differs in its engine.
        assert_eq!(
            home.run_with(&["try", "--engine", "echo", "--profile", "off"], b"x")
                .exit,
            Some(0)
        );
        let folder = home.path().join(".local/state/subrosa/try");
        let made = |kind: &str| -> PathBuf {
            let mut paths = std::fs::read_dir(&folder)
                .unwrap()
                .map(|entry| entry.unwrap().path());
            paths
                .find(|path| {
                    path.file_name()
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .starts_with(kind)
                        && path.extension().unwrap() == "toml"
                })
                .unwrap()
        };
        let configuration = std::fs::read_to_string(made("service-")).unwrap();
        let slow = configuration.replace(
            "kind = \"echo\"\n",
            "kind = \"echo\"\ntokens = 500\ndelay_ms = 50\n",
        );
        assert_ne!(slow, configuration);
        let policy = std::fs::read_to_string(made("policy-")).unwrap();
        let policy = policy.replace(&digest(&configuration), &digest(&slow));
        std::fs::write(folder.join("slow.toml"), slow).unwrap();
        home.write("policy.toml", policy);
        let enclave =
            PathBuf::from(env!("CARGO_BIN_EXE_subrosa")).with_file_name("subrosa-enclave");
        let mut child = Command::new(enclave)
            .arg("--config")
            .arg(folder.join("slow.toml"))
            .arg("--exit-with-parent")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(
            &mut std::io::BufReader::new(child.stdout.as_mut().unwrap()),
            &mut line,
        )
        .unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let chat = format!(
            "chat --url http://{} --policy policy.toml --development-root {} --profile off",
            ready["listening"].as_str().unwrap(),
            folder.join("root-public.json").display()
        );
        Self { child, chat }
    }
}

impl Drop for SlowService {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
