//! An AWS Nitro document, as untrusted bytes. The fuzzer cannot sign for AWS, so that nothing may be accepted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_attest::UnixSeconds;
use subrosa_attest::nitro::{Anchors, Document, Evidence, Rules, appraise};

fuzz_target!(|bytes: &[u8]| {
    if Document::parse(bytes).is_ok() {
        let evidence = Evidence { document: bytes };
        let now = UnixSeconds::new(1_748_736_000);
        let rules = Rules::strict().maximum_age(None);
        assert!(
            appraise(&evidence, &rules, &Anchors::vendor(), now)
                .verdict()
                .is_err()
        );
    }
});
