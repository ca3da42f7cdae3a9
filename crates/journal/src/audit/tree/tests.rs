//! Trees, held against another implementation and published vectors.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;

use super::*;

/// A tree that is all in memory and hashes everything anew each time it is asked.
struct Leaves(Vec<Hash>);

impl Leaves {
    fn of(entries: &[Vec<u8>]) -> Self {
        Self(entries.iter().map(|entry| leaf_hash(entry)).collect())
    }

    fn some(count: u64) -> (Self, MemoryBackedTree<Sha256, Vec<u8>>) {
        let entries: Vec<_> = (0..count)
            .map(|number| number.to_le_bytes().to_vec())
            .collect();
        let mut oracle = MemoryBackedTree::new();
        for entry in &entries {
            oracle.push(entry.clone());
        }
        (Self::of(&entries), oracle)
    }
}

impl Nodes for Leaves {
    type Error = std::convert::Infallible;

    fn node(&mut self, height: u32, index: u64) -> Result<Hash, Self::Error> {
        let begin = usize::try_from(index << height).unwrap();
        Ok(root_over(&self.0[begin..begin + (1 << height)]))
    }
}

/// The root of the first `size` leaves.
fn root(leaves: &mut Leaves, size: u64) -> Result<Hash, std::convert::Infallible> {
    match size {
        0 => Ok(root_over(&[])),
        size => range_root(leaves, (0, size)),
    }
}

fn hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks().0.to_vec()
}

fn hex(text: &str) -> Hash {
    *text.parse::<Digest>().unwrap().as_bytes()
}

