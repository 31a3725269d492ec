//! Reading CBOR (RFC 8949) strictly.
//!
//! Every head is as short as it can be (section 4.2.1), keys of a map are
//! unique, and strings have a definite length. Maps and arrays have one as well,
//! unless a format says otherwise. The order of keys is free: what is read was
//! signed as it is and is never compared with an encoding of ours.

use minicbor::Decoder;
use minicbor::data::Type;

/// Levels of nesting that an item nobody reads may have.
const MAX_DEPTH: u8 = 8;

/// Most members of an item nobody reads.
const MAX_SKIPPED: usize = 256;

/// Whether a map or an array may leave its length open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lengths {
    /// It must say how long it is.
    Definite,
    /// It may be closed by a break.
    Any,
}

/// A key of a map.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Key<'a> {
    Integer(i64),
    Text(&'a str),
}

/// Reads one item after the other.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    decoder: Decoder<'a>,
    length: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            decoder: Decoder::new(bytes),
            length: bytes.len(),
        }
    }

    /// Nothing may be left.
    pub(crate) fn finish(&self) -> Result<(), CborError> {
        if self.at() == self.length {
            Ok(())
        } else {
            Err(CborError::Trailing { at: self.at() })
        }
    }

    /// Where the next item starts.
    pub(crate) fn at(&self) -> usize {
        self.decoder.position()
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, CborError> {
        let at = self.at();
        let value = self.decoder.u64().map_err(|_| CborError::Type { at })?;
        self.shortest(at, value, 0)?;
        Ok(value)
    }

    pub(crate) fn integer(&mut self) -> Result<i64, CborError> {
        let at = self.at();
        let value = self.decoder.i64().map_err(|_| CborError::Type { at })?;
        // A negative number is written as -1 minus it, which is its complement.
        let written = if value < 0 { !value } else { value };
        self.shortest(at, written.unsigned_abs(), 0)?;
        Ok(value)
    }

    /// A byte string of at most `most` bytes.
    pub(crate) fn bytes(&mut self, most: usize) -> Result<&'a [u8], CborError> {
        let at = self.at();
        let value = self.decoder.bytes().map_err(|_| CborError::Type { at })?;
        self.string(at, value.len(), most)?;
        Ok(value)
    }

    /// A text of at most `most` bytes.
    pub(crate) fn text(&mut self, most: usize) -> Result<&'a str, CborError> {
        let at = self.at();
        let value = self.decoder.str().map_err(|_| CborError::Type { at })?;
        self.string(at, value.len(), most)?;
        Ok(value)
    }

    /// The number of a tag, if the next item has one.
    pub(crate) fn tag(&mut self) -> Result<Option<u64>, CborError> {
        if self.next_type()? != Type::Tag {
            return Ok(None);
        }
        let at = self.at();
        let tag = self.decoder.tag().map_err(|_| CborError::Type { at })?;
        self.shortest(at, tag.as_u64(), 0)?;
        Ok(Some(tag.as_u64()))
    }

    /// Whether the next item is null, which is then read.
    pub(crate) fn null(&mut self) -> Result<bool, CborError> {
        let is_null = self.next_type()? == Type::Null;
        if is_null {
            let at = self.at();
            self.decoder.null().map_err(|_| CborError::Type { at })?;
        }
        Ok(is_null)
    }

    /// Whether the next item is an integer.
    pub(crate) fn is_integer(&self) -> Result<bool, CborError> {
        Ok(is_integer(self.next_type()?))
    }

    /// An array of exactly `length` members, which the caller reads.
    pub(crate) fn array_of(&mut self, length: u64) -> Result<(), CborError> {
        let at = self.at();
        match self.array_head()? {
            Some(got) if got == length => Ok(()),
            _ => Err(CborError::Length { at }),
        }
    }

    /// An array of at most `most` members, each read by `member`.
    pub(crate) fn array<E: From<CborError>>(
        &mut self,
        lengths: Lengths,
        most: usize,
        mut member: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let at = self.at();
        let length = self.array_head()?;
        self.members(at, length, lengths, most, |reader, _| member(reader))
    }

    /// A map of at most `most` entries with unique keys. `value` reads what
    /// belongs to a key.
    pub(crate) fn map<E: From<CborError>>(
        &mut self,
        lengths: Lengths,
        most: usize,
        mut value: impl FnMut(&mut Self, Key<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let at = self.at();
        let length = self.decoder.map().map_err(|_| CborError::Type { at })?;
        if let Some(length) = length {
            self.shortest(at, length, 0)?;
        }
        let mut seen = Vec::new();
        self.members(at, length, lengths, most, |reader, at| {
            let key = reader.key()?;
            if seen.contains(&key) {
                return Err(CborError::Duplicate { at }.into());
            }
            seen.push(key);
            value(reader, key)
        })
    }

    /// Reads an item of any kind and forgets it.
    pub(crate) fn skip(&mut self) -> Result<(), CborError> {
        self.skip_nested(MAX_DEPTH)
    }

    fn skip_nested(&mut self, depth: u8) -> Result<(), CborError> {
        let at = self.at();
        let Some(depth) = depth.checked_sub(1) else {
            return Err(CborError::TooDeep { at });
        };
        match self.next_type()? {
            Type::Bytes => self.bytes(usize::MAX).map(drop),
            Type::String => self.text(usize::MAX).map(drop),
            Type::Tag => {
                self.tag()?;
                self.skip_nested(depth)
            }
            Type::Array => self.array(Lengths::Definite, MAX_SKIPPED, |reader| {
                reader.skip_nested(depth)
            }),
            Type::Map => self.map(Lengths::Definite, MAX_SKIPPED, |reader, _| {
                reader.skip_nested(depth)
            }),
            Type::Bool => self
                .decoder
                .bool()
                .map(drop)
                .map_err(|_| CborError::Type { at }),
            Type::Null => self.null().map(drop),
            other if is_integer(other) => self.integer().map(drop),
            _ => Err(CborError::Type { at }),
        }
    }

    fn key(&mut self) -> Result<Key<'a>, CborError> {
        if self.next_type()? == Type::String {
            self.text(usize::MAX).map(Key::Text)
        } else {
            self.integer().map(Key::Integer)
        }
    }

    fn array_head(&mut self) -> Result<Option<u64>, CborError> {
        let at = self.at();
        let length = self.decoder.array().map_err(|_| CborError::Type { at })?;
        if let Some(length) = length {
            self.shortest(at, length, 0)?;
        }
        Ok(length)
    }

    /// Reads the members of the map or array at `at`; `member` also learns where
    /// it starts.
    fn members<E: From<CborError>>(
        &mut self,
        at: usize,
        length: Option<u64>,
        lengths: Lengths,
        most: usize,
        mut member: impl FnMut(&mut Self, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let indefinite = length.is_none();
        if indefinite && lengths == Lengths::Definite {
            return Err(CborError::Indefinite { at }.into());
        }
        let length = match length.map(usize::try_from) {
            Some(Ok(length)) if length <= most => length,
            None => most,
            Some(_) => return Err(CborError::TooMany { at, most }.into()),
        };
        for _ in 0..length {
            if indefinite && self.is_break()? {
                break;
            }
            let start = self.at();
            member(self, start)?;
        }
        if indefinite {
            if !self.is_break()? {
                return Err(CborError::TooMany { at, most }.into());
            }
            let end = self.at().saturating_add(1);
            self.decoder.set_position(end);
        }
        Ok(())
    }

    fn is_break(&self) -> Result<bool, CborError> {
        Ok(self.next_type()? == Type::Break)
    }

    fn next_type(&self) -> Result<Type, CborError> {
        let at = self.at();
        self.decoder.datatype().map_err(|_| CborError::Type { at })
    }

    fn string(&self, at: usize, length: usize, most: usize) -> Result<(), CborError> {
        if length > most {
            return Err(CborError::Length { at });
        }
        let argument = u64::try_from(length).unwrap_or(u64::MAX);
        self.shortest(at, argument, length)
    }

    /// The item that started at `at` must have a head no longer than its
    /// argument needs, and `content` bytes after it.
    fn shortest(&self, at: usize, argument: u64, content: usize) -> Result<(), CborError> {
        let head = match argument {
            0..=23 => 1,
            24..=0xFF => 2,
            0x100..=0xFFFF => 3,
            0x1_0000..=0xFFFF_FFFF => 5,
            _ => 9_usize,
        };
        let end = at.saturating_add(head).saturating_add(content);
        if self.at() == end {
            Ok(())
        } else {
            Err(CborError::NotShortest { at })
        }
    }
}

