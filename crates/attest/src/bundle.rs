//! The evidence bundle: everything a device needs to judge one node, in one file.
//!
//! The format is `spec/evidence-bundle.md`: a deterministic CBOR map in the shape
//! of a RATS conceptual message wrapper collection. Reading it checks the format
//! only; [`crate::appraise`] says whether the evidence is any good.

use core::fmt;

use crate::appraisal::Code;
use crate::azure::SnpEndorsement;
use crate::identifiers::Sha256Digest;
use crate::nitro;
use crate::policy::Platform;
use crate::snp::KeyKind;

pub use crate::snp::SnpEvidence;

pub mod gpu;
mod label;
pub mod tpm;
mod wire;

pub use label::Label;

/// Evidence of one node, format checked, nothing verified.
#[derive(Clone, Eq, PartialEq)]
pub struct Bundle {
    bytes: Vec<u8>,
    entries: Vec<(Label, Vec<u8>)>,
}

impl Bundle {
    /// Largest bundle that is read, in bytes.
    pub const MAX_LEN: usize = 512 * 1024;

    /// Reads a bundle.
    ///
    /// # Errors
    ///
    /// [`BundleError`]. Unknown labels, a second spelling of the same content and
    /// trailing bytes are errors.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(BundleError::TooLong { got: bytes.len() });
        }
        let mut entries = wire::decode(bytes)?;
        entries.sort_by_key(|(label, _)| label.sort_key());
        if wire::encode(&entries)? != bytes {
            return Err(BundleError::NotDeterministic);
        }
        Self::check_complete(&entries)?;
        Ok(Self {
            bytes: bytes.to_vec(),
            entries,
        })
    }

    /// Starts a bundle for this key configuration.
    #[must_use]
    pub fn builder(key_configuration: impl Into<Vec<u8>>) -> Builder {
        Builder {
            entries: vec![(Label::KeyConfiguration, key_configuration.into())],
        }
    }

    /// The bytes of the bundle.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the bytes of the bundle, by which directories name it.
    #[must_use]
    pub fn hash(&self) -> Sha256Digest {
        Sha256Digest::of(&self.bytes)
    }

    /// The key configuration the evidence claims to be about.
    #[must_use]
    pub fn key_configuration(&self) -> &[u8] {
        self.entry(Label::KeyConfiguration).unwrap_or_default()
    }

    /// The log checkpoint the evidence claims to be newer than.
    #[must_use]
    pub fn checkpoint(&self) -> Option<&[u8]> {
        self.entry(Label::Checkpoint)
    }

    /// Evidence of the graphics processors the node uses.
    #[must_use]
    pub fn gpu_evidence(&self) -> Option<&[u8]> {
        self.entry(Label::GpuEvidence)
    }

    /// Reference manifests and revocation answers for the graphics processors.
    #[must_use]
    pub fn gpu_collateral(&self) -> Option<&[u8]> {
        self.entry(Label::GpuCollateral)
    }

    /// Proof that the log holds the node's release.
    #[must_use]
    pub fn release_proof(&self) -> Option<&[u8]> {
        self.entry(Label::TlogProofRelease)
    }

    /// Proof that the log holds the roster of admitted machines.
    #[must_use]
    pub fn machine_proof(&self) -> Option<&[u8]> {
        self.entry(Label::TlogProofMachine)
    }

    /// The record of the node's machine in that roster, with its proof.
    #[must_use]
    pub fn machine_record(&self) -> Option<&[u8]> {
        self.entry(Label::MachineRecord)
    }

    /// The quote of a TPM.
    #[must_use]
    pub fn tpm_evidence(&self) -> Option<&[u8]> {
        self.entry(Label::TpmEvidence)
    }

    /// What the firmware says was measured into the TPM.
    #[must_use]
    pub fn tpm_event_log(&self) -> Option<&[u8]> {
        self.entry(Label::TpmEventLog)
    }

    /// The evidence of the node's platform, with its collateral.
    #[must_use]
    pub fn platform_evidence(&self) -> PlatformEvidence<'_> {
        if let Some(evidence) = self.azure() {
            return PlatformEvidence::Azure(evidence);
        }
        if let Some(evidence) = self.snp() {
            return PlatformEvidence::SevSnp(evidence);
        }
        if let (Some(quote), Some(collateral)) = (
            self.entry(Label::TdxQuote),
            self.entry(Label::TdxCollateral),
        ) {
            return PlatformEvidence::IntelTdx(TdxEvidence {
                quote,
                collateral,
                event_log: self.entry(Label::TdxEventLog),
            });
        }
        // Reading made sure that there is one of them.
        match self.entry(Label::NitroDocument) {
            Some(document) => PlatformEvidence::AwsNitro(nitro::Evidence { document }),
            None => PlatformEvidence::Tpm,
        }
    }

    /// The SEV-SNP report with its collateral.
    #[must_use]
    pub fn snp(&self) -> Option<SnpEvidence<'_>> {
        let endorsement = self.snp_endorsement()?;
        Some(SnpEvidence {
            report: self.entry(Label::SnpReport)?,
            kind: endorsement.kind,
            leaf: endorsement.leaf,
            intermediate: endorsement.intermediate,
            root: endorsement.root,
            revocation_list: endorsement.revocation_list,
        })
    }

    fn snp_endorsement(&self) -> Option<SnpEndorsement<'_>> {
        let (kind, leaf, intermediate) = if let Some(vlek) = self.entry(Label::SnpVlek) {
            (KeyKind::Vlek, vlek, self.entry(Label::SnpAsvk)?)
        } else {
            (
                KeyKind::Vcek,
                self.entry(Label::SnpVcek)?,
                self.entry(Label::SnpAsk)?,
            )
        };
        Some(SnpEndorsement {
            kind,
            leaf,
            intermediate,
            root: self.entry(Label::SnpArk)?,
            revocation_list: self.entry(Label::SnpCrl),
        })
    }

    fn azure(&self) -> Option<AzureEvidence<'_>> {
        let tdx = self
            .entry(Label::TdxQuote)
            .zip(self.entry(Label::TdxCollateral));
        Some(AzureEvidence {
            report: self.entry(Label::AzureReport)?,
            hardware: match tdx {
                Some((quote, collateral)) => AzureHardware::Tdx { quote, collateral },
                None => AzureHardware::Snp(self.snp_endorsement()?),
            },
        })
    }

    fn entry(&self, label: Label) -> Option<&[u8]> {
        find(&self.entries, label)
    }

    fn check_complete(entries: &[(Label, Vec<u8>)]) -> Result<(), BundleError> {
        let has = |label| find(entries, label).is_some();
        if !has(Label::KeyConfiguration) {
            return Err(BundleError::Missing {
                label: Label::KeyConfiguration,
            });
        }
        let mut hardware = entries
            .iter()
            .filter_map(|(label, _)| Some((*label, label.hardware()?)));
        let (first, platform) = match hardware.next() {
            Some(found) => found,
            None if has(Label::TpmEvidence) && !has(Label::AzureReport) => {
                (Label::TpmEvidence, Platform::Tpm)
            }
            None => return Err(BundleError::NoPlatformEvidence),
        };
        if let Some((label, _)) = hardware.find(|(_, other)| *other != platform) {
            return Err(BundleError::Conflict { label, with: first });
        }
        for (part, of) in [
            (Label::GpuCollateral, Label::GpuEvidence),
            (Label::TpmEventLog, Label::TpmEvidence),
            (Label::AzureReport, Label::TpmEvidence),
        ] {
            if has(part) && !has(of) {
                return Err(BundleError::Missing { label: of });
            }
        }
        // The paravisor's report holds the processor's, and a log of its registers.
        let conflicts: &[_] = match platform {
            Platform::AwsNitro => &[Label::AzureReport, Label::TpmEvidence],
            _ if has(Label::AzureReport) => &[Label::SnpReport, Label::TdxEventLog],
            _ => &[],
        };
        if let Some(&label) = conflicts.iter().find(|&&label| has(label)) {
            return Err(BundleError::Conflict { label, with: first });
        }
        match platform {
            Platform::IntelTdx => Self::check_tdx(entries),
            Platform::SevSnp => Self::check_snp(entries),
            _ => Ok(()),
        }
    }

    fn check_tdx(entries: &[(Label, Vec<u8>)]) -> Result<(), BundleError> {
        for label in [Label::TdxQuote, Label::TdxCollateral] {
            if find(entries, label).is_none() {
                return Err(BundleError::Missing { label });
            }
        }
        Ok(())
    }

    fn check_snp(entries: &[(Label, Vec<u8>)]) -> Result<(), BundleError> {
        let has = |label| find(entries, label).is_some();
        let (leaf, intermediate, strangers) = if has(Label::SnpVlek) {
            (
                Label::SnpVlek,
                Label::SnpAsvk,
                [Label::SnpVcek, Label::SnpAsk],
            )
        } else {
            (
                Label::SnpVcek,
                Label::SnpAsk,
                [Label::SnpVlek, Label::SnpAsvk],
            )
        };
        for label in [Label::SnpReport, leaf, intermediate, Label::SnpArk] {
            let is_inside = label == Label::SnpReport && has(Label::AzureReport);
            if !has(label) && !is_inside {
                return Err(BundleError::Missing { label });
            }
        }
        for label in strangers {
            if has(label) {
                return Err(BundleError::Conflict { label, with: leaf });
            }
        }
        Ok(())
    }
}

