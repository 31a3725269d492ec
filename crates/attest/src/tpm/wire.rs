//! The TPM's encoding of structures: big-endian numbers, and buffers with their
//! size in front (TPM 2.0 Library, Part 1, "Canonical Form" and Part 2, `TPM2B` types).

/// The bytes that are not read yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            length: bytes.len(),
        }
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let Some((field, rest)) = self.rest.split_at_checked(length) else {
            return Err(WireError::Truncated { got: self.length });
        };
        self.rest = rest;
        Ok(field)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let Some((field, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(WireError::Truncated { got: self.length });
        };
        self.rest = rest;
        Ok(*field)
    }

    pub(super) fn u8(&mut self) -> Result<u8, WireError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A `TPM2B` structure of at most `limit` bytes.
    pub(super) fn sized(&mut self, limit: usize) -> Result<&'a [u8], WireError> {
        let size = usize::from(self.u16()?);
        if size > limit {
            return Err(WireError::Size { got: size, limit });
        }
        self.take(size)
    }

    /// That nothing is left.
    pub(super) fn finish(self) -> Result<(), WireError> {
        match self.rest.len() {
            0 => Ok(()),
            got => Err(WireError::Trailing { got }),
        }
    }
}

/// Why bytes are not the structure they should be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// A buffer is longer than its kind may be.
    #[error("a buffer has {got} bytes, at most {limit} are allowed")]
    Size {
        /// Its length.
        got: usize,
        /// The longest it may be.
        limit: usize,
    },

    /// Bytes follow the structure.
    #[error("{got} bytes follow the structure")]
    Trailing {
        /// How many.
        got: usize,
    },

    /// The structure does not end within the bytes.
    #[error("{got} bytes are too few")]
    Truncated {
        /// Length of the input, in bytes.
        got: usize,
    },
}
