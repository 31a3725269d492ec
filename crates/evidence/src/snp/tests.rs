//! Tables of a host, good and bad.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use super::*;

/// A table with these entries, in the layout of AMD 56421.
fn table(entries: &[([u8; 16], &[u8])]) -> Vec<u8> {
    let mut head = Vec::new();
    let mut data: Vec<u8> = Vec::new();
    let start = (entries.len() + 1) * 24;
    for (guid, certificate) in entries {
        let offset = u32::try_from(start + data.len()).unwrap();
        let length = u32::try_from(certificate.len()).unwrap();
        head.extend(guid);
        head.extend(offset.to_le_bytes());
        head.extend(length.to_le_bytes());
        data.extend(*certificate);
    }
    head.extend([0; 24]);
    head.extend(data);
    head
}

fn full() -> Vec<u8> {
    table(&[
        (VCEK, b"leaf"),
        (ASK, b"ask"),
        (ARK, b"ark"),
        (CRL, b"crl"),
        ([9; 16], b"other"),
    ])
}

#[test]
fn a_table_gives_the_certificates_it_holds() {
    let certificates = Table::choose(&[&Table::parse(&full()).unwrap()]).unwrap();
    assert_eq!(certificates.kind, KeyKind::Vcek);
    assert_eq!(certificates.leaf, b"leaf");
    assert_eq!(certificates.intermediate, b"ask");
    assert_eq!(certificates.root, b"ark");
    assert_eq!(certificates.revocation_list.as_deref(), Some(&b"crl"[..]));
}

#[test]
fn a_table_with_swapped_guids_is_read_too() {
    let swapped = table(&[
        (mixed_endian(VLEK), b"leaf"),
        (mixed_endian(ASK), b"ask"),
        (ARK, b"ark"),
    ]);
    let certificates = Table::choose(&[&Table::parse(&swapped).unwrap()]).unwrap();
    assert_eq!(
        (certificates.kind, certificates.leaf),
        (KeyKind::Vlek, b"leaf".to_vec())
    );
}

#[test]
fn a_swapped_guid_has_its_first_three_fields_reversed() {
    let guid = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128.to_be_bytes();
    let swapped = 0x3322_1100_5544_7766_8899_aabb_ccdd_eeff_u128.to_be_bytes();
    assert_eq!(mixed_endian(guid), swapped);
}

#[test]
fn files_come_before_the_table_and_are_completed_by_it() {
    let files = Table {
        vlek: Some(b"own".to_vec()),
        root: Some(b"own root".to_vec()),
        ..Table::default()
    };
    let table = Table::parse(&full()).unwrap();
    let certificates = Table::choose(&[&files, &table]).unwrap();
    assert_eq!(
        (certificates.kind, certificates.leaf),
        (KeyKind::Vlek, b"own".to_vec())
    );
    assert_eq!(certificates.root, b"own root");
    assert_eq!(certificates.intermediate, b"ask");
}

#[test]
fn a_certificate_that_is_nowhere_is_named() {
    for (entries, missing) in [
        (vec![(ASK, &b"a"[..]), (ARK, b"a")], "VCEK or VLEK"),
        (vec![(VCEK, b"a"), (ARK, b"a")], "ASK"),
        (vec![(VCEK, b"a"), (ASK, b"a")], "ARK"),
    ] {
        let table = Table::parse(&table(&entries)).unwrap();
        let error = Table::choose(&[&table]).unwrap_err();
        assert!(matches!(error, CollectError::CertificateMissing { what } if what == missing));
    }
    let empty = Table::choose(&[&Table::parse(&[]).unwrap()]);
    assert!(matches!(
        empty,
        Err(CollectError::CertificateMissing { .. })
    ));
}

#[test]
fn a_malformed_table_is_refused() {
    let mut beyond = table(&[(VCEK, b"leaf")]);
    beyond[20] = 200;
    let mut overflow = table(&[(VCEK, b"leaf")]);
    overflow[16..24].fill(0xFF);
    for (name, bytes) in [
        ("half an entry", &full()[..23]),
        ("no end", &full()[..48]),
        ("beyond the end", &beyond),
        ("offset and length overflow", &overflow),
    ] {
        assert!(
            matches!(Table::parse(bytes), Err(CollectError::CertificateTable)),
            "{name}"
        );
    }
}
