//! The command line.

use clap::{ArgAction, Args, Parser, Subcommand};

#[cfg(all(target_os = "linux", feature = "image"))]
use crate::command::image;
#[cfg(feature = "development")]
use crate::command::trial;
use crate::command::{
    attest_case, audit, chat, collateral, completions, config, doctor, log, models, monitor, proxy,
    receipt, release, serve, upgrade, verify, verify_web, witness,
};

/// Private AI that anyone can check.
///
/// A message is sealed on this device and opened only inside a confidential virtual machine whose
/// evidence this program has checked. Every answer ends with a verdict and a receipt.
#[derive(Debug, Parser)]
#[command(name = "subrosa", version, after_help = EXAMPLE, after_long_help = MORE)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) output: OutputFlags,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How much is printed, and in which form.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OutputFlags {
    /// Print JSON on stdout, one document on a line
    ///
    /// The members are stable within a major version. Errors become one document on stderr.
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,

    /// Say nothing on stderr but verdicts and errors
    #[arg(
        long,
        short,
        global = true,
        conflicts_with = "verbose",
        help_heading = "Output"
    )]
    pub(crate) quiet: bool,

    /// Say more on stderr
    #[arg(long, short, global = true, action = ArgAction::Count, help_heading = "Output")]
    pub(crate) verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[cfg(feature = "development")]
    Try(trial::Flags),
    /// Not in this build: needs the feature `development`
    #[cfg(not(feature = "development"))]
    #[command(hide = true)]
    Try {
        /// Whatever follows
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        _rest: Vec<std::ffi::OsString>,
    },
    Chat(chat::Flags),
    Proxy(proxy::Flags),
    Serve(serve::Flags),
    Verify(verify::Flags),
    VerifyWeb(verify_web::Flags),
    AttestCase(attest_case::Flags),
    Collateral(collateral::Flags),
    Receipt(receipt::Flags),
    #[cfg(all(target_os = "linux", feature = "image"))]
    Image(image::Flags),
    Log(log::Flags),
    Witness(witness::Flags),
    Monitor(monitor::Flags),
    Release(release::Flags),
    Audit(audit::Flags),
    Upgrade(upgrade::Flags),
    Models(models::Flags),
    Config(config::Flags),
    Doctor(doctor::Flags),
    Completions(completions::Flags),
}

const EXAMPLE: &str = "\
Example:
  subrosa doctor";

const MORE: &str = "\
Exit codes:
  0  done
  1  failed
  2  the command line, the settings or a policy file are wrong
  3  verification refused
  4  the service could not be reached, or a port could not be opened
  5  the service was verified but did not answer
  6  NOT PROTECTED (development), where the point of the command is verification

Example:
  subrosa doctor";
