//! An Azure paravisor's report and its runtime data, as untrusted bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_attest::azure::{HclReport, RuntimeData};

fuzz_target!(|bytes: &[u8]| {
    if HclReport::parse(bytes).is_ok() && bytes.len() < HclReport::MAX_LEN {
        assert!(HclReport::parse(&[bytes, &[0]].concat()).is_ok());
        assert!(HclReport::parse(&[bytes, &[1]].concat()).is_err());
    }
    let _ = RuntimeData::parse(bytes);
});
