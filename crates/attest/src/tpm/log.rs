//! Event logs tied to quoted registers: data to digests, digests to registers,
//! registers to the quote.

use std::collections::BTreeSet;

use serde::Serialize;

use super::algorithm::HashAlgorithm;
use super::pcrs::RegisterValues;
use crate::appraisal::Code;
use crate::eventlog::{Bank, Event, EventLog, EventLogError};

/// An event whose digest is in a quoted register.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct MeasuredEvent {
    register: u8,
    /// Type of the event, in hexadecimal.
    kind: String,
    digest: String,
    /// What was measured, in hexadecimal, where the digest proves it.
    data: Option<String>,
}

impl MeasuredEvent {
    /// Which register was extended.
    #[must_use]
    pub fn register(&self) -> u8 {
        self.register
    }

    /// What was measured, in hexadecimal: only of an event whose type says that
    /// its digest is that of its data, and only if it is.
    #[must_use]
    pub fn data(&self) -> Option<&str> {
        self.data.as_deref()
    }
}

/// Replays a log and compares it with quoted values. Gives back the events of the
/// quoted registers.
pub(super) fn tie(
    bytes: &[u8],
    bank: HashAlgorithm,
    quoted: &RegisterValues,
) -> Result<Vec<MeasuredEvent>, LogError> {
    let bank = match bank {
        HashAlgorithm::Sha256 => Bank::Sha256,
        HashAlgorithm::Sha384 => Bank::Sha384,
        HashAlgorithm::Sha512 => Bank::Sha512,
        HashAlgorithm::Other(_) => return Err(EventLogError::Bank.into()),
    };
    let log = EventLog::parse(bytes)?;
    check_separators(&log, bank)?;
    let replayed = log.replay(bank)?;
    for (register, value) in quoted.iter() {
        let expected = replayed.get(&u32::from(register));
        let untouched = vec![0; bank.len()];
        let fits = match expected {
            Some(expected) => expected == value,
            // What the firmware measures is in the log; the system may measure
            // into higher registers without it.
            None => !FIRMWARE_REGISTERS.contains(&register) || untouched == value,
        };
        if !fits {
            return Err(LogError::Register { register });
        }
    }
    let measured = |event: &Event<'_>| measured(event, bank, quoted);
    Ok(log.events().iter().filter_map(measured).collect())
}

fn measured(event: &Event<'_>, bank: Bank, quoted: &RegisterValues) -> Option<MeasuredEvent> {
    let register = u8::try_from(event.register()).ok()?;
    quoted.get(register)?;
    if event.kind() == EV_NO_ACTION {
        return None;
    }
    let digest = event.digest(bank)?;
    let proves = HASHED_DATA.contains(&event.kind()) && bank.digest(event.data()) == digest;
    Some(MeasuredEvent {
        register,
        kind: format!("{:#x}", event.kind()),
        digest: hex::encode(digest),
        data: proves.then(|| hex::encode(event.data())),
    })
}

/// A separator ends the firmware's part of a register. A second one would let
/// later software pass its measurements off as the firmware's; one that records an
/// error, or something else than its digest, separates nothing.
fn check_separators(log: &EventLog<'_>, bank: Bank) -> Result<(), LogError> {
    let mut seen = BTreeSet::new();
    for event in log.events() {
        let register = event.register();
        if event.kind() != EV_SEPARATOR {
            continue;
        }
        let is_good = SEPARATORS.contains(&event.data())
            && event.digest(bank) == Some(&bank.digest(event.data()));
        if !is_good || !seen.insert(register) {
            return Err(LogError::Separator { register });
        }
    }
    Ok(())
}

/// Why a log is not that of the quoted registers.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum LogError {
    /// The log is malformed, or lacks the bank.
    #[error(transparent)]
    Format(#[from] EventLogError),

    /// The log does not give the value of a register.
    #[error("the log does not give the value of register {register}")]
    Register {
        /// Which.
        register: u8,
    },

    /// A register has a second separator, or one that records an error.
    #[error("register {register} has a second separator, or one that records an error")]
    Separator {
        /// Which.
        register: u32,
    },
}

impl LogError {
    pub(super) const fn code(&self) -> Code {
        match self {
            Self::Format(_) => Code::EventLogMalformed,
            Self::Register { .. } | Self::Separator { .. } => Code::EventLogMismatch,
        }
    }
}

// PC Client Platform Firmware Profile, "Event Types".
const EV_NO_ACTION: u32 = 0x3;
const EV_SEPARATOR: u32 = 0x4;
/// Types whose digest is that of the event's data: separator, action, tag, version
/// of the first code, table of devices; UEFI variables of the driver's
/// configuration, of boot and of authorities, partition table, UEFI action.
const HASHED_DATA: [u32; 10] = [
    EV_SEPARATOR,
    0x5,
    0x6,
    0x8,
    0xB,
    0x8000_0001,
    0x8000_0006,
    0x8000_0007,
    0x8000_000C,
    0x8000_00E0,
];
/// 0 and -1; another value records an error.
const SEPARATORS: [&[u8]; 2] = [&[0; 4], &[0xFF; 4]];
const FIRMWARE_REGISTERS: core::ops::RangeInclusive<u8> = 0..=7;

#[cfg(test)]
mod tests;
