//! Finds tool calls in generated text, while it streams.
//!
//! ```text
//! <tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call>    may call
//! {"name": "f", "arguments": {"x": 1}}                           must call
//! ```
//!
//! The tags are the ones most open chat models are trained on; a model without
//! tool support is told about them in a system note.

/// What begins a call in free text.
pub(crate) const OPEN_TAG: &str = "<tool_call>";
/// What ends it.
pub(crate) const CLOSE_TAG: &str = "</tool_call>";

/// A piece of an answer.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Part {
    Arguments { index: u8, text: String },
    Call { index: u8, name: String },
    Text(String),
}

/// Splits an answer into text and calls.
pub(crate) struct CallFinder {
    mode: Mode,
    state: State,
    calls: u8,
    held: String,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Mode {
    Off,
    May { many: bool },
    Must,
}

#[derive(Eq, PartialEq)]
enum State {
    Text,
    /// Before the arguments; `held` is what was read of the call.
    Head,
    Arguments(Nesting),
    /// Behind the arguments: `}` and, between tags, the closing tag.
    Tail,
    Done,
}

impl CallFinder {
    /// For answers that are text only.
    pub(crate) fn off() -> Self {
        Self::new(Mode::Off, State::Text)
    }

    /// For answers that may hold calls; several if `many`.
    pub(crate) fn may(many: bool) -> Self {
        Self::new(Mode::May { many }, State::Text)
    }

    /// For answers that are one call.
    pub(crate) fn must() -> Self {
        Self::new(Mode::Must, State::Head)
    }

    fn new(mode: Mode, state: State) -> Self {
        Self {
            mode,
            state,
            calls: 0,
            held: String::new(),
        }
    }

    /// Whether a call has just been opened and nothing of it was read yet: the
    /// moment to start its grammar.
    pub(crate) fn at_start_of_call(&self) -> bool {
        self.state == State::Head && self.held.is_empty()
    }

    /// Whether a call is open.
    pub(crate) fn in_call(&self) -> bool {
        !matches!(self.state, State::Text | State::Done)
    }

    /// Whether nothing may follow any more.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Number of calls begun.
    pub(crate) fn calls(&self) -> u8 {
        self.calls
    }

    /// Adds text and returns what is now certain.
    pub(crate) fn push(&mut self, text: &str) -> Vec<Part> {
        if self.mode == Mode::Off {
            return text_part(text.to_owned()).into_iter().collect();
        }
        self.held.push_str(text);
        let mut parts = Vec::new();
        while self.step(&mut parts) {}
        merge(parts)
    }

    /// Ends the answer: what was held comes out as text, unless it belongs to
    /// a call that was begun.
    pub(crate) fn finish(&mut self) -> Vec<Part> {
        let held = std::mem::take(&mut self.held);
        match self.state {
            State::Text if self.calls > 0 && held.trim().is_empty() => Vec::new(),
            State::Text => text_part(held).into_iter().collect(),
            State::Head if self.mode == Mode::Must => text_part(held).into_iter().collect(),
            State::Head => text_part(format!("{OPEN_TAG}{held}")).into_iter().collect(),
            State::Arguments(_) | State::Tail | State::Done => Vec::new(),
        }
    }

    /// One transition; false if more text is needed.
    fn step(&mut self, parts: &mut Vec<Part>) -> bool {
        match &mut self.state {
            State::Text => self.step_text(parts),
            State::Head => self.step_head(parts),
            State::Arguments(nesting) => {
                let end = nesting.end_in(&self.held);
                let (cut, next) = match end {
                    Some(end) => (end, Some(State::Tail)),
                    None => (self.held.len(), None),
                };
                let rest = self.held.split_off(cut);
                let text = std::mem::replace(&mut self.held, rest);
                let index = self.calls.saturating_sub(1);
                if !text.is_empty() {
                    parts.push(Part::Arguments { index, text });
                }
                let more = next.is_some();
                if let Some(next) = next {
                    self.state = next;
                }
                more
            }
            State::Tail => self.step_tail(),
            State::Done => {
                self.held.clear();
                false
            }
        }
    }

