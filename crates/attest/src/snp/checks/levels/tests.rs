//! Demands on firmware, met in one place and not in the other.

use crate::appraisal::Code;
use crate::fixtures::{Setup, weakened};
use crate::snp::layout;

#[test]
fn a_demanded_mitigation_must_be_active_at_launch_and_now() {
    let report = |launch: u8, current: u8| {
        Setup::new()
            .snp_policy("mitigations = 3")
            .report_field(layout::VERSION, &[5])
            .report_field(layout::LAUNCH_MITIGATIONS, &[launch])
            .report_field(layout::CURRENT_MITIGATIONS, &[current])
            .refusal()
    };
    assert!(report(3, 3).is_err() && report(7, 0x83).is_err());
    for (launch, current) in [(0, 3), (3, 0), (1, 3), (3, 2), (2, 1), (4, 4)] {
        let missing = Ok(Code::MitigationMissing);
        assert_eq!(report(launch, current), missing, "{launch} {current}");
    }
}

/// What runs can be taken back to what is committed.
#[test]
fn a_minimum_firmware_holds_for_the_committed_one() {
    let lines = "minimum-firmware = [1, 55, 40]\nallow-provisional-firmware = true\n".to_owned()
        + &weakened(&["provisional-firmware"]);
    let with = |at, version: [u8; 3]| Setup::new().snp_policy(&lines).report_field(at, &version);
    let newer = [41, 55, 1];
    assert!(with(layout::CURRENT_FIRMWARE, newer).refusal().is_err());
    let older = with(layout::COMMITTED_FIRMWARE, [39, 55, 1]);
    assert_eq!(older.refusal(), Ok(Code::FirmwareBelowMinimum));
    let newer_only = older.report_field(layout::CURRENT_FIRMWARE, &newer);
    assert_eq!(newer_only.refusal(), Ok(Code::FirmwareBelowMinimum));
}
