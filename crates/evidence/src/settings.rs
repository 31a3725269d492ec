//! What the operator says about the machine: the tables `[platform]` and `[gpus]`
//! of the enclave's configuration (`spec/configuration.md`).

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::CollectError;
use crate::machine::Collector;
use crate::{gramine, tpm, tsm};

/// What attests the keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum PlatformSettings {
    /// AMD SEV-SNP behind the paravisor of an Azure confidential VM.
    Azure(AzureSettings),
    /// Arm CCA.
    Cca(CcaSettings),
    /// AWS Nitro Enclaves.
    Nitro(NitroSettings),
    /// Intel SGX under Gramine.
    Sgx(SgxSettings),
    /// A root made on this machine; development builds only, protects nothing.
    Simulated(SimulatedSettings),
    /// AMD SEV-SNP.
    Snp(SnpSettings),
    /// Intel TDX.
    Tdx(TdxSettings),
    /// A TPM 2.0.
    Tpm(TpmSettings),
}

/// AMD SEV-SNP behind the paravisor of an Azure confidential VM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AzureSettings {
    /// The virtual TPM, through the kernel's resource manager.
    #[serde(default = "default_tpm")]
    pub device: PathBuf,
    /// The firmware's log; none where there is no such file.
    #[serde(default = "default_tpm_log")]
    pub event_log: PathBuf,
    /// The registers that are quoted, of the SHA-256 bank.
    #[serde(default = "default_registers")]
    pub registers: Vec<u8>,
    /// Handle of the attestation key that the paravisor names.
    #[serde(default = "default_azure_key")]
    pub key_handle: u32,
    /// Index in the virtual TPM's storage of the paravisor's report.
    #[serde(default = "default_azure_report")]
    pub report_index: u32,
    /// Certificates of the processor.
    pub certificates: Option<CertificateFiles>,
    /// The root's revocation list (DER), passed on to devices.
    pub revocation_list: Option<PathBuf>,
    /// Certificates and list in a file that `subrosa collateral` wrote.
    pub collateral: Option<PathBuf>,
}

/// Arm CCA.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CcaSettings {
    /// Folder in which the kernel makes reports.
    #[serde(default = "default_tsm")]
    pub tsm_folder: PathBuf,
}

/// AWS Nitro Enclaves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NitroSettings {
    /// The Nitro secure module.
    #[serde(default = "default_nsm")]
    pub device: PathBuf,
}

/// Intel SGX under Gramine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SgxSettings {
    /// Gramine's folder of attestation files.
    #[serde(default = "default_gramine")]
    pub folder: PathBuf,
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
    /// The virtual machine privilege level that reports are asked for.
    pub privilege_level: Option<u32>,
    /// Certificates, where the host's certificate table does not have them.
    pub certificates: Option<CertificateFiles>,
    /// The root's revocation list (DER), passed on to devices.
    pub revocation_list: Option<PathBuf>,
    /// Certificates and list in a file that `subrosa collateral` wrote.
    pub collateral: Option<PathBuf>,
}

/// Certificates in DER. One of `vcek` and `vlek` goes with `intermediate` and `root`.
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

/// Intel TDX.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TdxSettings {
    /// Folder in which the kernel makes quotes.
    #[serde(default = "default_tsm")]
    pub tsm_folder: PathBuf,
    /// What Intel says about the platform: a file that `subrosa collateral` wrote.
    pub collateral: PathBuf,
    /// The firmware's log; none where there is no such file.
    #[serde(default = "default_ccel")]
    pub event_log: PathBuf,
}

/// A TPM 2.0.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TpmSettings {
    /// The TPM, through the kernel's resource manager.
    #[serde(default = "default_tpm")]
    pub device: PathBuf,
    /// The firmware's log; none where there is no such file.
    #[serde(default = "default_tpm_log")]
    pub event_log: PathBuf,
    /// The registers that are quoted, of the SHA-256 bank.
    #[serde(default = "default_registers")]
    pub registers: Vec<u8>,
    /// Handle of an attestation key that is in the TPM; absent: one is made.
    pub key_handle: Option<u32>,
    /// Index in the TPM's storage of the template that the key is made by, if it is
    /// made.
    pub template_index: Option<u32>,
    /// Index in the TPM's storage of that key's certificate.
    pub certificate_index: Option<u32>,
    /// Certificates above that one (DER), passed on to devices.
    #[serde(default)]
    pub authorities: Vec<PathBuf>,
}

/// NVIDIA GPUs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GpuSettings {
    /// NVIDIA's management library.
    #[serde(default = "default_nvml")]
    pub library: PathBuf,
    /// Files that `subrosa collateral` wrote, one for each kind of device.
    #[serde(default)]
    pub collateral: Vec<PathBuf>,
}

impl PlatformSettings {
    /// Has relative paths start at `folder`.
    pub fn resolve_paths(&mut self, folder: &Path) {
        let resolve = |path: &mut PathBuf| resolve(path, folder);
        match self {
            Self::Azure(azure) => azure.paths().into_iter().for_each(resolve),
            Self::Cca(cca) => resolve(&mut cca.tsm_folder),
            Self::Nitro(nitro) => resolve(&mut nitro.device),
            Self::Sgx(sgx) => resolve(&mut sgx.folder),
            Self::Simulated(simulated) => resolve(&mut simulated.root_secret),
            Self::Snp(snp) => snp.paths().into_iter().for_each(resolve),
            Self::Tdx(tdx) => [&mut tdx.tsm_folder, &mut tdx.collateral, &mut tdx.event_log]
                .into_iter()
                .for_each(resolve),
            Self::Tpm(tpm) => tpm.paths().into_iter().for_each(resolve),
        }
    }
}

