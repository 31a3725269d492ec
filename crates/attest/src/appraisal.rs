//! Compares evidence with a policy.
//!
//! An appraisal is a list of rows, one for each check, in the order in which the
//! checks run. The [`Verdict`] follows from the rows. [`Appraisal::into_attested`]
//! turns a verdict that allows it into an [`Attested`], which nothing else can
//! make. Verdicts, codes and gaps are explained in `spec/verdicts.md`.

use crate::bundle::Bundle;
use crate::identifiers::Sha256Digest;
use crate::policy::{KeyConfigurationExpectations, Policy};
use crate::signature::PublicKey;
use crate::snp::anchors::Anchors;
use crate::time::UnixSeconds;
use crate::{azure, nitro, nvidia, tdx, tpm};

mod attested;
pub(crate) mod check;
mod code;
mod ear;
mod evidence;
mod explain;
mod facts;
mod gap;
mod gpus;
mod log;
mod node;
mod render;
mod tpms;
mod verdict;

pub use attested::{Attested, Refused};
pub use check::{NotRun, Outcome, Row};
pub use code::Code;
pub use ear::{TrustVector, ear};
pub use evidence::EvidenceAppraisal;
pub use facts::{Facts, PlatformClaims};
pub use gap::Gap;
pub use log::{History, LogFindings, Presented, PresentedDirectory};
pub use verdict::Verdict;

pub(crate) use attested::Proof;
#[cfg(any(test, feature = "development"))]
pub(crate) use attested::proof_accessors;
use check::{Group, Recorder};
pub(crate) use node::SNP_GROUNDS;

/// Judges a bundle by a policy, as of `now`, with the vendors' own roots.
///
/// It always returns: what is wrong is in the rows.
#[must_use]
pub fn appraise(bundle: &Bundle, policy: &Policy, roots: &Roots, now: UnixSeconds) -> Appraisal {
    appraise_presented(bundle, &Presented::default(), policy, roots, now)
}

/// The same with what the device was shown beside the bundle, and what it has seen of the log.
#[must_use]
pub fn appraise_presented(
    bundle: &Bundle,
    presented: &Presented<'_>,
    policy: &Policy,
    roots: &Roots,
    now: UnixSeconds,
) -> Appraisal {
    appraise_up_to((bundle, presented), policy, roots, Origin::Vendor, now)
}

/// The root keys of the hardware vendors. There is nothing to choose: keys that
/// are not compiled in are not trusted.
#[derive(Clone, Debug)]
pub struct Roots {
    pub(crate) azure: azure::Anchors,
    pub(crate) snp: Anchors,
    pub(crate) nitro: nitro::Anchors,
    pub(crate) nvidia: nvidia::Anchors,
    pub(crate) tdx: tdx::Anchors,
    pub(crate) tpm: tpm::Anchors,
    /// The one attestation key of a TPM that needs no certificate.
    pub(crate) tpm_key: Option<PublicKey>,
}

impl Roots {
    /// The vendors' keys.
    #[must_use]
    pub fn vendor() -> Self {
        Self {
            azure: azure::Anchors::vendor(),
            snp: Anchors::amd(),
            nitro: nitro::Anchors::vendor(),
            nvidia: nvidia::Anchors::vendor(),
            tdx: tdx::Anchors::vendor(),
            tpm: tpm::Anchors::vendor(),
            tpm_key: None,
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

    /// Besides the vendors' keys one TPM in software, by its attestation key.
    #[cfg(any(test, feature = "development"))]
    pub(crate) fn software_tpm(key: PublicKey) -> Self {
        Self {
            tpm_key: Some(key),
            ..Self::vendor()
        }
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
    pub(crate) log: LogFindings,
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

    /// What was found in the log that the policy names.
    #[must_use]
    pub fn log(&self) -> &LogFindings {
        &self.log
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
    (bundle, presented): (&Bundle, &Presented<'_>),
    policy: &Policy,
    roots: &Roots,
    origin: Origin,
    now: UnixSeconds,
) -> Appraisal {
    let mut recorder = Recorder::new(&[Group::Bundle]);
    let found = node::run_checks(
        (bundle, presented),
        policy,
        roots,
        origin,
        now,
        &mut recorder,
    );
    let (groups, rows) = recorder.finish();
    Appraisal {
        groups,
        rows,
        weakened: policy.weakened.iter().map(Gap::from).collect(),
        origin,
        facts: found.facts,
        key_configuration: bundle.key_configuration().to_vec(),
        bundle_hash: bundle.hash(),
        expectations: found.expectations,
        log: found.log,
        policy_name: policy.name.clone(),
        at: now,
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
