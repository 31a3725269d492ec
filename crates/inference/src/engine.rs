//! What every engine can do, and how it says that it cannot.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::Stream;
use subrosa_api::endpoint::embeddings::EmbeddingsRequest;
use subrosa_api::error::{ApiError, Code};
use subrosa_api::event::Event;
use subrosa_api::request::GenerateRequest;
use tokio::sync::mpsc;

/// A source of answers: the embedded model, another server in the same virtual
/// machine, or the test engine.
///
/// The trait is object safe; the enclave holds an `Arc<dyn Engine>`.
pub trait Engine: Send + Sync {
    /// The models this engine serves, with the limits of each.
    fn models(&self) -> Vec<ModelInfo>;

    /// Starts an answer.
    ///
    /// The future resolves once the request is admitted: everything that can be
    /// refused is refused here, before any event exists. Dropping the returned
    /// stream cancels the answer and frees what it held.
    fn generate(&self, request: GenerateRequest)
    -> BoxFuture<'_, Result<EventStream, EngineError>>;

    /// Turns each input into one vector.
    fn embed(&self, request: EmbeddingsRequest) -> BoxFuture<'_, Result<Embeddings, EngineError>>;

    /// How loaded the engine is right now. Holds counts only.
    fn load(&self) -> Load;

    /// Refuses new work with [`EngineError::Draining`] and resolves when the
    /// last running answer has ended.
    fn drain(&self) -> BoxFuture<'_, ()>;
}

/// A model and the limits a request to it must keep.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// The name clients use.
    pub id: String,
    /// The most tokens a prompt and its answer may have together.
    pub context_tokens: usize,
    /// Length of an embedding vector; `None` where the model gives none.
    pub embedding_length: Option<usize>,
    /// SHA-256 of the weights file, where the engine has read it itself.
    pub weights_sha256: Option<[u8; 32]>,
}

impl ModelInfo {
    /// Describes a model that gives no embeddings and whose weights the engine
    /// has not read.
    #[must_use]
    pub fn new(id: impl Into<String>, context_tokens: usize) -> Self {
        Self {
            id: id.into(),
            context_tokens,
            embedding_length: None,
            weights_sha256: None,
        }
    }
}

/// Vectors in the order of the inputs.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Embeddings {
    /// One vector of length 1 (Euclidean norm) per input.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens read.
    pub prompt_tokens: u32,
}

impl Embeddings {
    /// Wraps vectors that cost `prompt_tokens` tokens.
    #[must_use]
    pub fn new(vectors: Vec<Vec<f32>>, prompt_tokens: u32) -> Self {
        Self {
            vectors,
            prompt_tokens,
        }
    }
}

impl fmt::Debug for Embeddings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embeddings")
            .field("vectors", &self.vectors.len())
            .field("prompt_tokens", &self.prompt_tokens)
            .finish()
    }
}

/// Counts for metrics: nothing here depends on what users wrote.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Load {
    /// Answers being generated.
    pub running: usize,
    /// Requests admitted and waiting for a place.
    pub queued: usize,
    /// Times the worker process was started again.
    pub restarts: u64,
}

/// The events of one answer; dropping it cancels the answer.
///
/// An engine writes every event but [`Event::Start`], whose identifier and time
/// are its caller's. A good answer ends with one [`Event::Finish`] per choice,
/// [`Event::Usage`] and [`Event::End`]; a failed one with [`Event::Error`] and
/// [`Event::End`]. A stream that stops before [`Event::End`] was cut: it must be
/// reported as an error, never as a shorter answer.
pub struct EventStream {
    events: mpsc::UnboundedReceiver<Event>,
    _cancel: CancelOnDrop,
}

impl EventStream {
    /// A stream over `events` that runs `cancel` when it is dropped.
    ///
    /// The channel is unbounded because its content is bounded elsewhere: an
    /// answer never has more events than its token limit allows.
    #[must_use]
    pub fn new(
        events: mpsc::UnboundedReceiver<Event>,
        cancel: impl FnOnce() + Send + 'static,
    ) -> Self {
        Self {
            events,
            _cancel: CancelOnDrop(Some(Box::new(cancel))),
        }
    }

