//! A policy file: whatever is read says what it weakens.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_attest::Policy;

fuzz_target!(|text: &str| {
    if let Ok(policy) = Policy::parse(text) {
        assert!(!policy.name().is_empty());
        assert!(
            policy
                .weakened()
                .iter()
                .all(|weakening| !weakening.reason().is_empty())
        );
    }
});
