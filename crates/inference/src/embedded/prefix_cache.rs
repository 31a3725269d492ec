//! Which sequences of the key-value memory may be continued, and by whom.
//!
//! An entry belongs to one conversation, named by the SHA-256 of its secret.
//! Whoever cannot name it finds nothing, whatever the prompt: a shared cache
//! would tell one user what another has asked, through the time to the first
//! token.

use std::time::{Duration, Instant};

/// SHA-256 of a conversation's secret.
pub(crate) type Key = [u8; 32];

/// The finished sequences that may be continued.
pub(crate) struct PrefixCache {
    entries: Vec<Entry>,
    capacity: usize,
    lifetime: Duration,
}

/// A sequence that is not being written any more.
pub(crate) struct Entry {
    /// The conversation it belongs to.
    pub(crate) key: Key,
    /// Its number in the model's memory.
    pub(crate) sequence: i32,
    /// The tokens the memory holds for it, in order.
    pub(crate) tokens: Vec<i32>,
    /// When it was last written.
    pub(crate) used: Instant,
}

impl PrefixCache {
    /// A cache of at most `capacity` sequences, each kept for `lifetime`.
    pub(crate) fn new(capacity: usize, lifetime: Duration) -> Self {
        Self {
            entries: Vec::new(),
            capacity,
            lifetime,
        }
    }

    /// Takes out the conversation's sequence, with the number of tokens it
    /// shares with `prompt`. At least the prompt's last token is left to
    /// compute, because the model answers from its logits.
    pub(crate) fn take(&mut self, key: &Key, prompt: &[i32]) -> Option<(Entry, usize)> {
        let at = self.entries.iter().position(|entry| entry.key == *key)?;
        let entry = self.entries.swap_remove(at);
        let shared = entry
            .tokens
            .iter()
            .zip(prompt)
            .take_while(|(a, b)| a == b)
            .count();
        Some((entry, shared.min(prompt.len().saturating_sub(1))))
    }

    /// Keeps a sequence; returns those that must go for it.
    pub(crate) fn insert(&mut self, entry: Entry) -> Vec<i32> {
        if self.capacity == 0 {
            return vec![entry.sequence];
        }
        let mut gone = Vec::new();
        self.entries.retain(|old| {
            let keep = old.key != entry.key;
            if !keep {
                gone.push(old.sequence);
            }
            keep
        });
        self.entries.push(entry);
        while self.entries.len() > self.capacity {
            gone.extend(self.evict());
        }
        gone
    }

    /// Drops the sequence that was unused for longest.
    pub(crate) fn evict(&mut self) -> Option<i32> {
        let (at, _) = self
            .entries
            .iter()
            .enumerate()
            .min_by_key(|(_, entry)| entry.used)?;
        Some(self.entries.swap_remove(at).sequence)
    }

    /// Drops what has outlived its lifetime.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<i32> {
        let lifetime = self.lifetime;
        let mut gone = Vec::new();
        self.entries.retain(|entry| {
            let keep = now.saturating_duration_since(entry.used) < lifetime;
            if !keep {
                gone.push(entry.sequence);
            }
            keep
        });
        gone
    }

    /// Cells of the model's memory that entries hold.
    pub(crate) fn cells(&self) -> usize {
        self.entries.iter().map(|entry| entry.tokens.len()).sum()
    }

    /// Whether the conversation's sequence is the only one.
    pub(crate) fn holds_only(&self, key: &Key) -> bool {
        matches!(self.entries.as_slice(), [only] if only.key == *key)
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Key = [1; 32];
    const BOB: Key = [2; 32];

    #[test]
    fn the_same_secret_finds_the_common_prefix() {
        let mut cache = cache(2);
        cache.insert(entry(ALICE, 5, &[1, 2, 3]));

        let (found, shared) = cache.take(&ALICE, &[1, 2, 9, 9]).unwrap();

        assert_eq!((found.sequence, shared), (5, 2));
    }

    #[test]
    fn another_secret_finds_nothing_for_the_same_prompt() {
        let mut cache = cache(2);
        cache.insert(entry(ALICE, 5, &[1, 2, 3]));

        assert!(cache.take(&BOB, &[1, 2, 3]).is_none());
    }

    #[test]
    fn the_last_token_of_a_prompt_is_always_computed() {
        let mut cache = cache(2);
        cache.insert(entry(ALICE, 5, &[1, 2, 3]));

        let (_, shared) = cache.take(&ALICE, &[1, 2, 3]).unwrap();

        assert_eq!(shared, 2);
    }

    #[test]
    fn the_longest_unused_sequence_goes_first() {
        let mut cache = cache(1);
        let mut old = entry(ALICE, 5, &[1]);
        old.used = old.used.checked_sub(Duration::from_secs(9)).unwrap();
        cache.insert(old);

        assert_eq!(cache.insert(entry(BOB, 6, &[1])), [5]);
    }

    #[test]
    fn a_conversation_has_one_sequence() {
        let mut cache = cache(3);
        cache.insert(entry(ALICE, 5, &[1]));

        assert_eq!(cache.insert(entry(ALICE, 6, &[1, 2])), [5]);
        assert_eq!(cache.cells(), 2);
    }

    #[test]
    fn a_sequence_does_not_outlive_its_lifetime() {
        let mut cache = cache(3);
        cache.insert(entry(ALICE, 5, &[1]));

        let gone = cache.expire(Instant::now().checked_add(Duration::from_mins(2)).unwrap());

        assert_eq!(gone, [5]);
        assert!(cache.is_empty());
    }

    #[test]
    fn without_capacity_nothing_is_kept() {
        assert_eq!(cache(0).insert(entry(ALICE, 5, &[1])), [5]);
    }

    fn cache(capacity: usize) -> PrefixCache {
        PrefixCache::new(capacity, Duration::from_mins(1))
    }

    fn entry(key: Key, sequence: i32, tokens: &[i32]) -> Entry {
        Entry {
            key,
            sequence,
            tokens: tokens.to_vec(),
            used: Instant::now(),
        }
    }
}
