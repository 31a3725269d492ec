//! The time, of which the host is not trusted to tell the truth.
//!
//! The wall clock comes from the host. A host that turns it back could keep a
//! key alive for ever; therefore the time is the later of the wall clock and
//! of a monotonic clock that was set when the service started. A host that
//! turns it forward only ends keys early. The monotonic clock does not run
//! while the machine is paused; the wall clock then does.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Tells the time in Unix seconds.
#[derive(Clone)]
pub struct Clock {
    wall: Arc<dyn Fn() -> u64 + Send + Sync>,
    started_at: u64,
    started: Instant,
}

impl Clock {
    /// The clock of this machine.
    #[must_use]
    pub fn system() -> Self {
        Self::with_wall(|| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs())
        })
    }

    /// A clock whose wall time is what `wall` says.
    #[must_use]
    pub fn with_wall(wall: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self {
            started_at: wall(),
            started: Instant::now(),
            wall: Arc::new(wall),
        }
    }

    /// Unix seconds: the later of wall clock and monotonic clock.
    #[must_use]
    pub fn now(&self) -> u64 {
        let monotonic = self
            .started_at
            .saturating_add(self.started.elapsed().as_secs());
        monotonic.max((self.wall)())
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_stands_still_does_not_stop_the_time() {
        let clock = Clock::with_wall(|| 1000);
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.now(), 1090);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_runs_ahead_is_followed() {
        let wall = Arc::new(AtomicU64::new(1000));
        let read = Arc::clone(&wall);
        let clock = Clock::with_wall(move || read.load(Ordering::SeqCst));
        wall.store(5000, Ordering::SeqCst);
        assert_eq!(clock.now(), 5000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_turned_back_does_not_turn_the_time_back() {
        let wall = Arc::new(AtomicU64::new(1000));
        let read = Arc::clone(&wall);
        let clock = Clock::with_wall(move || read.load(Ordering::SeqCst));
        wall.store(3, Ordering::SeqCst);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(clock.now(), 1005);
    }
}
