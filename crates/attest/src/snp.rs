//! AMD SEV-SNP evidence.
//!
//! ```text
//! ARK, ASK, VCEK ──Chain::parse──▶ Chain ──verify(anchors, now)──▶ VerifiedChain ─┐
//! report bytes ───Report::parse──▶ Report ──verify(VerifiedChain)─────────────────┴▶ VerifiedReport
//! ```
//!
//! A verified report says what a genuine chip signed, not that it is acceptable:
//! [`crate::appraise`] compares it with the policy.

pub(crate) mod anchors;
mod chain;
pub(crate) mod checks;
mod claims;
mod crl;
mod evidence;
pub(crate) mod extensions;
pub(crate) mod layout;
mod product;
mod query;
mod report;
pub(crate) mod rules;
mod tcb;

pub use anchors::Anchors;
pub use chain::{Chain, ChainError, KeyKind, Role, VerifiedChain};
pub use claims::Claims;
pub use crl::{RevocationError, RevocationList};
pub use evidence::{Demands, SnpEvidence, appraise};
pub use extensions::ExtensionError;
pub use product::{Cpuid, Part, Product};
pub use query::CollateralQuery;
pub use report::{GuestPolicy, PlatformInfo, Report, ReportError, VerifiedReport};
pub use rules::Rules;
pub use tcb::Tcb;

pub(crate) use report::FirmwareVersion;
