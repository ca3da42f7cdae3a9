//! Where the files of an audit log lie.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use plimsoll_core::Timestamp;

use super::error::AuditError;
use super::tiles::Tile;

/// The folder `audit/` of a data folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// That of the data folder `root`.
    pub(crate) fn new(root: &Path) -> Self {
        Self(root.join("audit"))
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.0.join("key")
    }

    pub(crate) fn verifier_key(&self) -> PathBuf {
        self.0.join("log.vkey")
    }

    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint")
    }

    pub(crate) fn history(&self) -> PathBuf {
        self.0.join("history")
    }

    pub(crate) fn tiles(&self) -> PathBuf {
        self.0.join("tile")
    }

    pub(crate) fn tile(&self, tile: Tile) -> PathBuf {
        self.0.join(tile.path())
    }

    /// Where the last checkpoint of the hour of `at` is kept.
    pub(crate) fn history_of(&self, at: Timestamp) -> PathBuf {
        self.history().join(history_name(at))
    }
}

/// `2026-03-14T09.checkpoint`.
pub(crate) fn history_name(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{}.checkpoint", text.get(..13).unwrap_or(&text))
}

/// The text of a file; `None` if there is none. Bytes that are no text are replaced: no text that is
/// signed or named by a checksum stays the same.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>, AuditError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(AuditError::io("read", path)(error)),
    }
}
