//! What is demanded of the firmware under TDX and SGX evidence.

use super::TcbStatus;

/// Which levels of firmware are accepted, and how recent the collateral must be
/// that judges them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TcbRules {
    pub(super) statuses: Vec<TcbStatus>,
    /// `None` accepts all.
    pub(super) advisories: Option<Vec<String>>,
    pub(super) minimum_evaluation_number: u32,
    pub(super) forbid_smt: bool,
    pub(super) forbid_dynamic_platform: bool,
    pub(super) forbid_cached_keys: bool,
}

impl TcbRules {
    /// Intel's TCB recovery that collateral must at least be of.
    pub const EVALUATION_NUMBER: u32 = 19;

    /// Firmware that is up to date and that no advisory concerns, judged by
    /// collateral of Intel's TCB recovery 19 (in force since mid-2026) or later.
    #[must_use]
    pub fn strict() -> Self {
        Self {
            statuses: vec![TcbStatus::UpToDate],
            advisories: Some(Vec::new()),
            minimum_evaluation_number: Self::EVALUATION_NUMBER,
            forbid_smt: false,
            forbid_dynamic_platform: false,
            forbid_cached_keys: false,
        }
    }

    /// Accepts this status too, and the verdict then names gaps. `Revoked` is never
    /// accepted.
    #[must_use]
    pub fn accept_status(mut self, status: TcbStatus) -> Self {
        self.statuses.push(status);
        self
    }

    /// Accepts levels that these advisories concern, and no others.
    #[must_use]
    pub fn accept_advisories(mut self, advisories: &[&str]) -> Self {
        let advisories = advisories.iter().map(|&advisory| advisory.to_owned());
        self.advisories = Some(advisories.collect());
        self
    }

    /// Accepts levels whatever advisories concern them.
    #[must_use]
    pub fn accept_any_advisory(mut self) -> Self {
        self.advisories = None;
        self
    }

    /// Demands collateral of this TCB recovery or a later one
    /// (`tcbEvaluationDataNumber`).
    #[must_use]
    pub fn minimum_evaluation_number(mut self, number: u32) -> Self {
        self.minimum_evaluation_number = number;
        self
    }

    /// Demands a platform whose certificate says that hyper-threading is off.
    #[must_use]
    pub fn forbid_smt(mut self) -> Self {
        self.forbid_smt = true;
        self
    }

    /// Demands a platform whose certificate says that no processor can be added.
    #[must_use]
    pub fn forbid_dynamic_platform(mut self) -> Self {
        self.forbid_dynamic_platform = true;
        self
    }

    /// Demands a platform whose certificate says that Intel keeps no copy of its
    /// root keys.
    #[must_use]
    pub fn forbid_cached_keys(mut self) -> Self {
        self.forbid_cached_keys = true;
        self
    }
}

impl Default for TcbRules {
    fn default() -> Self {
        Self::strict()
    }
}
