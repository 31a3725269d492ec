#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::merkle::Leaves;

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

/// The bytes of a tile of a tree of these leaves.
fn tile(leaves: &Leaves, path: TilePath) -> Vec<u8> {
    let first = path.index * WIDTH;
    (first..first + u64::from(path.width))
        .flat_map(|at| {
            *leaves
                .subtree(path.level.unwrap() * 8, at)
                .unwrap()
                .as_bytes()
        })
        .collect()
}

fn tiled(leaves: &Leaves, old: u64, new: u64, full: bool) -> (Vec<Hash>, usize) {
    let mut proof = TiledProof::new(old, new);
    let mut tiles = 0;
    loop {
        match proof.next().unwrap() {
            TiledStep::Done(hashes) => return (hashes, tiles),
            TiledStep::Tile(path) => {
                let whole = path.full();
                let is_there = u64::from(whole.width) * (whole.index + 1) <= leaves.size();
                let path_read = if full && is_there && path.level == Some(0) {
                    whole
                } else {
                    path
                };
                proof.add(path, &tile(leaves, path_read)).unwrap();
                tiles += 1;
            }
        }
    }
}

#[test]
fn a_proof_made_of_tiles_is_the_one_made_of_leaves() {
    let entries: Vec<_> = (0..1100_u32).map(u32::to_be_bytes).collect();
    let leaves = Leaves::of(&entries);
    for (old, new) in [
        (1, 2),
        (255, 256),
        (256, 257),
        (300, 1025),
        (511, 513),
        (7, 1100),
        (1024, 1100),
        (5, 5),
        (0, 9),
    ] {
        let expected = consistency_proof(&leaves, old, new).unwrap();
        for full in [false, true] {
            let (proof, tiles) = tiled(&leaves, old, new, full);
            assert_eq!(proof, expected, "{old} {new}");
            assert!(tiles <= 8, "{old} {new}: {tiles}");
        }
    }
}

#[test]
fn a_proof_from_tiles_is_bounded_and_takes_tiles_of_the_right_size_only() {
    assert!(TiledProof::new(3, 2).next().is_err());
    assert!(TiledProof::new(1, u64::MAX).next().is_err());
    let mut proof = TiledProof::new(300, 1025);
    let Ok(TiledStep::Tile(path)) = proof.next() else {
        unreachable!("a tile is needed");
    };
    for len in [0, 31, 33, 32 * 255, 32 * 257] {
        assert_eq!(proof.add(path, &vec![0; len]), None, "{len}");
    }
    // A tree as large as one can be needs no more than the bound.
    let mut proof = TiledProof::new((1 << 62) - 1, (1 << 63) - 1);
    let mut tiles = 0;
    while let Ok(TiledStep::Tile(path)) = proof.next() {
        proof
            .add(path, &vec![7; 32 * usize::from(path.width())])
            .unwrap();
        tiles += 1;
        assert!(tiles <= TiledProof::MAX_TILES);
    }
    assert!(matches!(proof.next(), Ok(TiledStep::Done(_))));
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
