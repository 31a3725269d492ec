//! Intel quotes from anywhere. The fuzzer cannot sign for the vendor, so an accepted one is a hole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_attest::dcap::{Anchors, Collateral};
use subrosa_attest::{UnixSeconds, sgx, tdx};

fuzz_target!(|bytes: &[u8]| {
    if let Some(length) = tdx::quote_length(bytes) {
        assert!(length <= bytes.len());
    }
    let _ = tdx::unverified_registers(bytes);
    let (now, collateral) = (UnixSeconds::new(1_748_736_000), Collateral::default());
    let evidence = tdx::Evidence {
        quote: bytes,
        pck_chain: Some(bytes),
        collateral,
        event_log: None,
    };
    let found = tdx::appraise(&evidence, &tdx::Rules::strict(), &Anchors::vendor(), now);
    assert!(found.verdict().is_err());
    let evidence = sgx::Evidence {
        quote: bytes,
        pck_chain: Some(bytes),
        collateral,
    };
    let found = sgx::appraise(&evidence, &sgx::Rules::strict(), &Anchors::vendor(), now);
    assert!(found.verdict().is_err());
});
