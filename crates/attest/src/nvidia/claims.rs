//! What verified devices say about themselves.

use std::collections::BTreeMap;

use serde::Serialize;

use super::chain::{DeviceChain, DeviceKind};
use super::checks::SignedManifest;
use super::opaque::{
    BOARD_ID, CHIP_SKU, DRIVER_VERSION, FEATURE_FLAG, FIRMWARE_ID, NVDEC0_STATUS,
    OPAQUE_DATA_VERSION, PROJECT, PROJECT_SKU, PROTECTED_PCIE_STATUS, SWITCH_PDIS, VBIOS_VERSION,
};
use super::query;
use super::spdm::VerifiedReport;
use crate::time::UnixSeconds;
use crate::x509::Certificate;

/// What the devices of one piece of evidence say, and the manifests they were compared with.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Claims {
    /// The devices, in the order of the evidence.
    pub devices: Vec<DeviceClaims>,
    /// The verified manifests, in the order of the evidence.
    pub manifests: Vec<ManifestClaims>,
}

/// What one device says. Bytes are hexadecimal; what a device leaves out is empty.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DeviceClaims {
    /// Generation, by its certificates: `HOPPER`, `BLACKWELL` or `LS10`.
    pub arch: &'static str,
    /// Chip, by its certificates.
    pub chip: String,
    /// Version of the SPDM messages.
    pub spdm_version: &'static str,
    /// The requester's nonce.
    pub nonce: String,
    /// Number of measurement blocks.
    pub n_measurements: usize,
    /// Version of the driver's firmware on the GPU.
    pub driver_version: String,
    /// Version of the VBIOS, or of the switch's BIOS.
    pub vbios_version: String,
    /// The same, as it stands in the report.
    pub vbios_raw: String,
    /// Board design.
    pub project: String,
    /// Variant of the board design.
    pub project_sku: String,
    /// Variant of the chip.
    pub chip_sku: String,
    /// Board.
    pub board_id: String,
    /// State of the first video decoder: `aa` on, `55` off.
    pub nvdec0_status: String,
    /// Digest of the firmware that holds the attestation key, by the report.
    pub fwid: String,
    /// The same, by the certificate.
    pub leaf_fwid: String,
    /// Protected `PCIe`: `aa` on, `55` off.
    pub protected_pcie_status: String,
    /// How the GPU is given to the virtual machine.
    pub feature_flag: String,
    /// Version of the list of these fields.
    pub opaque_data_version: String,
    /// On a GPU the switches behind its links, on a switch its own identifier.
    pub switch_pdis: String,
    /// The measurements, by block number from 1.
    pub measurements: BTreeMap<u8, String>,
}

impl DeviceClaims {
    pub(super) fn new(report: &VerifiedReport, chain: &DeviceChain) -> Self {
        let opaque = &report.opaque;
        let text = |kind| opaque.text(kind).unwrap_or_default().to_owned();
        let bytes = |kind| hex::encode(opaque.get(kind).unwrap_or_default());
        Self {
            arch: chain.chip.architecture.as_str(),
            chip: chain.chip.name.clone(),
            spdm_version: "0x11",
            nonce: hex::encode(report.nonce),
            n_measurements: report.measurements.len(),
            driver_version: text(DRIVER_VERSION),
            vbios_version: firmware_version(report, chain).unwrap_or_default(),
            vbios_raw: bytes(VBIOS_VERSION),
            project: text(PROJECT),
            project_sku: text(PROJECT_SKU),
            chip_sku: text(CHIP_SKU),
            board_id: bytes(BOARD_ID),
            nvdec0_status: bytes(NVDEC0_STATUS),
            fwid: bytes(FIRMWARE_ID),
            leaf_fwid: chain.firmware_id.to_string(),
            protected_pcie_status: bytes(PROTECTED_PCIE_STATUS),
            feature_flag: bytes(FEATURE_FLAG),
            opaque_data_version: bytes(OPAQUE_DATA_VERSION),
            switch_pdis: bytes(SWITCH_PDIS),
            measurements: (1..=u8::MAX)
                .zip(report.measurements.iter().map(ToString::to_string))
                .collect(),
        }
    }

    /// NVIDIA's identifier of the manifest for the driver of a GPU.
    #[must_use]
    pub fn driver_manifest_id(&self) -> Option<String> {
        query::driver_manifest_id(&self.chip, &self.driver_version)
    }

    /// NVIDIA's identifier of the manifest for the VBIOS of a GPU.
    #[must_use]
    pub fn vbios_manifest_id(&self) -> Option<String> {
        let board = [&self.project, &self.project_sku, &self.chip_sku];
        query::firmware_manifest_id(
            DeviceKind::Gpu,
            board.map(String::as_str),
            &self.vbios_version,
        )
    }
}

/// What the certificates of a device say.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CertificateClaims {
    /// Generation: `HOPPER`, `BLACKWELL` or `LS10`.
    pub arch: &'static str,
    /// Chip.
    pub chip: String,
    /// Digest of the firmware that holds the attestation key.
    pub leaf_fwid: String,
}

impl CertificateClaims {
    pub(super) fn new(chain: &DeviceChain) -> Self {
        Self {
            arch: chain.chip.architecture.as_str(),
            chip: chain.chip.name.clone(),
            leaf_fwid: chain.firmware_id.to_string(),
        }
    }
}

/// GPUs write the version of their VBIOS as numbers, switches as text.
pub(super) fn firmware_version(report: &VerifiedReport, chain: &DeviceChain) -> Option<String> {
    chain
        .chip
        .architecture
        .kind()
        .firmware_version(&report.opaque)
}

/// What a verified manifest is for, and which of its measurements no device has.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ManifestClaims {
    /// Version of the driver or firmware.
    pub version: String,
    /// `GPU` or `SWITCH`.
    pub edition: String,
    /// Chip.
    pub product: String,
    /// First second at which the signer's certificate is valid.
    pub leaf_not_before: String,
    /// Last second at which it is.
    pub leaf_not_after: String,
    /// Number of active measurements.
    pub active_measurements: usize,
    /// Indices, from 0, at which a device of this version measured something else.
    pub mismatching_indices: Vec<u8>,
}

impl ManifestClaims {
    pub(super) fn new(manifest: &SignedManifest) -> Self {
        let content = &manifest.content;
        let leaf = manifest.certificates.first();
        let date = |date: Option<UnixSeconds>| date.map(|date| date.to_string());
        Self {
            version: content.version.clone(),
            edition: content.edition.clone(),
            product: content.product.clone(),
            leaf_not_before: date(leaf.map(Certificate::not_before)).unwrap_or_default(),
            leaf_not_after: date(leaf.map(Certificate::not_after)).unwrap_or_default(),
            active_measurements: content.golden.len(),
            mismatching_indices: Vec::new(),
        }
    }
}
