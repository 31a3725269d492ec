//! The simulated platform: the real formats, signed by a root made on this
//! machine.
//!
//! **It protects nothing.** Whoever holds the root's secret file can sign any
//! report. It exists so that everything can be tried and tested without the
//! hardware. The same verifier reads its evidence, and the outcome is another
//! type, [`DevelopmentAttested`]: there is no way from here to an
//! [`crate::Attested`].
//!
//! ```text
//! service:  Root::generate ──▶ secret file ──▶ Root::platform ──▶ SimulatedPlatform::report
//! device:                      public file ──▶ DevelopmentRoot ─▶ appraise ──▶ DevelopmentAttested
//! ```
//!
//! Making a root needs randomness and the time, which the caller gives.

use crate::appraisal::{self, Code, Origin, Presented, Proof, Refused, Verdict, proof_accessors};
use crate::bundle::Bundle;
use crate::policy::Policy;
use crate::time::UnixSeconds;

pub(crate) mod certificates;
pub(crate) mod der;
mod platform;
pub(crate) mod root;

#[cfg(test)]
pub(crate) use platform::Draft;
pub use platform::SimulatedPlatform;
pub use root::{DevelopmentError, DevelopmentRoot, Root};

/// Judges a bundle by a policy, as of `now`, up to a simulated root.
///
/// Every check of [`crate::appraise`] runs; only the last one, whether the host
/// is excluded, has no answer.
///
/// # Errors
///
/// [`Refused`] if a check fails.
pub fn appraise(
    bundle: &Bundle,
    policy: &Policy,
    root: &DevelopmentRoot,
    now: UnixSeconds,
) -> Result<DevelopmentAttested, Refused> {
    appraise_presented(bundle, &Presented::default(), policy, root, now)
}

/// The same with what the device was shown beside the bundle, and what it has seen of the log.
///
/// # Errors
///
/// [`Refused`] if a check fails.
pub fn appraise_presented(
    bundle: &Bundle,
    presented: &Presented<'_>,
    policy: &Policy,
    root: &DevelopmentRoot,
    now: UnixSeconds,
) -> Result<DevelopmentAttested, Refused> {
    let appraisal = appraisal::appraise_up_to(
        (bundle, presented),
        policy,
        &root.roots(),
        Origin::Simulated,
        now,
    );
    let code = match appraisal.verdict() {
        Verdict::NotProtectedDevelopment => None,
        Verdict::Refused(code) => Some(code),
        Verdict::Verified | Verdict::VerifiedWithGaps(_) => Some(Code::RequiredCheckNotRun),
    };
    Proof::make(appraisal, code).map(DevelopmentAttested)
}

/// Proof that a node's evidence is right up to a simulated root, which protects
/// nothing. Its verdict is always NOT PROTECTED (development).
///
/// ```compile_fail,E0423
/// # fn skip(proof: subrosa_attest::Appraisal) {
/// let forged = subrosa_attest::DevelopmentAttested(proof);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DevelopmentAttested(Proof);

proof_accessors!(DevelopmentAttested);

#[cfg(test)]
mod tests;
