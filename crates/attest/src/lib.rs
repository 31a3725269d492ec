//! Checks that a remote machine is a confidential VM running known software.
//!
//! Evidence goes in, an answer comes out. The crate does no I/O, reads no clock
//! and, without the feature `development`, uses no randomness: callers pass the
//! bytes, the policy and the time. It therefore runs unchanged in a server, a
//! command line tool and a browser.
//!
//! ```text
//! bytes ──Bundle::parse──▶ Bundle ──appraise(policy, roots, now)──▶ Appraisal ──into_attested──▶ Attested
//!         (format only)    (untrusted)                              (every check, one row each)  (proof)
//! ```
//!
//! [`Attested`] can be made in no other way, so code that holds one knows that
//! the checks were done. It carries the exact bytes of the key configuration the
//! evidence is bound to; the `channel` crate reads them.
//!
//! The crate does not read key configurations or weights: what it cannot check it
//! names as a [`Gap`], never as a pass. What a transparency log proves is verified
//! by `subrosa-translog`, which does no I/O either; where the policy names a log,
//! its releases are where reference values come from.
//!
//! Read the modules in this order: [`bundle`], [`policy`], [`appraisal`], [`snp`],
//! [`dcap`], [`tdx`],
//! [`sgx`], [`nitro`], [`cca`], [`psa`], [`tpm`], [`azure`], [`nvidia`].
//! The formats are `spec/evidence-bundle.md`, `spec/policy.md` and
//! `spec/verdicts.md`.

pub mod appraisal;
pub mod arm;
pub mod azure;
pub mod binding;
pub mod bundle;
pub mod cca;
pub mod collateral;
pub mod cose;
pub mod dcap;
#[cfg(any(test, feature = "development"))]
pub mod development;
pub mod eventlog;
pub mod identifiers;
pub mod nitro;
pub mod nvidia;
pub mod policy;
pub mod psa;
pub mod sgx;
mod signature;
pub mod snp;
pub mod tdx;
pub mod time;
pub mod tpm;
pub mod x509;

pub use appraisal::{
    Appraisal, Attested, Code, EvidenceAppraisal, Gap, Refused, Roots, Verdict, appraise,
    appraise_presented,
};
pub use binding::report_data;
pub use bundle::Bundle;
#[cfg(any(test, feature = "development"))]
pub use development::DevelopmentAttested;
pub use identifiers::{ChipId, Measurement, Sha256Digest, Sha384Digest};
pub use policy::{KeyConfigurationExpectations, Policy};
pub use time::UnixSeconds;

#[cfg(test)]
mod evidence_tests;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod vector_tests;
