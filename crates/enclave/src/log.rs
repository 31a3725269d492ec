//! Logs that cannot hold what users say.
//!
//! A line is made of an [`Event`], and an event holds numbers, durations,
//! words that stand in this source, and digests of public things. There is no
//! field that could take a text from a request, so nobody has to remember not
//! to log one. What happens inside the seal has no event at all: a status or a
//! duration of one exchange would undo what padding hides.

use std::io::Write;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

/// Something worth a line.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// No new connection is accepted for a while: the system refused one.
    AcceptFailed,
    /// Running exchanges get time to end; new ones are refused.
    Draining {
        /// Exchanges that run.
        running: usize,
    },
    /// The engine answers.
    EngineReady {
        /// Time it took to start.
        #[serde(serialize_with = "millis")]
        took: Duration,
    },
    /// Keys reached the end of their life and were erased.
    EpochErased {
        /// How many.
        keys: usize,
    },
    /// A new key is published.
    EpochStarted {
        /// SHA-256 of its key configuration.
        key_configuration: Digest,
        /// Time that keys, quote and bundle took.
        #[serde(serialize_with = "millis")]
        took: Duration,
    },
    /// No new key, because the platform gave no evidence.
    EvidenceFailed {
        /// Which step failed.
        step: &'static str,
    },
    /// A protection of the process could not be switched on.
    HardeningMissing {
        /// Which.
        what: &'static str,
    },
    /// The program broke; the exchange it happened in ends with an error.
    Panicked {
        /// Where.
        place: SourcePlace,
    },
    /// A part of the sandbox is not there.
    SandboxIncomplete,
    /// The service listens.
    Started {
        /// SHA-256 of the configuration file.
        configuration: Digest,
        /// Port it listens on.
        port: u16,
    },
    /// The service ends.
    Stopped {
        /// Exchanges that were cut off.
        cut_off: usize,
    },
}

/// A SHA-256 digest of something public.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Digest([u8; 32]);

/// A file of this program's source, and a line of it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct SourcePlace {
    file: String,
    line: u32,
}

/// Writes events as JSON, one on each line.
#[derive(Clone)]
pub struct Log(Arc<Mutex<Box<dyn Write + Send>>>);

impl Digest {
    /// Takes the digest of something public.
    #[must_use]
    pub fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl SourcePlace {
    /// Takes a place that the compiler recorded.
    #[must_use]
    pub fn new(location: &Location<'_>) -> Self {
        Self {
            file: location.file().to_owned(),
            line: location.line(),
        }
    }
}

impl Log {
    /// Writes to stderr.
    #[must_use]
    pub fn stderr() -> Self {
        Self::to(std::io::stderr())
    }

    /// Writes to `sink`.
    #[must_use]
    pub fn to(sink: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(sink))))
    }

    /// Writes one line. A sink that takes none is no reason to stop.
    pub fn write(&self, event: &Event) {
        let Ok(mut line) = serde_json::to_vec(event) else {
            return;
        };
        line.push(b'\n');
        let mut sink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = sink.write_all(&line);
    }

    /// Makes panics say where they happened and nothing else: the text of a
    /// panic may quote what was being worked on.
    pub fn catch_panics(&self) {
        let log = self.clone();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(SourcePlace::new);
            let place = place.unwrap_or_else(|| SourcePlace::new(Location::caller()));
            log.write(&Event::Panicked { place });
        }));
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Log")
    }
}

fn millis<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
