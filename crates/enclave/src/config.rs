//! The measured configuration: one TOML file, and nothing else.
//!
//! The SHA-256 of its bytes goes into every key configuration, so whatever can
//! change behaviour stands in it. An unknown key refuses to start; nothing is
//! read from the environment. Every field is explained in
//! `spec/configuration.md`.

mod checks;
mod engine;
mod platform;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
pub use subrosa_evidence::settings::{GpuSettings, PlatformSettings, TpmSettings};
use thiserror::Error;

pub use engine::{
    Cache, EchoSettings, EmbeddedSettings, EngineSettings, FileModel, ModelSource, Sandbox,
};
pub use engine::{UpstreamAddress, UpstreamSettings};

/// A configuration that was read, is complete and keeps every bound. Only
/// [`Config::parse`] makes one.
#[derive(Clone, Debug)]
pub struct Config {
    file: File,
    digest: [u8; 32],
}

/// Why a configuration was refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Two settings exclude each other.
    #[error("`{field}`: {reason}")]
    Conflict {
        /// Path of the field.
        field: &'static str,
        /// What is wrong, and what to do.
        reason: &'static str,
    },
    /// The program was built without what a setting needs.
    #[error("`{field}` needs a build with the feature `{feature}`")]
    FeatureMissing {
        /// Path of the field.
        field: &'static str,
        /// Name of the cargo feature.
        feature: &'static str,
    },
    /// A value that the field cannot have.
    #[error("`{field}` must be {expected}")]
    Invalid {
        /// Path of the field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A number outside of its bounds.
    #[error("`{field}` is {got}, allowed are {min} to {max}")]
    OutOfRange {
        /// Path of the field.
        field: &'static str,
        /// The number in the file.
        got: u64,
        /// Smallest allowed.
        min: u64,
        /// Largest allowed.
        max: u64,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The bytes are not the TOML that is expected: an unknown key, a missing
    /// one, or a wrong type.
    #[error("{0}")]
    Syntax(String),
    /// The file is larger than a configuration may be.
    #[error("configuration has {got} bytes, at most {limit} are read")]
    TooLarge {
        /// Its size.
        got: u64,
        /// Largest size.
        limit: u64,
    },
}

impl Config {
    /// Reads and checks the file at `path`. Relative paths inside it start at
    /// its folder.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let read = |error: std::io::Error| ConfigError::Read {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let got = std::fs::metadata(path).map_err(read)?.len();
        if got > MAX_FILE {
            return Err(ConfigError::TooLarge {
                got,
                limit: MAX_FILE,
            });
        }
        let bytes = std::fs::read(path).map_err(read)?;
        Self::parse(&bytes, path.parent().unwrap_or(Path::new(".")))
    }

    /// Reads and checks the bytes of a configuration file that lies in
    /// `folder`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn parse(bytes: &[u8], folder: &Path) -> Result<Self, ConfigError> {
        let text = core::str::from_utf8(bytes)
            .map_err(|_| ConfigError::Syntax("configuration is not UTF-8".to_owned()))?;
        let mut file: File =
            toml::from_str(text).map_err(|error| ConfigError::Syntax(error.to_string()))?;
        file.resolve_paths(folder);
        file.check()?;
        Ok(Self {
            file,
            digest: Sha256::digest(bytes).into(),
        })
    }

    /// SHA-256 of the exact bytes of the file.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Where the service listens.
    #[must_use]
    pub fn listen(&self) -> &Listen {
        &self.file.listen
    }

    /// Bounds on what a client may use.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.file.limits
    }

    /// Lives of keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.file.keys
    }

    /// Pace and size of streamed records.
    #[must_use]
    pub fn shapes(&self) -> &Shapes {
        &self.file.shapes
    }

    /// What answers.
    #[must_use]
    pub fn engine(&self) -> &EngineSettings {
        &self.file.engine
    }

    /// What a request that says nothing gets.
    #[must_use]
    pub fn sampling(&self) -> &SamplingDefaults {
        &self.file.sampling
    }

    /// What attests the keys.
    #[must_use]
    pub fn platform(&self) -> &PlatformSettings {
        &self.file.platform
    }

    /// The graphics processors that are attested with the platform.
    #[must_use]
    pub fn gpus(&self) -> Option<&GpuSettings> {
        self.file.gpus.as_ref()
    }

    /// A TPM beside the platform.
    #[must_use]
    pub fn tpm(&self) -> Option<&TpmSettings> {
        self.file.tpm.as_ref()
    }

    /// Files with what the transparency log has said.
    #[must_use]
    pub fn log(&self) -> Option<&LogSettings> {
        self.file.log.as_ref()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Listen,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    keys: Keys,
    #[serde(default)]
    shapes: Shapes,
    engine: EngineSettings,
    #[serde(default)]
    sampling: SamplingDefaults,
    platform: PlatformSettings,
    gpus: Option<GpuSettings>,
    tpm: Option<TpmSettings>,
    log: Option<LogSettings>,
}

