//! Evidence from anywhere: a bundle has one spelling, and nothing the fuzzer makes is ever trusted. It cannot
//! sign for a vendor, so any other outcome of the appraisal is a hole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_attest::{Bundle, Policy, Roots, UnixSeconds, appraise};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(bundle) = Bundle::parse(bytes) {
        assert_eq!(bundle.as_bytes(), bytes);
        let now = UnixSeconds::new(1_748_736_000);
        let appraisal = appraise(&bundle, &Policy::strict_default(), &Roots::vendor(), now);
        assert!(!appraisal.rows().is_empty());
        assert!(appraisal.into_attested().is_err());
    }
});
