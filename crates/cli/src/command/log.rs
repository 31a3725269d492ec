//! `subrosa log`: run a transparency log, write its entries, and hand its proofs to a node.

mod entries;
mod staple;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;
use subrosa_log::http::{LogService, serve};
use subrosa_log::{DiskStorage, Log, LogError, Sequencer, Storage};
use subrosa_translog::{KeyKind, LogProof, NoteSigner, VerifierKey};
use tokio::net::TcpListener;

use crate::failure::{Exit, Failure};
use crate::folders::{make_private_folder, read_bounded};
use crate::printer::Printer;
use crate::signals::{self, Stop};
use crate::transparency::{
    Bucket, DATA, Witnesses, has_key, make_key, parse_verifier_key, read_key,
};

/// Run a transparency log: sign, append, publish, serve, prove
///
/// A log is a folder with a secret key and the tiles of a Merkle tree (c2sp.org/tlog-tiles), which survives a crash at
/// any moment. Witnesses that cosign its checkpoints keep it from showing different people different things.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Flags {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Init(InitFlags),
    Author(entries::AuthorFlags),
    Release(entries::ReleaseFlags),
    Machines(entries::MachinesFlags),
    Add(AddFlags),
    Serve(ServeFlags),
    Proof(ProofFlags),
    Staple(staple::StapleFlags),
    Show(ShowFlags),
}

/// Make a log, and print its public key
#[derive(Args, Debug)]
struct InitFlags {
    /// The folder to make it in
    folder: PathBuf,

    /// Its name, such as log.example.org/subrosa
    #[arg(long)]
    name: String,

    /// Keep its data in an S3-compatible object store, as s3://BUCKET/PREFIX; the key stays in the folder. Who may write
    /// there is read from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT, each time
    #[arg(long, value_name = "URL", value_parser = Bucket::parse)]
    objects: Option<Bucket>,
}

/// Where the data of a log are: in its folder, or in a bucket.
type AnyStorage = Box<dyn Storage + Send + Sync>;

/// Append files as entries, ask the witnesses, and publish
#[derive(Args, Debug)]
struct AddFlags {
    /// The log's folder
    folder: PathBuf,

    /// Entries, each a file
    #[arg(required = true)]
    entries: Vec<PathBuf>,

    /// List of witnesses (TOML: quorum, and tables `witnesses` with url and key); without one nobody is asked
    #[arg(long, value_name = "FILE")]
    witnesses: Option<PathBuf>,

    /// Where to write the proofs, as NAME.tlog-proof
    #[arg(long, value_name = "FOLDER")]
    proofs: Option<PathBuf>,
}

/// Serve a log over HTTP, and take entries of its authors (POST /add)
#[derive(Args, Debug)]
struct ServeFlags {
    /// The log's folder
    folder: PathBuf,

    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8791", value_name = "ADDRESS")]
    listen: SocketAddr,

    /// Public key of an author whose entries are taken, repeated; without one none are
    #[arg(long = "author", value_name = "KEY", value_parser = parse_verifier_key)]
    authors: Vec<VerifierKey>,

    /// List of witnesses (TOML: quorum, and tables `witnesses` with url and key)
    #[arg(long, value_name = "FILE")]
    witnesses: Option<PathBuf>,
}

/// Print the proof that an entry is in the published checkpoint (c2sp.org/tlog-proof)
#[derive(Args, Debug)]
struct ProofFlags {
    /// The log's folder
    folder: PathBuf,

    /// Which entry, from 0
    index: u64,
}

/// Print the log's public key and size
#[derive(Args, Debug)]
struct ShowFlags {
    /// The log's folder
    folder: PathBuf,
}

