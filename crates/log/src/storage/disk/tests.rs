#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::storage::Storage as _;

#[test]
fn what_is_replaced_is_read_and_nothing_is_left_over() {
    let folder = tempfile::tempdir().unwrap();
    let storage = DiskStorage::open(folder.path()).unwrap();
    for bytes in [&b"one"[..], b"two"] {
        storage.put("tile/0/000", bytes).unwrap();
        assert_eq!(storage.read("tile/0/000", 3).unwrap().unwrap(), bytes);
    }
    assert_eq!(
        fs::read_dir(folder.path().join("tile/0")).unwrap().count(),
        1
    );
    storage.remove("tile/0/000").unwrap();
    storage.remove("tile/0/000").unwrap();
    assert_eq!(storage.read("tile/0/000", 3).unwrap(), None);
}

#[test]
fn a_file_larger_than_expected_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let storage = DiskStorage::open(folder.path()).unwrap();
    storage.write("file", b"four").unwrap();
    let error = storage.read("file", 3).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
}

#[test]
fn names_do_not_lead_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let storage = DiskStorage::open(folder.path()).unwrap();
    for name in ["../x", "/x", "a/../x", "a//x", "", ".hidden", "a/."] {
        assert!(storage.write(name, b"").is_err(), "{name}");
        assert!(storage.read(name, 1).is_err(), "{name}");
    }
}

#[test]
fn a_folder_is_open_once() {
    let folder = tempfile::tempdir().unwrap();
    let first = DiskStorage::open(folder.path()).unwrap();
    let error = DiskStorage::open(folder.path()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
    drop(first);
    assert!(DiskStorage::open(folder.path()).is_ok());
}

#[test]
fn a_folder_that_is_only_read_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let storage = DiskStorage::open(folder.path()).unwrap();
    storage.write("file", b"one").unwrap();
    let reader = DiskStorage::read_only(folder.path());
    assert_eq!(reader.read("file", 3).unwrap().unwrap(), b"one");
    assert!(reader.write("file", b"two").is_err());
    assert!(reader.remove("file").is_err());
    assert!(reader.rename("file", "other").is_err());
    assert!(reader.make_folder("folder").is_err());
    assert!(reader.sync("file").is_err());
    assert_eq!(storage.read("file", 3).unwrap().unwrap(), b"one");
}
