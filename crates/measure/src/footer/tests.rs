#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::similar_names,
    clippy::too_many_lines,
    reason = "tests"
)]

use super::*;
use crate::fixtures::{Image, entry};
use crate::snp::{HASHES_TABLE, RESET_BLOCK};

#[test]
fn a_guid_is_written_as_usual() {
    let text = "96b582de-1fb2-45f7-baea-a366c55a082d";
    assert_eq!(FOOTER.to_string(), text);
    assert_eq!(FOOTER.as_bytes()[..4], [0xde, 0x82, 0xb5, 0x96]);
}

#[test]
fn entries_are_found_by_their_guid() {
    let image = Image::new().build();
    let table = FooterTable::parse(&image).unwrap();
    assert_eq!(table.word(RESET_BLOCK), Some(0x0080_b004));
    assert_eq!(table.entry(HASHES_TABLE).map(<[u8]>::len), Some(8));
    assert_eq!(table.entry(Guid::new(1, 2, 3, [4; 8])), None);
}

#[test]
fn an_image_without_a_table_is_refused() {
    let mut image = Image::new().build();
    let end = image.len();
    assert_eq!(
        FooterTable::parse(&image[..49]).unwrap_err(),
        FooterError::Absent
    );
    assert_eq!(FooterTable::parse(&[]).unwrap_err(), FooterError::Absent);
    image[end - 33] ^= 1;
    assert_eq!(FooterTable::parse(&image).unwrap_err(), FooterError::Absent);
}

/// Bytes that end with a table of these bytes, whose footer says `length`.
fn image(table: &[u8], length: usize) -> Vec<u8> {
    [table, &entry(FOOTER, &[], length), &[0; AFTER_TABLE]].concat()
}

#[test]
fn a_length_that_cannot_be_is_refused() {
    for got in [0, 17, 19, 0xffff] {
        let error = FooterTable::parse(&image(&[], got)).unwrap_err();
        assert_eq!(error, FooterError::Length { got });
    }
    assert!(FooterTable::parse(&image(&[], 18)).is_ok());
}

#[test]
fn an_entry_that_does_not_fit_is_refused() {
    let guid = Guid::new(1, 2, 3, [4; 8]);
    for length in [0, 17, 20] {
        let table = entry(guid, &[9], length);
        let error = FooterTable::parse(&image(&table, 18 + 19)).unwrap_err();
        assert_eq!(error, FooterError::Entry { left: 19 });
    }
    let stump = entry(guid, &[9], 18);
    let error = FooterTable::parse(&image(&stump, 18 + 19)).unwrap_err();
    assert_eq!(error, FooterError::Entry { left: 1 });
}

#[test]
fn an_entry_that_is_there_twice_is_refused() {
    let guid = Guid::new(1, 2, 3, [4; 8]);
    let table = [entry(guid, &[1], 19), entry(guid, &[2], 19)].concat();
    let error = FooterTable::parse(&image(&table, 18 + 38)).unwrap_err();
    assert_eq!(error, FooterError::Twice { guid });
}

#[test]
fn more_entries_than_any_firmware_has_are_refused() {
    let table = |count: u32| -> Vec<u8> {
        let entries = (0..count).map(|number| entry(Guid::new(number, 0, 0, [0; 8]), &[], 18));
        entries.flatten().collect()
    };
    assert!(FooterTable::parse(&image(&table(32), 18 * 33)).is_ok());
    let error = FooterTable::parse(&image(&table(33), 18 * 34)).unwrap_err();
    assert_eq!(error, FooterError::TooMany);
}
