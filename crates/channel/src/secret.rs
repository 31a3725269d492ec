//! Bytes of a user's text that grow.

use core::fmt;
use core::ops::Deref;

use zeroize::{Zeroize, Zeroizing};

/// A growing buffer that leaves nothing behind. A [`Vec`] that grows may give its
/// old memory back as it is; this one moves its bytes itself and erases the old
/// place. It lends no `&mut Vec`, so no caller can let it grow in another way.
#[derive(Default)]
pub(crate) struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// An empty buffer that takes `capacity` bytes without moving.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    /// Makes room for `additional` bytes.
    pub(crate) fn reserve(&mut self, additional: usize) {
        let needed = self.0.len().saturating_add(additional);
        if needed > self.0.capacity() {
            let doubled = self.0.capacity().saturating_mul(2);
            let mut larger = Self::with_capacity(needed.max(doubled).max(SMALLEST));
            larger.0.extend_from_slice(&self.0);
            // Assigning drops the old buffer, which erases it.
            *self = larger;
        }
    }

    /// Appends `bytes`.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Removes the first `count` bytes; what moves down leaves no copy above.
    pub(crate) fn remove_front(&mut self, count: usize) {
        let left = shift(&mut self.0, count);
        self.0.truncate(left);
    }

    /// Erases what it holds and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.remove_front(self.0.len());
    }

    /// The bytes, in the buffer they are in.
    pub(crate) fn into_inner(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

impl Deref for SecretBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({})", self.0.len())
    }
}

/// Moves all but the first `count` bytes to the front, erases what is behind
/// them and returns how many there are.
fn shift(bytes: &mut [u8], count: usize) -> usize {
    let count = count.min(bytes.len());
    let left = bytes.len().saturating_sub(count);
    bytes.copy_within(count.., 0);
    if let Some(stale) = bytes.get_mut(left..) {
        stale.zeroize();
    }
    left
}

/// Least capacity of a buffer that holds anything.
const SMALLEST: usize = 1024;

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kept_in_order_while_the_buffer_grows_and_shrinks() {
        let mut expected: Vec<u8> = Vec::new();
        let mut bytes = SecretBytes::default();
        for n in 0..200_u8 {
            let piece = vec![n; usize::from(n) * 7];
            bytes.extend(&piece);
            expected.extend(&piece);
            let gone = usize::from(n) * 3;
            bytes.remove_front(gone);
            expected.drain(..gone.min(expected.len()));
            assert_eq!(*bytes, *expected);
        }
        bytes.clear();
        assert!(bytes.is_empty());
    }

    #[test]
    fn growing_moves_the_bytes_to_another_place() {
        let mut bytes = SecretBytes::default();
        bytes.extend(&[7; 1000]);
        for _ in 0..10 {
            let (old, capacity) = (bytes.as_ptr(), bytes.0.capacity());
            bytes.extend(&vec![7; capacity]);
            // Both buffers live while the bytes move, so the place cannot be the same.
            assert_ne!(bytes.as_ptr(), old);
        }
    }

    #[test]
    fn nothing_stays_behind_what_moved_to_the_front() {
        let mut bytes = [1, 2, 3, 4, 5, 6, 7];
        assert_eq!(shift(&mut bytes, 5), 2);
        assert_eq!(bytes, [6, 7, 0, 0, 0, 0, 0]);
        assert_eq!(shift(&mut bytes, 9), 0);
        assert_eq!(bytes, [0; 7]);
    }

    #[test]
    fn no_removal_reaches_past_the_end() {
        let mut bytes = SecretBytes::default();
        bytes.extend(b"abc");
        bytes.remove_front(usize::MAX);
        assert!(bytes.is_empty());
    }

    #[test]
    fn debug_output_shows_the_length_only() {
        let mut bytes = SecretBytes::default();
        bytes.extend(b"canary");
        assert_eq!(format!("{bytes:?}"), "SecretBytes(6)");
    }
}
