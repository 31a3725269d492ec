//! Documents of the wrong form.

#![allow(clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::fixtures::cbor;
use crate::nitro::fixtures::Setup;

fn error(setup: &Setup) -> DocumentError {
    Document::parse(&setup.document()).unwrap_err()
}

#[test]
fn every_field_is_read() {
    let setup = Setup::new();
    let bytes = setup.document();
    let document = Document::parse(&bytes).unwrap();
    assert_eq!(document.module_id, "i-0-enc0");
    assert_eq!(document.registers.len(), 16);
    assert_eq!(document.registers[&15], [16; 48]);
    assert_eq!(document.certificate, setup.certificate());
    assert_eq!(document.authorities, setup.authorities());
    assert_eq!(document.nonce, Some(&b"a nonce"[..]));
}

/// The hypervisor does both.
#[test]
fn the_fields_may_be_closed_by_a_break_and_absent_ones_be_null() {
    let mut setup = Setup::new();
    for name in ["public_key", "user_data", "nonce"] {
        setup = setup.field(name, cbor::null());
    }
    let bytes = setup.envelope.seal(&cbor::open_map(&setup.entries()));
    let document = Document::parse(&bytes).unwrap();
    assert_eq!(document.nonce, None);
    assert_eq!(document.user_data, None);
    assert_eq!(document.public_key, None);
}

#[test]
fn a_field_that_must_be_there_may_not_be_missing_null_or_of_another_kind() {
    for name in [
        "module_id",
        "digest",
        "timestamp",
        "pcrs",
        "certificate",
        "cabundle",
    ] {
        let setup = Setup::new();
        let mut entries = setup.entries();
        entries.retain(|(key, _)| *key != cbor::text(name));
        let bytes = setup.envelope.seal(&cbor::map(&entries));
        let error = Document::parse(&bytes).unwrap_err();
        assert_eq!(error, DocumentError::Missing { name });
        for wrong in [cbor::null(), cbor::integer(-1), vec![0xF5]] {
            let error = self::error(&Setup::new().field(name, wrong));
            assert!(matches!(error, DocumentError::Cbor(_)), "{name}: {error}");
        }
    }
}

#[test]
fn a_field_that_may_be_absent_is_bytes_where_it_is_there() {
    for name in ["public_key", "user_data", "nonce"] {
        for wrong in [cbor::text("a"), cbor::integer(1), cbor::array(&[])] {
            let error = error(&Setup::new().field(name, wrong));
            assert!(matches!(error, DocumentError::Cbor(_)), "{name}: {error}");
        }
    }
}

#[test]
fn a_field_that_must_hold_something_may_not_be_empty() {
    for (name, empty) in [
        ("module_id", cbor::text("")),
        ("timestamp", cbor::unsigned(0)),
        ("pcrs", cbor::claims(&[])),
        ("certificate", cbor::bytes(&[])),
        ("cabundle", cbor::array(&[])),
        ("cabundle", cbor::array(&[cbor::bytes(&[])])),
        ("public_key", cbor::bytes(&[])),
    ] {
        let error = error(&Setup::new().field(name, empty));
        assert_eq!(error, DocumentError::Empty { name });
    }
    for name in ["user_data", "nonce"] {
        let setup = Setup::new().field(name, cbor::bytes(&[]));
        assert!(Document::parse(&setup.document()).is_ok(), "{name}");
    }
}

#[test]
fn a_field_longer_than_allowed_is_refused() {
    for (name, most) in [
        ("public_key", 1024),
        ("user_data", 1024),
        ("nonce", 1024),
        ("certificate", 1024),
    ] {
        let setup = Setup::new().field(name, cbor::bytes(&vec![1; most]));
        assert!(Document::parse(&setup.document()).is_ok(), "{name}");
        let error = error(&Setup::new().field(name, cbor::bytes(&vec![1; most + 1])));
        let expected = matches!(error, DocumentError::Cbor(CborError::Length { .. }));
        assert!(expected, "{name}: {error}");
    }
    let long = cbor::array(&[cbor::bytes(&[1; 1025])]);
    let error = self::error(&Setup::new().field("cabundle", long));
    assert!(matches!(
        error,
        DocumentError::Cbor(CborError::Length { .. })
    ));
    let error = self::error(&Setup::new().field("module_id", cbor::text(&"a".repeat(257))));
    assert!(matches!(
        error,
        DocumentError::Cbor(CborError::Length { .. })
    ));
}

