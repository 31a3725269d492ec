//! The firmware's levels: against the certificate, each other and the floors.

use super::VerifiedChain;
use crate::appraisal::Code;
use crate::appraisal::check::{Check, Recorder};
use crate::policy::{Policy, WeakenedRule};
use crate::snp::report::VerifiedReport;
use crate::snp::rules::Rules;
use crate::snp::{Part, Product, Tcb};

/// The four firmware levels of a report.
pub(in crate::snp) struct Levels {
    pub(in crate::snp) reported: Tcb,
    pub(in crate::snp) committed: Tcb,
    pub(in crate::snp) current: Tcb,
    pub(in crate::snp) launch: Tcb,
}

pub(super) fn read_levels(
    report: &VerifiedReport,
    product: Product,
    recorder: &mut Recorder,
) -> Option<Levels> {
    let read = |bytes| Tcb::from_report(bytes, product);
    let levels = (|| {
        Some(Levels {
            reported: read(report.reported_tcb)?,
            committed: read(report.committed_tcb)?,
            current: read(report.current_tcb)?,
            launch: read(report.launch_tcb)?,
        })
    })();
    if levels.is_none() {
        let found = "a reserved byte of a firmware level is set";
        recorder.fail(Check::EndorsedTcb, Code::ReportMalformed, found);
    }
    levels
}

pub(super) fn check_levels(
    levels: &Levels,
    chain: &VerifiedChain,
    part: Part,
    rules: &Rules,
    recorder: &mut Recorder,
) {
    recorder.compare(
        Check::EndorsedTcb,
        levels.reported == chain.tcb(),
        Code::TcbMismatch,
        chain.tcb().to_string(),
        levels.reported.to_string(),
    );
    // Neither can firmware report more than runs, nor can more be committed.
    recorder.compare(
        Check::TcbOrder,
        levels.current.is_at_least(&levels.reported)
            && levels.current.is_at_least(&levels.committed),
        Code::TcbInconsistent,
        format!("at most the current {}", levels.current),
        format!(
            "reported {}; committed {}",
            levels.reported, levels.committed
        ),
    );
    for (check, level) in [
        (Check::TcbReported, levels.reported),
        (Check::TcbCommitted, levels.committed),
        (Check::TcbCurrent, levels.current),
        (Check::TcbLaunch, levels.launch),
    ] {
        match rules.floor(part) {
            Some(floor) => recorder.compare(
                check,
                level.is_at_least(&floor.tcb),
                Code::TcbBelowFloor,
                format!("{} for {part} as of {}", floor.tcb, floor.as_of),
                level.to_string(),
            ),
            None => recorder.fail(check, Code::TcbBelowFloor, format!("no floor for {part}")),
        }
    }
}

pub(super) fn check_firmware(report: &VerifiedReport, policy: &Policy, recorder: &mut Recorder) {
    let rules = &policy.snp;
    let is_committed = report.committed_firmware == report.current_firmware;
    if !is_committed && rules.allow_provisional_firmware {
        let gap = policy.weakened_gap(WeakenedRule::ProvisionalFirmware);
        recorder.gap(Check::FirmwareCommitted, gap);
    } else {
        recorder.compare(
            Check::FirmwareCommitted,
            is_committed,
            Code::FirmwareProvisional,
            report.committed_firmware.to_string(),
            report.current_firmware.to_string(),
        );
    }
    if let Some(minimum) = rules.minimum_firmware {
        recorder.compare(
            Check::MinimumFirmware,
            report.committed_firmware >= minimum,
            Code::FirmwareBelowMinimum,
            minimum.to_string(),
            report.committed_firmware.to_string(),
        );
    }
    if let Some(wanted) = rules.mitigations {
        let active = |vector: Option<u64>| vector.is_some_and(|found| found & wanted == wanted);
        recorder.compare(
            Check::Mitigations,
            active(report.launch_mitigations) && active(report.current_mitigations),
            Code::MitigationMissing,
            format!("{wanted:#x}"),
            format!(
                "launch {}; current {}",
                vector(report.launch_mitigations),
                vector(report.current_mitigations)
            ),
        );
    }
}

fn vector(found: Option<u64>) -> String {
    found.map_or_else(|| "not reported".to_owned(), |found| format!("{found:#x}"))
}

#[cfg(test)]
#[cfg(feature = "development")]
mod tests;
