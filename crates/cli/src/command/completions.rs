//! `subrosa completions`: scripts that complete this command in a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::failure::{Exit, Failure};
use crate::printer::Printer;

/// Print a completion script for a shell
///
/// Write it to where the shell looks for completions.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        flags.shell,
        &mut Arguments::command(),
        "subrosa",
        &mut script,
    );
    printer.raw(&script)?;
    Ok(Exit::Done)
}

const EXAMPLE: &str = "\
Example:
  mkdir -p ~/.local/share/bash-completion/completions
  subrosa completions bash > ~/.local/share/bash-completion/completions/subrosa";
