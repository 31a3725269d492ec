#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

#[test]
fn paths_are_those_of_the_specification() {
    let path = |tile: Option<TilePath>| tile.unwrap().to_string();
    assert_eq!(
        path(TilePath::hashes(0, 1_234_067, u64::MAX >> 1)),
        "tile/0/x001/x234/067"
    );
    assert_eq!(path(TilePath::entries(5, 1285)), "tile/entries/005.p/5");
    // The example: 70,000 entries.
    assert_eq!(path(TilePath::hashes(0, 273, 70_000)), "tile/0/273.p/112");
    assert_eq!(path(TilePath::hashes(0, 272, 70_000)), "tile/0/272");
    assert_eq!(path(TilePath::hashes(1, 0, 70_000)), "tile/1/000");
    assert_eq!(path(TilePath::hashes(1, 1, 70_000)), "tile/1/001.p/17");
    assert_eq!(path(TilePath::hashes(2, 0, 70_000)), "tile/2/000.p/1");
    assert_eq!(TilePath::hashes(0, 274, 70_000), None);
    assert_eq!(TilePath::hashes(3, 0, 70_000), None);
    assert_eq!(path(TilePath::hashes(1, 0, 256)), "tile/1/000.p/1");
}

#[test]
fn a_path_that_is_written_otherwise_is_none() {
    for path in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/1",
        "tile/00/001",
        "tile/64/001",
        "tile/-1/001",
        "tile/entry/001",
        "tile/0/x001",
        "tile/0/001/002",
        "tile/0/x000/001",
        "tile/0/001.p/",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/05",
        "tile/0/001.p/+5",
        "tile/0/+01",
        "tile/0/../001",
        "tile/0/x001/x234/067/",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "tile/300/001",
    ] {
        assert_eq!(TilePath::parse(path), None, "{path}");
    }
}

#[test]
fn entries_are_read_as_they_were_written() {
    let mut bundle = Vec::new();
    let large = vec![7; 65_535];
    for entry in [&b"a"[..], b"", &large] {
        push_entry(&mut bundle, entry).unwrap();
    }
    let entries = parse_entries(&bundle, 3).unwrap();
    assert_eq!(entries, [b"a".to_vec(), Vec::new(), large]);
    assert_eq!(parse_entries(&bundle, 2), None);
    assert_eq!(parse_entries(bundle.split_last().unwrap().1, 3), None);
    assert_eq!(push_entry(&mut bundle, &vec![0; 65_536]), None);
}

proptest! {
    #[test]
    fn every_tile_has_one_path(level in 0..8_u8, index in 0..1_u64 << 40, size in any::<u64>()) {
        for tile in [TilePath::hashes(level, index, size), TilePath::entries(index, size)].into_iter().flatten() {
            prop_assert_eq!(TilePath::parse(&tile.to_string()), Some(tile));
        }
    }

    #[test]
    fn any_path_is_written_as_it_is_read_or_none(path in "tile/(0|1|entries)/[x0-9/.p]{0,12}") {
        if let Some(tile) = TilePath::parse(&path) {
            prop_assert_eq!(tile.to_string(), path);
        }
    }

    #[test]
    fn any_bytes_are_entries_or_none(bytes in prop::collection::vec(any::<u8>(), 0..60), width in 1..9_u16) {
        if let Some(entries) = parse_entries(&bytes, width) {
            let mut again = Vec::new();
            for entry in &entries {
                push_entry(&mut again, entry).unwrap();
            }
            prop_assert_eq!(again, bytes);
        }
    }
}
