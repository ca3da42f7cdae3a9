//! Holds tiles against each other, from the leaves up to the root that is signed.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::Ordering;

use super::super::checkpoint::Checkpoint;
use super::super::error::AuditError;
use super::super::folder::Folder;
use super::super::note::VerifierKey;
use super::super::prove;
use super::super::tiles::{self, HASH_BYTES, LEVELS_MAX, Partial, Tile, WIDTH};
use super::super::tree::{self, Hash};
use super::Job;
use super::crew::Task;
use super::report::{Fault, Faults};

/// So often a checkpoint is read again whose tiles a newer one has taken away meanwhile.
const TRIES: usize = 5;
/// So many tiles of leaves are one task.
const TASK_TILES: u64 = 1024;

/// The signed leaves, in ascending order: the tile that was asked for last is kept.
#[derive(Debug)]
pub(crate) struct Leaves<'a> {
    job: &'a Job,
    index: Option<u64>,
    hashes: Vec<Hash>,
}

impl<'a> Leaves<'a> {
    pub(crate) const fn new(job: &'a Job) -> Self {
        Self {
            job,
            index: None,
            hashes: Vec::new(),
        }
    }

    /// The leaf of the record with this sequence, which is under the checkpoint; none if its tile cannot
    /// be read.
    pub(crate) fn get(&mut self, sequence: u64) -> Option<Hash> {
        let index = sequence / WIDTH as u64;
        if self.index != Some(index) {
            self.index = Some(index);
            self.hashes.clear();
            let job = self.job;
            self.hashes = match job.partial.get(&(0, index)) {
                Some(hashes) => hashes.clone(),
                None => tiles::read(&job.folder, tiles::full(0, index)).unwrap_or_default(),
            };
        }
        let within = usize::try_from(sequence % WIDTH as u64).ok()?;
        self.hashes.get(within).copied()
    }
}

/// The roots of some full tiles of leaves; none where a tile cannot be read.
#[derive(Debug)]
pub(crate) struct Row {
    first: u64,
    roots: Vec<Option<Hash>>,
}

/// The full tiles of leaves, a task for some each.
pub(crate) fn tasks(size: u64) -> impl Iterator<Item = Task> {
    let full = size / WIDTH as u64;
    let begins = (0..full.div_ceil(TASK_TILES)).map(|task| task * TASK_TILES);
    begins.map(move |begin| Task::Tiles(begin..full.min(begin + TASK_TILES)))
}

/// Reads full tiles of leaves; one that is missing or has not its length is a fault.
pub(crate) fn read_row(job: &Job, range: Range<u64>, faults: &mut Faults) -> Row {
    let first = range.start;
    let roots = range.map(|index| {
        let hashes = read(job, tiles::full(0, index), faults);
        job.done
            .fetch_add((WIDTH * HASH_BYTES) as u64, Ordering::Relaxed);
        hashes.map(|hashes| tree::root_over(&hashes))
    });
    Row {
        first,
        roots: roots.collect(),
    }
}

/// Reads a tile; one that is missing or has not its length is a fault.
fn read(job: &Job, tile: Tile, faults: &mut Faults) -> Option<Vec<Hash>> {
    if tile.width < WIDTH {
        // Those that could not be read are told of already.
        return job.partial.get(&(tile.level, tile.index)).cloned();
    }
    let read = tiles::read(&job.folder, tile);
    read.inspect_err(|error| faults.add(fault(&job.root, error)))
        .ok()
}

/// The fault that a tile is which cannot be read.
fn fault(root: &Path, error: &AuditError) -> Fault {
    match error {
        AuditError::Tile { path, what } if path.exists() => {
            Fault::changed(super::name_in(root, path), *what)
        }
        AuditError::Tile { path, what } => Fault::missing(super::name_in(root, path), *what),
        error => Fault::missing("a tile".to_owned(), format!("cannot be read: {error}")),
    }
}

/// The newest checkpoint and its partial tiles; those that cannot be read are faults.
pub(crate) fn newest(
    root: &Path,
    folder: &Folder,
    key: &VerifierKey,
) -> Result<(Checkpoint, Partial, Faults), AuditError> {
    let mut checkpoint = prove::newest_checkpoint(root, key)?;
    let mut tries = 1;
    loop {
        let (mut partial, mut faults) = (Partial::new(), Faults::default());
        for tile in tiles::partial_tiles(checkpoint.size()) {
            match tiles::read(folder, tile) {
                Ok(hashes) => {
                    partial.insert((tile.level, tile.index), hashes);
                }
                Err(error) => faults.add(fault(root, &error)),
            }
        }
        // A running node may have signed another one, and taken tiles of this one away.
        let newer = prove::newest_checkpoint(root, key)?;
        if newer == checkpoint || tries == TRIES || faults.is_empty() {
            return Ok((checkpoint, partial, faults));
        }
        checkpoint = newer;
        tries += 1;
    }
}

/// Holds the levels above the leaves against those below them, and the root against the checkpoint.
pub(crate) fn check(job: &Job, mut rows: Vec<Row>, faults: &mut Faults) {
    rows.sort_unstable_by_key(|row| row.first);
    let mut below: Vec<Option<Hash>> = rows.into_iter().flat_map(|row| row.roots).collect();
    let mut right: Option<Hash> = None;
    let mut is_known = true;
    for level in 0..LEVELS_MAX {
        // What the roots of the level below say must stand in the tiles of this one.
        let mut roots = Vec::new();
        let hashes = tiles::hashes_at(job.size(), level);
        for index in 0..hashes.div_ceil(WIDTH as u64) {
            let Some(tile) = tiles::tile_at(job.size(), level, index) else {
                break;
            };
            if level == 0 && tile.width == WIDTH {
                continue;
            }
            let known = check_tile(job, tile, &below, faults);
            if tile.width == WIDTH {
                roots.push(known.map(|known| tree::root_over(&known)));
                continue;
            }
            match known {
                Some(mut row) => {
                    row.extend(right);
                    right = Some(tree::root_over(&row));
                }
                None => is_known = false,
            }
        }
        if level > 0 {
            below = roots;
        }
    }
    let root = right.unwrap_or_else(|| tree::root_over(&[]));
    if is_known && root != *job.checkpoint.root().as_bytes() {
        let what = "do not have the root that is signed";
        faults.add(Fault::changed("audit/tile".to_owned(), what));
    }
}

/// The hashes of a tile, as the level below says; where that is not known, as the tile says. One that says
/// something else is a fault.
fn check_tile(
    job: &Job,
    tile: Tile,
    below: &[Option<Hash>],
    faults: &mut Faults,
) -> Option<Vec<Hash>> {
    let said = read(job, tile, faults);
    if tile.level == 0 {
        return said;
    }
    let begin = usize::try_from(tile.index).ok()? * WIDTH;
    let below = below.get(begin..begin + tile.width)?;
    if let Some(said) = &said {
        let differs = |(said, known): (&Hash, &Option<Hash>)| known.is_some_and(|k| k != *said);
        if said.iter().zip(below).any(differs) {
            let path = job.folder.tile(tile);
            let what = "does not have the roots of the tiles below it";
            faults.add(Fault::changed(job.name(&path), what));
        }
    }
    let hashes = below.iter().enumerate().map(|(at, known)| {
        let said = said.as_ref().and_then(|said| said.get(at).copied());
        known.or(said)
    });
    hashes.collect()
}
