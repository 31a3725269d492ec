//! `subrosa witness`: cosign what logs publish, if it continues what they published before.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use subrosa_log::Witness;
use subrosa_log::http::WitnessService;
use subrosa_translog::{KeyKind, VerifierKey};

use super::log::{listen, storage};
use crate::failure::{Exit, Failure};
use crate::folders::make_private_folder;
use crate::printer::Printer;
use crate::transparency::{DATA, make_key, now, parse_verifier_key, read_key};

/// Cosign checkpoints of logs (c2sp.org/tlog-witness)
///
/// A witness remembers the last checkpoint of each log, and cosigns only what continues it. It should be run by
/// somebody else than the log.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Init(InitFlags),
    Serve(ServeFlags),
}

/// Make the key of a witness, and print the public one
#[derive(Args, Debug)]
struct InitFlags {
    /// The folder to make it in
    folder: PathBuf,

    /// Its name, such as witness.example.org
    #[arg(long)]
    name: String,

    /// What it signs with
    #[arg(long, value_enum, default_value_t = Algorithm::MlDsa44)]
    algorithm: Algorithm,
}

/// What a witness signs with.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Algorithm {
    /// ML-DSA-44, which a quantum computer does not break
    MlDsa44,
    /// Ed25519, for logs and devices that know nothing else
    Ed25519,
}

/// Serve POST /add-checkpoint
#[derive(Args, Debug)]
struct ServeFlags {
    /// The witness's folder
    folder: PathBuf,

    /// Public key of a log it knows, repeated
    #[arg(long = "log", value_name = "KEY", required = true, value_parser = parse_verifier_key)]
    logs: Vec<VerifierKey>,

    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8792", value_name = "ADDRESS")]
    listen: SocketAddr,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    match &flags.action {
        Action::Init(flags) => init(flags, printer),
        Action::Serve(flags) => serve(flags, printer),
    }
}

fn init(flags: &InitFlags, printer: &Printer) -> Result<Exit, Failure> {
    let kind = match flags.algorithm {
        Algorithm::MlDsa44 => KeyKind::MlDsa44Cosignature,
        Algorithm::Ed25519 => KeyKind::Ed25519Cosignature,
    };
    let key = make_key(&flags.folder, &flags.name, kind)?;
    make_private_folder(&flags.folder.join(DATA))?;
    let key = key.verifier_key().to_string();
    if printer.is_json() {
        printer.json(&json!({ "key": key }))?;
    } else {
        printer.line(key)?;
    }
    Ok(Exit::Done)
}

fn serve(flags: &ServeFlags, printer: &Printer) -> Result<Exit, Failure> {
    let key = read_key(&flags.folder)?;
    let witness = Witness::new(storage(&flags.folder.join(DATA))?, key, flags.logs.clone());
    let service = WitnessService {
        witness: Mutex::new(witness),
        clock: now,
    };
    listen(flags.listen, service, "witness", printer)
}

const EXAMPLE: &str = "\
Example:
  subrosa witness init /srv/witness --name witness.example.org
  subrosa witness serve /srv/witness --log 'log.example.org/subrosa+…'";
