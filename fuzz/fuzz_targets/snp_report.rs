//! The hardware's report, as untrusted bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_attest::snp::Report;

fuzz_target!(|bytes: &[u8]| {
    if Report::parse(bytes).is_ok() {
        assert_eq!(bytes.len(), Report::LEN);
    }
});
