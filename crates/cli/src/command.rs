//! One module for each command.

pub(crate) mod attest_case;
pub(crate) mod audit;
pub(crate) mod chat;
pub(crate) mod collateral;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod doctor;
#[cfg(all(target_os = "linux", feature = "image"))]
pub(crate) mod image;
pub(crate) mod log;
pub(crate) mod models;
pub(crate) mod monitor;
pub(crate) mod proxy;
pub(crate) mod receipt;
pub(crate) mod release;
pub(crate) mod serve;
#[cfg(feature = "development")]
pub(crate) mod trial;
pub(crate) mod upgrade;
pub(crate) mod verify;
pub(crate) mod verify_web;
pub(crate) mod witness;

use crate::arguments::Command;
use crate::failure::{Exit, Failure};
use crate::printer::Printer;

/// Does what the command line asks for.
pub(crate) fn run(command: Command, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        Command::Config(flags) => config::run(&flags, printer),
        Command::Doctor(flags) => doctor::run(&flags, printer),
        Command::Completions(flags) => completions::run(&flags, printer),
        #[cfg(feature = "development")]
        Command::Try(flags) => trial::run(&flags, printer),
        #[cfg(not(feature = "development"))]
        Command::Try { .. } => Err(no_development()),
        Command::Chat(flags) => chat::run(&flags, printer),
        Command::Serve(flags) => serve::run(&flags, printer),
        Command::Proxy(flags) => proxy::run(&flags, printer),
        Command::Receipt(flags) => receipt::run(&flags, printer),
        Command::Verify(flags) => verify::run(&flags, printer),
        Command::VerifyWeb(flags) => verify_web::run(&flags, printer),
        Command::AttestCase(flags) => attest_case::run(&flags, printer),
        Command::Collateral(flags) => collateral::run(flags, printer),
        #[cfg(all(target_os = "linux", feature = "image"))]
        Command::Image(flags) => image::run(flags, printer),
        Command::Log(flags) => log::run(&flags, printer),
        Command::Release(flags) => release::run(&flags, printer),
        Command::Audit(flags) => audit::run(&flags, printer),
        Command::Upgrade(flags) => upgrade::run(&flags, printer),
        Command::Witness(flags) => witness::run(&flags, printer),
        Command::Monitor(flags) => monitor::run(&flags, printer),
        Command::Models(flags) => models::run(flags, printer),
    }
}

/// The simulated platform protects nothing, so released programs do not know it.
#[cfg(not(feature = "development"))]
pub(crate) fn no_development() -> Failure {
    Failure::new(
        Exit::Usage,
        "this is a released build, which knows no simulated platform",
    )
    .hint("in a checkout of the source: make try; against a real service: subrosa chat --url …")
}
