//! `subrosa-package`: packs what `scripts/release` has built.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use subrosa_package::{oci, wheel};

/// Pack built programs, the same bytes each time
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLE)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A Python wheel with the static client
    Wheel {
        /// The program
        program: PathBuf,
        /// Folder to write the wheel into
        folder: PathBuf,
    },
    /// An OCI image layout with a program and the libraries it needs
    Oci {
        /// The program; it is started, and is in /usr/bin
        program: PathBuf,
        /// Folder to write the layout into; it must not be there yet
        folder: PathBuf,
        /// A file to put into the image, repeated
        #[arg(long = "file", value_name = "FILE=PATH", value_parser = parse_file)]
        files: Vec<(PathBuf, String)>,
        /// An argument of the program, unless others are given, repeated
        #[arg(long = "argument", value_name = "WORD", allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the end of the program"
)]
fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(words) => {
            println!("{words}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<String, Box<dyn std::error::Error>> {
    match command {
        Command::Wheel { program, folder } => {
            let path = wheel::write(&program, VERSION, &folder)?;
            Ok(path.display().to_string())
        }
        Command::Oci {
            program,
            folder,
            mut files,
            arguments,
        } => {
            if folder.exists() {
                return Err(format!("{} is there already", folder.display()).into());
            }
            let name = program.file_name().unwrap_or_default().to_string_lossy();
            let at = format!("/usr/bin/{name}");
            files.extend(libraries_of(&program)?);
            files.push((program.clone(), at.clone()));
            let image = oci::Image {
                name: format!("{name}:{VERSION}"),
                files,
                folders: vec!["/tmp".to_owned()],
                entrypoint: vec![at],
                arguments,
            };
            Ok(oci::write(&image, &folder)?)
        }
    }
}

/// What the program needs of this machine, at the same places.
#[cfg(target_os = "linux")]
fn libraries_of(
    program: &std::path::Path,
) -> Result<Vec<(PathBuf, String)>, subrosa_image::ImageError> {
    let libraries = subrosa_image::root::libraries_of(program)?;
    Ok(libraries
        .into_iter()
        .map(|path| (path.clone(), path.display().to_string()))
        .collect())
}

#[cfg(not(target_os = "linux"))]
fn libraries_of(_program: &std::path::Path) -> Result<Vec<(PathBuf, String)>, String> {
    Err("images are packed on Linux".to_owned())
}

fn parse_file(text: &str) -> Result<(PathBuf, String), String> {
    let (from, at) = text.split_once('=').ok_or("expected FILE=PATH")?;
    if !at.starts_with('/') || at.split('/').any(|part| part == "..") {
        return Err("a path in the image is absolute".to_owned());
    }
    Ok((from.into(), at.to_owned()))
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

const EXAMPLE: &str = "\
Example:
  subrosa-package wheel dist/subrosa dist
  subrosa-package oci dist/subrosa-enclave dist/oci --file deploy/enclave.toml=/etc/subrosa/enclave.toml";
