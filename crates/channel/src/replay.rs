//! The replay register of one key (spec/channel.md §4).

use std::collections::HashSet;

/// Remembers every encapsulation a key has opened, for as long as the key
/// lives. Its memory is reserved when it is made and never grows.
pub(crate) struct ReplayRegister {
    seen: HashSet<[u8; 32]>,
    capacity: usize,
}

/// What [`ReplayRegister::enter`] found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Entry {
    /// Not seen before; now it is.
    Fresh,
    /// Seen before.
    Replayed,
    /// Not seen before, and no room to remember it.
    Full,
}

impl ReplayRegister {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            seen: HashSet::with_capacity(capacity),
            capacity,
        }
    }

    /// Enters the digest of an encapsulation, in one step.
    pub(crate) fn enter(&mut self, digest: [u8; 32]) -> Entry {
        if self.seen.contains(&digest) {
            Entry::Replayed
        } else if self.seen.len() >= self.capacity {
            Entry::Full
        } else {
            self.seen.insert(digest);
            Entry::Fresh
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_entry_is_a_replay() {
        let mut register = ReplayRegister::new(4);
        assert_eq!(register.enter([1; 32]), Entry::Fresh);
        assert_eq!(register.enter([1; 32]), Entry::Replayed);
    }

    #[test]
    fn a_full_register_refuses_and_still_knows_its_entries() {
        let mut register = ReplayRegister::new(2);
        register.enter([1; 32]);
        register.enter([2; 32]);
        assert_eq!(register.enter([3; 32]), Entry::Full);
        assert_eq!(register.enter([1; 32]), Entry::Replayed);
    }

    #[test]
    fn memory_does_not_grow_with_entries() {
        let mut register = ReplayRegister::new(100);
        let reserved = register.seen.capacity();
        for n in 0..=255 {
            register.enter([n; 32]);
        }
        assert_eq!(register.seen.capacity(), reserved);
    }
}
