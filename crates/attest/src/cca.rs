//! Arm Confidential Compute Architecture: attestation tokens.
//!
//! ```text
//! token ──Token::parse──▶ platform token ──key endorsed for this machine──▶ verified
//!                         realm token ────hash of its key is in the former──▶ verified
//! ```
//!
//! A token is two signed objects: the platform's, under a key that its maker
//! endorses (CPAK), and the realm's, under a key that the realm management
//! monitor made (RAK). The format is that of "Realm Management Monitor
//! specification" (Arm DEN0137, section A7.2) and of draft-ffm-rats-cca-token,
//! cited here as RMM and CCA.

mod checks;
mod claims;
mod evidence;
mod platform;
mod realm;
mod rules;
mod token;

pub use crate::arm::{Anchors, KeyError, ReferenceComponent, SoftwareComponent};
pub use claims::Claims;
pub use evidence::{Evidence, appraise};
pub use platform::PlatformClaims;
pub use realm::RealmClaims;
pub use rules::Rules;
pub use token::{Token, TokenError};

#[cfg(test)]
mod fixtures;
