//! Bytes to events.

use crate::error::{ApiError, Code, Layer};
use crate::event::{
    Event, FinishReason, Logprob, MAX_PAYLOAD, Order, OrderError, Start, TokenLogprob, Usage, kind,
    varint,
};
use crate::limits::{
    MAX_ID_BYTES, MAX_MODEL_BYTES, MAX_NAME_BYTES, MAX_STOP_BYTES, MAX_TOP_LOGPROBS,
};
use crate::request::Api;

/// Reads events from bytes that arrive in pieces of any size.
///
/// Between calls it holds at most one event that is not complete, so little more than
/// [`MAX_PAYLOAD`] bytes. After an error it stays failed.
#[derive(Default)]
pub struct EventDecoder {
    buffer: Vec<u8>,
    order: Order,
    failed: Option<DecodeError>,
}

/// Shows sizes, never content.
impl std::fmt::Debug for EventDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventDecoder")
            .field("buffered", &self.buffer.len())
            .field("order", &self.order)
            .field("failed", &self.failed)
            .finish()
    }
}

impl EventDecoder {
    /// At the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes and returns the events they complete.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes break the format. Events before the break that came with the
    /// same bytes are dropped: the answer is lost in any case.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.read(bytes);
        if let Err(error) = &result {
            self.failed = Some(*error);
            self.buffer = Vec::new();
        }
        result
    }

    /// Whether the stream ended with `End` and nothing behind it.
    #[must_use]
    pub fn is_clean_end(&self) -> bool {
        self.failed.is_none() && self.buffer.is_empty() && self.order.is_ended()
    }

    fn read(&mut self, bytes: &[u8]) -> Result<Vec<Event>, DecodeError> {
        self.buffer.extend_from_slice(bytes);
        let mut rest = self.buffer.as_slice();
        let mut events = Vec::new();
        while let Some((kind, payload, after)) = frame(rest)? {
            let event = event(kind, payload)?;
            self.order.next(&event)?;
            events.push(event);
            rest = after;
        }
        let consumed = self.buffer.len().saturating_sub(rest.len());
        self.buffer.drain(..consumed);
        Ok(events)
    }
}

/// Why bytes are not events.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A field is longer or shorter than the format allows.
    #[error("{field} of event kind {kind} has a length that is not allowed")]
    Length {
        /// The event's kind.
        kind: u8,
        /// Which field.
        field: &'static str,
    },

    /// A number is not in its shortest form, or not finite.
    #[error("event kind {kind} holds a number that is not in its one form")]
    Number {
        /// The event's kind.
        kind: u8,
    },

    /// The event may not come now.
    #[error(transparent)]
    Order(#[from] OrderError),

    /// The payload ends within a field, or goes on behind the last one.
    #[error("event kind {kind} has a payload of the wrong size")]
    Payload {
        /// The event's kind.
        kind: u8,
    },

    /// The payload is larger than [`MAX_PAYLOAD`].
    #[error("event kind {kind} has a payload of {got} bytes, at most {MAX_PAYLOAD} are allowed")]
    TooLarge {
        /// The event's kind.
        kind: u8,
        /// The length it announced.
        got: u64,
    },

    /// The event's kind, or a number or code in it, is not known.
    #[error("event kind {kind} has an unknown {field}")]
    Unknown {
        /// The event's kind.
        kind: u8,
        /// What is not known.
        field: &'static str,
    },

    /// Text is not UTF-8.
    #[error("event kind {kind} holds text that is not UTF-8")]
    Utf8 {
        /// The event's kind.
        kind: u8,
    },
}

impl From<DecodeError> for ApiError {
    fn from(_: DecodeError) -> Self {
        Self::from_code(Code::MalformedStream)
    }
}

type Frame<'a> = (u8, &'a [u8], &'a [u8]);

