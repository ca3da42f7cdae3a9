//! The arithmetic of RFC 6962 trees: hashes, roots, proofs and how they are checked. It reads nothing;
//! what it needs of a tree it asks a [`Nodes`] for.

use plimsoll_core::Digest;
use sha2::{Digest as _, Sha256};

use super::hashing;

/// A SHA-256 hash of a leaf or a node.
pub(crate) type Hash = [u8; 32];

/// The hash of the empty entry: it stands for a record that could not be read.
pub(crate) const EMPTY_LEAF: Hash = [
    0x6e, 0x34, 0x0b, 0x9c, 0xff, 0xb3, 0x7a, 0x98, 0x9c, 0xa5, 0x44, 0xe6, 0xbb, 0x78, 0x0a, 0x2c,
    0x78, 0x90, 0x1d, 0x3f, 0xb3, 0x37, 0x38, 0x76, 0x85, 0x11, 0xa3, 0x06, 0x17, 0xaf, 0xa0, 0x1d,
];

/// What stands before a leaf's entry when it is hashed.
const LEAF: u8 = 0;
/// What stands before the two hashes of a node.
const NODE: u8 = 1;

/// The hash of a leaf with this entry (RFC 6962, section 2.1).
pub(crate) fn leaf_hash(entry: &[u8]) -> Hash {
    hashing::one(LEAF, entry)
}

/// The hashes of leaves with these entries.
pub(crate) fn leaf_hashes(entries: &[&[u8]]) -> Vec<Hash> {
    hashing::hash_all(LEAF, entries)
}

/// The hash of a node over two others (RFC 6962, section 2.1).
pub(crate) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    hashing::one(NODE, [*left, *right].as_flattened())
}

/// The root over `hashes`, of which all but the last are roots of full subtrees of one size; of no
/// leaves, the hash of nothing.
pub(crate) fn root_over(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        let (pairs, odd) = row.as_chunks::<2>();
        let pairs: Vec<&[u8]> = pairs.iter().map(|pair| pair.as_flattened()).collect();
        let mut above = hashing::hash_all(NODE, &pairs);
        above.extend(odd);
        row = above;
    }
    row.first()
        .copied()
        .unwrap_or_else(|| Sha256::digest([]).into())
}

/// Where a tree's nodes come from.
pub(crate) trait Nodes {
    /// What can go wrong.
    type Error;

    /// The root of the `index`-th full subtree of 2^`height` leaves.
    fn node(&mut self, height: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// The leaves `begin..end` of a tree, `begin` being where RFC 6962 splits.
type Range = (u64, u64);

/// The largest power of two that is smaller than `leaves`, which are at least two.
const fn split(leaves: u64) -> u64 {
    1 << (u64::BITS - 1 - (leaves - 1).leading_zeros())
}

/// The root of the leaves in `range`, of which there is at least one.
fn range_root<N: Nodes>(nodes: &mut N, (begin, end): Range) -> Result<Hash, N::Error> {
    let leaves = end - begin;
    if leaves.is_power_of_two() {
        return nodes.node(leaves.trailing_zeros(), begin / leaves);
    }
    let middle = begin + split(leaves);
    let left = range_root(nodes, (begin, middle))?;
    let right = range_root(nodes, (middle, end))?;
    Ok(node_hash(&left, &right))
}

/// The inclusion proof of leaf `index` in the tree of `size` leaves, of which it is one: from its sibling
/// upwards (RFC 6962, section 2.1.1).
pub(crate) fn prove_inclusion<N: Nodes>(
    nodes: &mut N,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, N::Error> {
    let (mut begin, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if index < middle {
            proof.push(range_root(nodes, (middle, end))?);
            end = middle;
        } else {
            proof.push(range_root(nodes, (begin, middle))?);
            begin = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of `new` leaves begins with that of `old` leaves, `0 < old <= new` (RFC 6962,
/// section 2.1.2).
pub(crate) fn prove_consistency<N: Nodes>(
    nodes: &mut N,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, N::Error> {
    let (mut begin, mut end) = (0, new);
    let mut proof = Vec::new();
    while old < end {
        let middle = begin + split(end - begin);
        if old <= middle {
            proof.push(range_root(nodes, (middle, end))?);
            end = middle;
        } else {
            proof.push(range_root(nodes, (begin, middle))?);
            begin = middle;
        }
    }
    // What is left is a whole subtree of the old tree; the verifier has it if it is all of that.
    if begin > 0 {
        proof.push(range_root(nodes, (begin, end))?);
    }
    proof.reverse();
    Ok(proof)
}

/// The root that an inclusion proof leads to; `None` if the proof cannot be one for this place
/// (RFC 9162, section 2.1.3.2).
pub(crate) fn root_by_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut index, mut last) = (index, size - 1);
    let mut hash = leaf;
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if index % 2 == 1 || index == last {
            hash = node_hash(sibling, &hash);
            while index != 0 && index % 2 == 0 {
                index /= 2;
                last /= 2;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        index /= 2;
        last /= 2;
    }
    (last == 0).then_some(hash)
}

/// Whether `proof` shows that the tree `new` begins with the tree `old`, each its size and root
/// (RFC 9162, section 2.1.4.2). Every tree begins with the empty one.
pub fn is_consistent(old: (u64, Digest), new: (u64, Digest), proof: &[Digest]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size == 0 {
        return proof.is_empty() && *old_root.as_bytes() == root_over(&[]);
    }
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    let hashes: Vec<Hash> = proof.iter().map(|hash| *hash.as_bytes()).collect();
    let roots = roots_by_consistency(old_size, *old_root.as_bytes(), new_size, &hashes);
    roots == Some((*old_root.as_bytes(), *new_root.as_bytes()))
}

/// The roots of both trees that a consistency proof leads to.
fn roots_by_consistency(
    old: u64,
    old_root: Hash,
    new: u64,
    proof: &[Hash],
) -> Option<(Hash, Hash)> {
    if old >= new {
        return None;
    }
    let mut rest = proof.iter();
    // The root of an old tree that is a full subtree is left out of its proof.
    let begin = if old.is_power_of_two() {
        old_root
    } else {
        *rest.next()?
    };
    let (mut index, mut last) = (old - 1, new - 1);
    while index % 2 == 1 {
        index /= 2;
        last /= 2;
    }
    let (mut old_hash, mut new_hash) = (begin, begin);
    for sibling in rest {
        if last == 0 {
            return None;
        }
        if index % 2 == 1 || index == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while index != 0 && index % 2 == 0 {
                index /= 2;
                last /= 2;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        index /= 2;
        last /= 2;
    }
    (last == 0).then_some((old_hash, new_hash))
}

#[cfg(test)]
mod tests;
