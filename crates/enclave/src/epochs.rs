//! Keys and their lives: made, attested, published, accepted, erased.
//!
//! Every `epoch_seconds` a new key is made, a quote binds it, and the directory
//! names it. It opens requests until its `not after`, then it is erased with
//! its replay register. Where the platform gives no quote there is no new key;
//! the old one stays named for the rest of its life and is then erased too.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use bytes::Bytes;
use getrandom::SysRng;
use rand_core::UnwrapErr;
use subrosa_channel::{
    Epoch, Gateway, KeyConfigurationError, KeyConfigurationParams, KeyId, ModelEntry, OpenError,
    OpenedExchange, StreamShape, absent_release,
};
use subrosa_evidence::{CollectError, Machine, Stapled};
use subrosa_translog::LogProof;
use subrosa_translog::entry::directory::Directory;
use thiserror::Error;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::clock::Clock;
use crate::config::{Config, Keys, LogSettings, Shape};
use crate::directory::{self, Node};
use crate::log::{Digest, Event, Log};
use crate::log_files::{self, LogFileError};
use crate::metrics::KeyCounts;

/// The keys of this enclave.
pub struct Epochs {
    clock: Clock,
    machine: Arc<Machine>,
    template: Template,
    files: Option<LogSettings>,
    log: Log,
    gateway: RwLock<Gateway>,
    published: RwLock<Published>,
    failing: AtomicBool,
    made: AtomicU64,
}

