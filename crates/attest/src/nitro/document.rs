//! The attestation document (AWS, sections 2.2 and 3.2.2).

use std::collections::BTreeMap;

use crate::cose::cbor::{Key, Lengths, Reader};
use crate::cose::{Algorithm, CborError, CoseError, Sign1, Tagging};
use crate::signature::PublicKey;

/// A document whose format is known and of which nothing is verified.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    pub(super) envelope: Sign1<'a>,
    pub(super) module_id: &'a str,
    /// Milliseconds since 1970.
    pub(super) timestamp: u64,
    pub(super) registers: BTreeMap<u8, &'a [u8]>,
    pub(super) certificate: &'a [u8],
    /// Root first.
    pub(super) authorities: Vec<&'a [u8]>,
    pub(super) public_key: Option<&'a [u8]>,
    pub(super) user_data: Option<&'a [u8]>,
    pub(super) nonce: Option<&'a [u8]>,
}

impl<'a> Document<'a> {
    /// Longest document that is read, in bytes.
    pub const MAX_LEN: usize = 24 * 1024;

    /// Reads one document with nothing behind it.
    ///
    /// # Errors
    ///
    /// [`DocumentError`]. No cryptography is done here.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DocumentError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(DocumentError::TooLong { got: bytes.len() });
        }
        let envelope = Sign1::parse(bytes, Tagging::Optional)?;
        if envelope.algorithm() != Algorithm::Es384 {
            let got = envelope.algorithm().number();
            return Err(CoseError::Algorithm { got }.into());
        }
        Fields::read(envelope.payload())?.complete(envelope)
    }

    /// Whether the signature verifies under `key`.
    pub(super) fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.envelope.is_signed_by(key)
    }
}

/// The fields found so far.
#[derive(Default)]
struct Fields<'a> {
    module_id: Option<&'a str>,
    digest: Option<&'a str>,
    timestamp: Option<u64>,
    registers: Option<BTreeMap<u8, &'a [u8]>>,
    certificate: Option<&'a [u8]>,
    authorities: Option<Vec<&'a [u8]>>,
    public_key: Option<&'a [u8]>,
    user_data: Option<&'a [u8]>,
    nonce: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    /// The hypervisor closes the map by a break since 2024.
    fn read(payload: &'a [u8]) -> Result<Self, DocumentError> {
        let mut fields = Self::default();
        let mut reader = Reader::new(payload);
        reader.map(Lengths::Any, NAMES, |reader, key| match key {
            Key::Text(name) => fields.read_field(name, reader),
            Key::Integer(_) => Err(DocumentError::UnknownField),
        })?;
        reader.finish()?;
        Ok(fields)
    }

    fn read_field(&mut self, name: &'a str, reader: &mut Reader<'a>) -> Result<(), DocumentError> {
        match name {
            "module_id" => self.module_id = Some(reader.text(MAX_MODULE_ID)?),
            "digest" => self.digest = Some(reader.text(MAX_DIGEST_NAME)?),
            "timestamp" => self.timestamp = Some(reader.unsigned()?),
            "pcrs" => self.registers = Some(read_registers(reader)?),
            "certificate" => self.certificate = Some(reader.bytes(MAX_CERTIFICATE)?),
            "cabundle" => self.authorities = Some(read_authorities(reader)?),
            "public_key" => self.public_key = read_optional(reader)?,
            "user_data" => self.user_data = read_optional(reader)?,
            "nonce" => self.nonce = read_optional(reader)?,
            _ => return Err(DocumentError::UnknownField),
        }
        Ok(())
    }

    fn complete(self, envelope: Sign1<'a>) -> Result<Document<'a>, DocumentError> {
        let missing = |name| DocumentError::Missing { name };
        let document = Document {
            envelope,
            module_id: self.module_id.ok_or(missing("module_id"))?,
            timestamp: self.timestamp.ok_or(missing("timestamp"))?,
            registers: self.registers.ok_or(missing("pcrs"))?,
            certificate: self.certificate.ok_or(missing("certificate"))?,
            authorities: self.authorities.ok_or(missing("cabundle"))?,
            public_key: self.public_key,
            user_data: self.user_data,
            nonce: self.nonce,
        };
        if self.digest.ok_or(missing("digest"))? != DIGEST {
            return Err(DocumentError::Digest);
        }
        for (name, is_empty) in [
            ("module_id", document.module_id.is_empty()),
            ("timestamp", document.timestamp == 0),
            ("pcrs", document.registers.is_empty()),
            ("certificate", document.certificate.is_empty()),
            ("cabundle", document.authorities.is_empty()),
            (
                "public_key",
                document.public_key.is_some_and(<[u8]>::is_empty),
            ),
        ] {
            if is_empty {
                return Err(DocumentError::Empty { name });
            }
        }
        Ok(document)
    }
}

