//! What strict reading refuses.

#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::fixtures::cbor;

fn whole<'a, T>(
    bytes: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, CborError>,
) -> Result<T, CborError> {
    let mut reader = Reader::new(bytes);
    let value = read(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

fn nothing(bytes: &[u8], lengths: Lengths) -> Result<(), CborError> {
    whole(bytes, |reader| {
        reader.map(lengths, 3, |reader, _| reader.skip())
    })
}

#[test]
fn numbers_are_read_in_their_shortest_form_only() {
    for value in [
        0,
        23,
        24,
        0xFF,
        0x100,
        0xFFFF,
        0x1_0000,
        0xFFFF_FFFF,
        1 << 32,
    ] {
        let bytes = cbor::unsigned(value);
        assert_eq!(whole(&bytes, Reader::unsigned), Ok(value));
        let negative = -1 - i64::try_from(value).unwrap();
        assert_eq!(
            whole(&cbor::integer(negative), Reader::integer),
            Ok(negative)
        );
    }
    let long: [&[u8]; 8] = [
        &[0x18, 23],
        &[0x19, 0, 0xFF],
        &[0x1A, 0, 0, 0xFF, 0xFF],
        &[0x1B, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x38, 23],
        &[0x39, 0, 0xFF],
        &[0x3A, 0, 0, 0xFF, 0xFF],
        &[0x3B, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF],
    ];
    for bytes in long {
        let error = whole(bytes, Reader::integer).unwrap_err();
        assert_eq!(error, CborError::NotShortest { at: 0 }, "{bytes:02x?}");
    }
}

#[test]
fn lengths_are_read_in_their_shortest_form_only() {
    let error = Err(CborError::NotShortest { at: 0 });
    assert_eq!(whole(&[0x58, 1, 7], |r| r.bytes(9).map(drop)), error);
    assert_eq!(whole(&[0x78, 1, b'a'], |r| r.text(9).map(drop)), error);
    assert_eq!(whole(&[0xD8, 18], |r| r.tag().map(drop)), error);
    assert_eq!(whole(&[0x98, 1, 0], |r| r.array_of(1)), error);
    assert_eq!(
        whole(&[0xB8, 0], |r| r
            .map(Lengths::Any, 1, |_, _| Ok::<_, CborError>(()))),
        error
    );
}

#[test]
fn a_string_in_pieces_is_refused() {
    let pieces = [0x5F, 0x41, 1, 0x41, 2, 0xFF];
    assert!(whole(&pieces, |reader| reader.bytes(9).map(drop)).is_err());
    assert!(whole(&pieces, Reader::skip).is_err());
    assert!(whole(&[0x7F, 0x61, b'a', 0xFF], |reader| reader.text(9).map(drop)).is_err());
}

#[test]
fn a_string_longer_than_allowed_is_refused() {
    let bytes = cbor::bytes(&[0; 30]);
    assert_eq!(
        whole(&bytes, |reader| reader.bytes(30).map(<[u8]>::len)),
        Ok(30)
    );
    let error = whole(&bytes, |reader| reader.bytes(29).map(drop)).unwrap_err();
    assert_eq!(error, CborError::Length { at: 0 });
    let error = whole(&cbor::text("abc"), |reader| reader.text(2).map(drop)).unwrap_err();
    assert_eq!(error, CborError::Length { at: 0 });
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    let error = whole(&[0x61, 0xFF], |reader| reader.text(9).map(drop)).unwrap_err();
    assert_eq!(error, CborError::Type { at: 0 });
}

#[test]
fn a_key_occurs_once() {
    let entry = |key: Vec<u8>| (key, cbor::integer(0));
    let good = cbor::map(&[entry(cbor::integer(1)), entry(cbor::text("1"))]);
    assert_eq!(nothing(&good, Lengths::Definite), Ok(()));
    for key in [cbor::integer(1), cbor::integer(-1), cbor::text("a")] {
        let bytes = cbor::map(&[entry(key.clone()), entry(key)]);
        let error = nothing(&bytes, Lengths::Definite).unwrap_err();
        assert!(matches!(error, CborError::Duplicate { .. }), "{error}");
    }
}

#[test]
fn an_open_length_is_read_only_where_it_may_be() {
    let entries = [
        (cbor::integer(1), cbor::integer(0)),
        (cbor::integer(2), cbor::null()),
    ];
    let bytes = cbor::open_map(&entries);
    assert_eq!(nothing(&bytes, Lengths::Any), Ok(()));
    let error = nothing(&bytes, Lengths::Definite).unwrap_err();
    assert_eq!(error, CborError::Indefinite { at: 0 });
    assert!(
        nothing(&bytes[..bytes.len() - 1], Lengths::Any).is_err(),
        "no break"
    );
    assert!(whole(&bytes, Reader::skip).is_err());
    assert!(nothing(&[0xFF], Lengths::Any).is_err());
    assert!(nothing(&[0xA1, 0x01, 0xFF], Lengths::Any).is_err());
}

#[test]
fn more_members_than_allowed_are_refused() {
    let entries: Vec<_> = (0..4)
        .map(|key| (cbor::integer(key), cbor::null()))
        .collect();
    for bytes in [cbor::map(&entries), cbor::open_map(&entries)] {
        let error = nothing(&bytes, Lengths::Any).unwrap_err();
        assert_eq!(error, CborError::TooMany { at: 0, most: 3 });
    }
    assert_eq!(nothing(&cbor::map(&entries[..3]), Lengths::Any), Ok(()));
    assert_eq!(
        nothing(&cbor::open_map(&entries[..3]), Lengths::Any),
        Ok(())
    );
    // A length alone reserves nothing.
    let claim = [0xBB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
    assert!(nothing(&claim, Lengths::Any).is_err());
}

#[test]
fn deep_nesting_is_refused() {
    let nested = |depth: usize| [vec![0x81; depth], vec![0x00]].concat();
    let most = usize::from(MAX_DEPTH) - 1;
    assert_eq!(whole(&nested(most), Reader::skip), Ok(()));
    let error = whole(&nested(most + 1), Reader::skip).unwrap_err();
    assert!(matches!(error, CborError::TooDeep { .. }), "{error}");
    let tags = [vec![0xC1; 100], vec![0x00]].concat();
    assert!(whole(&tags, Reader::skip).is_err());
}

#[test]
fn what_is_skipped_is_checked_too() {
    let good: [&[u8]; 6] = [
        &[0xF4],
        &[0xF6],
        &[0xC1, 0x01],
        &[0x20],
        &[0x60],
        &[0xA1, 0x01, 0x80],
    ];
    for bytes in good {
        assert_eq!(whole(bytes, Reader::skip), Ok(()), "{bytes:02x?}");
    }
    let bad: [&[u8]; 7] = [
        &[0xF7],
        &[0xF9, 0, 0],
        &[0x18, 1],
        &[0x81, 0x18, 1],
        &[0xA2, 1, 1, 1, 1],
        &[0x42, 0],
        &[],
    ];
    for bytes in bad {
        assert!(whole(bytes, Reader::skip).is_err(), "{bytes:02x?}");
    }
}

#[test]
fn bytes_behind_the_end_are_refused() {
    let error = whole(&[0x01, 0x00], Reader::unsigned).unwrap_err();
    assert_eq!(error, CborError::Trailing { at: 1 });
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = whole(&bytes, Reader::skip);
        let _ = nothing(&bytes, Lengths::Any);
    }
}
