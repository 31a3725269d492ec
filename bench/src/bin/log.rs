//! A transparency log of a million entries: appending, its proofs, and what verifying them takes;
//! its trees and proofs beside those of the crate `tlog_tiles`.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use serde_json::Value;
use subrosa_bench::arguments::Arguments;
use subrosa_bench::report::{Row, write};
use subrosa_bench::stats::median;
use subrosa_bench::{Failed, finish, progress};
use subrosa_log::log::with_cosignatures;
use subrosa_log::{DiskStorage, Log};
use subrosa_translog::merkle::{Frontier, verify_consistency};
use subrosa_translog::{
    Checkpoint, Hash, KeyKind, KeyName, LogPolicy, Note, NoteSigner, Timestamp,
};

fn main() -> ExitCode {
    finish(run())
}

fn run() -> Result<String, Failed> {
    let arguments = Arguments::read(&["COMPARE"])?;
    let mut rows = Vec::new();
    progress("appending a million entries");
    let folder = tempfile::tempdir()?;
    let roots = on_disk(folder.path(), &mut rows)?;
    progress("proving and verifying");
    let log = Log::open(DiskStorage::open(folder.path())?, signer(KeyKind::Ed25519)?)?;
    proofs(&log, &mut rows)?;
    consistency(&log, &roots, &mut rows)?;
    drop(log);
    opening(folder.path(), arguments.rounds, &mut rows)?;
    progress("beside tlog_tiles");
    beside(&arguments.path(0), arguments.rounds, &mut rows)?;
    Ok(write(&arguments.results, "log", &rows)?)
}

/// Appends [`SIZE`] entries in turns, and returns the roots of [`old_sizes`], computed beside the log.
fn on_disk(folder: &Path, rows: &mut Vec<Row>) -> Result<Vec<(u64, Hash)>, Failed> {
    let mut log = Log::create(DiskStorage::open(folder)?, signer(KeyKind::Ed25519)?)?;
    let mut turns = Vec::new();
    while log.size() < SIZE {
        let end = SIZE.min(log.size().saturating_add(TURN));
        let entries: Vec<_> = (log.size()..end).map(entry).collect();
        let start = Instant::now();
        log.append(&entries)?;
        turns.push((start.elapsed().as_secs_f64() * 1000.0, 0.0));
    }
    let per_turn: Vec<f64> = turns.iter().map(|turn| turn.0).collect();
    let total = per_turn.iter().sum::<f64>() / 1000.0;
    rows.push(Row::single(
        "1,000,000 entries of 128 bytes appended on disk",
        "s",
        "",
        total,
    ));
    rows.push(Row {
        name: "one turn of 256 entries, until it is durable".to_owned(),
        unit: "ms",
        found: median(&per_turn, &mut rand::rng()),
        goal: String::new(),
        raw: turns,
    });
    let bytes = size_of(folder)?;
    let per_entry = bytes_of(bytes) / bytes_of(SIZE) - 128.0;
    rows.push(Row::single(
        "stored per entry, beyond its own bytes",
        "bytes",
        "",
        per_entry,
    ));

    let (mut frontier, mut roots) = (Frontier::new(), Vec::new());
    let mut sizes = old_sizes().into_iter().peekable();
    for index in 0..=SIZE {
        while sizes.next_if_eq(&index).is_some() {
            roots.push((index, frontier.root()));
        }
        frontier.append(Hash::of_leaf(&entry(index)), |_, _, _| {});
    }
    Ok(roots)
}

/// Inclusion: made from the tiles on disk, verified as a device does.
fn proofs(log: &Log<DiskStorage>, rows: &mut Vec<Row>) -> Result<(), Failed> {
    let kinds = [KeyKind::Ed25519Cosignature, KeyKind::MlDsa44Cosignature];
    let mut ages = Vec::new();
    for kind in kinds {
        let (note, policy) = witnessed(log, kind)?;
        let (mut make, mut check, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        for index in old_sizes().into_iter().map(|size| size.saturating_sub(1)) {
            let start = Instant::now();
            let proof = log.proof(index, &note)?;
            make.push(milliseconds(start));
            let start = Instant::now();
            let entry = proof.verify(&policy, NOW)?;
            check.push(milliseconds(start));
            if entry.entry() != self::entry(index) {
                return Err("a proof is of another entry".into());
            }
            sizes.push(bytes_of(proof.to_string().len()));
        }
        let name = match kind {
            KeyKind::MlDsa44Cosignature => "3 ML-DSA-44 witnesses",
            _ => "3 Ed25519 witnesses",
        };
        if ages.is_empty() {
            ages.push(spread(
                "proof that an entry is in the log: made from tiles on disk",
                "ms",
                make,
            ));
        }
        ages.push(spread(
            &format!("the same: its bytes, with the entry and {name}"),
            "bytes",
            sizes,
        ));
        ages.push(spread(
            &format!("the same: verified by a device, {name}"),
            "ms",
            check,
        ));
    }
    rows.extend(ages);
    Ok(())
}

/// Consistency of the whole log with every power of two below and with a thousand other sizes.
fn consistency(
    log: &Log<DiskStorage>,
    roots: &[(u64, Hash)],
    rows: &mut Vec<Row>,
) -> Result<(), Failed> {
    let now = Checkpoint::parse(log.signed().text())?;
    if roots.last() != Some(&(SIZE, *now.root())) {
        return Err("the log's root is not the one of its entries".into());
    }
    let (mut make, mut check, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for (old, old_root) in roots {
        let start = Instant::now();
        let proof = log.consistency(*old, SIZE)?;
        make.push(milliseconds(start));
        let start = Instant::now();
        verify_consistency(&proof, *old, old_root, SIZE, now.root())?;
        check.push(milliseconds(start) * 1000.0);
        sizes.push(bytes_of(proof.len().saturating_mul(Hash::LEN)));
    }
    let name = "proof that the log of 1,000,000 entries continues an older one";
    rows.push(spread(
        &format!("{name}: made from tiles on disk"),
        "ms",
        make,
    ));
    let longest = sizes.iter().copied().fold(0.0, f64::max);
    rows.push(spread("the same: its bytes", "bytes", sizes));
    rows.push(Row::single(
        "the same: bytes of the longest",
        "bytes",
        "",
        longest,
    ));
    rows.push(spread("the same: verified", "µs", check));
    Ok(())
}

fn opening(folder: &Path, rounds: usize, rows: &mut Vec<Row>) -> Result<(), Failed> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        let log = Log::open(DiskStorage::open(folder)?, signer(KeyKind::Ed25519)?)?;
        times.push(milliseconds(start));
        if log.size() != SIZE {
            return Err("the log has lost entries".into());
        }
    }
    rows.push(spread(
        "opening the log, its tree checked against the signed root",
        "ms",
        times,
    ));
    Ok(())
}

