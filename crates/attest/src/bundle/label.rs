//! The parts a bundle can hold: `spec/evidence-bundle.md`, table "Entries".

use core::fmt;

use crate::policy::Platform;

/// Name of one part of a bundle.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Label {
    /// Report of the paravisor of an Azure confidential VM.
    AzureReport,
    /// A witnessed log checkpoint.
    Checkpoint,
    /// Evidence of the node's graphics processors.
    GpuEvidence,
    /// Reference manifests and revocation answers for them.
    GpuCollateral,
    /// The node's key configuration.
    KeyConfiguration,
    /// The machine's record in the roster of admitted machines, with its proof.
    MachineRecord,
    /// An AWS Nitro attestation document.
    NitroDocument,
    /// AMD's root certificate.
    SnpArk,
    /// AMD's intermediate certificate for VCEKs.
    SnpAsk,
    /// AMD's intermediate certificate for VLEKs.
    SnpAsvk,
    /// The root's revocation list.
    SnpCrl,
    /// The attestation report.
    SnpReport,
    /// Certificate of a versioned chip endorsement key.
    SnpVcek,
    /// Certificate of a versioned loaded endorsement key.
    SnpVlek,
    /// What Intel says about the platform of a quote.
    TdxCollateral,
    /// Event log of the trust domain's run-time registers.
    TdxEventLog,
    /// An Intel TDX quote.
    TdxQuote,
    /// Log proof of the roster of admitted machines.
    TlogProofMachine,
    /// Log proof of the release.
    TlogProofRelease,
    /// What the firmware says was measured into the TPM.
    TpmEventLog,
    /// A TPM's quote with its key.
    TpmEvidence,
}

impl Label {
    /// Every label, in the order of the deterministic encoding.
    pub const ALL: [Self; 21] = [
        Self::SnpArk,
        Self::SnpAsk,
        Self::SnpCrl,
        Self::SnpAsvk,
        Self::SnpVcek,
        Self::SnpVlek,
        Self::TdxQuote,
        Self::Checkpoint,
        Self::SnpReport,
        Self::AzureReport,
        Self::GpuEvidence,
        Self::TpmEvidence,
        Self::TdxEventLog,
        Self::TpmEventLog,
        Self::GpuCollateral,
        Self::MachineRecord,
        Self::NitroDocument,
        Self::TdxCollateral,
        Self::KeyConfiguration,
        Self::TlogProofMachine,
        Self::TlogProofRelease,
    ];

    /// The label as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AzureReport => "azure-report",
            Self::Checkpoint => "checkpoint",
            Self::GpuEvidence => "gpu-evidence",
            Self::GpuCollateral => "gpu-collateral",
            Self::KeyConfiguration => "key-configuration",
            Self::MachineRecord => "machine-record",
            Self::NitroDocument => "nitro-document",
            Self::SnpArk => "snp-ark",
            Self::SnpAsk => "snp-ask",
            Self::SnpAsvk => "snp-asvk",
            Self::SnpCrl => "snp-crl",
            Self::SnpReport => "snp-report",
            Self::SnpVcek => "snp-vcek",
            Self::SnpVlek => "snp-vlek",
            Self::TdxCollateral => "tdx-collateral",
            Self::TdxEventLog => "tdx-event-log",
            Self::TdxQuote => "tdx-quote",
            Self::TlogProofMachine => "tlog-proof-machine",
            Self::TlogProofRelease => "tlog-proof-release",
            Self::TpmEventLog => "tpm-event-log",
            Self::TpmEvidence => "tpm-evidence",
        }
    }

    /// Media type of the part.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::AzureReport => "application/vnd.subrosa.azure-report",
            Self::Checkpoint => "application/vnd.subrosa.checkpoint",
            Self::GpuEvidence => "application/vnd.subrosa.gpu-evidence",
            Self::GpuCollateral => "application/vnd.subrosa.gpu-collateral",
            Self::KeyConfiguration => "application/vnd.subrosa.key-configuration",
            Self::MachineRecord => "application/vnd.subrosa.machine-record",
            Self::NitroDocument => "application/vnd.subrosa.nitro-document",
            // RFC 2585, section 4.
            Self::SnpArk | Self::SnpAsk | Self::SnpAsvk | Self::SnpVcek | Self::SnpVlek => {
                "application/pkix-cert"
            }
            Self::SnpCrl => "application/pkix-crl",
            Self::SnpReport => "application/vnd.subrosa.snp-report",
            Self::TdxCollateral => "application/vnd.subrosa.tdx-collateral+json",
            Self::TdxEventLog => "application/vnd.subrosa.tdx-event-log",
            Self::TdxQuote => "application/vnd.subrosa.tdx-quote",
            Self::TlogProofMachine | Self::TlogProofRelease => "application/vnd.subrosa.tlog-proof",
            Self::TpmEventLog => "application/vnd.subrosa.tpm-event-log",
            Self::TpmEvidence => "application/vnd.subrosa.tpm-evidence",
        }
    }

    /// Largest size of the part, in bytes.
    #[must_use]
    pub const fn max_len(self) -> usize {
        match self {
            Self::SnpReport => 0x4A0,
            Self::MachineRecord
            | Self::SnpArk
            | Self::SnpAsk
            | Self::SnpAsvk
            | Self::SnpVcek
            | Self::SnpVlek => 8 * 1024,
            Self::AzureReport
            | Self::Checkpoint
            | Self::KeyConfiguration
            | Self::NitroDocument
            | Self::TdxQuote => 16 * 1024,
            Self::SnpCrl | Self::TlogProofMachine | Self::TpmEvidence => 32 * 1024,
            // A release names many files.
            Self::TlogProofRelease => 96 * 1024,
            Self::GpuCollateral
            | Self::GpuEvidence
            | Self::TdxCollateral
            | Self::TdxEventLog
            | Self::TpmEventLog => 128 * 1024,
        }
    }

    /// The hardware whose evidence, or collateral for it, the part is.
    pub(super) const fn hardware(self) -> Option<Platform> {
        match self {
            Self::NitroDocument => Some(Platform::AwsNitro),
            Self::SnpArk
            | Self::SnpAsk
            | Self::SnpAsvk
            | Self::SnpCrl
            | Self::SnpReport
            | Self::SnpVcek
            | Self::SnpVlek => Some(Platform::SevSnp),
            Self::TdxCollateral | Self::TdxEventLog | Self::TdxQuote => Some(Platform::IntelTdx),
            Self::AzureReport
            | Self::Checkpoint
            | Self::GpuCollateral
            | Self::GpuEvidence
            | Self::KeyConfiguration
            | Self::MachineRecord
            | Self::TlogProofMachine
            | Self::TlogProofRelease
            | Self::TpmEventLog
            | Self::TpmEvidence => None,
        }
    }

    /// Orders labels as their encodings order: the shorter first, then by bytes
    /// (RFC 8949, section 4.2.1).
    pub(super) const fn sort_key(self) -> (usize, &'static str) {
        (self.as_str().len(), self.as_str())
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|label| label.as_str() == text)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
