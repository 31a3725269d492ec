//! `subrosa models`: fetch model files by hash, and list them.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::disk::size_words;
use crate::download::{Download, hash_file};
use crate::failure::{Exit, Failure};
use crate::folders::{Folders, file_name};
use crate::printer::Printer;

/// Fetch and list model files
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Pull(PullFlags),
    List(ListFlags),
}

/// Fetch a model file and check its hash
///
/// An interrupted fetch continues where it ended. The file gets its name only when its SHA-256 is the
/// one you gave. A fetched model is served with `subrosa try --model PATH`.
#[derive(Args, Debug)]
#[command(after_help = PULL_EXAMPLE)]
struct PullFlags {
    /// Address of a GGUF file: https, or http on this machine
    url: String,

    /// SHA-256 of the file, 64 hexadecimal digits
    ///
    /// Take it from whoever published the model, not from the server that sends it.
    #[arg(long, value_name = "HEX", value_parser = parse_sha256)]
    sha256: [u8; 32],

    /// Name of the file; the last part of the address unless given
    #[arg(long)]
    name: Option<String>,

    /// Most bytes that are fetched
    #[arg(long, value_name = "BYTES", default_value_t = 100_000_000_000)]
    max_bytes: u64,
}

/// List the model files that were fetched
///
/// Prints name, size and path of each. With --verbose each file is hashed again.
#[derive(Args, Debug)]
#[command(after_help = LIST_EXAMPLE)]
struct ListFlags {}

#[derive(Serialize)]
struct Model {
    name: String,
    path: PathBuf,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

pub(crate) fn run(flags: Flags, printer: &Printer) -> Result<Exit, Failure> {
    match flags.action {
        Action::Pull(flags) => pull(&flags, printer),
        Action::List(ListFlags {}) => list(printer),
    }
}

fn pull(flags: &PullFlags, printer: &Printer) -> Result<Exit, Failure> {
    let name = model_name(flags)?;
    let folder = Folders::find()?.models();
    let to = folder.join(&name);
    let there = to.exists();
    if there && hash_file(&to)? != flags.sha256 {
        return Err(Failure::new(
            Exit::Failed,
            format!("{} is there already, with another hash", to.display()),
        )
        .hint("choose another name with --name, or remove that file"));
    }
    let bytes = if there {
        printer.say("already there, with the right hash");
        std::fs::metadata(&to).map_or(0, |metadata| metadata.len())
    } else {
        printer.say(format!("fetching {}", flags.url));
        let download = Download {
            url: &flags.url,
            sha256: flags.sha256,
            to: &to,
            max_bytes: flags.max_bytes,
        };
        download.run(printer)?
    };
    if printer.is_json() {
        let sha256 = Some(hex::encode(flags.sha256));
        printer.json(&Model {
            name,
            path: to,
            bytes,
            sha256,
        })?;
    } else {
        printer.line(to.display())?;
        printer.say(format!(
            "{}, the hash is right; serve it with: subrosa try --model {}",
            size_words(bytes),
            to.display()
        ));
    }
    Ok(Exit::Done)
}

fn list(printer: &Printer) -> Result<Exit, Failure> {
    let folder = Folders::find()?.models();
    let models = models(&folder, printer.is_verbose())?;
    if printer.is_json() {
        printer.json(&models)?;
        return Ok(Exit::Done);
    }
    for model in &models {
        let sha256 = model.sha256.as_deref().unwrap_or_default();
        let line = format!(
            "{:<32} {:>10}  {} {sha256}",
            model.name,
            size_words(model.bytes),
            model.path.display()
        );
        printer.line(line.trim_end())?;
    }
    if models.is_empty() {
        printer.say(format!("no models in {}", folder.display()));
        printer.say("fetch one: subrosa models pull URL --sha256 HEX");
    }
    Ok(Exit::Done)
}

fn models(folder: &std::path::Path, hash: bool) -> Result<Vec<Model>, Failure> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let failed = |error: std::io::Error| Failure::file("read", folder, &error);
    let mut models = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let metadata = entry.metadata().map_err(failed)?;
        if metadata.is_file() && !name.starts_with('.') {
            let path = entry.path();
            let sha256 = hash
                .then(|| hash_file(&path).map(hex::encode))
                .transpose()?;
            models.push(Model {
                name,
                path,
                bytes: metadata.len(),
                sha256,
            });
        }
    }
    models.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(models)
}

fn model_name(flags: &PullFlags) -> Result<String, Failure> {
    let from_url = || {
        let path = flags.url.split(['?', '#']).next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default().to_owned()
    };
    let name = flags.name.clone().unwrap_or_else(from_url);
    if file_name(&name).is_some() {
        return Ok(name);
    }
    Err(Failure::new(
        Exit::Usage,
        format!("`{name}` cannot be the name of a model file"),
    )
    .hint("give one with --name, of letters, digits, dots, dashes and underscores"))
}

fn parse_sha256(text: &str) -> Result<[u8; 32], String> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest)
        .map_err(|_| "64 hexadecimal digits are expected".to_owned())?;
    Ok(digest)
}

const EXAMPLE: &str = "\
Example:
  subrosa models list";

const PULL_EXAMPLE: &str = "\
Example:
  subrosa models pull http://127.0.0.1:8000/model.gguf \\
    --sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const LIST_EXAMPLE: &str = "\
Example:
  subrosa models list --json";
