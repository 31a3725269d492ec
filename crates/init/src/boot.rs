//! The way from the kernel to the enclave.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rustix::process::{WaitOptions, wait};

use crate::command_line::{CommandLine, CommandLineError};
use crate::layout::{CONFIGURATION, ENCLAVE, NEW_ROOT};
use crate::{kernel, mounts, network};

/// Does everything, and returns when the enclave has ended.
///
/// # Errors
///
/// [`BootError`]; the machine is to be powered off either way.
pub fn boot() -> Result<(), BootError> {
    mounts::early()?;
    let text = std::fs::read_to_string("/proc/cmdline").map_err(|reason| BootError::System {
        what: "/proc/cmdline",
        reason,
    })?;
    let line = CommandLine::parse(&text)?;
    kernel::load_modules()?;
    mounts::late()?;
    mounts::root(line.root())?;
    network::set_up()?;
    kernel::lock()?;
    mounts::switch()?;
    run_enclave()
}

/// Starts the enclave with nothing but its configuration, and reaps whatever ends
/// until it does.
fn run_enclave() -> Result<(), BootError> {
    let enclave = Command::new(ENCLAVE)
        .args(["--config", CONFIGURATION])
        .env_clear()
        .stdin(Stdio::null())
        .spawn()
        .map_err(|reason| BootError::System {
            what: ENCLAVE,
            reason,
        })?;
    let enclave = i32::try_from(enclave.id()).unwrap_or(-1);
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((process, status))) if process.as_raw_nonzero().get() == enclave => {
                let code = status.exit_status();
                return match code {
                    Some(0) => Ok(()),
                    code => Err(BootError::Enclave { code }),
                };
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                return Err(BootError::System {
                    what: "wait",
                    reason: error.into(),
                });
            }
        }
    }
}

/// One line for the operator, on the console that the host sees.
pub fn say(text: &str) {
    let _nobody_may_read = writeln!(std::io::stderr(), "subrosa-init: {text}");
}

/// Why the machine is powered off.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// Something does not fit into the structure of a kernel call.
    #[error("a kernel call would take more than it can hold")]
    Buffer,

    /// The command line is not the image's.
    #[error(transparent)]
    CommandLine(#[from] CommandLineError),

    /// The enclave ended with an error.
    #[error("the enclave ended with {code:?}")]
    Enclave {
        /// Its exit code; `None` after a signal.
        code: Option<i32>,
    },

    /// The kernel does not take a module.
    #[error("module {name}: {reason}")]
    Module {
        /// Its name.
        name: &'static str,
        /// What the kernel says.
        reason: std::io::Error,
    },

    /// A device does not appear.
    #[error("{path} does not appear (the new root would be {NEW_ROOT})")]
    NoDevice {
        /// Where it should be.
        path: &'static str,
    },

    /// A call of the kernel failed.
    #[error("{what}: {reason}")]
    System {
        /// What it is about.
        what: &'static str,
        /// What the kernel says.
        reason: std::io::Error,
    },
}
