//! Signed notes (c2sp.org/signed-note).

mod key;

pub use key::{KeyError, KeyKind, KeyName, NoteSigner, VerifierKey};

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

/// A text and lines of signatures over it. Nothing of it is verified.
#[derive(Clone, Eq, PartialEq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A signature line: who claims to have signed, and what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NoteSignature {
    name: KeyName,
    id: [u8; 4],
    signature: Vec<u8>,
}

/// Why bytes are no note, or a note proves nothing.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum NoteError {
    /// The bytes do not have the form of a note.
    #[error("not a signed note: {0}")]
    Format(&'static str),
    /// A key that is known has not signed what it is said to have signed.
    #[error("the signature of {0} does not verify")]
    Signature(KeyName),
    /// A key that must have signed has not.
    #[error("the signature of {0} is missing")]
    Unsigned(KeyName),
}

impl Note {
    /// The largest note, in bytes.
    pub const MAX: usize = 64 * 1024;
    /// The most signatures of a note.
    pub const MAX_SIGNATURES: usize = 64;

    /// A note without signatures.
    ///
    /// # Errors
    ///
    /// [`NoteError::Format`] if the text cannot be that of a note.
    pub fn new(text: impl Into<String>) -> Result<Self, NoteError> {
        let text = text.into();
        check_text(&text)?;
        Ok(Self {
            text,
            signatures: Vec::new(),
        })
    }

    /// Reads a note. Its signatures are **not** verified.
    ///
    /// # Errors
    ///
    /// [`NoteError::Format`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > Self::MAX {
            return Err(NoteError::Format("it is too large"));
        }
        let note = core::str::from_utf8(bytes).map_err(|_| NoteError::Format("it is not UTF-8"))?;
        let (text, lines) = note
            .rsplit_once("\n\n")
            .ok_or(NoteError::Format("no empty line before the signatures"))?;
        let text = format!("{text}\n");
        check_text(&text)?;
        let lines = lines
            .strip_suffix('\n')
            .ok_or(NoteError::Format("the last line does not end"))?;
        let signatures = parse_signatures(lines)?;
        Ok(Self { text, signatures })
    }

    /// The text, with its last newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, in their order.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature line. A line of the same key is replaced.
    ///
    /// # Errors
    ///
    /// [`NoteError::Format`] if the note would have too many.
    pub fn add(&mut self, line: NoteSignature) -> Result<(), NoteError> {
        self.signatures
            .retain(|have| (&have.name, have.id) != (&line.name, line.id));
        if self.signatures.len() >= Self::MAX_SIGNATURES {
            return Err(NoteError::Format("too many signatures"));
        }
        self.signatures.push(line);
        Ok(())
    }

    /// Verifies that `key` has signed, and gives the signature's time if its kind has one.
    ///
    /// # Errors
    ///
    /// [`NoteError::Unsigned`] or [`NoteError::Signature`].
    pub fn verify(&self, key: &VerifierKey) -> Result<Option<crate::Timestamp>, NoteError> {
        let line = self
            .signatures
            .iter()
            .find(|line| line.name == *key.name() && line.id == key.id())
            .ok_or_else(|| NoteError::Unsigned(key.name().clone()))?;
        key.verify(&self.text, &line.signature)
            .map_err(|()| NoteError::Signature(key.name().clone()))
    }

    /// How many of `keys` have signed.
    ///
    /// # Errors
    ///
    /// [`NoteError::Signature`] if one of them is said to have signed and has not.
    pub fn count(&self, keys: &[VerifierKey]) -> Result<usize, NoteError> {
        let mut count = 0_usize;
        for key in keys {
            match self.verify(key) {
                Ok(_) => count = count.saturating_add(1),
                Err(NoteError::Unsigned(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }
}

impl NoteSignature {
    /// A line from its parts.
    #[must_use]
    pub const fn new(name: KeyName, id: [u8; 4], signature: Vec<u8>) -> Self {
        Self {
            name,
            id,
            signature,
        }
    }

    /// Whose it claims to be.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Reads a line without its newline.
    ///
    /// # Errors
    ///
    /// [`NoteError::Format`].
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let (name, encoded) = line
            .strip_prefix("\u{2014} ")
            .and_then(|rest| rest.split_once(' '))
            .ok_or(NoteError::Format("a signature line has another form"))?;
        let name = KeyName::new(name).map_err(|_| NoteError::Format("a key name is not one"))?;
        let bytes = STANDARD
            .decode(encoded)
            .map_err(|_| NoteError::Format("a signature is not canonical base64"))?;
        let (id, signature) = bytes
            .split_first_chunk::<4>()
            .filter(|(_, signature)| !signature.is_empty())
            .ok_or(NoteError::Format("a signature is too short"))?;
        Ok(Self {
            name,
            id: *id,
            signature: signature.to_vec(),
        })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id[..], &self.signature].concat();
        write!(f, "\u{2014} {} {}", self.name, STANDARD.encode(bytes))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Note({} bytes of text", self.text.len())?;
        for line in &self.signatures {
            write!(f, ", {}", line.name)?;
        }
        f.write_str(")")
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if text.len() > Note::MAX {
        return Err(NoteError::Format("it is too large"));
    }
    if !text.ends_with('\n') {
        return Err(NoteError::Format("the text does not end with a newline"));
    }
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(NoteError::Format("it has a control character"));
    }
    Ok(())
}

fn parse_signatures(lines: &str) -> Result<Vec<NoteSignature>, NoteError> {
    let mut signatures: Vec<NoteSignature> = Vec::new();
    for line in lines.split('\n') {
        if signatures.len() >= Note::MAX_SIGNATURES {
            return Err(NoteError::Format("too many signatures"));
        }
        let line = NoteSignature::parse(line)?;
        if signatures
            .iter()
            .any(|have| have.name == line.name && have.id == line.id)
        {
            return Err(NoteError::Format("a key signs twice"));
        }
        signatures.push(line);
    }
    Ok(signatures)
}

#[cfg(test)]
mod tests;
