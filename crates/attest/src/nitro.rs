//! AWS Nitro Enclaves: attestation documents.
//!
//! ```text
//! bytes ──Document::parse──▶ Document ──chain(anchors, now), signature──▶ Claims
//! ```
//!
//! The format and the rules are those of "Nitro Enclaves Attestation Process"
//! (AWS, aws-nitro-enclaves-nsm-api, `docs/attestation_process.md`), cited here
//! as AWS. A document says which image an enclave runs; AWS itself is trusted to
//! keep the parent instance out of it.

mod anchors;
mod checks;
mod claims;
mod document;
mod evidence;
mod rules;

pub(crate) use checks::verify;

pub use anchors::Anchors;
pub use claims::Claims;
pub use document::{Document, DocumentError};
pub use evidence::{Evidence, appraise};
pub use rules::{Register, Rules};

#[cfg(test)]
pub(crate) mod fixtures;