/// Our tree beside theirs, in a process of its own.
fn beside(compare: &Path, rounds: usize, rows: &mut Vec<Row>) -> Result<(), Failed> {
    let output = Command::new(compare)
        .args([SIZE.to_string(), rounds.to_string()])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let measured: Value = serde_json::from_slice(&output.stdout)?;
    for (key, name) in [
        ("build", "all hashes of 1,000,000 entries"),
        (
            "prove inclusion",
            "1,000 proofs of inclusion made, hashes in memory",
        ),
        ("verify inclusion", "1,000 proofs of inclusion verified"),
        (
            "prove consistency",
            "1,000 proofs of consistency made, hashes in memory",
        ),
        ("verify consistency", "1,000 proofs of consistency verified"),
    ] {
        let raw: Vec<(f64, f64)> =
            serde_json::from_value(measured.get(key).cloned().unwrap_or_default())?;
        rows.push(Row::ratio(format!("time: {name} ÷ tlog_tiles"), "", raw));
    }
    Ok(())
}

/// The log's checkpoint with the cosignatures of three witnesses, and a policy that demands two.
fn witnessed(log: &Log<DiskStorage>, kind: KeyKind) -> Result<(Note, LogPolicy), Failed> {
    let witnesses = ["a", "b", "c"]
        .iter()
        .zip(1_u8..)
        .map(|(name, seed)| {
            let name = KeyName::new(&format!("{name}.witness.example"))?;
            NoteSigner::from_seed(name, kind, &[seed; 32])
        })
        .collect::<Result<Vec<_>, _>>()?;
    let text = log.signed().text();
    let lines = witnesses
        .iter()
        .map(|witness| witness.sign(text, NOW))
        .collect::<Result<Vec<_>, _>>()?;
    let note = with_cosignatures(log.signed(), lines)?;
    let keys = witnesses
        .iter()
        .map(|witness| witness.verifier_key().clone());
    let policy = LogPolicy::new(log.key().clone(), keys.collect(), 2, 3600)?;
    Ok((note, policy))
}

fn signer(kind: KeyKind) -> Result<NoteSigner, Failed> {
    let name = KeyName::new("log.example/bench")?;
    Ok(NoteSigner::from_seed(name, kind, &[7; 32])?)
}

/// Every power of two up to the size, a thousand sizes between, and the size itself; sorted.
fn old_sizes() -> Vec<u64> {
    let powers = (0..64)
        .map(|level| 1 << level)
        .take_while(|size| *size < SIZE);
    // A step that shares no factor with the size.
    let between = (1..=1000).map(|at: u64| at.wrapping_mul(7919 * 127) % SIZE);
    let mut sizes: Vec<u64> = powers.chain(between).chain([SIZE]).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

fn entry(index: u64) -> Vec<u8> {
    format!("{index:0128}").into_bytes()
}

fn size_of(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0_u64;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        let more = if about.is_dir() {
            size_of(&entry.path())?
        } else {
            about.len()
        };
        bytes = bytes.saturating_add(more);
    }
    Ok(bytes)
}

fn spread(name: &str, unit: &'static str, values: Vec<f64>) -> Row {
    Row {
        name: name.to_owned(),
        unit,
        found: median(&values, &mut rand::rng()),
        goal: String::new(),
        raw: values.into_iter().map(|value| (value, 0.0)).collect(),
    }
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}

/// A number of bytes; more than 4 GiB would be too many.
fn bytes_of(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::NAN, f64::from)
}

const SIZE: u64 = 1_000_000;
/// As many entries as a served log takes together.
const TURN: u64 = 256;
const NOW: Timestamp = Timestamp::new(1_780_000_000);
