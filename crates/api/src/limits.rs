//! Hard bounds on what a request may hold.
//!
//! A service may set tighter ones; these keep memory bounded before anything else has been decided.

/// Bytes of a request body. The sealed exchange allows no more (spec/channel.md §2).
pub const MAX_BODY_BYTES: usize = 16 << 20;
/// Nested arrays and objects in a request body.
pub const MAX_DEPTH: usize = 64;
/// JSON values in a request body, keys not counted.
pub const MAX_VALUES: usize = 1 << 18;
/// Messages or input items of one request.
pub const MAX_MESSAGES: usize = 4096;
/// Text parts of one message.
pub const MAX_PARTS: usize = 256;
/// Tools a request may offer, and calls one answer may make.
pub const MAX_TOOLS: usize = 128;
/// Bytes of the name of a tool, a schema or a participant.
pub const MAX_NAME_BYTES: usize = 64;
/// Bytes of a model name.
pub const MAX_MODEL_BYTES: usize = 128;
/// Bytes of a response or tool call identifier.
pub const MAX_ID_BYTES: usize = 128;
/// Stop sequences of one request.
pub const MAX_STOPS: usize = 8;
/// Bytes of one stop sequence.
pub const MAX_STOP_BYTES: usize = 256;
/// Entries of `logit_bias`.
pub const MAX_LOGIT_BIAS: usize = 300;
/// Choices (`n`) of one request.
pub const MAX_CHOICES: u8 = 8;
/// Alternatives reported beside each token.
pub const MAX_TOP_LOGPROBS: u8 = 20;
/// Alternatives reported beside each token by `/v1/completions`.
pub const MAX_COMPLETION_LOGPROBS: u8 = 5;
/// Texts of one embeddings request.
pub const MAX_EMBEDDING_INPUTS: usize = 2048;
/// Largest `max_tokens` that is a sensible number; a model's context is smaller.
pub const MAX_TOKENS: u32 = 1 << 24;
