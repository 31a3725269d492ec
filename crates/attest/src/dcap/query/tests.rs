//! Quotes with one thing wrong at a time.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use super::*;
use crate::collateral::fixtures::{FMSPC, Sample, pck_chain, pem, quote, sgx_extensions};
use crate::development::certificates::ExtensionDraft;
use crate::fixtures::pki::{TestKey, leaf_draft};

const PLATFORM: &str = "Intel SGX PCK Platform CA";

fn chain() -> String {
    pck_chain(PLATFORM, &sgx_extensions())
}

#[test]
fn every_version_of_a_quote_names_its_platform() {
    for version in [3, 4, 5] {
        let query = PlatformQuery::of_quote(&quote(version, 5, &chain())).unwrap();
        assert_eq!(query.fmspc(), &FMSPC, "version {version}");
        assert_eq!(query.authority(), PckAuthority::Platform);
    }
    let query = PlatformQuery::of_quote(&Sample::sgx().evidence).unwrap();
    assert_eq!(query.authority(), PckAuthority::Processor);
}

#[test]
fn padding_behind_a_quote_and_behind_its_certificates_is_no_harm() {
    let mut padded = quote(4, 5, &format!("{}\0", chain()));
    padded.extend([0; 100]);
    assert!(PlatformQuery::of_quote(&padded).is_ok());
}

#[test]
fn a_quote_that_is_cut_anywhere_is_refused() {
    for version in [3, 4, 5] {
        let quote = quote(version, 5, &chain());
        for length in 0..quote.len() {
            assert!(
                PlatformQuery::of_quote(&quote[..length]).is_err(),
                "version {version} cut to {length}"
            );
        }
    }
}

#[test]
fn another_version_key_type_or_size_is_no_quote() {
    let good = quote(4, 5, &chain());
    for (at, value) in [(0, 2), (0, 6), (2, 3)] {
        let mut bad = good.clone();
        bad[at] = value;
        let query = PlatformQuery::of_quote(&bad);
        assert!(matches!(query, Err(QueryError::Quote(_))), "{at}");
    }
    let long = quote(4, 5, &"x".repeat(40 * 1024));
    let query = PlatformQuery::of_quote(&long);
    assert!(matches!(query, Err(QueryError::Quote(_))));
}

#[test]
fn a_quote_without_certificates_says_so() {
    for kind in [1, 2, 3] {
        let quote = quote(3, kind, &chain());
        assert_eq!(
            PlatformQuery::of_quote(&quote),
            Err(QueryError::NoCertificate)
        );
    }
    let unknown = PlatformQuery::of_quote(&quote(3, 7, &chain()));
    assert!(matches!(unknown, Err(QueryError::Quote(_))));
}

#[test]
fn a_certificate_that_names_no_platform_is_refused() {
    let other_authority = pck_chain("Another CA", &sgx_extensions());
    let none = pck_chain(PLATFORM, &[]);
    let garbage = ExtensionDraft::new("1.2.840.113741.1.13.1", false, [0x30, 0x01, 0x00]);
    let garbage = pck_chain(PLATFORM, &[garbage]);
    let empty = ExtensionDraft::new("1.2.840.113741.1.13.1", false, [0x30, 0x00]);
    let empty = pck_chain(PLATFORM, &[empty]);
    let key = TestKey::p256(1);
    let rest = pem(&[key.certify(&leaf_draft("A", "B", &key))]);
    for (text, why) in [
        (other_authority.as_str(), "another authority"),
        (&none, "no extension"),
        (&garbage, "a malformed extension"),
        (&empty, "an empty extension"),
        (&rest, "no PCK"),
        ("", "nothing"),
        ("text", "no certificates"),
    ] {
        let result = PlatformQuery::of_quote(&quote(4, 5, text));
        assert_eq!(result, Err(QueryError::Certificate), "{why}");
    }
}
