//! Engines: what turns a request into tokens.
//!
//! ```text
//!                         subrosa_api::GenerateRequest
//!                                    │
//!                              Engine::generate ── refused: EngineError (→ ApiError, 429 with Retry-After …)
//!                ┌───────────────────┼──────────────────────┐
//!              echo               upstream               embedded
//!         (tests only)      (server in the same     supervisor │ restarts, queue, limits
//!                │           VM, Unix socket or        pipe    │ bounded frames
//!                │           loopback address)   ┌─────────────▼─────────────┐
//!                │                   │           │ worker process, sandboxed │
//!                │                   │           │ template → tokens → batch │
//!                │                   │           │ → sampling → text         │
//!                │                   │           └─────────────┬─────────────┘
//!                └───────────────────┼──────────────────────┘
//!                                EventStream ── dropped: the answer is cancelled
//! ```
//!
//! The crate makes no secret, opens no network listener and writes no log. It
//! does not decide who may ask: callers authenticate, size-check and time
//! requests first. Keys of the sealed channel never enter the worker process.
//!
//! Features: `embedded` (llama.cpp in a worker process, Linux) and `upstream`
//! (any OpenAI-compatible server). Without either, only the trait and the test
//! engine are compiled, and no C++.
//!
//! Read the modules in this order: [`engine`], [`echo`], `upstream`, `embedded`.

mod admission;
pub mod echo;
#[cfg(all(feature = "embedded", target_os = "linux"))]
pub mod embedded;
pub mod engine;
#[cfg(feature = "upstream")]
pub mod upstream;

pub use engine::{Embeddings, Engine, EngineError, EventStream, Load, ModelInfo, SharedEngine};