impl AzureSettings {
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let mut paths = vec![&mut self.device, &mut self.event_log];
        paths.extend(&mut self.revocation_list);
        paths.extend(&mut self.collateral);
        paths.extend(
            self.certificates
                .iter_mut()
                .flat_map(CertificateFiles::paths),
        );
        paths
    }

    /// The virtual TPM.
    pub(crate) fn tpm(&self) -> TpmSettings {
        TpmSettings {
            device: self.device.clone(),
            event_log: self.event_log.clone(),
            registers: self.registers.clone(),
            key_handle: Some(self.key_handle),
            template_index: None,
            certificate_index: None,
            authorities: Vec::new(),
        }
    }

    /// Where the processor's certificates are.
    pub(crate) fn snp(&self) -> SnpSettings {
        SnpSettings {
            tsm_folder: default_tsm(),
            privilege_level: None,
            certificates: self.certificates.clone(),
            revocation_list: self.revocation_list.clone(),
            collateral: self.collateral.clone(),
        }
    }
}

impl TpmSettings {
    /// Has relative paths start at `folder`.
    pub fn resolve_paths(&mut self, folder: &Path) {
        self.paths()
            .into_iter()
            .for_each(|path| resolve(path, folder));
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let mut paths = vec![&mut self.device, &mut self.event_log];
        paths.extend(&mut self.authorities);
        paths
    }
}

impl CertificateFiles {
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let mut paths = vec![&mut self.intermediate, &mut self.root];
        paths.extend(&mut self.vcek);
        paths.extend(&mut self.vlek);
        paths
    }
}

impl SnpSettings {
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let mut paths = vec![&mut self.tsm_folder];
        paths.extend(&mut self.revocation_list);
        paths.extend(&mut self.collateral);
        paths.extend(
            self.certificates
                .iter_mut()
                .flat_map(CertificateFiles::paths),
        );
        paths
    }
}

impl GpuSettings {
    /// Has relative paths start at `folder`. A library without a folder is looked
    /// for where the system keeps its libraries.
    pub fn resolve_paths(&mut self, folder: &Path) {
        if self.library.components().count() > 1 {
            resolve(&mut self.library, folder);
        }
        for path in &mut self.collateral {
            resolve(path, folder);
        }
    }
}

pub(crate) fn open_platform(
    settings: &PlatformSettings,
) -> Result<Box<dyn Collector>, CollectError> {
    Ok(match settings {
        PlatformSettings::Azure(azure) => Box::new(tpm::Azure::open(azure)?),
        PlatformSettings::Cca(cca) => Box::new(tsm::Cca::open(cca)?),
        #[cfg(feature = "nitro")]
        PlatformSettings::Nitro(nitro) => Box::new(crate::nitro::Nitro::open(nitro)?),
        PlatformSettings::Sgx(sgx) => Box::new(gramine::Sgx::open(sgx)?),
        #[cfg(feature = "development")]
        PlatformSettings::Simulated(simulated) => {
            Box::new(crate::simulated::Simulated::open(&simulated.root_secret)?)
        }
        PlatformSettings::Snp(snp) => Box::new(tsm::Snp::open(snp)?),
        PlatformSettings::Tdx(tdx) => Box::new(tsm::Tdx::open(tdx)?),
        PlatformSettings::Tpm(tpm) => Box::new(tpm::Tpm::open(tpm)?),
        #[cfg(not(feature = "nitro"))]
        PlatformSettings::Nitro(_) => return Err(not_built("nitro")),
        #[cfg(not(feature = "development"))]
        PlatformSettings::Simulated(_) => return Err(not_built("development")),
    })
}

#[cfg(feature = "nvidia")]
pub(crate) fn open_gpus(settings: &GpuSettings) -> Result<Box<dyn Collector>, CollectError> {
    Ok(Box::new(crate::nvidia::Nvidia::open(settings)?))
}

#[cfg(not(feature = "nvidia"))]
pub(crate) fn open_gpus(_settings: &GpuSettings) -> Result<Box<dyn Collector>, CollectError> {
    Err(not_built("nvidia"))
}

#[cfg(not(all(feature = "development", feature = "nitro", feature = "nvidia")))]
fn not_built(feature: &'static str) -> CollectError {
    CollectError::Refused {
        what: "this build",
        code: format!("it lacks the feature `{feature}`"),
        hint: "use a build that has it",
    }
}

fn resolve(path: &mut PathBuf, folder: &Path) {
    if path.is_relative() {
        *path = folder.join(&path);
    }
}

fn default_tsm() -> PathBuf {
    PathBuf::from("/sys/kernel/config/tsm/report")
}

fn default_nsm() -> PathBuf {
    PathBuf::from("/dev/nsm")
}

fn default_gramine() -> PathBuf {
    PathBuf::from("/dev/attestation")
}

fn default_ccel() -> PathBuf {
    PathBuf::from("/sys/firmware/acpi/tables/data/CCEL")
}

fn default_tpm() -> PathBuf {
    PathBuf::from("/dev/tpmrm0")
}

fn default_tpm_log() -> PathBuf {
    PathBuf::from("/sys/kernel/security/tpm0/binary_bios_measurements")
}

/// Where Azure's virtual TPMs have their attestation key.
const fn default_azure_key() -> u32 {
    0x8100_0003
}

/// Where they have the paravisor's report.
const fn default_azure_report() -> u32 {
    0x0140_0001
}

/// All that firmware and boot loader measure into. Register 10 is the kernel's,
/// for which the firmware has no log.
fn default_registers() -> Vec<u8> {
    (0..=9).chain(11..=15).collect()
}

fn default_nvml() -> PathBuf {
    PathBuf::from("libnvidia-ml.so.1")
}
