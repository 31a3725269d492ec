//! The machine that a node runs on: its platform, its graphics processors, and
//! the collateral that goes with their evidence.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use subrosa_attest::azure::SnpEndorsement;
use subrosa_attest::bundle::tpm::Quote;
use subrosa_attest::bundle::{AzureEvidence, AzureHardware, Builder, TdxEvidence, gpu};
use subrosa_attest::nvidia::{Device, DeviceKind};
use subrosa_attest::{Bundle, UnixSeconds, nitro};

use crate::challenge::Challenge;
use crate::collateral::Files;
use crate::deadline::Deadline;
use crate::error::CollectError;
use crate::settings::{GpuSettings, PlatformSettings, TpmSettings};
use crate::snp::Table;
use crate::stapled::Stapled;
use crate::tpm::Tpm;

/// A source of evidence.
pub trait Collector: Send {
    /// Evidence about `challenge`. It may block for as long as hardware and host
    /// please.
    ///
    /// # Errors
    ///
    /// [`CollectError`].
    fn collect(&mut self, challenge: &Challenge) -> Result<Evidence, CollectError>;
}

/// What a platform gave, unverified.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Evidence {
    /// The report of an Azure confidential VM's paravisor.
    Azure {
        /// The report, as the virtual TPM stores it.
        report: Vec<u8>,
        /// The virtual TPM's quote.
        quote: TpmEvidence,
    },
    /// An Arm CCA attestation token.
    Cca {
        /// The token.
        token: Vec<u8>,
    },
    /// An AWS Nitro attestation document.
    Nitro {
        /// The document.
        document: Vec<u8>,
    },
    /// Reports of NVIDIA GPUs, in the order of the library.
    Nvidia {
        /// The GPUs.
        devices: Vec<NvidiaDevice>,
    },
    /// An Intel SGX quote.
    Sgx {
        /// The quote.
        quote: Vec<u8>,
    },
    /// An AMD SEV-SNP report.
    Snp {
        /// The report.
        report: Vec<u8>,
        /// The certificates that the host gave with it.
        certificates: Table,
    },
    /// An Intel TDX quote.
    Tdx {
        /// The quote.
        quote: Vec<u8>,
        /// The log of its run-time registers, if the firmware left one.
        event_log: Option<Vec<u8>>,
    },
    /// A TPM's quote.
    Tpm(TpmEvidence),
}

/// What NVML says about a GPU.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "tests make it; a field more is a new format"
)]
pub struct NvidiaDevice {
    /// The measurement request and the device's answer.
    pub report: Vec<u8>,
    /// Certificates in PEM.
    pub certificates: Vec<u8>,
}

/// A TPM's quote with what is needed to read it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TpmEvidence {
    /// The signed `TPMS_ATTEST`.
    pub quote: Vec<u8>,
    /// `TPMT_SIGNATURE`.
    pub signature: Vec<u8>,
    /// `TPMT_PUBLIC` of the attestation key.
    pub key: Vec<u8>,
    /// Certificate of that key from the TPM's storage, DER, padded with zeros.
    pub certificate: Option<Vec<u8>>,
    /// Certificates above it, DER.
    pub authorities: Vec<Vec<u8>>,
    /// Values of the quoted registers, SHA-256, in ascending order.
    pub registers: Vec<(u8, [u8; 32])>,
    /// What the firmware says was measured into them.
    pub event_log: Option<Vec<u8>>,
}

impl Evidence {
    /// Name of the platform, for people.
    #[must_use]
    pub const fn platform(&self) -> &'static str {
        match self {
            Self::Azure { .. } => "Azure",
            Self::Cca { .. } => "Arm CCA",
            Self::Nitro { .. } => "AWS Nitro",
            Self::Nvidia { .. } => "NVIDIA",
            Self::Sgx { .. } => "Intel SGX",
            Self::Snp { .. } => "AMD SEV-SNP",
            Self::Tdx { .. } => "Intel TDX",
            Self::Tpm(_) => "TPM 2.0",
        }
    }

    /// The parts by the names of files that hold them.
    #[must_use]
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut add = |name: &str, bytes: &[u8]| files.push((name.to_owned(), bytes.to_vec()));
        match self {
            Self::Azure { report, quote } => {
                add("azure-report.bin", report);
                files.extend(quote.files());
            }
            Self::Cca { token } => add("cca-token.cbor", token),
            Self::Nitro { document } => add("nitro-document.cbor", document),
            Self::Nvidia { devices } => {
                for (number, device) in devices.iter().enumerate() {
                    add(&format!("gpu-{number}-report.bin"), &device.report);
                    add(
                        &format!("gpu-{number}-certificates.pem"),
                        &device.certificates,
                    );
                }
            }
            Self::Sgx { quote } => add("sgx-quote.bin", quote),
            Self::Snp { report, .. } => add("snp-report.bin", report),
            Self::Tdx { quote, event_log } => {
                add("tdx-quote.bin", quote);
                if let Some(log) = event_log {
                    add("tdx-event-log.bin", log);
                }
            }
            Self::Tpm(tpm) => files.extend(tpm.files()),
        }
        files
    }
}

