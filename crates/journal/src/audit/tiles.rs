//! Tiles: the hashes of a tree in files of 256 (c2sp.org/tlog-tiles, height 8).

use std::collections::HashMap;
use std::fs;
use std::io;

use super::error::AuditError;
use super::folder::Folder;
use super::tree::{self, Hash, Nodes};

/// The height of a tile: a level above holds one hash for 2^8 of the level below.
const HEIGHT: u32 = 8;
/// How many hashes a full tile has.
pub(crate) const WIDTH: usize = 1 << HEIGHT;
/// The bytes of a hash.
pub(crate) const HASH_BYTES: usize = 32;
/// More levels no tree has: 2^64 leaves are eight.
pub(crate) const LEVELS_MAX: u32 = 8;

/// Names a tile: of which level, which one, and how many hashes it has, from 1 to 256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Tile {
    /// The level; 0 holds leaves.
    pub level: u32,
    /// The number within the level.
    pub index: u64,
    /// The number of hashes.
    pub width: usize,
}

/// The full tile with this number.
pub(crate) const fn full(level: u32, index: u64) -> Tile {
    Tile {
        level,
        index,
        width: WIDTH,
    }
}

impl Tile {
    /// `tile/<level>/<index>` in groups of three digits, with `.p/<width>` behind it unless it is full.
    pub(crate) fn path(self) -> String {
        let mut index = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            index = format!("x{:03}/{index}", rest % 1000);
            rest /= 1000;
        }
        let level = self.level;
        match self.width {
            WIDTH => format!("tile/{level}/{index}"),
            width => format!("tile/{level}/{index}.p/{width}"),
        }
    }
}

/// How many hashes the tree of `size` leaves has at `level`.
pub(crate) const fn hashes_at(size: u64, level: u32) -> u64 {
    if level >= LEVELS_MAX {
        return 0;
    }
    size >> (HEIGHT * level)
}

/// The tile with this number in the tree of `size` leaves; `None` if the tree has none there.
pub(crate) fn tile_at(size: u64, level: u32, index: u64) -> Option<Tile> {
    let before = index.checked_mul(WIDTH as u64)?;
    let width = hashes_at(size, level)
        .checked_sub(before)?
        .min(WIDTH as u64);
    let width = usize::try_from(width).ok().filter(|width| *width > 0)?;
    Some(Tile {
        level,
        index,
        width,
    })
}

/// The partial tiles of the tree of `size` leaves, from level 0 upwards.
pub(crate) fn partial_tiles(size: u64) -> impl Iterator<Item = Tile> {
    (0..LEVELS_MAX).filter_map(move |level| {
        let index = hashes_at(size, level) / WIDTH as u64;
        tile_at(size, level, index)
    })
}

/// The bytes of a tile with these hashes.
pub(crate) fn to_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.concat()
}

/// Reads a tile.
pub(crate) fn read(folder: &Folder, tile: Tile) -> Result<Vec<Hash>, AuditError> {
    let path = folder.tile(tile);
    let what = match fs::read(&path) {
        Ok(bytes) if bytes.len() == tile.width * HASH_BYTES => {
            return Ok(bytes.as_chunks().0.to_vec());
        }
        Ok(_) => "does not have its length",
        Err(error) if error.kind() == io::ErrorKind::NotFound => "is missing",
        Err(error) => return Err(AuditError::io("read", &path)(error)),
    };
    Err(AuditError::Tile { path, what })
}

/// The partial tiles of a tree with their hashes, by level and number.
pub(crate) type Partial = HashMap<(u32, u64), Vec<Hash>>;

/// The nodes of the tree of `size` leaves, read from its tiles, which are kept in memory once read.
#[derive(Debug)]
pub(crate) struct TileNodes<'a> {
    folder: &'a Folder,
    size: u64,
    read: Partial,
}

impl<'a> TileNodes<'a> {
    pub(crate) fn new(folder: &'a Folder, size: u64) -> Self {
        Self::with(folder, size, Partial::new())
    }

    /// As [`TileNodes::new`], with tiles that were read before.
    pub(crate) const fn with(folder: &'a Folder, size: u64, read: Partial) -> Self {
        Self { folder, size, read }
    }

    fn tile(&mut self, level: u32, index: u64) -> Result<&[Hash], AuditError> {
        let hashes = match self.read.entry((level, index)) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let tile = tile_at(self.size, level, index).expect("it is a part of the tree");
                entry.insert(read(self.folder, tile)?)
            }
        };
        Ok(hashes)
    }

    /// The hash of the leaf `index`, which is in the tree.
    pub(crate) fn leaf(&mut self, index: u64) -> Result<Hash, AuditError> {
        self.node(0, index)
    }
}

impl Nodes for TileNodes<'_> {
    type Error = AuditError;

    fn node(&mut self, height: u32, index: u64) -> Result<Hash, AuditError> {
        let (level, within) = (height / HEIGHT, height % HEIGHT);
        let first = index << within;
        let tile = self.tile(level, first / WIDTH as u64)?;
        let begin = usize::try_from(first % WIDTH as u64).expect("less than 256");
        Ok(tree::root_over(&tile[begin..begin + (1 << within)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(level: u32, index: u64, width: usize) -> String {
        let tile = Tile {
            level,
            index,
            width,
        };
        tile.path()
    }

    #[test]
    fn a_tile_lies_where_c2sp_says() {
        assert_eq!(path(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(1, 5, 256), "tile/1/005");
        assert_eq!(path(0, 273, 112), "tile/0/273.p/112");
        assert_eq!(path(2, 1000, 1), "tile/2/x001/000.p/1");
        assert_eq!(path(0, 1_000_000, 256), "tile/0/x001/x000/000");
    }

    #[test]
    fn the_tree_of_70000_leaves_has_the_tiles_of_the_specification() {
        assert_eq!(tile_at(70_000, 0, 272).unwrap().width, 256);
        let partial: Vec<_> = partial_tiles(70_000).map(Tile::path).collect();
        assert_eq!(
            partial,
            ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]
        );
        let partial: Vec<_> = partial_tiles(256).map(Tile::path).collect();
        assert_eq!(partial, ["tile/1/000.p/1"]);
        assert_eq!(partial_tiles(0).count(), 0);
        assert_eq!(tile_at(256, 0, 1), None);
    }
}
