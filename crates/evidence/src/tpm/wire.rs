//! The TPM's encoding: big-endian numbers, and buffers with their size in front
//! (TPM 2.0 Library, Part 1, "Canonical Form"; Part 2, `TPM2B` types).

use crate::error::CollectError;

/// Writes a structure.
#[derive(Clone, Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(super) fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// A `TPM2B`; all that is written here is far shorter than its size can say.
    pub(super) fn sized(self, bytes: &[u8]) -> Self {
        let size = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.u16(size).bytes(bytes)
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// The bytes of a structure that are not read yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], CollectError> {
        let Some((field, rest)) = self.0.split_at_checked(length) else {
            return Err(MALFORMED);
        };
        self.0 = rest;
        Ok(field)
    }

    pub(super) fn u8(&mut self) -> Result<u8, CollectError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16, CollectError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, CollectError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A `TPM2B`.
    pub(super) fn sized(&mut self) -> Result<&'a [u8], CollectError> {
        let size = self.u16()?;
        self.take(size.into())
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CollectError> {
        let Some((field, rest)) = self.0.split_first_chunk::<N>() else {
            return Err(MALFORMED);
        };
        self.0 = rest;
        Ok(*field)
    }
}

pub(super) const MALFORMED: CollectError = CollectError::Malformed {
    what: "answer of the TPM",
};
