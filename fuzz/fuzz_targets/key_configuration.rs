//! A key configuration from anywhere: one spelling only, and nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_channel::KeyConfiguration;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(kc) = KeyConfiguration::parse(bytes) {
        assert_eq!(kc.as_bytes(), bytes);
        assert!(kc.not_before() < kc.not_after());
        assert!(!kc.models().is_empty());
    }
});
