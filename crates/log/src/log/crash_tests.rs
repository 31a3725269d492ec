//! A log that crashes between any two steps, and finds of what was not synced what the disk likes.
//!
//! Whatever others may have seen — a checkpoint that was signed, an entry that was acknowledged — is still so after it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use subrosa_translog::{KeyKind, KeyName};

use super::*;
use crate::storage::faulty::{FaultyStorage, Sync};

fn signer() -> NoteSigner {
    let name = KeyName::new("example.com/log").unwrap();
    NoteSigner::from_seed(name, KeyKind::Ed25519, &[1; 32]).unwrap()
}

/// A generator of choices (splitmix64), so that a run can be repeated.
fn choices(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |n| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(n).unwrap()).unwrap()
    }
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

/// What others have seen.
#[derive(Default)]
struct Seen {
    /// Sizes and roots of checkpoints that were signed and may have been given to witnesses.
    signed: BTreeMap<u64, Hash>,
    published: bool,
}

impl Seen {
    fn look(&mut self, log: &Log<FaultyStorage>) -> Result<(), String> {
        let checkpoint = Checkpoint::parse(log.signed().text()).unwrap();
        match self.signed.insert(checkpoint.size(), *checkpoint.root()) {
            Some(root) if root != *checkpoint.root() => Err(format!("{checkpoint} forks")),
            _ => Ok(()),
        }
    }

    /// What was seen is still so.
    fn check(&self, log: &Log<FaultyStorage>) -> Result<(), String> {
        let tree = log.tree();
        for (size, root) in &self.signed {
            let now = (*size <= log.size())
                .then(|| subrosa_translog::merkle::tree_root(&tree, *size).ok())
                .flatten();
            if now != Some(*root) {
                return Err(format!("the tree of {size} entries is lost"));
            }
        }
        for index in 0..self.signed.keys().max().copied().unwrap_or(0) {
            if log.entry(index).ok() != Some(entry(index)) {
                return Err(format!("entry {index} is lost"));
            }
        }
        match log.published() {
            Err(error) => Err(error.to_string()),
            Ok(None) if self.published => Err("the published checkpoint is lost".to_owned()),
            Ok(_) => Ok(()),
        }
    }
}

/// How many entries each step appends: partial tiles, full ones, a second level.
const BATCHES: [u64; 5] = [1, 3, 252, 1, 300];

/// Appends the batches that are not there yet. An error is a crash.
fn work(log: &mut Log<FaultyStorage>, seen: &mut Seen) -> Result<Result<(), LogError>, String> {
    let mut size = 0;
    for batch in BATCHES {
        size += batch;
        if log.size() >= size {
            continue;
        }
        let entries: Vec<_> = (log.size()..size).map(entry).collect();
        if let Err(error) = log.append(&entries) {
            return Ok(Err(error));
        }
        seen.look(log)?;
        if let Err(error) = log.publish(&log.signed().clone()) {
            return Ok(Err(error));
        }
        seen.published = true;
    }
    Ok(Ok(()))
}

/// Crashes after so many steps, twice, and works on to the end.
fn run(crash: usize, seed: u64, ignored: Option<Sync>) -> Result<(), String> {
    let mut choice = choices(seed);
    let mut storage = FaultyStorage::new();
    storage.ignore_if(ignored);
    let mut others = Seen::default();
    let log = Log::create(storage.clone(), signer()).map_err(|error| error.to_string())?;
    others.look(&log)?;
    drop(log);
    let mut crashes = [crash, choice(60)].into_iter();
    loop {
        let mut log =
            Log::open(storage.clone(), signer()).map_err(|error| format!("open: {error}"))?;
        others.look(&log)?;
        others.check(&log)?;
        let last = crashes.next().map(|steps| storage.crash_after(steps));
        match work(&mut log, &mut others)? {
            Ok(()) => {
                let total = BATCHES.iter().sum::<u64>();
                assert_eq!(log.size(), total);
                return others.check(&log);
            }
            Err(error) if last.is_none() => return Err(error.to_string()),
            Err(_) => storage = storage.after_crash(&mut choice),
        }
    }
}

fn steps_of_a_run() -> usize {
    let storage = FaultyStorage::new();
    let mut log = Log::create(storage.clone(), signer()).unwrap();
    let before = storage.steps();
    work(&mut log, &mut Seen::default()).unwrap().unwrap();
    storage.steps() - before
}

#[test]
fn nothing_that_others_saw_is_lost_or_changed_by_a_crash_at_any_step() {
    let steps = steps_of_a_run();
    assert!(steps > 80, "{steps}");
    for crash in 0..=steps {
        for seed in 0..8 {
            let outcome = run(crash, seed + 1000 * u64::try_from(crash).unwrap(), None);
            assert_eq!(outcome, Ok(()), "crash after {crash} steps, seed {seed}");
        }
    }
}

/// The test above finds what one sync that is missing does.
fn is_found(sync: Sync) -> bool {
    let steps = steps_of_a_run();
    (0..=steps).any(|crash| (0..40).any(|seed| run(crash, seed, Some(sync)).is_err()))
}

#[test]
fn without_the_sync_of_a_tiles_bytes_a_crash_loses_what_was_seen() {
    assert!(is_found(Sync::TileBytes));
}

#[test]
fn without_the_sync_of_a_tiles_name_a_crash_loses_what_was_seen() {
    assert!(is_found(Sync::TileNames));
}

#[test]
fn without_the_sync_of_a_new_folders_name_a_crash_loses_what_was_seen() {
    assert!(is_found(Sync::FolderNames));
}

#[test]
fn without_the_sync_of_the_states_bytes_a_crash_loses_what_was_seen() {
    assert!(is_found(Sync::StateBytes));
}

#[test]
fn without_the_sync_of_the_states_name_a_crash_forks_the_log() {
    assert!(is_found(Sync::StateNames));
}
