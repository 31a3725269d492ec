//! Runs the built program in a home of its own, and compares what it says.

#[cfg(feature = "development")]
pub mod node;
#[cfg(unix)]
pub mod running;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Whether the service can be started; where it cannot, the test is skipped
/// aloud, except in CI.
pub fn enclave_is_built() -> bool {
    let program = Path::new(env!("CARGO_BIN_EXE_subrosa")).with_file_name("subrosa-enclave");
    let is_built = program.is_file();
    if !is_built {
        assert!(
            std::env::var_os("CI").is_none(),
            "{} is not built",
            program.display()
        );
        eprintln!(
            "skipped: {} is not built; cargo build -p subrosa-enclave --features development",
            program.display()
        );
    }
    is_built
}

/// A home folder that vanishes afterwards.
pub struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file below the home and gives its path.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The program in this home, with nothing else in its environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_subrosa"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", "/usr/bin:/bin")
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    /// A copy of the program in a folder of its own, with a stand-in for
    /// `subrosa-enclave` beside it: a shell script, or nothing.
    #[cfg(unix)]
    pub fn command_beside(&self, enclave: Option<&str>, arguments: &[&str]) -> Command {
        use std::os::unix::fs::PermissionsExt;
        let folder = self.path().join("program");
        std::fs::create_dir_all(&folder).unwrap();
        let program = folder.join("subrosa");
        if !program.exists() {
            std::fs::hard_link(env!("CARGO_BIN_EXE_subrosa"), &program)
                .or_else(|_| std::fs::copy(env!("CARGO_BIN_EXE_subrosa"), &program).map(drop))
                .unwrap();
        }
        if let Some(script) = enclave {
            let path = self.write("program/subrosa-enclave", format!("#!/bin/sh\n{script}\n"));
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", "/usr/bin:/bin")
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(arguments).output().unwrap(), self.path())
    }

    /// Runs with `input` on stdin.
    pub fn run_with(&self, arguments: &[&str], input: &[u8]) -> Outcome {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that fails early closes its stdin; that is its right.
        let _ = child.stdin.take().unwrap().write_all(input);
        Outcome::of(child.wait_with_output().unwrap(), self.path())
    }
}

/// What a run left behind.
#[derive(Debug)]
pub struct Outcome {
    pub exit: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    home: String,
}

impl Outcome {
    pub fn of(output: Output, home: &Path) -> Self {
        Self {
            exit: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            home: home.to_str().unwrap().to_owned(),
        }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }

    /// Compares with `tests/snapshots/NAME.txt`, after `replace` of what differs
    /// from run to run. With `SUBROSA_UPDATE_SNAPSHOTS=1` it writes the file.
    pub fn matches(&self, name: &str, replace: &[(&str, &str)]) {
        let mut text = String::new();
        let exit = self
            .exit
            .map_or("by a signal".to_owned(), |exit| exit.to_string());
        write!(
            text,
            "exit: {exit}\n--- stdout\n{}--- stderr\n{}",
            self.stdout, self.stderr
        )
        .unwrap();
        text = without_hex(&text.replace(&self.home, "[HOME]"));
        for (from, to) in replace {
            text = text.replace(from, to);
        }
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/{name}.txt"));
        if std::env::var_os("SUBROSA_UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; the program said:\n{text}", path.display())
        });
        assert!(
            text == expected,
            "{name}: expected\n{expected}\ngot\n{text}"
        );
    }
}

/// `text` with long runs of hexadecimal digits, which are keys and hashes,
/// replaced.
fn without_hex(text: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    for char in text.chars().chain(['\0']) {
        if char.is_ascii_hexdigit() {
            run.push(char);
            continue;
        }
        out.push_str(if run.len() >= 12 { "[HEX]" } else { &run });
        run.clear();
        out.push(char);
    }
    out.trim_end_matches('\0').to_owned()
}