/// The reference tree of Certificate Transparency: entries, and the roots of its first 1 to 8 leaves.
fn published() -> (Vec<Vec<u8>>, Vec<Hash>) {
    let entries = [
        &[][..],
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
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    (
        entries.iter().map(|entry| entry.to_vec()).collect(),
        roots.iter().map(|root| hex(root)).collect(),
    )
}

const A: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const B: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const C: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
const D: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const E: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
const F: &str = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7";
const G: &str = "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125";
const H: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
const EMPTY: &str = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";

#[test]
fn the_published_tree_has_its_published_roots() {
    let (entries, roots) = published();
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let mut leaves = Leaves::of(&entries);
    assert_eq!(root(&mut leaves, 0).unwrap(), hex(nothing));
    for (size, expected) in (1..).zip(roots) {
        assert_eq!(root(&mut leaves, size).unwrap(), expected, "{size}");
    }
    assert_eq!(leaf_hash(b""), EMPTY_LEAF);
}

#[test]
fn the_published_tree_has_its_published_proofs() {
    let (entries, roots) = published();
    let mut leaves = Leaves::of(&entries);
    let inclusions: [(u64, u64, &[&str]); 5] = [
        (0, 1, &[]),
        (0, 8, &[A, B, C]),
        (5, 8, &[D, E, F]),
        (2, 3, &[G]),
        (1, 5, &[EMPTY, B, D]),
    ];
    for (index, size, expected) in inclusions {
        let expected: Vec<Hash> = expected.iter().map(|hash| hex(hash)).collect();
        let proof = prove_inclusion(&mut leaves, index, size).unwrap();
        assert_eq!(proof, expected, "{index} of {size}");
    }
    let consistencies: [(u64, u64, &[&str]); 4] = [
        (1, 1, &[]),
        (1, 8, &[A, B, C]),
        (6, 8, &[H, E, F]),
        (2, 5, &[B, D]),
    ];
    for (old, new, expected) in consistencies {
        let expected: Vec<Hash> = expected.iter().map(|hash| hex(hash)).collect();
        let proof = prove_consistency(&mut leaves, old, new).unwrap();
        assert_eq!(proof, expected, "{old} to {new}");
        let at = |size: u64| (size, Digest::from_bytes(roots[size as usize - 1]));
        let proof: Vec<Digest> = proof.into_iter().map(Digest::from_bytes).collect();
        assert!(is_consistent(at(old), at(new), &proof));
    }
}

#[test]
fn roots_and_proofs_of_small_trees_are_those_of_the_oracle() {
    for size in 1..70 {
        let (mut leaves, oracle) = Leaves::some(size);
        let expected: Hash = (*oracle.root().as_bytes()).into();
        assert_eq!(root(&mut leaves, size).unwrap(), expected);
        for index in 0..size {
            let proof = prove_inclusion(&mut leaves, index, size).unwrap();
            let theirs = oracle.prove_inclusion(usize::try_from(index).unwrap());
            assert_eq!(proof, hashes(theirs.as_bytes()), "{index} of {size}");
            let leaf = leaves.0[usize::try_from(index).unwrap()];
            assert_eq!(root_by_inclusion(leaf, index, size, &proof), Some(expected));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_leaf_of_any_tree_is_proved_and_no_other(
        size in 1_u64..700, at in any::<u64>(), other in any::<u64>(), flip in any::<u64>(),
    ) {
        let (mut leaves, oracle) = Leaves::some(size);
        let index = at % size;
        let mut proof = prove_inclusion(&mut leaves, index, size).unwrap();
        let theirs = oracle.prove_inclusion(usize::try_from(index).unwrap());
        prop_assert_eq!(&proof, &hashes(theirs.as_bytes()));
        let expected = Some(root(&mut leaves, size).unwrap());
        let leaf = leaves.0[usize::try_from(index).unwrap()];
        prop_assert_eq!(root_by_inclusion(leaf, index, size, &proof), expected);
        let other = other % size;
        if other != index {
            prop_assert_ne!(root_by_inclusion(leaf, other, size, &proof), expected);
        }
        prop_assert_ne!(root_by_inclusion(node_hash(&leaf, &leaf), index, size, &proof), expected);
        prop_assert_eq!(root_by_inclusion(leaf, size, size, &proof), None);
        if let Some(hash) = proof.get_mut(flip as usize % 12) {
            hash[0] ^= 1;
            prop_assert_ne!(root_by_inclusion(leaf, index, size, &proof), expected);
        }
        proof.push(leaf);
        prop_assert_eq!(root_by_inclusion(leaf, index, size, &proof), None);
    }

    #[test]
    fn a_tree_begins_with_each_of_its_beginnings_and_with_no_other(
        new in 1_u64..700, at in any::<u64>(), flip in any::<u64>(),
    ) {
        let (mut leaves, oracle) = Leaves::some(new);
        let old = 1 + at % new;
        let proof = prove_consistency(&mut leaves, old, new).unwrap();
        let theirs = oracle.prove_consistency(usize::try_from(new - old).unwrap());
        prop_assert_eq!(&proof, &hashes(theirs.as_bytes()));
        let old_root = Digest::from_bytes(root(&mut leaves, old).unwrap());
        let new_root = Digest::from_bytes(root(&mut leaves, new).unwrap());
        let mut proof: Vec<Digest> = proof.into_iter().map(Digest::from_bytes).collect();
        prop_assert!(is_consistent((old, old_root), (new, new_root), &proof));
        let forged = Digest::of(b"another");
        prop_assert!(!is_consistent((old, forged), (new, new_root), &proof));
        prop_assert!(!is_consistent((old, old_root), (new, forged), &proof));
        prop_assert!(!is_consistent((new + 1, old_root), (new, new_root), &proof));
        if !proof.is_empty() {
            let at = flip as usize % proof.len();
            proof[at] = forged;
            prop_assert!(!is_consistent((old, old_root), (new, new_root), &proof));
            proof.pop();
            prop_assert!(!is_consistent((old, old_root), (new, new_root), &proof));
        }
    }

    #[test]
    fn no_proof_makes_the_checks_panic(
        sizes in (any::<u64>(), any::<u64>(), any::<u64>()),
        proof in proptest::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let (a, b, index) = sizes;
        root_by_inclusion([1; 32], index, a, &proof);
        let proof: Vec<Digest> = proof.into_iter().map(Digest::from_bytes).collect();
        let root = Digest::of(b"");
        is_consistent((a, root), (b, root), &proof);
    }
}

#[test]
fn every_tree_begins_with_the_empty_one() {
    let nothing = Digest::from_bytes(root_over(&[]));
    let one = Digest::from_bytes(EMPTY_LEAF);
    assert!(is_consistent((0, nothing), (1, one), &[]));
    assert!(is_consistent((0, nothing), (0, nothing), &[]));
    assert!(!is_consistent((0, one), (1, one), &[]));
    assert!(!is_consistent((0, nothing), (1, one), &[one]));
}
