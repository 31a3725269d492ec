//! What the upstream engine is told.

use std::time::Duration;

use tokio::time::Instant;

use crate::upstream::address::UpstreamAddress;

/// The settings of an upstream engine.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct UpstreamConfig {
    /// The server.
    pub address: UpstreamAddress,
    /// The name clients use for the model.
    pub model: String,
    /// The name the server uses for it.
    pub upstream_model: String,
    /// Most tokens of a prompt and its answer, as the server is configured.
    pub context_tokens: usize,
    /// Length of its embedding vectors, if it gives any.
    pub embedding_length: Option<usize>,
    /// How it keeps conversations apart in its prefix cache.
    pub cache: UpstreamCache,
    /// Most answers at the same time; more are refused as a full queue.
    pub max_streams: usize,
    /// The longest a connection may take to open.
    pub connect_timeout: Duration,
    /// The longest the server may be silent, before and during an answer.
    pub idle_timeout: Duration,
    /// The longest an answer may take.
    pub answer_timeout: Duration,
}

impl UpstreamConfig {
    /// The defaults for a server whose model has the same name there.
    #[must_use]
    pub fn new(address: UpstreamAddress, model: impl Into<String>, context_tokens: usize) -> Self {
        let model = model.into();
        Self {
            address,
            upstream_model: model.clone(),
            model,
            context_tokens,
            embedding_length: None,
            cache: UpstreamCache::Off,
            max_streams: 256,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_mins(2),
            answer_timeout: Duration::from_mins(10),
        }
    }

    /// When an answer that begins now must have ended.
    pub(crate) fn deadline(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.answer_timeout).unwrap_or(now)
    }
}

/// How a server keeps conversations apart in its prefix cache.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum UpstreamCache {
    /// It has none, or it is switched off: nothing about conversations is sent.
    Off,
    /// It takes a `cache_salt`: one per conversation, a fresh one without.
    Salt,
}