/// Shows sizes, not contents: a bundle is long and says nothing to a reader.
impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.entries
                    .iter()
                    .map(|(label, value)| (label, value.len())),
            )
            .finish()
    }
}

/// The evidence of one platform, unverified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PlatformEvidence<'a> {
    /// The report of an Azure confidential VM's paravisor; the quote of its virtual
    /// TPM is [`Bundle::tpm_evidence`].
    Azure(AzureEvidence<'a>),
    /// An AWS Nitro attestation document.
    AwsNitro(nitro::Evidence<'a>),
    /// An Intel TDX quote with its collateral.
    IntelTdx(TdxEvidence<'a>),
    /// An AMD SEV-SNP report with its collateral.
    SevSnp(SnpEvidence<'a>),
    /// A TPM alone; its quote is [`Bundle::tpm_evidence`].
    Tpm,
}

/// An Intel TDX quote and what is needed to verify it, all unverified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct TdxEvidence<'a> {
    /// The quote, with the platform's certificates and nothing behind it.
    pub quote: &'a [u8],
    /// What Intel says about the platform: JSON, [`crate::dcap::CollateralFile`].
    pub collateral: &'a [u8],
    /// The log that the CCEL table of ACPI points to.
    pub event_log: Option<&'a [u8]>,
}

/// The report of an Azure confidential VM's paravisor, and what endorses the hardware
/// behind it, all unverified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers make it; a field more is a new format"
)]
pub struct AzureEvidence<'a> {
    /// The report, from the virtual TPM's storage.
    pub report: &'a [u8],
    /// What endorses the hardware.
    pub hardware: AzureHardware<'a>,
}

