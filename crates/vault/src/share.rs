//! Conversations that are shared by a link (spec/history.md §7).

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::seal::{Key, open, seal};
use crate::{HistoryError, ObjectId};

const MAGIC: &[u8] = b"SHS1";
const LABEL: &[u8] = b"subrosa/history/1/share";

/// The key of one shared conversation: it stands in the link's fragment.
pub struct ShareKey(Key);

impl ShareKey {
    /// Bytes of one.
    pub const LEN: usize = 32;

    /// A new one.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut key = Zeroizing::new([0; Self::LEN]);
        rng.fill_bytes(key.as_mut_slice());
        Self(key)
    }

    /// Reads one from a link.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// For a link.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::LEN]> {
        self.0.clone()
    }
}

/// Seals a copy of a conversation. `share` is its name at the store.
///
/// # Errors
///
/// [`HistoryError::TooLong`].
pub fn seal_share(
    key: &ShareKey,
    share: ObjectId,
    content: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, HistoryError> {
    let sealed = seal(&key.0, &aad(share), content, rng)?;
    Ok([MAGIC, &share.0, &sealed].concat())
}

/// Opens a copy of a conversation.
///
/// # Errors
///
/// [`HistoryError::ShareRefused`] for another key, another share or changed bytes.
pub fn open_share(
    key: &ShareKey,
    share: ObjectId,
    bytes: &[u8],
) -> Result<Zeroizing<Vec<u8>>, HistoryError> {
    let sealed = bytes
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.strip_prefix(&share.0));
    sealed
        .and_then(|sealed| open(&key.0, &aad(share), sealed))
        .ok_or(HistoryError::ShareRefused)
}

fn aad(share: ObjectId) -> Vec<u8> {
    [LABEL, &share.0].concat()
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::fixtures::TestRng;

    #[test]
    fn a_share_opens_with_its_link_only() {
        let rng = &mut TestRng(1);
        let (key, other) = (ShareKey::generate(rng), ShareKey::generate(rng));
        let (share, another) = (ObjectId::generate(rng), ObjectId::generate(rng));
        let sealed = seal_share(&key, share, b"text", rng).unwrap();
        let from_link = ShareKey::from_bytes(*key.to_bytes());
        assert_eq!(*open_share(&from_link, share, &sealed).unwrap(), b"text");
        let refused = Err(HistoryError::ShareRefused);
        assert_eq!(open_share(&other, share, &sealed).map(drop), refused);
        assert_eq!(open_share(&key, another, &sealed).map(drop), refused);
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(open_share(&key, share, &changed).map(drop), refused);
        }
    }
}
