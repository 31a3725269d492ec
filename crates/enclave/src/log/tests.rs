//! What a line looks like, and what it cannot hold.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::io;
use std::sync::mpsc;

use super::*;

struct Sink(mpsc::Sender<Vec<u8>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn written(event: &Event) -> String {
    let (sender, lines) = mpsc::channel();
    Log::to(Sink(sender)).write(event);
    String::from_utf8(lines.iter().flatten().collect()).unwrap()
}

#[test]
fn an_event_is_one_line_of_json() {
    let line = written(&Event::EngineReady {
        took: Duration::from_millis(1500),
    });
    assert_eq!(line, "{\"event\":\"engine-ready\",\"took\":1500}\n");
}

#[test]
fn a_digest_is_written_as_hexadecimal() {
    let line = written(&Event::Started {
        configuration: Digest::new([0xAB; 32]),
        port: 7,
    });
    let expected = format!(
        "{{\"event\":\"started\",\"configuration\":\"{}\",\"port\":7}}\n",
        "ab".repeat(32)
    );
    assert_eq!(line, expected);
}

/// The source is the proof that is read: every field of an event has one of
/// these types, none of which can hold a text of a request.
#[test]
fn every_field_of_an_event_has_a_type_that_cannot_hold_user_text() {
    let source = include_str!("../log.rs");
    let (_, rest) = source.split_once("pub enum Event {").unwrap();
    let (body, _) = rest.split_once("\n}").unwrap();
    let allowed = [
        "Digest",
        "Duration",
        "SourcePlace",
        "&'static str",
        "u16",
        "usize",
    ];
    let fields: Vec<&str> = body
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//") && !line.starts_with('#') && line.contains(": "))
        .collect();
    assert!(fields.len() >= 8, "{fields:?}");
    for field in fields {
        let (_, kind) = field.split_once(": ").unwrap();
        assert!(allowed.contains(&kind.trim_end_matches(',')), "{field}");
    }
}

/// Whoever wants to write to stderr or stdout elsewhere has to change this.
#[test]
fn only_these_files_write_to_the_terminal() {
    for (file, source, allowed) in [
        ("main.rs", include_str!("../main.rs"), 1),
        ("run.rs", include_str!("../run.rs"), 1),
        ("service.rs", include_str!("../service.rs"), 0),
        (
            "service/exchange.rs",
            include_str!("../service/exchange.rs"),
            0,
        ),
        ("service/answer.rs", include_str!("../service/answer.rs"), 0),
        (
            "service/streaming.rs",
            include_str!("../service/streaming.rs"),
            0,
        ),
        ("service/call.rs", include_str!("../service/call.rs"), 0),
        ("service/http.rs", include_str!("../service/http.rs"), 0),
        ("service/server.rs", include_str!("../service/server.rs"), 0),
        ("epochs.rs", include_str!("../epochs.rs"), 0),
        ("collect.rs", include_str!("../collect.rs"), 0),
        ("engine.rs", include_str!("../engine.rs"), 0),
    ] {
        let uses = source.matches("io::stderr").count() + source.matches("io::stdout").count();
        assert_eq!(uses, allowed, "{file}");
    }
}