impl TpmEvidence {
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = vec![
            ("tpm-quote.bin", self.quote.clone()),
            ("tpm-signature.bin", self.signature.clone()),
            ("tpm-key.bin", self.key.clone()),
            ("tpm-registers.txt", self.registers_text().into_bytes()),
        ];
        for (name, part) in [
            ("tpm-key-certificate.der", &self.certificate),
            ("tpm-event-log.bin", &self.event_log),
        ] {
            files.extend(part.clone().map(|part| (name, part)));
        }
        let files = files.into_iter();
        files.map(|(name, part)| (name.to_owned(), part)).collect()
    }

    /// The quote as a bundle holds it.
    fn encode(&self) -> Vec<u8> {
        let values = self.registers.iter();
        let certificates = self.certificate.iter().chain(&self.authorities);
        Quote {
            message: &self.quote,
            signature: &self.signature,
            public: &self.key,
            values: values
                .map(|(number, value)| (*number, &value[..]))
                .collect(),
            certificates: certificates.map(Vec::as_slice).collect(),
        }
        .encode()
    }

    /// One line for each register: its number, and its value in hexadecimal.
    fn registers_text(&self) -> String {
        let line = |(number, value): &(u8, [u8; 32])| format!("{number} {}\n", hex::encode(value));
        self.registers.iter().map(line).collect()
    }
}

/// What attests a node's keys.
pub struct Machine {
    platform: Mutex<Deadline>,
    gpus: Option<Mutex<Deadline>>,
    tpm: Option<Mutex<Deadline>>,
    files: Files,
    now: fn() -> UnixSeconds,
}

impl Machine {
    /// How long a collector may take.
    pub const DEADLINE: Duration = Duration::from_mins(1);

    /// The machine that the settings describe.
    ///
    /// # Errors
    ///
    /// [`CollectError`] when it is another one.
    pub fn open(
        platform: &PlatformSettings,
        gpus: Option<&GpuSettings>,
        tpm: Option<&TpmSettings>,
    ) -> Result<Self, CollectError> {
        let mut machine = Self::new(crate::settings::open_platform(platform)?);
        if let Some(tpm) = tpm {
            machine = machine.with_tpm(Box::new(Tpm::open(tpm)?));
        }
        if let Some(gpus) = gpus {
            machine = machine.with_gpus(crate::settings::open_gpus(gpus)?);
        }
        machine.files = Files::of(platform, gpus);
        Ok(machine)
    }

    /// A machine with this platform, without files of collateral.
    #[must_use]
    pub fn new(platform: Box<dyn Collector>) -> Self {
        Self {
            platform: Mutex::new(Deadline::new(platform, Self::DEADLINE)),
            gpus: None,
            tpm: None,
            files: Files::default(),
            now: system_time,
        }
    }

    /// The same with these graphics processors.
    #[must_use]
    pub fn with_gpus(mut self, gpus: Box<dyn Collector>) -> Self {
        self.gpus = Some(Mutex::new(Deadline::new(gpus, Self::DEADLINE)));
        self
    }

    /// The same with this TPM beside the platform.
    #[must_use]
    pub fn with_tpm(mut self, tpm: Box<dyn Collector>) -> Self {
        self.tpm = Some(Mutex::new(Deadline::new(tpm, Self::DEADLINE)));
        self
    }

    #[cfg(test)]
    pub(crate) fn with_files(mut self, files: Files, now: fn() -> UnixSeconds) -> Self {
        self.files = files;
        self.now = now;
        self
    }

    /// The evidence bundle of a node with this key configuration. It blocks while
    /// platform and devices work.
    ///
    /// # Errors
    ///
    /// [`CollectError`].
    pub fn bundle(&self, key_configuration: &[u8]) -> Result<Bundle, CollectError> {
        self.bundle_with(key_configuration, Stapled::default())
    }

