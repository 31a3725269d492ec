//! What a TPM signs: `TPMS_ATTEST` (TPM 2.0 Library, Part 2).

use super::algorithm::{HashAlgorithm, MAX_DIGEST, MAX_NAME};
use super::wire::{Reader, WireError};

/// A quote whose format is known and whose signature is not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quote {
    pub(super) qualified_signer: Vec<u8>,
    pub(super) extra_data: Vec<u8>,
    pub(super) clock: ClockInfo,
    pub(super) firmware_version: u64,
    pub(super) selections: Vec<Selection>,
    pub(super) pcr_digest: Vec<u8>,
    message: Vec<u8>,
}

/// `TPMS_CLOCK_INFO`. A host that holds the TPM's power
/// can make it say much; it is reported and nothing rests on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ClockInfo {
    /// Milliseconds of power since the clock was set to zero.
    pub(super) clock: u64,
    /// Times the TPM was reset.
    pub(super) reset_count: u32,
    /// Times it was restarted or resumed.
    pub(super) restart_count: u32,
    /// Whether `clock` has never gone back.
    pub(super) safe: bool,
}

/// The registers of one bank that a quote covers: `TPMS_PCR_SELECTION`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Selection {
    pub(super) bank: HashAlgorithm,
    /// In ascending order.
    pub(super) registers: Vec<u8>,
}

impl Quote {
    /// Longest `TPMS_ATTEST` that is read, in bytes; real ones have 80 to 180.
    pub const MAX_LEN: usize = 1024;

    /// Reads a `TPMS_ATTEST` of the type `TPM_ST_ATTEST_QUOTE`, with nothing behind it.
    ///
    /// # Errors
    ///
    /// [`QuoteError`]. No cryptography is done here.
    pub fn parse(bytes: &[u8]) -> Result<Self, QuoteError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(QuoteError::Length { got: bytes.len() });
        }
        let mut reader = Reader::new(bytes);
        let magic = reader.u32()?;
        if magic != GENERATED_VALUE {
            return Err(QuoteError::Magic { got: magic });
        }
        let kind = reader.u16()?;
        if kind != ATTEST_QUOTE {
            return Err(QuoteError::Kind { got: kind });
        }
        let quote = Self {
            qualified_signer: reader.sized(MAX_NAME)?.to_vec(),
            extra_data: reader.sized(MAX_NAME)?.to_vec(),
            clock: ClockInfo::read(&mut reader)?,
            firmware_version: reader.u64()?,
            selections: selections(&mut reader)?,
            pcr_digest: reader.sized(MAX_DIGEST)?.to_vec(),
            message: bytes.to_vec(),
        };
        reader.finish()?;
        Ok(quote)
    }

    /// The signed bytes.
    pub(super) fn message(&self) -> &[u8] {
        &self.message
    }
}

impl ClockInfo {
    fn read(reader: &mut Reader<'_>) -> Result<Self, QuoteError> {
        Ok(Self {
            clock: reader.u64()?,
            reset_count: reader.u32()?,
            restart_count: reader.u32()?,
            safe: match reader.u8()? {
                0 => false,
                1 => true,
                got => return Err(QuoteError::Boolean { got }),
            },
        })
    }
}

/// `TPML_PCR_SELECTION`.
fn selections(reader: &mut Reader<'_>) -> Result<Vec<Selection>, QuoteError> {
    let count = reader.u32()?;
    if count > MAX_BANKS {
        return Err(QuoteError::Banks { got: count });
    }
    (0..count).map(|_| Selection::read(reader)).collect()
}

impl Selection {
    fn read(reader: &mut Reader<'_>) -> Result<Self, QuoteError> {
        let bank = HashAlgorithm::new(reader.u16()?);
        let size = reader.u8()?;
        if !BITMAP_BYTES.contains(&size) {
            return Err(QuoteError::SelectionSize { got: size });
        }
        let bitmap = reader.take(usize::from(size))?;
        let is_selected = |register: &u8| {
            bitmap
                .get(usize::from(register / 8))
                .is_some_and(|byte| byte >> (register % 8) & 1 == 1)
        };
        Ok(Self {
            bank,
            registers: (0..=u8::MAX).filter(is_selected).collect(),
        })
    }
}

/// Why bytes were refused as a quote.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QuoteError {
    /// The quote selects more banks than a TPM has.
    #[error("{got} banks of registers are selected, at most {MAX_BANKS} are read")]
    Banks {
        /// How many.
        got: u32,
    },

    /// A `TPMI_YES_NO` is neither.
    #[error("{got} is neither yes nor no")]
    Boolean {
        /// What it is.
        got: u8,
    },

    /// The TPM attests to something else than its registers.
    #[error("the structure's type is {got:#06x}, a quote's is {ATTEST_QUOTE:#06x}")]
    Kind {
        /// The type.
        got: u16,
    },

    /// The input is longer than [`Quote::MAX_LEN`].
    #[error("quote is {got} bytes long, at most {} are read", Quote::MAX_LEN)]
    Length {
        /// Length of the input, in bytes.
        got: usize,
    },

    /// The structure was not made inside a TPM.
    #[error(
        "the structure starts with {got:#010x}, one made by a TPM with {GENERATED_VALUE:#010x}"
    )]
    Magic {
        /// The first four bytes.
        got: u32,
    },

    /// A bitmap of registers is too short or too long.
    #[error("a bitmap of registers has {got} bytes, 3 to 32 are allowed")]
    SelectionSize {
        /// Its length.
        got: u8,
    },

    /// A field does not fit.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// `TPM_GENERATED_VALUE`: a restricted key signs nothing
/// that starts with it unless the TPM made it.
const GENERATED_VALUE: u32 = 0xFF54_4347;
/// `TPM_ST_ATTEST_QUOTE`.
const ATTEST_QUOTE: u16 = 0x8018;
/// More than any TPM has.
const MAX_BANKS: u32 = 16;
/// 24 registers are the least (PC Client Platform TPM Profile); a register's
/// number is one byte.
const BITMAP_BYTES: core::ops::RangeInclusive<u8> = 3..=32;
