//! What a verifier asks of a token.

use crate::arm::ReferenceComponent;

/// What is demanded of a token beyond its format and signature.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    pub(super) accept_old_claims: bool,
    pub(super) nonce: Option<Vec<u8>>,
    pub(super) boot_seed: Option<Vec<u8>>,
    pub(super) components: Option<Vec<ReferenceComponent>>,
}

impl Rules {
    /// A token of a named profile from a secured device, whatever runs on it.
    #[must_use]
    pub fn strict() -> Self {
        Self::default()
    }

    /// Whether tokens with the labels of before 2022 are accepted.
    #[must_use]
    pub fn old_claims_accepted(mut self, accepted: bool) -> Self {
        self.accept_old_claims = accepted;
        self
    }

    /// Demands this nonce.
    #[must_use]
    pub fn nonce(mut self, expected: &[u8]) -> Self {
        self.nonce = Some(expected.to_vec());
        self
    }

    /// Demands this boot seed, and so the same start of the device as before.
    #[must_use]
    pub fn boot_seed(mut self, expected: &[u8]) -> Self {
        self.boot_seed = Some(expected.to_vec());
        self
    }

    /// Demands that each software component is one of these.
    #[must_use]
    pub fn components(mut self, accepted: Vec<ReferenceComponent>) -> Self {
        self.components = Some(accepted);
        self
    }
}
