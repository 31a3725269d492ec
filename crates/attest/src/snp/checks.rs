//! The checks of an SEV-SNP report, each with its row.

use super::anchors::Anchors;
use super::chain::{Chain, ChainError, KeyKind, VerifiedChain};
use super::crl::{RevocationError, RevocationList};
use super::product::Part;
use super::report::{GuestPolicy, PlatformInfo, Report, ReportError, VerifiedReport};
use super::rules::{RevocationRule, Rules};
use super::{Product, Tcb};
use crate::appraisal::check::{Check, Recorder};
use crate::appraisal::{Code, Facts, Gap, list};
use crate::bundle::SnpEvidence;
use crate::policy::{Platform, Policy, WeakenedRule};
use crate::time::UnixSeconds;

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
) -> Option<Facts> {
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
    Some(facts(&report, &chain, levels.reported))
}

fn facts(report: &VerifiedReport, chain: &VerifiedChain, tcb: Tcb) -> Facts {
    Facts {
        platform: Platform::SevSnp,
        product: chain.product(),
        measurement: report.measurement,
        report_data: report.report_data,
        chip_id: chain.chip_id().is_some().then_some(report.chip_id),
        tcb,
        firmware: report.current_firmware.to_string(),
        guest_svn: report.guest_svn,
        vmpl: report.vmpl,
    }
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
        ChainError::Certificate { .. }
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
        Ok(next_update) => recorder.pass(check, format!("list is good until {next_update}")),
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
) -> Result<UnixSeconds, RevocationError> {
    let list = RevocationList::parse(der)?;
    list.check_against(chain)?;
    list.check_window(now)?;
    Ok(list.next_update())
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

/// The four firmware levels of a report.
struct Levels {
    reported: Tcb,
    committed: Tcb,
    current: Tcb,
    launch: Tcb,
}

fn read_levels(
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

fn check_levels(
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

fn check_firmware(report: &VerifiedReport, policy: &Policy, recorder: &mut Recorder) {
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

fn check_platform(report: &VerifiedReport, policy: &Policy, recorder: &mut Recorder) {
    let rules = &policy.snp;
    let info = report.platform_info;
    let found = format!("platform info {:#x}", info.0);
    let alias_check_complete = info.has(PlatformInfo::ALIAS_CHECK_COMPLETE);
    if !alias_check_complete && !rules.require_alias_check {
        recorder.gap(
            Check::MemoryAliases,
            policy.weakened_gap(WeakenedRule::AliasCheck),
        );
    } else {
        recorder.compare(
            Check::MemoryAliases,
            alias_check_complete,
            Code::AliasCheckIncomplete,
            "complete",
            found.clone(),
        );
    }
    if !rules.platform_features.is_empty() {
        recorder.compare(
            Check::PlatformFeatures,
            rules.platform_features.iter().all(|it| it.holds(info)),
            Code::PlatformFeatureMissing,
            list(rules.platform_features.iter().map(|it| it.name())),
            found,
        );
    }
}

fn check_guest_policy(report: &VerifiedReport, policy: &Policy, recorder: &mut Recorder) {
    let (rules, guest) = (&policy.snp, report.policy);
    let found = || format!("guest policy {:#x}", guest.0);
    recorder.compare(
        Check::GuestPolicyFormat,
        guest.reserved_bits_are_right(),
        Code::GuestPolicyMalformed,
        "bit 17 one, bits 26 to 63 zero",
        found(),
    );
    recorder.compare(
        Check::GuestDebug,
        !guest.debug_allowed(),
        Code::GuestDebugAllowed,
        "bit 19 zero",
        found(),
    );
    let has_agent = report.migration_agent != NO_MIGRATION_AGENT;
    recorder.compare(
        Check::GuestMigration,
        !guest.has(GuestPolicy::MIGRATION_AGENT) && !has_agent,
        Code::GuestMigrationAllowed,
        "bit 18 zero, no agent",
        format!("{}, agent: {has_agent}", found()),
    );
    let allows_cxl = guest.has(GuestPolicy::CXL);
    if allows_cxl && rules.allow_cxl {
        recorder.gap(Check::GuestCxl, policy.weakened_gap(WeakenedRule::Cxl));
    } else {
        recorder.compare(
            Check::GuestCxl,
            !allows_cxl,
            Code::GuestCxlAllowed,
            "bit 21 zero",
            found(),
        );
    }
    let (major, minor) = guest.abi();
    let (least_major, least_minor) = rules.minimum_abi;
    recorder.compare(
        Check::GuestAbi,
        guest.abi() >= rules.minimum_abi,
        Code::GuestAbiBelowMinimum,
        format!("{least_major}.{least_minor}"),
        format!("{major}.{minor}"),
    );
    if !rules.guest_restrictions.is_empty() {
        recorder.compare(
            Check::GuestRestrictions,
            rules.guest_restrictions.iter().all(|it| it.holds(guest)),
            Code::GuestRestrictionMissing,
            list(rules.guest_restrictions.iter().map(|it| it.name())),
            found(),
        );
    }
}

fn check_vmpl(report: &VerifiedReport, rules: &Rules, recorder: &mut Recorder) {
    let code = if report.vmpl == VMPL_HOST {
        Code::VmplHostRequested
    } else {
        Code::VmplMismatch
    };
    recorder.compare(
        Check::Vmpl,
        report.vmpl == rules.vmpl,
        code,
        rules.vmpl.to_string(),
        report.vmpl.to_string(),
    );
}

/// What an owner can say about a guest besides its measurement.
fn check_identity(report: &VerifiedReport, rules: &Rules, recorder: &mut Recorder) {
    if let Some(minimum) = rules.minimum_guest_svn {
        recorder.compare(
            Check::GuestSvn,
            report.guest_svn >= minimum,
            Code::GuestSvnBelowMinimum,
            minimum.to_string(),
            report.guest_svn.to_string(),
        );
    }
    for (check, code, wanted, found) in [
        (
            Check::FamilyId,
            Code::FamilyIdMismatch,
            rules.family_id,
            report.family_id,
        ),
        (
            Check::ImageId,
            Code::ImageIdMismatch,
            rules.image_id,
            report.image_id,
        ),
    ] {
        if let Some(wanted) = wanted {
            let (expected, actual) = (wanted.to_string(), found.to_string());
            recorder.compare(check, wanted == found, code, expected, actual);
        }
    }
    for (check, code, allowed, found) in [
        (
            Check::IdKey,
            Code::IdKeyNotAllowed,
            &rules.id_key_digests,
            report.id_key_digest,
        ),
        (
            Check::AuthorKey,
            Code::AuthorKeyNotAllowed,
            &rules.author_key_digests,
            report.author_key_digest,
        ),
    ] {
        if !allowed.is_empty() {
            let holds = allowed.contains(&found);
            recorder.compare(check, holds, code, list(allowed.iter()), found.to_string());
        }
    }
    if let Some(wanted) = rules.host_data {
        recorder.compare(
            Check::HostData,
            wanted == report.host_data,
            Code::HostDataMismatch,
            wanted.to_string(),
            report.host_data.to_string(),
        );
    }
}

/// AMD 56860, `VMPL`: the host asked for the report, not the guest.
const VMPL_HOST: u32 = u32::MAX;

/// AMD 56860, `REPORT_ID_MA`: all ones if the guest has no migration agent.
const NO_MIGRATION_AGENT: [u8; 32] = [0xFF; 32];