/// What endorses the hardware behind a paravisor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AzureHardware<'a> {
    /// The certificates of an SEV-SNP processor, whose report is in the paravisor's.
    Snp(SnpEndorsement<'a>),
    /// A TDX quote made of the paravisor's report.
    Tdx {
        /// The quote; zeros may be behind it.
        quote: &'a [u8],
        /// What Intel says about the platform: JSON, [`crate::dcap::CollateralFile`].
        collateral: &'a [u8],
    },
}

impl PlatformEvidence<'_> {
    /// Which platform.
    #[must_use]
    pub const fn platform(&self) -> Platform {
        match self {
            Self::Azure(evidence) => match evidence.hardware {
                AzureHardware::Snp(_) => Platform::AzureSevSnp,
                AzureHardware::Tdx { .. } => Platform::AzureIntelTdx,
            },
            Self::AwsNitro(_) => Platform::AwsNitro,
            Self::IntelTdx(_) => Platform::IntelTdx,
            Self::SevSnp(_) => Platform::SevSnp,
            Self::Tpm => Platform::Tpm,
        }
    }
}

/// Collects the parts of a [`Bundle`].
#[derive(Clone, Debug)]
pub struct Builder {
    entries: Vec<(Label, Vec<u8>)>,
}

impl Builder {
    /// Adds SEV-SNP evidence.
    #[must_use]
    pub fn snp(self, evidence: SnpEvidence<'_>) -> Self {
        self.with(Label::SnpReport, evidence.report)
            .snp_endorsement(&SnpEndorsement {
                kind: evidence.kind,
                leaf: evidence.leaf,
                intermediate: evidence.intermediate,
                root: evidence.root,
                revocation_list: evidence.revocation_list,
            })
    }

