//! The guest and its host, as the report describes them.

use crate::appraisal::check::{Check, Recorder};
use crate::appraisal::{Code, list};
use crate::policy::{Policy, WeakenedRule};
use crate::snp::report::{GuestPolicy, PlatformInfo, VerifiedReport};
use crate::snp::rules::Rules;

pub(super) fn check_platform(report: &VerifiedReport, policy: &Policy, recorder: &mut Recorder) {
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

pub(super) fn check_guest_policy(
    report: &VerifiedReport,
    policy: &Policy,
    recorder: &mut Recorder,
) {
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

pub(super) fn check_vmpl(report: &VerifiedReport, rules: &Rules, recorder: &mut Recorder) {
    let code = if report.vmpl == VMPL_HOST {
        Code::VmplHostRequested
    } else {
        Code::VmplMismatch
    };
    let expected = if rules.vmpl.start() == rules.vmpl.end() {
        rules.vmpl.start().to_string()
    } else {
        format!("{} to {}", rules.vmpl.start(), rules.vmpl.end())
    };
    recorder.compare(
        Check::Vmpl,
        rules.vmpl.contains(&report.vmpl),
        code,
        expected,
        report.vmpl.to_string(),
    );
}

/// What an owner can say about a guest besides its measurement.
pub(super) fn check_identity(report: &VerifiedReport, rules: &Rules, recorder: &mut Recorder) {
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

#[cfg(test)]
#[cfg(feature = "development")]
mod tests;
