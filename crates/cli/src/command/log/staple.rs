//! `subrosa log staple`: the files that a node shows with its evidence.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde::Deserialize;
use serde_json::json;
use subrosa_translog::entry::directory::Directory;
use subrosa_translog::entry::roster::RecordProof;
use subrosa_translog::{LogProof, Timestamp};

use super::entries::{read_records, signed, unsigned};
use crate::failure::{Exit, Failure};
use crate::folders::{read_bounded, write_private};
use crate::printer::Printer;
use crate::transparency::{Remote, now};

/// Write the proofs that a node shows with its evidence (configuration `log`), and log its directory
///
/// Run it before the service starts, without --service, and then every minute, with it: it asks the service for its next
/// directory, logs it if it is not logged yet, and renews the other files.
#[derive(Args, Debug)]
pub(super) struct StapleFlags {
    /// Where the log is served
    log: String,

    /// The folder to write into: release.tlog-proof, checkpoint, machines.tlog-proof, machine.record, directory.tlog-proof
    folder: PathBuf,

    /// Which entry of the log the release is
    #[arg(long, value_name = "INDEX")]
    release: u64,

    /// Which entry of the log the roster of machines is
    #[arg(long, value_name = "INDEX", requires = "records")]
    machines: Option<u64>,

    /// The records that the roster was made of
    #[arg(long, value_name = "FILE", requires = "record")]
    records: Option<PathBuf>,

    /// Which of them is this machine's, from 0
    #[arg(long, value_name = "INDEX", requires = "machines")]
    record: Option<u64>,

    /// Where the node listens, to log its directory
    #[arg(long, value_name = "URL", requires = "operator")]
    service: Option<String>,

    /// Folder with the key that signs directories
    #[arg(long, value_name = "FOLDER", requires = "service")]
    operator: Option<PathBuf>,
}

/// What of a directory is logged.
#[derive(Deserialize)]
struct Document {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    bundle: String,
    not_after: u64,
}

pub(super) fn staple(flags: &StapleFlags, printer: &Printer) -> Result<Exit, Failure> {
    let remote = Remote::new(&flags.log)?;
    let logged = match (&flags.service, &flags.operator) {
        (Some(service), Some(operator)) => log_directory(&remote, flags, service, operator)?,
        _ => false,
    };
    let log = remote.log()?;
    let mut files = vec![
        (RELEASE, log.proof(flags.release)?.to_string()),
        (CHECKPOINT, log.checkpoint().to_string()),
    ];
    if let (Some(index), Some(records), Some(record)) =
        (flags.machines, &flags.records, flags.record)
    {
        let records = read_records(records)?;
        let record = RecordProof::of_records(&records, record).map_err(|error| {
            Failure::new(Exit::Usage, "there is no such record").because(&error)
        })?;
        files.push((MACHINES, log.proof(index)?.to_string()));
        files.push((MACHINE, record.to_string()));
    }
    for (name, content) in files {
        write_private(&flags.folder.join(name), content.as_bytes())?;
    }
    if printer.is_json() {
        printer.json(&json!({ "folder": flags.folder, "directory-logged": logged }))?;
    } else {
        let words = if logged {
            "; a directory was logged"
        } else {
            ""
        };
        printer.line(format!("written  {}{words}", flags.folder.display()))?;
    }
    Ok(Exit::Done)
}

/// Logs the directory that the node wants to show next, unless its proof is there.
fn log_directory(
    remote: &Remote,
    flags: &StapleFlags,
    service: &str,
    operator: &Path,
) -> Result<bool, Failure> {
    let wrong = || {
        Failure::new(Exit::Refused, "the service shows no directory")
            .hint("check --service: scheme, host and port of the node itself")
    };
    let bytes = Remote::new(service)?.fetch("subrosa/v1/directory/next", MAX_DIRECTORY)?;
    let document: Document =
        serde_json::from_slice(&bytes).map_err(|error| wrong().because(&error))?;
    let hashes: Option<Vec<[u8; 32]>> = document
        .nodes
        .iter()
        .map(|node| {
            let mut hash = [0; 32];
            hex::decode_to_slice(&node.bundle, &mut hash).ok()?;
            Some(hash)
        })
        .collect();
    let hashes = hashes.ok_or_else(|| wrong().cause("a bundle has no hash"))?;
    let path = flags.folder.join(DIRECTORY);
    if is_logged(&path, &hashes) {
        return Ok(false);
    }
    let begins = now();
    let longest = begins.get().saturating_add(Directory::MAX_LIFE);
    let ends = document.nodes.iter().map(|node| node.not_after).min();
    let ends = ends.unwrap_or(longest).clamp(begins.get(), longest);
    let text = Directory::new(epoch(), begins, Timestamp::new(ends), hashes)
        .and_then(|directory| directory.entry_text())
        .map_err(|error| wrong().because(&error))?;
    let entry = signed(unsigned(text)?, &[operator.to_owned()])?;
    let proof = remote.add(&entry)?;
    write_private(&path, proof.to_string().as_bytes())?;
    Ok(true)
}

/// A number that grows and that no other directory of the service has: microseconds, because several nodes of one
/// service may each log theirs within one second.
fn epoch() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since.map_or(0, |since| since.as_micros());
    u64::try_from(micros).unwrap_or(u64::MAX)
}

fn is_logged(path: &Path, hashes: &[[u8; 32]]) -> bool {
    let limit = u64::try_from(LogProof::MAX).unwrap_or(u64::MAX);
    read_bounded(path, limit)
        .ok()
        .and_then(|bytes| LogProof::parse(&bytes).ok())
        .is_some_and(|proof| Directory::is_proven_by(&proof, hashes))
}

const RELEASE: &str = "release.tlog-proof";
const CHECKPOINT: &str = "checkpoint";
const MACHINES: &str = "machines.tlog-proof";
const MACHINE: &str = "machine.record";
const DIRECTORY: &str = "directory.tlog-proof";
const MAX_DIRECTORY: usize = 64 << 10;
