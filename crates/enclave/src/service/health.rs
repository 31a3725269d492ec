//! What the network may know of the state of the service.

use super::Service;

/// The state of the service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Health {
    /// It ends; new exchanges are refused.
    Draining,
    /// The engine stopped and is being started again.
    EngineRestarting,
    /// The platform gives no evidence for a new key.
    EvidenceFailing,
    /// It answers.
    Ready,
    /// The engine is being loaded.
    Starting,
}

impl Health {
    /// The word of spec/service.md.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::EngineRestarting => "engine-restarting",
            Self::EvidenceFailing => "evidence-failing",
            Self::Ready => "ready",
            Self::Starting => "starting",
        }
    }
}

impl Service {
    /// The state of the service.
    #[must_use]
    pub fn health(&self) -> Health {
        let Some(running) = self.running.get() else {
            return Health::Starting;
        };
        if self.is_draining() {
            Health::Draining
        } else if !(running.started.lives)() {
            Health::EngineRestarting
        } else if running.epochs.is_failing() || !running.epochs.has_key() {
            Health::EvidenceFailing
        } else {
            Health::Ready
        }
    }
}

#[cfg(all(test, feature = "development"))]
mod tests;
