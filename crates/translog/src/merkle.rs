//! Proofs of a Merkle tree (RFC 6962 §2.1, in the iterative form of RFC 9162 §2.1.3 and §2.1.4).

mod build;

pub use build::{Frontier, HashSource, Leaves, consistency_proof, inclusion_proof, tree_root};

use thiserror::Error;

use crate::hash::Hash;

/// The largest tree: what a checkpoint can name.
pub const MAX_SIZE: u64 = i64::MAX.unsigned_abs();
/// Hashes in the longest proof of inclusion.
pub const MAX_INCLUSION: usize = 63;
/// Hashes in the longest proof of consistency.
pub const MAX_CONSISTENCY: usize = 64;

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ProofError {
    /// The entry is not one of the tree's.
    #[error("entry {index} is not in a tree of {size} entries")]
    Index {
        /// Which entry.
        index: u64,
        /// How many there are.
        size: u64,
    },
    /// The number of hashes is not the one that the sizes demand.
    #[error("the proof has {actual} hashes, which does not fit the sizes")]
    Length {
        /// How many came.
        actual: usize,
    },
    /// The hashes do not lead to the root.
    #[error("the proof leads to another root")]
    Root,
    /// The new tree is smaller than the old one, or larger than a tree can be.
    #[error("a tree of {new} entries cannot follow one of {old}")]
    Sizes {
        /// Entries of the old tree.
        old: u64,
        /// Entries of the new tree.
        new: u64,
    },
}

/// Checks that `leaf` is entry `index` of the tree of `size` entries with `root` (RFC 9162 §2.1.3.2).
///
/// # Errors
///
/// [`ProofError`].
pub fn verify_inclusion(
    proof: &[Hash],
    size: u64,
    root: &Hash,
    index: u64,
    leaf: &Hash,
) -> Result<(), ProofError> {
    if index >= size || size > MAX_SIZE {
        return Err(ProofError::Index { index, size });
    }
    let length = ProofError::Length {
        actual: proof.len(),
    };
    let mut node = index;
    let mut last = size.saturating_sub(1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(length);
        }
        if is_right(node) || node == last {
            hash = Hash::of_node(sibling, &hash);
            while !is_right(node) && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = Hash::of_node(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(length);
    }
    (hash == *root).then_some(()).ok_or(ProofError::Root)
}

/// Checks that the tree of `new_size` entries with `new_root` begins with that of `old_size` entries
/// with `old_root` (RFC 9162 §2.1.4.2).
///
/// The proof is empty where the old tree is empty or the sizes are equal.
///
/// # Errors
///
/// [`ProofError`].
pub fn verify_consistency(
    proof: &[Hash],
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
) -> Result<(), ProofError> {
    if old_size > new_size || new_size > MAX_SIZE {
        return Err(ProofError::Sizes {
            old: old_size,
            new: new_size,
        });
    }
    let length = ProofError::Length {
        actual: proof.len(),
    };
    if old_size == 0 || old_size == new_size {
        if !proof.is_empty() {
            return Err(length);
        }
        let expected = if old_size == 0 {
            Hash::of_nothing()
        } else {
            *new_root
        };
        return (*old_root == expected)
            .then_some(())
            .ok_or(ProofError::Root);
    }
    let mut node = old_size.saturating_sub(1);
    let mut last = new_size.saturating_sub(1);
    while is_right(node) {
        node >>= 1;
        last >>= 1;
    }
    // An old tree that is one complete subtree is its own first hash.
    let (first, rest) = if node == 0 {
        (old_root, proof)
    } else {
        proof.split_first().ok_or(length)?
    };
    let (mut old, mut new) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return Err(length);
        }
        if is_right(node) || node == last {
            old = Hash::of_node(sibling, &old);
            new = Hash::of_node(sibling, &new);
            while !is_right(node) && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new = Hash::of_node(&new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(length);
    }
    (old == *old_root && new == *new_root)
        .then_some(())
        .ok_or(ProofError::Root)
}

const fn is_right(node: u64) -> bool {
    node & 1 == 1
}

#[cfg(test)]
mod tests;