    fn step_text(&mut self, parts: &mut Vec<Part>) -> bool {
        if let Some(at) = self.held.find(OPEN_TAG)
            && self.calls < MAX_CALLS
        {
            let rest = self.held.split_off(at.saturating_add(OPEN_TAG.len()));
            self.held.truncate(at);
            let before = std::mem::replace(&mut self.held, rest);
            // White space between two calls says nothing.
            if self.calls == 0 || !before.trim().is_empty() {
                parts.extend(text_part(before));
            }
            self.state = State::Head;
            return true;
        }
        let keep = tag_prefix(&self.held);
        let cut = self.held.len().saturating_sub(keep);
        let certain = self.held.get(..cut).unwrap_or_default();
        if self.calls > 0 && certain.trim().is_empty() {
            return false;
        }
        let rest = self.held.split_off(cut);
        parts.extend(text_part(std::mem::replace(&mut self.held, rest)));
        false
    }

    fn step_head(&mut self, parts: &mut Vec<Part>) -> bool {
        match head(&self.held) {
            Head::Complete { name, length } => {
                self.held = self.held.split_off(length);
                let index = self.calls;
                self.calls = self.calls.saturating_add(1);
                parts.push(Part::Call { index, name });
                self.state = State::Arguments(Nesting::default());
                true
            }
            Head::Incomplete if self.held.len() <= MAX_HEAD => false,
            Head::Incomplete | Head::Wrong => {
                // Not a call after all: everything comes out as text.
                let held = std::mem::take(&mut self.held);
                match self.mode {
                    Mode::Must => {
                        self.mode = Mode::Off;
                        parts.extend(text_part(held));
                    }
                    _ => parts.extend(text_part(format!("{OPEN_TAG}{held}"))),
                }
                self.state = State::Text;
                false
            }
        }
    }

    fn step_tail(&mut self) -> bool {
        let end = if self.mode == Mode::Must {
            "}"
        } else {
            CLOSE_TAG
        };
        let Some(at) = self.held.find(end) else {
            return false;
        };
        self.held = self.held.split_off(at.saturating_add(end.len()));
        self.state = match self.mode {
            Mode::May { many: true } => State::Text,
            _ => State::Done,
        };
        true
    }
}

/// Where in a JSON object the text is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Nesting {
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    /// The index behind the bracket that closes the first one, if it is in `text`.
    fn end_in(&mut self, text: &str) -> Option<usize> {
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at.saturating_add(1));
                    }
                }
                _ => {}
            }
        }
        None
    }
}

enum Head {
    Complete { name: String, length: usize },
    Incomplete,
    Wrong,
}

/// Reads `{"name": "…", "arguments": ` up to, not including, the `{` of the
/// arguments.
fn head(text: &str) -> Head {
    let mut rest = text;
    for expected in ["{", "\"name\"", ":"] {
        rest = match after(rest, expected) {
            Ok(rest) => rest,
            Err(head) => return head,
        };
    }
    rest = rest.trim_start();
    let Some(quoted) = rest.strip_prefix('"') else {
        return if rest.is_empty() {
            Head::Incomplete
        } else {
            Head::Wrong
        };
    };
    // Names are letters, digits, `_` and `-`: no escapes to read.
    let Some((name, mut rest)) = quoted.split_once('"') else {
        return Head::Incomplete;
    };
    for expected in [",", "\"arguments\"", ":"] {
        rest = match after(rest, expected) {
            Ok(rest) => rest,
            Err(head) => return head,
        };
    }
    rest = rest.trim_start();
    match rest.chars().next() {
        Some('{') => Head::Complete {
            name: name.to_owned(),
            length: text.len().saturating_sub(rest.len()),
        },
        Some(_) => Head::Wrong,
        None => Head::Incomplete,
    }
}

/// What follows `expected`, which may be preceded by white space.
fn after<'a>(text: &'a str, expected: &str) -> Result<&'a str, Head> {
    let text = text.trim_start();
    match text.strip_prefix(expected) {
        Some(rest) => Ok(rest),
        None if expected.starts_with(text) => Err(Head::Incomplete),
        None => Err(Head::Wrong),
    }
}

/// Length of the longest end of `text` that begins the opening tag.
fn tag_prefix(text: &str) -> usize {
    (1..OPEN_TAG.len())
        .rev()
        .find(|length| {
            OPEN_TAG
                .get(..*length)
                .is_some_and(|tag| text.ends_with(tag))
        })
        .unwrap_or(0)
}

fn text_part(text: String) -> Option<Part> {
    (!text.is_empty()).then_some(Part::Text(text))
}

