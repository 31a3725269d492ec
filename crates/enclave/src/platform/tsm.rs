//! SEV-SNP reports from the Linux kernel, through configfs.
//!
//! The kernel's `Documentation/ABI/testing/configfs-tsm-report`: one folder for
//! each user; writing `inblob` asks, reading `outblob` and `auxblob` answers,
//! `generation` counts the writes so that a second user is noticed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::certificates::{Files, Table};
use super::{Evidence, Platform, PlatformError, read_file};
use crate::config::SnpSettings;

/// SEV-SNP on this machine.
pub(super) struct Snp {
    reports: Mutex<Box<dyn Reports>>,
    files: Files,
}

/// The attributes of one report folder.
pub(super) trait Reports: Send {
    /// Writes an attribute.
    fn write(&self, attribute: &'static str, bytes: &[u8]) -> Result<(), PlatformError>;
    /// Reads an attribute.
    fn read(&self, attribute: &'static str) -> Result<Vec<u8>, PlatformError>;
}

struct Folder(PathBuf);

impl Snp {
    pub(super) fn open(settings: &SnpSettings) -> Result<Self, PlatformError> {
        let folder = Folder::open(&settings.tsm_folder)?;
        let snp = Self::with_reports(Box::new(folder), Files::read(settings)?);
        // Better to fail now than after the engine has started.
        snp.evidence(&[0; 64])?;
        Ok(snp)
    }

    pub(super) fn with_reports(reports: Box<dyn Reports>, files: Files) -> Self {
        Self {
            reports: Mutex::new(reports),
            files,
        }
    }
}

impl Platform for Snp {
    fn evidence(&self, report_data: &[u8; 64]) -> Result<Evidence, PlatformError> {
        let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        if reports.read("provider")?.trim_ascii() != b"sev_guest" {
            return Err(PlatformError::OtherProvider);
        }
        let before = generation(reports.as_ref())?;
        reports.write("inblob", report_data)?;
        let report = reports.read("outblob")?;
        let table = reports.read("auxblob")?;
        if generation(reports.as_ref())? != before.saturating_add(1) {
            return Err(PlatformError::Conflict);
        }
        Ok(Evidence {
            report,
            certificates: self.files.complete(Table::parse(&table)?)?,
        })
    }
}

impl Folder {
    fn open(reports: &Path) -> Result<Self, PlatformError> {
        let folder = reports.join(NAME);
        match std::fs::create_dir(&folder) {
            Ok(()) => Ok(Self(folder)),
            // Left behind by an earlier run of this program.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Self(folder)),
            Err(_) => Err(PlatformError::NoReports {
                path: reports.to_owned(),
            }),
        }
    }
}

impl Reports for Folder {
    fn write(&self, attribute: &'static str, bytes: &[u8]) -> Result<(), PlatformError> {
        let path = self.0.join(attribute);
        std::fs::write(&path, bytes).map_err(|error| PlatformError::File {
            action: "write",
            path,
            reason: error.to_string(),
        })
    }

    fn read(&self, attribute: &'static str) -> Result<Vec<u8>, PlatformError> {
        read_file(&self.0.join(attribute), MAX_ATTRIBUTE)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

fn generation(reports: &dyn Reports) -> Result<u64, PlatformError> {
    let text = reports.read("generation")?;
    let number = core::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    number.ok_or(PlatformError::Conflict)
}

const NAME: &str = "subrosa-enclave";
/// Blobs of the kernel are at most 32 KiB.
const MAX_ATTRIBUTE: u64 = 64 * 1024;

#[cfg(test)]
mod tests;
