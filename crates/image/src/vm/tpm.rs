//! A TPM in software (`swtpm`).

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::ImageError;
use crate::{files, tool};

/// The state of a TPM: its seeds, from which its keys come.
#[derive(Clone, Debug)]
pub struct SoftwareTpm {
    state: PathBuf,
}

impl SoftwareTpm {
    /// The TPM whose state is in `folder`; a new one is made where there is none.
    ///
    /// # Errors
    ///
    /// [`ImageError`].
    pub fn open(folder: &Path) -> Result<Self, ImageError> {
        let tpm = Self {
            state: folder.to_owned(),
        };
        if !folder.join("tpm2-00.permall").exists() {
            files::make_folder(folder)?;
            let state = format!("dir://{}", folder.display());
            let mut arguments = vec!["--tpm2", "--tpmstate", &state, "--pcr-banks", "sha256"];
            // As root it would become another user, who may not write there.
            arguments.extend(["--runas", "root"].iter().filter(|_| is_root(folder)));
            tool::run("swtpm_setup", arguments)?;
        }
        Ok(tpm)
    }

    /// Starts it, for commands at the socket `path` of this process.
    ///
    /// # Errors
    ///
    /// [`ImageError`].
    pub fn serve(&self, path: &Path) -> Result<RunningTpm, ImageError> {
        let server = format!("type=unixio,path={}", path.display());
        self.start(
            path,
            &[
                "--server",
                &server,
                "--flags",
                "not-need-init,startup-clear",
            ],
        )
    }

    /// Starts it, for a virtual machine that controls it at the socket `path`.
    pub(super) fn attach(&self, path: &Path) -> Result<RunningTpm, ImageError> {
        let control = format!("type=unixio,path={}", path.display());
        self.start(
            path,
            &[
                "--ctrl",
                &control,
                "--flags",
                "startup-clear",
                "--terminate",
            ],
        )
    }

    fn start(&self, socket: &Path, arguments: &[&str]) -> Result<RunningTpm, ImageError> {
        let state = format!("dir={}", self.state.display());
        let mut command = tool::command("swtpm");
        command
            .args(["socket", "--tpm2", "--tpmstate", &state])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command
            .spawn()
            .map_err(|error| tool::missing("swtpm", &error))?;
        let mut running = RunningTpm { child };
        let started = Instant::now();
        while !socket.exists() {
            let ended = matches!(running.child.try_wait(), Ok(Some(_)));
            if ended || started.elapsed() > PATIENCE {
                return Err(ImageError::Tool {
                    tool: "swtpm".to_owned(),
                    output: format!(
                        "it does not serve the state in {}; another machine may be using it",
                        self.state.display()
                    ),
                });
            }
            sleep(Duration::from_millis(20));
        }
        Ok(running)
    }
}

/// A TPM that runs for as long as this value lives.
#[derive(Debug)]
pub struct RunningTpm {
    child: Child,
}

impl Drop for RunningTpm {
    fn drop(&mut self) {
        // Behind a machine it ends by itself, and writes its state first.
        for _ in 0..50 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Whether what this process makes belongs to root.
fn is_root(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    folder.metadata().is_ok_and(|metadata| metadata.uid() == 0)
}

const PATIENCE: Duration = Duration::from_secs(10);
