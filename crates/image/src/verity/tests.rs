#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, reason = "tests")]

use super::*;

const SALT: [u8; 32] = [0x5a; 32];

/// Blocks that each repeat their number, as eight bytes.
fn data(blocks: u64) -> Vec<u8> {
    (0..blocks)
        .flat_map(|number| number.to_le_bytes().repeat(BLOCK / 8))
        .collect()
}

/// Made by `veritysetup format` 2.6.1 with `--salt=5a…5a` and
/// `--uuid=00000000-0000-0000-0000-000000000001`: blocks, root hash, SHA-256 of the
/// file with header and tree.
const KNOWN: &[(u64, &str, &str)] = &[
    (
        1,
        "a9a03b28564e4724d7ffc0b83acdb9e9f726e3edb9ceec32e5d47b798ee15389",
        "9c0a376b0eb79a9909b9baae037eab8fca12e90f48267b3221590c98e43c10d3",
    ),
    (
        2,
        "b6a128e780bf07c667e8d2181d876a2f38b73e962f74d243282f679cbcd156cb",
        "c5f3cddd0a1af9cee8bc1ecf9d78d6fd2f4ffbec033acdd64b5e1f0f0854dc79",
    ),
    (
        128,
        "4e4aaf84709dadfa0d4c70c53e3fa8df8e278d029d75de92d4227d4d83c7cf85",
        "22367e34156b34f9d78e76c208bd01d554ef084afb92049186cf0f8bd524df1c",
    ),
    (
        129,
        "19b07d22b1e33e4ddb5005e23d7fed9b616bbf4c21ba7a232ea36a7f1b24c48e",
        "755f05c2023c8f67ecc24b69ee855916aa0227764f7bcd30187b799679b5952b",
    ),
    (
        16385,
        "86ef33a422f9b9dc91eb39c1c4c5e32c60340c3cd14ea9fa21c5585f76f4a28c",
        "56e4b7c32e94008d4f0249cf637af825840ba81eb1a606cc4f5eee381822194e",
    ),
];

#[test]
fn trees_are_those_of_veritysetup() {
    for &(blocks, root_hash, file) in KNOWN {
        let tree = hash(&mut data(blocks).as_slice(), &SALT).unwrap();
        assert_eq!(hex::encode(tree.root_hash), root_hash, "{blocks}");
        assert_eq!(hex::encode(Sha256::digest(&tree.bytes)), file, "{blocks}");
        assert_eq!(tree.data_blocks, blocks);
    }
}

#[test]
fn every_byte_counts() {
    let good = data(130);
    let expected = hash(&mut good.as_slice(), &SALT).unwrap().root_hash;
    for at in (0..good.len()).step_by(40_009) {
        let mut bytes = good.clone();
        *bytes.get_mut(at).unwrap() ^= 1;
        let found = hash(&mut bytes.as_slice(), &SALT).unwrap();
        assert_ne!(found.root_hash, expected, "byte {at}");
    }
}

#[test]
fn another_salt_gives_another_root() {
    let data = data(2);
    let one = hash(&mut data.as_slice(), &SALT).unwrap();
    let other = hash(&mut data.as_slice(), &[0; 32]).unwrap();
    assert_ne!(one.root_hash, other.root_hash);
}

#[test]
fn a_missing_end_counts_as_zeros() {
    let whole = hash(&mut [7, 0].repeat(BLOCK).get(..BLOCK).unwrap(), &SALT).unwrap();
    assert_eq!(whole.data_blocks, 1);
    let short = hash(&mut [1, 2, 3].as_slice(), &SALT).unwrap();
    let mut padded = vec![0; BLOCK];
    padded.splice(..3, [1, 2, 3]);
    assert_eq!(hash(&mut padded.as_slice(), &SALT).unwrap(), short);
}

#[test]
fn nothing_has_no_tree() {
    assert!(hash(&mut io::empty(), &SALT).is_err());
}
