//! Intel SGX evidence.
//!
//! ```text
//! quote, collateral ──dcap──▶ genuine platform, its firmware's status ─┐
//! enclave's report ────────────────────────────────────────────────────┴▶ rows ──▶ EvidenceAppraisal<Claims>
//! ```
//!
//! ECDSA quotes of versions 3, 4 and 5 are judged; EPID quotes are not. What is
//! checked and what is not: `docs/verify/sgx.md`. The shared part is
//! [`crate::dcap`].

mod checks;
mod claims;
mod rules;

use crate::appraisal::EvidenceAppraisal;
use crate::appraisal::check::{Group, Recorder};
use crate::dcap::Collateral;
use crate::time::UnixSeconds;

pub use crate::dcap::Anchors;
pub use claims::Claims;
pub use rules::Rules;

pub(crate) use checks::verify;

/// An SGX quote and what is needed to judge it, all unverified.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct Evidence<'a> {
    /// The quote, with nothing behind it.
    pub quote: &'a [u8],
    /// The platform's certificates in PEM, leaf first; needed only for a quote
    /// that does not bring them.
    pub pck_chain: Option<&'a [u8]>,
    /// What Intel says about the platform.
    pub collateral: Collateral<'a>,
}

/// Judges a quote on its own, as of `now`.
///
/// It always returns: what is wrong is in the rows.
#[must_use]
pub fn appraise(
    evidence: &Evidence<'_>,
    rules: &Rules,
    anchors: &Anchors,
    now: UnixSeconds,
) -> EvidenceAppraisal<Claims> {
    let mut recorder = Recorder::new(&[Group::Dcap, Group::Sgx]);
    let claims = verify(evidence, rules, anchors, now, &mut recorder);
    EvidenceAppraisal::new(recorder, claims, now)
}
