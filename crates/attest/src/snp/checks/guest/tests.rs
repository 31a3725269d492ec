//! What the host says about itself.

use crate::appraisal::Code;
use crate::fixtures::Setup;
use crate::snp::layout::PLATFORM_INFO;

const ALIAS_CHECK_COMPLETE: u64 = 1 << 5;
/// Bit 6 and above.
const UNDEFINED: u64 = !0x3F;

#[test]
fn undefined_bits_of_the_platform_information_neither_refuse_nor_meet_a_demand() {
    let with = |lines: &str, info: u64| {
        let setup = Setup::new().snp_policy(lines);
        setup.report_field(PLATFORM_INFO, &info.to_le_bytes())
    };
    let complete = with("", UNDEFINED | ALIAS_CHECK_COMPLETE);
    assert!(complete.refusal().is_err());
    let incomplete = with("", UNDEFINED);
    assert_eq!(incomplete.refusal(), Ok(Code::AliasCheckIncomplete));
    for feature in ["ecc", "tsme", "ciphertext-hiding"] {
        let demand = format!("platform-features = [\"{feature}\"]");
        let unmet = with(&demand, UNDEFINED | ALIAS_CHECK_COMPLETE);
        assert_eq!(unmet.refusal(), Ok(Code::PlatformFeatureMissing));
        let met = with(&demand, 0x3F);
        assert!(met.refusal().is_err(), "{feature}");
    }
}
