//! One running enclave with a configuration of its own.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use getrandom::SysRng;
use rand_core::UnwrapErr;
use sha2::{Digest as _, Sha256, Sha384};
use subrosa_attest::development::Root;
use subrosa_attest::{Policy, UnixSeconds};
use subrosa_channel::{absent_release, absent_weights};
use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_subrosa-enclave");

/// A running enclave; it is killed when dropped.
pub struct Enclave {
    pub address: SocketAddr,
    pub key_id: String,
    pub folder: TempDir,
    child: Child,
    stdout: BufReader<ChildStdout>,
    config: String,
    weights: Vec<[u8; 32]>,
}

/// What differs from the configuration that most tests use.
#[derive(Default)]
pub struct Settings {
    pub listen: String,
    pub limits: String,
    pub keys: String,
    pub engine: Option<String>,
    pub rest: String,
    pub arguments: Vec<&'static str>,
    pub weights: Vec<[u8; 32]>,
}

impl Settings {
    pub fn engine(text: &str) -> Self {
        Self {
            engine: Some(text.to_owned()),
            ..Self::default()
        }
    }

    pub fn limits(text: &str) -> Self {
        Self {
            limits: text.to_owned(),
            ..Self::default()
        }
    }

    fn config(&self) -> String {
        let mut text = String::from("[listen]\naddress = \"127.0.0.1:0\"\n");
        let engine = self.engine.as_deref().unwrap_or("kind = \"echo\"");
        let (listen, limits, keys) = (&self.listen, &self.limits, &self.keys);
        let _ = write!(
            text,
            "{listen}\n[limits]\n{limits}\n[keys]\n{keys}\n[engine]\n{engine}\n\
             [platform]\nkind = \"simulated\"\nroot_secret = \"root.secret\"\n{}\n",
            self.rest
        );
        text
    }
}

impl Enclave {
    pub fn start() -> Self {
        Self::with(&Settings::default())
    }

    pub fn with(settings: &Settings) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(
            folder.path().join("root.secret"),
            root().to_secret_file().as_bytes(),
        )
        .unwrap();
        let config = settings.config();
        let path = folder.path().join("enclave.toml");
        std::fs::write(&path, &config).unwrap();
        let mut child = command(&path, &settings.arguments).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let Ok(ready) = serde_json::from_str::<serde_json::Value>(&line) else {
            let mut error = String::new();
            child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut error)
                .unwrap();
            panic!("the enclave did not start: {error}");
        };
        drain(child.stderr.take().unwrap(), folder.path().join("log"));
        Self {
            address: ready["listening"].as_str().unwrap().parse().unwrap(),
            key_id: ready["key_id"].as_str().unwrap().to_owned(),
            folder,
            child,
            stdout,
            config,
            weights: settings.weights.clone(),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it prints after the line that says that it is ready, up to its end.
    pub fn rest_of_stdout(&mut self) -> String {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        rest
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Pages that are in memory, in bytes.
    pub fn resident(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.pid())).unwrap();
        let pages: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
        pages * 4096
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let pid = rustix::process::Pid::from_raw(self.pid().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// Closes its stdin.
    pub fn close_stdin(&mut self) {
        drop(self.child.stdin.take());
    }

    pub fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < Duration::from_mins(1), "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A policy that this enclave meets.
    pub fn policy(&self) -> Policy {
        let mut text = format!(
            "version = 1\nname = \"test\"\nplatforms = [\"sev-snp\"]\n\
             [[measurements]]\nname = \"enclave\"\nplatform = \"sev-snp\"\nvalue = \"{}\"\n\
             [[configurations]]\nname = \"configuration\"\nsha256 = \"{}\"\n\
             [[releases]]\nname = \"none\"\nsha256 = \"{}\"\n",
            measurement(),
            hex::encode(Sha256::digest(&self.config)),
            hex::encode(absent_release()),
        );
        let none = [absent_weights()];
        let weights = if self.weights.is_empty() {
            &none[..]
        } else {
            &self.weights
        };
        for weights in weights {
            let _ = write!(
                text,
                "[[weights]]\nname = \"model\"\nsha256 = \"{}\"\n",
                hex::encode(weights)
            );
        }
        Policy::parse(&text).unwrap()
    }
}

impl Drop for Enclave {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with a configuration, its pipes held by us.
pub fn command(config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .arg("--config")
        .arg(config)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn drain(mut stderr: std::process::ChildStderr, path: PathBuf) {
    let mut file = std::fs::File::create(path).unwrap();
    std::thread::spawn(move || std::io::copy(&mut stderr, &mut file));
}

fn measurement() -> &'static str {
    static MEASUREMENT: OnceLock<String> = OnceLock::new();
    MEASUREMENT.get_or_init(|| hex::encode(Sha384::digest(std::fs::read(PROGRAM).unwrap())))
}

pub fn now() -> UnixSeconds {
    UnixSeconds::new(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs(),
    )
}

/// A simulated root. It takes seconds to make, and every test is a process of
/// its own, so one is kept beside the test programs.
pub fn root() -> &'static Root {
    static ROOT: OnceLock<Root> = OnceLock::new();
    ROOT.get_or_init(|| {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("simulated-root-1.secret");
        if let Some(root) = std::fs::read_to_string(&kept)
            .ok()
            .and_then(|text| Root::from_secret_file(&text).ok())
        {
            return root;
        }
        let root = Root::generate(&mut UnwrapErr(SysRng), now()).unwrap();
        let own = kept.with_extension(std::process::id().to_string());
        std::fs::write(&own, root.to_secret_file().as_bytes()).unwrap();
        std::fs::rename(&own, &kept).unwrap();
        root
    })
}
