//! What a verifier asks of a token.

use crate::arm::ReferenceComponent;
use crate::identifiers::ReportData;

/// What is demanded of a token beyond its format, signatures and binding.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    pub(super) accept_old_profiles: bool,
    pub(super) challenge: Option<ReportData>,
    pub(super) components: Option<Vec<ReferenceComponent>>,
    pub(super) initial_measurements: Option<Vec<Vec<u8>>>,
    pub(super) extensible_measurements: Option<[Vec<u8>; 4]>,
    pub(super) personalization: Option<[u8; 64]>,
}

impl Rules {
    /// A token of a named profile from a secured platform, whatever runs on it.
    #[must_use]
    pub fn strict() -> Self {
        Self::default()
    }

    /// Whether the profiles of before 2023 are accepted: the platform's
    /// `http://arm.com/CCA-SSD/1.0.0`, and realm tokens without a profile.
    #[must_use]
    pub fn old_profiles_accepted(mut self, accepted: bool) -> Self {
        self.accept_old_profiles = accepted;
        self
    }

    /// Demands this realm challenge.
    #[must_use]
    pub fn challenge(mut self, expected: ReportData) -> Self {
        self.challenge = Some(expected);
        self
    }

    /// Demands that each software component of the platform is one of these.
    #[must_use]
    pub fn components(mut self, accepted: Vec<ReferenceComponent>) -> Self {
        self.components = Some(accepted);
        self
    }

    /// Demands that the realm started as one of these; none of an empty list.
    #[must_use]
    pub fn initial_measurements(mut self, accepted: Vec<Vec<u8>>) -> Self {
        self.initial_measurements = Some(accepted);
        self
    }

    /// Demands these extensible measurements.
    #[must_use]
    pub fn extensible_measurements(mut self, expected: [Vec<u8>; 4]) -> Self {
        self.extensible_measurements = Some(expected);
        self
    }

    /// Demands this personalization value.
    #[must_use]
    pub fn personalization(mut self, expected: [u8; 64]) -> Self {
        self.personalization = Some(expected);
        self
    }
}
