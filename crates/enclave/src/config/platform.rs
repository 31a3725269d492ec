//! What attests the keys.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::engine::feature;
use super::{ConfigError, resolve};

/// What attests the keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum PlatformSettings {
    /// A root made on this machine; development builds only, protects nothing.
    Simulated(SimulatedSettings),
    /// AMD SEV-SNP.
    Snp(SnpSettings),
}

/// The simulated platform.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SimulatedSettings {
    /// The file that holds the secret of the simulated root.
    pub root_secret: PathBuf,
}

/// AMD SEV-SNP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SnpSettings {
    /// Folder in which the kernel makes reports.
    #[serde(default = "default_tsm")]
    pub tsm_folder: PathBuf,
    /// Certificates, where the host's certificate table does not have them.
    pub certificates: Option<CertificateFiles>,
    /// The root's revocation list (DER), passed on to devices.
    pub revocation_list: Option<PathBuf>,
}

/// Certificates in DER or PEM. One of `vcek` and `vlek` goes with `intermediate` and `root`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CertificateFiles {
    /// Certificate of the chip's key.
    pub vcek: Option<PathBuf>,
    /// Certificate of the key that the provider loaded, instead of `vcek`.
    pub vlek: Option<PathBuf>,
    /// ASK, or ASVK beside a `vlek`.
    pub intermediate: PathBuf,
    /// ARK.
    pub root: PathBuf,
}

impl PlatformSettings {
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        match self {
            Self::Simulated(simulated) => resolve(&mut simulated.root_secret, folder),
            Self::Snp(snp) => snp.resolve_paths(folder),
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Simulated(_) => feature(
                cfg!(feature = "development"),
                "platform.kind",
                "development",
            ),
            Self::Snp(snp) => snp.check(),
        }
    }
}

impl SnpSettings {
    fn resolve_paths(&mut self, folder: &Path) {
        resolve(&mut self.tsm_folder, folder);
        if let Some(list) = &mut self.revocation_list {
            resolve(list, folder);
        }
        if let Some(files) = &mut self.certificates {
            for path in [&mut files.vcek, &mut files.vlek].into_iter().flatten() {
                resolve(path, folder);
            }
            resolve(&mut files.intermediate, folder);
            resolve(&mut files.root, folder);
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        match &self.certificates {
            Some(files) if files.vcek.is_some() == files.vlek.is_some() => {
                Err(ConfigError::Conflict {
                    field: "platform.certificates",
                    reason: "give either `vcek` or `vlek`, and not both",
                })
            }
            _ => Ok(()),
        }
    }
}

fn default_tsm() -> PathBuf {
    PathBuf::from("/sys/kernel/config/tsm/report")
}
