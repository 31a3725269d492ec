//! Server-sent events: bytes to the data of each event (WHATWG HTML, §9.2.6).

/// Splits a byte stream into events.
#[derive(Default)]
pub(crate) struct SseReader {
    line: Vec<u8>,
    data: Vec<u8>,
    /// The last byte was a carriage return, whose line feed may follow.
    after_return: bool,
}

/// An event, or its lines, are longer than [`MAX_EVENT`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TooLong;

impl SseReader {
    /// Adds bytes and returns the data of the events they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut events = Vec::new();
        for byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => self.end_line(&mut events)?,
                byte if self.line.len() < MAX_EVENT => self.line.push(*byte),
                _ => return Err(TooLong),
            }
        }
        Ok(events)
    }

    fn end_line(&mut self, events: &mut Vec<Vec<u8>>) -> Result<(), TooLong> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            if !self.data.is_empty() {
                events.push(std::mem::take(&mut self.data));
            }
            return Ok(());
        }
        // Comments and other fields mean nothing to us.
        if let Some(value) = line.strip_prefix(b"data:") {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            if self.data.len().saturating_add(value.len()) >= MAX_EVENT {
                return Err(TooLong);
            }
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value);
        }
        Ok(())
    }
}

/// Most bytes of a line, and of the data of one event: below what one event of
/// ours may hold.
pub(crate) const MAX_EVENT: usize = 192 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_the_same_however_they_are_cut() {
        let text = b": comment\r\ndata: one\r\n\r\nevent: x\ndata:two\ndata: lines\n\n\ndata: cut";

        for size in 1..text.len() {
            let mut reader = SseReader::default();
            let events: Vec<Vec<u8>> = text
                .chunks(size)
                .flat_map(|piece| reader.push(piece).unwrap())
                .collect();
            assert_eq!(
                events,
                [b"one".to_vec(), b"two\nlines".to_vec()],
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut reader = SseReader::default();

        assert_eq!(reader.push(&vec![b'x'; MAX_EVENT + 1]), Err(TooLong));
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut reader = SseReader::default();
        let line = [b"data: ".as_slice(), &[b'x'; 1000], b"\n"].concat();

        let refused = (0..1000).find_map(|_| reader.push(&line).err());

        assert_eq!(refused, Some(TooLong));
    }
}
