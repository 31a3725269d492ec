//! The measurement report of a device: two SPDM 1.1 messages, one after the other.
//!
//! NVML (GPU) and NSCQ (`NVSwitch`) hand out the requester's `GET_MEASUREMENTS` and the device's `MEASUREMENTS` message
//! in one buffer. The device signs both. Formats: DMTF DSP0274 1.1, "`GET_MEASUREMENTS` request message format",
//! "Successful `MEASUREMENTS` response message format", "Measurement block format" and "DMTF measurement specification
//! format". All integers are little-endian.
//!
//! Lengths follow from the fields, not from the buffer: NVML's has a fixed size, so zero bytes may follow the signature.

use super::cursor::Cursor;
use super::opaque::Opaque;
use crate::identifiers::Sha384Digest;
use crate::signature::{Hash, PublicKey, Scheme};

/// A report whose format is known but whose signature is **not** yet checked.
///
/// It offers nothing but its verification and what to fetch for it, so code cannot use a field of an unverified report by mistake.
#[derive(Clone, Debug)]
pub struct Report {
    signed: Vec<u8>,
    signature: [u8; SIGNATURE_LEN],
    fields: VerifiedReport,
}

impl Report {
    /// Largest buffer that is read: NVML's `NVML_CC_GPU_ATTESTATION_REPORT_SIZE`, in bytes.
    pub const MAX_LEN: usize = 0x2000;

    /// Reads a report from `bytes`; zero bytes may follow it.
    ///
    /// # Errors
    ///
    /// [`ReportError`], every variant but [`ReportError::Signature`]. No cryptography is done here.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReportError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(ReportError::TooLong { got: bytes.len() });
        }
        let mut cursor = Cursor::new(bytes);
        let request = Request::read(&mut cursor)?;
        let fields = read_response(&mut cursor, request)?;
        let rest = cursor.rest();
        let signature = *cursor
            .array()
            .ok_or(ReportError::Truncated { field: "signature" })?;
        if cursor.rest().iter().any(|&byte| byte != 0) {
            return Err(ReportError::Trailing {
                got: cursor.rest().len(),
            });
        }
        let signed = bytes.strip_suffix(rest).unwrap_or_default().to_vec();
        Ok(Self {
            signed,
            signature,
            fields,
        })
    }

    /// The fields NVIDIA adds, **unverified**: for saying what to fetch, and for nothing else.
    pub(super) fn unverified_opaque(&self) -> &Opaque {
        &self.fields.opaque
    }

    /// Checks the signature, ECDSA P-384 with SHA-384 over the raw bytes of both messages up to it, under the key of
    /// a verified device certificate.
    ///
    /// # Errors
    ///
    /// [`ReportError::Signature`] if the signature does not verify.
    pub(super) fn verify(&self, key: &PublicKey) -> Result<VerifiedReport, ReportError> {
        let scheme = Scheme::EcdsaFixed(Hash::Sha384);
        if key.verifies(scheme, &self.signed, &self.signature) {
            Ok(self.fields.clone())
        } else {
            Err(ReportError::Signature)
        }
    }
}

/// What a device signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct VerifiedReport {
    pub(super) nonce: [u8; 32],
    /// Measurement block `n` is at `n - 1`.
    pub(super) measurements: Vec<Sha384Digest>,
    pub(super) opaque: Opaque,
}

/// What is read of the `GET_MEASUREMENTS` message.
#[derive(Clone, Copy, Debug)]
struct Request {
    nonce: [u8; 32],
    slot: u8,
}

impl Request {
    /// The message must ask for a signature (attributes bit 0) and for all measurements (operation 0xFF): a signed
    /// answer about one block would say nothing about the others.
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReportError> {
        expect(cursor, "request version", SPDM_1_1)?;
        expect(cursor, "request code", GET_MEASUREMENTS)?;
        expect(cursor, "request attributes", SIGNATURE_REQUESTED)?;
        expect(cursor, "measurement operation", ALL_MEASUREMENTS)?;
        let nonce = cursor.array().ok_or(ReportError::Truncated {
            field: "request nonce",
        })?;
        let slot = byte(cursor, "request slot")?;
        if slot > MAX_SLOT {
            return Err(ReportError::Field {
                field: "request slot",
                got: slot,
            });
        }
        Ok(Self {
            nonce: *nonce,
            slot,
        })
    }
}

