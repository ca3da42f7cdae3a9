//! Copies the audit log: the newest checkpoint and what it counts on, and no more.

use std::path::Path;
use std::time::Duration;

use crate::audit::folder::{Folder, read_text};
use crate::audit::tiles::{self, LEVELS_MAX, Tile, WIDTH};
use crate::error::JournalError;

use super::folder::Target;
use super::{copy_folder, files_below};

/// So often a checkpoint is read again whose partial tiles a newer one has taken away meanwhile.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);
/// So many tiles that are missing are named; the log is beyond copying then.
const MISSING_MAX: usize = 100;

/// What was copied.
#[derive(Debug, Default)]
pub(super) struct Copied {
    /// How many leaves the checkpoint has; none without a log.
    pub signed: Option<u64>,
    /// Tiles that are not there.
    pub missing: Vec<String>,
}

/// Copies the log in the data folder `root`; its signing key only if `secrets` says so.
pub(super) fn copy(
    root: &Path,
    secrets: bool,
    target: &mut Target<'_>,
) -> Result<Copied, JournalError> {
    let folder = Folder::new(root);
    let mut copied = Copied::default();
    target.copy("audit/log.vkey", &folder.verifier_key())?;
    if secrets {
        target.copy("audit/key", &folder.key())?;
    }
    let Some(size) = copy_head(&folder, target, &mut copied)? else {
        return Ok(copied);
    };
    copied.signed = Some(size);
    for (below, path) in files_below(&folder.history())? {
        // One that was signed since belongs to a larger tree than is copied.
        let older = read(&path)?.and_then(|note| leaves(&note));
        if older.is_some_and(|older| older <= size) {
            target.copy(&format!("audit/history/{below}"), &path)?;
        }
    }
    for tile in full_tiles(size) {
        let path = tile.path();
        if !target.copy(&format!("audit/{path}"), &folder.tile(tile))? {
            copied.missing.push(path);
        }
        if copied.missing.len() >= MISSING_MAX {
            break;
        }
    }
    Ok(copied)
}

/// Copies the checkpoint and its partial tiles, which do not stay for long; how many leaves it has. None
/// if there is none, or none that can be read, and nothing is left to do.
fn copy_head(
    folder: &Folder,
    target: &mut Target<'_>,
    copied: &mut Copied,
) -> Result<Option<u64>, JournalError> {
    for attempt in 1..=TRIES {
        let Some(note) = read(&folder.checkpoint())? else {
            return Ok(None);
        };
        let Some(size) = leaves(&note) else {
            // Nobody can tell what it counts on: the copy is as damaged as the folder is.
            target.put("audit/checkpoint", note.as_bytes())?;
            for below in ["history", "tile"] {
                let from = folder.path().join(below);
                copy_folder(&from, &format!("audit/{below}"), target)?;
            }
            copied.missing.push("checkpoint".to_owned());
            return Ok(None);
        };
        copied.missing.clear();
        let mut tiles = Vec::new();
        for tile in tiles::partial_tiles(size) {
            match tiles::read(folder, tile) {
                Ok(hashes) => tiles.push((tile, tiles::to_bytes(&hashes))),
                Err(_) => copied.missing.push(tile.path()),
            }
        }
        if !copied.missing.is_empty() && attempt < TRIES {
            std::thread::sleep(PAUSE);
            continue;
        }
        target.put("audit/checkpoint", note.as_bytes())?;
        for (tile, bytes) in tiles {
            target.put(&format!("audit/{}", tile.path()), &bytes)?;
        }
        return Ok(Some(size));
    }
    Ok(None)
}

/// How many leaves a checkpoint has, which stands in its second line. Whether it is signed is for those
/// to find out who verify.
fn leaves(note: &str) -> Option<u64> {
    note.lines().nth(1)?.parse().ok()
}

fn read(path: &Path) -> Result<Option<String>, JournalError> {
    read_text(path).map_err(|error| JournalError::backup(path, error.to_string()))
}

/// The full tiles of the tree of `size` leaves.
fn full_tiles(size: u64) -> impl Iterator<Item = Tile> {
    (0..LEVELS_MAX).flat_map(move |level| {
        let count = tiles::hashes_at(size, level) / WIDTH as u64;
        (0..count).filter_map(move |index| tiles::tile_at(size, level, index))
    })
}