    /// The next event, or `None` after the last one.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

impl Stream for EventStream {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.events.poll_recv(context)
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").finish_non_exhaustive()
    }
}

struct CancelOnDrop(Option<Box<dyn FnOnce() + Send>>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(cancel) = self.0.take() {
            cancel();
        }
    }
}

/// Why an engine did not, or could not, answer.
///
/// No variant carries user text; a field that was refused is named by its
/// place in the request.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Prompt and requested answer do not fit the model's context.
    #[error("request does not fit the model's context of {limit} tokens")]
    ContextTooLong {
        /// Tokens in the prompt, where the engine has counted them.
        prompt_tokens: Option<usize>,
        /// Tokens the model can hold.
        limit: usize,
    },

    /// The engine is shutting down and takes no new work.
    #[error("engine is shutting down")]
    Draining,

    /// The engine broke in a way the request did not cause.
    #[error("engine failed internally")]
    Internal,

    /// A field has a value this engine cannot use.
    #[error("request field `{field}` {reason}")]
    InvalidField {
        /// Path of the field.
        field: &'static str,
        /// What is wrong, as a clause without user text.
        reason: &'static str,
    },

    /// No model of that name is served here.
    #[error("unknown model")]
    ModelUnknown,

    /// Every place, the waiting ones included, is taken.
    #[error("queue is full, retry after {} s", whole_seconds(*retry_after))]
    QueueFull {
        /// When a place is likely to be free; at least one second.
        retry_after: Duration,
    },

    /// The answer took longer than the engine allows.
    #[error("answer took longer than {} s", limit.as_secs())]
    Timeout {
        /// The longest an answer may take.
        limit: Duration,
    },

    /// The engine, or this model, cannot do what was asked.
    #[error("{feature} is not supported by this engine")]
    Unsupported {
        /// What is missing.
        feature: &'static str,
    },

    /// The server behind an upstream engine refused or broke.
    #[error("upstream server failed{}", status.map(|s| format!(" with status {s}")).unwrap_or_default())]
    Upstream {
        /// Its HTTP status, if it gave one.
        status: Option<u16>,
    },

    /// The server behind an upstream engine found the request wrong.
    #[error("upstream server refused the request with status {status}")]
    UpstreamRefused {
        /// Its HTTP status.
        status: u16,
    },

    /// The worker process died while it wrote this answer.
    #[error("worker stopped during the answer")]
    WorkerCrashed,

    /// The worker process is being started again.
    #[error("worker is restarting, retry after {} s", whole_seconds(*retry_after))]
    WorkerRestarting {
        /// When it is likely to be up; at least one second.
        retry_after: Duration,
    },
}

impl EngineError {
    /// The error as clients see it.
    #[must_use]
    pub fn to_api(&self) -> ApiError {
        let error = ApiError::new(self.code(), self.to_string());
        match self {
            Self::InvalidField { field, .. } => error.with_param(*field),
            Self::ModelUnknown => error.with_param("model"),
            Self::QueueFull { retry_after } | Self::WorkerRestarting { retry_after } => {
                error.with_retry_after(whole_seconds(*retry_after))
            }
            _ => error,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::ContextTooLong { .. } => Code::ContextLengthExceeded,
            Self::Draining => Code::Draining,
            Self::Internal | Self::Upstream { .. } | Self::WorkerCrashed => Code::EngineFailed,
            Self::InvalidField { .. } | Self::UpstreamRefused { .. } => Code::InvalidValue,
            Self::ModelUnknown => Code::ModelNotFound,
            Self::QueueFull { .. } => Code::QueueFull,
            Self::Timeout { .. } => Code::Timeout,
            Self::Unsupported { .. } => Code::UnsupportedByModel,
            Self::WorkerRestarting { .. } => Code::EngineRestarting,
        }
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        error.to_api()
    }
}

/// Rounds up, because "0" would invite an immediate retry.
fn whole_seconds(duration: Duration) -> u32 {
    let seconds = duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0));
    u32::try_from(seconds.max(1)).unwrap_or(u32::MAX)
}

/// An engine shared between the tasks of a service.
pub type SharedEngine = Arc<dyn Engine>;
