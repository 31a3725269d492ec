//! An Arm CCA token, as untrusted bytes. Nobody's key is endorsed, so that nothing may be accepted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_attest::UnixSeconds;
use subrosa_attest::cca::{Anchors, Evidence, Rules, Token, appraise};

fuzz_target!(|bytes: &[u8]| {
    if Token::parse(bytes).is_ok() {
        let evidence = Evidence { token: bytes };
        let now = UnixSeconds::new(1_748_736_000);
        let rules = Rules::strict().old_profiles_accepted(true);
        assert!(
            appraise(&evidence, &rules, &Anchors::vendor(), now)
                .verdict()
                .is_err()
        );
    }
});
