//! What an Azure confidential VM shows.

use serde::Serialize;
use serde_json::{Value, json};

use super::hcl::HclReport;
use super::runtime::RuntimeData;
use crate::{snp, tpm};

/// What the parts say that are bound to one another. Without a verified hardware
/// report (`snp`) nobody vouches for any of it.
#[derive(Clone, Debug, Serialize)]
pub struct Claims {
    hcl: HclClaims,
    #[serde(rename = "runtime_claims")]
    runtime: Value,
    key_ids: Vec<String>,
    /// Verified SEV-SNP report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) snp: Option<snp::Claims>,
    /// What the virtual TPM's quote says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tpm: Option<tpm::Claims>,
}

#[derive(Clone, Debug, Serialize)]
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
    pub(super) fn new(report: &HclReport<'_>, runtime: &RuntimeData) -> Self {
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
            snp: None,
            tpm: None,
        }
    }

    /// The hardware's report, if it is SEV-SNP and was verified.
    #[must_use]
    pub fn snp(&self) -> Option<&snp::Claims> {
        self.snp.as_ref()
    }

    /// What the virtual TPM's quote says.
    #[must_use]
    pub fn tpm(&self) -> Option<&tpm::Claims> {
        self.tpm.as_ref()
    }
}
