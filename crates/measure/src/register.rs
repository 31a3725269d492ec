//! Measurement registers: PCRs of a TPM and RTMRs of a trust domain.

use sha2::{Digest as _, Sha256, Sha384};

/// The hash of a register.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "the banks that are predicted")]
pub enum Bank {
    /// SHA-256, as in the PCRs of a TPM.
    Sha256,
    /// SHA-384, as in the RTMRs of a trust domain.
    Sha384,
}

impl Bank {
    /// The digest of `data` in this bank.
    #[must_use]
    pub fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(data).to_vec(),
            Self::Sha384 => Sha384::digest(data).to_vec(),
        }
    }

    /// Size of a digest in bytes.
    #[must_use]
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// A register that starts at zero and only ever takes in digests.
///
/// TPM 2.0 Library, Part 1, "PCR operations"; Intel TDX Module, `TDH.MR.EXTEND` of
/// run-time registers: new value = hash of old value and digest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Register {
    bank: Bank,
    value: Vec<u8>,
}

impl Register {
    /// A register in which nothing was measured.
    #[must_use]
    pub fn new(bank: Bank) -> Self {
        let value = vec![0; bank.digest_len()];
        Self { bank, value }
    }

    /// Takes in what was hashed before. A digest of another length is none: it is
    /// refused with `false`, and the register stays as it was.
    #[must_use]
    pub fn extend_digest(&mut self, digest: &[u8]) -> bool {
        if digest.len() != self.bank.digest_len() {
            return false;
        }
        self.value = self.bank.digest(&[&self.value, digest].concat());
        true
    }

    /// Measures `data`.
    pub fn measure(&mut self, data: &[u8]) {
        let digest = self.bank.digest(data);
        self.value = self.bank.digest(&[self.value.as_slice(), &digest].concat());
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The hash.
    #[must_use]
    pub fn bank(&self) -> Bank {
        self.bank
    }
}

#[cfg(test)]
mod tests;
