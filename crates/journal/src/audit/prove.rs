//! Proofs from what lies on disk: that a record is in the log, and that one tree begins with another.

use std::path::Path;

use plimsoll_core::Digest;

use super::checkpoint::Checkpoint;
use super::error::AuditError;
use super::folder::{self, Folder};
use super::note::VerifierKey;
use super::proof::Proof;
use super::tiles::TileNodes;
use super::tree;
use crate::error::JournalError;
use crate::reader::Reader;

/// So often a checkpoint is read again whose tiles a newer one has taken away meanwhile.
const TRIES: usize = 5;

/// The public key in the data folder `root`. It proves only that the folder agrees with itself: who
/// wants more has the key from elsewhere.
///
/// # Errors
/// If there is none.
pub fn verifier_key(root: &Path) -> Result<VerifierKey, AuditError> {
    let path = Folder::new(root).verifier_key();
    let text = folder::read_text(&path)?.ok_or(AuditError::NoLog { path })?;
    text.trim_end_matches('\n').parse()
}

/// The newest checkpoint in the data folder `root`, signed by the log with this key.
///
/// # Errors
/// If there is none, or it was changed.
pub fn newest_checkpoint(root: &Path, key: &VerifierKey) -> Result<Checkpoint, AuditError> {
    let path = Folder::new(root).checkpoint();
    let text = folder::read_text(&path)?.ok_or(AuditError::NoLog { path })?;
    Checkpoint::verify(&text, key)
}

/// Does `work` with the newest checkpoint, and again if a newer one takes its tiles away meanwhile.
fn with_newest<T>(
    root: &Path,
    work: impl Fn(&Folder, &Checkpoint) -> Result<T, AuditError>,
) -> Result<T, AuditError> {
    let key = verifier_key(root)?;
    let folder = Folder::new(root);
    let mut checkpoint = newest_checkpoint(root, &key)?;
    for _ in 1..TRIES {
        let result = work(&folder, &checkpoint);
        if !matches!(result, Err(AuditError::Tile { .. })) {
            return result;
        }
        let newer = newest_checkpoint(root, &key)?;
        if newer == checkpoint {
            return result;
        }
        checkpoint = newer;
    }
    work(&folder, &checkpoint)
}

/// The record with this sequence and the proof that it is under the newest checkpoint of the data folder
/// `root`, while its node may be running.
///
/// # Errors
/// If it is not yet under a checkpoint, is no longer kept, or was changed.
pub fn prove(root: &Path, sequence: u64) -> Result<Proof, AuditError> {
    with_newest(root, |folder, checkpoint| {
        let size = checkpoint.size();
        if sequence >= size {
            return Err(AuditError::Ahead { sequence, size });
        }
        let mut nodes = TileNodes::new(folder, size);
        let leaf = nodes.leaf(sequence)?;
        let proof = Proof {
            entry: entry(root, sequence)?,
            index: sequence,
            hashes: tree::prove_inclusion(&mut nodes, sequence, size)?,
            checkpoint: checkpoint.note().to_owned(),
        };
        if tree::leaf_hash(&proof.entry) != leaf {
            let what = "cannot be made: the record is not the one that was signed";
            return Err(AuditError::Proof { what });
        }
        Ok(proof)
    })
}

/// The newest checkpoint of the data folder `root`, and the proof that its tree begins with the one of
/// `old` leaves: what [`super::is_consistent`] checks.
///
/// # Errors
/// If the tree is smaller than that, or a tile is missing.
pub fn prove_consistency(root: &Path, old: u64) -> Result<(Checkpoint, Vec<Digest>), AuditError> {
    with_newest(root, |folder, checkpoint| {
        let mut nodes = TileNodes::new(folder, checkpoint.size());
        let hashes = consistency(&mut nodes, old, checkpoint.size())?;
        Ok((checkpoint.clone(), hashes))
    })
}

fn consistency(nodes: &mut TileNodes<'_>, old: u64, new: u64) -> Result<Vec<Digest>, AuditError> {
    if old > new {
        return Err(AuditError::Ahead {
            sequence: old - 1,
            size: new,
        });
    }
    if old == 0 {
        return Ok(Vec::new());
    }
    let hashes = tree::prove_consistency(nodes, old, new)?;
    Ok(hashes.into_iter().map(Digest::from_bytes).collect())
}

/// Whether the tree of `new`, whose nodes these are, begins with that of `old`, which is not larger.
pub(crate) fn is_consistent(
    nodes: &mut TileNodes<'_>,
    old: &Checkpoint,
    new: &Checkpoint,
) -> Result<bool, AuditError> {
    let proof = consistency(nodes, old.size(), new.size())?;
    let (old, new) = ((old.size(), old.root()), (new.size(), new.root()));
    Ok(tree::is_consistent(old, new, &proof))
}

/// The body of the record with this sequence.
fn entry(root: &Path, sequence: u64) -> Result<Vec<u8>, AuditError> {
    let mut reader = Reader::open(root, sequence)?;
    loop {
        match reader.next_body() {
            Ok(Some((found, body))) if found == sequence => return Ok(body.to_vec()),
            Ok(Some((found, _))) if found < sequence => {}
            Ok(_) => return Err(AuditError::Gone { sequence }),
            Err(JournalError::Damaged(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
