//! The inner stream of an answer: where it is cut into pieces changes nothing, and what was decoded can be
//! shown in every dialect. The first byte is the size of the pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use subrosa_api::collect::Collector;
use subrosa_api::event::{Event, EventDecoder};
use subrosa_api::render::{Options, Sse};
use subrosa_api::request::Api;

fuzz_target!(|input: &[u8]| {
    let Some((size, bytes)) = input.split_first() else {
        return;
    };
    let whole = decode(std::iter::once(bytes));
    let pieces = decode(bytes.chunks(usize::from(*size).max(1)));
    assert_eq!(whole.is_some(), pieces.is_some());
    if let Some((events, clean)) = whole {
        assert!(pieces == Some((events.clone(), clean)));
        show(&events);
    }
});

/// The events, and whether the stream had its end; `None` when it breaks the format.
fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<(Vec<Event>, bool)> {
    let mut decoder = EventDecoder::new();
    let mut events = Vec::new();
    for piece in pieces {
        events.extend(decoder.push(piece).ok()?);
    }
    Some((events, decoder.is_clean_end()))
}

fn show(events: &[Event]) {
    for api in [Api::Chat, Api::Completions, Api::Messages, Api::Responses] {
        let mut sse = Sse::new(api, Options::default());
        for event in events {
            let _ = sse.push(event);
        }
    }
    let mut collector = Collector::new(Options::default());
    for event in events {
        collector.push(event);
    }
    let _ = collector.finish();
}