/// Reads the `MEASUREMENTS` message up to its signature.
fn read_response(cursor: &mut Cursor<'_>, request: Request) -> Result<VerifiedReport, ReportError> {
    expect(cursor, "response version", SPDM_1_1)?;
    expect(cursor, "response code", MEASUREMENTS)?;
    // Only the answer to operation 0 counts the blocks here.
    expect(cursor, "response parameter 1", 0)?;
    expect(cursor, "response slot", request.slot)?;
    let count = byte(cursor, "number of blocks")?;
    let length = cursor.u24().and_then(|length| usize::try_from(length).ok());
    let record = length
        .and_then(|length| cursor.take(length))
        .ok_or(ReportError::Truncated {
            field: "measurement record",
        })?;
    let measurements = read_blocks(record, count)?;
    // The device's own nonce: it makes each signature different and binds nothing.
    cursor.array::<32>().ok_or(ReportError::Truncated {
        field: "response nonce",
    })?;
    let opaque = cursor
        .u16()
        .and_then(|length| cursor.take(usize::from(length)))
        .ok_or(ReportError::Truncated {
            field: "opaque data",
        })?;
    Ok(VerifiedReport {
        nonce: request.nonce,
        measurements,
        opaque: Opaque::parse(opaque).ok_or(ReportError::Opaque)?,
    })
}

/// Blocks are numbered from 1 without a gap and fill the record.
fn read_blocks(record: &[u8], count: u8) -> Result<Vec<Sha384Digest>, ReportError> {
    if count == 0 {
        return Err(ReportError::Field {
            field: "number of blocks",
            got: 0,
        });
    }
    let mut cursor = Cursor::new(record);
    let mut measurements = Vec::with_capacity(usize::from(count));
    for index in 1..=count {
        expect(&mut cursor, "block index", index)?;
        expect(&mut cursor, "measurement specification", DMTF)?;
        let digest = read_block(&mut cursor).ok_or(ReportError::Block { index })?;
        measurements.push(digest);
    }
    if cursor.rest().is_empty() {
        Ok(measurements)
    } else {
        Err(ReportError::Record {
            got: cursor.rest().len(),
        })
    }
}

/// A DMTF measurement: type, size and value. Bit 7 of the type would mean a raw value instead of a digest.
fn read_block(cursor: &mut Cursor<'_>) -> Option<Sha384Digest> {
    let size = usize::from(cursor.u16()?);
    let mut block = Cursor::new(cursor.take(size)?);
    let value_type = block.byte()?;
    let value_size = usize::from(block.u16()?);
    let digest = *block.array()?;
    let is_digest = value_type & RAW_VALUE == 0 && value_size == Sha384Digest::LEN;
    (is_digest && block.rest().is_empty()).then(|| Sha384Digest::new(digest))
}

fn byte(cursor: &mut Cursor<'_>, field: &'static str) -> Result<u8, ReportError> {
    cursor.byte().ok_or(ReportError::Truncated { field })
}

fn expect(cursor: &mut Cursor<'_>, field: &'static str, expected: u8) -> Result<(), ReportError> {
    match byte(cursor, field)? {
        got if got == expected => Ok(()),
        got => Err(ReportError::Field { field, got }),
    }
}

/// Why a report was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A measurement block does not hold one SHA-384 digest.
    #[error("measurement block {index} is no SHA-384 digest")]
    Block {
        /// Number of the block.
        index: u8,
    },

    /// A field has a value that is not accepted.
    #[error("{field} is {got:#04x}")]
    Field {
        /// Which field.
        field: &'static str,
        /// Its value.
        got: u8,
    },

    /// The opaque data are not a list of fields.
    #[error("opaque data are malformed")]
    Opaque,

    /// The measurement record is longer than its blocks.
    #[error("{got} bytes follow the last measurement block")]
    Record {
        /// How many bytes are left.
        got: usize,
    },

    /// The signature does not verify under the device's key.
    #[error("report signature does not verify")]
    Signature,

    /// The input is longer than [`Report::MAX_LEN`].
    #[error("report is {got} bytes long, at most {} are read", Report::MAX_LEN)]
    TooLong {
        /// Length of the input, in bytes.
        got: usize,
    },

    /// Bytes other than zero follow the signature.
    #[error("{got} bytes follow the signature, not all of them zero")]
    Trailing {
        /// How many bytes follow.
        got: usize,
    },

    /// The input ends before a field does.
    #[error("report ends within the {field}")]
    Truncated {
        /// Which field.
        field: &'static str,
    },
}

/// r and s of 48 bytes each, big-endian (DSP0274 1.1, "ECDSA").
const SIGNATURE_LEN: usize = 96;

// DSP0274 1.1: request and response codes, and the values of their parameters.
const SPDM_1_1: u8 = 0x11;
const GET_MEASUREMENTS: u8 = 0xE0;
const MEASUREMENTS: u8 = 0x60;
const SIGNATURE_REQUESTED: u8 = 0x01;
const ALL_MEASUREMENTS: u8 = 0xFF;
const MAX_SLOT: u8 = 7;
const DMTF: u8 = 0x01;
const RAW_VALUE: u8 = 0x80;

#[cfg(test)]
mod tests;