#[test]
fn more_authorities_than_allowed_are_refused() {
    let many = cbor::array(&vec![cbor::bytes(&[1]); 17]);
    let error = error(&Setup::new().field("cabundle", many));
    assert!(matches!(
        error,
        DocumentError::Cbor(CborError::TooMany { .. })
    ));
}

#[test]
fn another_digest_is_refused() {
    for digest in ["SHA256", "sha384", "SHA512", ""] {
        let error = error(&Setup::new().field("digest", cbor::text(digest)));
        assert_eq!(error, DocumentError::Digest);
    }
}

#[test]
fn registers_have_numbers_from_0_to_31() {
    for index in [-1, 32, 256, i64::MAX] {
        let setup = Setup::new().with(|setup| setup.registers.push((index, cbor::bytes(&[1; 48]))));
        assert_eq!(error(&setup), DocumentError::RegisterIndex, "{index}");
    }
    let named = cbor::map(&[(cbor::text("0"), cbor::bytes(&[1; 48]))]);
    let error = self::error(&Setup::new().field("pcrs", named));
    assert_eq!(error, DocumentError::RegisterIndex);
    let all: Vec<_> = (0..32)
        .map(|index| (index, cbor::bytes(&[1; 48])))
        .collect();
    let setup = Setup::new().field("pcrs", cbor::claims(&all));
    assert!(Document::parse(&setup.document()).is_ok());
}

#[test]
fn registers_are_as_long_as_digests() {
    for length in [0, 1, 31, 33, 47, 49, 63] {
        let setup = Setup::new().with(|setup| setup.registers[7].1 = cbor::bytes(&vec![1; length]));
        let expected = DocumentError::RegisterLength {
            index: 7,
            got: length,
        };
        assert_eq!(error(&setup), expected);
    }
    for length in [32, 48, 64] {
        let setup = Setup::new().with(|setup| setup.registers[7].1 = cbor::bytes(&vec![1; length]));
        assert!(Document::parse(&setup.document()).is_ok(), "{length}");
    }
}

#[test]
fn a_register_or_a_field_occurs_once() {
    let setup = Setup::new().with(|setup| setup.registers.push((0, cbor::bytes(&[9; 48]))));
    let duplicate =
        |error: &DocumentError| matches!(error, DocumentError::Cbor(CborError::Duplicate { .. }));
    assert!(duplicate(&error(&setup)));
    let setup = Setup::new().with(|setup| setup.fields[5] = setup.fields[4].clone());
    assert!(duplicate(&error(&setup)));
}

#[test]
fn an_unknown_field_is_refused() {
    let setup = Setup::new().with(|setup| setup.fields[5].0 = "extra");
    assert_eq!(error(&setup), DocumentError::UnknownField);
    let setup = Setup::new();
    let mut entries = setup.entries();
    entries[5].0 = cbor::integer(1);
    let bytes = setup.envelope.seal(&cbor::map(&entries));
    assert_eq!(
        Document::parse(&bytes).unwrap_err(),
        DocumentError::UnknownField
    );
}

#[test]
fn bytes_behind_the_payload_are_refused() {
    let setup = Setup::new();
    let payload = [cbor::map(&setup.entries()), vec![0]].concat();
    let error = Document::parse(&setup.envelope.seal(&payload))
        .map(drop)
        .unwrap_err();
    assert!(matches!(
        error,
        DocumentError::Cbor(CborError::Trailing { .. })
    ));
}

#[test]
fn another_algorithm_than_es384_is_refused() {
    let setup = Setup::new().with(|setup| {
        setup.envelope.protected = cbor::claims(&[(1, cbor::integer(-7))]);
    });
    let expected = DocumentError::Cose(CoseError::Algorithm { got: -7 });
    assert_eq!(error(&setup), expected);
}

#[test]
fn a_document_longer_than_allowed_is_not_read() {
    let got = Document::MAX_LEN + 1;
    let error = Document::parse(&vec![0; got]).unwrap_err();
    assert_eq!(error, DocumentError::TooLong { got });
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = Document::parse(&bytes);
        let _ = Fields::read(&bytes);
    }

    /// Damage behind a good start, so that reading gets far.
    #[test]
    fn reading_damaged_documents_never_panics(at in any::<proptest::sample::Index>(), byte: u8) {
        let setup = Setup::new();
        let mut payload = cbor::map(&setup.entries());
        let at = at.index(payload.len());
        payload[at] = byte;
        let _ = Fields::read(&payload);
    }
}
