//! The hand-off block list, in which the host tells the firmware which memory there is.
//!
//! UEFI Platform Initialization, volume 3, sections 5.2 and 5.5. The firmware
//! measures it as the first event of RTMR 0, so its bytes decide that register.

use crate::{Sha384Digest, field};

/// A list that depends on the memory's size in one place: the length of the memory
/// above 4 GiB.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HobTemplate {
    bytes: Vec<u8>,
    length_at: usize,
    below: u64,
}

impl HobTemplate {
    /// Longest list, in bytes.
    pub const MAX_LEN: usize = 64 * 1024;

    /// A template: the list, where that length is in it, and how much memory lies
    /// below 4 GiB.
    ///
    /// # Errors
    ///
    /// [`HobError`] if it is no list, or the place is not the length of its last
    /// memory.
    pub fn new(bytes: &[u8], length_at: usize, below: u64) -> Result<Self, HobError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(HobError::Length { got: bytes.len() });
        }
        let mut at = 0;
        let mut last = None;
        while at < bytes.len() {
            let malformed = HobError::Malformed { at };
            let kind = field::u16(bytes, at).ok_or(malformed.clone())?;
            let length = field::u16(bytes, at.saturating_add(2)).ok_or(malformed.clone())?;
            let expected = match (at, kind) {
                (0, HANDOFF) => HANDOFF_LEN,
                (1.., RESOURCE) => RESOURCE_LEN,
                _ => return Err(malformed),
            };
            let end = at.saturating_add(usize::from(length));
            if length != expected || end > bytes.len() {
                return Err(malformed);
            }
            last = (kind == RESOURCE).then_some(end);
            at = end;
        }
        // A resource ends with its length.
        if last.and_then(|end| end.checked_sub(8)) != Some(length_at) {
            return Err(HobError::LengthPlace { at: length_at });
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            length_at,
            below,
        })
    }

    /// The digest of the list for a machine with `memory` bytes; `None` if it has
    /// no memory above 4 GiB.
    #[must_use]
    pub fn digest(&self, memory: u64) -> Option<Sha384Digest> {
        let above = memory.checked_sub(self.below).filter(|&above| above > 0)?;
        let mut bytes = self.bytes.clone();
        field::put(&mut bytes, self.length_at, &above.to_le_bytes());
        Some(Sha384Digest::of(&bytes))
    }
}

/// Why a list was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HobError {
    /// It is too long.
    #[error("a hand-off block list of {got} bytes is longer than {max}", max = HobTemplate::MAX_LEN)]
    Length {
        /// Bytes that are there.
        got: usize,
    },

    /// The place is not the length of the last memory in the list.
    #[error("{at} is not where the length of the last memory is")]
    LengthPlace {
        /// The place.
        at: usize,
    },

    /// It does not consist of the blocks a host makes.
    #[error("the hand-off block list is malformed at {at}")]
    Malformed {
        /// Where.
        at: usize,
    },
}

/// `EFI_HOB_TYPE_HANDOFF`
const HANDOFF: u16 = 1;
const HANDOFF_LEN: u16 = 56;
/// `EFI_HOB_TYPE_RESOURCE_DESCRIPTOR`
const RESOURCE: u16 = 3;
const RESOURCE_LEN: u16 = 48;

#[cfg(test)]
mod tests;
