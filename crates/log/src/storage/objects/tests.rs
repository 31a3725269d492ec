#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod bucket;

use std::sync::Arc;

use object_store::memory::InMemory;
use subrosa_translog::merkle::tree_root;
use subrosa_translog::{Checkpoint, Hash, KeyKind, KeyName, NoteSigner};

use self::bucket::{Bucket, Fault};
use super::*;
use crate::storage::DiskStorage;
use crate::{Log, LogError};

fn signer() -> NoteSigner {
    let name = KeyName::new("example.com/log").unwrap();
    NoteSigner::from_seed(name, KeyKind::Ed25519, &[1; 32]).unwrap()
}

fn writer(objects: Arc<dyn ObjectStore>, name: u8) -> ObjectStorage {
    ObjectStorage::open(objects, "logs/one", [name; 16]).unwrap()
}

fn entries(writer: &str, count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|index| format!("entry {index} of {writer}").into_bytes())
        .collect()
}

fn is_busy<T>(outcome: io::Result<T>) -> bool {
    outcome.is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy)
}

fn failed_as(error: &LogError, kind: io::ErrorKind) -> bool {
    matches!(error, LogError::Io { error, .. } if error.kind() == kind)
}

#[test]
fn a_log_in_a_bucket_has_the_same_tiles_as_one_in_a_folder() {
    let memory: Arc<InMemory> = Arc::default();
    let folder = tempfile::tempdir().unwrap();
    let disk = DiskStorage::open(folder.path()).unwrap();
    let mut in_folder = Log::create(disk, signer()).unwrap();
    let mut in_bucket = Log::create(writer(memory.clone(), 1), signer()).unwrap();
    for count in [1, 254, 3, 300] {
        let entries = entries("both", count);
        in_folder.append(&entries).unwrap();
        in_bucket.append(&entries).unwrap();
    }
    in_folder.publish(&in_folder.signed().clone()).unwrap();
    in_bucket.publish(&in_bucket.signed().clone()).unwrap();
    assert_eq!(in_bucket.signed(), in_folder.signed());
    drop((in_folder, in_bucket));

    let disk = DiskStorage::read_only(folder.path());
    let reader = ObjectStorage::read_only(memory.clone(), "logs/one").unwrap();
    for name in [
        "checkpoint",
        "tile/0/000",
        "tile/0/002.p/46",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/002.p/46",
    ] {
        let bytes = reader.get(name, 1 << 20).unwrap();
        assert!(bytes.is_some(), "{name}");
        assert_eq!(bytes, disk.get(name, 1 << 20).unwrap(), "{name}");
    }
    assert_eq!(reader.get("tile/0/003", 1 << 20).unwrap(), None);

    let log = Log::open(writer(memory, 2), signer()).unwrap();
    assert_eq!(log.size(), 558);
    assert_eq!(log.entry(557).unwrap(), b"entry 299 of both");
    assert_eq!(log.published().unwrap().as_ref(), Some(log.signed()));
}

#[test]
fn a_bucket_has_one_log() {
    let memory: Arc<InMemory> = Arc::default();
    drop(Log::create(writer(memory.clone(), 1), signer()).unwrap());
    let again = Log::create(writer(memory.clone(), 2), signer());
    assert!(matches!(again, Err(LogError::Exists)));
    let other = ObjectStorage::open(memory, "logs/two", [3; 16]).unwrap();
    assert!(matches!(Log::open(other, signer()), Err(LogError::Missing)));
}

#[test]
fn of_two_that_make_a_log_at_once_one_does() {
    let memory: Arc<InMemory> = Arc::default();
    let (first, second) = (writer(memory.clone(), 1), writer(memory, 2));
    assert_eq!(first.take("signed", 99).unwrap(), None);
    assert_eq!(second.take("signed", 99).unwrap(), None);
    first.commit("signed", b"one").unwrap();
    assert!(is_busy(second.commit("signed", b"two")));
}

