//! Entries of a log: who may write them, and what they say.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use subrosa_translog::entry::release::{Manifest, release_id};
use subrosa_translog::entry::roster::{MachineRecord, Roster};
use subrosa_translog::{KeyKind, LogProof, Note, Timestamp};

use crate::failure::{Exit, Failure};
use crate::folders::{read_bounded, read_text, write_private};
use crate::printer::Printer;
use crate::transparency::{make_key, now, read_key};

/// Make the key of an author of entries, and print its public half
#[derive(Args, Debug)]
pub(super) struct AuthorFlags {
    /// The folder to make it in
    folder: PathBuf,

    /// Its name, such as release1.example.org
    #[arg(long)]
    name: String,
}

/// Sign a release manifest (spec/release.md), and print its id
#[derive(Args, Debug)]
pub(super) struct ReleaseFlags {
    /// The manifest, a JSON object; or an entry that others have signed, to sign it too
    manifest: PathBuf,

    /// Folder with the key of an author, repeated
    #[arg(long = "key", value_name = "FOLDER", required = true)]
    keys: Vec<PathBuf>,

    /// Where to write the entry
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// Sign a roster of admitted machines (spec/transparency.md §6)
#[derive(Args, Debug)]
pub(super) struct MachinesFlags {
    /// The records, a JSON object on each line; or an entry that others have signed, to sign it too
    records: PathBuf,

    /// Which roster it is: one more than that of the last
    #[arg(long, required_unless_present = "entry")]
    sequence: Option<u64>,

    /// For how many hours it holds
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=168))]
    hours: u64,

    /// The records file is an entry that others have signed
    #[arg(long, conflicts_with = "sequence")]
    entry: bool,

    /// Folder with the key of an author, repeated
    #[arg(long = "key", value_name = "FOLDER", required = true)]
    keys: Vec<PathBuf>,

    /// Where to write the entry
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

pub(super) fn author(flags: &AuthorFlags, printer: &Printer) -> Result<Exit, Failure> {
    let key = make_key(&flags.folder, &flags.name, KeyKind::Ed25519)?;
    let key = key.verifier_key().to_string();
    if printer.is_json() {
        printer.json(&json!({ "key": key }))?;
    } else {
        printer.line(format!("key   {key}"))?;
    }
    Ok(Exit::Done)
}

pub(super) fn release(flags: &ReleaseFlags, printer: &Printer) -> Result<Exit, Failure> {
    let wrong = || {
        let words = format!("{} is not a release manifest", flags.manifest.display());
        Failure::new(Exit::Usage, words).hint("spec/release.md explains every member")
    };
    let bytes = entry_bytes(&flags.manifest)?;
    let note = if let Ok(note) = Note::parse(&bytes) {
        Manifest::parse(note.text()).map_err(|error| wrong().because(&error))?;
        note
    } else {
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|error| wrong().because(&error))?;
        let text = manifest.entry_text();
        unsigned(text.map_err(|error| wrong().because(&error))?)?
    };
    let note = signed(note, &flags.keys)?;
    write(&flags.output, &note)?;
    let id = hex::encode(release_id(note.text()));
    if printer.is_json() {
        printer.json(&json!({ "release": id }))?;
    } else {
        printer.line(format!("release  {id}"))?;
    }
    Ok(Exit::Done)
}

pub(super) fn machines(flags: &MachinesFlags, printer: &Printer) -> Result<Exit, Failure> {
    let note = match flags.sequence {
        None => {
            let bytes = entry_bytes(&flags.records)?;
            let words = format!("{} is not an entry", flags.records.display());
            let wrong = || Failure::new(Exit::Usage, words);
            let note = Note::parse(&bytes).map_err(|error| wrong().because(&error))?;
            if !note.text().starts_with(Roster::KIND) {
                let words = format!("{} is not a roster", flags.records.display());
                return Err(Failure::new(Exit::Usage, words));
            }
            note
        }
        Some(sequence) => {
            let records = read_records(&flags.records)?;
            let begins = now();
            let ends = begins
                .get()
                .saturating_add(flags.hours.saturating_mul(3600));
            let roster = Roster::of_records(sequence, begins, Timestamp::new(ends), &records);
            let text = roster.and_then(|roster| roster.entry_text());
            unsigned(text.map_err(|error| of_records(&flags.records).because(&error))?)?
        }
    };
    let note = signed(note, &flags.keys)?;
    write(&flags.output, &note)?;
    if printer.is_json() {
        printer.json(&json!({ "entry": flags.output }))?;
    } else {
        printer.line(format!("signed  {}", flags.output.display()))?;
    }
    Ok(Exit::Done)
}

/// The records of machines, a line each, exactly as they are.
pub(super) fn read_records(path: &Path) -> Result<Vec<String>, Failure> {
    let text = read_text(path, MAX_RECORDS)?;
    let records: Vec<String> = text.lines().map(str::to_owned).collect();
    for record in &records {
        MachineRecord::parse(record.as_bytes())
            .map_err(|error| of_records(path).because(&error))?;
    }
    if records.is_empty() {
        return Err(of_records(path).cause("it is empty"));
    }
    Ok(records)
}

/// Adds the signatures of the authors with keys in these folders.
pub(super) fn signed(mut note: Note, keys: &[PathBuf]) -> Result<Note, Failure> {
    let failed = |error| Failure::new(Exit::Failed, "the entry cannot be signed").because(&error);
    for folder in keys {
        let key = read_key(folder)?;
        if key.verifier_key().kind() != KeyKind::Ed25519 {
            let words = format!("{} has the key of a witness", folder.display());
            return Err(Failure::new(Exit::Usage, words).hint("subrosa log author makes one"));
        }
        let line = key.sign(note.text(), now()).map_err(failed)?;
        note.add(line).map_err(failed)?;
    }
    Ok(note)
}

pub(super) fn unsigned(text: String) -> Result<Note, Failure> {
    Note::new(text)
        .map_err(|error| Failure::new(Exit::Usage, "this cannot be an entry").because(&error))
}

fn of_records(path: &Path) -> Failure {
    let words = format!("{} is no list of machines", path.display());
    Failure::new(Exit::Usage, words).hint("each line is a record: spec/transparency.md §6")
}

fn entry_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    read_bounded(path, u64::try_from(LogProof::MAX_ENTRY).unwrap_or(u64::MAX))
}

fn write(path: &Path, note: &Note) -> Result<(), Failure> {
    write_private(path, note.to_string().as_bytes())
}

const MAX_RECORDS: u64 = 16 << 20;
