//! The roots of an Azure confidential VM's evidence.

use crate::{snp, tdx, tpm};

/// The root keys an appraisal trusts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Anchors {
    pub(super) snp: snp::Anchors,
    pub(super) tdx: tdx::Anchors,
    pub(super) tpm: tpm::Anchors,
}

impl Anchors {
    /// AMD's and Intel's keys for the hardware, Microsoft's for the virtual TPM.
    #[must_use]
    pub fn vendor() -> Self {
        Self {
            snp: snp::Anchors::amd(),
            tdx: tdx::Anchors::vendor(),
            tpm: tpm::Anchors::vendor(),
        }
    }

    /// Evaluates SEV-SNP hardware under other roots.
    #[must_use]
    pub fn with_snp(mut self, anchors: snp::Anchors) -> Self {
        self.snp = anchors;
        self
    }

    /// Evaluates TDX hardware under other roots.
    #[must_use]
    pub fn with_tdx(mut self, anchors: tdx::Anchors) -> Self {
        self.tdx = anchors;
        self
    }

    /// Evaluates the attestation key's certificates under other roots.
    #[must_use]
    pub fn with_tpm(mut self, anchors: tpm::Anchors) -> Self {
        self.tpm = anchors;
        self
    }
}