#[test]
fn whoever_was_left_behind_writes_nothing_more() {
    let memory: Arc<InMemory> = Arc::default();
    let of = |name| writer(Arc::new(Bucket::new(memory.clone())), name);
    let (first, second) = (of(1), of(2));
    assert!(is_busy(first.put("tile/0/000", b"before")));
    first.take("signed", 99).unwrap();
    first.put("tile/0/000", b"first").unwrap();
    first.commit("signed", b"one").unwrap();
    first.put("tile/0/000", b"first again").unwrap();
    assert_eq!(second.take("signed", 99).unwrap().unwrap(), b"one");
    assert!(is_busy(first.put("tile/0/000", b"late")));
    assert!(is_busy(first.put("tile/0/001", b"late")));
    assert!(is_busy(first.commit("signed", b"late")));
    assert!(is_busy(first.commit("signed", b"late")));
    second.put("tile/0/000", b"second").unwrap();
    second.commit("signed", b"two").unwrap();
    assert_eq!(second.get("tile/0/000", 99).unwrap().unwrap(), b"second");
    // It can take it again, as the one that comes after.
    assert_eq!(first.take("signed", 99).unwrap().unwrap(), b"two");
    assert!(is_busy(second.commit("signed", b"three")));
    first.commit("signed", b"three").unwrap();
}

#[test]
fn only_what_was_taken_is_committed() {
    let storage = writer(Arc::<InMemory>::default(), 1);
    storage.take("signed", 99).unwrap();
    assert!(is_busy(storage.commit("other", b"x")));
}

#[test]
fn a_reader_writes_nothing() {
    let memory: Arc<InMemory> = Arc::default();
    let storage = writer(memory.clone(), 1);
    storage.take("signed", 99).unwrap();
    storage.commit("signed", b"one").unwrap();
    let reader = ObjectStorage::read_only(memory, "logs/one").unwrap();
    assert_eq!(reader.take("signed", 99).unwrap().unwrap(), b"one");
    for outcome in [reader.put("x", b""), reader.commit("signed", b"two")] {
        assert_eq!(
            outcome.unwrap_err().kind(),
            io::ErrorKind::ReadOnlyFilesystem
        );
    }
    storage.commit("signed", b"two").unwrap();
}

#[test]
fn an_object_larger_than_expected_is_not_read() {
    let storage = writer(Arc::<InMemory>::default(), 1);
    storage.take("signed", 99).unwrap();
    storage.commit("signed", b"four").unwrap();
    storage.put("file", b"four").unwrap();
    assert_eq!(storage.get("file", 4).unwrap().unwrap(), b"four");
    let too_large = |outcome: io::Result<_>| outcome.unwrap_err().kind();
    assert_eq!(
        too_large(storage.get("file", 3)),
        io::ErrorKind::FileTooLarge
    );
    assert_eq!(storage.take("signed", 4).unwrap().unwrap(), b"four");
    assert_eq!(
        too_large(storage.take("signed", 3)),
        io::ErrorKind::FileTooLarge
    );
}

