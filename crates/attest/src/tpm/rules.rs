//! What an appraisal of a quote demands.

use std::collections::{BTreeMap, BTreeSet};

use super::algorithm::HashAlgorithm;

/// The demands on a quote. [`Rules::default`] is strict, and accepts nothing until
/// it is told the nonce.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rules {
    pub(super) nonce: NonceRule,
    pub(super) banks: BTreeSet<HashAlgorithm>,
    pub(super) required_registers: BTreeSet<u8>,
    pub(super) values: Requirement,
    pub(super) allowed_values: BTreeMap<u8, Vec<Vec<u8>>>,
    pub(super) key_attributes: Requirement,
    pub(super) key_certificate: Requirement,
    pub(super) event_log: Requirement,
}

impl Default for Rules {
    /// A certified attestation key of known attributes; a bank of the SHA-2 family;
    /// registers 0 to 7, which hold the firmware and its configuration, with their
    /// values; an event log, if there is one, must match.
    fn default() -> Self {
        Self {
            nonce: NonceRule::Unknown,
            banks: [
                HashAlgorithm::Sha256,
                HashAlgorithm::Sha384,
                HashAlgorithm::Sha512,
            ]
            .into(),
            required_registers: (0..=7).collect(),
            values: Requirement::Required,
            allowed_values: BTreeMap::new(),
            key_attributes: Requirement::Required,
            key_certificate: Requirement::Required,
            event_log: Requirement::IfPresent,
        }
    }
}

impl Rules {
    /// Demands that the quote was made for this nonce: its `extraData`.
    #[must_use]
    pub fn nonce(mut self, nonce: &[u8]) -> Self {
        self.nonce = NonceRule::Exactly(nonce.to_vec());
        self
    }

    /// Accepts any nonce, as a gap: old quotes look like new then.
    #[must_use]
    pub fn any_nonce(mut self) -> Self {
        self.nonce = NonceRule::Any;
        self
    }

    /// Accepts only this bank of registers.
    #[must_use]
    pub fn bank(mut self, bank: HashAlgorithm) -> Self {
        self.banks = [bank].into();
        self
    }

    /// Demands that the quote covers these registers; it must cover one in any case.
    #[must_use]
    pub fn required_registers(mut self, registers: &[u8]) -> Self {
        self.required_registers = registers.iter().copied().collect();
        self
    }

    /// Demands that a register holds one of these values; its values are added to
    /// those of earlier calls.
    #[must_use]
    pub fn allowed_value(mut self, register: u8, value: &[u8]) -> Self {
        let values = self.allowed_values.entry(register).or_default();
        values.push(value.to_vec());
        self
    }

    /// What to do where the registers' values are missing.
    #[must_use]
    pub fn values(mut self, requirement: Requirement) -> Self {
        self.values = requirement;
        self
    }

    /// What to do where nothing says what the attestation key may do.
    #[must_use]
    pub fn key_attributes(mut self, requirement: Requirement) -> Self {
        self.key_attributes = requirement;
        self
    }

    /// What to do where no certificate path for the attestation key is there.
    #[must_use]
    pub fn key_certificate(mut self, requirement: Requirement) -> Self {
        self.key_certificate = requirement;
        self
    }

    /// What to do where the event log is missing.
    #[must_use]
    pub fn event_log(mut self, requirement: Requirement) -> Self {
        self.event_log = requirement;
        self
    }
}

/// What to do about a part of the evidence. One that is there must always be good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Requirement {
    /// Without it there is a gap.
    IfPresent,
    /// It must be there.
    Required,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum NonceRule {
    Any,
    Exactly(Vec<u8>),
    /// Nobody said what to expect, which is a refusal.
    Unknown,
}
