//! A document judged on its own.

use super::anchors::Anchors;
use super::checks;
use super::claims::Claims;
use super::rules::Rules;
use crate::appraisal::EvidenceAppraisal;
use crate::appraisal::check::{Group, Recorder};
use crate::time::UnixSeconds;

/// An attestation document, unverified. It brings its certificates along.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct Evidence<'a> {
    /// The document as the Nitro hypervisor gave it: `COSE_Sign1`, tagged or not.
    pub document: &'a [u8],
}

/// Judges a document on its own, as of `now`.
///
/// It always returns: what is wrong is in the rows.
#[must_use]
pub fn appraise(
    evidence: &Evidence<'_>,
    rules: &Rules,
    anchors: &Anchors,
    now: UnixSeconds,
) -> EvidenceAppraisal<Claims> {
    let mut recorder = Recorder::new(&[Group::Nitro]);
    let claims = checks::verify(evidence, rules, anchors, now, &mut recorder);
    EvidenceAppraisal::new(recorder, claims, now)
}

#[cfg(test)]
mod tests;
