//! How a stream ends, whatever the API. Its shapes are in tests/golden.rs.

use serde_json::Value;

use super::*;

const APIS: [Api; 4] = [Api::Chat, Api::Completions, Api::Messages, Api::Responses];

fn start(api: Api) -> Event {
    Event::Start(Start {
        api,
        id: "id".to_owned(),
        created: 0,
        model: "m".to_owned(),
    })
}

fn text() -> Event {
    let text = "a\nb\r\n\u{2028}data: x\n\nevent: y".to_owned();
    Event::TextDelta { choice: 0, text }
}

fn finish(reason: FinishReason) -> Event {
    Event::Finish {
        choice: 0,
        reason,
        stop_sequence: None,
    }
}

fn render(api: Api, events: &[Event]) -> String {
    let mut sse = Sse::new(api, Options::default());
    let bytes = events.iter().flat_map(|event| sse.push(event)).collect();
    assert!(sse.is_done());
    String::from_utf8(bytes).unwrap()
}

/// The parsed data of each event, `[DONE]` as a string.
fn data(text: &str) -> Vec<Value> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| line.into()))
        .collect()
}

fn is_error(api: Api, last: &Value, code: Code) -> bool {
    match api {
        Api::Messages => last["type"] == "error" && last["error"]["type"] == code.anthropic_type(),
        Api::Chat | Api::Completions | Api::Responses => last["error"]["code"] == code.as_str(),
    }
}

#[test]
fn text_cannot_break_out_of_its_event() {
    for api in APIS {
        let out = render(
            api,
            &[start(api), text(), finish(FinishReason::Stop), Event::End],
        );
        for block in out.split_terminator("\n\n") {
            let lines: Vec<&str> = block.split('\n').collect();
            assert!(lines.len() <= 2, "{block}");
            assert!(lines.last().unwrap().starts_with("data: "), "{block}");
        }
        assert!(!out.contains('\r'));
    }
}

#[test]
fn an_answer_that_failed_ends_with_the_error() {
    for api in APIS {
        let error = Event::Error(ApiError::from_code(Code::Timeout));
        for (events, code) in [
            (vec![error.clone(), Event::End], Code::Timeout),
            (
                vec![start(api), text(), error.clone(), Event::End],
                Code::Timeout,
            ),
            (
                vec![
                    start(api),
                    text(),
                    finish(FinishReason::Cancelled),
                    Event::End,
                ],
                Code::Cancelled,
            ),
            (
                vec![start(api), finish(FinishReason::Error), Event::End],
                Code::EngineFailed,
            ),
            (
                vec![start(api), finish(FinishReason::Error), error, Event::End],
                Code::Timeout,
            ),
        ] {
            let out = render(api, &events);
            assert!(
                is_error(api, data(&out).last().unwrap(), code),
                "{api:?} {out}"
            );
            for end in [
                "[DONE]",
                "message_stop",
                "response.completed",
                "finish_reason\":\"stop",
            ] {
                assert!(!out.contains(end), "{api:?} {out}");
            }
        }
    }
}

#[test]
fn a_stream_that_broke_ends_with_the_error_and_nothing_follows() {
    for api in APIS {
        let mut sse = Sse::new(api, Options::default());
        let _ = sse.push(&start(api));
        let _ = sse.push(&text());
        let out = String::from_utf8(sse.error(&ApiError::from_code(Code::Truncated))).unwrap();
        assert!(
            is_error(api, data(&out).last().unwrap(), Code::Truncated),
            "{out}"
        );
        assert!(sse.is_done());
        assert!(sse.push(&text()).is_empty());
        assert!(sse.push(&Event::End).is_empty());
        assert!(sse.error(&ApiError::from_code(Code::Truncated)).is_empty());
    }
}

#[test]
fn usage_is_streamed_only_where_it_was_asked_for() {
    let usage = Event::Usage(Usage {
        prompt: 3,
        completion: 2,
        cached: 1,
    });
    for api in [Api::Chat, Api::Completions] {
        let events = [
            start(api),
            text(),
            usage.clone(),
            finish(FinishReason::Stop),
            Event::End,
        ];
        assert!(!render(api, &events).contains("usage"));
        let options = Options {
            include_usage: true,
            ..Options::default()
        };
        let mut sse = Sse::new(api, options);
        let bytes: Vec<u8> = events.iter().flat_map(|event| sse.push(event)).collect();
        let chunks = data(std::str::from_utf8(&bytes).unwrap());
        let (done, chunks) = chunks.split_last().unwrap();
        let (last, before) = chunks.split_last().unwrap();
        assert_eq!(*done, "[DONE]");
        assert_eq!(last["usage"]["total_tokens"], 5);
        assert_eq!(last["choices"], Value::Array(Vec::new()));
        assert!(before.iter().all(|chunk| chunk["usage"].is_null()));
    }
}

#[test]
fn sequence_numbers_of_responses_have_no_gaps() {
    let api = Api::Responses;
    let error = Event::Error(ApiError::from_code(Code::Timeout));
    let out = render(api, &[start(api), text(), error, Event::End]);
    let numbers: Vec<Value> = data(&out)
        .iter()
        .map(|event| event["sequence_number"].clone())
        .collect();
    let expected: Vec<Value> = (0..numbers.len()).map(Value::from).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn every_named_event_has_its_type_as_its_name() {
    for api in [Api::Messages, Api::Responses] {
        let out = render(
            api,
            &[start(api), text(), finish(FinishReason::Stop), Event::End],
        );
        let names = out.lines().filter_map(|line| line.strip_prefix("event: "));
        let names: Vec<&str> = names.collect();
        let data = data(&out);
        let types: Vec<&str> = data
            .iter()
            .filter_map(|event| event["type"].as_str())
            .collect();
        assert_eq!(names, types);
    }
}
