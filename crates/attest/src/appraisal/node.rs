//! The checks of a bundle: its platform, then what is the same on all of them.

use subtle::ConstantTimeEq;

use super::check::{Check, Group, Recorder};
use super::gpus::check_gpus;
use super::log::{LogFindings, Presented, check_log, check_release};
use super::{Code, Facts, Gap, Origin, Roots, list, tpms};
use crate::binding;
use crate::bundle::{Bundle, PlatformEvidence, TdxEvidence};
use crate::dcap::CollateralFile;
use crate::policy::{KeyConfigurationExpectations, Platform, Policy, RequiredPart};
use crate::snp::checks;
use crate::time::UnixSeconds;
use crate::{nitro, tdx};

/// What the checks have found beside rows.
pub(super) struct Found {
    pub(super) facts: Option<Facts>,
    pub(super) expectations: KeyConfigurationExpectations,
    pub(super) log: LogFindings,
}

pub(super) fn run_checks(
    (bundle, presented): (&Bundle, &Presented<'_>),
    policy: &Policy,
    roots: &Roots,
    origin: Origin,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Found {
    let evidence = bundle.platform_evidence();
    let platform = evidence.platform();
    let rules = policy.log.as_ref();
    let logged = rules.and_then(|rules| check_release(bundle, policy, rules, now, recorder));
    let (release, joined) = logged.unzip();
    // A release that is demanded and not there leaves nothing to compare with.
    let reference = match rules {
        None => Some(policy),
        Some(_) => joined.as_ref(),
    };
    let mut found = Found {
        facts: None,
        expectations: reference.unwrap_or(policy).expectations.clone(),
        log: LogFindings::default(),
    };
    if let Some(reference) = reference {
        check_reference_values(platform, reference, recorder);
    }
    let policy = reference.unwrap_or(policy);
    recorder.compare(
        Check::PlatformAllowed,
        policy.platforms.contains(&platform),
        Code::PlatformNotAllowed,
        list(policy.platforms.iter()),
        platform.to_string(),
    );
    let Some(facts) = verify_platform(&evidence, bundle, policy, roots, now, recorder) else {
        return found;
    };
    if let Some(reference) = reference {
        check_measurement(&facts, reference, recorder);
    }
    check_machine(&facts, policy, recorder);
    check_binding(&facts, bundle, recorder);
    tpms::check_beside(platform, bundle, policy, roots, now, recorder);
    check_gpus(bundle, policy, roots, now, recorder);
    match rules {
        None => check_parts(bundle, policy, recorder),
        Some(rules) => {
            let shown = (bundle, &facts);
            found.log = check_log(shown, presented, rules, release, now, recorder);
        }
    }
    check_collateral_age(policy, now, recorder);
    check_host(platform, origin, recorder);
    found.facts = Some(facts);
    found
}

/// Runs the checks of the platform the evidence is of.
fn verify_platform(
    evidence: &PlatformEvidence<'_>,
    bundle: &Bundle,
    policy: &Policy,
    roots: &Roots,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<Facts> {
    match evidence {
        PlatformEvidence::Azure(evidence) => {
            tpms::verify_azure(evidence, bundle, policy, roots, now, recorder).map(Facts::from)
        }
        PlatformEvidence::AwsNitro(evidence) => {
            recorder.expect(&[Group::Nitro]);
            nitro::verify(evidence, &policy.nitro, &roots.nitro, now, recorder).map(Facts::from)
        }
        PlatformEvidence::IntelTdx(evidence) => {
            recorder.expect(tdx::GROUPS);
            verify_tdx(evidence, policy, roots, now, recorder).map(Facts::from)
        }
        PlatformEvidence::SevSnp(evidence) => {
            recorder.expect(&[Group::Snp]);
            checks::verify(evidence, policy, &roots.snp, now, recorder).map(Facts::from)
        }
        PlatformEvidence::Tpm => {
            tpms::verify_alone(bundle, policy, roots, now, recorder).map(Facts::from)
        }
    }
}

fn verify_tdx(
    evidence: &TdxEvidence<'_>,
    policy: &Policy,
    roots: &Roots,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<tdx::Claims> {
    let collateral = match CollateralFile::parse(evidence.collateral) {
        Ok(collateral) => collateral,
        Err(error) => {
            recorder.fail(Check::TcbInfo, Code::CollateralMalformed, error.to_string());
            return None;
        }
    };
    let evidence = tdx::Evidence {
        quote: evidence.quote,
        pck_chain: None,
        collateral: collateral.collateral(),
        event_log: evidence.event_log.map(tdx::Log::Ccel),
    };
    tdx::verify(&evidence, &policy.tdx, &roots.tdx, now, recorder)
}

/// Nothing is compared with nothing: a policy without values refuses.
fn check_reference_values(platform: Platform, policy: &Policy, recorder: &mut Recorder) {
    let expectations = &policy.expectations;
    let programs = match platform {
        Platform::Tpm => ("boots", policy.boots.is_empty()),
        _ => ("measurements", policy.measurements.is_empty()),
    };
    let empty: Vec<_> = [
        programs,
        ("weights", expectations.weights.is_empty()),
        ("configurations", expectations.configurations.is_empty()),
        ("releases", expectations.releases.is_empty()),
    ]
    .into_iter()
    .filter_map(|(name, is_empty)| is_empty.then_some(name))
    .collect();
    let actual = if empty.is_empty() {
        "each has at least one".to_owned()
    } else {
        format!("none: {}", empty.join(", "))
    };
    recorder.compare(
        Check::ReferenceValues,
        empty.is_empty(),
        Code::ReferenceValuesEmpty,
        "measurements, weights, configurations and releases",
        actual,
    );
}

fn check_measurement(facts: &Facts, policy: &Policy, recorder: &mut Recorder) {
    if facts.platform() == Platform::Tpm {
        // The images are listed apart, and were compared with the quote.
        if recorder.passed(Check::BootMeasurement) {
            recorder.pass(Check::Measurement, "a listed image");
        } else {
            let found = "no listed image";
            recorder.fail(Check::Measurement, Code::MeasurementNotAllowed, found);
        }
        return;
    }
    let registers = facts.registers();
    let found = policy
        .measurements
        .iter()
        .find(|reference| reference.matches(facts.platform(), &registers));
    let values = list(registers.iter().map(|(name, value)| match registers.len() {
        1 => value.to_string(),
        _ => format!("{name} {value}"),
    }));
    recorder.compare(
        Check::Measurement,
        found.is_some(),
        Code::MeasurementNotAllowed,
        list(policy.measurements.iter().map(|reference| &reference.name)),
        match found {
            Some(reference) => format!("{}: {values}", reference.name),
            None => values,
        },
    );
}

/// Where the policy lists machines, one that hides which it is cannot be among them.
fn check_machine(facts: &Facts, policy: &Policy, recorder: &mut Recorder) {
    if policy.machines.is_empty() {
        return;
    }
    let identity = facts.machine();
    let found = policy
        .machines
        .iter()
        .find(|machine| Some(machine.digest) == identity);
    let digest = identity.map_or_else(
        || "the evidence names no machine".to_owned(),
        |digest| digest.to_string(),
    );
    recorder.compare(
        Check::MachineAllowed,
        found.is_some(),
        Code::MachineNotAllowed,
        list(policy.machines.iter().map(|machine| &machine.name)),
        match found {
            Some(machine) => format!("{}: {digest}", machine.name),
            None => digest,
        },
    );
}

fn check_binding(facts: &Facts, bundle: &Bundle, recorder: &mut Recorder) {
    let (key, checkpoint) = (bundle.key_configuration(), bundle.checkpoint());
    let gpus = bundle.gpu_evidence();
    let expected = match (facts.platform(), bundle.tpm_evidence()) {
        // The quote itself is what is bound, and has less room.
        (Platform::AzureIntelTdx | Platform::AzureSevSnp | Platform::Tpm, _) => {
            binding::short_report_data(key, checkpoint, gpus).to_vec()
        }
        (_, None) => binding::report_data(key, checkpoint, gpus).to_vec(),
        (_, Some(tpm)) => binding::report_data_with_tpm(key, checkpoint, gpus, tpm).to_vec(),
    };
    let actual = facts.bound_data();
    recorder.compare(
        Check::ReportData,
        bool::from(expected.as_slice().ct_eq(actual)),
        Code::ReportDataMismatch,
        hex::encode(expected),
        hex::encode(actual),
    );
}

/// A vendor may promise the next list for next year; a policy can ask for a newer one.
fn check_collateral_age(policy: &Policy, now: UnixSeconds, recorder: &mut Recorder) {
    let (Some(limit), Some(issued)) = (policy.max_collateral_age, recorder.oldest_collateral())
    else {
        return;
    };
    recorder.compare(
        Check::CollateralAge,
        now <= issued.saturating_add(limit),
        Code::CollateralStale,
        format!("issued at most {limit} seconds ago"),
        format!("the oldest was issued {issued}"),
    );
}

/// Parts that are carried and bound, but not verified: the policy names no log.
fn check_parts(bundle: &Bundle, policy: &Policy, recorder: &mut Recorder) {
    for (check, part, is_there, absent, unverified) in [
        (
            Check::Checkpoint,
            RequiredPart::Checkpoint,
            bundle.checkpoint().is_some(),
            Gap::CheckpointAbsent,
            Gap::CheckpointNotVerified,
        ),
        (
            Check::ReleaseLogged,
            RequiredPart::ReleaseProof,
            bundle.release_proof().is_some(),
            Gap::ReleaseNotLogged,
            Gap::ReleaseNotLogged,
        ),
        (
            Check::MachineAdmitted,
            RequiredPart::MachineProof,
            bundle.machine_proof().is_some(),
            Gap::MachineNotProven,
            Gap::MachineNotProven,
        ),
    ] {
        let is_required = policy.required_parts.contains(&part);
        match (is_there, is_required) {
            (false, true) => recorder.fail(check, Code::EvidenceMissing, "absent"),
            (true, true) => recorder.fail(
                check,
                Code::RequiredCheckNotRun,
                "present, and the policy names no log to verify it by",
            ),
            (false, false) => recorder.gap(check, absent),
            (true, false) => recorder.gap(check, unverified),
        }
    }
}

/// What it rests on that an SEV-SNP report excludes the host.
pub(crate) const SNP_GROUNDS: [Check; 6] = [
    Check::CertificateChain,
    Check::ReportSignature,
    Check::GuestPolicyFormat,
    Check::GuestDebug,
    Check::GuestMigration,
    Check::Vmpl,
];

/// A vendor's signature over a guest that cannot be debugged or migrated means
/// that the host is excluded. A root that somebody generated means nothing.
fn check_host(platform: Platform, origin: Origin, recorder: &mut Recorder) {
    if origin == Origin::Simulated {
        recorder.simulated(Check::ExcludesHost);
        return;
    }
    let (grounds, why): (&[Check], _) = match platform {
        // What it rests on is checked with the report of the paravisor.
        Platform::AzureIntelTdx | Platform::AzureSevSnp => return,
        Platform::AwsNitro => (
            &[Check::NitroChain, Check::NitroSignature, Check::NitroDebug],
            "an enclave apart from its parent instance, not in debug mode",
        ),
        Platform::IntelTdx => (
            &[
                Check::QuoteCertificates,
                Check::AttestationKey,
                Check::QuoteSignature,
                Check::QuotingEnclave,
                Check::TdxModule,
                Check::TdAttributes,
                Check::TdDebug,
                Check::TdMigration,
            ],
            "encrypted, integrity-protected memory; no debugging; no migration",
        ),
        Platform::SevSnp => (
            &SNP_GROUNDS,
            "encrypted, integrity-protected memory; no debugging; no migration",
        ),
        Platform::Tpm => {
            let found = "a TPM says nothing about who reads the memory";
            recorder.fail(Check::ExcludesHost, Code::HostNotExcluded, found);
            return;
        }
    };
    if grounds.iter().all(|&check| recorder.passed(check)) {
        recorder.pass(Check::ExcludesHost, why);
    } else {
        recorder.fail(
            Check::ExcludesHost,
            Code::HostNotExcluded,
            "a check it rests on did not pass",
        );
    }
}
