//! What a verified quote says.

use serde::Serialize;

use crate::dcap::{PckClaims, TcbClaims, TdReport, VerifiedQuote};
use crate::identifiers::{Measurement, ReportData};

/// The fields of a quote whose signature is verified (TDX DCAP Quoting Library
/// API, appendix A), the platform, and the status of its firmware. Flags and
/// levels are written in hexadecimal, as they lie in the quote.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Claims {
    version: u16,
    att_key_type: u16,
    tee_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_type: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_size: Option<usize>,
    tee_tcb_svn: String,
    mr_seam: Measurement,
    mr_signer_seam: Measurement,
    seam_attributes: String,
    td_attributes: String,
    xfam: String,
    mr_td: Measurement,
    mr_config_id: Measurement,
    mr_owner: Measurement,
    mr_owner_config: Measurement,
    rt_mr0: Measurement,
    rt_mr1: Measurement,
    rt_mr2: Measurement,
    rt_mr3: Measurement,
    report_data: ReportData,
    #[serde(skip_serializing_if = "Option::is_none")]
    tee_tcb_svn2: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mr_service_td: Option<Measurement>,
    debug: bool,
    sept_ve_disable: bool,
    pck: PckClaims,
    #[serde(flatten)]
    tcb: Option<TcbClaims>,
}

impl Claims {
    pub(super) fn new(
        verified: &VerifiedQuote<'_>,
        report: &TdReport,
        tcb: Option<TcbClaims>,
    ) -> Self {
        let header = verified.quote.header;
        let attributes = u64::from_le_bytes(report.td_attributes);
        let [rt_mr0, rt_mr1, rt_mr2, rt_mr3] = report.rt_mr.map(Measurement::new);
        Self {
            version: header.version,
            att_key_type: header.key_type,
            tee_type: format!("{:#x}", header.tee_type),
            body_type: header.body_type,
            body_size: header.body_type.map(|_| header.body_len),
            tee_tcb_svn: hex::encode(report.tee_tcb_svn),
            mr_seam: Measurement::new(report.mr_seam),
            mr_signer_seam: Measurement::new(report.mr_signer_seam),
            seam_attributes: hex::encode(report.seam_attributes),
            td_attributes: hex::encode(report.td_attributes),
            xfam: hex::encode(report.xfam),
            mr_td: Measurement::new(report.mr_td),
            mr_config_id: Measurement::new(report.mr_config_id),
            mr_owner: Measurement::new(report.mr_owner),
            mr_owner_config: Measurement::new(report.mr_owner_config),
            rt_mr0,
            rt_mr1,
            rt_mr2,
            rt_mr3,
            report_data: ReportData::new(report.report_data),
            tee_tcb_svn2: report.td15.map(|td15| hex::encode(td15.tee_tcb_svn2)),
            mr_service_td: report.td15.map(|td15| Measurement::new(td15.mr_service_td)),
            debug: attributes & super::checks::DEBUG != 0,
            sept_ve_disable: attributes & super::checks::SEPT_VE_DISABLE != 0,
            pck: verified.pck.clone(),
            tcb,
        }
    }

    /// Digest of the trust domain as it was started (`MRTD`).
    #[must_use]
    pub fn measurement(&self) -> &Measurement {
        &self.mr_td
    }

    /// The run-time registers RTMR 0 to 3.
    #[must_use]
    pub fn registers(&self) -> [&Measurement; 4] {
        [&self.rt_mr0, &self.rt_mr1, &self.rt_mr2, &self.rt_mr3]
    }

    /// The 64 bytes the guest put into its quote.
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
