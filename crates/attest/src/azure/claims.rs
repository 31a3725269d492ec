//! What an Azure confidential VM shows.

use serde::Serialize;
use serde_json::{Value, json};

use super::checks::{Verified, quoted_report_data};
use super::hcl::{HclReport, ReportKind};
use super::runtime::RuntimeData;
use super::{Evidence, Hardware};
use crate::identifiers::Measurement;
use crate::{snp, tdx, tpm};

/// What the parts say that are bound to one another. Without a verified hardware
/// report (`snp` or `tdx`) nobody vouches for any of it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Claims {
    hcl: HclClaims,
    #[serde(rename = "runtime_claims")]
    runtime: Value,
    key_ids: Vec<String>,
    /// Verified SEV-SNP report.
    #[serde(skip_serializing_if = "Option::is_none")]
    snp: Option<snp::Claims>,
    /// Verified TDX quote.
    #[serde(skip_serializing_if = "Option::is_none")]
    tdx: Option<tdx::Claims>,
    /// Report data of the TDREPORT.
    #[serde(skip_serializing_if = "Option::is_none")]
    tdreport_reportdata: Option<String>,
    /// Report data of the TDX quote.
    #[serde(skip_serializing_if = "Option::is_none")]
    td_quote_report_data: Option<String>,
    /// What the virtual TPM's quote says.
    #[serde(skip_serializing_if = "Option::is_none")]
    tpm: Option<tpm::Claims>,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
struct HclClaims {
    version: u32,
    report_size: u32,
    request_type: u32,
    data_size: u32,
    data_version: u32,
    report_type: &'static str,
    hash_type: &'static str,
    var_len: usize,
}

impl Claims {
    pub(super) fn new(
        evidence: &Evidence<'_>,
        report: &HclReport<'_>,
        runtime: &RuntimeData,
        verified: Option<Verified>,
        tpm: Option<tpm::Claims>,
    ) -> Self {
        let (snp, tdx) = match verified {
            Some(Verified::Snp(claims)) => (Some(*claims), None),
            Some(Verified::Tdx(claims)) => (None, Some(*claims)),
            None => (None, None),
        };
        let is_tdx = report.kind == ReportKind::Tdx;
        let quoted = match &evidence.hardware {
            Some(Hardware::Tdx(endorsement)) => quoted_report_data(endorsement),
            _ => None,
        };
        let mut runtime_claims = json!({ "vm-configuration": runtime.vm_configuration });
        if let (Some(data), Some(claims)) = (runtime.user_data, runtime_claims.as_object_mut()) {
            claims.insert("user-data".to_owned(), hex::encode(data).into());
        }
        Self {
            hcl: HclClaims {
                version: report.version,
                report_size: report.report_size,
                request_type: report.request_type,
                data_size: report.data_size,
                data_version: report.data_version,
                report_type: report.kind.as_str(),
                hash_type: "sha256",
                var_len: report.runtime_data().len(),
            },
            runtime: runtime_claims,
            key_ids: runtime.key_ids.clone(),
            snp,
            tdx,
            tdreport_reportdata: is_tdx.then(|| hex::encode(report.claimed_report_data())),
            td_quote_report_data: quoted.map(hex::encode),
            tpm,
        }
    }

    /// The hardware's report, if it is SEV-SNP and was verified.
    #[must_use]
    pub fn snp(&self) -> Option<&snp::Claims> {
        self.snp.as_ref()
    }

    /// The hardware's quote, if it is TDX and was verified.
    #[must_use]
    pub fn tdx(&self) -> Option<&tdx::Claims> {
        self.tdx.as_ref()
    }

    /// What the verified hardware started: the paravisor.
    #[must_use]
    pub fn measurement(&self) -> Option<&Measurement> {
        let snp = self.snp.as_ref().map(snp::Claims::measurement);
        snp.or_else(|| self.tdx.as_ref().map(tdx::Claims::measurement))
    }

    /// What the virtual TPM's quote says.
    #[must_use]
    pub fn tpm(&self) -> Option<&tpm::Claims> {
        self.tpm.as_ref()
    }
}
