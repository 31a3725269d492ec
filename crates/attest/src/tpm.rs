//! TPM 2.0 quotes, of physical and virtual TPMs.
//!
//! ```text
//! key ───────Public::parse──▶ Public ─┐
//! message ───Quote::parse───▶ Quote ──┴─signature─▶ nonce, registers' digest
//! values ──────────────────────────────────────────▶ digest recomputed ─▶ registers
//! event log ─────────────────────────replay per bank─────────────────────▶ registers
//! ```
//!
//! A TPM says what was measured into it. It does not say that the memory of the
//! machine is out of the host's reach, nor where the TPM is: whoever runs a virtual
//! TPM, or holds the bus of a physical one, measures what he likes. **A quote alone
//! never excludes the operator of the host.** [`crate::azure`] ties a virtual TPM
//! to a confidential VM.
//!
//! `docs/verify/tpm.md` lists what is checked and what is not.

mod algorithm;
mod anchors;
mod certificate;
mod checks;
mod claims;
mod log;
mod pcrs;
mod public;
mod quote;
mod rules;
mod signature;
mod wire;

use crate::appraisal::check::{Check, Group, Recorder};
use crate::appraisal::{EvidenceAppraisal, Gap};
use crate::time::UnixSeconds;

pub(crate) use checks::verify;

pub use algorithm::HashAlgorithm;
pub use anchors::Anchors;
pub use certificate::KeyCertificates;
pub use claims::{CertificateClaims, Claims};
pub use log::MeasuredEvent;
pub use pcrs::RegisterValues;
pub use public::{AttestationKey, Public, PublicError};
pub use quote::{Quote, QuoteError};
pub use rules::{Requirement, Rules};
pub use signature::{QuoteSignature, SignatureError};
pub use wire::WireError;

/// A quote and what is needed to verify it, all unverified.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct Evidence<'a> {
    /// The signed `TPMS_ATTEST`.
    pub quote: &'a [u8],
    /// The signature over it.
    pub signature: QuoteSignature<'a>,
    /// The key that made the signature.
    pub key: AttestationKey<'a>,
    /// Certificates of that key.
    pub certificates: Option<KeyCertificates<'a>>,
    /// Values of the quoted registers.
    pub values: Option<RegisterValues>,
    /// What the firmware says was measured into them.
    pub event_log: Option<&'a [u8]>,
}

/// Judges a quote on its own, as of `now`.
///
/// It always returns: what is wrong is in the rows. That the operator of the host
/// is not excluded is always among the gaps.
#[must_use]
pub fn appraise(
    evidence: &Evidence<'_>,
    rules: &Rules,
    anchors: &Anchors,
    now: UnixSeconds,
) -> EvidenceAppraisal<Claims> {
    let mut recorder = Recorder::new(&[Group::Tpm, Group::TpmCertificates]);
    let claims = checks::verify(evidence, None, rules, anchors, now, &mut recorder);
    recorder.gap(Check::ExcludesHost, Gap::HostNotExcluded);
    EvidenceAppraisal::new(recorder, claims, now)
}

/// Judges only the certificates of an attestation key, as of `now`.
#[must_use]
pub fn appraise_certificates(
    certificates: &KeyCertificates<'_>,
    anchors: &Anchors,
    now: UnixSeconds,
) -> EvidenceAppraisal<CertificateClaims> {
    let mut recorder = Recorder::new(&[Group::TpmCertificates]);
    let claims = checks::verify_certificates(certificates, anchors, now, &mut recorder);
    recorder.gap(Check::ExcludesHost, Gap::HostNotExcluded);
    EvidenceAppraisal::new(recorder, claims, now)
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
