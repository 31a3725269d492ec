//! The device's time.

use std::time::{SystemTime, UNIX_EPOCH};

use subrosa_attest::UnixSeconds;

/// Tells the time. A verdict is as good as the clock it was made with.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> UnixSeconds;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to hold")]
pub struct SystemClock;

impl Clock for SystemClock {
    /// A clock before 1970 reads as 1970, at which no evidence is valid.
    fn now(&self) -> UnixSeconds {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        UnixSeconds::new(since.map_or(0, |since| since.as_secs()))
    }
}
