//! Each rule of "Order" in spec/stream-events.md, broken alone.

use super::*;
use crate::error::{ApiError, Code};
use crate::event::{FinishReason, Start, Usage};
use crate::limits::{MAX_CHOICES, MAX_TOOLS};
use crate::request::Api;

#[test]
fn limits_agree() {
    assert_eq!(CHOICES, usize::from(MAX_CHOICES));
    assert_eq!(usize::from(MAX_TOOL_CALLS), MAX_TOOLS);
}

#[test]
fn orders_that_make_sense_are_accepted() {
    for events in [
        vec![error(), Event::End],
        vec![start(), error(), Event::End],
        vec![start(), text(0), finish(0), Event::End],
        vec![start(), usage(), finish(0), usage(), Event::End],
        vec![
            start(),
            text(7),
            text(0),
            finish(7),
            text(0),
            finish(0),
            Event::End,
        ],
        vec![
            start(),
            text(0),
            call(0),
            arguments(0),
            call(1),
            arguments(1),
            text(0),
            call(2),
            finish(0),
            Event::End,
        ],
    ] {
        let mut order = Order::new();
        for event in &events {
            order.next(event).unwrap();
        }
        assert!(order.is_ended(), "{events:?}");
    }
}

#[test]
fn orders_that_make_no_sense_are_refused() {
    use OrderError::{AfterEnd, AfterError, Choice, NotFinished, NotStarted, Restarted, ToolCall};
    let after_finish = OrderError::AfterFinish { choice: 0 };
    for (events, expected) in [
        (vec![text(0)], NotStarted),
        (vec![usage()], NotStarted),
        (vec![Event::End], NotStarted),
        (vec![start(), start()], Restarted),
        (vec![start(), text(8)], Choice { got: 8 }),
        (vec![start(), finish(0), text(0)], after_finish),
        (vec![start(), finish(0), call(0)], after_finish),
        (vec![start(), finish(0), finish(0)], after_finish),
        (vec![start(), call(1)], ToolCall { got: 1 }),
        (vec![start(), call(0), call(0)], ToolCall { got: 0 }),
        (vec![start(), arguments(0)], ToolCall { got: 0 }),
        (
            vec![start(), call(0), call(1), arguments(0)],
            ToolCall { got: 0 },
        ),
        (
            vec![start(), call(0), text(0), arguments(0)],
            ToolCall { got: 0 },
        ),
        (vec![start(), Event::End], NotFinished),
        (vec![start(), text(1), finish(0), Event::End], NotFinished),
        (vec![start(), error(), text(0)], AfterError),
        (vec![start(), error(), error()], AfterError),
        (vec![start(), finish(0), Event::End, Event::End], AfterEnd),
        (vec![error(), Event::End, start()], AfterEnd),
    ] {
        let mut order = Order::new();
        let (last, before) = events.split_last().unwrap();
        for event in before {
            order.next(event).unwrap();
        }
        assert_eq!(order.next(last), Err(expected), "{events:?}");
    }
}

#[test]
fn calls_of_one_choice_are_bounded() {
    let mut order = Order::new();
    order.next(&start()).unwrap();
    for index in 0..128 {
        order.next(&call(index)).unwrap();
    }
    assert_eq!(
        order.next(&call(128)),
        Err(OrderError::ToolCall { got: 128 })
    );
}

fn start() -> Event {
    Event::Start(Start {
        api: Api::Chat,
        id: "i".to_owned(),
        created: 0,
        model: "m".to_owned(),
    })
}

fn text(choice: u8) -> Event {
    let text = "t".to_owned();
    Event::TextDelta { choice, text }
}

fn call(index: u8) -> Event {
    Event::ToolCallStart {
        choice: 0,
        index,
        id: "i".to_owned(),
        name: "n".to_owned(),
    }
}

fn arguments(index: u8) -> Event {
    Event::ToolCallArguments {
        choice: 0,
        index,
        text: "{}".to_owned(),
    }
}

fn finish(choice: u8) -> Event {
    Event::Finish {
        choice,
        reason: FinishReason::Stop,
        stop_sequence: None,
    }
}

fn usage() -> Event {
    Event::Usage(Usage::default())
}

fn error() -> Event {
    Event::Error(ApiError::from_code(Code::QueueFull))
}
