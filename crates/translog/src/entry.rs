//! Entries of the log (spec/transparency.md §5): who must have signed one, and of which kind it is.

pub mod directory;
pub mod release;
pub mod roster;

use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::note::{KeyKind, Note, NoteError, VerifierKey};
use crate::{LogPolicy, LogProof, LogProofError, LoggedEntry, Timestamp};

/// The authors of entries of one kind, and how many of them must sign.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authors {
    keys: Vec<VerifierKey>,
    threshold: usize,
}

/// Why authors are none.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum AuthorsError {
    /// A key is named twice.
    #[error("an author is named twice")]
    Duplicate,
    /// A key has the wrong kind.
    #[error("an author's key is of type 0x01")]
    Kind,
    /// None, or too many.
    #[error("there are 1..={} authors", Authors::MAX)]
    Number,
    /// Not more than half, or more than all.
    #[error("more than half of {authors} authors must sign, and at most all")]
    Threshold {
        /// How many there are.
        authors: usize,
    },
}

/// Why an entry is not accepted.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum EntryError {
    /// Its time has not come.
    #[error("it begins in {seconds} s")]
    Early {
        /// How long from now.
        seconds: u64,
    },
    /// Its time is over.
    #[error("it ended {seconds} s ago")]
    Expired {
        /// How long ago.
        seconds: u64,
    },
    /// A value is not what the specification demands.
    #[error("{0}")]
    Field(&'static str),
    /// The JSON has another form.
    #[error("the statement has another form: {0}")]
    Json(String),
    /// It is an entry of another kind.
    #[error("not an entry of kind {expected}")]
    Kind {
        /// The first line that was wanted.
        expected: &'static str,
    },
    /// It is not logged.
    #[error(transparent)]
    Log(#[from] LogProofError),
    /// It is not a note, or a signature does not verify.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Too few authors have signed.
    #[error("{actual} authors have signed, {expected} must have")]
    Threshold {
        /// How many have.
        actual: usize,
        /// How many must have.
        expected: usize,
    },
}

impl Authors {
    /// The most authors.
    pub const MAX: usize = 16;

    /// Authors with these keys, of whom `threshold` must sign.
    ///
    /// # Errors
    ///
    /// [`AuthorsError`].
    pub fn new(keys: Vec<VerifierKey>, threshold: usize) -> Result<Self, AuthorsError> {
        if keys.is_empty() || keys.len() > Self::MAX {
            return Err(AuthorsError::Number);
        }
        if keys.iter().any(|key| key.kind() != KeyKind::Ed25519) {
            return Err(AuthorsError::Kind);
        }
        for (at, key) in keys.iter().enumerate() {
            let same = |other: &VerifierKey| other.public_bytes() == key.public_bytes();
            if keys.iter().skip(at.saturating_add(1)).any(same) {
                return Err(AuthorsError::Duplicate);
            }
        }
        if threshold <= keys.len() / 2 || threshold > keys.len() {
            return Err(AuthorsError::Threshold {
                authors: keys.len(),
            });
        }
        Ok(Self { keys, threshold })
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &[VerifierKey] {
        &self.keys
    }
}

/// A proof that has been verified: the note of the entry and where it is logged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Statement<T> {
    pub(crate) content: T,
    pub(crate) text: String,
    pub(crate) logged: LoggedEntry,
}

/// Verifies that an entry of `kind` is logged and signed by its authors, and reads it.
pub(crate) fn verify<T: DeserializeOwned>(
    proof: &LogProof,
    kind: &'static str,
    authors: &Authors,
    log: &LogPolicy,
    now: Timestamp,
) -> Result<Statement<T>, EntryError> {
    let logged = proof.verify(log, now)?;
    let note = Note::parse(logged.entry())?;
    let actual = note.count(&authors.keys)?;
    if actual < authors.threshold {
        return Err(EntryError::Threshold {
            actual,
            expected: authors.threshold,
        });
    }
    let content = read(note.text(), kind)?;
    Ok(Statement {
        content,
        text: note.text().to_owned(),
        logged,
    })
}

/// Reads the text of an entry: the line that names its kind, and one JSON object.
pub(crate) fn read<T: DeserializeOwned>(text: &str, kind: &'static str) -> Result<T, EntryError> {
    let json = text
        .strip_prefix(kind)
        .and_then(|rest| rest.strip_prefix('\n'))
        .ok_or(EntryError::Kind { expected: kind })?;
    serde_json::from_str(json).map_err(|error| EntryError::Json(error.to_string()))
}

/// The text of an entry.
pub(crate) fn write<T: serde::Serialize>(kind: &str, content: &T) -> Result<String, EntryError> {
    let json = serde_json::to_string_pretty(content)
        .map_err(|error| EntryError::Json(error.to_string()))?;
    Ok(format!("{kind}\n{json}\n"))
}

/// Checks a life: at most `longest` seconds, and now.
pub(crate) fn check_life(
    not_before: u64,
    not_after: u64,
    longest: u64,
    now: Timestamp,
) -> Result<(), EntryError> {
    check_span(not_before, not_after, longest)?;
    if now.get() < not_before {
        return Err(EntryError::Early {
            seconds: not_before.saturating_sub(now.get()),
        });
    }
    if now.get() > not_after {
        return Err(EntryError::Expired {
            seconds: now.get().saturating_sub(not_after),
        });
    }
    Ok(())
}

pub(crate) fn check_span(not_before: u64, not_after: u64, longest: u64) -> Result<(), EntryError> {
    match not_after.checked_sub(not_before) {
        Some(span) if span <= longest => Ok(()),
        Some(_) => Err(EntryError::Field("it lives longer than it may")),
        None => Err(EntryError::Field("it ends before it begins")),
    }
}

/// 32 bytes in lower-case hexadecimal.
pub(crate) mod hex32 {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        read(&text).ok_or_else(|| de::Error::custom("expected 64 lower-case hexadecimal digits"))
    }

    pub(crate) fn read(text: &str) -> Option<[u8; 32]> {
        let mut bytes = [0; 32];
        let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        (lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
    }
}

#[cfg(test)]
mod tests;
