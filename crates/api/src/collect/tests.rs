//! When there is a body, and when there is an error instead.

use super::*;
use crate::event::{FinishReason, Start};
use crate::request::Api;

fn collect(events: &[Event]) -> Result<Vec<u8>, ApiError> {
    let mut collector = Collector::new(Options::default());
    for event in events {
        collector.push(event);
    }
    collector.finish()
}

fn start() -> Event {
    Event::Start(Start {
        api: Api::Chat,
        id: "chatcmpl-1".to_owned(),
        created: 0,
        model: "m".to_owned(),
    })
}

fn text() -> Event {
    let text = "canary".to_owned();
    Event::TextDelta { choice: 0, text }
}

fn finish(reason: FinishReason) -> Event {
    Event::Finish {
        choice: 0,
        reason,
        stop_sequence: None,
    }
}

#[test]
fn a_part_of_an_answer_is_never_a_body() {
    let whole = [start(), text(), finish(FinishReason::Stop), Event::End];
    assert!(collect(&whole).is_ok());
    for length in 0..whole.len() {
        let error = collect(&whole[..length]).unwrap_err();
        assert_eq!(error.code, Code::EngineFailed, "{length} events");
    }
}

#[test]
fn an_answer_that_failed_is_its_error() {
    let queue_full = ApiError::from_code(Code::QueueFull).with_retry_after(2);
    let timeout = ApiError::from_code(Code::Timeout);
    for (events, expected) in [
        (
            vec![Event::Error(queue_full.clone()), Event::End],
            queue_full,
        ),
        (
            vec![start(), text(), Event::Error(timeout.clone()), Event::End],
            timeout,
        ),
        (
            vec![start(), finish(FinishReason::Cancelled), Event::End],
            ApiError::from_code(Code::Cancelled),
        ),
        (
            vec![start(), finish(FinishReason::Error), Event::End],
            ApiError::from_code(Code::EngineFailed),
        ),
    ] {
        assert_eq!(collect(&events), Err(expected));
    }
}

#[test]
fn an_engine_that_breaks_the_order_of_events_failed() {
    let error = collect(&[
        start(),
        text(),
        start(),
        finish(FinishReason::Stop),
        Event::End,
    ]);
    let error = error.unwrap_err();
    assert_eq!(error.code, Code::EngineFailed);
    assert!(!error.message.contains("canary"));
}
