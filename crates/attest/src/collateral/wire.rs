//! The CBOR of collateral, read as bundles are: see `bundle/wire.rs`.

use minicbor::{Decoder, Encoder};

use super::{Collateral, CollateralError, Content, Entry, Kind, Label};
use crate::identifiers::Sha256Digest;
use crate::time::UnixSeconds;

/// What the file is, and which version.
pub(super) const TYPE: &str = "tag:subrosa.dev,2026:collateral/1";

/// The keys, in the order of their encodings.
const KIND: &str = "kind";
const TYPE_KEY: &str = "type";
const ENTRIES: &str = "entries";
const EVIDENCE: &str = "evidence";
const EXPIRES_AT: &str = "expires_at";
const GATHERED_AT: &str = "gathered_at";
const KEYS: u64 = 6;

/// A source that is no address.
const LOCAL: &str = "local";
const MAX_SOURCE: usize = 1000;
const MAX_TEXT_SHOWN: usize = 64;
const END_OF_TIME: u64 = 1 << 38;

pub(super) fn decode(bytes: &[u8]) -> Result<Content, CollateralError> {
    let mut reader = Reader(Decoder::new(bytes));
    if reader.map()? != KEYS {
        return Err(reader.format());
    }
    let kind = reader.value(KIND, Reader::text)?;
    if reader.value(TYPE_KEY, Reader::text)? != TYPE {
        return Err(CollateralError::WrongType);
    }
    let kind: Kind = kind.parse().map_err(|_| CollateralError::Kind)?;
    let content = Content {
        kind,
        entries: reader.value(ENTRIES, Reader::entries)?,
        evidence: reader.value(EVIDENCE, Reader::digest)?,
        expires_at: reader.value(EXPIRES_AT, Reader::time)?,
        gathered_at: reader.value(GATHERED_AT, Reader::time)?,
    };
    if reader.0.position() == bytes.len() {
        Ok(content)
    } else {
        Err(reader.format())
    }
}

/// Writes `content`, whose entries are in the right order already.
pub(super) fn encode(content: &Content) -> Result<Vec<u8>, CollateralError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes);
    write(&mut encoder, content).map_err(|_| CollateralError::Format { at: 0 })?;
    Ok(bytes)
}

fn write(
    encoder: &mut Encoder<&mut Vec<u8>>,
    content: &Content,
) -> Result<(), minicbor::encode::Error<core::convert::Infallible>> {
    encoder.map(KEYS)?;
    encoder.str(KIND)?.str(content.kind.as_str())?;
    encoder.str(TYPE_KEY)?.str(TYPE)?;
    let count = u64::try_from(content.entries.len()).unwrap_or(u64::MAX);
    encoder.str(ENTRIES)?.map(count)?;
    for entry in &content.entries {
        encoder
            .str(&entry.label.to_string())?
            .array(3)?
            .str(entry.label.media_type())?
            .str(&entry.source)?
            .bytes(&entry.content)?;
    }
    encoder.str(EVIDENCE)?.bytes(content.evidence.as_bytes())?;
    encoder.str(EXPIRES_AT)?.u64(content.expires_at.get())?;
    encoder.str(GATHERED_AT)?.u64(content.gathered_at.get())?;
    Ok(())
}

struct Reader<'a>(Decoder<'a>);

impl<'a> Reader<'a> {
    /// Reads the key that must come next, and its value.
    fn value<T>(
        &mut self,
        key: &'static str,
        read: fn(&mut Self) -> Result<T, CollateralError>,
    ) -> Result<T, CollateralError> {
        let got = self.text()?;
        if got != key {
            return Err(CollateralError::UnknownKey {
                expected: key,
                got: cut(got),
            });
        }
        read(self)
    }

    fn entries(&mut self) -> Result<Vec<Entry>, CollateralError> {
        let count = self.map()?;
        if usize::try_from(count).map_or(true, |count| count > Collateral::MAX_ENTRIES) {
            return Err(CollateralError::TooManyEntries { got: count });
        }
        let mut entries: Vec<Entry> = Vec::new();
        for _ in 0..count {
            let text = self.text()?;
            let label = Label::from_text(text)
                .ok_or_else(|| CollateralError::UnknownLabel { label: cut(text) })?;
            if entries.iter().any(|other| other.label == label) {
                return Err(CollateralError::Duplicate { label });
            }
            entries.push(self.entry(label)?);
        }
        Ok(entries)
    }

    fn entry(&mut self, label: Label) -> Result<Entry, CollateralError> {
        let at = self.0.position();
        if self.0.array().ok().flatten() != Some(3) {
            return Err(CollateralError::Format { at });
        }
        if self.text()? != label.media_type() {
            return Err(CollateralError::MediaType { label });
        }
        let source = self.text()?;
        if !is_source(source) {
            return Err(CollateralError::Source { label });
        }
        let content = self.bytes()?;
        if content.is_empty() || content.len() > label.max_len() {
            return Err(CollateralError::EntryLength {
                label,
                got: content.len(),
            });
        }
        Ok(Entry {
            label,
            source: source.to_owned(),
            content: content.to_vec(),
        })
    }

    fn digest(&mut self) -> Result<Sha256Digest, CollateralError> {
        let bytes = self.bytes()?;
        let digest = bytes.try_into().map_err(|_| self.format())?;
        Ok(Sha256Digest::new(digest))
    }

    fn time(&mut self) -> Result<UnixSeconds, CollateralError> {
        let seconds = self.0.u64().map_err(|_| self.format())?;
        if seconds >= END_OF_TIME {
            return Err(CollateralError::Time { got: seconds });
        }
        Ok(UnixSeconds::new(seconds))
    }

    fn map(&mut self) -> Result<u64, CollateralError> {
        let length = self.0.map().ok().flatten();
        length.ok_or_else(|| self.format())
    }

    fn text(&mut self) -> Result<&'a str, CollateralError> {
        self.0.str().map_err(|_| self.format())
    }

    fn bytes(&mut self) -> Result<&'a [u8], CollateralError> {
        self.0.bytes().map_err(|_| self.format())
    }

    fn format(&self) -> CollateralError {
        CollateralError::Format {
            at: self.0.position(),
        }
    }
}

fn is_source(text: &str) -> bool {
    let address = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    text == LOCAL
        || address.is_some_and(|rest| {
            !rest.is_empty()
                && rest.len() <= MAX_SOURCE
                && rest.bytes().all(|byte| byte.is_ascii_graphic())
        })
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT_SHOWN).collect()
}
