//! `subrosa image`: the measured image, built from this source and started on this
//! machine.

mod attack;
mod booted;
mod built;
mod command;
mod reproduce;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};
use crate::printer::Printer;

/// Build the measured image, predict what it measures, and start it in a virtual machine
///
/// A virtual machine on this machine protects nobody from it: TPM and memory belong to whoever runs it,
/// so the verdict is NOT PROTECTED (development). What is shown is that exactly the predicted image runs.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(built::BuildFlags),
    Boot(booted::BootFlags),
    Chat(booted::ChatFlags),
    Reproduce(reproduce::Flags),
    Attack(attack::Flags),
    #[command(name = "command")]
    Host(command::Flags),
}

/// Where the image is.
#[derive(Args, Clone, Debug)]
struct ImageFlags {
    /// Folder of the image
    #[arg(long, value_name = "FOLDER", default_value = "dist/image")]
    image: PathBuf,
}

pub(crate) fn run(flags: Flags, printer: &Printer) -> Result<Exit, Failure> {
    match flags.command {
        Command::Build(flags) => built::run(&flags, printer),
        Command::Boot(flags) => booted::boot(&flags, printer),
        Command::Chat(flags) => booted::chat(&flags, printer),
        Command::Reproduce(flags) => reproduce::run(&flags, printer),
        Command::Attack(flags) => attack::run(&flags, printer),
        Command::Host(flags) => command::run(&flags, printer),
    }
}

/// What the image says, as a failure of this program.
fn failed(error: &subrosa_image::ImageError) -> Failure {
    let failure = Failure::new(Exit::Failed, error).caused_by(error);
    match error {
        subrosa_image::ImageError::NotReady { .. } => {
            failure.hint("the last lines of the console say where it stopped")
        }
        _ => failure,
    }
}

const EXAMPLE: &str = "\
Example:
  subrosa image build
  echo 'Hello' | subrosa image chat";
