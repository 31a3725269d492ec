//! The checks of an enclave, each with a row.

use super::{Anchors, Claims, Evidence, Rules};
use crate::appraisal::check::{Check, Recorder};
use crate::appraisal::{Code, Gap, list};
use crate::dcap::{self, Body, EnclaveReport, Input, check_level};
use crate::identifiers::{BlockId, ReportData, Sha256Digest};
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
    let Body::Enclave(report) = &verified.quote.body else {
        let found = "a trust domain";
        recorder.fail(Check::QuotedEnclave, Code::UnsupportedPlatform, found);
        return None;
    };
    recorder.pass(Check::QuotedEnclave, "an enclave");
    let tcb = check_level(&verified, None, &rules.tcb, recorder);
    check_attributes(report, rules, recorder);
    check_identity(report, rules, recorder);
    check_configuration(report, rules, recorder);
    Some(Claims::new(&verified, report, tcb))
}

/// Intel SDM volume 3D, table "Layout of ATTRIBUTES Structure".
fn check_attributes(report: &EnclaveReport, rules: &Rules, recorder: &mut Recorder) {
    let flags = flags(report);
    let found = || format!("{flags:#x}");
    let has = |bit: u64| flags & bit != 0;
    recorder.compare(
        Check::EnclaveDebug,
        !has(DEBUG),
        Code::GuestDebugAllowed,
        "DEBUG not set",
        found(),
    );
    let well_formed = has(INIT) && flags & !KNOWN == 0;
    recorder.compare(
        Check::EnclaveAttributes,
        well_formed && !has(EINITTOKEN_KEY),
        if well_formed {
            Code::GuestAttributeNotAllowed
        } else {
            Code::GuestPolicyMalformed
        },
        "INIT set, EINITTOKEN_KEY and reserved bits not set",
        found(),
    );
    let check = Check::EnclaveProvisionKey;
    if !has(PROVISION_KEY) {
        recorder.pass(check, found());
    } else if rules.accept_provision_key {
        recorder.gap(check, Gap::EnclaveProvisionKey);
    } else {
        recorder.fail(check, Code::GuestAttributeNotAllowed, found());
    }
}

fn check_identity(report: &EnclaveReport, rules: &Rules, recorder: &mut Recorder) {
    for (check, code, allowed, found) in [
        (
            Check::EnclaveMeasurement,
            Code::MeasurementNotAllowed,
            &rules.measurements,
            report.mr_enclave,
        ),
        (
            Check::EnclaveSigner,
            Code::SignerNotAllowed,
            &rules.signers,
            report.mr_signer,
        ),
    ] {
        if let Some(allowed) = allowed {
            let found = Sha256Digest::new(found);
            recorder.compare(
                check,
                allowed.contains(&found),
                code,
                list(allowed.iter()),
                found.to_string(),
            );
        }
    }
    if let Some(product) = rules.product {
        recorder.compare(
            Check::EnclaveProduct,
            report.isv_prod_id == product,
            Code::ImageIdMismatch,
            product.to_string(),
            report.isv_prod_id.to_string(),
        );
    }
    if let Some(product) = rules.extended_product_id {
        let found = BlockId::new(report.isv_ext_prod_id);
        recorder.compare(
            Check::EnclaveProduct,
            found == product,
            Code::ImageIdMismatch,
            product.to_string(),
            found.to_string(),
        );
    }
    if let Some(minimum) = rules.minimum_svn {
        recorder.compare(
            Check::EnclaveSvn,
            report.isv_svn >= minimum,
            Code::GuestSvnBelowMinimum,
            format!("{minimum} or more"),
            report.isv_svn.to_string(),
        );
    }
}

/// What key separation and sharing (KSS) adds, and the report data.
fn check_configuration(report: &EnclaveReport, rules: &Rules, recorder: &mut Recorder) {
    let check = Check::EnclaveConfiguration;
    if let Some(family) = rules.family_id {
        let found = BlockId::new(report.isv_family_id);
        recorder.compare(
            check,
            found == family,
            Code::FamilyIdMismatch,
            family.to_string(),
            found.to_string(),
        );
    }
    if let Some(configuration) = rules.configuration_id {
        let found = ReportData::new(report.config_id);
        recorder.compare(
            check,
            found == configuration,
            Code::ConfigurationIdMismatch,
            configuration.to_string(),
            found.to_string(),
        );
    }
    if let Some(minimum) = rules.minimum_configuration_svn {
        recorder.compare(
            check,
            report.config_svn >= minimum,
            Code::GuestSvnBelowMinimum,
            format!("{minimum} or more"),
            report.config_svn.to_string(),
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

/// The first half of ATTRIBUTES; the second is XFRM.
pub(super) fn flags(report: &EnclaveReport) -> u64 {
    let half = report.attributes.first_chunk().copied();
    u64::from_le_bytes(half.unwrap_or_default())
}

const INIT: u64 = 1;
pub(super) const DEBUG: u64 = 1 << 1;
const MODE64BIT: u64 = 1 << 2;
const PROVISION_KEY: u64 = 1 << 4;
const EINITTOKEN_KEY: u64 = 1 << 5;
const CET: u64 = 1 << 6;
const KSS: u64 = 1 << 7;
const AEX_NOTIFY: u64 = 1 << 10;
const KNOWN: u64 =
    INIT | DEBUG | MODE64BIT | PROVISION_KEY | EINITTOKEN_KEY | CET | KSS | AEX_NOTIFY;

#[cfg(test)]
mod tests;
