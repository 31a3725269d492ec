//! Bytes of tokens to text for clients: whole characters, without stop sequences.

/// Turns the bytes of successive tokens into text, holding back what may still
/// become part of a character or of a stop sequence.
pub(crate) struct TextStream {
    pending: Vec<u8>,
    held: String,
    stops: Vec<String>,
    stopped: Option<String>,
}

impl TextStream {
    /// A stream that ends before the first of `stops`. Empty stops are ignored.
    pub(crate) fn new(stops: Vec<String>) -> Self {
        Self {
            pending: Vec::new(),
            held: String::new(),
            stops: stops.into_iter().filter(|s| !s.is_empty()).collect(),
            stopped: None,
        }
    }

    /// Adds the bytes of one token and returns the text that is now certain.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        if self.stopped.is_some() {
            return String::new();
        }
        self.pending.extend_from_slice(bytes);
        self.decode(false);
        self.release(false)
    }

    /// Ends the stream: a half character becomes U+FFFD, held text is released.
    pub(crate) fn finish(&mut self) -> String {
        if self.stopped.is_some() {
            return String::new();
        }
        self.decode(true);
        self.release(true)
    }

    /// The stop sequence that ended the stream, if one did.
    pub(crate) fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// Moves whole characters from `pending` to `held`; broken ones become U+FFFD.
    fn decode(&mut self, last: bool) {
        let mut rest = self.pending.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.held.push_str(text);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    self.held.push_str(&String::from_utf8_lossy(good));
                    let Some(broken) = error.error_len() else {
                        rest = bad;
                        break;
                    };
                    self.held.push(char::REPLACEMENT_CHARACTER);
                    rest = bad.get(broken..).unwrap_or_default();
                }
            }
        }
        let rest = rest.to_vec();
        self.pending = rest;
        if last && !self.pending.is_empty() {
            self.pending.clear();
            self.held.push(char::REPLACEMENT_CHARACTER);
        }
    }

    fn release(&mut self, last: bool) -> String {
        let stop = self
            .stops
            .iter()
            .filter_map(|stop| Some((self.held.find(stop)?, stop)))
            .min_by_key(|(at, _)| *at);
        if let Some((at, stop)) = stop {
            self.stopped = Some(stop.clone());
            let mut text = std::mem::take(&mut self.held);
            text.truncate(at);
            return text;
        }
        let keep = if last { 0 } else { self.possible_stop() };
        let cut = self.held.len().saturating_sub(keep);
        let tail = self.held.split_off(cut);
        std::mem::replace(&mut self.held, tail)
    }

    /// Length of the longest end of `held` that begins a stop sequence.
    fn possible_stop(&self) -> usize {
        let begins = |at: &usize| {
            let tail = self.held.get(*at..).unwrap_or_default();
            self.stops.iter().any(|stop| stop.starts_with(tail))
        };
        self.held
            .char_indices()
            .map(|(at, _)| at)
            .find(begins)
            .map_or(0, |at| self.held.len().saturating_sub(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_split_over_tokens_comes_out_whole() {
        let mut stream = TextStream::new(vec![]);

        let parts: Vec<String> = "a🙂b".bytes().map(|b| stream.push(&[b])).collect();

        assert_eq!(parts, ["a", "", "", "", "🙂", "b"]);
    }

    #[test]
    fn a_stop_sequence_across_token_borders_ends_the_text_before_it() {
        let mut stream = TextStream::new(vec!["STOP".to_owned()]);

        let text: String = ["one S", "T", "OP two"]
            .iter()
            .map(|t| stream.push(t.as_bytes()))
            .collect();

        assert_eq!((text.as_str(), stream.stopped()), ("one ", Some("STOP")));
        assert_eq!(stream.finish(), "");
    }

    #[test]
    fn text_that_only_begins_like_a_stop_sequence_is_released() {
        let mut stream = TextStream::new(vec!["STOP".to_owned()]);

        let first = stream.push(b"STO");
        let second = stream.push(b"RY");

        assert_eq!((first.as_str(), second.as_str()), ("", "STORY"));
    }

    #[test]
    fn the_earliest_of_several_stops_wins() {
        let mut stream = TextStream::new(vec!["b".to_owned(), "a".to_owned()]);

        assert_eq!(stream.push(b"xxaxb"), "xx");
    }

    #[test]
    fn held_text_comes_out_at_the_end() {
        let mut stream = TextStream::new(vec!["\n\n".to_owned()]);

        let first = stream.push(b"end\n");

        assert_eq!((first.as_str(), stream.finish().as_str()), ("end", "\n"));
    }

    #[test]
    fn broken_bytes_become_replacement_characters() {
        let mut stream = TextStream::new(vec![]);

        assert_eq!(stream.push(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(stream.push(b"\xf0\x9f"), "");
        assert_eq!(stream.finish(), "\u{fffd}");
    }
}
