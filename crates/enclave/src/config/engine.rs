//! What answers.

use core::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};

use super::checks::within;
use super::{ConfigError, resolve};

/// What answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum EngineSettings {
    /// Repeats what it is told; development builds only.
    Echo(EchoSettings),
    /// A model in a worker process of this program.
    Embedded(EmbeddedSettings),
    /// An OpenAI-compatible server in the same virtual machine.
    Upstream(UpstreamSettings),
}

/// The test engine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct EchoSettings {
    /// Name of its model.
    pub name: String,
    /// Words of an answer; absent: the message once.
    pub tokens: Option<u32>,
    /// Milliseconds before each word.
    pub delay_ms: u64,
}

/// A model in a worker process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EmbeddedSettings {
    /// Which model.
    pub model: ModelSource,
    /// Threads that compute.
    #[serde(default = "default_threads")]
    pub threads: u32,
    /// Tokens of the longest conversation, answer included.
    #[serde(default = "default_context")]
    pub context_tokens: u32,
    /// Answers made at the same time.
    #[serde(default = "default_slots")]
    pub slots: u32,
    /// Prompt tokens read between two steps of the running answers.
    #[serde(default = "default_chunk")]
    pub chunk_tokens: u32,
    /// What happens where the kernel cannot confine the worker.
    #[serde(default)]
    pub sandbox: Sandbox,
}

/// Which model the embedded engine runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ModelSource {
    /// The small model inside this program.
    Demo,
    /// A GGUF file.
    File(FileModel),
}

/// A GGUF file and what it must hash to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FileModel {
    /// Name that clients use.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of the whole file, 64 hexadecimal digits.
    #[serde(with = "hex::serde")]
    pub sha256: [u8; 32],
}

/// What happens where the kernel cannot confine the worker.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Sandbox {
    /// The worker starts with what there is, and the log says what is missing.
    BestEffort,
    /// The service does not start.
    #[default]
    Required,
}

/// An OpenAI-compatible server in the same virtual machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct UpstreamSettings {
    /// Name that clients use.
    pub name: String,
    /// Name that the server uses; absent: the same.
    pub model: Option<String>,
    /// Path of its Unix socket.
    pub socket: Option<PathBuf>,
    /// Its loopback address, instead of a socket.
    pub address: Option<SocketAddr>,
    /// Tokens of the longest conversation, answer included.
    #[serde(default = "default_context")]
    pub context_tokens: u32,
    /// Length of its embedding vectors; absent: it gives none.
    pub embedding_length: Option<u32>,
    /// Answers asked of it at the same time.
    #[serde(default = "default_upstream_slots")]
    pub slots: u32,
    /// How it keeps conversations apart in its prefix cache.
    #[serde(default)]
    pub cache: Cache,
}

/// How an upstream server keeps conversations apart in its prefix cache.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Cache {
    /// It has none, or it is switched off.
    #[default]
    Off,
    /// It takes a secret for each conversation.
    Salt,
}

/// Where the server of an upstream engine is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum UpstreamAddress<'a> {
    /// A Unix socket.
    Socket(&'a Path),
    /// A loopback address.
    Loopback(SocketAddr),
}

impl EngineSettings {
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        match self {
            Self::Embedded(EmbeddedSettings {
                model: ModelSource::File(file),
                ..
            }) => {
                resolve(&mut file.path, folder);
            }
            Self::Upstream(UpstreamSettings {
                socket: Some(socket),
                ..
            }) => resolve(socket, folder),
            _ => {}
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Echo(echo) => echo.check(),
            Self::Embedded(embedded) => embedded.check(),
            Self::Upstream(upstream) => upstream.check(),
        }
    }
}

impl EchoSettings {
    fn check(&self) -> Result<(), ConfigError> {
        feature(cfg!(feature = "development"), "engine.kind", "development")?;
        check_name(&self.name)?;
        within("engine.delay_ms", self.delay_ms, 0, 60_000)
    }
}

impl EmbeddedSettings {
    fn check(&self) -> Result<(), ConfigError> {
        feature(cfg!(feature = "embedded"), "engine.kind", "embedded")?;
        match &self.model {
            ModelSource::Demo => {
                feature(cfg!(feature = "demo-model"), "engine.model", "demo-model")?;
            }
            ModelSource::File(file) => check_name(&file.name)?,
        }
        within("engine.threads", self.threads.into(), 1, 1024)?;
        within(
            "engine.context_tokens",
            self.context_tokens.into(),
            64,
            1 << 24,
        )?;
        // 256 sequences are the most that the library can hold.
        within("engine.slots", self.slots.into(), 1, 256)?;
        within("engine.chunk_tokens", self.chunk_tokens.into(), 1, 8192)
    }
}

impl UpstreamSettings {
    /// Where the server is.
    #[must_use]
    pub fn server(&self) -> Option<UpstreamAddress<'_>> {
        match (&self.socket, self.address) {
            (Some(socket), None) => Some(UpstreamAddress::Socket(socket)),
            (None, Some(address)) => Some(UpstreamAddress::Loopback(address)),
            _ => None,
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        feature(cfg!(feature = "upstream"), "engine.kind", "upstream")?;
        check_name(&self.name)?;
        within(
            "engine.context_tokens",
            self.context_tokens.into(),
            64,
            1 << 24,
        )?;
        within("engine.slots", self.slots.into(), 1, 1 << 20)?;
        if let Some(length) = self.embedding_length {
            within("engine.embedding_length", length.into(), 1, 65_536)?;
        }
        match self.server() {
            Some(UpstreamAddress::Loopback(address)) if !address.ip().is_loopback() => {
                Err(ConfigError::Conflict {
                    field: "engine.address",
                    reason: "the server must be in the same virtual machine; use a Unix socket or a loopback address",
                })
            }
            Some(_) => Ok(()),
            None => Err(ConfigError::Conflict {
                field: "engine.socket",
                reason: "give either `socket` or `address`, and not both",
            }),
        }
    }
}

impl Default for EchoSettings {
    fn default() -> Self {
        Self {
            name: "echo".to_owned(),
            tokens: None,
            delay_ms: 0,
        }
    }
}

impl<'de> Deserialize<'de> for ModelSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Source;

        impl<'de> Visitor<'de> for Source {
            type Value = ModelSource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"demo\" or a table with `name`, `path` and `sha256`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ModelSource, E> {
                match text {
                    "demo" => Ok(ModelSource::Demo),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ModelSource, A::Error> {
                FileModel::deserialize(MapAccessDeserializer::new(map)).map(ModelSource::File)
            }
        }

        deserializer.deserialize_any(Source)
    }
}

pub(super) fn feature(
    built: bool,
    field: &'static str,
    feature: &'static str,
) -> Result<(), ConfigError> {
    if built {
        Ok(())
    } else {
        Err(ConfigError::FeatureMissing { field, feature })
    }
}

/// A name that fits a key configuration (spec/channel.md §1).
fn check_name(name: &str) -> Result<(), ConfigError> {
    let good =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/:".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(good) {
        Ok(())
    } else {
        Err(ConfigError::Invalid {
            field: "engine.name",
            expected: "1 to 64 characters of `a-z 0-9 . _ - / :`",
        })
    }
}

fn default_threads() -> u32 {
    2
}

fn default_context() -> u32 {
    4096
}

fn default_slots() -> u32 {
    8
}

fn default_upstream_slots() -> u32 {
    256
}

fn default_chunk() -> u32 {
    256
}
