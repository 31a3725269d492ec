//! Roots and proofs from the hashes of complete subtrees.

use crate::hash::Hash;

use super::{MAX_SIZE, ProofError};

/// Where the hashes of complete subtrees come from: tiles, memory.
pub trait HashSource {
    /// Why a hash cannot be read.
    type Error;

    /// The hash of the complete subtree of `2^level` entries that begins with entry `index · 2^level`.
    ///
    /// # Errors
    ///
    /// What the source says.
    fn subtree(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// The leaves of a tree that fits into memory.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Leaves(Vec<Hash>);

impl Leaves {
    /// A tree of these entries.
    #[must_use]
    pub fn of<T: AsRef<[u8]>>(entries: &[T]) -> Self {
        Self(
            entries
                .iter()
                .map(|entry| Hash::of_leaf(entry.as_ref()))
                .collect(),
        )
    }

    /// How many there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    /// The root of their tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        root_of(&self.0)
    }
}

impl HashSource for Leaves {
    type Error = ProofError;

    fn subtree(&self, level: u8, index: u64) -> Result<Hash, ProofError> {
        let size = self.size();
        let range = || {
            let width = 1_u64.checked_shl(level.into())?;
            let start = index.checked_mul(width)?;
            let end = usize::try_from(start.checked_add(width)?).ok()?;
            self.0.get(usize::try_from(start).ok()?..end)
        };
        range()
            .map(root_of)
            .ok_or(ProofError::Index { index, size })
    }
}

fn root_of(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    for leaf in leaves {
        frontier.append(*leaf, |_, _, _| ());
    }
    frontier.root()
}

/// The root of the first `size` entries.
///
/// # Errors
///
/// What the source says.
pub fn tree_root<S: HashSource>(source: &S, size: u64) -> Result<Hash, S::Error> {
    range_root(source, 0, size)
}

/// The proof that entry `index` is in the tree of `size` entries (RFC 6962 §2.1.1).
///
/// # Errors
///
/// What the source says, or [`ProofError::Index`].
pub fn inclusion_proof<S>(source: &S, index: u64, size: u64) -> Result<Vec<Hash>, S::Error>
where
    S: HashSource,
    S::Error: From<ProofError>,
{
    if index >= size || size > MAX_SIZE {
        return Err(ProofError::Index { index, size }.into());
    }
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, size);
    while end.saturating_sub(start) > 1 {
        let middle = split(start, end);
        if index < middle {
            proof.push(range_root(source, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(source, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of `new_size` entries begins with that of `old_size` entries (RFC 6962 §2.1.2).
///
/// # Errors
///
/// What the source says, or [`ProofError::Sizes`].
pub fn consistency_proof<S>(source: &S, old_size: u64, new_size: u64) -> Result<Vec<Hash>, S::Error>
where
    S: HashSource,
    S::Error: From<ProofError>,
{
    if old_size > new_size || new_size > MAX_SIZE {
        return Err(ProofError::Sizes {
            old: old_size,
            new: new_size,
        }
        .into());
    }
    let mut proof = Vec::new();
    if old_size == 0 || old_size == new_size {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, new_size);
    // The subtree that ends where the old tree ends is its last complete one.
    while end != old_size {
        let middle = split(start, end);
        if old_size <= middle {
            proof.push(range_root(source, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(source, start, middle)?);
            start = middle;
        }
    }
    if start != 0 {
        proof.push(range_root(source, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Where RFC 6962 splits a range: after the largest power of two of entries that is smaller than it.
fn split(start: u64, end: u64) -> u64 {
    let entries = end.saturating_sub(start);
    start.saturating_add(entries.next_power_of_two() >> 1)
}

/// The hash of the entries from `start` to `end`; `start` is a multiple of the largest power of two below their number.
fn range_root<S: HashSource>(source: &S, start: u64, end: u64) -> Result<Hash, S::Error> {
    if start >= end {
        return Ok(Hash::of_nothing());
    }
    let mut parts = Vec::new();
    let mut at = start;
    while at < end {
        let level = end.saturating_sub(at).ilog2();
        let width = 1_u64 << level;
        parts.push(source.subtree(narrow(level), at >> level)?);
        at = at.saturating_add(width);
    }
    Ok(fold(&parts))
}

/// Levels are below 64.
fn narrow(level: u32) -> u8 {
    u8::try_from(level).unwrap_or(u8::MAX)
}

/// Hashes complete subtrees of falling size into one.
fn fold(parts: &[Hash]) -> Hash {
    parts
        .iter()
        .rev()
        .copied()
        .reduce(|right, left| Hash::of_node(&left, &right))
        .unwrap_or_else(Hash::of_nothing)
}

/// The complete subtrees that a tree of some size consists of: enough to append, and to know the root.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Frontier {
    size: u64,
    /// From the largest to the smallest.
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// A tree without entries.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            size: 0,
            subtrees: Vec::new(),
        }
    }

    /// The frontier of the first `size` entries.
    ///
    /// # Errors
    ///
    /// What the source says.
    pub fn load<S: HashSource>(source: &S, size: u64) -> Result<Self, S::Error> {
        let mut subtrees = Vec::new();
        let mut at = 0;
        while at < size {
            let level = size.saturating_sub(at).ilog2();
            subtrees.push(source.subtree(narrow(level), at >> level)?);
            at = at.saturating_add(1 << level);
        }
        Ok(Self { size, subtrees })
    }

    /// A frontier from its parts, as [`Self::subtrees`] gives them; none if there are not as many as the size demands.
    #[must_use]
    pub fn of_parts(size: u64, subtrees: Vec<Hash>) -> Option<Self> {
        let expected = usize::try_from(size.count_ones()).ok()?;
        (size <= MAX_SIZE && subtrees.len() == expected).then_some(Self { size, subtrees })
    }

    /// The hashes of its complete subtrees, from the largest to the smallest.
    #[must_use]
    pub fn subtrees(&self) -> &[Hash] {
        &self.subtrees
    }

    /// How many entries the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends an entry by its hash. Each complete subtree that this makes, the leaf first, is given to
    /// `made` as level, index and hash.
    pub fn append(&mut self, leaf: Hash, mut made: impl FnMut(u8, u64, Hash)) {
        let (mut hash, mut index, mut level) = (leaf, self.size, 0);
        made(level, index, hash);
        while index & 1 == 1 {
            let Some(left) = self.subtrees.pop() else {
                break;
            };
            hash = Hash::of_node(&left, &hash);
            index >>= 1;
            level = level.saturating_add(1);
            made(level, index, hash);
        }
        self.subtrees.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        fold(&self.subtrees)
    }
}
