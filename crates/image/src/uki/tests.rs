#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use subrosa_measure::uefi::{PeImage, UnifiedKernel};

use super::*;

/// A PE image with one section, and room for three more.
pub(crate) fn stub() -> Vec<u8> {
    let mut bytes = vec![0; 0x600];
    let mut put = |at: usize, new: &[u8]| bytes[at..at + new.len()].copy_from_slice(new);
    put(0, b"MZ");
    put(0x3c, &0x80_u32.to_le_bytes());
    put(0x80, b"PE\0\0\x64\x86\x01\x00");
    put(0x94, &240_u16.to_le_bytes());
    put(0x98, &PE32_PLUS);
    put(0xb8, &512_u32.to_le_bytes());
    put(0xbc, &512_u32.to_le_bytes());
    put(0xd0, &0x5000_u32.to_le_bytes());
    put(0xd4, &0x400_u32.to_le_bytes());
    put(0xd8, &0xdead_u32.to_le_bytes());
    put(0x104, &16_u32.to_le_bytes());
    put(0x188, b".text\0\0\0");
    for (at, value) in [
        (0x190, 0x10_u32),
        (0x194, 0x4000),
        (0x198, 0x200),
        (0x19c, 0x400),
    ] {
        put(at, &value.to_le_bytes());
    }
    put(0x400, b"the code");
    bytes
}

fn parts<'a>() -> Parts<'a> {
    Parts {
        command_line: "console=ttyS0 quiet",
        initrd: b"an archive of some bytes",
        kernel: b"a kernel",
    }
}

#[test]
fn the_predictor_finds_what_was_put_in() {
    let image = assemble(&stub(), &parts()).unwrap();
    let read = UnifiedKernel::parse(&image).unwrap();
    assert_eq!(read.command_line(), "console=ttyS0 quiet");
    assert_eq!(read.initrd(), b"an archive of some bytes");
    assert_eq!(read.kernel(), b"a kernel");
}

#[test]
fn sections_lie_behind_the_stub_on_pages_of_their_own() {
    let image = assemble(&stub(), &parts()).unwrap();
    let addresses: Vec<_> = (1..4)
        .map(|number| u32_at(&image, 0x188 + number * SECTION_LEN + 12).unwrap())
        .collect();
    assert_eq!(addresses, [0x5000, 0x6000, 0x7000]);
    assert_eq!(u32_at(&image, 0xd0).unwrap(), 0x8000);
    assert_eq!(u32_at(&image, 0xd8).unwrap(), 0, "checksum");
    assert!(PeImage::parse(&image).is_ok());
}

#[test]
fn the_stub_itself_stays_as_it_was() {
    let image = assemble(&stub(), &parts()).unwrap();
    assert_eq!(image[0x188..0x1b0], stub()[0x188..0x1b0]);
    assert_eq!(image[0x400..0x600], stub()[0x400..0x600]);
}

#[test]
fn the_same_parts_give_the_same_bytes() {
    assert_eq!(assemble(&stub(), &parts()), assemble(&stub(), &parts()));
}

#[test]
fn a_stub_without_room_is_refused() {
    let mut full = stub();
    full[0xd4..0xd8].copy_from_slice(&0x227_u32.to_le_bytes());
    assert_eq!(assemble(&full, &parts()).err(), Some(UkiError::NoRoom));
    let mut used = stub();
    used[0x1b0] = 1;
    assert_eq!(assemble(&used, &parts()).err(), Some(UkiError::NoRoom));
}

#[test]
fn what_is_no_image_is_refused() {
    for at in [0, 0x80, 0x98] {
        let mut other = stub();
        other[at] ^= 1;
        assert_eq!(assemble(&other, &parts()), Err(UkiError::Malformed), "{at}");
    }
    assert_eq!(assemble(&[], &parts()), Err(UkiError::Malformed));
    let mut odd = stub();
    odd[0xb8] = 3;
    assert_eq!(assemble(&odd, &parts()), Err(UkiError::Malformed));
}

#[test]
fn no_beginning_of_a_stub_panics() {
    let stub = stub();
    for length in 0..0x230 {
        let _refused = assemble(&stub[..length], &parts());
    }
}
