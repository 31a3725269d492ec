//! What attests the keys.
//!
//! A [`Platform`] turns 64 bytes into evidence that this program runs in a
//! confidential VM, together with the certificates a device needs to check it.
//! Nothing here judges evidence; crate `attest` does, on the device.

mod certificates;
#[cfg(feature = "development")]
mod simulated;
mod tsm;

use std::path::PathBuf;
use std::sync::Arc;

use subrosa_attest::bundle::SnpEvidence;
use subrosa_attest::snp::KeyKind;
use thiserror::Error;

use crate::config::PlatformSettings;

/// A source of evidence.
pub trait Platform: Send + Sync {
    /// Evidence over `report_data`. It may block for seconds.
    ///
    /// # Errors
    ///
    /// [`PlatformError`].
    fn evidence(&self, report_data: &[u8; 64]) -> Result<Evidence, PlatformError>;
}

/// An SEV-SNP report and its certificates (DER), unverified.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Evidence {
    /// The report.
    pub report: Vec<u8>,
    /// The certificates.
    pub certificates: Certificates,
}

/// The certificates that go with a report.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Certificates {
    /// What kind of key signs the reports.
    pub kind: KeyKind,
    /// VCEK or VLEK.
    pub leaf: Vec<u8>,
    /// ASK or ASVK.
    pub intermediate: Vec<u8>,
    /// ARK.
    pub root: Vec<u8>,
    /// The root's revocation list.
    pub revocation_list: Option<Vec<u8>>,
}

/// Why there is no evidence.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// A certificate is neither in the host's table nor in the configuration.
    #[error(
        "no {what} certificate: the host's table does not hold it; name a file in `platform.certificates`"
    )]
    CertificateMissing {
        /// Which.
        what: &'static str,
    },
    /// The host's certificate table does not have the form of AMD 56421.
    #[error("the host's certificate table is malformed")]
    CertificateTable,
    /// Somebody else used the same report folder at the same time.
    #[error("the report was made for somebody else's data")]
    Conflict,
    /// A file cannot be read or written.
    #[error("cannot {action} {}: {reason}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// This machine is no confidential VM, or its kernel cannot say so.
    #[error("this machine offers no SEV-SNP reports under {}; it must be a confidential VM with the module `sev-guest` and configfs mounted", path.display())]
    NoReports {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// Reports come from another kind of platform.
    #[error("reports of this machine do not come from SEV-SNP")]
    OtherProvider,
    /// The secret of the simulated root does not read.
    #[error("{} is not the secret file of a simulated root", path.display())]
    RootSecret {
        /// The file.
        path: PathBuf,
    },
}

impl PlatformError {
    /// The step that failed, for the log.
    #[must_use]
    pub fn step(&self) -> &'static str {
        match self {
            Self::CertificateMissing { .. } | Self::CertificateTable => "certificates",
            Self::Conflict | Self::NoReports { .. } | Self::OtherProvider => "report",
            Self::File { .. } => "file",
            Self::RootSecret { .. } => "root-secret",
        }
    }
}

/// The platform that the configuration names.
///
/// # Errors
///
/// [`PlatformError`] when it is not there.
pub fn open(settings: &PlatformSettings) -> Result<Arc<dyn Platform>, PlatformError> {
    match settings {
        PlatformSettings::Snp(snp) => Ok(Arc::new(tsm::Snp::open(snp)?)),
        #[cfg(feature = "development")]
        PlatformSettings::Simulated(simulated) => Ok(Arc::new(simulated::Simulated::open(
            &simulated.root_secret,
        )?)),
        #[cfg(not(feature = "development"))]
        PlatformSettings::Simulated(simulated) => Err(PlatformError::RootSecret {
            path: simulated.root_secret.clone(),
        }),
    }
}

impl Evidence {
    /// The same, in the form that a bundle takes.
    #[must_use]
    pub fn as_snp(&self) -> SnpEvidence<'_> {
        let certificates = &self.certificates;
        SnpEvidence {
            report: &self.report,
            kind: certificates.kind,
            leaf: &certificates.leaf,
            intermediate: &certificates.intermediate,
            root: &certificates.root,
            revocation_list: certificates.revocation_list.as_deref(),
        }
    }
}

/// Reads a file that cannot have more than `limit` bytes.
fn read_file(path: &std::path::Path, limit: u64) -> Result<Vec<u8>, PlatformError> {
    use std::io::Read as _;

    let failed = |reason: String| PlatformError::File {
        action: "read",
        path: path.to_owned(),
        reason,
    };
    let file = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| failed(error.to_string()))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= limit) {
        Ok(bytes)
    } else {
        Err(failed(format!("more than {limit} bytes")))
    }
}