/// Joins neighbouring texts.
fn merge(parts: Vec<Part>) -> Vec<Part> {
    let mut merged: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        match (merged.last_mut(), part) {
            (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
            (_, part) => merged.push(part),
        }
    }
    merged
}

/// Longest text before the arguments of a call.
const MAX_HEAD: usize = 512;
/// Calls one answer may make.
const MAX_CALLS: u8 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = r#"{"name": "get", "arguments": {"a": "}\"", "b": [1]}}"#;
    const ARGUMENTS: &str = r#"{"a": "}\"", "b": [1]}"#;

    #[test]
    fn a_call_comes_out_the_same_however_it_is_cut() {
        let text = format!("Sure.{OPEN_TAG}\n{CALL}\n{CLOSE_TAG}");

        for size in 1..text.len() {
            let mut finder = CallFinder::may(false);
            let parts = feed(&mut finder, &text, size);
            assert_eq!(joined(&parts), ("Sure.".to_owned(), ARGUMENTS.to_owned()));
            assert!(parts.contains(&call(0)), "pieces of {size}");
            assert!(finder.is_done());
        }
    }

    #[test]
    fn a_forced_call_needs_no_tags() {
        let mut finder = CallFinder::must();

        let parts = feed(&mut finder, CALL, 3);

        assert_eq!(joined(&parts), (String::new(), ARGUMENTS.to_owned()));
        assert!(finder.is_done());
    }

    #[test]
    fn several_calls_are_numbered() {
        let text = format!("{OPEN_TAG}{CALL}{CLOSE_TAG}\n{OPEN_TAG}{CALL}{CLOSE_TAG}");
        let mut finder = CallFinder::may(true);

        let parts = feed(&mut finder, &text, 5);

        assert!(parts.contains(&call(0)) && parts.contains(&call(1)));
        assert_eq!(joined(&parts).0, "");
        assert_eq!(finder.calls(), 2);
    }

    #[test]
    fn text_without_a_call_passes() {
        let mut finder = CallFinder::may(true);

        let mut parts = feed(&mut finder, "1 < 2 and <tool", 4);
        parts.extend(finder.finish());

        assert_eq!(joined(&parts).0, "1 < 2 and <tool");
    }

    #[test]
    fn what_only_looks_like_a_call_stays_text() {
        let text = format!("{OPEN_TAG}not json{CLOSE_TAG} end");
        let mut finder = CallFinder::may(true);

        let mut parts = feed(&mut finder, &text, 4);
        parts.extend(finder.finish());

        assert_eq!(joined(&parts), (text, String::new()));
    }

    #[test]
    fn a_call_cut_off_in_its_arguments_keeps_them() {
        let mut finder = CallFinder::must();

        let mut parts = feed(&mut finder, r#"{"name":"get","arguments":{"a":"#, 50);
        parts.extend(finder.finish());

        assert_eq!(joined(&parts), (String::new(), r#"{"a":"#.to_owned()));
    }

    #[test]
    fn an_endless_name_is_given_up() {
        let mut finder = CallFinder::may(true);

        let text = format!("{OPEN_TAG}{{\"name\": \"{}", "x".repeat(600));
        let parts = feed(&mut finder, &text, 600);

        assert_eq!(joined(&parts).0, text);
    }

    #[test]
    fn the_start_of_a_call_is_reported_once() {
        let mut finder = CallFinder::may(true);

        finder.push(OPEN_TAG);
        assert!(finder.at_start_of_call());
        finder.push("{");
        assert!(!finder.at_start_of_call());
        assert!(finder.in_call());
    }

    fn feed(finder: &mut CallFinder, text: &str, size: usize) -> Vec<Part> {
        let bytes: Vec<char> = text.chars().collect();
        bytes
            .chunks(size)
            .flat_map(|piece| finder.push(&piece.iter().collect::<String>()))
            .collect()
    }

    fn call(index: u8) -> Part {
        Part::Call {
            index,
            name: "get".to_owned(),
        }
    }

    fn joined(parts: &[Part]) -> (String, String) {
        let mut joined = (String::new(), String::new());
        for part in parts {
            match part {
                Part::Text(text) => joined.0.push_str(text),
                Part::Arguments { text, .. } => joined.1.push_str(text),
                Part::Call { .. } => {}
            }
        }
        joined
    }
}
