//! The right edge of a growing tree: the hashes of its partial tiles. With them alone leaves are added and
//! the root is known.

use super::error::AuditError;
use super::folder::Folder;
use super::tiles::{self, LEVELS_MAX, Tile, WIDTH};
use super::tree::{self, Hash};

/// The partial tiles of a tree, from level 0 upwards.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge {
    size: u64,
    levels: [Vec<Hash>; LEVELS_MAX as usize],
}

impl Edge {
    /// The edge of the tree of `size` leaves whose tiles are in `folder`.
    pub(crate) fn read(folder: &Folder, size: u64) -> Result<Self, AuditError> {
        let mut edge = Self {
            size,
            ..Self::default()
        };
        for tile in tiles::partial_tiles(size) {
            edge.levels[tile.level as usize] = tiles::read(folder, tile)?;
        }
        Ok(edge)
    }

    /// How many leaves the tree has.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf, and hands every tile that becomes full to `keep`. If that fails, nothing was added, and
    /// the same tiles are handed over the next time.
    pub(crate) fn push<E>(
        &mut self,
        leaf: Hash,
        keep: &mut impl FnMut(Tile, &[Hash]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut hash = leaf;
        let full = self.levels.iter().take_while(|row| row.len() == WIDTH - 1);
        let full = full.count();
        for level in 0..full {
            let row = &mut self.levels[level];
            row.push(hash);
            let level = level as u32;
            let index = tiles::hashes_at(self.size, level) / WIDTH as u64;
            let kept = keep(tiles::full(level, index), row);
            hash = tree::root_over(row);
            row.pop();
            kept?;
        }
        for row in &mut self.levels[..full] {
            row.clear();
        }
        self.levels[full].push(hash);
        self.size += 1;
        Ok(())
    }

    /// The root of the tree.
    pub(crate) fn root(&self) -> Hash {
        let mut right: Option<Hash> = None;
        for row in &self.levels {
            if row.is_empty() {
                continue;
            }
            let with_right: Vec<Hash> = row.iter().copied().chain(right).collect();
            right = Some(tree::root_over(&with_right));
        }
        right.unwrap_or_else(|| tree::root_over(&[]))
    }

    /// The partial tiles with their hashes.
    pub(crate) fn partial_tiles(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        tiles::partial_tiles(self.size)
            .map(|tile| (tile, self.levels[tile.level as usize].as_slice()))
    }
}
