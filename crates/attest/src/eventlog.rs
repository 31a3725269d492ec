//! Event logs: what was measured into the registers of a TPM or of a TDX guest.
//!
//! ```text
//! bytes ──EventLog::parse──▶ EventLog ──replay(bank)──▶ register values ── compare with signed ones
//! ```
//!
//! A log is the host's word. It becomes evidence only when its replay gives the
//! register values that hardware signed; even then only the digests are proven.
//! The text beside a digest ([`Event::data`]) is a claim until somebody hashes it.
//!
//! The format is the crypto-agile log of the TCG PC Client Platform Firmware
//! Profile (version 1.06, section 10), which ACPI's CCEL table (6.5, section
//! 5.2.34) takes over for TDX, where register 1 to 4 stand for RTMR 0 to 3.
//! The logs that dstack keeps are read by [`DstackLog`].

use std::collections::BTreeMap;

use crate::signature::Hash;

mod dstack;
mod reader;

pub use dstack::{DstackError, DstackEvent, DstackLog};

pub(crate) use reader::Reader;

/// A log in the crypto-agile format of which nothing is verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventLog<'a> {
    banks: Vec<(u16, usize)>,
    events: Vec<Event<'a>>,
}

/// One entry of a log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event<'a> {
    register: u32,
    kind: u32,
    digests: Vec<(u16, &'a [u8])>,
    data: &'a [u8],
}

/// Registers hashed with one algorithm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Bank {
    /// SHA-256.
    Sha256,
    /// SHA-384, the only bank of a TDX guest.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl<'a> EventLog<'a> {
    /// Longest log that is read, in bytes.
    pub const MAX_LEN: usize = 4 * 1024 * 1024;
    /// Most algorithms that a log may have digests of.
    pub const MAX_BANKS: usize = 8;

    /// Reads a log. Bytes `0x00` or `0xFF` behind the last event are the unused
    /// rest of the table.
    ///
    /// # Errors
    ///
    /// [`EventLogError`] says where the log breaks its format.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, EventLogError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(EventLogError::TooLong { got: bytes.len() });
        }
        let mut reader = Reader::new(bytes);
        let banks = read_header(&mut reader).ok_or(EventLogError::Header)?;
        let end = end_of_events(bytes);
        let mut events = Vec::new();
        while reader.position() < end {
            let at = reader.position();
            events.push(read_event(&mut reader, &banks).ok_or(EventLogError::Event { at })?);
        }
        Ok(Self { banks, events })
    }

    /// The events in order, without the one that describes the log.
    #[must_use]
    pub fn events(&self) -> &[Event<'a>] {
        &self.events
    }

    /// Whether the log has digests of this bank.
    #[must_use]
    pub fn has_bank(&self, bank: Bank) -> bool {
        self.banks.iter().any(|&(id, _)| id == bank.id())
    }

    /// The values that the registers have after these events, by register. A
    /// register without events is missing.
    ///
    /// A register starts at zero; register 0 of a TPM at the locality that the
    /// log names (PC Client Platform Firmware Profile, section 10.4.5.3).
    ///
    /// # Errors
    ///
    /// [`EventLogError::Bank`] if an event has no digest of the bank.
    pub fn replay(&self, bank: Bank) -> Result<BTreeMap<u32, Vec<u8>>, EventLogError> {
        let mut registers = BTreeMap::new();
        for event in &self.events {
            if event.kind == EV_NO_ACTION {
                if let Some(locality) = event.startup_locality() {
                    let mut initial = vec![0; bank.len()];
                    if let Some(last) = initial.last_mut() {
                        *last = locality;
                    }
                    // Only before the first measurement can it be the start.
                    registers.entry(0).or_insert(initial);
                }
                continue;
            }
            let digest = event.digest(bank).ok_or(EventLogError::Bank)?;
            let register = registers
                .entry(event.register)
                .or_insert_with(|| vec![0; bank.len()]);
            *register = bank.extend(register, digest);
        }
        Ok(registers)
    }
}

impl<'a> Event<'a> {
    /// Which register was extended.
    #[must_use]
    pub fn register(&self) -> u32 {
        self.register
    }

    /// Type of the event (PC Client Platform Firmware Profile, section 10.4.1).
    #[must_use]
    pub fn kind(&self) -> u32 {
        self.kind
    }

    /// What the log says was measured. No digest proves it.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// The digest that went into the register of this bank.
    #[must_use]
    pub fn digest(&self, bank: Bank) -> Option<&'a [u8]> {
        let found = self.digests.iter().find(|(id, _)| *id == bank.id())?;
        Some(found.1)
    }

    fn startup_locality(&self) -> Option<u8> {
        if self.register != 0 {
            return None;
        }
        match self.data.strip_prefix(STARTUP_LOCALITY)? {
            &[locality] => Some(locality),
            _ => None,
        }
    }
}

