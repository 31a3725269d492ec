//! The engines that are measured, and how they are set up.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use subrosa_inference::SharedEngine;
use subrosa_inference::echo::{EchoConfig, EchoEngine};
use subrosa_inference::embedded::sandbox::SandboxMode;
use subrosa_inference::embedded::{EmbeddedConfig, EmbeddedEngine};

use crate::Failed;
use crate::load::MODEL;

/// The embedded engine on `model`. This program is its worker.
///
/// # Errors
///
/// When it does not start.
pub async fn embedded(model: &Path) -> Result<SharedEngine, Failed> {
    let digest: [u8; 32] = Sha256::digest(std::fs::read(model)?).into();
    let mut config = EmbeddedConfig::new(MODEL, PathBuf::from(model), digest);
    config.sandbox = SandboxMode::BestEffort;
    config.threads = THREADS;
    config.max_streams = STREAMS;
    config.max_queue = STREAMS;
    config.context_tokens = CONTEXT;
    config.cached_prefixes = 0;
    Ok(Arc::new(EmbeddedEngine::start(config).await?))
}

/// The test engine: a word each `delay`. It computes nothing, so what comes
/// later than that is due to what lies between.
#[must_use]
pub fn echo(delay: Duration, words: usize) -> SharedEngine {
    let mut config = EchoConfig::default();
    MODEL.clone_into(&mut config.model);
    config.tokens = Some(words);
    config.delay = delay;
    Arc::new(EchoEngine::new(config))
}

/// Threads that compute.
pub const THREADS: u16 = 2;
/// Most streams at once.
pub const STREAMS: u16 = 32;
/// Tokens of a prompt and its answer.
pub const CONTEXT: u32 = 512;
