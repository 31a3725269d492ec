//! Events to bytes.

use crate::error::{ApiError, Code};
use crate::event::{Event, FinishReason, Logprob, Start, TokenLogprob, kind, varint};
use crate::limits::{
    MAX_ID_BYTES, MAX_MODEL_BYTES, MAX_NAME_BYTES, MAX_STOP_BYTES, MAX_TOP_LOGPROBS,
};
use crate::request::Api;

/// Written for a log probability that is not finite: 0 for practical purposes.
const UNLIKELY: f32 = -9999.0;

/// Most bytes of text in one event; longer text becomes several events.
const MAX_TEXT: usize = 1 << 16;

/// Tokens in one event; more become several events.
const MAX_TOKENS: usize = 64;

/// Bytes of one token.
const MAX_TOKEN_BYTES: usize = 128;

/// Bytes of an error's message; the rest is cut off.
const MAX_MESSAGE: usize = 4096;

impl Event {
    /// Appends the event's bytes to `out`.
    ///
    /// Long text and many log probabilities become several events of the same kind, and none at
    /// all become no event.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when a field is longer than the format allows; nothing was appended then.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Start(start) => encode_start(start, out)?,
            Self::TextDelta { choice, text } => {
                for piece in pieces(text) {
                    append(kind::TEXT, &[&[*choice], piece.as_bytes()], out);
                }
            }
            Self::Logprobs { choice, tokens } => encode_logprobs(*choice, tokens, out)?,
            Self::ToolCallStart {
                choice,
                index,
                id,
                name,
            } => {
                let mut head = vec![*choice, *index];
                string(bounded("tool call id", id, MAX_ID_BYTES)?, &mut head);
                let name = bounded("tool name", name, MAX_NAME_BYTES)?;
                append(kind::TOOL_CALL_START, &[&head, name.as_bytes()], out);
            }
            Self::ToolCallArguments {
                choice,
                index,
                text,
            } => {
                for piece in pieces(text) {
                    let parts: [&[u8]; 2] = [&[*choice, *index], piece.as_bytes()];
                    append(kind::TOOL_CALL_ARGUMENTS, &parts, out);
                }
            }
            Self::Finish {
                choice,
                reason,
                stop_sequence,
            } => {
                let stop = stop_sequence.as_deref().unwrap_or_default();
                let stop = bounded("stop sequence", stop, MAX_STOP_BYTES)?;
                let head = [*choice, reason_number(*reason)];
                append(kind::FINISH, &[&head, stop.as_bytes()], out);
            }
            Self::Usage(usage) => {
                let mut payload = Vec::new();
                for count in [usage.prompt, usage.completion, usage.cached] {
                    varint::write(count.into(), &mut payload);
                }
                append(kind::USAGE, &[&payload], out);
            }
            Self::Error(error) => encode_error(error, out),
            Self::End => append(kind::END, &[], out),
        }
        Ok(())
    }
}

/// Why an event could not be encoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A field is longer than the format allows.
    #[error("{field} is {got} bytes long, at most {max} are allowed")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// Its length in bytes.
        got: usize,
        /// The most it may have.
        max: usize,
    },
}

impl From<EncodeError> for ApiError {
    fn from(_: EncodeError) -> Self {
        Self::from_code(Code::EngineFailed)
    }
}

fn encode_start(start: &Start, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut payload = vec![api_number(start.api)];
    varint::write(start.created, &mut payload);
    string(bounded("id", &start.id, MAX_ID_BYTES)?, &mut payload);
    let model = bounded("model", &start.model, MAX_MODEL_BYTES)?;
    append(kind::START, &[&payload, model.as_bytes()], out);
    Ok(())
}

fn encode_logprobs(
    choice: u8,
    tokens: &[TokenLogprob],
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let mut payloads = Vec::new();
    for tokens in tokens.chunks(MAX_TOKENS) {
        let mut payload = vec![choice];
        for entry in tokens {
            logprob(&entry.token, &mut payload)?;
            payload.push(alternatives(entry)?);
            for alternative in &entry.top {
                logprob(alternative, &mut payload)?;
            }
        }
        payloads.push(payload);
    }
    for payload in payloads {
        append(kind::LOGPROBS, &[&payload], out);
    }
    Ok(())
}

fn encode_error(error: &ApiError, out: &mut Vec<u8>) {
    let mut payload = Vec::new();
    string(error.code.as_str(), &mut payload);
    varint::write(error.retry_after.unwrap_or(0).into(), &mut payload);
    let param = error.param.as_deref().unwrap_or_default();
    string(prefix(param, MAX_MESSAGE), &mut payload);
    let message = prefix(&error.message, MAX_MESSAGE);
    append(kind::ERROR, &[&payload, message.as_bytes()], out);
}

fn append(kind: u8, parts: &[&[u8]], out: &mut Vec<u8>) {
    out.push(kind);
    varint::write_length(parts.iter().map(|part| part.len()).sum(), out);
    for part in parts {
        out.extend_from_slice(part);
    }
}

fn string(text: &str, out: &mut Vec<u8>) {
    varint::write_length(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn logprob(entry: &Logprob, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let got = entry.bytes.len();
    check("token", got, MAX_TOKEN_BYTES)?;
    varint::write_length(got, out);
    out.extend_from_slice(&entry.bytes);
    let finite = if entry.logprob.is_finite() {
        entry.logprob
    } else {
        UNLIKELY
    };
    out.extend_from_slice(&finite.to_be_bytes());
    Ok(())
}

fn alternatives(entry: &TokenLogprob) -> Result<u8, EncodeError> {
    let got = entry.top.len();
    check("alternatives", got, MAX_TOP_LOGPROBS.into())?;
    Ok(u8::try_from(got).unwrap_or(MAX_TOP_LOGPROBS))
}

fn bounded<'a>(field: &'static str, text: &'a str, max: usize) -> Result<&'a str, EncodeError> {
    check(field, text.len(), max)?;
    Ok(text)
}

fn check(field: &'static str, got: usize, max: usize) -> Result<(), EncodeError> {
    if got > max {
        return Err(EncodeError::TooLong { field, got, max });
    }
    Ok(())
}

/// Cuts text into pieces of at most [`MAX_TEXT`] bytes, between characters.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let piece = prefix(rest, MAX_TEXT);
        rest = rest.get(piece.len()..).unwrap_or_default();
        (!piece.is_empty()).then_some(piece)
    })
}

/// The longest beginning of `text` of at most `max` bytes.
fn prefix(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

fn api_number(api: Api) -> u8 {
    match api {
        Api::Chat => 1,
        Api::Completions => 2,
        Api::Messages => 3,
        Api::Responses => 4,
    }
}

fn reason_number(reason: FinishReason) -> u8 {
    match reason {
        FinishReason::Stop => 1,
        FinishReason::Length => 2,
        FinishReason::ToolCalls => 3,
        FinishReason::Cancelled => 4,
        FinishReason::Error => 5,
    }
}
