//! What the image measures, predicted from its files.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use subrosa_measure::snp::{Boot, Firmware, Guest, ProcessorSignature, Processors, Vmm};
use subrosa_measure::tdx::{PageOrder, Tdvf};
use subrosa_measure::uefi::{BootMethod, Stub, UnifiedKernel};
use subrosa_measure::{Register, Sha384Digest};

use crate::error::ImageError;

/// Values of a TPM's registers (SHA-256) after the image was started by QEMU as its
/// kernel, in hexadecimal.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TpmValues {
    /// What the firmware started.
    pub pcr4: String,
    /// Command line and initial RAM disk.
    pub pcr9: String,
    /// The sections of the image.
    pub pcr11: String,
    /// What the host may add: nothing.
    pub pcr12: String,
    /// Likewise.
    pub pcr13: String,
}

/// The registers of a TPM.
///
/// # Errors
///
/// [`ImageError::Measure`].
pub fn tpm(uki: &[u8], stub: Stub) -> Result<TpmValues, ImageError> {
    let uki = UnifiedKernel::parse(uki).map_err(unpredictable)?;
    let text = |register: Register| hex::encode(register.value());
    Ok(TpmValues {
        pcr4: text(uki.pcr4(BootMethod::Direct).map_err(unpredictable)?),
        pcr9: text(uki.pcr9(stub).map_err(unpredictable)?),
        pcr11: text(uki.pcr11(stub)),
        pcr12: ZERO.to_owned(),
        pcr13: ZERO.to_owned(),
    })
}

/// SEV-SNP launch digests with this firmware, started by QEMU: for each model of
/// processor and number of processors, of the image in one piece and of its parts.
///
/// # Errors
///
/// [`ImageError::Measure`], also for firmware that would start a kernel unmeasured.
pub fn snp(firmware: &[u8], uki: &[u8]) -> Result<Value, ImageError> {
    let parts = UnifiedKernel::parse(uki).map_err(unpredictable)?;
    let firmware = Firmware::parse(firmware).map_err(unpredictable)?;
    let whole = Boot::new(uki, &[], "");
    let split = Boot::new(parts.kernel(), parts.initrd(), parts.command_line());
    let mut digests = Vec::new();
    for model in MODELS {
        for count in COUNTS {
            let (Some(processors), Some(signature)) =
                (Processors::new(*count), ProcessorSignature::of_model(model))
            else {
                continue;
            };
            let digest = |boot: Boot| -> Result<Sha384Digest, ImageError> {
                let guest = Guest {
                    processors,
                    signature,
                    features: SEV_FEATURES,
                    vmm: Vmm::Qemu,
                    boot: Some(boot),
                };
                subrosa_measure::snp::launch_digest(&firmware, &guest).map_err(unpredictable)
            };
            digests.push(json!({
                "model": model,
                "processors": count,
                "sev_features": SEV_FEATURES,
                "unified": digest(whole)?.to_string(),
                "split": digest(split)?.to_string(),
            }));
        }
    }
    Ok(json!({ "vmm": "QEMU", "launch_digests": digests }))
}

/// What a TDX quote says: `MRTD` of the firmware in both orders of pages, and the
/// run-time registers that the image determines. `RTMR0` depends on the machine's
/// shape and is not predicted.
///
/// # Errors
///
/// [`ImageError::Measure`].
pub fn tdx(firmware: Option<&[u8]>, uki: &[u8], stub: Stub) -> Result<Value, ImageError> {
    let image = UnifiedKernel::parse(uki).map_err(unpredictable)?;
    let mut values = Map::new();
    if let Some(firmware) = firmware {
        let firmware = Tdvf::parse(firmware).map_err(unpredictable)?;
        for (name, order) in [
            ("mrtd_page_by_page", PageOrder::PageByPage),
            ("mrtd_section_by_section", PageOrder::SectionBySection),
        ] {
            values.insert(name.to_owned(), firmware.mrtd(order).to_string().into());
        }
    }
    let text = |register: Register| Value::from(hex::encode(register.value()));
    let first = image.rtmr1_direct().map_err(unpredictable)?;
    values.insert("rtmr1_direct".to_owned(), text(first));
    // A stub that measures for trust domains too adds what is not predicted.
    if let Ok(second) = image.rtmr2(stub) {
        values.insert("rtmr2".to_owned(), text(second));
    }
    Ok(values.into())
}

/// The whole file.
#[derive(Clone, Debug, Serialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is the format of measurement.json"
)]
pub struct Measurements {
    /// Version of the format.
    pub version: u32,
    /// SHA-256 of the configuration.
    pub configuration: String,
    /// The root: how it is opened.
    pub root: String,
    /// The kernel's command line.
    pub command_line: String,
    /// Registers of a TPM.
    pub tpm: TpmValues,
    /// Launch digests, where firmware for it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snp: Option<Value>,
    /// Values of a trust domain.
    pub tdx: Value,
    /// SHA-256 of the files that came out.
    pub outputs: BTreeMap<String, String>,
    /// SHA-256 of everything that went in.
    pub inputs: BTreeMap<String, String>,
}

impl Measurements {
    /// The file, the same for the same values.
    #[must_use]
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{text}\n")
    }
}

fn unpredictable(error: impl core::fmt::Display) -> ImageError {
    ImageError::Measure {
        reason: error.to_string(),
    }
}

/// SHA-256 register in which nothing was measured.
const ZERO: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Models that the default policy admits, by QEMU's names.
const MODELS: &[&str] = &["EPYC-Genoa", "EPYC-Turin"];
const COUNTS: &[u32] = &[1, 2, 4, 8, 16, 32];
/// `SNPActive` (AMD 24593, `SEV_FEATURES`).
const SEV_FEATURES: u64 = 1;

#[cfg(test)]
mod tests;
