//! Lists of fields, good and bad.

use super::*;

fn list(fields: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, value) in fields {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
        bytes.extend(*value);
    }
    bytes
}

fn opaque(kind: u16, value: &[u8]) -> Opaque {
    Opaque::parse(&list(&[(kind, value)])).unwrap()
}

#[test]
fn an_empty_list_is_a_list() {
    assert_eq!(Opaque::parse(&[]), Some(Opaque::default()));
}

#[test]
fn unknown_fields_are_kept_and_ignored() {
    let opaque = Opaque::parse(&list(&[(999, b"?"), (NVDEC0_STATUS, &[0x55])])).unwrap();
    assert_eq!(opaque.byte(NVDEC0_STATUS), Some(0x55));
}

#[test]
fn a_field_that_occurs_twice_is_refused() {
    let bytes = list(&[(3, b"a"), (4, b"b"), (3, b"a")]);
    assert_eq!(Opaque::parse(&bytes), None);
}

#[test]
fn a_cut_list_is_refused() {
    let bytes = list(&[(3, b"abc")]);
    for length in 1..bytes.len() {
        let cut = bytes.get(..length).unwrap();
        assert_eq!(Opaque::parse(cut), None, "{length}");
    }
}

#[test]
fn a_byte_is_one_byte_and_a_number_two() {
    assert_eq!(opaque(1, &[7]).byte(1), Some(7));
    assert_eq!(opaque(1, &[2, 1]).u16(1), Some(0x0102));
    for wrong in [&[][..], &[1, 2, 3]] {
        assert_eq!(opaque(1, wrong).byte(1), None);
        assert_eq!(opaque(1, wrong).u16(1), None);
    }
}

#[test]
fn text_is_printable_and_padded_with_zero_bytes_only() {
    assert_eq!(opaque(1, b"550.90.07\0").text(1), Some("550.90.07"));
    for wrong in [&b"\0\0"[..], b"", b"a b", b"a\0b", b"a\n", b"\xFFa"] {
        assert_eq!(opaque(1, wrong).text(1), None, "{wrong:?}");
    }
}

#[test]
fn identifiers_have_eight_bytes_each() {
    assert_eq!(opaque(1, &[1; 16]).pdis(1), Some(vec![[1; 8]; 2]));
    assert_eq!(opaque(1, &[1; 15]).pdis(1), None);
}

#[test]
fn a_vbios_version_is_read_as_people_write_it() {
    let version = |bytes: &[u8]| opaque(VBIOS_VERSION, bytes).gpu_vbios_version();
    let known = version(&[0x00, 0x88, 0x00, 0x97, 0x0F, 0, 0, 0]);
    assert_eq!(known.as_deref(), Some("97.00.88.00.0F"));
    for wrong in [&[0; 7][..], &[0; 9], &[0, 0, 0, 0, 0, 1, 0, 0]] {
        assert_eq!(version(wrong), None);
    }
}
