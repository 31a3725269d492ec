//! Sealing with a symmetric key (spec/history.md §2): committing to the key, and padded.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::HistoryError;

/// The longest content of a record, in bytes.
pub const MAX_CONTENT: usize = 1 << 20;

const NONCE_LEN: usize = 24;
const COMMITMENT_LEN: usize = 32;
const TAG_LEN: usize = 16;
const MIN_PADDED: usize = 256;
const LABEL: &[u8] = b"subrosa/history/1/seal";

/// The longest result of [`seal`].
pub(crate) const MAX_SEALED: usize = MAX_CONTENT + MAX_CONTENT / 8 + 1024;

/// A key that erases itself.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// SHA-256 over the parts, in order.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// A key for one purpose: HKDF-SHA256 without salt.
pub(crate) fn derive(secret: &[u8], info: &[&[u8]]) -> Key {
    let mut key = Zeroizing::new([0; 32]);
    expand(&Hkdf::new(None, secret), info, key.as_mut_slice());
    key
}

/// Nonce, commitment and ciphertext of padded `content`.
///
/// # Errors
///
/// [`HistoryError::TooLong`].
pub(crate) fn seal(
    key: &Key,
    aad: &[u8],
    content: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, HistoryError> {
    let mut nonce = [0; NONCE_LEN];
    rng.fill_bytes(&mut nonce);
    let (key, commitment) = one_time(key, &nonce);
    let padded = pad(content)?;
    let payload = Payload { msg: &padded, aad };
    let sealed = XChaCha20Poly1305::new((&*key).into())
        .encrypt((&nonce).into(), payload)
        .map_err(|_| HistoryError::TooLong)?;
    Ok([&nonce[..], &commitment, &sealed].concat())
}

/// The content of what [`seal`] made with the same key and associated data.
pub(crate) fn open(key: &Key, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let (commitment, ciphertext) = rest.split_first_chunk::<COMMITMENT_LEN>()?;
    if sealed.len() > MAX_SEALED || ciphertext.len() < MIN_PADDED.saturating_add(TAG_LEN) {
        return None;
    }
    let (key, expected) = one_time(key, nonce);
    if !bool::from(commitment.ct_eq(&expected)) {
        return None;
    }
    let payload = Payload {
        msg: ciphertext,
        aad,
    };
    let padded = XChaCha20Poly1305::new((&*key).into())
        .decrypt(nonce.into(), payload)
        .ok()?;
    unpad(Zeroizing::new(padded))
}

/// The key for one nonce, and what commits to it.
fn one_time(key: &Key, nonce: &[u8]) -> (Key, [u8; COMMITMENT_LEN]) {
    let mut both = Zeroizing::new([0; 64]);
    expand(
        &Hkdf::new(Some(nonce), key.as_slice()),
        &[LABEL],
        both.as_mut_slice(),
    );
    let mut one = Zeroizing::new([0; 32]);
    let mut commitment = [0; COMMITMENT_LEN];
    if let Some((first, second)) = both.split_first_chunk::<32>() {
        one.copy_from_slice(first);
        commitment.copy_from_slice(second);
    }
    (one, commitment)
}

fn expand(hkdf: &Hkdf<Sha256>, info: &[&[u8]], out: &mut [u8]) {
    // RFC 5869 §2.3 limits the output to 255 blocks of 32 bytes; here it is one or two.
    if hkdf.expand_multi_info(info, out).is_err() {
        unreachable!("the output is far below the limit of HKDF");
    }
}

fn pad(content: &[u8]) -> Result<Zeroizing<Vec<u8>>, HistoryError> {
    if content.len() > MAX_CONTENT {
        return Err(HistoryError::TooLong);
    }
    let length = u32::try_from(content.len()).map_err(|_| HistoryError::TooLong)?;
    let total = padded_len(content.len());
    // All of the room at once: a vector that grows would leave a copy behind.
    let mut padded = Zeroizing::new(Vec::with_capacity(total));
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(content);
    padded.resize(total, 0);
    Ok(padded)
}

fn unpad(mut padded: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    let (length, rest) = padded.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (_, padding) = rest.split_at_checked(length)?;
    if padded.len() != padded_len(length) || padding.iter().any(|byte| *byte != 0) {
        return None;
    }
    let end = length.checked_add(4)?;
    padded.copy_within(4..end, 0);
    padded.truncate(length);
    Some(padded)
}

/// Padmé (Nikitin et al., PETS 2019) of the content and its length.
fn padded_len(content: usize) -> usize {
    let total = content.saturating_add(4).max(MIN_PADDED);
    let exponent = total.ilog2();
    let significant = exponent.ilog2().saturating_add(1);
    let step = 1_usize << exponent.saturating_sub(significant);
    total.next_multiple_of(step)
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]
mod tests {
    use super::*;
    use crate::fixtures::TestRng;

    fn key(byte: u8) -> Key {
        Zeroizing::new([byte; 32])
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_key_and_data() {
        for length in [0, 1, 251, 252, 253, 1000, 70_000, MAX_CONTENT] {
            let content = vec![7; length];
            let sealed = seal(&key(1), b"aad", &content, &mut TestRng(1)).unwrap();
            assert!(sealed.len() <= MAX_SEALED);
            assert_eq!(*open(&key(1), b"aad", &sealed).unwrap(), content);
            assert!(open(&key(2), b"aad", &sealed).is_none());
            assert!(open(&key(1), b"aae", &sealed).is_none());
        }
        let long = vec![0; MAX_CONTENT + 1];
        let error = seal(&key(1), b"", &long, &mut TestRng(1)).unwrap_err();
        assert_eq!(error, HistoryError::TooLong);
    }

    #[test]
    fn every_byte_counts() {
        let sealed = seal(&key(1), b"", b"text", &mut TestRng(1)).unwrap();
        for place in 0..sealed.len() {
            let mut other = sealed.clone();
            other[place] ^= 1;
            assert!(open(&key(1), b"", &other).is_none(), "byte {place}");
        }
        for length in 0..sealed.len() {
            assert!(open(&key(1), b"", &sealed[..length]).is_none());
        }
        assert!(open(&key(1), b"", &[&sealed[..], b"x"].concat()).is_none());
    }

    /// The cipher's own check would accept a message made for two keys; the commitment is of one.
    #[test]
    fn the_commitment_is_checked_beside_the_tag() {
        let sealed = seal(&key(1), b"", b"text", &mut TestRng(1)).unwrap();
        let nonce = &sealed[..NONCE_LEN];
        let (one, commitment) = one_time(&key(1), nonce);
        let nonce: [u8; NONCE_LEN] = nonce.try_into().unwrap();
        let payload = Payload {
            msg: &pad(b"text").unwrap(),
            aad: b"",
        };
        let cipher = XChaCha20Poly1305::new((&*one).into());
        let ciphertext = cipher.encrypt((&nonce).into(), payload).unwrap();
        let with = |commitment: &[u8]| [&nonce[..], commitment, &ciphertext].concat();
        assert!(open(&key(1), b"", &with(&commitment)).is_some());
        let (_, other) = one_time(&key(2), &nonce);
        assert!(open(&key(1), b"", &with(&other)).is_none());
    }

    #[test]
    fn sizes_say_little() {
        assert_eq!(padded_len(0), 256);
        assert_eq!(padded_len(252), 256);
        assert_eq!(padded_len(253), 272);
        assert_eq!(padded_len(1_000_000), 1_015_808);
        let mut last = 0;
        for length in 0..200_000 {
            let padded = padded_len(length);
            assert!(padded >= last && padded >= length + 4);
            assert!(padded <= (length + 4).max(256) * 113 / 100);
            last = padded;
        }
    }

    #[test]
    fn padding_that_is_not_zeros_or_of_another_length_is_refused() {
        let padded = pad(b"text").unwrap();
        assert_eq!(*unpad(padded.clone()).unwrap(), b"text");
        let mut other = padded.clone();
        *other.last_mut().unwrap() = 1;
        assert!(unpad(other).is_none());
        let mut other = padded.clone();
        other.resize(padded.len() + 16, 0);
        assert!(unpad(other).is_none());
        let mut other = padded.clone();
        other[..4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(unpad(other).is_none());
        // A length whose padding would be another.
        let mut other = padded;
        other[..4].copy_from_slice(&253_u32.to_be_bytes());
        assert!(unpad(other).is_none());
    }
}
