//! The CBOR of a bundle.
//!
//! `minicbor` reads without recursion, borrows strings and leaves the shape to
//! us; a serde-based decoder would accept more encodings than there should be.
//! Which of the remaining encodings is the right one is decided by writing the
//! content again and comparing.

use minicbor::{Decoder, Encoder};

use super::{BundleError, Label};

/// `__cmwc_t` of a collection: what kind of bundle this is, and which version.
pub(super) const COLLECTION_TYPE: &str = "tag:subrosa.dev,2026:evidence-bundle/1";

const COLLECTION_TYPE_KEY: &str = "__cmwc_t";

/// Labels of platforms to come start with these; the rest of them is theirs.
const OTHER_PLATFORMS: [&str; 7] = ["azure-", "cca-", "nitro-", "psa-", "sgx-", "tdx-", "tpm-"];

const MAX_LABEL_SHOWN: usize = 64;

pub(super) fn decode(bytes: &[u8]) -> Result<Vec<(Label, Vec<u8>)>, BundleError> {
    let mut reader = Reader(Decoder::new(bytes));
    let count = reader.map_length()?;
    let most = Label::ALL.len().saturating_add(1);
    if usize::try_from(count).is_ok_and(|count| count > most) || count > u64::from(u16::MAX) {
        return Err(BundleError::TooManyEntries {
            expected: most,
            got: count,
        });
    }
    let mut entries: Vec<(Label, Vec<u8>)> = Vec::new();
    let mut typed = false;
    for _ in 0..count {
        let key = reader.text()?;
        if key == COLLECTION_TYPE_KEY && !typed {
            if reader.text()? != COLLECTION_TYPE {
                return Err(BundleError::WrongType);
            }
            typed = true;
            continue;
        }
        let label = read_label(key)?;
        if entries.iter().any(|(other, _)| *other == label) {
            return Err(BundleError::Duplicate { label });
        }
        entries.push((label, reader.value_of(label)?));
    }
    if !typed {
        return Err(BundleError::WrongType);
    }
    reader.finish(bytes.len())?;
    Ok(entries)
}

/// Writes `entries`, which are in the right order already.
pub(super) fn encode(entries: &[(Label, Vec<u8>)]) -> Result<Vec<u8>, BundleError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes);
    write(&mut encoder, entries).map_err(|_| BundleError::Format { at: 0 })?;
    Ok(bytes)
}

fn write(
    encoder: &mut Encoder<&mut Vec<u8>>,
    entries: &[(Label, Vec<u8>)],
) -> Result<(), minicbor::encode::Error<core::convert::Infallible>> {
    let count = u64::try_from(entries.len()).unwrap_or(u64::MAX);
    encoder.map(count.saturating_add(1))?;
    let type_key = (COLLECTION_TYPE_KEY.len(), COLLECTION_TYPE_KEY);
    let mut typed = false;
    for (label, value) in entries {
        if !typed && label.sort_key() > type_key {
            encoder.str(COLLECTION_TYPE_KEY)?.str(COLLECTION_TYPE)?;
            typed = true;
        }
        encoder
            .str(label.as_str())?
            .array(2)?
            .str(label.media_type())?
            .bytes(value)?;
    }
    if !typed {
        encoder.str(COLLECTION_TYPE_KEY)?.str(COLLECTION_TYPE)?;
    }
    Ok(())
}

struct Reader<'a>(Decoder<'a>);

impl<'a> Reader<'a> {
    fn map_length(&mut self) -> Result<u64, BundleError> {
        let length = self.0.map();
        self.definite(length)
    }

    fn text(&mut self) -> Result<&'a str, BundleError> {
        let at = self.0.position();
        self.0.str().map_err(|_| BundleError::Format { at })
    }

    fn value_of(&mut self, label: Label) -> Result<Vec<u8>, BundleError> {
        let length = self.0.array();
        if self.definite(length)? != 2 {
            return Err(BundleError::Format {
                at: self.0.position(),
            });
        }
        if self.text()? != label.media_type() {
            return Err(BundleError::MediaType { label });
        }
        let at = self.0.position();
        let value = self.0.bytes().map_err(|_| BundleError::Format { at })?;
        if value.is_empty() || value.len() > label.max_len() {
            return Err(BundleError::EntryLength {
                label,
                got: value.len(),
            });
        }
        Ok(value.to_vec())
    }

    fn finish(self, length: usize) -> Result<(), BundleError> {
        match self.0.position() {
            at if at == length => Ok(()),
            at => Err(BundleError::Format { at }),
        }
    }

    fn definite(
        &self,
        length: Result<Option<u64>, minicbor::decode::Error>,
    ) -> Result<u64, BundleError> {
        length.ok().flatten().ok_or(BundleError::Format {
            at: self.0.position(),
        })
    }
}

fn read_label(text: &str) -> Result<Label, BundleError> {
    if let Some(label) = Label::from_text(text) {
        return Ok(label);
    }
    let label = text.chars().take(MAX_LABEL_SHOWN).collect();
    let of_a_platform = OTHER_PLATFORMS
        .iter()
        .any(|prefix| text.starts_with(prefix));
    Err(if of_a_platform {
        BundleError::UnsupportedPlatform { label }
    } else {
        BundleError::UnknownLabel { label }
    })
}
