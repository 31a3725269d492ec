//! A reference manifest, as untrusted text: XML, canonical form, signature, content.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_attest::UnixSeconds;
use subrosa_attest::nvidia::{Anchors, Manifest, appraise_manifest};

fuzz_target!(|bytes: &[u8]| {
    if Manifest::parse(bytes).is_ok() {
        // Nobody here holds NVIDIA's keys.
        let now = UnixSeconds::new(1_740_787_200);
        let appraisal = appraise_manifest(bytes, &Anchors::vendor(), now);
        assert!(appraisal.verdict().is_err());
    }
});