fn is_integer(kind: Type) -> bool {
    matches!(
        kind,
        Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::I8
            | Type::I16
            | Type::I32
            | Type::I64
            | Type::Int
    )
}

/// Why bytes were refused as CBOR. Positions count from the start of the object
/// that is read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CborError {
    /// A map has a key twice.
    #[error("a key occurs twice, at byte {at}")]
    Duplicate {
        /// Where the second one is.
        at: usize,
    },

    /// A map or an array does not say how long it is.
    #[error("length is not given, at byte {at}")]
    Indefinite {
        /// Where it starts.
        at: usize,
    },

    /// A string or an array has a length that is not allowed there.
    #[error("length is not allowed, at byte {at}")]
    Length {
        /// Where it starts.
        at: usize,
    },

    /// A number or a length takes more bytes than it needs.
    #[error("number is not written in its shortest form, at byte {at}")]
    NotShortest {
        /// Where it starts.
        at: usize,
    },

    /// Items are nested too deeply.
    #[error("nested too deeply, at byte {at}")]
    TooDeep {
        /// Where the deepest one starts.
        at: usize,
    },

    /// A map or an array has too many members.
    #[error("more than {most} members, at byte {at}")]
    TooMany {
        /// Where it starts.
        at: usize,
        /// How many it may have.
        most: usize,
    },

    /// Something follows the object.
    #[error("bytes follow the end, at byte {at}")]
    Trailing {
        /// Where the object ends.
        at: usize,
    },

    /// Something else is there than what belongs there, or nothing.
    #[error("unexpected or missing item, at byte {at}")]
    Type {
        /// Where it starts.
        at: usize,
    },
}

#[cfg(test)]
mod tests;
