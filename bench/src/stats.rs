//! Ratios of interleaved pairs.

use std::time::{Duration, Instant};

use rand::Rng;
use rand::RngExt as _;
use serde::Serialize;

/// A median with the bounds of its 95 % interval.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Interval {
    /// The median.
    pub median: f64,
    /// Lower bound of the interval.
    pub low: f64,
    /// Upper bound of the interval.
    pub high: f64,
}

/// Times `ours` and `theirs` in turn for `rounds` rounds and returns the
/// seconds of each, in order. The side that goes first alternates.
pub fn pairs(
    rounds: usize,
    mut ours: impl FnMut() -> Duration,
    mut theirs: impl FnMut() -> Duration,
) -> Vec<(f64, f64)> {
    let mut out = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let pair = if round % 2 == 0 {
            let a = ours();
            (a, theirs())
        } else {
            let b = theirs();
            (ours(), b)
        };
        out.push((pair.0.as_secs_f64(), pair.1.as_secs_f64()));
    }
    out
}

/// Wall time of `work` repeated `times` times, divided by `times`.
pub fn each(times: u32, mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        work();
    }
    start.elapsed().checked_div(times).unwrap_or_default()
}

/// The median of `values` with a 95 % interval by the bootstrap
/// (percentile method, 2 000 resamples).
#[must_use]
pub fn median(values: &[f64], rng: &mut impl Rng) -> Interval {
    let mut resampled: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let sample: Vec<f64> = (0..values.len())
                .filter_map(|_| values.get(rng.random_range(0..values.len())).copied())
                .collect();
            middle(sample)
        })
        .collect();
    resampled.sort_by(f64::total_cmp);
    let at = |n: usize| resampled.get(n).copied().unwrap_or(f64::NAN);
    Interval {
        median: middle(values.to_vec()),
        low: at(RESAMPLES / 40),
        high: at(RESAMPLES - RESAMPLES / 40 - 1),
    }
}

pub(crate) fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let at = |n: usize| values.get(n).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 {
        at(half)
    } else {
        f64::midpoint(at(half.saturating_sub(1)), at(half))
    }
}

const RESAMPLES: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_median_and_shrinks_with_agreement() {
        let mut rng = rand::rng();
        let same = median(&[2.0; 11], &mut rng);
        assert!((same.median - 2.0).abs() < 1e-9 && (same.high - same.low).abs() < 1e-9);
        let spread = median(&[1.0, 2.0, 3.0, 4.0, 100.0], &mut rng);
        assert!(spread.low <= spread.median && spread.median <= spread.high);
        assert!((spread.median - 3.0).abs() < 1e-9);
    }

    #[test]
    fn both_sides_are_measured_in_every_round() {
        let (mut a, mut b) = (0, 0);
        let rounds = pairs(
            5,
            || {
                a += 1;
                Duration::from_millis(1)
            },
            || {
                b += 1;
                Duration::from_millis(2)
            },
        );
        assert_eq!((rounds.len(), a, b), (5, 5, 5));
    }
}
