//! The event log of a dstack guest: JSON, one list of events for RTMR 0 to 3.
//!
//! What dstack measures at run time goes into RTMR 3, with a digest that follows
//! from the event (dstack, `cc-eventlog`: `RuntimeEvent::sha384_digest`), so
//! there the text is proven together with the digest.

use serde::Deserialize;

use super::Bank;
use crate::signature::Hash;

/// A log in dstack's format of which nothing is verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DstackLog {
    events: Vec<DstackEvent>,
}

/// One measurement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DstackEvent {
    register: usize,
    digest: [u8; 48],
    runtime: Option<(String, Vec<u8>)>,
}

impl DstackLog {
    /// Longest log that is read, in bytes.
    pub const MAX_LEN: usize = 4 * 1024 * 1024;

    /// Reads a log. A run-time event may come without its digest, which then is
    /// computed; one with another digest than its text has is refused.
    ///
    /// # Errors
    ///
    /// [`DstackError`] says what is wrong.
    pub fn parse(json: &[u8]) -> Result<Self, DstackError> {
        if json.len() > Self::MAX_LEN {
            return Err(DstackError::TooLong { got: json.len() });
        }
        let events: Vec<WireEvent> =
            serde_json::from_slice(json).map_err(|_| DstackError::Format)?;
        let events = events
            .into_iter()
            .enumerate()
            .map(|(at, event)| event.read(at))
            .collect::<Result<_, _>>()?;
        Ok(Self { events })
    }

    /// The events in order.
    #[must_use]
    pub fn events(&self) -> &[DstackEvent] {
        &self.events
    }

    /// The values of RTMR 0 to 3 after these events.
    #[must_use]
    pub fn replay(&self) -> [[u8; 48]; 4] {
        let mut registers = [[0; 48]; 4];
        for event in &self.events {
            if let Some(register) = registers.get_mut(event.register)
                && let Ok(value) = Bank::Sha384.extend(register, &event.digest).try_into()
            {
                *register = value;
            }
        }
        registers
    }
}

impl DstackEvent {
    /// Which RTMR was extended.
    #[must_use]
    pub fn register(&self) -> usize {
        self.register
    }

    /// The digest that went into it.
    #[must_use]
    pub fn digest(&self) -> &[u8; 48] {
        &self.digest
    }

    /// Name and payload of a run-time event, which its digest proves.
    #[must_use]
    pub fn runtime(&self) -> Option<(&str, &[u8])> {
        let (name, payload) = self.runtime.as_ref()?;
        Some((name, payload))
    }
}

#[derive(Deserialize)]
struct WireEvent {
    imr: usize,
    event_type: u32,
    digest: String,
    event: String,
    event_payload: String,
}

impl WireEvent {
    fn read(self, at: usize) -> Result<DstackEvent, DstackError> {
        let malformed = DstackError::Event { at };
        if self.imr >= 4 {
            return Err(malformed);
        }
        let runtime = if self.event_type == RUNTIME_EVENT {
            let payload = hex::decode(&self.event_payload).map_err(|_| malformed.clone())?;
            Some((self.event, payload))
        } else {
            None
        };
        let computed = runtime
            .as_ref()
            .and_then(|(name, payload)| runtime_digest(name, payload));
        let mut given = [0; 48];
        let digest = match (self.digest.is_empty(), computed) {
            (true, Some(computed)) => computed,
            (true, None) => return Err(malformed),
            (false, computed) => {
                hex::decode_to_slice(&self.digest, &mut given).map_err(|_| malformed)?;
                if computed.is_some_and(|computed| computed != given) {
                    return Err(DstackError::Digest { at });
                }
                given
            }
        };
        Ok(DstackEvent {
            register: self.imr,
            digest,
            runtime,
        })
    }
}

/// SHA-384 of the event's type, name and payload, joined by colons.
fn runtime_digest(name: &str, payload: &[u8]) -> Option<[u8; 48]> {
    let parts = [
        &RUNTIME_EVENT.to_le_bytes(),
        b":".as_slice(),
        name.as_bytes(),
        b":",
        payload,
    ];
    Hash::Sha384.digest(&parts.concat()).try_into().ok()
}

/// dstack, `cc-eventlog`: `DSTACK_RUNTIME_EVENT_TYPE`.
const RUNTIME_EVENT: u32 = 0x0800_0001;

/// Why a log was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DstackError {
    /// A run-time event has another digest than its text.
    #[error("event {at} has a digest of something else")]
    Digest {
        /// Which event.
        at: usize,
    },

    /// An event breaks the format.
    #[error("event {at} is malformed")]
    Event {
        /// Which event.
        at: usize,
    },

    /// The text is not such a list.
    #[error("not a dstack event log")]
    Format,

    /// The input is longer than [`DstackLog::MAX_LEN`].
    #[error(
        "event log is {got} bytes long, at most {} are read",
        DstackLog::MAX_LEN
    )]
    TooLong {
        /// Length of the input, in bytes.
        got: usize,
    },
}
