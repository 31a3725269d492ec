//! The checks of an SEV-SNP report, each with its row.

use super::anchors::Anchors;
use super::chain::{Chain, ChainError, KeyKind, VerifiedChain};
use super::claims::Claims;
use super::crl::{RevocationError, RevocationList};
use super::evidence::SnpEvidence;
use super::product::Part;
use super::report::{Report, ReportError, VerifiedReport};
use super::rules::{RevocationRule, Rules};
use crate::appraisal::check::{Check, Recorder};
use crate::appraisal::{Code, Gap, list};
use crate::policy::Policy;
use crate::time::UnixSeconds;

mod guest;
mod levels;

use guest::{check_guest_policy, check_identity, check_platform, check_vmpl};
use levels::{check_firmware, check_levels, read_levels};

pub(super) use levels::Levels;

/// Verifies the evidence and compares it with the policy's rules.
///
/// It ends early, with `None`, where a later check would look at unverified
/// bytes; otherwise every check runs, so that a person sees all that is wrong.
/// What the report says is worth something only if no row failed.
pub(crate) fn verify(
    evidence: &SnpEvidence<'_>,
    policy: &Policy,
    anchors: &Anchors,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<Claims> {
    let report = parse_report(evidence.report, recorder);
    let chain = verify_chain(evidence, anchors, now, recorder)?;
    let rules = &policy.snp;
    check_revocation(evidence.revocation_list, &chain, rules, now, recorder);
    let report = verify_report(&report?, &chain, recorder)?;
    check_signing_key(&report, &chain, recorder);
    let part = check_product(&report, &chain, rules, recorder)?;
    check_chip(&report, &chain, rules, recorder);
    let levels = read_levels(&report, chain.product(), recorder)?;
    check_levels(&levels, &chain, part, rules, recorder);
    check_firmware(&report, policy, recorder);
    check_platform(&report, policy, recorder);
    check_guest_policy(&report, policy, recorder);
    check_vmpl(&report, rules, recorder);
    check_identity(&report, rules, recorder);
    Some(Claims::new(&report, &chain, &levels))
}

fn parse_report(bytes: &[u8], recorder: &mut Recorder) -> Option<Report> {
    match Report::parse(bytes) {
        Ok(report) => {
            recorder.pass(Check::ReportFormat, "1184 bytes");
            Some(report)
        }
        Err(error) => {
            recorder.fail(
                Check::ReportFormat,
                Code::ReportMalformed,
                error.to_string(),
            );
            None
        }
    }
}

fn verify_chain(
    evidence: &SnpEvidence<'_>,
    anchors: &Anchors,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<VerifiedChain> {
    let chain = Chain::parse(
        evidence.root,
        evidence.intermediate,
        evidence.leaf,
        evidence.kind,
    )
    .and_then(|chain| chain.verify(anchors, now));
    match chain {
        Ok(chain) => {
            let found = format!("{} of {}", chain.kind(), chain.product());
            recorder.pass(Check::CertificateChain, found);
            Some(chain)
        }
        Err(error) => {
            recorder.fail(
                Check::CertificateChain,
                chain_code(&error),
                error.to_string(),
            );
            None
        }
    }
}

fn chain_code(error: &ChainError) -> Code {
    match error {
        ChainError::Algorithm { .. }
        | ChainError::Certificate { .. }
        | ChainError::Extension(_)
        | ChainError::Key { .. }
        | ChainError::Usage { .. } => Code::CertificateMalformed,
        ChainError::Expired { .. } => Code::CertificateExpired,
        ChainError::IntermediateNotPinned { .. } => Code::IntermediateNotPinned,
        ChainError::NotYetValid { .. } => Code::CertificateNotYetValid,
        ChainError::Product { .. } => Code::ProductMismatch,
        ChainError::RootNotPinned { .. } => Code::RootNotPinned,
        ChainError::Issuer { .. } | ChainError::Signature { .. } => Code::CertificateSignature,
    }
}

fn check_revocation(
    list: Option<&[u8]>,
    chain: &VerifiedChain,
    rules: &Rules,
    now: UnixSeconds,
    recorder: &mut Recorder,
) {
    let check = Check::Revocation;
    let Some(der) = list else {
        if rules.revocation == RevocationRule::Required {
            recorder.fail(check, Code::EvidenceMissing, "no revocation list");
        } else {
            recorder.gap(check, Gap::RevocationNotChecked);
        }
        return;
    };
    let tolerates_stale = rules.revocation == RevocationRule::StaleTolerated;
    match revocation(der, chain, now) {
        Ok(list) => {
            recorder.collateral_issued(list.this_update());
            recorder.pass(check, format!("list is good until {}", list.next_update()));
        }
        Err(RevocationError::Stale { .. }) if tolerates_stale => {
            recorder.gap(check, Gap::RevocationStale);
        }
        Err(error) => recorder.fail(check, revocation_code(&error), error.to_string()),
    }
}

/// The window comes last: a certificate on an old list is revoked all the same.
fn revocation(
    der: &[u8],
    chain: &VerifiedChain,
    now: UnixSeconds,
) -> Result<RevocationList, RevocationError> {
    let list = RevocationList::parse(der)?;
    list.check_against(chain)?;
    list.check_window(now)?;
    Ok(list)
}

fn revocation_code(error: &RevocationError) -> Code {
    match error {
        RevocationError::Revoked { .. } => Code::Revoked,
        RevocationError::NotYetValid { .. } | RevocationError::Stale { .. } => {
            Code::RevocationListStale
        }
        RevocationError::Format
        | RevocationError::Issuer
        | RevocationError::Signature
        | RevocationError::TooLong { .. } => Code::RevocationListInvalid,
    }
}

fn verify_report(
    report: &Report,
    chain: &VerifiedChain,
    recorder: &mut Recorder,
) -> Option<VerifiedReport> {
    match report.verify(chain) {
        Ok(report) => {
            let found = format!("version {}", report.version);
            recorder.pass(Check::ReportSignature, found);
            Some(report)
        }
        Err(error) => {
            let code = match error {
                ReportError::Signature => Code::ReportSignature,
                _ => Code::ReportMalformed,
            };
            recorder.fail(Check::ReportSignature, code, error.to_string());
            None
        }
    }
}

/// AMD 56860, `KEY_INFO`: 0 VCEK, 1 VLEK, 7 none.
fn check_signing_key(report: &VerifiedReport, chain: &VerifiedChain, recorder: &mut Recorder) {
    let expected = match chain.kind() {
        KeyKind::Vcek => 0,
        KeyKind::Vlek => 1,
    };
    let found = match report.signing_key {
        0 => KeyKind::Vcek.to_string(),
        1 => KeyKind::Vlek.to_string(),
        other => format!("key kind {other}"),
    };
    recorder.compare(
        Check::SigningKey,
        report.signing_key == expected,
        Code::SigningKeyMismatch,
        chain.kind().to_string(),
        found,
    );
}

/// Version 2 names no processor; then the certificate's word is taken.
fn check_product(
    report: &VerifiedReport,
    chain: &VerifiedChain,
    rules: &Rules,
    recorder: &mut Recorder,
) -> Option<Part> {
    let product = chain.product();
    let (part, found) = match report.cpuid {
        Some(cpuid) => (Part::from_cpuid(cpuid), cpuid.to_string()),
        None => (
            Some(Part::base_of(product)),
            "not named in a version 2 report".to_owned(),
        ),
    };
    let part = part.filter(|part| part.product() == product);
    recorder.compare(
        Check::Product,
        part.is_some(),
        Code::ProductMismatch,
        product.to_string(),
        found,
    );
    recorder.compare(
        Check::ProductAllowed,
        rules.products.contains(&product),
        Code::ProductNotAllowed,
        list(rules.products.iter()),
        product.to_string(),
    );
    part
}

fn check_chip(
    report: &VerifiedReport,
    chain: &VerifiedChain,
    rules: &Rules,
    recorder: &mut Recorder,
) {
    let check = Check::ChipIdentity;
    match chain.chip_id() {
        // A VLEK is shared by many machines, and the report masks the chip.
        None if rules.require_machine_identity => {
            recorder.fail(check, Code::MachineNotIdentified, "VLEK names no chip");
        }
        None => recorder.gap(check, Gap::MachineNotIdentified),
        Some(_) if report.chip_id.is_zero() || report.chip_key_masked => {
            recorder.fail(check, Code::ChipIdMasked, "report masks the chip");
        }
        Some(endorsed) => recorder.compare(
            check,
            report.chip_id.as_bytes() == endorsed,
            Code::ChipIdMismatch,
            hex::encode(endorsed),
            report.chip_id.to_string(),
        ),
    }
}
