//! The embedded engine: llama.cpp in a supervised, sandboxed worker process.
//!
//! ```text
//! EmbeddedEngine::start ── weights file ─▶ hashed, sealed copy in memory
//!        │                                          │ inherited descriptor
//!        ▼                                          ▼
//!   supervisor task ◀══ frames over a socket ══▶ worker process
//!   queue, limits, restarts                      sandbox → model → scheduler
//! ```
//!
//! A C++ `abort` cannot be caught, so the library lives in its own process. A
//! crash ends the answers in flight with an error event and nothing else.
//!
//! Memory of finished answers is released at once, and zeroed when the worker
//! has had nothing to do for a second and keeps no conversation's prefix.

mod answer;
mod config;
mod contexts;
mod embedder;
mod grammar;
mod ipc;
mod job;
mod outbox;
mod prefix_cache;
mod process;
mod sampling;
pub mod sandbox;
mod scheduler;
mod status;
mod supervisor;
mod template;
mod text;
mod tools;
mod vocabulary;
mod weights;
mod wire;
pub mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::{BoxFuture, FutureExt as _};
use subrosa_api::endpoint::embeddings::EmbeddingsRequest;
use subrosa_api::request::GenerateRequest;
use tokio::sync::{mpsc, oneshot};

pub use config::{EmbeddedConfig, SamplingDefaults};
pub use process::StartError;
pub use weights::{SealedWeights, WeightsError};

use crate::admission::{Admission, Place};
use crate::embedded::process::WorkerProcess;
use crate::embedded::sandbox::SandboxReport;
use crate::embedded::status::Status;
use crate::embedded::supervisor::{Command, EmbedCommand, GenerateCommand, Supervisor};
use crate::engine::{Embeddings, Engine, EngineError, EventStream, Load, ModelInfo};

/// The engine; dropping it stops the worker.
#[derive(Debug)]
pub struct EmbeddedEngine {
    config: Arc<EmbeddedConfig>,
    weights_sha256: [u8; 32],
    status: Arc<Status>,
    admission: Admission,
    commands: mpsc::UnboundedSender<Command>,
    next: AtomicU64,
}

impl EmbeddedEngine {
    /// Reads and checks the weights, and starts the worker.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is left running then.
    pub async fn start(config: EmbeddedConfig) -> Result<Self, StartError> {
        let config = Arc::new(config);
        let source = Arc::clone(&config);
        let weights = tokio::task::spawn_blocking(move || {
            SealedWeights::read(
                &source.weights,
                source.weights_sha256,
                source.max_weights_bytes,
            )
        })
        .await
        .map_err(|_| StartError::Died)??;
        let weights_sha256 = weights.sha256();
        let (worker, ready) = WorkerProcess::start(&config, &weights).await?;
        let status = Arc::new(Status::new(ready));
        let (commands, receiver) = mpsc::unbounded_channel();
        let supervisor = Supervisor::new(
            Arc::clone(&config),
            Arc::new(weights),
            Arc::clone(&status),
            worker,
        );
        tokio::spawn(supervisor.run(receiver));
        Ok(Self {
            config,
            weights_sha256,
            status,
            admission: Admission::default(),
            commands,
            next: AtomicU64::new(1),
        })
    }

    /// What protects this machine from the worker.
    #[must_use]
    pub fn sandbox(&self) -> &SandboxReport {
        &self.status.ready().sandbox
    }

    /// The worker's process id, while one lives.
    #[must_use]
    pub fn worker_id(&self) -> Option<u32> {
        self.status.worker()
    }

    fn enter(&self) -> Result<Place, EngineError> {
        let streams = usize::from(self.config.max_streams);
        let limit = streams.saturating_add(usize::from(self.config.max_queue));
        self.admission.enter(limit, || EngineError::QueueFull {
            retry_after: self.status.retry_after(self.config.max_streams),
        })
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    async fn begin(&self, request: GenerateRequest) -> Result<EventStream, EngineError> {
        let id = self.number();
        let job = job::job(id, &request, &self.config)?;
        let place = self.enter()?;
        let (events, receiver) = mpsc::unbounded_channel();
        let (admitted, answer) = oneshot::channel();
        let commands = self.commands.clone();
        // Made before the wait, so that giving up while waiting cancels too.
        let stream = EventStream::new(receiver, move || {
            let _ = commands.send(Command::Cancel(id));
        });
        let command = GenerateCommand {
            job,
            place,
            events,
            admitted,
        };
        self.commands
            .send(Command::Generate(Box::new(command)))
            .map_err(|_| EngineError::Internal)?;
        answer.await.map_err(|_| EngineError::Internal)??;
        Ok(stream)
    }

    async fn embed_all(&self, request: EmbeddingsRequest) -> Result<Embeddings, EngineError> {
        if request.model != self.config.model {
            return Err(EngineError::ModelUnknown);
        }
        let _place = self.enter()?;
        let mut embeddings = Embeddings::default();
        // One after the other, so that many texts do not hold up answers.
        for text in request.inputs {
            let (reply, answer) = oneshot::channel();
            let command = EmbedCommand {
                id: self.number(),
                text,
                reply,
            };
            self.commands
                .send(Command::Embed(command))
                .map_err(|_| EngineError::Internal)?;
            let (vector, tokens) = answer.await.map_err(|_| EngineError::Internal)??;
            embeddings.prompt_tokens = embeddings.prompt_tokens.saturating_add(tokens);
            embeddings.vectors.push(vector);
        }
        Ok(embeddings)
    }
}

impl Engine for EmbeddedEngine {
    fn models(&self) -> Vec<ModelInfo> {
        let ready = self.status.ready();
        let mut model = ModelInfo::new(&self.config.model, self.status.context_tokens());
        model.weights_sha256 = Some(self.weights_sha256);
        model.embedding_length = ready
            .embedding_length
            .and_then(|length| usize::try_from(length).ok());
        vec![model]
    }

    fn generate(
        &self,
        request: GenerateRequest,
    ) -> BoxFuture<'_, Result<EventStream, EngineError>> {
        self.begin(request).boxed()
    }

    fn embed(&self, request: EmbeddingsRequest) -> BoxFuture<'_, Result<Embeddings, EngineError>> {
        self.embed_all(request).boxed()
    }

    fn load(&self) -> Load {
        let (running, queued) = self.status.load();
        Load {
            running,
            queued,
            restarts: self.status.restarts(),
        }
    }

    fn drain(&self) -> BoxFuture<'_, ()> {
        self.admission.drain().boxed()
    }
}