pub(crate) fn run(flags: &Flags, printer: &Printer) -> Result<Exit, Failure> {
    match &flags.action {
        Action::Init(flags) => init(flags, printer),
        Action::Author(flags) => entries::author(flags, printer),
        Action::Release(flags) => entries::release(flags, printer),
        Action::Machines(flags) => entries::machines(flags, printer),
        Action::Add(flags) => add(flags, printer),
        Action::Serve(flags) => serve_log(flags, printer),
        Action::Proof(flags) => proof(flags, printer),
        Action::Staple(flags) => staple::staple(flags, printer),
        Action::Show(flags) => show(&open(&flags.folder)?, printer),
    }
}

fn init(flags: &InitFlags, printer: &Printer) -> Result<Exit, Failure> {
    let key = key_of_new(&flags.folder, &flags.name)?;
    if let Some(bucket) = &flags.objects {
        bucket.note(&flags.folder)?;
    } else {
        make_private_folder(&flags.folder.join(DATA))?;
    }
    let log = Log::create(data(&flags.folder)?, key).map_err(|error| of_log(&error))?;
    show(&log, printer)
}

/// A key for a log that is not there yet. One that an earlier try has left is used.
fn key_of_new(folder: &Path, name: &str) -> Result<NoteSigner, Failure> {
    if !has_key(folder) {
        return make_key(folder, name, KeyKind::Ed25519);
    }
    let key = read_key(folder)?;
    let own = key.verifier_key().name().as_str();
    if own == name {
        return Ok(key);
    }
    let message = format!("{} has a key already, named {own}", folder.display());
    Err(Failure::new(Exit::Usage, message).hint("name another folder"))
}

fn show(log: &Log<AnyStorage>, printer: &Printer) -> Result<Exit, Failure> {
    let published = log.published().map_err(|error| of_log(&error))?;
    let key = log.key().to_string();
    if printer.is_json() {
        printer.json(&json!({
            "key": key,
            "size": log.size(),
            "checkpoint": published.map(|note| note.to_string()),
        }))?;
    } else {
        printer.line(format!("key   {key}\nsize  {}", log.size()))?;
        if let Some(note) = published {
            printer.line(format!("\n{note}"))?;
        }
    }
    Ok(Exit::Done)
}

fn add(flags: &AddFlags, printer: &Printer) -> Result<Exit, Failure> {
    let limit = u64::try_from(LogProof::MAX_ENTRY).unwrap_or(u64::MAX);
    let entries = flags
        .entries
        .iter()
        .map(|path| read_bounded(path, limit))
        .collect::<Result<Vec<_>, _>>()?;
    let mut log = open(&flags.folder)?;
    let witnesses = Witnesses::read(flags.witnesses.as_deref())?;
    let first = log.append(&entries).map_err(|error| of_log(&error))?;
    let (mut sequencer, _submission) = Sequencer::new(log, witnesses);
    sequencer.publish().map_err(|error| {
        Failure::new(Exit::Network, "the entries are appended, but not published")
            .because(&error)
            .hint("the next `subrosa log add` or `serve` publishes them too")
    })?;
    let log = sequencer.log();
    let published = log.published().map_err(|error| of_log(&error))?;
    let published = published.ok_or_else(|| Failure::new(Exit::Failed, "nothing is published"))?;
    for (index, path) in (first..).zip(&flags.entries) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(folder) = &flags.proofs {
            let proof = log
                .proof(index, &published)
                .map_err(|error| of_log(&error))?;
            let to = folder.join(format!("{name}.tlog-proof"));
            crate::folders::write_private(&to, proof.to_string().as_bytes())?;
        }
        if printer.is_json() {
            printer.json(&json!({ "index": index, "file": path }))?;
        } else {
            printer.line(format!("{index}  {name}"))?;
        }
    }
    Ok(Exit::Done)
}