/// Why there is no new key.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EpochError {
    /// The machine gave no evidence.
    #[error(transparent)]
    Evidence(#[from] CollectError),
    /// The configuration cannot be put into a key configuration.
    #[error(transparent)]
    KeyConfiguration(#[from] KeyConfigurationError),
    /// What the log has said cannot be read.
    #[error(transparent)]
    Log(#[from] LogFileError),
}

/// What all key configurations of this process have in common.
struct Template {
    keys: Keys,
    configuration: [u8; 32],
    balanced: StreamShape,
    strict: StreamShape,
    models: Vec<ModelEntry>,
}

#[derive(Default)]
struct Published {
    /// Newest first.
    keys: Vec<PublishedKey>,
    /// The last proof of a directory that was read.
    logged: Option<(LogProof, Bytes)>,
    directory: Bytes,
    /// The proof that belongs to the directory.
    proof: Option<Bytes>,
    /// The directory of the newest key.
    next: Bytes,
}

struct PublishedKey {
    node: Node,
    bundle_hash: [u8; 32],
    bundle: Bytes,
}

impl Epochs {
    /// Keys for `models` under `config`; none exists before [`Self::renew`].
    #[must_use]
    pub fn new(
        config: &Config,
        models: Vec<ModelEntry>,
        machine: Arc<Machine>,
        clock: Clock,
        log: Log,
    ) -> Self {
        Self {
            clock,
            machine,
            template: Template {
                keys: config.keys().clone(),
                configuration: *config.digest(),
                balanced: stream_shape(config.shapes().balanced),
                strict: stream_shape(config.shapes().strict),
                models,
            },
            files: config.log().cloned(),
            log,
            gateway: RwLock::new(Gateway::new()),
            published: RwLock::new(Published {
                directory: directory::render(&[]),
                next: directory::render(&[]),
                ..Published::default()
            }),
            failing: AtomicBool::new(false),
            made: AtomicU64::new(0),
        }
    }

    /// Makes, attests and publishes a key. It blocks while the platform works.
    ///
    /// # Errors
    ///
    /// [`EpochError`]; the keys are as before then.
    pub fn renew(&self) -> Result<KeyId, EpochError> {
        let started = Instant::now();
        let made = self.make();
        self.failing.store(made.is_err(), Ordering::SeqCst);
        let (epoch, key) = made?;
        let key_id = epoch.key_configuration().key_id();
        let key_configuration = Digest::new(epoch.key_configuration().digest());
        // Accepted before it is published: nobody can be told of a key that
        // does not open yet.
        self.gateway_mut().add(epoch);
        let mut published = self.published_mut();
        published.keys.insert(0, key);
        published.render();
        drop(published);
        let _ = self.made.fetch_add(1, Ordering::SeqCst);
        self.log.write(&Event::EpochStarted {
            key_configuration,
            took: started.elapsed(),
        });
        Ok(key_id)
    }

    /// Erases the keys whose life is over.
    pub fn erase_expired(&self) {
        let now = self.clock.now();
        let keys = self.gateway_mut().erase_expired(now);
        if keys > 0 {
            let mut published = self.published_mut();
            published.keys.retain(|key| now < key.node.not_after);
            published.render();
            self.log.write(&Event::EpochErased { keys });
        }
    }

    /// Opens a sealed request.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(&self, bytes: &[u8]) -> Result<OpenedExchange, OpenError> {
        self.gateway().open(bytes, self.clock.now())
    }

    /// The directory of this node, as it is served.
    #[must_use]
    pub fn directory(&self) -> Bytes {
        self.published().directory.clone()
    }

    /// The proof that this directory is logged.
    #[must_use]
    pub fn directory_proof(&self) -> Option<Bytes> {
        self.published().proof.clone()
    }

    /// The directory that is to be logged next.
    #[must_use]
    pub fn next_directory(&self) -> Bytes {
        self.published().next.clone()
    }

    /// Reads the proof of a directory again. A key that it names is published from then on.
    pub fn read_directory_proof(&self) {
        let Some(files) = &self.files else { return };
        if let Some((proof, bytes)) = log_files::directory(files) {
            let mut published = self.published_mut();
            published.logged = Some((proof, bytes.into()));
            published.render();
        }
    }

    /// Follows the proofs of directories, for ever.
    pub async fn follow_directory(self: Arc<Self>) {
        if self.files.is_none() {
            return;
        }
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let _ = ticks.tick().await;
            let epochs = Arc::clone(&self);
            // The file may lie on a disk of the host, which may never answer.
            if spawn_blocking(move || epochs.read_directory_proof())
                .await
                .is_err()
            {
                return;
            }
        }
    }

    /// The bundle with this SHA-256.
    #[must_use]
    pub fn bundle(&self, hash: &[u8; 32]) -> Option<Bytes> {
        let published = self.published();
        let key = published.keys.iter().find(|key| key.bundle_hash == *hash)?;
        Some(key.bundle.clone())
    }

    /// Whether there is a key that devices can be told of.
    #[must_use]
    pub fn has_key(&self) -> bool {
        !self.published().keys.is_empty()
    }

    /// Whether the last attempt to make a key got no evidence.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::SeqCst)
    }

    /// How many keys there are and were.
    #[must_use]
    pub fn counts(&self) -> KeyCounts {
        KeyCounts {
            living: self.published().keys.len(),
            made: self.made.load(Ordering::SeqCst),
        }
    }

    /// The time, for what is stamped inside the seal.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Erases and renews keys when their time has come, for ever.
    pub async fn keep(self: Arc<Self>) {
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut retry_at = Instant::now();
        let mut renewal: Option<JoinHandle<Result<KeyId, EpochError>>> = None;
        loop {
            let _ = ticks.tick().await;
            // Also while a renewal runs: how long that takes is up to the host.
            self.erase_expired();
            if let Some(ended) = renewal.take_if(|renewal| renewal.is_finished())
                && let Ok(Err(error)) = ended.await
            {
                self.log
                    .write(&Event::EvidenceFailed { step: error.step() });
                // The platform may need minutes; each attempt costs it a signature.
                retry_at = Instant::now().checked_add(RETRY).unwrap_or(retry_at);
            }
            if renewal.is_none() && self.is_due() && Instant::now() >= retry_at {
                let epochs = Arc::clone(&self);
                renewal = Some(spawn_blocking(move || epochs.renew()));
            }
        }
    }

    /// Whether the newest key is an epoch old. One that lies in the future was
    /// made before the host turned its clock back, and devices refuse it.
    fn is_due(&self) -> bool {
        let now = self.clock.now();
        self.published().keys.first().is_none_or(|newest| {
            let end = newest
                .node
                .not_before
                .saturating_add(self.template.keys.epoch_seconds);
            now >= end || now < newest.node.not_before
        })
    }

    fn make(&self) -> Result<(Epoch, PublishedKey), EpochError> {
        let not_before = self.clock.now();
        let not_after = not_before.saturating_add(self.template.keys.life_seconds);
        let proofs = self.files.as_ref().map(log_files::read).transpose()?;
        let (stapled, release) = proofs.map_or_else(
            || (Stapled::default(), absent_release()),
            |proofs| (proofs.stapled, proofs.release),
        );
        let params = self.template.params(not_before, not_after, release);
        let capacity = usize::try_from(self.template.keys.replay_capacity).unwrap_or(usize::MAX);
        let epoch = Epoch::generate(&params, capacity, &mut UnwrapErr(SysRng))?;
        let kc = epoch.key_configuration();
        let bundle = self.machine.bundle_with(kc.as_bytes(), stapled)?;
        let node = Node {
            key_id: kc.key_id(),
            bundle: bundle.hash(),
            not_before,
            not_after,
            models: kc.models().iter().map(|model| model.name.clone()).collect(),
        };
        let key = PublishedKey {
            node,
            bundle_hash: *bundle.hash().as_bytes(),
            bundle: Bytes::copy_from_slice(bundle.as_bytes()),
        };
        Ok((epoch, key))
    }

    fn gateway(&self) -> RwLockReadGuard<'_, Gateway> {
        self.gateway.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn gateway_mut(&self) -> RwLockWriteGuard<'_, Gateway> {
        self.gateway.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn published(&self) -> RwLockReadGuard<'_, Published> {
        self.published
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn published_mut(&self) -> RwLockWriteGuard<'_, Published> {
        self.published
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl EpochError {
    /// The step that failed, for the log.
    #[must_use]
    pub fn step(&self) -> &'static str {
        match self {
            Self::Evidence(error) => error.step(),
            Self::KeyConfiguration(_) => "key-configuration",
            Self::Log(_) => "log",
        }
    }
}

