//! The backends against each other: on every signature that a test verifies, and on
//! signatures made for what they could disagree about.

#[cfg(feature = "aws-lc-rs")]
use super::native;
use super::{Claim, portable};

/// Panics unless every backend that was built says what was said.
pub(super) fn assert_agreement(claim: &Claim<'_>, message: &[u8], verdict: bool) {
    assert_eq!(portable::verifies(claim, message), verdict, "in Rust");
    #[cfg(feature = "aws-lc-rs")]
    assert_eq!(native::verifies(claim, message), verdict, "by AWS-LC");
}
