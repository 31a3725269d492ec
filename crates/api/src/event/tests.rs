//! Round trips, bounds, and bytes that come in pieces.

#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::error::Code;

fn start() -> Event {
    Event::Start(Start {
        api: Api::Chat,
        id: "chatcmpl-1".to_owned(),
        created: 1_700_000_000,
        model: "demo".to_owned(),
    })
}

fn text(text: &str) -> Event {
    let text = text.to_owned();
    Event::TextDelta { choice: 0, text }
}

fn finish() -> Event {
    Event::Finish {
        choice: 0,
        reason: FinishReason::Stop,
        stop_sequence: None,
    }
}

fn encode(events: &[Event]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in events {
        event.encode(&mut bytes).unwrap();
    }
    bytes
}

#[test]
fn a_token_costs_three_bytes_beside_its_text() {
    assert_eq!(encode(&[text("word")]).len(), 7);
}

#[test]
fn long_text_is_split_between_characters() {
    let long = "é".repeat(100_000);
    let bytes = encode(&[start(), text(&long), finish(), Event::End]);
    let events = EventDecoder::new().push(&bytes).unwrap();
    let pieces = events.iter().filter_map(|event| match event {
        Event::TextDelta { text, .. } => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(pieces.collect::<String>(), long);
    assert!(events.len() > 4);
}

#[test]
fn many_log_probabilities_are_split() {
    let token = TokenLogprob {
        token: logprob(&[7; 128], -1.0),
        top: vec![logprob(&[7; 128], -1.0); 20],
    };
    let tokens = vec![token; 1000];
    let bytes = encode(&[start(), Event::Logprobs { choice: 0, tokens }]);
    let events = EventDecoder::new().push(&bytes).unwrap();
    let count: usize = events
        .iter()
        .map(|event| match event {
            Event::Logprobs { tokens, .. } => tokens.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(count, 1000);
}

#[test]
fn empty_text_is_no_event() {
    assert!(encode(&[text("")]).is_empty());
}

#[test]
fn fields_over_the_limits_are_not_encoded_and_leave_no_bytes() {
    let call = |id: usize, name: usize| Event::ToolCallStart {
        choice: 0,
        index: 0,
        id: "i".repeat(id),
        name: "n".repeat(name),
    };
    let start = |id: usize, model: usize| {
        Event::Start(Start {
            api: Api::Chat,
            id: "i".repeat(id),
            created: 0,
            model: "m".repeat(model),
        })
    };
    let logprobs = |bytes: usize, top: usize| {
        let token = logprob(&vec![7; bytes], 0.0);
        let top = vec![token.clone(); top];
        Event::Logprobs {
            choice: 0,
            tokens: vec![TokenLogprob { token, top }],
        }
    };
    let stop = Event::Finish {
        choice: 0,
        reason: FinishReason::Stop,
        stop_sequence: Some("s".repeat(257)),
    };
    for (event, field) in [
        (start(129, 1), "id"),
        (start(1, 129), "model"),
        (call(129, 1), "tool call id"),
        (call(1, 65), "tool name"),
        (logprobs(129, 0), "token"),
        (logprobs(1, 21), "alternatives"),
        (stop, "stop sequence"),
    ] {
        let mut bytes = Vec::new();
        let EncodeError::TooLong { field: got, .. } = event.encode(&mut bytes).unwrap_err();
        assert_eq!(got, field);
        assert!(bytes.is_empty(), "{field}");
    }
}

#[test]
fn a_log_probability_that_is_not_finite_becomes_very_unlikely() {
    for value in [f32::NEG_INFINITY, f32::NAN] {
        let tokens = vec![TokenLogprob {
            token: logprob(b"a", value),
            top: Vec::new(),
        }];
        let bytes = encode(&[start(), Event::Logprobs { choice: 0, tokens }]);
        let events = EventDecoder::new().push(&bytes).unwrap();
        let Event::Logprobs { tokens, .. } = &events[1] else {
            panic!("log probabilities were sent");
        };
        assert!((tokens[0].token.logprob + 9999.0).abs() < 1.0);
    }
}

#[test]
fn a_long_error_message_is_cut_off_rather_than_lost() {
    let error = ApiError::new(Code::EngineFailed, "é".repeat(3000));
    let bytes = encode(&[Event::Error(error), Event::End]);
    let events = EventDecoder::new().push(&bytes).unwrap();
    let Event::Error(error) = &events[0] else {
        panic!("an error was sent");
    };
    assert_eq!(error.message.len(), 4096);
}

#[test]
fn an_announced_payload_over_the_limit_is_refused_before_it_arrives() {
    let mut bytes = vec![2];
    varint::write_length(MAX_PAYLOAD + 1, &mut bytes);
    let error = EventDecoder::new().push(&bytes).unwrap_err();
    let got = 262_145;
    assert_eq!(error, DecodeError::TooLarge { kind: 2, got });
}

#[test]
fn what_waits_for_more_bytes_is_bounded() {
    let mut decoder = EventDecoder::new();
    decoder.push(&encode(&[start()])).unwrap();
    let mut bytes = vec![2];
    varint::write_length(MAX_PAYLOAD, &mut bytes);
    bytes.resize(MAX_PAYLOAD, 0);
    assert!(decoder.push(&bytes).unwrap().is_empty());
    assert_eq!(decoder.push(&[0; 5]).unwrap().len(), 1);
}

#[test]
fn after_an_error_everything_is_refused() {
    let mut decoder = EventDecoder::new();
    let error = decoder.push(&[0]).unwrap_err();
    let good = encode(&[start(), finish(), Event::End]);
    assert_eq!(decoder.push(&good), Err(error));
    assert!(!decoder.is_clean_end());
}

#[test]
fn a_broken_stream_becomes_one_code() {
    let error = EventDecoder::new().push(&[0]).unwrap_err();
    assert_eq!(ApiError::from(error).code, Code::MalformedStream);
}

#[test]
fn debug_output_holds_no_text() {
    let events = [
        text("canary"),
        Event::ToolCallStart {
            choice: 0,
            index: 0,
            id: "canary".to_owned(),
            name: "canary".to_owned(),
        },
        Event::ToolCallArguments {
            choice: 0,
            index: 0,
            text: "canary".to_owned(),
        },
        Event::Finish {
            choice: 0,
            reason: FinishReason::Stop,
            stop_sequence: Some("canary".to_owned()),
        },
    ];
    let mut decoder = EventDecoder::new();
    decoder.push(&encode(&[start()])).unwrap();
    decoder.push(&encode(&events[..1])[..5]).unwrap();
    assert!(!format!("{events:?} {decoder:?}").contains("canary"));
    let tokens = [TokenLogprob {
        token: logprob(b"canary", 0.0),
        top: Vec::new(),
    }];
    assert!(!format!("{tokens:?} {:?}", tokens[0].token).contains("99"));
}

#[test]
fn every_varint_reads_back_and_longer_forms_are_refused() {
    for value in [
        0,
        63,
        64,
        16_383,
        16_384,
        (1 << 30) - 1,
        1 << 30,
        varint::MAX,
    ] {
        let mut bytes = Vec::new();
        varint::write(value, &mut bytes);
        assert!(matches!(varint::read(&bytes), varint::Read::Value(got, []) if got == value));
        let (_, cut) = bytes.split_last().unwrap();
        assert!(matches!(varint::read(cut), varint::Read::More), "{value}");
    }
    // RFC 9000 §A.1: 37 in two bytes.
    for long in [
        &[0x40, 0x25][..],
        &[0x80, 0, 0x3f, 0xff],
        &[0xc0, 0, 0, 0, 0x3f, 0xff, 0xff, 0xff],
    ] {
        assert!(matches!(varint::read(long), varint::Read::NotShortest));
    }
    // RFC 9000 §A.1.
    let bytes = [0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c];
    assert!(matches!(
        varint::read(&bytes),
        varint::Read::Value(151_288_809_941_952_652, [])
    ));
}

proptest! {
    #[test]
    fn what_was_encoded_decodes_to_the_same(events in answer()) {
        let bytes = encode(&events);
        let mut decoder = EventDecoder::new();
        prop_assert!(decoder.push(&bytes).unwrap() == events);
        prop_assert!(decoder.is_clean_end());
    }

    #[test]
    fn where_the_bytes_are_cut_makes_no_difference(events in answer(), size in 1usize..40) {
        let bytes = encode(&events);
        let mut decoder = EventDecoder::new();
        let mut got = Vec::new();
        for piece in bytes.chunks(size) {
            got.extend(decoder.push(piece).unwrap());
        }
        prop_assert!(got == events);
        prop_assert!(decoder.is_clean_end());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut decoder = EventDecoder::new();
        let _ = decoder.push(&encode(&[start()]));
        let _ = decoder.push(&bytes);
        let _ = EventDecoder::new().push(&bytes);
    }

    #[test]
    fn a_flipped_byte_never_panics_and_never_goes_unseen_in_the_frame(
        events in answer(), at in any::<prop::sample::Index>(), mask in 1u8..,
    ) {
        let mut bytes = encode(&events);
        let at = at.index(bytes.len());
        bytes[at] ^= mask;
        let mut decoder = EventDecoder::new();
        if let Ok(got) = decoder.push(&bytes) {
            prop_assert!(got != events || !decoder.is_clean_end());
        }
    }
}

fn logprob(bytes: &[u8], logprob: f32) -> Logprob {
    Logprob {
        bytes: bytes.to_vec(),
        logprob,
    }
}

/// Whole answers of one choice: text, log probabilities and calls in any order.
fn answer() -> impl Strategy<Value = Vec<Event>> {
    let pieces = prop::collection::vec(piece(), 0..12);
    let reason = prop_oneof![
        Just(FinishReason::Stop),
        Just(FinishReason::Length),
        Just(FinishReason::ToolCalls),
        Just(FinishReason::Cancelled),
        Just(FinishReason::Error),
    ];
    let stop = prop::option::of("[a-z]{1,5}");
    (pieces, reason, stop, any::<[u32; 3]>()).prop_map(|(pieces, reason, stop_sequence, counts)| {
        let mut events = vec![start()];
        let mut calls = 0;
        for piece in pieces {
            piece.append(&mut calls, &mut events);
        }
        let [prompt, completion, cached] = counts;
        events.push(Event::Finish {
            choice: 0,
            reason,
            stop_sequence,
        });
        events.push(Event::Usage(Usage {
            prompt,
            completion,
            cached,
        }));
        events.push(Event::End);
        events
    })
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Logprob(Vec<u8>, f32),
    Call(String, Vec<String>),
}

impl Piece {
    fn append(self, calls: &mut u8, events: &mut Vec<Event>) {
        let choice = 0;
        match self {
            Self::Text(text) => events.push(Event::TextDelta { choice, text }),
            Self::Logprob(bytes, value) => events.push(Event::Logprobs {
                choice,
                tokens: vec![TokenLogprob {
                    token: logprob(&bytes, value),
                    top: vec![logprob(b"x", -1.0)],
                }],
            }),
            Self::Call(name, arguments) => {
                let index = *calls;
                *calls += 1;
                events.push(Event::ToolCallStart {
                    choice,
                    index,
                    id: format!("call_{index}"),
                    name,
                });
                events.extend(arguments.into_iter().map(|text| Event::ToolCallArguments {
                    choice,
                    index,
                    text,
                }));
            }
        }
    }
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        "\\PC{1,80}".prop_map(Piece::Text),
        (prop::collection::vec(any::<u8>(), 0..5), -20f32..0.0)
            .prop_map(|(bytes, value)| Piece::Logprob(bytes, value)),
        (
            "[a-z_]{1,10}",
            prop::collection::vec("[{}\":a-z]{1,9}", 0..3)
        )
            .prop_map(|(name, arguments)| Piece::Call(name, arguments)),
    ]
}