    /// The same, bound to a checkpoint of a log, and with what the log has said.
    ///
    /// # Errors
    ///
    /// [`CollectError`].
    pub fn bundle_with(
        &self,
        key_configuration: &[u8],
        stapled: Stapled,
    ) -> Result<Bundle, CollectError> {
        let mut builder = Bundle::builder(key_configuration);
        let checkpoint = stapled.checkpoint.as_deref();
        let mut gpu_evidence = None;
        if let Some(gpus) = &self.gpus {
            let challenge = Challenge::binding(key_configuration, checkpoint, None);
            let evidence = collect(gpus, &challenge)?;
            let Evidence::Nvidia { devices } = &evidence else {
                return Err(CollectError::NotInBundle {
                    platform: evidence.platform(),
                });
            };
            let bytes = gpu::encode_devices(&as_devices(devices));
            builder = builder.gpu_evidence(bytes.clone());
            if let Some(collateral) = self.files.gpus((self.now)())? {
                builder = builder.gpu_collateral(collateral);
            }
            gpu_evidence = Some(bytes);
        }
        let gpu_evidence = gpu_evidence.as_deref();
        let challenge = if let Some(tpm) = &self.tpm {
            let evidence = collect(tpm, &Challenge::beside(key_configuration, checkpoint))?;
            let Evidence::Tpm(quote) = &evidence else {
                return Err(CollectError::NotInBundle {
                    platform: evidence.platform(),
                });
            };
            builder = add_quote(builder, quote);
            Challenge::with_tpm(key_configuration, checkpoint, gpu_evidence, &quote.encode())
        } else {
            Challenge::binding(key_configuration, checkpoint, gpu_evidence)
        };
        let evidence = collect(&self.platform, &challenge)?;
        let builder = staple(self.add(builder, &evidence)?, stapled);
        Ok(builder.build()?)
    }

    /// Evidence of the platform and of the devices about the caller's bytes, to
    /// be looked at or verified by itself.
    ///
    /// # Errors
    ///
    /// [`CollectError`].
    pub fn evidence(&self, bytes: [u8; 64]) -> Result<Vec<Evidence>, CollectError> {
        let challenge = Challenge::of_bytes(bytes);
        [Some(&self.platform), self.gpus.as_ref(), self.tpm.as_ref()]
            .into_iter()
            .flatten()
            .map(|collector| collect(collector, &challenge))
            .collect()
    }

    fn add(&self, builder: Builder, evidence: &Evidence) -> Result<Builder, CollectError> {
        Ok(match evidence {
            Evidence::Azure { report, quote } => {
                let certificates = self.files.snp(&Table::default(), (self.now)())?;
                let endorsed = certificates.with_report(report);
                add_quote(builder, quote).azure(AzureEvidence {
                    report,
                    hardware: AzureHardware::Snp(SnpEndorsement {
                        kind: endorsed.kind,
                        leaf: endorsed.leaf,
                        intermediate: endorsed.intermediate,
                        root: endorsed.root,
                        revocation_list: endorsed.revocation_list,
                    }),
                })
            }
            Evidence::Nitro { document } => builder.nitro(nitro::Evidence { document }),
            Evidence::Snp {
                report,
                certificates,
            } => {
                let certificates = self.files.snp(certificates, (self.now)())?;
                builder.snp(certificates.with_report(report))
            }
            Evidence::Tdx { quote, event_log } => builder.tdx(TdxEvidence {
                quote,
                collateral: &self.files.tdx((self.now)())?,
                event_log: event_log.as_deref(),
            }),
            Evidence::Tpm(tpm) => add_quote(builder, tpm),
            Evidence::Cca { .. } | Evidence::Nvidia { .. } | Evidence::Sgx { .. } => {
                return Err(CollectError::NotInBundle {
                    platform: evidence.platform(),
                });
            }
        })
    }
}

fn add_quote(builder: Builder, quote: &TpmEvidence) -> Builder {
    let builder = builder.tpm_evidence(quote.encode());
    match &quote.event_log {
        Some(log) => builder.tpm_event_log(log.clone()),
        None => builder,
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine")
            .field("gpus", &self.gpus.is_some())
            .field("tpm", &self.tpm.is_some())
            .finish_non_exhaustive()
    }
}

fn staple(builder: Builder, stapled: Stapled) -> Builder {
    let with = |builder, part, add: fn(Builder, Vec<u8>) -> Builder| match part {
        Some(bytes) => add(builder, bytes),
        None => builder,
    };
    let builder = with(builder, stapled.checkpoint, Builder::checkpoint);
    let builder = with(builder, stapled.machine_record, Builder::machine_record);
    let builder = with(builder, stapled.machine_proof, Builder::machine_proof);
    with(builder, stapled.release_proof, Builder::release_proof)
}

fn collect(collector: &Mutex<Deadline>, challenge: &Challenge) -> Result<Evidence, CollectError> {
    let mut collector = collector.lock().unwrap_or_else(PoisonError::into_inner);
    collector.collect(challenge)
}

fn as_devices(devices: &[NvidiaDevice]) -> Vec<Device<'_>> {
    let devices = devices.iter();
    devices
        .map(|device| Device {
            kind: DeviceKind::Gpu,
            report: &device.report,
            certificates: &device.certificates,
        })
        .collect()
}

/// Only to tell the operator of collateral that has expired: devices judge it by
/// their own clocks.
fn system_time() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    UnixSeconds::new(since.map_or(0, |since| since.as_secs()))
}

#[cfg(test)]
mod tests;
