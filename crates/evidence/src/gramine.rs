//! Intel SGX under Gramine: quotes through the files in `/dev/attestation`
//! (Gramine documentation, "Attestation and Secret Provisioning", section
//! "Low-level `/dev/attestation` interface").

use std::path::PathBuf;

use crate::challenge::Challenge;
use crate::error::CollectError;
use crate::file;
use crate::machine::{Collector, Evidence};
use crate::settings::SgxSettings;
use crate::tdx::without_padding;

/// The enclave that this program runs in.
pub struct Sgx(PathBuf);

impl Sgx {
    /// Finds Gramine's files.
    ///
    /// # Errors
    ///
    /// [`CollectError`] when they are not there, or give no DCAP quotes.
    pub fn open(settings: &SgxSettings) -> Result<Self, CollectError> {
        let sgx = Self(settings.folder.clone());
        let Some(kind) = file::read_if_there(&sgx.0.join("attestation_type"), MAX_NAME)? else {
            return Err(CollectError::Missing {
                what: "attestation by Gramine",
                path: sgx.0,
                hint: "run this program in an SGX enclave with `gramine-sgx`",
            });
        };
        if kind.trim_ascii() == b"dcap" {
            return Ok(sgx);
        }
        Err(CollectError::Refused {
            what: "Gramine",
            code: format!(
                "its attestation type is `{}`",
                String::from_utf8_lossy(&kind).trim()
            ),
            hint: "set `sgx.remote_attestation = \"dcap\"` in the manifest, and sign it again",
        })
    }
}

impl Collector for Sgx {
    fn collect(&mut self, challenge: &Challenge) -> Result<Evidence, CollectError> {
        file::write(&self.0.join("user_report_data"), challenge.report_data())?;
        let quote = without_padding(file::read(&self.0.join("quote"), MAX_QUOTE)?)?;
        // The files belong to the whole process: somebody may have written in
        // between.
        match quote.get(REPORT_DATA) {
            Some(data) if data == challenge.report_data() => Ok(Evidence::Sgx { quote }),
            _ => Err(CollectError::Conflict),
        }
    }
}

/// In a quote of version 3: a header of 48 bytes, and `report_data` at 320 of the
/// enclave's report.
const REPORT_DATA: core::ops::Range<usize> = 368..432;
const MAX_NAME: u64 = 64;
const MAX_QUOTE: u64 = 64 * 1024;

#[cfg(test)]
mod tests;
