#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use proptest::prelude::*;

use super::*;

/// Leaves in memory; the recursive definition of RFC 6962 §2.1 is the reference.
struct Leaves(Vec<Hash>);

impl HashSource for Leaves {
    type Error = ProofError;

    fn subtree(&self, level: u8, index: u64) -> Result<Hash, ProofError> {
        let width = 1_usize << level;
        let start = usize::try_from(index).unwrap() * width;
        Ok(reference_root(&self.0[start..start + width]))
    }
}

fn leaves(count: u64) -> Leaves {
    Leaves(
        (0..count)
            .map(|n| Hash::of_leaf(&n.to_be_bytes()))
            .collect(),
    )
}

fn reference_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of_nothing(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Hash::of_node(&reference_root(left), &reference_root(right))
        }
    }
}

fn reference_inclusion(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    let (mut proof, other) = if index < k {
        (reference_inclusion(left, index), right)
    } else {
        (reference_inclusion(right, index - k), left)
    };
    proof.push(reference_root(other));
    proof
}

fn reference_consistency(leaves: &[Hash], old: usize, whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole {
            Vec::new()
        } else {
            vec![reference_root(leaves)]
        };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    let (mut proof, other) = if old <= k {
        (reference_consistency(left, old, whole), right)
    } else {
        (reference_consistency(right, old - k, false), left)
    };
    proof.push(reference_root(other));
    proof
}

const SIZES: u64 = 70;

#[test]
fn the_test_vectors_of_rfc_6962_hold() {
    let inputs: [&[u8]; 8] = [
        &[],
        &[0x00],
        &[0x10],
        &[0x20, 0x21],
        &[0x30, 0x31],
        &[0x40, 0x41, 0x42, 0x43],
        &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        &[
            0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d,
            0x6e, 0x6f,
        ],
    ];
    let leaves = Leaves(inputs.iter().map(|input| Hash::of_leaf(input)).collect());
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    for (size, root) in roots.iter().enumerate() {
        assert_eq!(tree_root(&leaves, size as u64).unwrap().to_string(), *root);
    }
}

#[test]
fn every_entry_of_every_tree_is_proven_as_rfc_6962_defines() {
    let all = leaves(SIZES);
    for size in 1..=SIZES {
        let part = &all.0[..size as usize];
        let root = reference_root(part);
        assert_eq!(tree_root(&all, size).unwrap(), root);
        for index in 0..size {
            let proof = inclusion_proof(&all, index, size).unwrap();
            assert_eq!(proof, reference_inclusion(part, index as usize));
            verify_inclusion(&proof, size, &root, index, &part[index as usize]).unwrap();
        }
    }
}

#[test]
fn every_tree_is_proven_to_grow_from_every_smaller_one() {
    let all = leaves(SIZES);
    for new in 1..=SIZES {
        let new_root = tree_root(&all, new).unwrap();
        for old in 1..=new {
            let old_root = tree_root(&all, old).unwrap();
            let proof = consistency_proof(&all, old, new).unwrap();
            let reference = reference_consistency(&all.0[..new as usize], old as usize, true);
            assert_eq!(proof, reference);
            verify_consistency(&proof, old, &old_root, new, &new_root).unwrap();
        }
    }
}

#[test]
fn a_proof_proves_no_other_entry_size_or_root() {
    let all = leaves(40);
    for (index, size) in [(0, 1), (0, 7), (6, 7), (3, 8), (12, 13), (5, 33), (32, 33)] {
        let root = tree_root(&all, size).unwrap();
        let leaf = all.0[index as usize];
        let proof = inclusion_proof(&all, index, size).unwrap();
        for other_size in 0..40 {
            for other in 0..40 {
                // Of equal shape a proof cannot tell the size: the root does.
                let other_root = tree_root(&all, other_size).unwrap();
                let verdict = verify_inclusion(&proof, other_size, &other_root, other, &leaf);
                assert_eq!(verdict.is_ok(), (other, other_size) == (index, size));
            }
        }
        assert!(verify_inclusion(&proof, size, &root, index, &Hash::of_leaf(b"other")).is_err());
        let mut longer = proof.clone();
        longer.push(root);
        assert!(verify_inclusion(&longer, size, &root, index, &leaf).is_err());
        if let Some((_, shorter)) = proof.split_last() {
            assert!(verify_inclusion(shorter, size, &root, index, &leaf).is_err());
        }
    }
}

