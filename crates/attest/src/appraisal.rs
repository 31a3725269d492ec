//! Compares evidence with a policy.
//!
//! An appraisal is a list of rows, one for each check, in the order in which the
//! checks run. The [`Verdict`] follows from the rows. [`Appraisal::into_attested`]
//! turns a verdict that allows it into an [`Attested`], which nothing else can
//! make. Verdicts, codes and gaps are explained in `spec/verdicts.md`.

use subtle::ConstantTimeEq;

use crate::binding;
use crate::bundle::{Bundle, gpu};
use crate::identifiers::{ReportData, Sha256Digest};
use crate::nvidia;
use crate::policy::{KeyConfigurationExpectations, Platform, Policy, RequiredPart};
use crate::snp::anchors::Anchors;
use crate::snp::checks;
use crate::time::UnixSeconds;

mod attested;
pub(crate) mod check;
mod code;
mod evidence;
mod gap;
mod render;
mod verdict;

pub use attested::{Attested, Facts, Refused};
pub use check::{NotRun, Outcome, Row};
pub use code::Code;
pub use evidence::EvidenceAppraisal;
pub use gap::Gap;
pub use verdict::Verdict;

pub(crate) use attested::Proof;
#[cfg(any(test, feature = "development"))]
pub(crate) use attested::proof_accessors;
use check::{Check, Group, Recorder};

/// Judges a bundle by a policy, as of `now`, with the vendors' own roots.
///
/// It always returns: what is wrong is in the rows.
#[must_use]
pub fn appraise(bundle: &Bundle, policy: &Policy, roots: &Roots, now: UnixSeconds) -> Appraisal {
    appraise_up_to(bundle, policy, roots, Origin::Vendor, now)
}

/// The root keys of the hardware vendors. There is nothing to choose: keys that
/// are not compiled in are not trusted.
#[derive(Clone, Debug)]
pub struct Roots {
    snp: Anchors,
    nvidia: nvidia::Anchors,
}

impl Roots {
    /// The vendors' keys.
    #[must_use]
    pub fn vendor() -> Self {
        Self {
            snp: Anchors::amd(),
            nvidia: nvidia::Anchors::vendor(),
        }
    }

    /// A simulated root in the place of AMD's; everything else is the vendors'.
    #[cfg(any(test, feature = "development"))]
    pub(crate) fn simulated(snp: Anchors) -> Self {
        Self {
            snp,
            ..Self::vendor()
        }
    }

    /// Other keys, treated as if they were a vendor's.
    #[cfg(test)]
    pub(crate) fn for_test(snp: Anchors, nvidia: nvidia::Anchors) -> Self {
        Self { snp, nvidia }
    }
}

/// Who stands behind the root keys of an appraisal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// Nobody: a root made on a developer's machine.
    Simulated,
    /// A hardware vendor.
    Vendor,
}

/// The result of judging one bundle by one policy.
#[derive(Clone, Debug)]
pub struct Appraisal {
    pub(crate) groups: Vec<Group>,
    pub(crate) rows: Vec<Row>,
    pub(crate) weakened: Vec<Gap>,
    pub(crate) origin: Origin,
    pub(crate) facts: Option<Facts>,
    pub(crate) key_configuration: Vec<u8>,
    pub(crate) bundle_hash: Sha256Digest,
    pub(crate) expectations: KeyConfigurationExpectations,
    pub(crate) policy_name: String,
    pub(crate) at: UnixSeconds,
}

impl Appraisal {
    /// What came of every check, in order.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What the appraisal comes to.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        verdict::conclude(&self.groups, &self.rows, &self.weakened, self.origin)
    }

    /// What the evidence says, once its signature is verified. The facts of a
    /// refused appraisal are good for an explanation and for nothing else.
    #[must_use]
    pub fn facts(&self) -> Option<&Facts> {
        self.facts.as_ref()
    }

    /// SHA-256 of the bundle.
    #[must_use]
    pub fn bundle_hash(&self) -> Sha256Digest {
        self.bundle_hash
    }

    /// The time of the appraisal.
    #[must_use]
    pub fn at(&self) -> UnixSeconds {
        self.at
    }

    /// Name of the policy.
    #[must_use]
    pub fn policy_name(&self) -> &str {
        &self.policy_name
    }

    /// Turns a verdict of VERIFIED, with or without gaps, into proof of it.
    ///
    /// # Errors
    ///
    /// [`Refused`] for every other verdict.
    pub fn into_attested(self) -> Result<Attested, Refused> {
        let code = match self.verdict() {
            Verdict::Verified | Verdict::VerifiedWithGaps(_) => None,
            Verdict::Refused(code) => Some(code),
            Verdict::NotProtectedDevelopment => Some(Code::HostNotExcluded),
        };
        Proof::make(self, code).map(Attested::from_proof)
    }
}

pub(crate) fn appraise_up_to(
    bundle: &Bundle,
    policy: &Policy,
    roots: &Roots,
    origin: Origin,
    now: UnixSeconds,
) -> Appraisal {
    let mut recorder = Recorder::new(&[Group::Bundle, Group::Snp]);
    let facts = run_checks(bundle, policy, roots, origin, now, &mut recorder);
    let (groups, rows) = recorder.finish();
    Appraisal {
        groups,
        rows,
        weakened: policy.weakened.iter().map(Gap::from).collect(),
        origin,
        facts,
        key_configuration: bundle.key_configuration().to_vec(),
        bundle_hash: bundle.hash(),
        expectations: policy.expectations.clone(),
        policy_name: policy.name.clone(),
        at: now,
    }
}

