//! The APIs that applications speak, and the compact stream between enclave and device.
//!
//! ```text
//! enclave                                            device
//! body ─endpoint::*::parse─▶ GenerateRequest
//!                              │ engine
//!                              ▼
//!                            Event ─encode─▶ sealed records ─EventDecoder─▶ Event ─render::*─▶ SSE
//!                              └─collect::Collector─▶ whole JSON body (requests without `stream`)
//! ```
//!
//! One neutral [`request::GenerateRequest`] serves four endpoints: OpenAI's chat completions,
//! completions and responses, and Anthropic's messages. A field that is not supported is refused
//! by name ([`error::Code::UnsupportedField`]); it is never ignored. The exceptions change nothing
//! about an answer: `null` counts as absent everywhere, and the labels of end users
//! (`user`, Anthropic's `metadata`) are accepted and dropped.
//!
//! Nothing here does I/O, reads a clock or draws random numbers. No `Debug` output and no error
//! message holds text of a user.
//!
//! Read the modules in this order: [`request`], [`endpoint`], [`event`], [`render`], [`collect`], [`error`].

#![expect(clippy::doc_markdown, reason = "OpenAI is a name, not code")]

pub mod collect;
pub mod endpoint;
pub mod error;
pub mod event;
pub mod json;
pub mod limits;
pub mod render;
pub mod request;

mod fields;
