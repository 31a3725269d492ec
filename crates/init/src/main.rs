//! `subrosa-init`: process 1 of the measured image.

#![forbid(unsafe_code)]

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use rustix::system::{RebootCommand, reboot};
    use subrosa_init::boot::{boot, say};

    if !rustix::process::getpid().is_init() {
        say("this is process 1 of the measured image, and nothing else");
        return ExitCode::from(2);
    }
    match boot() {
        Ok(()) => say("the enclave has ended"),
        Err(error) => say(&format!("FATAL: {error}")),
    }
    rustix::fs::sync();
    // It does not return, and a process 1 that ends is a panic, which is as well.
    let _failed = reboot(RebootCommand::PowerOff);
    ExitCode::FAILURE
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    ExitCode::from(2)
}
