//! What the embedded engine is told.

use std::path::PathBuf;
use std::time::Duration;

use crate::embedded::sandbox::SandboxMode;
use crate::embedded::wire::WorkerSettings;

/// The settings of an embedded engine. All of them belong to the measured
/// configuration: none comes from the environment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EmbeddedConfig {
    /// The name clients use for the model.
    pub model: String,
    /// The GGUF file.
    pub weights: PathBuf,
    /// The SHA-256 it must have.
    pub weights_sha256: [u8; 32],
    /// Most bytes of the file; more are refused while reading.
    pub max_weights_bytes: u64,
    /// The program that runs [`worker::run`](super::worker::run).
    pub worker_program: PathBuf,
    /// Its arguments.
    pub worker_arguments: Vec<String>,
    /// Whether every layer of the sandbox must be there.
    pub sandbox: SandboxMode,
    /// Threads that compute: at most the dedicated processors.
    pub threads: u16,
    /// Whether those processors serve nothing else. Threads then wait for each
    /// other by spinning, which is faster; on processors that are shared it is
    /// many times slower, so the default is to sleep.
    pub dedicated_processors: bool,
    /// Answers computed at the same time, each choice counted.
    pub max_streams: u16,
    /// Requests that may wait for a place.
    pub max_queue: u16,
    /// Most tokens of a prompt and its answer.
    pub context_tokens: u32,
    /// Tokens all answers and kept prefixes may have together; `None` is room
    /// for a full context per stream.
    pub kv_tokens: Option<u32>,
    /// Prompt tokens computed between two tokens of running answers.
    pub prefill_chunk: u16,
    /// Conversations whose state is kept for their next message.
    pub cached_prefixes: u16,
    /// How long it is kept.
    pub cache_lifetime: Duration,
    /// Whether the model may be used for embeddings.
    pub embeddings: bool,
    /// The longest an answer may take.
    pub answer_timeout: Duration,
    /// The longest a worker may take to start.
    pub start_timeout: Duration,
    /// Used where a request leaves the choice open.
    pub defaults: SamplingDefaults,
}

impl EmbeddedConfig {
    /// The defaults for a model file; the worker is this program with the
    /// argument `worker`.
    #[must_use]
    pub fn new(
        model: impl Into<String>,
        weights: impl Into<PathBuf>,
        weights_sha256: [u8; 32],
    ) -> Self {
        Self {
            model: model.into(),
            weights: weights.into(),
            weights_sha256,
            max_weights_bytes: 1 << 40,
            worker_program: PathBuf::from("/proc/self/exe"),
            worker_arguments: vec!["worker".to_owned()],
            sandbox: SandboxMode::Required,
            threads: 2,
            dedicated_processors: false,
            max_streams: 8,
            max_queue: 64,
            context_tokens: 4096,
            kv_tokens: None,
            prefill_chunk: 256,
            cached_prefixes: 8,
            cache_lifetime: Duration::from_mins(10),
            embeddings: true,
            answer_timeout: Duration::from_mins(10),
            start_timeout: Duration::from_mins(5),
            defaults: SamplingDefaults::default(),
        }
    }

    pub(crate) fn worker_settings(&self) -> WorkerSettings {
        let streams = u32::from(self.max_streams.max(1));
        let room = self.context_tokens.saturating_mul(streams);
        WorkerSettings {
            sandbox: self.sandbox,
            threads: i32::from(self.threads.clamp(1, 1024).cast_signed()),
            streams,
            context_tokens: self.context_tokens,
            kv_tokens: self.kv_tokens.unwrap_or(room),
            prefill_chunk: u32::from(self.prefill_chunk.max(1)),
            // 256 sequences is the library's limit (LLAMA_MAX_SEQ).
            cached_prefixes: u32::from(self.cached_prefixes).min(256_u32.saturating_sub(streams)),
            cache_seconds: self.cache_lifetime.as_secs(),
            embeddings: self.embeddings,
        }
    }
}

/// How to choose tokens where a request does not say.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct SamplingDefaults {
    /// 0 takes the likeliest token.
    pub temperature: f32,
    /// 1 keeps every token.
    pub top_p: f32,
    /// 0 keeps every token.
    pub top_k: u32,
    /// 0 keeps every token.
    pub min_p: f32,
    /// 1 changes nothing.
    pub repeat_penalty: f32,
    /// Most tokens of an answer; `None` is what the context leaves.
    pub max_tokens: Option<u32>,
}

impl Default for SamplingDefaults {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            repeat_penalty: 1.0,
            max_tokens: None,
        }
    }
}
