//! When to ask again, and how long to wait before.

use std::time::Duration;

/// How long to wait after the attempt with this number, counted from 1. `None` to give up.
///
/// The wait doubles from attempt to attempt; half of it is random, so that many devices that lost a service at the same
/// moment do not come back at the same moment. A service that asks for a longer wait gets it, if there is time.
pub(super) fn pause(
    attempt: u32,
    asked: Option<Duration>,
    remaining: Duration,
    random: u64,
) -> Option<Duration> {
    if attempt >= MAX_ATTEMPTS {
        return None;
    }
    let factor = 1_u32
        .checked_shl(attempt.saturating_sub(1))
        .unwrap_or(u32::MAX);
    let backoff = FIRST.saturating_mul(factor).min(LONGEST);
    let half = backoff.checked_div(2)?;
    let range = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
    let jitter = Duration::from_millis(random.checked_rem(range).unwrap_or_default());
    let wait = half.saturating_add(jitter).max(asked.unwrap_or_default());
    (wait < remaining).then_some(wait)
}

/// Reads `Retry-After` in seconds (RFC 9110 §10.2.3). Its other form, a date, is not used: waits are short, and this
/// machine's clock may be wrong.
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(value.parse().unwrap_or(u64::MAX)))
}

const MAX_ATTEMPTS: u32 = 4;
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn waits_double_and_attempts_end() {
        let least = |attempt| pause(attempt, None, HOUR, 0).unwrap();
        assert_eq!(least(1), Duration::from_millis(250));
        assert_eq!(least(2), Duration::from_millis(500));
        assert_eq!(least(3), Duration::from_secs(1));
        assert_eq!(pause(4, None, HOUR, 0), None);
        assert_eq!(pause(u32::MAX, None, HOUR, 0), None);
    }

    #[test]
    fn half_of_a_wait_is_random() {
        for random in [0, 1, 249, 250, u64::MAX] {
            let wait = pause(1, None, HOUR, random).unwrap();
            assert!((250..500).contains(&wait.as_millis()), "{wait:?}");
        }
        assert_ne!(pause(1, None, HOUR, 1), pause(1, None, HOUR, 2));
    }

    #[test]
    fn a_service_may_ask_for_a_longer_wait_and_not_for_a_shorter() {
        let asked = |seconds| pause(1, Some(Duration::from_secs(seconds)), HOUR, 0);
        assert_eq!(asked(7), Some(Duration::from_secs(7)));
        assert_eq!(asked(0), Some(Duration::from_millis(250)));
    }

    #[test]
    fn there_is_no_wait_beyond_the_deadline() {
        let asked = Some(Duration::from_mins(1));
        assert_eq!(pause(1, asked, Duration::from_mins(1), 0), None);
        assert_eq!(pause(1, None, Duration::ZERO, 0), None);
    }

    #[test]
    fn a_wait_is_a_number_of_seconds() {
        assert_eq!(retry_after("120"), Some(Duration::from_mins(2)));
        assert_eq!(
            retry_after("99999999999999999999"),
            Some(Duration::from_secs(u64::MAX))
        );
        for other in ["", "-1", "1.5", "soon", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(retry_after(other), None, "{other}");
        }
    }
}
