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
use crate::fixtures::{Image, SEV_AT};

fn error(image: &Image) -> FirmwareError {
    Firmware::parse(&image.build()).unwrap_err()
}

#[test]
fn an_image_says_what_it_wants_to_find() {
    let bytes = Image::new().build();
    let firmware = Firmware::parse(&bytes).unwrap();
    assert_eq!(firmware.reset_address(), Some(0x0080_b004));
    assert_eq!(firmware.hashes_table(), Some(0x0081_0c00));
    assert_eq!(firmware.svsm_entry(), None);
    assert_eq!(firmware.bytes(), bytes);
    let kinds: Vec<_> = firmware.sections().iter().map(|one| one.kind).collect();
    let expected = [
        SectionKind::Memory,
        SectionKind::Secrets,
        SectionKind::Cpuid,
        SectionKind::CallingArea,
        SectionKind::KernelHashes,
    ];
    assert_eq!(kinds, expected);
    assert_eq!(firmware.sections()[0].address, 0x0080_0000);
    assert_eq!(firmware.sections()[0].size, 0x9000);
}

#[test]
fn an_address_of_zero_is_none() {
    let zero = vec![0; 8];
    let bytes = Image::new()
        .with(HASHES_TABLE, zero.clone())
        .with(RESET_BLOCK, zero)
        .build();
    let firmware = Firmware::parse(&bytes).unwrap();
    assert_eq!(firmware.hashes_table(), None);
    assert_eq!(firmware.reset_address(), None);
}

#[test]
fn an_image_that_is_no_whole_number_of_pages_is_refused() {
    let bytes = Image::new().build();
    for got in [0, 1, 4095, 4097] {
        let refused = Firmware::parse(&bytes[..got]).unwrap_err();
        assert_eq!(refused, FirmwareError::Length { got });
    }
    let long = vec![0; 16 * 1024 * 1024 + 4096];
    let refused = Firmware::parse(&long).unwrap_err();
    assert_eq!(refused, FirmwareError::Length { got: long.len() });
}

#[test]
fn an_image_of_16_mebibytes_is_read() {
    let mut image = Image::new();
    image.pages = 4096;
    assert!(Firmware::parse(&image.build()).is_ok());
}

#[test]
fn metadata_of_another_form_are_refused() {
    let good = Image::new().build();
    let at = good.len() - SEV_AT as usize;
    for (offset, byte) in [(0, b'X'), (3, b'X'), (4, 0), (8, 2), (12, 4)] {
        let mut bytes = good.clone();
        bytes[at + offset] = byte;
        let refused = Firmware::parse(&bytes).unwrap_err();
        assert_eq!(refused, FirmwareError::Metadata, "{offset}");
    }
    for from_end in [0_u32, 8, 0x4001, u32::MAX] {
        let image = Image::new().with(SEV_METADATA, from_end.to_le_bytes().to_vec());
        assert_eq!(error(&image), FirmwareError::Metadata, "{from_end}");
    }
    let image = Image::new().with(SEV_METADATA, vec![0; 3]);
    assert_eq!(error(&image), FirmwareError::Metadata);
}

#[test]
fn a_section_of_an_unknown_type_is_refused() {
    for got in [0, 5, 0x11, u32::MAX] {
        let mut image = Image::new();
        image.sev[0][2] = got;
        assert_eq!(error(&image), FirmwareError::SectionKind { got });
    }
}

#[test]
fn a_section_that_is_no_whole_pages_is_refused() {
    for (number, address, size) in [
        (0, 0x0080_0001, 0x9000),
        (0, 0x0080_0000, 0x9001),
        (0, 0x0080_0000, 0),
        (1, 0x0080_d000, 0x2000),
        (2, 0x0080_e000, 0x2000),
        (4, 0x0081_0000, 0x2000),
    ] {
        let mut image = Image::new();
        image.sev[number][..2].copy_from_slice(&[address, size]);
        assert_eq!(error(&image), FirmwareError::SectionPlace { address, size });
    }
}

#[test]
fn more_or_larger_sections_than_any_firmware_has_are_refused() {
    let mut image = Image::new();
    image.sev = vec![[0, 0x1000, 1]; 64];
    assert!(Firmware::parse(&image.build()).is_ok());
    image.sev.push([0, 0x1000, 1]);
    assert_eq!(error(&image), FirmwareError::TooManySections { got: 65 });
    image.sev = vec![[0, 64 << 20, 1]];
    assert!(Firmware::parse(&image.build()).is_ok());
    image.sev.push([0, 0x1000, 1]);
    let got = (64 << 20) + 0x1000;
    assert_eq!(error(&image), FirmwareError::SectionsTooLarge { got });
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(
        start in proptest::collection::vec(any::<u8>(), 0..64),
        changes in proptest::collection::vec((0_usize..4096, any::<u8>()), 0..8),
    ) {
        let _refused = Firmware::parse(&start);
        let mut bytes = Image::new().build();
        let from = bytes.len() - 4096;
        for (at, byte) in changes {
            bytes[from + at] = byte;
        }
        let _either = Firmware::parse(&bytes);
    }
}
