//! The public part of a TPM's key, as untrusted bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_attest::tpm::Public;

fuzz_target!(|bytes: &[u8]| {
    if Public::parse(bytes).is_ok() {
        let length = u16::try_from(bytes.len()).expect("it is short");
        let sized = [&length.to_be_bytes(), bytes].concat();
        assert!(Public::parse_sized(&sized).is_ok());
    }
});
