//! A token judged on its own.

use super::checks;
use super::claims::Claims;
use super::rules::Rules;
use crate::appraisal::EvidenceAppraisal;
use crate::appraisal::check::{Group, Recorder};
use crate::arm::Anchors;
use crate::time::UnixSeconds;

/// A PSA Initial Attestation token, unverified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct Evidence<'a> {
    /// The token as the device got it from `psa_initial_attest_get_token`.
    pub token: &'a [u8],
}

/// Judges a token on its own. Tokens carry no time: `now` is only written down,
/// and only the nonce says that a token is new.
///
/// It always returns: what is wrong is in the rows.
#[must_use]
pub fn appraise(
    evidence: &Evidence<'_>,
    rules: &Rules,
    anchors: &Anchors,
    now: UnixSeconds,
) -> EvidenceAppraisal<Claims> {
    let mut recorder = Recorder::new(&[Group::Psa]);
    let claims = checks::verify(evidence, rules, anchors, &mut recorder);
    EvidenceAppraisal::new(recorder, claims, now)
}

#[cfg(test)]
mod tests;
