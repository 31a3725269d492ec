//! Nodes that may be sealed to.
//!
//! ```text
//! Attested ──TrustedNode::new(now)──▶ TrustedNode ──seal_request──▶ …
//! (proof of a passed appraisal)       (its key configuration meets policy and is in its life)
//! ```

use crate::key_configuration::KeyConfiguration;

/// Something a request can be sealed to. Only types of this crate are
/// recipients, and each of them is made by a passed appraisal.
pub trait Recipient: sealed::Sealed {
    /// The verified key configuration.
    fn key_configuration(&self) -> &KeyConfiguration;
}

mod sealed {
    pub trait Sealed {}
}

/// A recipient without proof, for this crate's own tests.
#[cfg(test)]
pub(crate) struct UncheckedNode(pub(crate) KeyConfiguration);

#[cfg(test)]
impl sealed::Sealed for UncheckedNode {}

#[cfg(test)]
impl Recipient for UncheckedNode {
    fn key_configuration(&self) -> &KeyConfiguration {
        &self.0
    }
}
