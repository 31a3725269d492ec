//! Counts the answers an engine is working on, and lets it drain.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::engine::EngineError;

/// The places of an engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admission(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    taken: AtomicUsize,
    draining: AtomicBool,
    changed: Notify,
}

impl Admission {
    /// Takes a place if fewer than `limit` are taken; `full` says why not.
    pub(crate) fn enter(
        &self,
        limit: usize,
        full: impl FnOnce() -> EngineError,
    ) -> Result<Place, EngineError> {
        let place = Place::take(&self.0);
        // Read after the place is counted, so that a drain cannot miss it.
        if self.0.draining.load(Ordering::SeqCst) {
            return Err(EngineError::Draining);
        }
        if place.number > limit {
            return Err(full());
        }
        Ok(place)
    }

    /// How many places are taken.
    pub(crate) fn taken(&self) -> usize {
        self.0.taken.load(Ordering::SeqCst)
    }

    /// Refuses everybody from now on and waits until the last place is free.
    pub(crate) async fn drain(&self) {
        self.0.draining.store(true, Ordering::SeqCst);
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.taken() == 0 {
                return;
            }
            changed.await;
        }
    }
}

/// A taken place; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    number: usize,
}

impl Place {
    fn take(shared: &Arc<Shared>) -> Self {
        let before = shared.taken.fetch_add(1, Ordering::SeqCst);
        Self {
            shared: Arc::clone(shared),
            number: before.saturating_add(1),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.taken.fetch_sub(1, Ordering::SeqCst);
        self.shared.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn full() -> EngineError {
        EngineError::QueueFull {
            retry_after: Duration::from_secs(1),
        }
    }

    #[test]
    fn a_place_beyond_the_limit_is_refused_until_one_is_free() {
        let admission = Admission::default();
        let first = admission.enter(1, full).unwrap();

        assert_eq!(admission.enter(1, full).unwrap_err(), full());
        drop(first);
        assert!(admission.enter(1, full).is_ok());
    }

    #[tokio::test]
    async fn draining_refuses_new_places_and_waits_for_the_old() {
        let admission = Admission::default();
        let place = admission.enter(9, full).unwrap();
        let drain = tokio::spawn({
            let admission = admission.clone();
            async move { admission.drain().await }
        });
        tokio::task::yield_now().await;

        assert!(!drain.is_finished());
        assert_eq!(admission.enter(9, full).unwrap_err(), EngineError::Draining);
        drop(place);
        drain.await.unwrap();
    }
}
