//! The HTTP messages inside the seal, as binary HTTP (RFC 9292).

use core::fmt;
use std::io::Cursor;

use bhttp::{Message, Mode, StatusCode};
use thiserror::Error;
use zeroize::Zeroize;

use crate::wire::Reader;

/// A whole HTTP request, as it travels inside the seal.
///
/// `Debug` shows sizes only: path, headers and body are the user's.
#[derive(Clone, Eq, PartialEq)]
pub struct InnerRequest {
    /// Method, such as `POST`.
    pub method: String,
    /// Absolute path, such as `/v1/chat/completions`.
    pub path: String,
    /// Header fields; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// Status and headers of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ResponseHead {
    /// Status code, 200 to 599.
    pub status: u16,
    /// Header fields; names in lower case.
    pub headers: Vec<(String, String)>,
}

/// Why bytes are not an acceptable inner message.
#[derive(Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum MessageError {
    /// Binary HTTP could not be read, or more follows it.
    #[error("inner message is not one binary HTTP message of known length")]
    Format,
    /// A header field is not lower-case ASCII, or there are too many.
    #[error("inner message has a header field that is not allowed")]
    Header,
    /// Method, path or status is not acceptable.
    #[error("inner message has a control line that is not allowed")]
    Control,
}

impl InnerRequest {
    /// Encodes the request; authority is empty, since the sealed key already
    /// says who is spoken to.
    ///
    /// # Errors
    ///
    /// [`MessageError`] when a field could not be read back.
    pub fn encode(&self) -> Result<Vec<u8>, MessageError> {
        let mut message = Message::request(
            self.method.clone().into_bytes(),
            b"https".to_vec(),
            Vec::new(),
            self.path.clone().into_bytes(),
        );
        for (name, value) in &self.headers {
            message.put_header(name.as_bytes(), value.as_bytes());
        }
        message.write_content(&self.body);
        let mut out = Vec::with_capacity(self.body.len().saturating_add(256));
        message
            .write_bhttp(Mode::KnownLength, &mut out)
            .map_err(|_| MessageError::Format)?;
        Self::decode(&out)?;
        Ok(out)
    }

    /// Reads a request from exactly `bytes`.
    ///
    /// # Errors
    ///
    /// [`MessageError`]; the error carries nothing of the message.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let message = read(bytes, KNOWN_LENGTH_REQUEST)?;
        let control = message.control();
        let text = |field: Option<&[u8]>| {
            let text = core::str::from_utf8(field?).ok()?;
            text.bytes()
                .all(|byte| byte.is_ascii_graphic())
                .then(|| text.to_owned())
        };
        let method = text(control.method()).ok_or(MessageError::Control)?;
        let path = text(control.path()).ok_or(MessageError::Control)?;
        let no_authority = control.authority().is_none_or(<[u8]>::is_empty);
        if method.is_empty()
            || !method.bytes().all(|byte| byte.is_ascii_uppercase())
            || !path.starts_with('/')
            || control.scheme() != Some(b"https")
            || !no_authority
            || !message.trailer().is_empty()
        {
            return Err(MessageError::Control);
        }
        Ok(Self {
            method,
            path,
            headers: headers(&message)?,
            body: message.content().to_vec(),
        })
    }

    /// The first value of header `name` (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

impl Drop for InnerRequest {
    fn drop(&mut self) {
        self.path.zeroize();
        self.body.zeroize();
        for (_, value) in &mut self.headers {
            value.zeroize();
        }
    }
}

impl fmt::Debug for InnerRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InnerRequest")
            .field("headers", &self.headers.len())
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl ResponseHead {
    /// A head with `status` and one `content-type`.
    #[must_use]
    pub fn new(status: u16, content_type: &str) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
        }
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, MessageError> {
        let status = StatusCode::try_from(self.status).map_err(|_| MessageError::Control)?;
        let mut message = Message::response(status);
        for (name, value) in &self.headers {
            message.put_header(name.as_bytes(), value.as_bytes());
        }
        let mut out = Vec::new();
        message
            .write_bhttp(Mode::KnownLength, &mut out)
            .map_err(|_| MessageError::Format)?;
        Self::decode(&out)?;
        Ok(out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let message = read(bytes, KNOWN_LENGTH_RESPONSE)?;
        let status = message.control().status().map(StatusCode::code);
        let status = status
            .filter(|status| (200..=599).contains(status))
            .ok_or(MessageError::Control)?;
        if !message.content().is_empty()
            || !message.trailer().is_empty()
            || !message.informational().is_empty()
        {
            return Err(MessageError::Format);
        }
        Ok(Self {
            status,
            headers: headers(&message)?,
        })
    }

    /// The first value of header `name` (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

/// Reads one message; `framing` is the first byte it must have. The library
/// compares every length with what is left before it reserves memory, but not
/// the number of fields: sections are measured before it sees them.
fn read(bytes: &[u8], framing: u8) -> Result<Message, MessageError> {
    if bytes.first() != Some(&framing) || !within_limits(bytes, framing) {
        return Err(MessageError::Format);
    }
    let mut cursor = Cursor::new(bytes);
    let message = Message::read_bhttp(&mut cursor).map_err(|_| MessageError::Format)?;
    let read = usize::try_from(cursor.position()).map_err(|_| MessageError::Format)?;
    if read == bytes.len() {
        Ok(message)
    } else {
        Err(MessageError::Format)
    }
}

/// Whether control data and header section are small, and no trailer follows
/// (RFC 9292 §3.1). A section of many tiny fields would cost much memory.
fn within_limits(bytes: &[u8], framing: u8) -> bool {
    let mut reader = Reader::new(bytes);
    let _ = reader.u8();
    let mut skip = |most: usize| {
        reader.is_empty()
            || reader
                .varint()
                .and_then(|len| usize::try_from(len).ok())
                .is_some_and(|len| len <= most && reader.take(len).is_some())
    };
    let control = if framing == KNOWN_LENGTH_REQUEST {
        (0..4).all(|_| skip(MAX_SECTION))
    } else {
        true
    };
    // A response's status is one number, not a section; its whole message is
    // bounded by the size of a frame.
    let sections =
        framing != KNOWN_LENGTH_REQUEST || (skip(MAX_SECTION) && skip(usize::MAX) && skip(0));
    control && sections
}

fn headers(message: &Message) -> Result<Vec<(String, String)>, MessageError> {
    let fields = message.header().fields();
    if fields.len() > MAX_HEADERS {
        return Err(MessageError::Header);
    }
    let mut out = Vec::with_capacity(fields.len());
    for field in fields {
        let name = core::str::from_utf8(field.name()).map_err(|_| MessageError::Header)?;
        let value = core::str::from_utf8(field.value()).map_err(|_| MessageError::Header)?;
        let good_name = !name.is_empty()
            && name.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
            });
        if !good_name || !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return Err(MessageError::Header);
        }
        out.push((name.to_owned(), value.to_owned()));
    }
    Ok(out)
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = headers.iter().find(|(key, _)| key == name)?;
    Some(value)
}

/// Framing indicators of RFC 9292 §3.3.
const KNOWN_LENGTH_REQUEST: u8 = 0;
const KNOWN_LENGTH_RESPONSE: u8 = 1;
/// More header fields than any client of the supported interfaces sends.
const MAX_HEADERS: usize = 64;
/// Bytes of a control field or of the header section.
const MAX_SECTION: usize = 64 << 10;

#[cfg(test)]
mod tests;
