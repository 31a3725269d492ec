//! The messages between the supervisor and the worker.
//!
//! No type here implements `Debug` if it can hold text of a user.

use serde::{Deserialize, Serialize};

use crate::embedded::sampling::SamplingParams;
use crate::embedded::sandbox::{SandboxMode, SandboxReport};

/// From the supervisor.
#[derive(Deserialize, Serialize)]
pub(crate) enum ToWorker {
    /// Forget a request.
    Cancel { id: u64 },
    /// Always first, and only once.
    Configure(WorkerSettings),
    /// One text to turn into a vector.
    Embed { id: u64, text: String },
    /// A request for text.
    Generate(Box<Job>),
}

/// From the worker.
#[derive(Deserialize, Serialize)]
pub(crate) enum FromWorker {
    /// A request was read and fits; its answer follows.
    Admitted { id: u64 },
    /// The vector for a text.
    Embedded {
        id: u64,
        vector: Vec<f32>,
        tokens: u32,
    },
    /// A request is over: nothing about it follows.
    Ended { id: u64, counts: Counts },
    /// The worker cannot start; it exits after this.
    Failed(StartFailure),
    /// A step of an answer.
    Piece { id: u64, choice: u8, piece: Piece },
    /// The worker is up.
    Ready(Ready),
    /// A request cannot be answered; nothing about it follows.
    Refused { id: u64, refusal: Refusal },
}

/// A step of one choice.
#[derive(Deserialize, Serialize)]
pub(crate) enum Piece {
    Arguments {
        index: u8,
        text: String,
    },
    Call {
        index: u8,
        name: String,
    },
    Finish {
        reason: Finish,
        stop: Option<String>,
    },
    Logprobs(Vec<TokenProbability>),
    Text(String),
}

/// Why a choice ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Finish {
    Length,
    Stop,
    ToolCalls,
}

/// A token's bytes, its log probability, and alternatives.
#[derive(Deserialize, Serialize)]
pub(crate) struct TokenProbability {
    pub(crate) token: (Vec<u8>, f32),
    pub(crate) top: Vec<(Vec<u8>, f32)>,
}

/// Tokens of a finished request.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Counts {
    pub(crate) prompt: u32,
    pub(crate) completion: u32,
    pub(crate) cached: u32,
}

/// Why the worker turned a request down.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Refusal {
    /// The prompt leaves no room for an answer.
    ContextTooLong { tokens: Option<usize>, limit: usize },
    /// The grammar did not compile.
    Grammar,
    /// The computation failed.
    Internal,
    /// A bias names a token that the model does not have.
    LogitBias,
    /// The model gives no embeddings.
    NoEmbeddings,
    /// The chat template refused the messages.
    Template,
}

/// What the worker needs to know before it starts.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct WorkerSettings {
    pub(crate) sandbox: SandboxMode,
    pub(crate) threads: i32,
    pub(crate) streams: u32,
    pub(crate) context_tokens: u32,
    pub(crate) kv_tokens: u32,
    pub(crate) prefill_chunk: u32,
    pub(crate) cached_prefixes: u32,
    pub(crate) cache_seconds: u64,
    pub(crate) embeddings: bool,
}

/// What a started worker knows about itself and its model.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Ready {
    pub(crate) sandbox: SandboxReport,
    pub(crate) context_tokens: u32,
    pub(crate) vocabulary: u32,
    pub(crate) embedding_length: Option<u32>,
}

/// Why a worker did not start.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum StartFailure {
    /// llama.cpp refused to create a context.
    Context,
    /// The file is not a model that llama.cpp can load.
    Model,
    /// A layer of the sandbox that is required is missing.
    Sandbox(SandboxReport),
    /// The model has no chat template, or one that does not parse.
    Template,
}

/// One request for text, ready for the worker.
#[derive(Deserialize, Serialize)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) prompt: Prompt,
    pub(crate) sampling: SamplingParams,
    pub(crate) stops: Vec<String>,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) choices: u8,
    pub(crate) logprobs: Option<u8>,
    pub(crate) form: Form,
    /// SHA-256 of the conversation's secret: without it nothing is reused.
    pub(crate) cache_key: Option<[u8; 32]>,
}

/// What to continue.
#[derive(Deserialize, Serialize)]
pub(crate) enum Prompt {
    Chat {
        messages: Vec<ChatMessage>,
        tools: Vec<ChatTool>,
    },
    Text(String),
}

/// A message of a conversation.
#[derive(Deserialize, Serialize)]
pub(crate) struct ChatMessage {
    pub(crate) role: String,
    pub(crate) content: String,
    pub(crate) calls: Vec<ChatCall>,
    pub(crate) call_id: Option<String>,
    pub(crate) name: Option<String>,
}

/// A call the model made earlier.
#[derive(Deserialize, Serialize)]
pub(crate) struct ChatCall {
    pub(crate) id: String,
    pub(crate) name: String,
    /// JSON text as the model wrote it.
    pub(crate) arguments: String,
}

/// A function the model is told about.
#[derive(Deserialize, Serialize)]
pub(crate) struct ChatTool {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// JSON schema, as text.
    pub(crate) parameters: Option<String>,
}

/// The form an answer must have.
#[derive(Deserialize, Serialize)]
pub(crate) enum Form {
    /// Any text.
    Free,
    /// What the grammar allows.
    Grammar(String),
    /// One tool call, which the grammar describes.
    MustCall(String),
    /// Text, or tool calls between tags; the grammar describes one call and its
    /// closing tag.
    MayCall { grammar: String, many: bool },
}
