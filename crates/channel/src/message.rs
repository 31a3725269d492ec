//! The HTTP messages inside the seal, as binary HTTP (RFC 9292).

use core::fmt;

use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::binary_http::{MAX_HEADERS, RawRequest, RawResponse, Rest};

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
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, MessageError> {
        let message = RawRequest {
            method: self.method.as_bytes(),
            scheme: SCHEME,
            authority: &[],
            path: self.path.as_bytes(),
            rest: rest(&self.headers, &self.body)?,
        };
        let out = Zeroizing::new(message.write());
        Self::decode(&out)?;
        Ok(out)
    }

    /// Reads a request from exactly `bytes`.
    ///
    /// # Errors
    ///
    /// [`MessageError`]; the error carries nothing of the message.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let message = RawRequest::read(bytes).ok_or(MessageError::Format)?;
        let text = |field: &[u8]| {
            let text = core::str::from_utf8(field).ok()?;
            text.bytes()
                .all(|byte| byte.is_ascii_graphic())
                .then(|| text.to_owned())
        };
        let method = text(message.method).ok_or(MessageError::Control)?;
        let path = text(message.path).ok_or(MessageError::Control)?;
        if method.is_empty()
            || !method.bytes().all(|byte| byte.is_ascii_uppercase())
            || !path.starts_with('/')
            || message.scheme != SCHEME
            || !message.authority.is_empty()
            || !message.rest.trailer.is_empty()
        {
            return Err(MessageError::Control);
        }
        Ok(Self {
            method,
            path,
            headers: headers(&message.rest)?,
            body: message.rest.content.to_vec(),
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
        let message = RawResponse {
            status: u64::from(self.status),
            rest: rest(&self.headers, &[])?,
        };
        let out = message.write();
        Self::decode(&out)?;
        Ok(out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let message = RawResponse::read(bytes).ok_or(MessageError::Format)?;
        let status = u16::try_from(message.status)
            .ok()
            .filter(|status| (200..=599).contains(status))
            .ok_or(MessageError::Control)?;
        if !message.rest.content.is_empty() || !message.rest.trailer.is_empty() {
            return Err(MessageError::Format);
        }
        Ok(Self {
            status,
            headers: headers(&message.rest)?,
        })
    }

    /// The first value of header `name` (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

fn rest<'a>(headers: &'a [(String, String)], content: &'a [u8]) -> Result<Rest<'a>, MessageError> {
    if headers.len() > MAX_HEADERS {
        return Err(MessageError::Header);
    }
    let fields = headers.iter();
    Ok(Rest {
        headers: fields
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect(),
        content,
        trailer: &[],
    })
}

fn headers(rest: &Rest<'_>) -> Result<Vec<(String, String)>, MessageError> {
    let mut out = Vec::with_capacity(rest.headers.len());
    for (name, value) in &rest.headers {
        let name = core::str::from_utf8(name).map_err(|_| MessageError::Header)?;
        let value = core::str::from_utf8(value).map_err(|_| MessageError::Header)?;
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

/// The one scheme: what it names is not used to reach anything.
const SCHEME: &[u8] = b"https";

#[cfg(test)]
mod tests;