fn read_registers<'a>(reader: &mut Reader<'a>) -> Result<BTreeMap<u8, &'a [u8]>, DocumentError> {
    let mut registers = BTreeMap::new();
    reader.map(Lengths::Any, REGISTERS, |reader, key| {
        let index = match key {
            Key::Integer(index) => u8::try_from(index).ok(),
            Key::Text(_) => None,
        };
        let index = index
            .filter(|&index| usize::from(index) < REGISTERS)
            .ok_or(DocumentError::RegisterIndex)?;
        let value = reader.bytes(MAX_REGISTER)?;
        if !matches!(value.len(), 32 | 48 | 64) {
            let got = value.len();
            return Err(DocumentError::RegisterLength { index, got });
        }
        registers.insert(index, value);
        Ok(())
    })?;
    Ok(registers)
}

fn read_authorities<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, DocumentError> {
    let mut authorities = Vec::new();
    reader.array(Lengths::Any, MAX_AUTHORITIES, |reader| {
        let certificate = reader.bytes(MAX_CERTIFICATE)?;
        if certificate.is_empty() {
            return Err(DocumentError::Empty { name: "cabundle" });
        }
        authorities.push(certificate);
        Ok(())
    })?;
    Ok(authorities)
}

/// AWS forbids null; the hypervisor writes it for a field that was not given.
fn read_optional<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, DocumentError> {
    if reader.null()? {
        return Ok(None);
    }
    Ok(Some(reader.bytes(MAX_USER_DATA)?))
}

/// Why bytes were refused as an attestation document.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The CBOR of the payload is not what it should be.
    #[error("payload: {0}")]
    Cbor(#[from] CborError),

    /// The signed object is not what it should be.
    #[error(transparent)]
    Cose(#[from] CoseError),

    /// The digest of the registers is not SHA-384.
    #[error("digest is not {DIGEST}")]
    Digest,

    /// A field is empty that must not be.
    #[error("field {name} is empty")]
    Empty {
        /// Its name.
        name: &'static str,
    },

    /// A field is missing.
    #[error("field {name} is missing")]
    Missing {
        /// Its name.
        name: &'static str,
    },

    /// A register has a number that is none of 0 to 31.
    #[error("a register has no number from 0 to 31")]
    RegisterIndex,

    /// A register is not as long as a digest.
    #[error("register {index} has {got} bytes, expected 32, 48 or 64")]
    RegisterLength {
        /// Its number.
        index: u8,
        /// Its length.
        got: usize,
    },

    /// The input is longer than [`Document::MAX_LEN`].
    #[error("document is {got} bytes long, at most {} are read", Document::MAX_LEN)]
    TooLong {
        /// Length of the input, in bytes.
        got: usize,
    },

    /// A field is there that AWS does not name.
    #[error("unknown field")]
    UnknownField,
}

/// The one digest that AWS names.
pub(super) const DIGEST: &str = "SHA384";

// AWS, section 3.2.2.1: nine names.
const NAMES: usize = 9;
// AWS, section 3.2.2.2. A module's name and the digest's have no limit there.
const REGISTERS: usize = 32;
const MAX_REGISTER: usize = 64;
const MAX_CERTIFICATE: usize = 1024;
const MAX_MODULE_ID: usize = 256;
const MAX_DIGEST_NAME: usize = 16;
/// AWS, section 2.2; section 3.2.2.2 says 512 for two of the fields, but the
/// hypervisor signs more.
const MAX_USER_DATA: usize = 1024;
/// Those in use have four; a path is shorter than this in any case.
const MAX_AUTHORITIES: usize = 16;

#[cfg(test)]
mod tests;
