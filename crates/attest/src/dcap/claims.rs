//! What quote, certificates and collateral say.

use serde::{Serialize, Serializer};

use super::TcbStatus;
use super::pck::Platform;
use super::tcb_info::LevelVerdict;
use crate::time::UnixSeconds;
use crate::x509::Certificate;

/// The platform, as its PCK certificate names it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PckClaims {
    pub(crate) fmspc: String,
    pub(crate) pceid: String,
    pub(crate) ppid: String,
    pub(crate) cpusvn: String,
    pub(crate) pcesvn: u16,
    pub(crate) ca: String,
    #[serde(serialize_with = "as_text")]
    pub(crate) not_before: UnixSeconds,
    #[serde(serialize_with = "as_text")]
    pub(crate) not_after: UnixSeconds,
    pub(crate) serial: String,
}

impl PckClaims {
    pub(super) fn new(certificate: &Certificate, platform: &Platform, ca: String) -> Self {
        let serial = hex::encode(certificate.serial());
        Self {
            fmspc: hex::encode_upper(platform.fmspc),
            pceid: hex::encode(platform.pce_id),
            ppid: hex::encode(platform.ppid),
            cpusvn: hex::encode(platform.cpu_svn),
            pcesvn: platform.pce_svn,
            ca,
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            serial: format!("0x{}", serial.trim_start_matches('0')),
        }
    }

    /// Kind of platform: family, model, stepping, platform type and custom SKU,
    /// in hexadecimal.
    #[must_use]
    pub fn fmspc(&self) -> &str {
        &self.fmspc
    }

    /// Identifier of the platform, encrypted to nobody, in hexadecimal.
    #[must_use]
    pub fn ppid(&self) -> &str {
        &self.ppid
    }
}

/// How good the firmware is, by Intel's collateral.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct TcbClaims {
    pub(crate) tcb_status: TcbStatus,
    pub(crate) platform_tcb_status: TcbStatus,
    pub(crate) qe_tcb_status: TcbStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tdx_module_status: Option<TcbStatus>,
    #[serde(serialize_with = "as_text")]
    pub(crate) tcb_date: UnixSeconds,
    pub(crate) advisory_ids: Vec<String>,
    pub(crate) tcb_eval_data_number: u32,
}

impl TcbClaims {
    pub(super) fn new(
        platform: &LevelVerdict,
        enclave: &LevelVerdict,
        module: Option<&LevelVerdict>,
        evaluation_number: u32,
    ) -> Self {
        let parts = [Some(platform), Some(enclave), module];
        let mut advisory_ids: Vec<String> = Vec::new();
        for part in parts.into_iter().flatten() {
            advisory_ids.extend(part.advisories.iter().cloned());
        }
        advisory_ids.sort();
        advisory_ids.dedup();
        Self {
            tcb_status: parts
                .into_iter()
                .flatten()
                .fold(TcbStatus::UpToDate, |status, part| status.with(part.status)),
            platform_tcb_status: platform.status,
            qe_tcb_status: enclave.status,
            tdx_module_status: module.map(|module| module.status),
            tcb_date: platform.date,
            advisory_ids,
            tcb_eval_data_number: evaluation_number,
        }
    }

    /// The status of platform, quoting enclave and TDX module together.
    #[must_use]
    pub fn status(&self) -> TcbStatus {
        self.tcb_status
    }

    /// The advisories that concern the levels found.
    #[must_use]
    pub fn advisories(&self) -> &[String] {
        &self.advisory_ids
    }

    /// `tcbEvaluationDataNumber` of the collateral.
    #[must_use]
    pub fn evaluation_number(&self) -> u32 {
        self.tcb_eval_data_number
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for; whether it is trivial depends on the target"
)]
fn as_text<S: Serializer>(time: &UnixSeconds, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}
