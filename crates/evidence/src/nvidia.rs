//! NVIDIA GPUs: their reports through NVML, NVIDIA's management library.
//!
//! The library comes with the driver, and is loaded when the service starts:
//! nothing is linked when this program is built. Switches speak through another
//! library (NSCQ) and are not collected.

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

use crate::challenge::Challenge;
use crate::error::CollectError;
use crate::machine::{Collector, Evidence, NvidiaDevice};
use crate::settings::GpuSettings;

/// The GPUs of this machine.
pub struct Nvidia(Box<dyn Library>);

/// What knows the GPUs: NVML, or a test.
trait Library: Send {
    /// How many GPUs there are.
    fn count(&mut self) -> Result<u32, NvmlError>;
    /// Whether the GPUs of this machine are in confidential mode.
    fn is_confidential(&mut self, index: u32) -> Result<bool, NvmlError>;
    /// The report of a GPU over `nonce`, and the certificates of its key.
    fn attest(&mut self, index: u32, nonce: [u8; 32]) -> Result<NvidiaDevice, NvmlError>;
}

impl Nvidia {
    /// Loads the library.
    ///
    /// # Errors
    ///
    /// [`CollectError`] when it cannot be loaded, or there are no GPUs that
    /// attest.
    pub fn open(settings: &GpuSettings) -> Result<Self, CollectError> {
        let nvml = Nvml::builder()
            .lib_path(settings.library.as_os_str())
            .init();
        let nvml = nvml.map_err(|error| match error {
            NvmlError::LibloadingError(_) => CollectError::Missing {
                what: "library of the NVIDIA driver",
                path: settings.library.clone(),
                hint: "install NVIDIA's driver with its management library, or name the file in `gpus.library`",
            },
            error => refused(&error),
        })?;
        Self::with(Box::new(nvml))
    }

    fn with(mut library: Box<dyn Library>) -> Result<Self, CollectError> {
        let count = library.count().map_err(|error| refused(&error))?;
        check_count(count)?;
        for index in 0..count {
            let confidential = library.is_confidential(index);
            if !confidential.map_err(|error| refused(&error))? {
                return Err(CollectError::Refused {
                    what: "the NVIDIA driver",
                    code: format!("GPU {index} is not in confidential mode"),
                    hint: "the host switches the mode on, with NVIDIA's gpu_cc_mode tools, before the machine starts",
                });
            }
        }
        Ok(Self(library))
    }
}

impl Collector for Nvidia {
    fn collect(&mut self, challenge: &Challenge) -> Result<Evidence, CollectError> {
        let count = self.0.count().map_err(|error| refused(&error))?;
        check_count(count)?;
        let attest = |index| {
            let attested = self.0.attest(index, *challenge.device_nonce());
            let device = attested.map_err(|error| refused(&error))?;
            if !names_nonce(&device.report, challenge.device_nonce()) {
                return Err(CollectError::Malformed { what: "GPU report" });
            }
            Ok(device)
        };
        Ok(Evidence::Nvidia {
            devices: (0..count).map(attest).collect::<Result<_, _>>()?,
        })
    }
}

impl Library for Nvml {
    fn count(&mut self) -> Result<u32, NvmlError> {
        self.device_count()
    }

    fn is_confidential(&mut self, index: u32) -> Result<bool, NvmlError> {
        self.device_by_index(index)?.is_cc_enabled()
    }

    fn attest(&mut self, index: u32, nonce: [u8; 32]) -> Result<NvidiaDevice, NvmlError> {
        let device = self.device_by_index(index)?;
        let report = device.confidential_compute_gpu_attestation_report(nonce)?;
        let certificates = device.confidential_compute_gpu_certificate()?;
        Ok(NvidiaDevice {
            report: report.attestation_report,
            certificates: without_end(certificates.attestation_cert_chain),
        })
    }
}

/// Whether the request in the report (DSP0274, `GET_MEASUREMENTS`: four bytes,
/// then the requester's nonce) is ours.
fn names_nonce(report: &[u8], nonce: &[u8; 32]) -> bool {
    report.get(4..36) == Some(nonce.as_slice())
}

fn check_count(got: u32) -> Result<(), CollectError> {
    if (1..=MAX_DEVICES).contains(&got) {
        return Ok(());
    }
    Err(CollectError::Refused {
        what: "the NVIDIA driver",
        code: format!("it knows {got} GPUs, 1 to {MAX_DEVICES} are possible"),
        hint: "leave `[gpus]` out, or give the machine GPUs",
    })
}

/// NVML ends the text as C does, and counts that byte.
fn without_end(mut text: Vec<u8>) -> Vec<u8> {
    while text.pop_if(|byte| *byte == 0).is_some() {}
    text
}

fn refused(error: &NvmlError) -> CollectError {
    CollectError::Refused {
        what: "the NVIDIA driver",
        code: error.to_string(),
        hint: match error {
            NvmlError::NoPermission => "run the service as root, or let its user use /dev/nvidia*",
            NvmlError::NotSupported | NvmlError::FunctionNotFound => {
                "GPUs attest from the Hopper generation on, with a driver of version 550 or newer"
            }
            NvmlError::DriverNotLoaded => "load the kernel module `nvidia`",
            _ => "`nvidia-smi conf-compute -q` says more",
        },
    }
}

/// More do not fit into a bundle.
const MAX_DEVICES: u32 = 32;

#[cfg(test)]
pub(crate) use tests::answering;

#[cfg(test)]
mod tests;
