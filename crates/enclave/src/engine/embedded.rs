//! Starting the embedded engine.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use sha2::{Digest as _, Sha256};
use subrosa_inference::embedded::sandbox::SandboxMode;
use subrosa_inference::embedded::{EmbeddedConfig, EmbeddedEngine};

use super::Started;
use crate::config::{Config, EmbeddedSettings, ModelSource, Sandbox};
use crate::log::{Event, Log};
use crate::run::StartError;

/// Reads the model and starts the worker.
pub(super) async fn start(
    config: &Config,
    settings: &EmbeddedSettings,
    log: &Log,
) -> Result<Started, StartError> {
    let failed = |error: &dyn std::error::Error| StartError::Engine(chain(error));
    let source = Source::open(&settings.model).map_err(|error| failed(&error))?;
    let engine = EmbeddedEngine::start(source.configure(config, settings))
        .await
        .map_err(|error| failed(&error))?;
    if !engine.sandbox().is_complete() {
        log.write(&Event::SandboxIncomplete);
    }
    let engine = Arc::new(engine);
    let worker = Arc::clone(&engine);
    Ok(Started {
        engine,
        lives: Box::new(move || worker.worker_id().is_some()),
    })
}

/// Where the bytes of the model are.
struct Source {
    name: String,
    path: PathBuf,
    sha256: [u8; 32],
    /// Holds what `path` leads to.
    _memory: Option<File>,
}

impl Source {
    fn open(model: &ModelSource) -> std::io::Result<Self> {
        match model {
            ModelSource::Demo => Self::demo(),
            ModelSource::File(file) => Ok(Self {
                name: file.name.clone(),
                path: file.path.clone(),
                sha256: file.sha256,
                _memory: None,
            }),
        }
    }

    /// The engine reads files; the demo model becomes one in memory.
    fn demo() -> std::io::Result<Self> {
        let mut memory = File::from(memfd_create("subrosa-demo", MemfdFlags::CLOEXEC)?);
        memory.write_all(DEMO)?;
        Ok(Self {
            name: DEMO_NAME.to_owned(),
            path: PathBuf::from(format!("/proc/self/fd/{}", memory.as_raw_fd())),
            sha256: Sha256::digest(DEMO).into(),
            _memory: Some(memory),
        })
    }

    fn configure(&self, config: &Config, settings: &EmbeddedSettings) -> EmbeddedConfig {
        let narrow = |number: u64| u16::try_from(number).unwrap_or(u16::MAX);
        let mut engine = EmbeddedConfig::new(&self.name, &self.path, self.sha256);
        engine.threads = narrow(settings.threads.into());
        engine.max_streams = narrow(settings.slots.into());
        engine.max_queue = narrow(config.limits().queue);
        engine.context_tokens = settings.context_tokens;
        engine.prefill_chunk = narrow(settings.chunk_tokens.into());
        // The service ends a request first, with an error that says so.
        engine.answer_timeout = config.limits().request_time().saturating_add(MARGIN);
        engine.sandbox = match settings.sandbox {
            Sandbox::BestEffort => SandboxMode::BestEffort,
            Sandbox::Required => SandboxMode::Required,
        };
        engine
    }
}

/// An error and what caused it, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(feature = "demo-model")]
const DEMO: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../models/demo/subrosa-demo.gguf"
));
/// A configuration that names the demo model is refused when it is read.
#[cfg(not(feature = "demo-model"))]
const DEMO: &[u8] = &[];
const DEMO_NAME: &str = "subrosa-demo";
const MARGIN: Duration = Duration::from_secs(5);
