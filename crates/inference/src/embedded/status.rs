//! What the engine's handle may see of the supervisor.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::embedded::wire::Ready;

/// Counts and facts; nothing about users.
#[derive(Debug)]
pub(crate) struct Status {
    ready: Ready,
    /// 0 while no worker lives.
    worker: AtomicU32,
    restarts: AtomicU64,
    running: AtomicUsize,
    queued: AtomicUsize,
    /// Moving average of the time an answer takes.
    milliseconds: AtomicU64,
}

impl Status {
    /// The status after the first start.
    pub(crate) fn new(ready: Ready) -> Self {
        Self {
            ready,
            worker: AtomicU32::new(0),
            restarts: AtomicU64::new(0),
            running: AtomicUsize::new(0),
            queued: AtomicUsize::new(0),
            milliseconds: AtomicU64::new(1000),
        }
    }

    /// What the first worker said of itself and the model.
    pub(crate) fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Most tokens of a prompt and its answer.
    pub(crate) fn context_tokens(&self) -> usize {
        usize::try_from(self.ready.context_tokens).unwrap_or(usize::MAX)
    }

    pub(crate) fn set_worker(&self, id: Option<u32>) {
        self.worker.store(id.unwrap_or(0), Ordering::Release);
    }

    /// The process id of the worker, while one lives.
    pub(crate) fn worker(&self) -> Option<u32> {
        Some(self.worker.load(Ordering::Acquire)).filter(|id| *id != 0)
    }

    pub(crate) fn note_restart(&self) {
        self.restarts.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Acquire)
    }

    pub(crate) fn set_load(&self, running: usize, queued: usize) {
        self.running.store(running, Ordering::Release);
        self.queued.store(queued, Ordering::Release);
    }

    /// Running and waiting requests.
    pub(crate) fn load(&self) -> (usize, usize) {
        let running = self.running.load(Ordering::Acquire);
        (running, self.queued.load(Ordering::Acquire))
    }

    pub(crate) fn note_duration(&self, duration: Duration) {
        let new = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let old = self.milliseconds.load(Ordering::Acquire);
        let mean = old.saturating_mul(7).saturating_add(new).checked_div(8);
        self.milliseconds
            .store(mean.unwrap_or(old), Ordering::Release);
    }

    /// When a place in the queue is likely to be free.
    pub(crate) fn retry_after(&self, streams: u16) -> Duration {
        let (_, queued) = self.load();
        let queued = u64::try_from(queued).unwrap_or(u64::MAX).saturating_add(1);
        let all = self
            .milliseconds
            .load(Ordering::Acquire)
            .saturating_mul(queued);
        let wait = all.checked_div(u64::from(streams.max(1))).unwrap_or(all);
        Duration::from_millis(wait.clamp(1000, 60_000))
    }
}
