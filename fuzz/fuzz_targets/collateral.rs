//! A collateral file from anywhere: there is one spelling of a content, and its expiry is that of its parts. The parts'
//! own readers get the bytes as well.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_attest::collateral::{Collateral, Kind, Label, expiry, ocsp};
use subrosa_attest::dcap::PlatformQuery;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(collateral) = Collateral::parse(bytes) {
        assert_eq!(collateral.as_bytes(), bytes);
        let parts = collateral.entries().iter();
        let earliest = parts
            .map(|part| part.expires_at().expect("it was read"))
            .min();
        assert_eq!(earliest, Some(collateral.expires_at()));
    }
    let _ = Kind::detect(bytes);
    let _ = PlatformQuery::of_quote(bytes);
    let _ = ocsp::Answer::parse(bytes);
    for label in [
        Label::SnpArk,
        Label::DcapRootCrl,
        Label::DcapTcbInfo,
        Label::NvidiaRimDriver,
    ] {
        let _ = expiry(label, bytes);
    }
});
