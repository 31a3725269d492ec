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
use crate::fixtures::{Image, TDX_AT};

fn mrtd(image: &Image, order: PageOrder) -> Sha384Digest {
    Tdvf::parse(&image.build()).unwrap().mrtd(order)
}

fn error(image: &Image) -> TdvfError {
    Tdvf::parse(&image.build()).unwrap_err()
}

/// The steps of one measured page and one that is only added, written out.
#[test]
fn adding_measures_an_address_and_extending_pieces_of_256_bytes() {
    let mut image = Image::new();
    image.tdx = vec![
        (0x1000, 0x1000, 0xffff_f000, 0x1000, 0, 1),
        (0, 0, 0x0080_0000, 0x1000, 3, 0),
    ];
    let step = |name: &str, address: u64| {
        let mut bytes = name.as_bytes().to_vec();
        bytes.resize(16, 0);
        bytes.extend(address.to_le_bytes());
        bytes.resize(128, 0);
        bytes
    };
    let contents = image.build()[0x1000..0x2000].to_vec();
    let mut expected = step("MEM.PAGE.ADD", 0xffff_f000);
    for (number, piece) in (0..).zip(contents.chunks(256)) {
        expected.extend(step("MR.EXTEND", 0xffff_f000 + 256 * number));
        expected.extend(piece);
    }
    expected.extend(step("MEM.PAGE.ADD", 0x0080_0000));
    let expected = Sha384Digest::of(&expected);
    assert_eq!(mrtd(&image, PageOrder::PageByPage), expected);
    assert_eq!(mrtd(&image, PageOrder::SectionBySection), expected);
}

#[test]
fn the_order_of_pages_matters_where_there_are_several() {
    let image = Image::new();
    let by_page = mrtd(&image, PageOrder::PageByPage);
    assert_ne!(mrtd(&image, PageOrder::SectionBySection), by_page);
}

#[test]
fn measured_contents_are_in_the_measurement_and_others_are_not() {
    let bytes = Image::new().build();
    let start = Tdvf::parse(&bytes).unwrap();
    for (at, is_measured) in [(0, false), (0xfff, false), (0x1000, true), (0x2800, true)] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let changed = Tdvf::parse(&changed).unwrap();
        for order in [PageOrder::PageByPage, PageOrder::SectionBySection] {
            assert_eq!(
                changed.mrtd(order) != start.mrtd(order),
                is_measured,
                "{at}"
            );
        }
        let same = changed.configuration_digest() == start.configuration_digest();
        assert_eq!(same, is_measured, "{at}");
    }
    let digest = Sha384Digest::of(&bytes[..0x1000]);
    assert_eq!(start.configuration_digest(), Some(digest));
}

#[test]
fn place_and_attributes_of_each_section_are_in_the_measurement() {
    let start = mrtd(&Image::new(), PageOrder::PageByPage);
    for number in 0..4 {
        let mut image = Image::new();
        image.tdx[number].2 += 0x1000;
        assert_ne!(mrtd(&image, PageOrder::PageByPage), start, "{number}");
        let mut image = Image::new();
        image.tdx[number].5 ^= 2;
        assert_ne!(mrtd(&image, PageOrder::PageByPage), start, "{number}");
    }
}

#[test]
fn an_image_without_metadata_is_refused() {
    let image = Image::new().without(TDX_METADATA);
    assert_eq!(error(&image), TdvfError::Absent);
    let refused = Tdvf::parse(&[]).unwrap_err();
    assert_eq!(refused, TdvfError::Length { got: 0 });
    let long = vec![0; 16 * 1024 * 1024 + 1];
    let refused = Tdvf::parse(&long).unwrap_err();
    assert_eq!(refused, TdvfError::Length { got: long.len() });
    assert!(matches!(
        Tdvf::parse(&[0; 100]).unwrap_err(),
        TdvfError::Footer(FooterError::Absent)
    ));
}

#[test]
fn an_image_of_16_mebibytes_is_read() {
    let mut image = Image::new();
    image.pages = 4096;
    assert!(Tdvf::parse(&image.build()).is_ok());
}

#[test]
fn metadata_of_another_form_are_refused() {
    let good = Image::new().build();
    let at = good.len() - TDX_AT as usize;
    for (offset, byte) in [(0, b'X'), (4, 0), (8, 2), (12, 4)] {
        let mut bytes = good.clone();
        bytes[at + offset] = byte;
        let refused = Tdvf::parse(&bytes).unwrap_err();
        assert_eq!(refused, TdvfError::Metadata, "{offset}");
    }
    for from_end in [0_u32, 8, 0x4001, u32::MAX] {
        let image = Image::new().with(TDX_METADATA, from_end.to_le_bytes().to_vec());
        assert_eq!(error(&image), TdvfError::Metadata, "{from_end}");
    }
}

#[test]
fn a_section_that_is_not_in_the_image_or_no_whole_pages_is_refused() {
    let changes: [fn(&mut Image); 6] = [
        |image| image.tdx[0].0 = 0x1001,
        |image| image.tdx[0].1 = 0x3001,
        |image| image.tdx[0].2 += 1,
        |image| image.tdx[0].3 += 1,
        |image| image.tdx[0].3 = 0x2000,
        |image| image.tdx[2].2 = u64::MAX - 0xfff,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut image = Image::new();
        change(&mut image);
        let refused = error(&image);
        assert!(
            matches!(refused, TdvfError::SectionPlace { .. }),
            "{number}"
        );
    }
}

#[test]
fn unknown_types_and_attributes_are_refused() {
    let mut image = Image::new();
    image.tdx[1].4 = 7;
    assert_eq!(error(&image), TdvfError::SectionKind { got: 7 });
    let mut image = Image::new();
    image.tdx[1].5 = 4;
    assert_eq!(error(&image), TdvfError::Attributes { got: 4 });
}

#[test]
fn more_or_larger_sections_than_any_firmware_has_are_refused() {
    let mut image = Image::new();
    image.tdx = vec![(0, 0, 0, 0x1000, 3, 0); 65];
    assert_eq!(error(&image), TdvfError::TooManySections { got: 65 });
    image.tdx = vec![(0, 0, 0, 64 << 20, 3, 0)];
    assert!(Tdvf::parse(&image.build()).is_ok());
    image.tdx.push((0, 0, 0, 0x1000, 3, 0));
    let got = (64 << 20) + 0x1000;
    assert_eq!(error(&image), TdvfError::SectionsTooLarge { got });
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(
        start in proptest::collection::vec(any::<u8>(), 0..64),
        changes in proptest::collection::vec((0_usize..4096, any::<u8>()), 0..8),
    ) {
        let _refused = Tdvf::parse(&start);
        let mut bytes = Image::new().build();
        let from = bytes.len() - 4096;
        for (at, byte) in changes {
            bytes[from + at] = byte;
        }
        if let Ok(read) = Tdvf::parse(&bytes) {
            let _digest = read.configuration_digest();
        }
    }
}
