//! Binary HTTP messages of known length (RFC 9292 §3), the part that the
//! exchange uses. Messages are read in place and written into a buffer of the
//! right size, so that a user's text is not copied more often than needed.

use crate::wire::{Reader, len_u64, put_varint};

/// A request as it stands in its bytes (RFC 9292 §3.4).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RawRequest<'a> {
    pub(crate) method: &'a [u8],
    pub(crate) scheme: &'a [u8],
    pub(crate) authority: &'a [u8],
    pub(crate) path: &'a [u8],
    pub(crate) rest: Rest<'a>,
}

/// A response as it stands in its bytes (RFC 9292 §3.5).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RawResponse<'a> {
    pub(crate) status: u64,
    pub(crate) rest: Rest<'a>,
}

/// What follows the control data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Rest<'a> {
    /// Names and values.
    pub(crate) headers: Vec<(&'a [u8], &'a [u8])>,
    pub(crate) content: &'a [u8],
    /// The trailer section, unread.
    pub(crate) trailer: &'a [u8],
}

impl<'a> RawRequest<'a> {
    /// Reads one request and nothing behind it.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        (reader.u8()? == KNOWN_LENGTH_REQUEST).then_some(())?;
        Some(Self {
            method: section(&mut reader, MAX_SECTION)?,
            scheme: section(&mut reader, MAX_SECTION)?,
            authority: section(&mut reader, MAX_SECTION)?,
            path: section(&mut reader, MAX_SECTION)?,
            rest: Rest::read(reader)?,
        })
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let control = [self.method, self.scheme, self.authority, self.path];
        let len = control.iter().map(|part| section_bound(part)).sum();
        let mut out = Vec::with_capacity(self.rest.bound().saturating_add(len));
        out.push(KNOWN_LENGTH_REQUEST);
        for part in control {
            put_section(&mut out, part);
        }
        self.rest.write(&mut out);
        out
    }
}

impl<'a> RawResponse<'a> {
    /// Reads one response and nothing behind it; `None` for one with
    /// informational responses before it.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        (reader.u8()? == KNOWN_LENGTH_RESPONSE).then_some(())?;
        let status = reader.varint().filter(|status| *status >= 200)?;
        let rest = Rest::read(reader)?;
        Some(Self { status, rest })
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.rest.bound());
        out.push(KNOWN_LENGTH_RESPONSE);
        put_varint(&mut out, self.status);
        self.rest.write(&mut out);
        out
    }
}

impl<'a> Rest<'a> {
    fn read(mut reader: Reader<'a>) -> Option<Self> {
        // Empty sections at the end may be left out (RFC 9292 §3.8).
        let mut tail = |most| {
            if reader.is_empty() {
                return Some(&[][..]);
            }
            section(&mut reader, most)
        };
        let (fields, content) = (tail(MAX_SECTION)?, tail(usize::MAX)?);
        let trailer = tail(MAX_SECTION)?;
        reader.is_empty().then_some(())?;
        Some(Self {
            headers: headers(Reader::new(fields))?,
            content,
            trailer,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let fields = self.headers.iter().map(|(name, value)| {
            let parts = [name.len(), value.len()];
            parts.map(section_len).iter().sum::<usize>()
        });
        put_varint(out, len_u64(fields.sum()));
        for (name, value) in &self.headers {
            put_section(out, name);
            put_section(out, value);
        }
        put_section(out, self.content);
        put_section(out, self.trailer);
    }

    /// No fewer bytes than framing, status and this take when written.
    fn bound(&self) -> usize {
        let fields = self
            .headers
            .iter()
            .map(|(name, value)| section_bound(name).saturating_add(section_bound(value)));
        let tail = section_bound(self.content).saturating_add(section_bound(self.trailer));
        fields
            .sum::<usize>()
            .saturating_add(tail)
            .saturating_add(32)
    }
}

/// Reads a section of fields; the number of fields is bounded while they are read.
fn headers(mut fields_left: Reader<'_>) -> Option<Vec<(&[u8], &[u8])>> {
    let mut fields = Vec::new();
    while !fields_left.is_empty() {
        if fields.len() >= MAX_HEADERS {
            return None;
        }
        let name = section(&mut fields_left, MAX_SECTION)?;
        fields.push((name, section(&mut fields_left, MAX_SECTION)?));
    }
    Some(fields)
}

fn section<'a>(reader: &mut Reader<'a>, most: usize) -> Option<&'a [u8]> {
    let len = usize::try_from(reader.varint()?).ok()?;
    if len > most {
        return None;
    }
    reader.take(len)
}

fn put_section(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, len_u64(bytes.len()));
    out.extend_from_slice(bytes);
}

/// Bytes that a section of `len` takes with its length.
fn section_len(len: usize) -> usize {
    let mut prefix = Vec::with_capacity(MAX_VARINT);
    put_varint(&mut prefix, len_u64(len));
    prefix.len().saturating_add(len)
}

fn section_bound(bytes: &[u8]) -> usize {
    bytes.len().saturating_add(MAX_VARINT)
}

/// Framing indicators of RFC 9292 §3.3.
const KNOWN_LENGTH_REQUEST: u8 = 0;
const KNOWN_LENGTH_RESPONSE: u8 = 1;
/// More header fields than any client of the supported interfaces sends.
pub(crate) const MAX_HEADERS: usize = 64;
/// Bytes of a control field, of the header section and of a field.
pub(crate) const MAX_SECTION: usize = 64 << 10;
/// Longest variable-length integer (RFC 9000 §16).
const MAX_VARINT: usize = 8;

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
