//! The measurement report of a GPU or switch, as untrusted bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_attest::nvidia::Report;

fuzz_target!(|bytes: &[u8]| {
    if Report::parse(bytes).is_ok() {
        // Zero bytes may follow; any other does not.
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert_eq!(
            Report::parse(&longer).is_ok(),
            longer.len() <= Report::MAX_LEN
        );
        longer.push(1);
        assert!(Report::parse(&longer).is_err());
    }
});
