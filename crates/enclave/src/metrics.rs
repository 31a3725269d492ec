//! Counts for whoever runs the service, about load and never about users.
//!
//! Labels are enums that are complete here, so no text of a request can become
//! one. What is served is a snapshot taken once a minute: counters that moved
//! with every answer would tell a reader the length of each.

use std::fmt::Write as _;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use subrosa_api::event::Usage;
use subrosa_inference::Load;

/// Counts of one service.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    tokens: Family<TokenLabels, Counter>,
    epochs: Counter,
    living_keys: Gauge,
    running: Gauge,
    queued: Gauge,
    worker_restarts: Gauge,
    snapshot: RwLock<Bytes>,
}

/// Keys of this process.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct KeyCounts {
    /// That open requests.
    pub living: usize,
    /// That were made.
    pub made: u64,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// An answer with a status below 300.
    Answered,
    /// The client went away.
    Cancelled,
    /// A sealed answer with a status from 400 to 499.
    ClientError,
    /// Refused outside of the seal.
    Refused,
    /// A sealed answer with a status from 500, or a stream that ended with an
    /// error.
    ServerError,
}

/// What a token was.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TokenKind {
    /// Written by the model.
    Answer,
    /// Taken from a conversation's cache.
    Cached,
    /// Read by the model.
    Prompt,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct RequestLabels {
    outcome: Outcome,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct TokenLabels {
    kind: TokenKind,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Answered,
        Self::Cancelled,
        Self::ClientError,
        Self::Refused,
        Self::ServerError,
    ];

    /// The outcome that goes with a sealed status.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            ..400 => Self::Answered,
            400..500 => Self::ClientError,
            _ => Self::ServerError,
        }
    }

    /// The word that stands in the metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Cancelled => "cancelled",
            Self::ClientError => "client_error",
            Self::Refused => "refused",
            Self::ServerError => "server_error",
        }
    }
}

impl TokenKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Answer, Self::Cached, Self::Prompt];

    /// The word that stands in the metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Cached => "cached",
            Self::Prompt => "prompt",
        }
    }
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        encoder.write_str(self.name())
    }
}

impl EncodeLabelValue for TokenKind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        encoder.write_str(self.name())
    }
}

impl Metrics {
    /// Time between two snapshots.
    pub const INTERVAL: Duration = Duration::from_mins(1);

    /// Counts from zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("subrosa"),
            requests: Family::default(),
            tokens: Family::default(),
            epochs: Counter::default(),
            living_keys: Gauge::default(),
            running: Gauge::default(),
            queued: Gauge::default(),
            worker_restarts: Gauge::default(),
            snapshot: RwLock::default(),
        };
        let registry = &mut metrics.registry;
        registry.register(
            "requests",
            "Requests by how they ended",
            metrics.requests.clone(),
        );
        registry.register("tokens", "Tokens by what they were", metrics.tokens.clone());
        registry.register("epochs", "Keys made", metrics.epochs.clone());
        registry.register(
            "living_keys",
            "Keys that open requests",
            metrics.living_keys.clone(),
        );
        registry.register("running", "Answers being made", metrics.running.clone());
        registry.register(
            "queued",
            "Requests that wait for the engine",
            metrics.queued.clone(),
        );
        registry.register(
            "worker_restarts",
            "Starts of the worker after the first",
            metrics.worker_restarts.clone(),
        );
        // All of them from the start, so that a label says nothing by being there.
        for outcome in Outcome::ALL {
            drop(metrics.requests.get_or_create(&RequestLabels { outcome }));
        }
        for kind in TokenKind::ALL {
            drop(metrics.tokens.get_or_create(&TokenLabels { kind }));
        }
        metrics.publish();
        metrics
    }

    /// Counts a request.
    pub fn request(&self, outcome: Outcome) {
        let _ = self
            .requests
            .get_or_create(&RequestLabels { outcome })
            .inc();
    }

    /// Counts the tokens of an answer.
    pub fn usage(&self, usage: Usage) {
        for (kind, tokens) in [
            (TokenKind::Answer, usage.completion),
            (TokenKind::Cached, usage.cached),
            (TokenKind::Prompt, usage.prompt),
        ] {
            let _ = self
                .tokens
                .get_or_create(&TokenLabels { kind })
                .inc_by(tokens.into());
        }
    }

    /// Takes over what the engine and the keys are doing, and makes the counts
    /// readable.
    pub fn observe(&self, load: Load, keys: KeyCounts) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let _ = self.running.set(number(load.running));
        let _ = self.queued.set(number(load.queued));
        let _ = self
            .worker_restarts
            .set(i64::try_from(load.restarts).unwrap_or(i64::MAX));
        let _ = self.living_keys.set(number(keys.living));
        let new = keys.made.saturating_sub(self.epochs.get());
        let _ = self.epochs.inc_by(new);
        self.publish();
    }

    /// The snapshot, in the `OpenMetrics` text format.
    #[must_use]
    pub fn snapshot(&self) -> Bytes {
        self.snapshot
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn publish(&self) {
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_ok() {
            *self
                .snapshot
                .write()
                .unwrap_or_else(PoisonError::into_inner) = text.into();
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests;
