//! What Intel TDX and SGX evidence share: quotes, the certificates of a platform
//! and the collateral that judges its firmware (Intel DCAP).
//!
//! ```text
//! PCK chain ──path to Intel's root──▶ platform key ──signs──▶ quoting enclave's report
//!                                                                  │ names
//! quote ◀──signs── attestation key ◀───────────────────────────────┘
//! TCB info, QE identity ◀──sign── Intel's TCB signer ──path to Intel's root
//! platform's levels, quoting enclave, TDX module ──compared with them──▶ status
//! ```
//!
//! Sources: "Intel SGX DCAP ECDSA Quote Library API" (appendix A, quote version
//! 3), "Intel TDX DCAP Quoting Library API" (appendix A, versions 4 and 5),
//! "Intel SGX PCK Certificate and CRL Profile Specification", and the Provisioning
//! Certification Service API version 4 ("Get TCB info", "Get Quoting Enclave
//! identity").

mod anchors;
mod body;
mod checks;
mod claims;
mod collateral;
#[cfg(test)]
pub(crate) mod fixtures;
mod level;
mod pck;
mod query;
mod quote;
mod rules;
mod signed;
mod status;
mod tcb_info;

pub use anchors::Anchors;
pub use claims::{PckClaims, TcbClaims};
pub use collateral::{Collateral, CollateralError, CollateralFile};
pub use query::{PckAuthority, PlatformQuery, QueryError};
pub use quote::QuoteError;
pub use rules::TcbRules;
pub use status::TcbStatus;

pub(crate) use body::{EnclaveReport, TdReport};
pub(crate) use checks::{Input, VerifiedQuote, verify};
pub(crate) use level::{TdLevels, check_level};
pub(crate) use quote::{Body, Quote};

/// Whether these bytes are TCB info or a quoting enclave's identity. An appraisal
/// reads them only once their signature is verified; here nothing is verified, so
/// that a fuzzer reaches the readers.
#[cfg(any(test, feature = "development"))]
#[must_use]
pub fn reads_collateral(json: &[u8]) -> bool {
    tcb_info::TcbInfo::parse(json).is_ok() || tcb_info::QeIdentity::parse(json).is_ok()
}

#[cfg(test)]
mod tests;
