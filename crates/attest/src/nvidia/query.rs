//! What an unverified report and its certificates say about the collateral they need.

use super::chain::{self, Chip, DeviceKind};
use super::opaque::{CHIP_SKU, DRIVER_VERSION, Opaque, PROJECT, PROJECT_SKU, VBIOS_VERSION};
use super::spdm::Report;
use crate::x509::pem;

/// What to ask NVIDIA's manifest service and OCSP responder for.
///
/// It comes from a report whose signature is **not** checked. It is good for choosing what to fetch, and for nothing else;
/// what is fetched is verified together with the report.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CollateralQuery {
    driver_manifest: Option<String>,
    firmware_manifest: String,
    certificates: Vec<Vec<u8>>,
}

impl CollateralQuery {
    /// Reads the query out of a device's report and its certificates (PEM).
    ///
    /// # Errors
    ///
    /// [`QueryError`].
    pub fn of_device(report: &[u8], certificates: &[u8]) -> Result<Self, QueryError> {
        let report = Report::parse(report).map_err(|_| QueryError::Report)?;
        let chain = chain::parse(certificates).map_err(|_| QueryError::Certificates)?;
        let [leaf, device, provisioner, ..] = chain.as_slice() else {
            return Err(QueryError::Certificates);
        };
        let chip = Chip::named_by(leaf, device, provisioner).ok_or(QueryError::Certificates)?;
        let kind = chip.architecture.kind();
        let opaque = report.unverified_opaque();
        let text = |field| opaque.text(field).unwrap_or_default();
        let version = kind.firmware_version(opaque).unwrap_or_default();
        let board = match kind {
            DeviceKind::Gpu => [PROJECT, PROJECT_SKU, CHIP_SKU].map(text),
            DeviceKind::Switch => SWITCH_BOARD,
        };
        let driver_manifest = match kind {
            DeviceKind::Switch => None,
            DeviceKind::Gpu => Some(
                driver_manifest_id(&chip.name, text(DRIVER_VERSION))
                    .ok_or(QueryError::Identifier)?,
            ),
        };
        Ok(Self {
            driver_manifest,
            firmware_manifest: firmware_manifest_id(kind, board, &version)
                .ok_or(QueryError::Identifier)?,
            certificates: pem::certificates(certificates, chain.len())
                .ok_or(QueryError::Certificates)?,
        })
    }

    /// Identifier of the manifest for the driver; a switch has none.
    #[must_use]
    pub fn driver_manifest(&self) -> Option<&str> {
        self.driver_manifest.as_deref()
    }

    /// Identifier of the manifest for the VBIOS or the switch's firmware.
    #[must_use]
    pub fn firmware_manifest(&self) -> &str {
        &self.firmware_manifest
    }

    /// The certificates (DER), leaf first.
    #[must_use]
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }
}

impl DeviceKind {
    /// GPUs write the version of their VBIOS as numbers, switches as text.
    pub(super) fn firmware_version(self, opaque: &Opaque) -> Option<String> {
        match self {
            Self::Gpu => opaque.gpu_vbios_version(),
            Self::Switch => opaque.text(VBIOS_VERSION).map(ToOwned::to_owned),
        }
    }
}

/// NVIDIA's identifier of the manifest for a GPU's driver. `None` if a part is missing, or has characters that no
/// identifier has.
pub(super) fn driver_manifest_id(chip: &str, version: &str) -> Option<String> {
    are_parts(&[chip, version]).then(|| format!("NV_GPU_DRIVER_{chip}_{version}"))
}

/// NVIDIA's identifier of the manifest for a VBIOS or a switch's firmware, for the board's project, its variant and that
/// of the chip.
pub(super) fn firmware_manifest_id(
    kind: DeviceKind,
    board: [&str; 3],
    version: &str,
) -> Option<String> {
    let [project, project_sku, chip_sku] = board;
    let prefix = match kind {
        DeviceKind::Gpu => "NV_GPU_VBIOS",
        DeviceKind::Switch => "NV_SWITCH_BIOS",
    };
    are_parts(&[project, project_sku, chip_sku, version]).then(|| {
        let version = version.replace('.', "");
        format!("{prefix}_{project}_{project_sku}_{chip_sku}_{version}").to_ascii_uppercase()
    })
}

/// A switch does not report its board; there is one (nvtrust, `nv_switch_verifier/config.py`: `PROJECT`, `PROJECT_SKU`,
/// `CHIP_SKU`).
const SWITCH_BOARD: [&str; 3] = ["5612", "0002", "890"];

/// Whether all are of letters, digits, dots and dashes: they become a part of an address.
fn are_parts(parts: &[&str]) -> bool {
    parts.iter().all(|part| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
    })
}

/// Why a device's evidence does not say what collateral it needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The certificates are not a device's five.
    #[error("not the five certificates of an NVIDIA device")]
    Certificates,

    /// The report lacks a version or a part number, or they are not of the usual form.
    #[error("the report does not name its driver and firmware")]
    Identifier,

    /// The bytes are not a device's report.
    #[error("not the measurement report of an NVIDIA device")]
    Report,
}

#[cfg(test)]
mod tests;