    fn snp_endorsement(self, endorsement: &SnpEndorsement<'_>) -> Self {
        let (leaf, intermediate) = match endorsement.kind {
            KeyKind::Vcek => (Label::SnpVcek, Label::SnpAsk),
            KeyKind::Vlek => (Label::SnpVlek, Label::SnpAsvk),
        };
        let builder = self
            .with(leaf, endorsement.leaf)
            .with(intermediate, endorsement.intermediate)
            .with(Label::SnpArk, endorsement.root);
        match endorsement.revocation_list {
            Some(list) => builder.with(Label::SnpCrl, list),
            None => builder,
        }
    }

    /// Adds the log checkpoint that the report is bound to.
    #[must_use]
    pub fn checkpoint(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.with(Label::Checkpoint, bytes)
    }

    /// Adds an Intel TDX quote and its collateral.
    #[must_use]
    pub fn tdx(self, evidence: TdxEvidence<'_>) -> Self {
        let builder = self
            .with(Label::TdxQuote, evidence.quote)
            .with(Label::TdxCollateral, evidence.collateral);
        match evidence.event_log {
            Some(log) => builder.with(Label::TdxEventLog, log),
            None => builder,
        }
    }

    /// Adds an AWS Nitro attestation document.
    #[must_use]
    pub fn nitro(self, evidence: nitro::Evidence<'_>) -> Self {
        self.with(Label::NitroDocument, evidence.document)
    }

    /// Adds the report of an Azure confidential VM's paravisor.
    #[must_use]
    pub fn azure(self, evidence: AzureEvidence<'_>) -> Self {
        let builder = self.with(Label::AzureReport, evidence.report);
        match evidence.hardware {
            AzureHardware::Snp(endorsement) => builder.snp_endorsement(&endorsement),
            AzureHardware::Tdx { quote, collateral } => builder
                .with(Label::TdxQuote, quote)
                .with(Label::TdxCollateral, collateral),
        }
    }

    /// Adds the quote of a TPM, [`tpm::Quote::encode`].
    #[must_use]
    pub fn tpm_evidence(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.with(Label::TpmEvidence, bytes)
    }

    /// Adds what the firmware says was measured into the TPM.
    #[must_use]
    pub fn tpm_event_log(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.with(Label::TpmEventLog, bytes)
    }

    /// Adds the GPU evidence that the report is bound to.
    #[must_use]
    pub fn gpu_evidence(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.with(Label::GpuEvidence, bytes)
    }

    /// Adds what is needed to verify the GPU evidence; nothing is bound to it.
    #[must_use]
    pub fn gpu_collateral(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.with(Label::GpuCollateral, bytes)
    }

    /// Adds a proof that the log holds the release.
    #[must_use]
    pub fn release_proof(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.with(Label::TlogProofRelease, bytes)
    }

    /// Adds a proof that the log holds the roster of admitted machines.
    #[must_use]
    pub fn machine_proof(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.with(Label::TlogProofMachine, bytes)
    }

