//! Puts tiles on disk, so that all of them are there before the checkpoint that counts on them is.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::AuditError;
use super::folder::Folder;
use super::tiles::{self, Tile};
use super::tree::Hash;
use crate::disk::{Disk, DiskFile};

/// So many tiles are written before they are synced, one after the other.
const OPEN_MAX: usize = 64;

/// Writes tiles. What was written is on disk after [`TileWriter::sync`].
#[derive(Debug)]
pub(crate) struct TileWriter {
    disk: Arc<dyn Disk>,
    folder: Folder,
    /// What is written and not yet synced.
    files: Vec<(PathBuf, Box<dyn DiskFile>)>,
    /// Folders with new names in them.
    folders: BTreeSet<PathBuf>,
}

impl TileWriter {
    pub(crate) fn new(disk: Arc<dyn Disk>, folder: Folder) -> Self {
        Self {
            disk,
            folder,
            files: Vec::new(),
            folders: BTreeSet::new(),
        }
    }

    /// Writes a tile.
    pub(crate) fn write(&mut self, tile: Tile, hashes: &[Hash]) -> Result<(), AuditError> {
        let path = self.folder.tile(tile);
        let holder = path.parent().unwrap_or(&path).to_owned();
        if !self.folders.contains(&holder) {
            create_folder(&holder)?;
            // Those above may hold new names too, of this try or of one that failed.
            let above = holder.ancestors().skip(1);
            let own = above.take_while(|above| above.starts_with(self.folder.path()));
            self.folders.extend(own.map(Path::to_owned));
            self.folders.insert(holder);
        }
        let write = || -> io::Result<Box<dyn DiskFile>> {
            let mut file = self.disk.create(&path)?;
            file.write_at(&tiles::to_bytes(hashes), 0)?;
            Ok(file)
        };
        let file = write().map_err(AuditError::io("write", &path))?;
        self.files.push((path, file));
        if self.files.len() >= OPEN_MAX {
            self.sync_files()?;
        }
        Ok(())
    }

    fn sync_files(&mut self) -> Result<(), AuditError> {
        for (path, file) in &mut self.files {
            file.sync().map_err(AuditError::io("sync", path))?;
        }
        self.files.clear();
        Ok(())
    }

    /// Waits until everything that was written is on disk.
    pub(crate) fn sync(&mut self) -> Result<(), AuditError> {
        self.sync_files()?;
        for folder in &self.folders {
            self.disk
                .sync_folder(folder)
                .map_err(AuditError::io("sync", folder))?;
        }
        self.folders.clear();
        Ok(())
    }
}

/// Makes a folder and those above it, readable by their owner alone.
pub(crate) fn create_folder(path: &Path) -> Result<(), AuditError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(AuditError::io("create", path))
}
