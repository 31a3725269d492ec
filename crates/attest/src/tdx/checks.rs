//! The checks of a trust domain, each with a row.

use super::{Anchors, Claims, Evidence, Log, Rules};
use crate::appraisal::check::{Check, Recorder};
use crate::appraisal::{Code, Gap, list};
use crate::dcap::{self, Body, Input, TdLevels, TdReport, VerifiedQuote, check_level};
use crate::eventlog::{Bank, DstackError, DstackLog, EventLog, EventLogError};
use crate::identifiers::{Measurement, ReportData};
use crate::time::UnixSeconds;

/// Verifies the evidence and compares it with the rules.
///
/// It ends early, with `None`, where a later check would look at unverified
/// bytes; otherwise every check runs, so that a person sees all that is wrong.
pub(crate) fn verify(
    evidence: &Evidence<'_>,
    rules: &Rules,
    anchors: &Anchors,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<Claims> {
    let input = Input {
        quote: evidence.quote,
        pck_chain: evidence.pck_chain,
        collateral: &evidence.collateral,
    };
    let verified = dcap::verify(input, &rules.tcb, anchors, now, recorder)?;
    let Body::Td(report) = &verified.quote.body else {
        recorder.fail(Check::QuotedTd, Code::UnsupportedPlatform, "an enclave");
        return None;
    };
    recorder.pass(Check::QuotedTd, "a trust domain");
    check_module(&verified, report, rules, recorder);
    let levels = TdLevels {
        tee_tcb_svn: &report.tee_tcb_svn,
        tee_tcb_svn2: report.td15.as_ref().map(|td15| &td15.tee_tcb_svn2),
    };
    let tcb = check_level(&verified, Some(levels), &rules.tcb, recorder);
    check_attributes(report, rules, recorder);
    check_xfam(report, recorder);
    check_service(report, rules, recorder);
    check_values(report, rules, recorder);
    check_event_log(report, evidence.event_log, rules, recorder);
    Some(Claims::new(&verified, report, tcb))
}

/// Intel's TDX module, not in a debug mode (TDX Module Base Specification,
/// `MRSIGNERSEAM` and `SEAMATTRIBUTES`; PCS API version 4, "tdxModuleIdentities").
fn check_module(
    verified: &VerifiedQuote<'_>,
    report: &TdReport,
    rules: &Rules,
    recorder: &mut Recorder,
) {
    let check = Check::TdxModule;
    let code = Code::ModuleMismatch;
    if verified.has_tcb_info() {
        let Some(module) = verified.module(&report.tee_tcb_svn) else {
            let found = format!("no identity for generation {}", report.tee_tcb_svn[1]);
            recorder.fail(check, code, found);
            return;
        };
        let masked: Vec<u8> = report
            .seam_attributes
            .iter()
            .zip(module.attributes_mask)
            .map(|(attributes, mask)| attributes & mask)
            .collect();
        recorder.compare(
            check,
            report.mr_signer_seam == module.mr_signer && masked == module.attributes,
            code,
            identity(&module.mr_signer, &module.attributes),
            identity(&report.mr_signer_seam, &masked),
        );
    }
    if let Some(allowed) = &rules.modules {
        let found = Measurement::new(report.mr_seam);
        recorder.compare(
            Check::TdModuleMeasurement,
            allowed.contains(&found),
            Code::MeasurementNotAllowed,
            list(allowed.iter()),
            found.to_string(),
        );
    }
}

fn identity(signer: &[u8], attributes: &[u8]) -> String {
    format!(
        "signer {}, attributes {}",
        hex::encode(signer),
        hex::encode(attributes)
    )
}

/// TDX Module Base Specification, table "`TD_ATTRIBUTES` Definition".
fn check_attributes(report: &TdReport, rules: &Rules, recorder: &mut Recorder) {
    let attributes = u64::from_le_bytes(report.td_attributes);
    let found = || format!("{attributes:#x}");
    let has = |bit: u64| attributes & bit != 0;
    let well_formed = attributes & !KNOWN == 0;
    let allowed = (rules.accept_key_locker || !has(KEY_LOCKER))
        && (rules.accept_performance_monitoring || !has(PERFORMANCE_MONITORING));
    recorder.compare(
        Check::TdAttributes,
        well_formed && allowed,
        if well_formed {
            Code::GuestAttributeNotAllowed
        } else {
            Code::GuestPolicyMalformed
        },
        "no reserved bit, and neither KL nor PERFMON unless allowed",
        found(),
    );
    recorder.compare(
        Check::TdDebug,
        !has(DEBUG),
        Code::GuestDebugAllowed,
        "DEBUG not set",
        found(),
    );
    recorder.compare(
        Check::TdMigration,
        !has(MIGRATABLE),
        Code::GuestMigrationAllowed,
        "MIGRATABLE not set",
        found(),
    );
    let check = Check::TdSeptVe;
    if has(SEPT_VE_DISABLE) {
        recorder.pass(check, found());
    } else if rules.accept_memory_faults {
        recorder.gap(check, Gap::TdMemoryFaultsVisible);
    } else {
        recorder.fail(check, Code::GuestRestrictionMissing, found());
    }
}

/// TDX Module Base Specification, "XFAM": x87 and SSE always, and no feature that
/// a trust domain cannot have.
fn check_xfam(report: &TdReport, recorder: &mut Recorder) {
    let xfam = u64::from_le_bytes(report.xfam);
    recorder.compare(
        Check::TdXfam,
        xfam & XFAM_FIXED_1 == XFAM_FIXED_1 && xfam & !XFAM_KNOWN == 0,
        Code::GuestPolicyMalformed,
        format!("{XFAM_FIXED_1:#x} set, nothing but {XFAM_KNOWN:#x} set"),
        format!("{xfam:#x}"),
    );
}

fn check_service(report: &TdReport, rules: &Rules, recorder: &mut Recorder) {
    let check = Check::TdService;
    match report.td15.map(|td15| Measurement::new(td15.mr_service_td)) {
        None => recorder.pass(check, "TD 1.0 has none"),
        Some(service) if service.is_zero() => recorder.pass(check, "none"),
        Some(_) if rules.accept_service_td => recorder.gap(check, Gap::ServiceGuestBound),
        Some(service) => recorder.fail(check, Code::ServiceGuestBound, service.to_string()),
    }
}

fn check_values(report: &TdReport, rules: &Rules, recorder: &mut Recorder) {
    for (register, (demanded, found)) in rules.registers.iter().zip(report.rt_mr).enumerate() {
        if let Some(demanded) = demanded {
            recorder.compare(
                Check::TdRegisters,
                *demanded.as_bytes() == found,
                Code::RegisterMismatch,
                format!("RTMR{register}: {demanded}"),
                format!("RTMR{register}: {}", hex::encode(found)),
            );
        }
    }
    for (name, demanded, found) in [
        ("MRCONFIGID", rules.configuration_id, report.mr_config_id),
        ("MROWNER", rules.owner, report.mr_owner),
        (
            "MROWNERCONFIG",
            rules.owner_configuration,
            report.mr_owner_config,
        ),
    ] {
        if let Some(demanded) = demanded {
            recorder.compare(
                Check::TdIdentity,
                *demanded.as_bytes() == found,
                Code::ConfigurationIdMismatch,
                format!("{name}: {demanded}"),
                format!("{name}: {}", hex::encode(found)),
            );
        }
    }
    if let Some(allowed) = &rules.measurements {
        let found = Measurement::new(report.mr_td);
        recorder.compare(
            Check::Measurement,
            allowed.contains(&found),
            Code::MeasurementNotAllowed,
            list(allowed.iter()),
            found.to_string(),
        );
    }
    if let Some(expected) = rules.report_data {
        let found = ReportData::new(report.report_data);
        recorder.compare(
            Check::ReportData,
            expected == found,
            Code::ReportDataMismatch,
            expected.to_string(),
            found.to_string(),
        );
    }
}

/// The log must give all four registers, so that no event can be left out.
fn check_event_log(
    report: &TdReport,
    log: Option<Log<'_>>,
    rules: &Rules,
    recorder: &mut Recorder,
) {
    let check = Check::TdEventLog;
    let replayed = match log {
        None if rules.event_log_required => {
            recorder.fail(check, Code::EvidenceMissing, "no event log");
            return;
        }
        None => return,
        Some(log) => replay(log),
    };
    match replayed {
        Err(error) => recorder.fail(check, Code::EventLogMalformed, error.to_string()),
        Ok(registers) => {
            let differs = (0..)
                .zip(registers.iter().zip(&report.rt_mr))
                .find(|(_, (replayed, quoted))| replayed != quoted);
            match differs {
                None => recorder.pass(check, "gives RTMR 0 to 3"),
                Some((register, (replayed, quoted))) => recorder.compare(
                    check,
                    false,
                    Code::EventLogMismatch,
                    format!("RTMR{register}: {}", hex::encode(quoted)),
                    format!("RTMR{register}: {}", hex::encode(replayed)),
                ),
            }
        }
    }
}

/// The values of RTMR 0 to 3 that a log gives.
///
/// # Errors
///
/// Says what is wrong with the log.
pub fn replay(log: Log<'_>) -> Result<[[u8; 48]; 4], LogError> {
    let bytes = match log {
        Log::Dstack(json) => return Ok(DstackLog::parse(json)?.replay()),
        Log::Ccel(bytes) => bytes,
    };
    let mut registers = [[0; 48]; 4];
    for (register, value) in EventLog::parse(bytes)?.replay(Bank::Sha384)? {
        // ACPI 6.5, table "CC Event Log": 0 is MRTD, then RTMR 0 to 3.
        let place = usize::try_from(register)
            .ok()
            .and_then(|register| register.checked_sub(1))
            .and_then(|register| registers.get_mut(register));
        match (place, value.try_into()) {
            (Some(place), Ok(value)) => *place = value,
            _ => return Err(LogError::Register { register }),
        }
    }
    Ok(registers)
}

/// Why a log gives no registers.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// A log of a CCEL table breaks its format.
    #[error(transparent)]
    Ccel(#[from] EventLogError),

    /// A log of a dstack guest breaks its format.
    #[error(transparent)]
    Dstack(#[from] DstackError),

    /// The log measures into a register that a guest cannot extend.
    #[error("measures into register {register}, expected 1 to 4")]
    Register {
        /// The register.
        register: u32,
    },
}

pub(super) const DEBUG: u64 = 1;
pub(super) const SEPT_VE_DISABLE: u64 = 1 << 28;
const MIGRATABLE: u64 = 1 << 29;
const PROTECTION_KEYS: u64 = 1 << 30;
const KEY_LOCKER: u64 = 1 << 31;
const PERFORMANCE_MONITORING: u64 = 1 << 63;
const KNOWN: u64 =
    DEBUG | SEPT_VE_DISABLE | MIGRATABLE | PROTECTION_KEYS | KEY_LOCKER | PERFORMANCE_MONITORING;
const XFAM_FIXED_1: u64 = 0x3;
/// x87, SSE, AVX, AVX-512, PT, PKRU, CET, user interrupts, LBR and AMX.
const XFAM_KNOWN: u64 = 0x0006_DBE7;

#[cfg(test)]
mod tests;