    /// Adds the record of the machine in that roster, with its proof.
    #[must_use]
    pub fn machine_record(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.with(Label::MachineRecord, bytes)
    }

    /// Encodes the bundle.
    ///
    /// # Errors
    ///
    /// [`BundleError`], for example when no platform evidence was added or a part
    /// was added twice.
    pub fn build(mut self) -> Result<Bundle, BundleError> {
        self.entries.sort_by_key(|(label, _)| label.sort_key());
        Bundle::parse(&wire::encode(&self.entries)?)
    }

    pub(crate) fn with(mut self, label: Label, bytes: impl Into<Vec<u8>>) -> Self {
        self.entries.push((label, bytes.into()));
        self
    }
}

/// Why bytes were refused as an evidence bundle.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The bundle holds two parts that exclude each other.
    #[error("evidence bundle holds both {label} and {with}")]
    Conflict {
        /// The part that should not be there.
        label: Label,
        /// The part that excludes it.
        with: Label,
    },

    /// A label occurs twice.
    #[error("evidence bundle holds {label} twice")]
    Duplicate {
        /// The repeated label.
        label: Label,
    },

    /// A part is empty or longer than it may be.
    #[error("{label} in the evidence bundle is {got} bytes long, allowed are 1 to {}", label.max_len())]
    EntryLength {
        /// Which part.
        label: Label,
        /// Its length, in bytes.
        got: usize,
    },

    /// The bytes are not a CBOR map of the right shape.
    #[error("not an evidence bundle: bad structure near byte {at}")]
    Format {
        /// Roughly where reading stopped.
        at: usize,
    },

    /// A part has the wrong media type.
    #[error("{label} in the evidence bundle has the wrong media type, expected {}", label.media_type())]
    MediaType {
        /// Which part.
        label: Label,
    },

    /// A part that must be there is not.
    #[error("evidence bundle lacks {label}")]
    Missing {
        /// Which part.
        label: Label,
    },

    /// The bundle holds no evidence of any platform.
    #[error("evidence bundle holds no platform evidence")]
    NoPlatformEvidence,

    /// The content is right but not encoded in the one way that is allowed.
    #[error("evidence bundle is not in deterministic encoding")]
    NotDeterministic,

    /// The input is longer than [`Bundle::MAX_LEN`].
    #[error(
        "evidence bundle is {got} bytes long, at most {} are read",
        Bundle::MAX_LEN
    )]
    TooLong {
        /// Length of the input, in bytes.
        got: usize,
    },

    /// The map has more entries than there are labels.
    #[error("evidence bundle has {got} entries, at most {expected} are possible")]
    TooManyEntries {
        /// Most entries there can be.
        expected: usize,
        /// Entries announced.
        got: u64,
    },

    /// A label is not known, and no platform's either.
    #[error("evidence bundle holds the unknown label {label:?}")]
    UnknownLabel {
        /// The label, cut to 64 characters.
        label: String,
    },

    /// A label belongs to a platform that this version cannot verify.
    #[error("evidence bundle holds evidence of a platform this version cannot verify: {label:?}")]
    UnsupportedPlatform {
        /// The label, cut to 64 characters.
        label: String,
    },

    /// The bundle says that it is of another kind or version.
    #[error("evidence bundle is of another type than {:?}", wire::COLLECTION_TYPE)]
    WrongType,
}

impl BundleError {
    /// The stable code of this refusal.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Missing { .. } | Self::NoPlatformEvidence => Code::EvidenceMissing,
            Self::UnsupportedPlatform { .. } => Code::UnsupportedPlatform,
            _ => Code::BundleMalformed,
        }
    }
}

fn find(entries: &[(Label, Vec<u8>)], wanted: Label) -> Option<&[u8]> {
    entries
        .iter()
        .find(|(label, _)| *label == wanted)
        .map(|(_, value)| value.as_slice())
}

#[cfg(test)]
mod tests;