fn serve_log(flags: &ServeFlags, printer: &Printer) -> Result<Exit, Failure> {
    let log = open(&flags.folder)?;
    let (mut sequencer, submission) =
        Sequencer::new(log, Witnesses::read(flags.witnesses.as_deref())?);
    if sequencer.log().size() > 0
        && let Err(error) = sequencer.publish()
    {
        printer.say(format!("not published yet: {error}"));
    }
    let storage: AnyStorage = match Bucket::of_log(&flags.folder)? {
        Some(bucket) => Box::new(bucket.read_only()?),
        None => Box::new(DiskStorage::read_only(&flags.folder.join(DATA))),
    };
    let service = LogService {
        storage,
        submission,
        authors: flags.authors.clone(),
    };
    let sequencer = std::thread::spawn(move || sequencer.run());
    let outcome = listen(flags.listen, service, "log", printer);
    // What was taken is finished before the program ends.
    let _ended = sequencer.join();
    outcome
}

/// Serves until somebody ends it.
pub(super) fn listen<T: subrosa_log::http::Service>(
    address: SocketAddr,
    service: T,
    what: &str,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let runtime = signals::runtime()?;
    let listener = runtime
        .block_on(TcpListener::bind(address))
        .map_err(|error| {
            Failure::new(Exit::Network, format!("cannot listen on {address}"))
                .because(&error)
                .hint("end the other program, or name another address with --listen")
        })?;
    let mut stop = Stop::listen(&runtime)?;
    let address = listener.local_addr().unwrap_or(address);
    printer.say(format!("the {what} listens; Ctrl-C ends it"));
    printer.line(format!("http://{address}"))?;
    runtime.block_on(async {
        let wished = async {
            // Without signals it serves until it is killed.
            if stop.wished().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        serve(listener, Arc::new(service), wished).await;
    });
    Ok(Exit::Done)
}

fn proof(flags: &ProofFlags, printer: &Printer) -> Result<Exit, Failure> {
    let log = open(&flags.folder)?;
    let published = log.published().map_err(|error| of_log(&error))?;
    let published = published.ok_or_else(|| {
        Failure::new(Exit::Failed, "nothing is published yet").hint("subrosa log add publishes")
    })?;
    let proof = log
        .proof(flags.index, &published)
        .map_err(|error| of_log(&error))?;
    printer.raw(proof.to_string().as_bytes())?;
    Ok(Exit::Done)
}

fn open(folder: &Path) -> Result<Log<AnyStorage>, Failure> {
    let key = read_key(folder)?;
    Log::open(data(folder)?, key).map_err(|error| of_log(&error))
}

/// The data of the log in this folder, for the program that writes.
fn data(folder: &Path) -> Result<AnyStorage, Failure> {
    Ok(match Bucket::of_log(folder)? {
        Some(bucket) => Box::new(bucket.open()?),
        None => Box::new(storage(&folder.join(DATA))?),
    })
}

pub(super) fn storage(folder: &Path) -> Result<DiskStorage, Failure> {
    DiskStorage::open(folder).map_err(|error| {
        let failure = Failure::file("open", folder, &error);
        if error.kind() == std::io::ErrorKind::ResourceBusy {
            failure.hint("one program at a time writes: end the other one, or hand entries to it (POST /add)")
        } else {
            failure
        }
    })
}

fn of_log(error: &LogError) -> Failure {
    let exit = match error {
        LogError::Exists
        | LogError::Missing
        | LogError::OtherKey
        | LogError::Entry { .. }
        | LogError::Proof(_) => Exit::Usage,
        _ => Exit::Failed,
    };
    Failure::new(exit, error).caused_by(error)
}

const EXAMPLE: &str = "\
Example:
  subrosa log init /srv/log --name log.example.org/subrosa
  subrosa log author /srv/release-key --name release1.example.org
  subrosa log release manifest.json --key /srv/release-key --output release.note
  subrosa log add /srv/log release.note --witnesses witnesses.toml
  subrosa log serve /srv/log --author 'operator.example+…' --witnesses witnesses.toml
  subrosa log staple http://127.0.0.1:8791 /srv/stapled --release 0";
