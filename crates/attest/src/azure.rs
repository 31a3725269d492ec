//! Azure confidential VMs: SEV-SNP or TDX behind a paravisor with a virtual TPM.
//!
//! ```text
//! hardware ──signs──▶ report: paravisor's measurement, SHA-256(runtime data)
//!                                                         │
//! runtime data: attestation key of the virtual TPM ◀──────┘
//!                    │ signs
//!                    ▼
//!                  quote: nonce, registers ── what the guest was started with
//! ```
//!
//! The guest cannot put its own data into the hardware report: the paravisor, whose
//! measurement must therefore be a known one, speaks for it through a virtual TPM.
//! That excludes the operator of the host as far as the paravisor, Microsoft's
//! program, is trusted.
//!
//! `docs/verify/azure.md` lists what is checked and what is not.

mod anchors;
mod checks;
mod claims;
mod hcl;
mod rules;
mod runtime;

use crate::appraisal::EvidenceAppraisal;
use crate::appraisal::check::{Group, Recorder};
use crate::dcap::Collateral;
use crate::snp::KeyKind;
use crate::tdx;
use crate::time::UnixSeconds;
use crate::tpm::{KeyCertificates, QuoteSignature, RegisterValues};

pub(crate) use checks::verify;

pub use anchors::Anchors;
pub use claims::Claims;
pub use hcl::{HclError, HclReport};
pub use rules::Rules;
pub use runtime::{RuntimeData, RuntimeDataError};

/// What an Azure confidential VM shows, all unverified.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct Evidence<'a> {
    /// The paravisor's report, from the virtual TPM's storage (index `0x01400001`).
    pub report: &'a [u8],
    /// What endorses the hardware.
    pub hardware: Option<Hardware<'a>>,
    /// The virtual TPM's quote.
    pub quote: Option<Quote<'a>>,
}

/// What is needed to verify the hardware behind the paravisor.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Hardware<'a> {
    /// SEV-SNP: the report is in the paravisor's.
    Snp(SnpEndorsement<'a>),
    /// TDX: the paravisor's report has only a TDREPORT.
    Tdx(TdxEndorsement<'a>),
}

/// Certificates of an SEV-SNP processor, DER.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct SnpEndorsement<'a> {
    /// Which kind of key `leaf` certifies.
    pub kind: KeyKind,
    /// VCEK or VLEK certificate.
    pub leaf: &'a [u8],
    /// ASK or ASVK certificate.
    pub intermediate: &'a [u8],
    /// ARK certificate.
    pub root: &'a [u8],
    /// The root's revocation list.
    pub revocation_list: Option<&'a [u8]>,
}

/// A TDX quote made of the paravisor's TDREPORT.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct TdxEndorsement<'a> {
    /// The quote; Azure's service fills its buffer with zeros behind it.
    pub quote: &'a [u8],
    /// What Intel says about the platform. Without it the quote must still fit to
    /// the other parts, and nothing endorses the hardware.
    pub collateral: Option<Collateral<'a>>,
}

/// A quote of the virtual TPM. The key that made it is named by the runtime data.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct Quote<'a> {
    /// The signed `TPMS_ATTEST`.
    pub message: &'a [u8],
    /// The signature over it.
    pub signature: QuoteSignature<'a>,
    /// `TPMT_PUBLIC` of the attestation key, which says what the key may do.
    pub public: Option<&'a [u8]>,
    /// Certificates of the attestation key (index `0x01C101D0`).
    pub certificates: Option<KeyCertificates<'a>>,
    /// Values of the quoted registers.
    pub values: Option<RegisterValues>,
    /// What the firmware says was measured into them.
    pub event_log: Option<&'a [u8]>,
}

/// Judges what an Azure confidential VM shows, as of `now`.
///
/// It always returns: what is wrong is in the rows.
#[must_use]
pub fn appraise(
    evidence: &Evidence<'_>,
    rules: &Rules,
    anchors: &Anchors,
    now: UnixSeconds,
) -> EvidenceAppraisal<Claims> {
    let mut groups = vec![Group::Azure];
    match &evidence.hardware {
        Some(Hardware::Snp(_)) => groups.push(Group::Snp),
        Some(Hardware::Tdx(tdx)) if tdx.collateral.is_some() => groups.extend(tdx::GROUPS),
        Some(Hardware::Tdx(_)) | None => {}
    }
    if evidence.quote.is_some() {
        groups.extend([Group::Tpm, Group::TpmCertificates]);
    }
    let mut recorder = Recorder::new(&groups);
    let claims = checks::verify(evidence, rules, anchors, now, &mut recorder);
    EvidenceAppraisal::new(recorder, claims, now)
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
