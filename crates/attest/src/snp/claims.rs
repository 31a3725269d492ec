//! What a verified report says.

use serde::Serialize;

use super::chain::VerifiedChain;
use super::checks::Levels;
use super::report::VerifiedReport;
use super::{Product, Tcb};
use crate::identifiers::{BlockId, ChipId, KeyDigest, Measurement, ReportData, Sha256Digest};

/// The fields of a report (AMD 56860, table "`ATTESTATION_REPORT` Structure")
/// whose signature is verified. Flags are written in hexadecimal.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Claims {
    pub(crate) version: u32,
    pub(crate) product: Product,
    pub(crate) cpuid_fam_mod_step: Option<String>,
    pub(crate) measurement: Measurement,
    pub(crate) report_data: ReportData,
    pub(crate) host_data: Sha256Digest,
    pub(crate) policy: String,
    pub(crate) platform_info: String,
    pub(crate) vmpl: u32,
    pub(crate) guest_svn: u32,
    pub(crate) family_id: BlockId,
    pub(crate) image_id: BlockId,
    pub(crate) id_key_digest: KeyDigest,
    pub(crate) author_key_digest: KeyDigest,
    pub(crate) report_id: Sha256Digest,
    pub(crate) report_id_ma: Sha256Digest,
    pub(crate) chip_id: ChipId,
    pub(crate) reported_tcb: Tcb,
    pub(crate) committed_tcb: Tcb,
    pub(crate) current_tcb: Tcb,
    pub(crate) launch_tcb: Tcb,
    pub(crate) current_version: String,
    pub(crate) committed_version: String,
    /// Whether the certificate names the chip; a VLEK is for many.
    #[serde(skip)]
    pub(crate) names_chip: bool,
}

impl Claims {
    pub(super) fn new(report: &VerifiedReport, chain: &VerifiedChain, levels: &Levels) -> Self {
        Self {
            version: report.version,
            product: chain.product(),
            cpuid_fam_mod_step: report
                .cpuid
                .map(|cpuid| hex::encode([cpuid.family, cpuid.model, cpuid.stepping])),
            measurement: report.measurement,
            report_data: report.report_data,
            host_data: report.host_data,
            policy: format!("{:#x}", report.policy.0),
            platform_info: format!("{:#x}", report.platform_info.0),
            vmpl: report.vmpl,
            guest_svn: report.guest_svn,
            family_id: report.family_id,
            image_id: report.image_id,
            id_key_digest: report.id_key_digest,
            author_key_digest: report.author_key_digest,
            report_id: report.report_id,
            report_id_ma: Sha256Digest::new(report.migration_agent),
            chip_id: report.chip_id,
            reported_tcb: levels.reported,
            committed_tcb: levels.committed,
            current_tcb: levels.current,
            launch_tcb: levels.launch,
            current_version: report.current_firmware.to_string(),
            committed_version: report.committed_firmware.to_string(),
            names_chip: chain.chip_id().is_some(),
        }
    }

    /// Digest of the program that was started.
    #[must_use]
    pub fn measurement(&self) -> &Measurement {
        &self.measurement
    }

    /// The 64 bytes the guest put into its report.
    #[must_use]
    pub fn report_data(&self) -> &ReportData {
        &self.report_data
    }

    /// The 32 bytes the host put into the report.
    #[must_use]
    pub fn host_data(&self) -> &Sha256Digest {
        &self.host_data
    }

    /// Processor generation.
    #[must_use]
    pub fn product(&self) -> Product {
        self.product
    }
}
