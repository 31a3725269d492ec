//! What a report asks for.

use crate::development::Draft;
use crate::fixtures::{CHIP_ID, Keys, Setup, TCB};
use crate::snp::layout;
use crate::snp::{CollateralQuery, KeyKind, Product, Report};

fn query(edit: impl FnOnce(Draft) -> Draft) -> CollateralQuery {
    let report = edit(Draft::genoa(&CHIP_ID, TCB)).sign(&Keys::new().vcek);
    Report::parse(&report).unwrap().collateral_query()
}

#[test]
fn a_report_names_its_chip_and_level() {
    let query = query(|draft| draft);
    assert_eq!(query.kind(), Some(KeyKind::Vcek));
    assert_eq!(query.product(), Some(Product::Genoa));
    assert_eq!(query.hardware_id(Product::Genoa).unwrap(), CHIP_ID);
    assert_eq!(query.tcb(Product::Genoa), Some(TCB));
}

#[test]
fn a_report_of_version_2_names_no_generation() {
    let old = query(|draft| {
        draft
            .with(layout::VERSION, &[2])
            .with(layout::CPUID, &[0; 3])
    });
    assert_eq!(old.product(), None);
}

#[test]
fn the_kind_of_key_is_what_the_report_says() {
    let kind = |key_info: u8| query(|draft| draft.with(layout::KEY_INFO, &[key_info])).kind();
    assert_eq!(kind(1 << 2), Some(KeyKind::Vlek));
    assert_eq!(kind(7 << 2), None);
    assert_eq!(kind(2 << 2), None);
}

#[test]
fn a_hidden_chip_is_not_asked_for() {
    let hidden = query(|draft| draft.with(layout::CHIP_ID, &[0; 64]));
    assert_eq!(hidden.hardware_id(Product::Genoa), None);
    assert_eq!(hidden.hardware_id(Product::Turin), None);
}

#[test]
fn turin_names_a_chip_with_eight_bytes() {
    let long = query(|draft| draft);
    assert_eq!(long.hardware_id(Product::Turin), None);
    let mut id = [0; 64];
    id[..8].copy_from_slice(&[0xCD; 8]);
    let turin = query(|draft| draft.with(layout::CHIP_ID, &id));
    assert_eq!(turin.hardware_id(Product::Turin).unwrap(), [0xCD; 8]);
}

#[test]
fn only_the_certificate_of_this_chip_and_level_answers() {
    let vcek = Setup::new().signed().vcek;
    assert!(query(|draft| draft).is_answered_by(&vcek));
    for (at, value, why) in [
        (layout::CHIP_ID, 0xAA, "another chip"),
        (layout::REPORTED_TCB, 0xAA, "another boot loader"),
        (layout::REPORTED_TCB + 7, 0xAA, "another microcode"),
        (layout::CPUID + 1, 0x01, "another product"),
    ] {
        let other = query(|draft| draft.with(at, &[value]));
        assert!(!other.is_answered_by(&vcek), "{why}");
    }
    assert!(!query(|draft| draft).is_answered_by(&Setup::new().signed().ask));
    assert!(!query(|draft| draft).is_answered_by(b"x"));
}
