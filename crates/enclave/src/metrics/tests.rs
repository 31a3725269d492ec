//! Labels come from closed lists.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use super::*;

/// Every outcome and every kind of token, counted once.
fn counted() -> Metrics {
    let metrics = Metrics::new();
    for outcome in Outcome::ALL {
        metrics.request(outcome);
    }
    metrics.usage(Usage {
        prompt: 3,
        completion: 2,
        cached: 1,
    });
    metrics.observe(Load::default(), KeyCounts { living: 2, made: 5 });
    metrics
}

fn text(metrics: &Metrics) -> String {
    String::from_utf8(metrics.snapshot().to_vec()).unwrap()
}

#[test]
fn every_label_value_comes_from_a_closed_list() {
    let known: Vec<&str> = Outcome::ALL
        .iter()
        .map(|outcome| outcome.name())
        .chain(TokenKind::ALL.iter().map(|kind| kind.name()))
        .collect();
    let text = text(&counted());
    let mut seen = 0;
    for line in text.lines().filter(|line| line.contains('{')) {
        let (_, labels) = line.split_once('{').unwrap();
        let (labels, _) = labels.split_once('}').unwrap();
        for label in labels.split(',') {
            let (name, value) = label.split_once('=').unwrap();
            assert!(["outcome", "kind"].contains(&name), "{line}");
            assert!(known.contains(&value.trim_matches('"')), "{line}");
            seen += 1;
        }
    }
    assert_eq!(seen, known.len());
}

#[test]
fn a_count_is_not_readable_before_the_next_snapshot() {
    let metrics = counted();
    let before = text(&metrics);
    metrics.request(Outcome::Answered);
    assert_eq!(text(&metrics), before);
    metrics.observe(Load::default(), KeyCounts { living: 2, made: 5 });
    assert_ne!(text(&metrics), before);
}

#[test]
fn keys_are_counted_once_however_often_they_are_observed() {
    let metrics = counted();
    metrics.observe(Load::default(), KeyCounts { living: 1, made: 6 });
    metrics.observe(Load::default(), KeyCounts { living: 1, made: 6 });
    assert!(text(&metrics).contains("subrosa_epochs_total 6\n"));
}
