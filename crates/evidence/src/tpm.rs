//! TPM 2.0: quotes of its registers.
//!
//! ```text
//! TPM2_CreatePrimary, or a key that is there ──▶ attestation key
//! TPM2_PCR_Read ──▶ values ──┐ the quote's digest says whether they belong together
//! TPM2_Quote(nonce) ─────────┴▶ quote, signature
//! ```
//!
//! A quote alone never excludes the operator of the host: `docs/verify/tpm.md`.

mod command;
mod transport;
mod wire;

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use crate::challenge::Challenge;
use crate::error::CollectError;
use crate::file;
use crate::machine::{Collector, Evidence, TpmEvidence};
use crate::settings::{AzureSettings, TpmSettings};
use command::{Key, Quoted, Session};
use transport::Transport;

/// The TPM of this machine.
pub struct Tpm {
    transport: Box<dyn Transport>,
    event_log: PathBuf,
    registers: Vec<u8>,
    key_handle: Option<u32>,
    template_index: Option<u32>,
    certificate_index: Option<u32>,
    authorities: Vec<PathBuf>,
}

/// The virtual TPM of an Azure confidential VM, which also stores the paravisor's report.
pub struct Azure {
    tpm: Tpm,
    report_index: u32,
}

/// Registers and their values, in ascending order.
type Values = Vec<(u8, [u8; 32])>;

impl Tpm {
    /// Opens the device.
    ///
    /// # Errors
    ///
    /// [`CollectError`] when there is none, or it may not be used.
    pub fn open(settings: &TpmSettings) -> Result<Self, CollectError> {
        let mut registers = settings.registers.clone();
        registers.sort_unstable();
        registers.dedup();
        Ok(Self {
            transport: transport::open(&settings.device)?,
            event_log: settings.event_log.clone(),
            registers,
            key_handle: settings.key_handle,
            template_index: settings.template_index,
            certificate_index: settings.certificate_index,
            authorities: settings.authorities.clone(),
        })
    }

    /// Quotes until no register changed between reading and quoting.
    fn quote(
        session: &mut Session<'_>,
        key: &Key,
        registers: &[u8],
        nonce: &[u8; 32],
    ) -> Result<(Quoted, Values), CollectError> {
        for _ in 0..ATTEMPTS {
            let values = session.read_registers(registers)?;
            let quoted = session.quote(key, registers, nonce)?;
            if quoted.message.ends_with(&sized_digest(&values)) {
                return Ok((quoted, values));
            }
        }
        Err(CollectError::Conflict)
    }
}

impl Tpm {
    fn evidence(&mut self, challenge: &Challenge) -> Result<TpmEvidence, CollectError> {
        let mut session = Session::new(self.transport.as_mut());
        let key = if let Some(handle) = self.key_handle {
            session.stored_key(handle)?
        } else {
            let template = self.template_index;
            let template = template.map(|index| session.read_storage(index));
            session.create_key(template.transpose()?.as_deref())?
        };
        let quoted = Self::quote(&mut session, &key, &self.registers, challenge.short());
        // The memory of a TPM holds three keys: leave no one behind, whatever
        // became of the quote.
        if self.key_handle.is_none() {
            session.flush(&key)?;
        }
        let (quoted, registers) = quoted?;
        let index = self.certificate_index;
        let authorities = self.authorities.iter();
        Ok(TpmEvidence {
            quote: quoted.message,
            signature: quoted.signature,
            key: key.public,
            certificate: index.map(|index| session.read_storage(index)).transpose()?,
            authorities: authorities
                .map(|path| file::read(path, MAX_CERTIFICATE))
                .collect::<Result<_, _>>()?,
            registers,
            event_log: file::read_if_there(&self.event_log, MAX_EVENT_LOG)?,
        })
    }
}

impl Collector for Tpm {
    fn collect(&mut self, challenge: &Challenge) -> Result<Evidence, CollectError> {
        self.evidence(challenge).map(Evidence::Tpm)
    }
}

impl Azure {
    /// Opens the device.
    ///
    /// # Errors
    ///
    /// [`CollectError`] when there is none, or it may not be used.
    pub fn open(settings: &AzureSettings) -> Result<Self, CollectError> {
        Ok(Self {
            tpm: Tpm::open(&settings.tpm())?,
            report_index: settings.report_index,
        })
    }
}

impl Collector for Azure {
    fn collect(&mut self, challenge: &Challenge) -> Result<Evidence, CollectError> {
        let quote = self.tpm.evidence(challenge)?;
        let mut session = Session::new(self.tpm.transport.as_mut());
        let report = session.read_storage(self.report_index)?;
        Ok(Evidence::Azure { report, quote })
    }
}

/// What a `TPMS_QUOTE_INFO` ends with: the digest of the values one after the
/// other, with its size in front (TPM 2.0 Library, Part 2, "`TPMS_QUOTE_INFO`").
/// The hash is that of the key's scheme; keys with another one than SHA-256 are
/// not made here, and a stored one must have it too.
fn sized_digest(values: &[(u8, [u8; 32])]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for (_, value) in values {
        hash.update(value);
    }
    [&[0, 32][..], &hash.finalize()].concat()
}

const ATTEMPTS: u32 = 5;
const MAX_CERTIFICATE: u64 = 8 * 1024;
/// As long as crate `attest` reads.
const MAX_EVENT_LOG: u64 = 4 * 1024 * 1024;

#[cfg(test)]
mod tests;
