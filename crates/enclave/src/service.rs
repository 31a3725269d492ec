//! The running service: what its parts share.

mod answer;
mod call;
mod exchange;
mod health;
mod http;
mod problem;
mod server;
mod streaming;

use std::sync::{Arc, OnceLock};

use subrosa_channel::{ModelEntry, absent_weights};
use subrosa_inference::ModelInfo;
use tokio::sync::{Semaphore, watch};

use crate::config::{Config, Limits, SamplingDefaults};
use crate::engine::Started;
use crate::epochs::Epochs;
use crate::log::Log;
use crate::metrics::Metrics;

pub use health::Health;
pub use server::{serve, serve_metrics};

/// What all connections share.
pub struct Service {
    limits: Limits,
    sampling: SamplingDefaults,
    log: Log,
    metrics: Metrics,
    running: OnceLock<Running>,
    draining: watch::Sender<bool>,
    /// One permit for each exchange.
    exchanges: Arc<Semaphore>,
    /// One permit for each byte of a request that is not opened yet.
    buffer: Arc<Semaphore>,
    /// One permit for each thread that opens requests.
    opening: Arc<Semaphore>,
}

/// What is there once the engine has started.
struct Running {
    started: Started,
    models: Vec<ModelEntry>,
    epochs: Arc<Epochs>,
    since: u64,
}

impl Service {
    /// A service that is starting.
    #[must_use]
    pub fn new(config: &Config, log: Log) -> Arc<Self> {
        let limits = config.limits().clone();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Arc::new(Self {
            exchanges: Arc::new(Semaphore::new(permits(limits.exchanges))),
            buffer: Arc::new(Semaphore::new(permits(limits.buffered_bytes))),
            opening: Arc::new(Semaphore::new(threads)),
            sampling: config.sampling().clone(),
            metrics: Metrics::new(),
            running: OnceLock::new(),
            draining: watch::Sender::new(false),
            limits,
            log,
        })
    }

    /// Begins to answer.
    pub fn start(&self, started: Started, epochs: Arc<Epochs>) {
        let running = Running {
            models: model_entries(&started.engine.models()),
            since: epochs.now(),
            started,
            epochs,
        };
        // A second start changes nothing.
        let _ = self.running.set(running);
    }

    /// Refuses new exchanges from now on.
    pub fn drain(&self) {
        let _ = self.draining.send_replace(true);
    }

    /// Whether new exchanges are refused.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// How many exchanges run.
    #[must_use]
    pub fn exchanges(&self) -> usize {
        permits(self.limits.exchanges).saturating_sub(self.exchanges.available_permits())
    }

    /// Resolves when no exchange runs.
    pub async fn idle(&self) {
        let all = u32::try_from(self.limits.exchanges).unwrap_or(u32::MAX);
        let _ = self.exchanges.acquire_many(all).await;
    }

    /// The counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Refreshes the counts that are served.
    pub fn observe(&self) {
        if let Some(running) = self.running.get() {
            self.metrics
                .observe(running.started.engine.load(), running.epochs.counts());
        }
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("exchanges", &self.exchanges())
            .finish_non_exhaustive()
    }
}

/// The models of an engine as a key configuration lists them: by name, with
/// the digest of the weights where the engine has read them itself.
#[must_use]
pub fn model_entries(models: &[ModelInfo]) -> Vec<ModelEntry> {
    let mut entries: Vec<ModelEntry> = models
        .iter()
        .map(|model| ModelEntry {
            name: model.id.clone(),
            weights: model.weights_sha256.unwrap_or_else(absent_weights),
        })
        .collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

fn permits(limit: u64) -> usize {
    usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .min(Semaphore::MAX_PERMITS)
}
