//! What a piece of evidence is, as far as its first bytes say.

use core::fmt;
use core::str::FromStr;

use crate::snp::Report;

/// Kind of evidence that collateral is gathered for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// SPDM measurement report of an NVIDIA GPU or switch.
    NvidiaReport,
    /// AMD SEV-SNP attestation report.
    SevSnpReport,
    /// Intel SGX quote.
    SgxQuote,
    /// Intel TDX quote.
    TdxQuote,
}

impl Kind {
    /// Every kind, by name.
    pub const ALL: [Self; 4] = [
        Self::NvidiaReport,
        Self::SevSnpReport,
        Self::SgxQuote,
        Self::TdxQuote,
    ];

    /// The name, as files and command lines have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NvidiaReport => "nvidia-report",
            Self::SevSnpReport => "sev-snp-report",
            Self::SgxQuote => "sgx-quote",
            Self::TdxQuote => "tdx-quote",
        }
    }

    /// The kind that these bytes have, if they can have only one.
    ///
    /// An SEV-SNP report has one length and a signature algorithm at its place; a
    /// quote begins with its version, key type and kind of enclave; a report of an
    /// NVIDIA device with an SPDM request for signed measurements.
    #[must_use]
    pub fn detect(evidence: &[u8]) -> Option<Self> {
        if Report::parse(evidence).is_ok() {
            return Some(Self::SevSnpReport);
        }
        match evidence {
            // Version (16 bit), attestation key type 2 (ECDSA P-256), TEE type
            // (32 bit), all little-endian: SGX quoting library API, appendix A.3.
            [3, 0, 2, 0, ..] | [4 | 5, 0, 2, 0, 0, 0, 0, 0, ..] => Some(Self::SgxQuote),
            [4 | 5, 0, 2, 0, 0x81, 0, 0, 0, ..] => Some(Self::TdxQuote),
            // SPDM 1.1 GET_MEASUREMENTS, signature requested, all measurements
            // (DSP0274 1.1, "GET_MEASUREMENTS request message format").
            [0x11, 0xE0, 0x01, 0xFF, ..] => Some(Self::NvidiaReport),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.as_str() == text).ok_or(UnknownKind)
    }
}

/// A text names no kind of evidence.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("one of nvidia-report, sev-snp-report, sgx-quote and tdx-quote is expected")]
pub struct UnknownKind;