#[test]
fn a_tree_that_was_changed_does_not_follow() {
    let all = leaves(40);
    for (old, new) in [(1, 2), (3, 7), (4, 8), (6, 8), (7, 40), (32, 33), (33, 40)] {
        let new_root = tree_root(&all, new).unwrap();
        let proof = consistency_proof(&all, old, new).unwrap();
        let mut changed = leaves(40);
        changed.0[0] = Hash::of_leaf(b"changed");
        let other_old = tree_root(&changed, old).unwrap();
        let other_new = tree_root(&changed, new).unwrap();
        let other_proof = consistency_proof(&changed, old, new).unwrap();
        let old_root = tree_root(&all, old).unwrap();
        let refused = |proof: &[Hash], old_root: &Hash, new_root: &Hash| {
            verify_consistency(proof, old, old_root, new, new_root).is_err()
        };
        assert!(!refused(&proof, &old_root, &new_root));
        for proof in [&proof, &other_proof] {
            assert!(refused(proof, &other_old, &new_root));
            assert!(refused(proof, &old_root, &other_new));
        }
        for at in 0..proof.len() {
            let mut flipped = proof.clone();
            flipped[at] = Hash::of_leaf(b"flipped");
            assert!(refused(&flipped, &old_root, &new_root));
        }
        let mut longer = proof.clone();
        longer.push(new_root);
        assert!(refused(&longer, &old_root, &new_root));
        assert!(refused(&proof[..proof.len() - 1], &old_root, &new_root));
        let shrunk = verify_consistency(&proof, new, &new_root, old, &old_root);
        assert_eq!(shrunk, Err(ProofError::Sizes { old: new, new: old }));
    }
}

#[test]
fn trees_of_equal_size_must_be_equal_and_every_tree_follows_the_empty_one() {
    let (one, other) = (Hash::of_leaf(b"1"), Hash::of_leaf(b"2"));
    assert!(verify_consistency(&[], 5, &one, 5, &one).is_ok());
    assert_eq!(
        verify_consistency(&[], 5, &one, 5, &other),
        Err(ProofError::Root)
    );
    assert!(verify_consistency(&[one], 5, &one, 5, &one).is_err());
    assert!(verify_consistency(&[], 0, &Hash::of_nothing(), 5, &one).is_ok());
    assert_eq!(
        verify_consistency(&[], 0, &one, 5, &other),
        Err(ProofError::Root)
    );
}

#[test]
fn a_tree_larger_than_a_checkpoint_can_name_is_refused() {
    let hash = Hash::of_leaf(b"1");
    let proof = [hash; MAX_INCLUSION];
    let size = MAX_SIZE + 1;
    assert!(matches!(
        verify_inclusion(&proof, size, &hash, 0, &hash),
        Err(ProofError::Index { .. })
    ));
    assert!(matches!(
        verify_consistency(&proof, 1, &hash, size, &hash),
        Err(ProofError::Sizes { .. })
    ));
    assert!(matches!(
        verify_inclusion(&proof, u64::MAX, &hash, u64::MAX - 1, &hash),
        Err(ProofError::Index { .. })
    ));
}

#[test]
fn the_longest_proof_fits_the_largest_tree() {
    let hash = Hash::of_leaf(b"1");
    let root = (0..MAX_INCLUSION).fold(hash, |node, _| Hash::of_node(&node, &hash));
    verify_inclusion(&[hash; MAX_INCLUSION], MAX_SIZE, &root, 0, &hash).unwrap();
}

#[test]
fn a_frontier_grows_as_the_tree_does_and_makes_every_complete_subtree_once() {
    let all = leaves(SIZES);
    let mut frontier = Frontier::new();
    let mut made = std::collections::BTreeMap::new();
    for size in 0..=SIZES {
        assert_eq!(frontier.size(), size);
        assert_eq!(frontier.root(), tree_root(&all, size).unwrap());
        assert_eq!(frontier, Frontier::load(&all, size).unwrap());
        let parts = frontier.subtrees().to_vec();
        assert_eq!(
            Frontier::of_parts(size, parts.clone()),
            Some(frontier.clone())
        );
        assert_eq!(
            Frontier::of_parts(size, [parts, vec![Hash::of_nothing()]].concat()),
            None
        );
        if let Some(leaf) = all.0.get(size as usize) {
            frontier.append(*leaf, |level, index, hash| {
                assert_eq!(made.insert((level, index), hash), None);
                assert_eq!(all.subtree(level, index).unwrap(), hash);
            });
        }
    }
    let complete: u64 = (0..7).map(|level| SIZES >> level).sum();
    assert_eq!(made.len() as u64, complete);
}

proptest! {
    #[test]
    fn any_hashes_for_any_sizes_prove_nothing_and_do_no_harm(
        hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70),
        index in any::<u64>(),
        size in any::<u64>(),
    ) {
        let proof: Vec<Hash> = hashes.into_iter().map(Hash::new).collect();
        let (one, other) = (Hash::of_leaf(b"1"), Hash::of_leaf(b"2"));
        prop_assert!(verify_inclusion(&proof, size, &one, index, &other).is_err());
        prop_assert!(verify_consistency(&proof, index, &one, size, &other).is_err() || index == 0);
    }
}
