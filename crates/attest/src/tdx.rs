//! Intel TDX evidence.
//!
//! ```text
//! quote, collateral ──dcap──▶ genuine platform, its firmware's status ─┐
//! trust domain's report ───────────────────────────────────────────────┼▶ rows ──▶ EvidenceAppraisal<Claims>
//! event log ──replay──▶ RTMR 0 to 3 ───────────────────────────────────┘
//! ```
//!
//! Quotes of version 4 (TD 1.0) and 5 (TD 1.0 and 1.5) are judged. What is
//! checked and what is not: `docs/verify/tdx.md`. The shared part is
//! [`crate::dcap`].

mod checks;
mod claims;
mod rules;

use crate::appraisal::EvidenceAppraisal;
use crate::appraisal::check::{Group, Recorder};
use crate::dcap::{Body, Collateral, Quote};
use crate::identifiers::Measurement;
use crate::time::UnixSeconds;

pub use crate::dcap::Anchors;
pub use checks::{LogError, replay};
pub use claims::Claims;
pub use rules::Rules;

pub(crate) use checks::verify;

/// A TDX quote and what is needed to judge it, all unverified.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct Evidence<'a> {
    /// The quote, with nothing behind it; see [`quote_length`].
    pub quote: &'a [u8],
    /// The platform's certificates in PEM, leaf first; needed only for a quote
    /// that does not bring them.
    pub pck_chain: Option<&'a [u8]>,
    /// What Intel says about the platform.
    pub collateral: Collateral<'a>,
    /// What was measured into the run-time registers.
    pub event_log: Option<Log<'a>>,
}

/// An event log of a trust domain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Log<'a> {
    /// The area that the CCEL table of ACPI points to.
    Ccel(&'a [u8]),
    /// The JSON list of a dstack guest.
    Dstack(&'a [u8]),
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
    let mut recorder = Recorder::new(GROUPS);
    let claims = verify(evidence, rules, anchors, now, &mut recorder);
    EvidenceAppraisal::new(recorder, claims, now)
}

/// How many of these bytes belong to the quote that they begin with, by its own
/// lengths. Transports that hand out buffers of a fixed size put zeros behind it,
/// which callers cut off; [`appraise`] refuses them.
#[must_use]
pub fn quote_length(bytes: &[u8]) -> Option<usize> {
    Quote::length(bytes)
}

/// The measurement of the first memory (`MRTD`) in a quote of which nothing is
/// verified, to compare a prediction with.
#[must_use]
pub fn unverified_measurement(quote: &[u8]) -> Option<Measurement> {
    match Quote::parse(quote).ok()?.body {
        Body::Td(report) => Some(Measurement::new(report.mr_td)),
        Body::Enclave(_) => None,
    }
}

/// The run-time registers RTMR 0 to 3 in a quote of which nothing is verified, to
/// compare a log with.
#[must_use]
pub fn unverified_registers(quote: &[u8]) -> Option<[Measurement; 4]> {
    match Quote::parse(quote).ok()?.body {
        Body::Td(report) => Some(report.rt_mr.map(Measurement::new)),
        Body::Enclave(_) => None,
    }
}

/// The groups of the checks of a trust domain.
pub(crate) const GROUPS: &[Group] = &[Group::Dcap, Group::Tdx];
