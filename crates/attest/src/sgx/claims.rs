//! What a verified quote says.

use serde::Serialize;

use crate::dcap::{EnclaveReport, PckClaims, TcbClaims, VerifiedQuote};
use crate::identifiers::{BlockId, ReportData, Sha256Digest};

/// The fields of a quote whose signature is verified (Intel SDM volume 3D, table
/// "Layout of REPORT"), the platform, and the status of its firmware. Flags and
/// levels are written in hexadecimal, as they lie in the quote.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Claims {
    version: u16,
    att_key_type: u16,
    tee_type: String,
    cpu_svn: String,
    misc_select: String,
    attributes: String,
    mr_enclave: Sha256Digest,
    mr_signer: Sha256Digest,
    isv_prod_id: u16,
    isv_svn: u16,
    isv_ext_prod_id: BlockId,
    isv_family_id: BlockId,
    config_id: ReportData,
    config_svn: u16,
    report_data: ReportData,
    debug: bool,
    pck: PckClaims,
    #[serde(flatten)]
    tcb: Option<TcbClaims>,
}

impl Claims {
    pub(super) fn new(
        verified: &VerifiedQuote<'_>,
        report: &EnclaveReport,
        tcb: Option<TcbClaims>,
    ) -> Self {
        let header = verified.quote.header;
        Self {
            version: header.version,
            att_key_type: header.key_type,
            tee_type: format!("{:#x}", header.tee_type),
            cpu_svn: hex::encode(report.cpu_svn),
            misc_select: hex::encode(report.misc_select),
            attributes: hex::encode(report.attributes),
            mr_enclave: Sha256Digest::new(report.mr_enclave),
            mr_signer: Sha256Digest::new(report.mr_signer),
            isv_prod_id: report.isv_prod_id,
            isv_svn: report.isv_svn,
            isv_ext_prod_id: BlockId::new(report.isv_ext_prod_id),
            isv_family_id: BlockId::new(report.isv_family_id),
            config_id: ReportData::new(report.config_id),
            config_svn: report.config_svn,
            report_data: ReportData::new(report.report_data),
            debug: super::checks::flags(report) & super::checks::DEBUG != 0,
            pck: verified.pck.clone(),
            tcb,
        }
    }

    /// Digest of the enclave (`MRENCLAVE`).
    #[must_use]
    pub fn measurement(&self) -> &Sha256Digest {
        &self.mr_enclave
    }

    /// Digest of the key that signed the enclave (`MRSIGNER`).
    #[must_use]
    pub fn signer(&self) -> &Sha256Digest {
        &self.mr_signer
    }

    /// The 64 bytes the enclave put into its quote.
    #[must_use]
    pub fn report_data(&self) -> &ReportData {
        &self.report_data
    }

    /// The platform.
    #[must_use]
    pub fn platform(&self) -> &PckClaims {
        &self.pck
    }

    /// How good the firmware is; `None` if the collateral does not say.
    #[must_use]
    pub fn tcb(&self) -> Option<&TcbClaims> {
        self.tcb.as_ref()
    }
}
