//! The checks of an Azure confidential VM, each with its row.

use subtle::ConstantTimeEq;

use super::anchors::Anchors;
use super::claims::Claims;
use super::hcl::HclReport;
use super::rules::{ParavisorRule, Rules};
use super::runtime::RuntimeData;
use super::{Evidence, Quote};
use crate::appraisal::check::{Check, Recorder};
use crate::appraisal::{Code, Gap, list};
use crate::identifiers::Measurement;
use crate::time::UnixSeconds;
use crate::tpm::{self, AttestationKey, Evidence as TpmEvidence, Requirement};

mod hardware;

pub(super) use hardware::{Verified, quoted_report_data};

/// Verifies the evidence and compares it with the rules.
///
/// It ends with `None` where the report or what it is bound to cannot be read;
/// otherwise every check runs, so that a person sees all that is wrong. What the
/// evidence says is worth something only if no row failed.
pub(crate) fn verify(
    evidence: &Evidence<'_>,
    rules: &Rules,
    anchors: &Anchors,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<Claims> {
    let report = parse_report(evidence.report, recorder)?;
    let runtime = parse_runtime_data(&report, recorder);
    hardware::check_binding(evidence, &report, recorder);
    let verified = hardware::verify(evidence, &report, rules, anchors, now, recorder);
    let paravisor = verified.as_ref().map(|verified| *verified.measurement());
    check_paravisor(paravisor, rules, recorder);
    let runtime = runtime?;
    check_runtime_data(&runtime, rules, recorder);
    let quote = if let Some(quote) = &evidence.quote {
        verify_quote(quote, &runtime, rules, anchors, now, recorder)
    } else {
        check_quote_absence(rules, recorder);
        None
    };
    check_host(verified.as_ref(), rules, recorder);
    Some(Claims::new(evidence, &report, &runtime, verified, quote))
}

fn parse_report<'a>(bytes: &'a [u8], recorder: &mut Recorder) -> Option<HclReport<'a>> {
    match HclReport::parse(bytes) {
        Ok(report) => {
            recorder.pass(Check::AzureReportFormat, report.kind.as_str());
            Some(report)
        }
        Err(error) => {
            let found = error.to_string();
            recorder.fail(Check::AzureReportFormat, Code::ReportMalformed, found);
            None
        }
    }
}

fn parse_runtime_data(report: &HclReport<'_>, recorder: &mut Recorder) -> Option<RuntimeData> {
    match RuntimeData::parse(report.runtime_data()) {
        Ok(runtime) => {
            let found = format!("keys {}", list(runtime.key_ids.iter()));
            recorder.pass(Check::AzureRuntimeData, found);
            Some(runtime)
        }
        Err(error) => {
            let found = error.to_string();
            recorder.fail(Check::AzureRuntimeData, Code::ReportMalformed, found);
            None
        }
    }
}

/// The paravisor speaks for the guest, so it must be a known one.
fn check_paravisor(found: Option<Measurement>, rules: &Rules, recorder: &mut Recorder) {
    let check = Check::AzureParavisor;
    let text = found.map_or_else(|| "not verified".to_owned(), |one| one.to_string());
    match &rules.paravisor {
        ParavisorRule::Any => recorder.gap(check, Gap::ParavisorNotCompared),
        ParavisorRule::OneOf(allowed) => recorder.compare(
            check,
            found.is_some_and(|found| allowed.contains(&found)),
            Code::MeasurementNotAllowed,
            list(allowed.iter()),
            text,
        ),
        ParavisorRule::Unknown => {
            let expected = "nobody said which";
            recorder.compare(check, false, Code::ReferenceValuesEmpty, expected, text);
        }
    }
}

fn check_runtime_data(runtime: &RuntimeData, rules: &Rules, recorder: &mut Recorder) {
    if let Some(expected) = rules.user_data {
        let found = runtime.user_data.unwrap_or([0; 64]);
        recorder.compare(
            Check::AzureUserData,
            runtime.user_data.is_some() && bool::from(expected.ct_eq(&found)),
            Code::ReportDataMismatch,
            hex::encode(expected),
            hex::encode(found),
        );
    }
    if rules.secure_boot {
        let found = runtime.secure_boot();
        recorder.compare(
            Check::AzureSecureBoot,
            found,
            Code::PlatformFeatureMissing,
            "on",
            if found { "on" } else { "not on" },
        );
    }
}

/// The quote's key is the one that the runtime data names, whatever else comes
/// with the quote.
fn verify_quote(
    quote: &Quote<'_>,
    runtime: &RuntimeData,
    rules: &Rules,
    anchors: &Anchors,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<tpm::Claims> {
    let evidence = TpmEvidence {
        quote: quote.message,
        signature: quote.signature,
        key: match quote.public {
            Some(public) => AttestationKey::Public(public),
            None => AttestationKey::RsaModulus(&runtime.modulus),
        },
        certificates: quote.certificates.clone(),
        values: quote.values.clone(),
        event_log: quote.event_log,
    };
    let named = &runtime.attestation_key;
    let claims = tpm::verify(
        &evidence,
        Some(named),
        &rules.tpm,
        &anchors.tpm,
        now,
        recorder,
    )?;
    recorder.pass(Check::AzureQuote, "by the key that the runtime data names");
    Some(claims)
}

fn check_quote_absence(rules: &Rules, recorder: &mut Recorder) {
    let check = Check::AzureQuote;
    if rules.quote == Requirement::Required {
        recorder.fail(check, Code::EvidenceMissing, "no quote");
    } else {
        recorder.gap(check, Gap::TpmQuoteAbsent);
    }
}

/// The host is excluded by hardware that is verified and a paravisor that is known
/// and says which virtual TPM is its own.
fn check_host(verified: Option<&Verified>, rules: &Rules, recorder: &mut Recorder) {
    let check = Check::ExcludesHost;
    let own = [
        Check::AzureBinding,
        Check::AzureHardware,
        Check::AzureParavisor,
    ];
    let mut grounds = own
        .iter()
        .chain(verified.map_or(&[][..], Verified::grounds));
    if verified.is_some() && grounds.all(|&ground| recorder.passed(ground)) {
        recorder.pass(check, "verified hardware, a known paravisor");
    } else if rules.hardware == Requirement::Required && rules.paravisor != ParavisorRule::Any {
        let found = "a check it rests on did not pass";
        recorder.fail(check, Code::HostNotExcluded, found);
    } else {
        recorder.gap(check, Gap::HostNotExcluded);
    }
}