impl Template {
    fn params(
        &self,
        not_before: u64,
        not_after: u64,
        release_id: [u8; 32],
    ) -> KeyConfigurationParams {
        KeyConfigurationParams {
            not_before,
            not_after,
            release_id,
            configuration: self.configuration,
            balanced: self.balanced,
            strict: self.strict,
            models: self.models.clone(),
        }
    }
}

impl Published {
    /// A key is published until the next one is (spec/channel.md §1), so the directory names the newest, or, where
    /// directories are logged, the newest whose directory is (spec/service.md).
    fn render(&mut self) {
        let of = |key: Option<&PublishedKey>| {
            let nodes: Vec<&Node> = key.into_iter().map(|key| &key.node).collect();
            directory::render(&nodes)
        };
        let newest = self.keys.first();
        let logged = self.logged.as_ref().and_then(|(proof, bytes)| {
            let is_proven =
                |key: &&PublishedKey| Directory::is_proven_by(proof, &[key.bundle_hash]);
            Some((self.keys.iter().find(is_proven)?, bytes.clone()))
        });
        let (key, proof) = logged.unzip();
        self.next = of(newest);
        self.directory = of(key.or(newest));
        self.proof = proof;
    }
}

impl std::fmt::Debug for Epochs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Epochs")
            .field("keys", &self.counts())
            .finish_non_exhaustive()
    }
}

fn stream_shape(shape: Shape) -> StreamShape {
    StreamShape {
        tick_ms: shape.tick_ms,
        record_len: shape.record_bytes,
    }
}

/// Time between attempts to get evidence.
const RETRY: Duration = Duration::from_secs(15);

#[cfg(all(test, feature = "development"))]
mod tests;
