#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::similar_names,
    clippy::too_many_lines,
    reason = "tests"
)]

use super::*;

/// A list with one memory below and one above 4 GiB.
fn list() -> Vec<u8> {
    let mut bytes = vec![0; 152];
    bytes[..4].copy_from_slice(&[1, 0, 56, 0]);
    bytes[56..60].copy_from_slice(&[3, 0, 48, 0]);
    bytes[104..108].copy_from_slice(&[3, 0, 48, 0]);
    bytes
}

#[test]
fn the_length_of_the_last_memory_follows_the_machine() {
    let template = HobTemplate::new(&list(), 144, 3 << 30).unwrap();
    let mut expected = list();
    expected[144..].copy_from_slice(&(13_u64 << 30).to_le_bytes());
    assert_eq!(template.digest(16 << 30), Some(Sha384Digest::of(&expected)));
    assert_ne!(template.digest(32 << 30), template.digest(16 << 30));
    for too_little in [0, 1 << 30, 3 << 30] {
        assert_eq!(template.digest(too_little), None);
    }
}

#[test]
fn a_place_that_is_not_that_length_is_refused() {
    for at in [0, 96, 143, 145, 152, usize::MAX] {
        let refused = HobTemplate::new(&list(), at, 0);
        assert_eq!(refused, Err(HobError::LengthPlace { at }));
    }
    let refused = HobTemplate::new(&list()[..56], 48, 0);
    assert_eq!(refused, Err(HobError::LengthPlace { at: 48 }));
    assert_eq!(
        HobTemplate::new(&[], 0, 0),
        Err(HobError::LengthPlace { at: 0 })
    );
}

#[test]
fn blocks_of_another_kind_or_length_are_refused() {
    for (byte, value, at) in [
        (0, 3, 0),
        (2, 55, 0),
        (56, 1, 56),
        (58, 49, 56),
        (104, 4, 104),
    ] {
        let mut bytes = list();
        bytes[byte] = value;
        let refused = HobTemplate::new(&bytes, 144, 0);
        assert_eq!(refused, Err(HobError::Malformed { at }));
    }
    let refused = HobTemplate::new(&list()[..151], 144, 0);
    assert_eq!(refused, Err(HobError::Malformed { at: 104 }));
    let long = vec![0; 64 * 1024 + 1];
    let got = long.len();
    assert_eq!(HobTemplate::new(&long, 0, 0), Err(HobError::Length { got }));
}