#[test]
fn what_no_writer_has_committed_is_not_taken() {
    for bytes in [
        &b""[..],
        b"subrosa-writer ",
        b"subrosa-writer 0123456789abcdef0123456789abcdef",
        b"subrosa-writer 0123456789abcdef0123456789abcdeg\nx",
        b"Subrosa-writer 0123456789abcdef0123456789abcdef\nx",
        b"subrosa-writer 0123456789abcdef0123456789abcdef x",
    ] {
        let storage = writer(Arc::<InMemory>::default(), 1);
        storage.take("other", 99).unwrap();
        storage.put("signed", bytes).unwrap();
        let error = storage.take("signed", 99).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}

#[test]
fn a_store_without_conditional_writes_is_refused() {
    let bucket = Bucket::new(Arc::default()).with(Fault::NoConditions);
    let created = Log::create(writer(Arc::new(bucket), 1), signer());
    assert!(failed_as(&created.unwrap_err(), io::ErrorKind::Unsupported));
    let memory: Arc<InMemory> = Arc::default();
    drop(Log::create(writer(memory.clone(), 1), signer()).unwrap());
    let bucket = Bucket::new(memory).with(Fault::NoConditions);
    let opened = Log::open(writer(Arc::new(bucket), 2), signer());
    assert!(failed_as(&opened.unwrap_err(), io::ErrorKind::Unsupported));
}

#[test]
fn the_web_is_told_which_objects_change() {
    let memory: Arc<InMemory> = Arc::default();
    let mut log = Log::create(writer(memory.clone(), 1), signer()).unwrap();
    log.append(&entries("one", 1)).unwrap();
    log.publish(&log.signed().clone()).unwrap();
    let runtime = Builder::new_current_thread().build().unwrap();
    let cache = |name: &str| {
        let path = Path::from(format!("logs/one/{name}"));
        let found = runtime.block_on(memory.get(&path)).unwrap();
        let cache = found.attributes.get(&Attribute::CacheControl).cloned();
        cache.map(|value| value.as_ref().to_owned())
    };
    assert_eq!(cache("checkpoint").unwrap(), "no-store");
    assert!(cache("tile/0/000.p/1").unwrap().contains("immutable"));
    assert_eq!(cache("signed"), None);
}

/// A log of one entry in a bucket, and the root of its tree.
fn started() -> (Arc<InMemory>, Hash) {
    let memory: Arc<InMemory> = Arc::default();
    let mut log = Log::create(writer(memory.clone(), 9), signer()).unwrap();
    log.append(&entries("both", 1)).unwrap();
    let root = *Checkpoint::parse(log.signed().text()).unwrap().root();
    (memory, root)
}

/// Opens the log, appends, and says what it signed.
fn append(objects: Arc<dyn ObjectStore>, name: u8, count: usize) -> Result<(u64, Hash), LogError> {
    let mut log = Log::open(writer(objects, name), signer())?;
    log.append(&entries(&name.to_string(), count))?;
    let signed = Checkpoint::parse(log.signed().text()).unwrap();
    Ok((signed.size(), *signed.root()))
}

/// Opens the log as the last one, and checks that every tree that was signed is in it.
fn check(memory: Arc<InMemory>, signed: &[(u64, Hash)]) {
    let log = Log::open(writer(memory, 8), signer()).unwrap();
    for (size, root) in signed {
        assert!(log.size() >= *size);
        let storage = &log;
        assert_eq!(
            tree_root(&storage.tree(), *size).unwrap(),
            *root,
            "of {size}"
        );
    }
    for index in 0..log.size() {
        log.entry(index).unwrap();
    }
}

/// Operations that an append of 300 entries needs.
fn operations() -> usize {
    let bucket = Arc::new(Bucket::new(started().0));
    append(bucket.clone(), 1, 300).unwrap();
    bucket.operations()
}

#[test]
fn whenever_another_program_comes_between_nothing_that_was_signed_is_lost() {
    let operations = operations();
    assert!(operations > 15, "{operations}");
    let mut outcomes = [0, 0];
    for pause in 0..=operations {
        let (memory, root) = started();
        let other = Arc::new(Bucket::new(memory.clone()));
        let (bucket, second) =
            Bucket::new(memory.clone()).with_pause(pause, move || append(other, 2, 300).unwrap());
        let first = append(Arc::new(bucket), 1, 300);
        outcomes[usize::from(first.is_ok())] += 1;
        if let Err(error) = &first {
            assert!(failed_as(error, io::ErrorKind::ResourceBusy), "{error}");
        }
        let signed: Vec<_> = second.take().into_iter().chain(first.ok()).collect();
        check(memory, &[&[(1, root)], signed.as_slice()].concat());
    }
    // Both things happen: it was too late, and it was in time.
    assert!(outcomes[0] > 10 && outcomes[1] > 0, "{outcomes:?}");
}

#[test]
fn after_a_failure_at_any_operation_the_log_is_whole_and_goes_on() {
    for at in 0..operations() {
        for fault in [Fault::Before(at), Fault::After(at)] {
            let (memory, root) = started();
            let bucket = Bucket::new(memory.clone()).with(fault);
            let first = append(Arc::new(bucket), 1, 300);
            assert!(first.is_err(), "{fault:?}");
            let second = append(memory.clone(), 2, 10).unwrap();
            check(memory, &[(1, root), second]);
        }
    }
}
