//! What a TPM signed, as untrusted bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_attest::tpm::Quote;

fuzz_target!(|bytes: &[u8]| {
    if Quote::parse(bytes).is_ok() {
        assert!(Quote::parse(&[bytes, &[0]].concat()).is_err());
    }
});