fn run_checks(
    bundle: &Bundle,
    policy: &Policy,
    roots: &Roots,
    origin: Origin,
    now: UnixSeconds,
    recorder: &mut Recorder,
) -> Option<Facts> {
    check_reference_values(policy, recorder);
    let Some(evidence) = bundle.snp() else {
        recorder.fail(Check::PlatformAllowed, Code::UnsupportedPlatform, "none");
        return None;
    };
    recorder.compare(
        Check::PlatformAllowed,
        policy.platforms.contains(&Platform::SevSnp),
        Code::PlatformNotAllowed,
        list(policy.platforms.iter()),
        Platform::SevSnp.to_string(),
    );
    let report = Facts::from(checks::verify(
        &evidence, policy, &roots.snp, now, recorder,
    )?);
    check_measurement(&report, policy, recorder);
    check_binding(&report, bundle, recorder);
    check_gpus(bundle, policy, roots, now, recorder);
    check_parts(bundle, policy, recorder);
    check_host(origin, recorder);
    Some(report)
}

/// Nothing is compared with nothing: a policy without values refuses.
fn check_reference_values(policy: &Policy, recorder: &mut Recorder) {
    let expectations = &policy.expectations;
    let empty: Vec<_> = [
        ("measurements", policy.measurements.is_empty()),
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
    let found = policy
        .measurements
        .iter()
        .find(|(_, allowed)| allowed == facts.measurement());
    recorder.compare(
        Check::Measurement,
        found.is_some(),
        Code::MeasurementNotAllowed,
        list(policy.measurements.iter().map(|(name, _)| name)),
        match found {
            Some((name, _)) => format!("{name}: {}", facts.measurement()),
            None => facts.measurement().to_string(),
        },
    );
}

fn check_binding(facts: &Facts, bundle: &Bundle, recorder: &mut Recorder) {
    let expected = ReportData::new(binding::report_data(
        bundle.key_configuration(),
        bundle.checkpoint(),
        bundle.gpu_evidence(),
    ));
    let actual = facts.report_data();
    recorder.compare(
        Check::ReportData,
        bool::from(expected.as_bytes().ct_eq(actual.as_bytes())),
        Code::ReportDataMismatch,
        expected.to_string(),
        actual.to_string(),
    );
}

/// The devices of the node, if it has any: verified to the last check, and bound
/// both ways. The platform's report carries the digest of their evidence, and
/// they signed a nonce made of the key configuration.
fn check_gpus(
    bundle: &Bundle,
    policy: &Policy,
    roots: &Roots,
    now: UnixSeconds,
    recorder: &mut Recorder,
) {
    let check = Check::GpuEvidence;
    let Some(bytes) = bundle.gpu_evidence() else {
        if policy.required_parts.contains(&RequiredPart::GpuEvidence) {
            recorder.fail(check, Code::EvidenceMissing, "absent");
        } else {
            recorder.gap(check, Gap::GpuEvidenceAbsent);
        }
        return;
    };
    recorder.expect(nvidia::GROUPS);
    let Some(evidence) = read_gpu_evidence(bytes, bundle.gpu_collateral()) else {
        let found = "not the encoding of devices and their collateral";
        recorder.fail(check, Code::ReportMalformed, found);
        return;
    };
    let checkpoint = bundle
        .checkpoint()
        .map_or_else(nvidia::absent_checkpoint, Sha256Digest::of);
    let key_configuration = Sha256Digest::of(bundle.key_configuration());
    let nonce = nvidia::expected_nonce(&key_configuration, &checkpoint);
    let rules = policy.nvidia.clone().nonce(nonce);
    let claims = nvidia::verify(&evidence, &rules, &roots.nvidia, now, recorder);
    if let Some(claims) = claims.filter(|_| !recorder.any_failed(nvidia::GROUPS)) {
        let found = claims.devices.iter().map(|device| &device.chip);
        recorder.pass(check, list(found));
    }
}

fn read_gpu_evidence<'a>(
    devices: &'a [u8],
    collateral: Option<&'a [u8]>,
) -> Option<nvidia::Evidence<'a>> {
    let collateral =
        collateral.map_or_else(|| Some(gpu::Collateral::default()), gpu::parse_collateral)?;
    Some(nvidia::Evidence {
        devices: gpu::parse_devices(devices)?,
        manifests: collateral.manifests,
        revocation_answers: collateral.revocation_answers,
    })
}

/// Parts that this version can carry and bind, but not verify.
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
                "present, not verifiable by this version",
            ),
            (false, false) => recorder.gap(check, absent),
            (true, false) => recorder.gap(check, unverified),
        }
    }
}

/// A vendor's signature over a guest that cannot be debugged or migrated means
/// that the host is excluded. A root that somebody generated means nothing.
fn check_host(origin: Origin, recorder: &mut Recorder) {
    if origin == Origin::Simulated {
        recorder.simulated(Check::ExcludesHost);
        return;
    }
    let grounds = [
        Check::CertificateChain,
        Check::ReportSignature,
        Check::GuestPolicyFormat,
        Check::GuestDebug,
        Check::GuestMigration,
        Check::Vmpl,
    ];
    if grounds.into_iter().all(|check| recorder.passed(check)) {
        recorder.pass(
            Check::ExcludesHost,
            "encrypted, integrity-protected memory; no debugging; no migration",
        );
    } else {
        recorder.fail(
            Check::ExcludesHost,
            Code::HostNotExcluded,
            "a check it rests on did not pass",
        );
    }
}

/// Writes values as a list for a row.
pub(crate) fn list<T: ToString>(values: impl Iterator<Item = T>) -> String {
    let values: Vec<_> = values.map(|value| value.to_string()).collect();
    if values.is_empty() {
        "nothing".to_owned()
    } else {
        values.join(", ")
    }
}

#[cfg(test)]
mod tests;
