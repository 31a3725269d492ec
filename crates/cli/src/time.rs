//! Points in time, as this machine tells them and as people write them.

use std::time::{SystemTime, UNIX_EPOCH};

use subrosa_attest::UnixSeconds;

/// What this machine's clock says; 1970 if it says something earlier.
pub(crate) fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    UnixSeconds::new(since.map_or(0, |since| since.as_secs()))
}

/// Reads `2026-11-22T22:15:00Z` (RFC 3339 in UTC, no fractions) or Unix seconds.
pub(crate) fn parse(text: &str) -> Result<UnixSeconds, String> {
    let seconds = text.parse().ok().or_else(|| rfc3339(text));
    seconds.map(UnixSeconds::new).ok_or_else(|| {
        "a time such as 2026-11-22T22:15:00Z, or Unix seconds, is expected".to_owned()
    })
}

fn rfc3339(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let in_range = (1970..=9999).contains(&year) && hour < 24 && minute < 60 && second < 60;
    let date = in_range.then(|| days(year, month, day)).flatten()?;
    let of_day = hour
        .checked_mul(3600)?
        .checked_add(minute.checked_mul(60)?)?
        .checked_add(second)?;
    date.checked_mul(86_400)?.checked_add(of_day)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let is_leap = |year: &u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let february = if is_leap(&year) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let index = usize::try_from(month).ok()?.checked_sub(1)?;
    let length = *months.get(index)?;
    if !(1..=length).contains(&day) {
        return None;
    }
    let years: u64 = (1970..year)
        .map(|year| if is_leap(&year) { 366 } else { 365 })
        .sum();
    let before: u64 = months.iter().take(index).sum();
    years.checked_add(before)?.checked_add(day)?.checked_sub(1)
}

fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[u64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        let right = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = right.then(|| part.parse().ok()).flatten()?;
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2000-02-29T23:59:59Z",
            "2026-11-22T22:15:00Z",
            "2100-03-01T00:00:00Z",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            parse("1793491200").unwrap().to_string(),
            "2026-11-01T00:00:00Z"
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2026-11-22",
            "2026-11-22T22:15:00",
            "2026-11-22T22:15:00+01:00",
            "2026-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "+026-01-01T00:00:00Z",
            "-1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
