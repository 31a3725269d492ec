//! Arm Platform Security Architecture: Initial Attestation tokens.
//!
//! The format is that of RFC 9783, cited here as PSA, and of its drafts before
//! 2022. A token says that a device started known firmware in a secured state;
//! it never keeps whoever owns the device out, which its appraisal names as a
//! gap.

mod checks;
mod claims;
mod evidence;
mod rules;
mod token;

pub use crate::arm::{Anchors, KeyError, ReferenceComponent, SoftwareComponent};
pub use claims::Claims;
pub use evidence::{Evidence, appraise};
pub use rules::Rules;
pub use token::{Token, TokenError};

#[cfg(test)]
mod fixtures;