/// Splits the first frame off: its kind, its payload and what follows.
fn frame(bytes: &[u8]) -> Result<Option<Frame<'_>>, DecodeError> {
    let Some((&kind, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    if !(kind::START..=kind::END).contains(&kind) {
        let field = "kind";
        return Err(DecodeError::Unknown { kind, field });
    }
    let (got, rest) = match varint::read(rest) {
        varint::Read::More => return Ok(None),
        varint::Read::NotShortest => return Err(DecodeError::Number { kind }),
        varint::Read::Value(value, rest) => (value, rest),
    };
    match usize::try_from(got) {
        Ok(length) if length <= MAX_PAYLOAD => Ok(rest
            .split_at_checked(length)
            .map(|(payload, after)| (kind, payload, after))),
        _ => Err(DecodeError::TooLarge { kind, got }),
    }
}

fn event(kind: u8, payload: &[u8]) -> Result<Event, DecodeError> {
    let mut reader = Reader { kind, payload };
    let event = match kind {
        kind::START => start(&mut reader)?,
        kind::TEXT => Event::TextDelta {
            choice: reader.byte()?,
            text: reader.rest()?,
        },
        kind::LOGPROBS => logprobs(&mut reader)?,
        kind::TOOL_CALL_START => tool_call_start(&mut reader)?,
        kind::TOOL_CALL_ARGUMENTS => Event::ToolCallArguments {
            choice: reader.byte()?,
            index: reader.byte()?,
            text: reader.rest()?,
        },
        kind::FINISH => finish(&mut reader)?,
        kind::USAGE => Event::Usage(Usage {
            prompt: reader.number()?,
            completion: reader.number()?,
            cached: reader.number()?,
        }),
        kind::ERROR => Event::Error(error(&mut reader)?),
        kind::END => Event::End,
        _ => return Err(reader.unknown("kind")),
    };
    if reader.payload.is_empty() {
        Ok(event)
    } else {
        Err(DecodeError::Payload { kind })
    }
}

fn start(reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
    let api = match reader.byte()? {
        1 => Api::Chat,
        2 => Api::Completions,
        3 => Api::Messages,
        4 => Api::Responses,
        _ => return Err(reader.unknown("api")),
    };
    let created = reader.varint()?;
    let id = reader.string()?;
    let model = reader.rest()?;
    reader.within("id", 1..=MAX_ID_BYTES, &id)?;
    reader.within("model", 1..=MAX_MODEL_BYTES, &model)?;
    Ok(Event::Start(Start {
        api,
        id,
        created,
        model,
    }))
}

fn tool_call_start(reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
    let (choice, index) = (reader.byte()?, reader.byte()?);
    let id = reader.string()?;
    let name = reader.rest()?;
    reader.within("id", 0..=MAX_ID_BYTES, &id)?;
    reader.within("name", 0..=MAX_NAME_BYTES, &name)?;
    Ok(Event::ToolCallStart {
        choice,
        index,
        id,
        name,
    })
}

fn finish(reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
    let choice = reader.byte()?;
    let reason = reader.reason()?;
    let stop = reader.rest()?;
    reader.within("stop sequence", 0..=MAX_STOP_BYTES, &stop)?;
    Ok(Event::Finish {
        choice,
        reason,
        stop_sequence: Some(stop).filter(|stop| !stop.is_empty()),
    })
}

fn logprobs(reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
    let choice = reader.byte()?;
    let mut tokens = Vec::new();
    while tokens.is_empty() || !reader.payload.is_empty() {
        let token = reader.logprob()?;
        let count = reader.byte()?;
        if count > MAX_TOP_LOGPROBS {
            return Err(reader.length("alternatives"));
        }
        let top = (0..count)
            .map(|_| reader.logprob())
            .collect::<Result<_, _>>()?;
        tokens.push(TokenLogprob { token, top });
    }
    Ok(Event::Logprobs { choice, tokens })
}

fn error(reader: &mut Reader<'_>) -> Result<ApiError, DecodeError> {
    let code = Code::parse(&reader.string()?)
        .filter(|code| code.layer() == Layer::Api)
        .ok_or_else(|| reader.unknown("code"))?;
    Ok(ApiError {
        code,
        retry_after: Some(reader.number()?).filter(|seconds| *seconds > 0),
        param: Some(reader.string()?).filter(|param| !param.is_empty()),
        message: reader.rest()?,
    })
}

/// What is left of a payload.
struct Reader<'a> {
    kind: u8,
    payload: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let kind = self.kind;
        let (bytes, rest) = self
            .payload
            .split_at_checked(length)
            .ok_or(DecodeError::Payload { kind })?;
        self.payload = rest;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        self.bytes(1)
            .map(|bytes| bytes.first().copied().unwrap_or_default())
    }

    fn varint(&mut self) -> Result<u64, DecodeError> {
        let kind = self.kind;
        match varint::read(self.payload) {
            varint::Read::More => Err(DecodeError::Payload { kind }),
            varint::Read::NotShortest => Err(DecodeError::Number { kind }),
            varint::Read::Value(value, rest) => {
                self.payload = rest;
                Ok(value)
            }
        }
    }

    fn number(&mut self) -> Result<u32, DecodeError> {
        let kind = self.kind;
        u32::try_from(self.varint()?).map_err(|_| DecodeError::Number { kind })
    }

    fn counted(&mut self) -> Result<&'a [u8], DecodeError> {
        let kind = self.kind;
        let length = self.varint()?;
        self.bytes(usize::try_from(length).map_err(|_| DecodeError::Payload { kind })?)
    }

    fn string(&mut self) -> Result<String, DecodeError> {
        let bytes = self.counted()?;
        self.utf8(bytes)
    }

    fn rest(&mut self) -> Result<String, DecodeError> {
        let bytes = std::mem::take(&mut self.payload);
        self.utf8(bytes)
    }

    fn utf8(&self, bytes: &[u8]) -> Result<String, DecodeError> {
        let kind = self.kind;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(DecodeError::Utf8 { kind }),
        }
    }

    fn logprob(&mut self) -> Result<Logprob, DecodeError> {
        let kind = self.kind;
        let bytes = self.counted()?.to_vec();
        let number = self.bytes(4)?.first_chunk().copied().unwrap_or_default();
        let logprob = f32::from_be_bytes(number);
        if !logprob.is_finite() {
            return Err(DecodeError::Number { kind });
        }
        Ok(Logprob { bytes, logprob })
    }

    fn reason(&mut self) -> Result<FinishReason, DecodeError> {
        match self.byte()? {
            1 => Ok(FinishReason::Stop),
            2 => Ok(FinishReason::Length),
            3 => Ok(FinishReason::ToolCalls),
            4 => Ok(FinishReason::Cancelled),
            5 => Ok(FinishReason::Error),
            _ => Err(self.unknown("reason")),
        }
    }

    fn within(
        &self,
        field: &'static str,
        range: std::ops::RangeInclusive<usize>,
        text: &str,
    ) -> Result<(), DecodeError> {
        if range.contains(&text.len()) {
            Ok(())
        } else {
            Err(self.length(field))
        }
    }

    fn length(&self, field: &'static str) -> DecodeError {
        let kind = self.kind;
        DecodeError::Length { kind, field }
    }

    fn unknown(&self, field: &'static str) -> DecodeError {
        let kind = self.kind;
        DecodeError::Unknown { kind, field }
    }
}