/// Files with what the transparency log has said, which the host keeps fresh.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LogSettings {
    /// Log proof of the release manifest.
    pub release: PathBuf,
    /// Witnessed checkpoint that the evidence is bound to.
    pub checkpoint: PathBuf,
    /// Log proof of the directory that names the node's newest key.
    pub directory: PathBuf,
    /// Log proof of the roster of admitted machines.
    pub machines: Option<PathBuf>,
    /// This machine's record in the roster, with its proof.
    pub machine: Option<PathBuf>,
}

/// Where the service listens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Listen {
    /// For sealed exchanges; port 0 takes a free one.
    pub address: SocketAddr,
    /// For metrics, loopback only; absent: none are offered.
    pub metrics: Option<SocketAddr>,
}

/// Bounds on what clients may use.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Limits {
    /// Largest padded message inside a request, in bytes.
    pub message_bytes: u64,
    /// Bytes of requests held before they are opened, all clients together.
    pub buffered_bytes: u64,
    /// Open connections.
    pub connections: u64,
    /// Exchanges that run at the same time.
    pub exchanges: u64,
    /// Requests that wait for the engine.
    pub queue: u64,
    /// Tokens of one answer.
    pub answer_tokens: u64,
    /// Seconds for one request, from opening to the end of the answer.
    pub request_seconds: u64,
    /// Seconds within which a request must have arrived.
    pub read_seconds: u64,
    /// Seconds that running exchanges get when the service stops.
    pub drain_seconds: u64,
}

/// Lives of keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Keys {
    /// Seconds after which a new key is made.
    pub epoch_seconds: u64,
    /// Seconds for which a key opens requests; then it is erased.
    pub life_seconds: u64,
    /// Requests that one key opens; further ones are refused.
    pub replay_capacity: u64,
}

/// Pace and size of streamed records, per profile.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Shapes {
    /// Profile `balanced`.
    pub balanced: Shape,
    /// Profile `strict`.
    pub strict: Shape,
}

/// Pace and size of streamed records.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Shape {
    /// Milliseconds between records.
    pub tick_ms: u16,
    /// Plaintext bytes of a record.
    pub record_bytes: u16,
}

/// What a request that leaves a setting open gets. An absent field leaves it
/// to the engine.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SamplingDefaults {
    /// 0 to 2.
    pub temperature: Option<f32>,
    /// Above 0, to 1.
    pub top_p: Option<f32>,
    /// Tokens considered; 0: all.
    pub top_k: Option<u32>,
    /// 0 to 1.
    pub min_p: Option<f32>,
    /// Above 0, to 2.
    pub repeat_penalty: Option<f32>,
    /// Tokens of an answer; at most `limits.answer_tokens`.
    pub max_tokens: Option<u32>,
    /// Instructions that come before every conversation.
    pub system_prompt: Option<String>,
}

impl Limits {
    /// The largest sealed request: the message with the tags and lengths of
    /// its chunks, and what stands before it (spec/channel.md §2).
    #[must_use]
    pub fn sealed_bytes(&self) -> usize {
        let chunks = (self.message_bytes / 16_384).saturating_mul(24);
        let sealed = self.message_bytes.saturating_add(chunks);
        usize::try_from(sealed.saturating_add(8192)).unwrap_or(usize::MAX)
    }

    /// [`Self::request_seconds`] as a duration.
    #[must_use]
    pub fn request_time(&self) -> Duration {
        Duration::from_secs(self.request_seconds)
    }

    /// [`Self::read_seconds`] as a duration.
    #[must_use]
    pub fn read_time(&self) -> Duration {
        Duration::from_secs(self.read_seconds)
    }

    /// [`Self::drain_seconds`] as a duration.
    #[must_use]
    pub fn drain_time(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 4 << 20,
            buffered_bytes: 256 << 20,
            connections: 2048,
            exchanges: 256,
            queue: 64,
            answer_tokens: 4096,
            request_seconds: 600,
            read_seconds: 30,
            drain_seconds: 30,
        }
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            epoch_seconds: 600,
            life_seconds: 1200,
            replay_capacity: 200_000,
        }
    }
}

impl Default for Shapes {
    fn default() -> Self {
        Self {
            balanced: Shape {
                tick_ms: 40,
                record_bytes: 256,
            },
            strict: Shape {
                tick_ms: 50,
                record_bytes: 512,
            },
        }
    }
}

/// Makes `path` absolute, if it is relative, by starting at `folder`.
fn resolve(path: &mut PathBuf, folder: &Path) {
    if path.is_relative() {
        *path = folder.join(&path);
    }
}

/// Far more than a configuration needs.
const MAX_FILE: u64 = 1 << 20;

#[cfg(test)]
mod tests;
