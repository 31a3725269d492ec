//! Addresses of AMD's service.

use subrosa_attest::snp::{Product, Report};

use super::*;

/// A report that is well-formed and signed by nobody.
fn report(edit: impl FnOnce(&mut [u8; Report::LEN])) -> CollateralQuery {
    let mut bytes = [0; Report::LEN];
    bytes[0] = 3;
    bytes[0x34] = 1;
    bytes[0x180..0x188].copy_from_slice(&[10, 0, 0, 0, 0, 0, 23, 84]);
    bytes[0x188..0x18B].copy_from_slice(&[0x19, 0x11, 1]);
    bytes[0x1A0..0x1E0].copy_from_slice(&[0xC1; 64]);
    edit(&mut bytes);
    Report::parse(&bytes).unwrap().collateral_query()
}

#[test]
fn an_address_names_chip_and_level() {
    let path = vcek_path(&report(|_| {}), Product::Genoa).unwrap();
    let chip = "c1".repeat(64);
    let expected = format!("{chip}?blSPL=10&teeSPL=00&snpSPL=23&ucodeSPL=84");
    assert_eq!(path, expected);
}

#[test]
fn turin_has_a_short_name_and_a_level_more() {
    let turin = report(|bytes| {
        bytes[0x180..0x188].copy_from_slice(&[1, 2, 3, 4, 0, 0, 0, 82]);
        bytes[0x188..0x18B].copy_from_slice(&[0x1A, 0x02, 1]);
        bytes[0x1A8..0x1E0].copy_from_slice(&[0; 56]);
    });
    assert_eq!(turin.product(), Some(Product::Turin));
    let path = vcek_path(&turin, Product::Turin).unwrap();
    let expected = "c1c1c1c1c1c1c1c1?blSPL=02&teeSPL=03&snpSPL=04&ucodeSPL=82&fmcSPL=01";
    assert_eq!(path, expected);
}

#[test]
fn a_hidden_chip_has_no_address() {
    let hidden = report(|bytes| bytes[0x1A0..0x1E0].copy_from_slice(&[0; 64]));
    assert!(vcek_path(&hidden, Product::Genoa).is_err());
}

#[test]
fn the_products_have_the_names_that_the_service_uses() {
    assert_eq!(product_name(Product::Milan).unwrap(), "Milan");
    assert_eq!(product_name(Product::Genoa).unwrap(), "Genoa");
    assert_eq!(product_name(Product::Turin).unwrap(), "Turin");
}
