//! A virtual machine with the image.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use subrosa_init::layout::PORT;

use super::tpm::{RunningTpm, SoftwareTpm};
use crate::build::{ROOT, UNIFIED};
use crate::error::ImageError;
use crate::tool;

/// How the machine is started.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers make it")]
pub struct Options<'a> {
    /// The folder with the image.
    pub image: &'a Path,
    /// Its TPM.
    pub tpm: &'a SoftwareTpm,
    /// Where its service is reached on loopback; 0 takes a free port.
    pub port: u16,
    /// What a host would add to the command line; the firmware measures it.
    pub append: Option<&'a str>,
    /// How long it may take until its service is ready.
    pub patience: Duration,
}

/// A machine that runs for as long as this value lives.
#[derive(Debug)]
pub struct Machine {
    qemu: Child,
    // Dropped behind the machine, which is stopped first.
    _tpm: RunningTpm,
    scratch: tempfile::TempDir,
    port: u16,
}

impl Machine {
    /// Starts the machine and waits until its service is ready.
    ///
    /// # Errors
    ///
    /// [`ImageError`], with the end of the console where the boot stopped.
    pub fn start(options: &Options<'_>, say: &dyn Fn(&str)) -> Result<Self, ImageError> {
        let scratch = tempfile::tempdir().map_err(|source| {
            ImageError::system("cannot make a folder in", Path::new("/tmp"), source)
        })?;
        let code = firmware("OVMF_CODE_4M.fd")?;
        let variables = scratch.path().join("vars.fd");
        let template = firmware("OVMF_VARS_4M.fd")?;
        fs::copy(&template, &variables)
            .map_err(|source| ImageError::system("cannot copy", &template, source))?;
        let socket = scratch.path().join("tpm.sock");
        let tpm = options.tpm.attach(&socket)?;
        let port = free_port(options.port)?;
        let mut command = tool::command("qemu-system-x86_64");
        command.args(MACHINE);
        for drive in [
            format!("if=pflash,format=raw,readonly=on,file={}", code.display()),
            format!("if=pflash,format=raw,file={}", variables.display()),
            format!(
                "if=none,id=root,format=raw,readonly=on,file={}",
                options.image.join(ROOT).display()
            ),
        ] {
            command.args(["-drive", &drive]);
        }
        command
            .args([
                "-chardev",
                &format!("socket,id=tpm,path={}", socket.display()),
            ])
            .args([
                "-netdev",
                &format!("user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:{PORT}"),
            ])
            .arg("-serial")
            .arg(format!("file:{}", console(scratch.path()).display()))
            .arg("-kernel")
            .arg(options.image.join(UNIFIED));
        if let Some(append) = options.append {
            command.args(["-append", append]);
        }
        let errors = scratch.path().join("qemu.log");
        let errors = fs::File::create(&errors)
            .map_err(|source| ImageError::system("cannot write", &errors, source))?;
        let qemu = command
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .map_err(|error| tool::missing("qemu-system-x86_64", &error))?;
        let mut machine = Self {
            qemu,
            _tpm: tpm,
            scratch,
            port,
        };
        machine.wait_until_ready(options.patience, say)?;
        Ok(machine)
    }

    /// Where its service is reached.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Whether it still runs: a machine with a damaged root stops.
    pub fn is_running(&mut self) -> bool {
        matches!(self.qemu.try_wait(), Ok(None))
    }

    /// What it wrote on its console.
    #[must_use]
    pub fn console(&self) -> String {
        let bytes = fs::read(console(self.scratch.path())).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn wait_until_ready(
        &mut self,
        patience: Duration,
        say: &dyn Fn(&str),
    ) -> Result<(), ImageError> {
        let started = Instant::now();
        let mut said = 0;
        loop {
            if self.console().lines().any(|line| line.contains(READY)) {
                return Ok(());
            }
            let what = if !self.is_running() {
                "stopped before its service was ready"
            } else if started.elapsed() > patience {
                "is not ready in time"
            } else {
                let quarters = started.elapsed().as_secs() / 15;
                if quarters > said {
                    said = quarters;
                    say(&format!(
                        "still booting, {} s so far",
                        started.elapsed().as_secs()
                    ));
                }
                sleep(Duration::from_millis(100));
                continue;
            };
            return Err(self.not_ready(what));
        }
    }

    fn not_ready(&self, what: &str) -> ImageError {
        let errors = fs::read(self.scratch.path().join("qemu.log")).unwrap_or_default();
        let all = format!("{}\n{}", self.console(), String::from_utf8_lossy(&errors));
        ImageError::NotReady {
            what: what.to_owned(),
            console: tool::last_lines(&all, 12),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _gone = self.qemu.kill();
        let _reaped = self.qemu.wait();
    }
}

fn console(folder: &Path) -> PathBuf {
    folder.join("console.log")
}

fn firmware(name: &str) -> Result<PathBuf, ImageError> {
    let path = Path::new("/usr/share/OVMF").join(name);
    if path.exists() {
        return Ok(path);
    }
    Err(ImageError::Missing {
        what: path.display().to_string(),
        hint: "scripts/setup image installs the package ovmf",
    })
}

/// QEMU takes the port a moment after this lets go of it.
fn free_port(wanted: u16) -> Result<u16, ImageError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, wanted))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| ImageError::system("cannot listen on", Path::new("127.0.0.1"), source))
}

/// What the enclave prints when it takes requests.
const READY: &str = "\"listening\"";
/// Software emulation works everywhere. Two of the emulator's features are off: with
/// the first QEMU 7.2 now and then crashes kernels as new as the image's, the second
/// costs time. The network card has no boot ROM, which would be measured.
const MACHINE: &[&str] = &[
    "-machine",
    "q35,smm=off",
    "-accel",
    "tcg",
    "-cpu",
    "max,cx16=off,la57=off",
    "-m",
    "1024",
    "-smp",
    "2",
    "-nodefaults",
    "-display",
    "none",
    "-no-reboot",
    "-tpmdev",
    "emulator,id=tpm0,chardev=tpm",
    "-device",
    "tpm-crb,tpmdev=tpm0",
    "-device",
    "virtio-blk-pci,drive=root",
    "-device",
    "virtio-net-pci,netdev=net,romfile=",
];
