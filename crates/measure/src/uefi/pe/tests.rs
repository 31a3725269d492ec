#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::similar_names,
    clippy::too_many_lines,
    reason = "tests"
)]

use proptest::prelude::*;

use super::*;
use crate::Sha256Digest;
use crate::fixtures::pe;

fn image() -> Vec<u8> {
    pe(&[(".text", b"code"), (".data", b"data")])
}

#[test]
fn checksum_and_certificates_are_left_out_of_the_digest() {
    let bytes = image();
    let optional = 0x58;
    let hashed = [
        &bytes[..optional + 64],
        &bytes[optional + 68..optional + 144],
        &bytes[optional + 152..],
    ]
    .concat();
    let digest = PeImage::parse(&bytes).unwrap().authenticode(Bank::Sha256);
    assert_eq!(digest, Sha256Digest::of(&hashed).as_bytes());
    let mut other = bytes.clone();
    other[optional + 64] ^= 1;
    let same = PeImage::parse(&other).unwrap().authenticode(Bank::Sha256);
    assert_eq!(same, digest);
    for at in [2, 0x200, 0x400, 0x600, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let changed = PeImage::parse(&changed).unwrap();
        assert_ne!(changed.authenticode(Bank::Sha256), digest, "{at}");
    }
    let mut longer = bytes;
    longer.extend([0; 8]);
    let longer = PeImage::parse(&longer).unwrap();
    assert_ne!(longer.authenticode(Bank::Sha256), digest);
}

#[test]
fn sections_are_hashed_in_the_order_of_the_file() {
    let bytes = image();
    let table = 0x58 + 0xf0;
    let mut swapped = bytes.clone();
    let (first, second) = (&bytes[table..table + 40], &bytes[table + 40..table + 80]);
    swapped[table..table + 80].copy_from_slice(&[second, first].concat());
    let optional = 0x58;
    let hashed = [
        &swapped[..optional + 64],
        &swapped[optional + 68..optional + 144],
        &swapped[optional + 152..],
    ]
    .concat();
    let digest = PeImage::parse(&swapped).unwrap().authenticode(Bank::Sha256);
    assert_eq!(digest, Sha256Digest::of(&hashed).as_bytes());
}

#[test]
fn a_section_has_its_size_in_memory() {
    let bytes = image();
    let image = PeImage::parse(&bytes).unwrap();
    assert_eq!(image.section(".text").unwrap().unwrap(), b"code");
    assert_eq!(image.section(".none"), Ok(None));
    assert_eq!(image.section(".textual.long"), Ok(None));
    let mut larger = bytes.clone();
    larger[0x58 + 0xf0 + 8..][..4].copy_from_slice(&0x300_u32.to_le_bytes());
    let image = PeImage::parse(&larger).unwrap();
    let contents = image.section(".text").unwrap().unwrap();
    assert_eq!(contents.len(), 0x300);
    assert_eq!((&contents[..4], contents[0x2ff]), (&b"code"[..], 0));
    larger[0x58 + 0xf0 + 11] = 0x7f;
    assert_eq!(PeImage::parse(&larger).unwrap_err(), PeError::Malformed);
}

#[test]
fn a_section_that_is_there_twice_is_refused() {
    let bytes = pe(&[(".text", b"a"), (".text", b"b")]);
    let image = PeImage::parse(&bytes).unwrap();
    let name = ".text".to_owned();
    assert_eq!(image.section(".text"), Err(PeError::Twice { name }));
}

#[test]
fn what_is_no_image_is_refused() {
    let good = image();
    for (at, byte) in [
        (0, b'X'),
        (0x3c, 0xff),
        (0x40, b'X'),
        (0x54, 0x80),
        (0x58, 0x0c),
        (0x58 + 108, 4),
        (0x58 + 61, 0xff),
        (0x58 + 0xf0 + 22, 0x7f),
        (0x58 + 0xf0 + 18, 0x7f),
    ] {
        let mut bytes = good.clone();
        bytes[at] = byte;
        let refused = PeImage::parse(&bytes).unwrap_err();
        assert_eq!(refused, PeError::Malformed, "{at:#x}");
    }
    for got in [1, 7, good.len() - 1] {
        let refused = PeImage::parse(&good[..got]).unwrap_err();
        assert_eq!(refused, PeError::Length { got });
    }
    assert_eq!(PeImage::parse(&[]).unwrap_err(), PeError::Malformed);
}

#[test]
fn a_signed_image_is_refused() {
    for at in [144, 151] {
        let mut bytes = image();
        bytes[0x58 + at] = 1;
        assert_eq!(PeImage::parse(&bytes).unwrap_err(), PeError::Signed);
    }
}

#[test]
fn parts_that_share_bytes_are_refused() {
    let table = 0x58 + 0xf0;
    for (at, value, overlap) in [(20, 0x200_u32, 0x200), (60, 0x400, 0x400)] {
        let mut bytes = image();
        bytes[table + at..table + at + 4].copy_from_slice(&value.to_le_bytes());
        let refused = PeImage::parse(&bytes).unwrap_err();
        assert_eq!(refused, PeError::Overlap { at: overlap });
    }
    let mut bytes = image();
    bytes[0x58 + 60] = 1;
    let refused = PeImage::parse(&bytes).unwrap_err();
    assert_eq!(refused, PeError::Overlap { at: 0x400 });
}

#[test]
fn too_many_sections_are_refused() {
    let mut bytes = image();
    bytes[0x46] = 97;
    let refused = PeImage::parse(&bytes).unwrap_err();
    assert_eq!(refused, PeError::TooManySections { got: 97 });
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(
        start in proptest::collection::vec(any::<u8>(), 0..64),
        changes in proptest::collection::vec((0_usize..0x400, any::<u8>()), 0..8),
    ) {
        let _refused = PeImage::parse(&start);
        let mut bytes = image();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        if let Ok(image) = PeImage::parse(&bytes) {
            let _digest = image.authenticode(Bank::Sha384);
            let _section = image.section(".text");
        }
    }
}