impl Bank {
    /// Size of a register, in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a size, not a container")]
    pub const fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Algorithm identifier (TPM 2.0 Library, part 2, `TPM_ALG_ID`).
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::Sha256 => 0x000B,
            Self::Sha384 => 0x000C,
            Self::Sha512 => 0x000D,
        }
    }

    /// The value of a register after `digest` was measured into it.
    #[must_use]
    pub fn extend(self, register: &[u8], digest: &[u8]) -> Vec<u8> {
        self.digest(&[register, digest].concat())
    }

    /// The digest of `data`.
    pub(crate) fn digest(self, data: &[u8]) -> Vec<u8> {
        let hash = match self {
            Self::Sha256 => Hash::Sha256,
            Self::Sha384 => Hash::Sha384,
            Self::Sha512 => Hash::Sha512,
        };
        hash.digest(data)
    }
}

/// Why a log was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EventLogError {
    /// An event has no digest of the bank that is asked for.
    #[error("an event has no digest of this bank")]
    Bank,

    /// An event breaks the format.
    #[error("the event at byte {at} is malformed")]
    Event {
        /// Where it begins.
        at: usize,
    },

    /// The first event does not describe a crypto-agile log.
    #[error("not a crypto-agile event log")]
    Header,

    /// The input is longer than [`EventLog::MAX_LEN`].
    #[error(
        "event log is {got} bytes long, at most {} are read",
        EventLog::MAX_LEN
    )]
    TooLong {
        /// Length of the input, in bytes.
        got: usize,
    },
}

/// The event that describes the log: `TCG_PCClientPCREvent` with a
/// `TCG_EfiSpecIdEvent` (sections 10.2.1 and 10.4.5.1).
fn read_header(reader: &mut Reader<'_>) -> Option<Vec<(u16, usize)>> {
    let _register = reader.u32()?;
    if reader.u32()? != EV_NO_ACTION {
        return None;
    }
    let _sha1 = reader.take(20)?;
    let length = usize::try_from(reader.u32()?).ok()?;
    let mut inner = Reader::new(reader.take(length)?);
    if inner.take(SPEC_ID.len())? != SPEC_ID {
        return None;
    }
    let _class_and_version = inner.take(8)?;
    let count = usize::try_from(inner.u32()?).ok()?;
    if count == 0 || count > EventLog::MAX_BANKS {
        return None;
    }
    let mut banks: Vec<(u16, usize)> = Vec::with_capacity(count);
    for _ in 0..count {
        let (id, length) = (inner.u16()?, usize::from(inner.u16()?));
        let fits = [Bank::Sha256, Bank::Sha384, Bank::Sha512]
            .iter()
            .all(|bank| bank.id() != id || bank.len() == length);
        if !fits || banks.iter().any(|&(other, _)| other == id) {
            return None;
        }
        banks.push((id, length));
    }
    let vendor = usize::from(inner.u8()?);
    let _vendor = inner.take(vendor)?;
    inner.is_empty().then_some(banks)
}

/// `TCG_PCR_EVENT2` (section 10.2.2).
fn read_event<'a>(reader: &mut Reader<'a>, banks: &[(u16, usize)]) -> Option<Event<'a>> {
    let (register, kind) = (reader.u32()?, reader.u32()?);
    let count = usize::try_from(reader.u32()?).ok()?;
    if count > banks.len() {
        return None;
    }
    let mut digests: Vec<(u16, &[u8])> = Vec::with_capacity(count);
    for _ in 0..count {
        let id = reader.u16()?;
        let &(_, length) = banks.iter().find(|&&(bank, _)| bank == id)?;
        if digests.iter().any(|&(other, _)| other == id) {
            return None;
        }
        digests.push((id, reader.take(length)?));
    }
    let length = usize::try_from(reader.u32()?).ok()?;
    Some(Event {
        register,
        kind,
        digests,
        data: reader.take(length)?,
    })
}

/// Where the unused rest begins: the last run of `0xFF` or of zeros. An event may
/// end with such bytes, so the run can begin inside the last one.
fn end_of_events(bytes: &[u8]) -> usize {
    let run = |fill: u8| bytes.iter().rev().take_while(|&&byte| byte == fill).count();
    bytes.len().saturating_sub(run(0).max(run(0xFF)))
}

/// Section 10.4.1: an event that is not measured.
const EV_NO_ACTION: u32 = 3;
/// Section 10.4.5.1.
const SPEC_ID: &[u8] = b"Spec ID Event03\0";
/// Section 10.4.5.3.
const STARTUP_LOCALITY: &[u8] = b"StartupLocality\0";

#[cfg(test)]
mod tests;
