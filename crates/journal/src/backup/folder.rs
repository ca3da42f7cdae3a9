//! The folder that a backup is written to. Files are copied whole or made longer, and their digests grow
//! with them: nothing is read twice. Nothing is synced before the end: rounds are to be short.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use plimsoll_core::Digest;
use sha2::{Digest as _, Sha256};

use crate::disk::{Disk as _, RealDisk};
use crate::error::JournalError;
use crate::segment::create_folder;

const PIECE: usize = 1 << 20;

/// A file as far as it was copied.
#[derive(Clone, Default)]
struct Copied {
    length: u64,
    hash: Sha256,
}

/// A folder in the making.
pub(super) struct Target<'a> {
    root: PathBuf,
    files: BTreeMap<String, Copied>,
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64),
}

/// Makes sure that `folder` is there, readable by its owner alone, and empty.
pub(super) fn make_empty(folder: &Path) -> Result<(), JournalError> {
    create_folder(folder)?;
    let mut entries = fs::read_dir(folder).map_err(JournalError::io("list", folder))?;
    if entries.next().is_some() {
        let path = folder.to_owned();
        return Err(JournalError::NotEmpty { path });
    }
    Ok(())
}

impl<'a> Target<'a> {
    /// Begins in the folder `root`, which is empty or not there; `total` bytes are expected.
    pub(super) fn begin(
        root: &Path,
        total: u64,
        progress: &'a mut dyn FnMut(u64, u64),
    ) -> Result<Self, JournalError> {
        make_empty(root)?;
        Ok(Self {
            root: root.to_owned(),
            files: BTreeMap::new(),
            done: 0,
            total,
            progress,
        })
    }

    /// Where the file `name` lies.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// How many bytes of the file `name` there are.
    pub(super) fn length(&self, name: &str) -> u64 {
        self.files.get(name).map_or(0, |copied| copied.length)
    }

    /// Whether there is a file `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    pub(super) fn files(&self) -> u64 {
        self.files.len() as u64
    }

    pub(super) fn bytes(&self) -> u64 {
        self.files.values().map(|copied| copied.length).sum()
    }

    /// Copies a file whole, in place of a copy that there may be; false if it is not there.
    pub(super) fn copy(&mut self, name: &str, from: &Path) -> Result<bool, JournalError> {
        let opened = File::open(from).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (length, file) = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened.map_err(JournalError::io("open", from))?,
        };
        self.forget(name)?;
        self.extend(name, (&file, from), length)?;
        Ok(true)
    }

    /// Writes a file of these bytes.
    pub(super) fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), JournalError> {
        self.forget(name)?;
        let file = self.open(name)?;
        let mut copied = Copied::default();
        let path = self.path(name);
        self.append(&mut copied, (&file, &path), bytes)?;
        self.files.insert(name.to_owned(), copied);
        Ok(())
    }

    /// Makes the copy of a file longer, until it has `end` bytes.
    pub(super) fn extend(
        &mut self,
        name: &str,
        (from, from_path): (&File, &Path),
        end: u64,
    ) -> Result<(), JournalError> {
        let mut copied = self.files.get(name).cloned().unwrap_or_default();
        let (file, path) = (self.open(name)?, self.path(name));
        let mut piece = vec![0; PIECE.min(usize::try_from(end).unwrap_or(PIECE))];
        while copied.length < end {
            let left = usize::try_from(end - copied.length).unwrap_or(PIECE);
            let wanted = left.min(PIECE);
            let piece = &mut piece[..wanted];
            from.read_exact_at(piece, copied.length)
                .map_err(JournalError::io("read", from_path))?;
            self.append(&mut copied, (&file, &path), piece)?;
        }
        self.files.insert(name.to_owned(), copied);
        Ok(())
    }

    fn append(
        &mut self,
        copied: &mut Copied,
        (file, path): (&File, &Path),
        bytes: &[u8],
    ) -> Result<(), JournalError> {
        file.write_all_at(bytes, copied.length)
            .map_err(JournalError::io("write", path))?;
        copied.hash.update(bytes);
        copied.length += bytes.len() as u64;
        self.done += bytes.len() as u64;
        // Files grow while they are copied.
        self.total = self.total.max(self.done);
        (self.progress)(self.done, self.total);
        Ok(())
    }

    fn open(&self, name: &str) -> Result<File, JournalError> {
        let path = self.path(name);
        create_folder(path.parent().unwrap_or(&self.root))?;
        fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(JournalError::io("create", &path))
    }

    /// Removes a copy.
    pub(super) fn forget(&mut self, name: &str) -> Result<(), JournalError> {
        if self.files.remove(name).is_some() {
            let path = self.path(name);
            fs::remove_file(&path).map_err(JournalError::io("remove", &path))?;
        }
        Ok(())
    }

    /// Removes the copies whose names `is_kept` does not want.
    pub(super) fn keep_only(&mut self, is_kept: impl Fn(&str) -> bool) -> Result<(), JournalError> {
        let names: Vec<_> = self.files.keys().cloned().collect();
        for name in names.iter().filter(|name| !is_kept(name)) {
            self.forget(name)?;
        }
        Ok(())
    }

    /// Makes all files survive a crash; their digests.
    pub(super) fn finish(self) -> Result<BTreeMap<String, Digest>, JournalError> {
        for name in self.files.keys() {
            let path = self.path(name);
            File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(JournalError::io("sync", &path))?;
        }
        sync_folders(&self.root, self.files.keys().map(String::as_str))?;
        let digest = |copied: Copied| Digest::from_bytes(copied.hash.finalize().into());
        let files = self.files.into_iter();
        Ok(files.map(|(name, copied)| (name, digest(copied))).collect())
    }
}

/// Syncs the folders in which the files `names` lie below `root`, and that itself.
pub(super) fn sync_folders<'n>(
    root: &Path,
    names: impl Iterator<Item = &'n str>,
) -> Result<(), JournalError> {
    let above = names.flat_map(|name| Path::new(name).ancestors().skip(1));
    let folders: BTreeSet<&Path> = above.collect();
    let own = folders.into_iter().map(|folder| root.join(folder));
    let holder = root.parent().filter(|above| above.is_dir());
    for folder in own
        .chain([root.to_owned()])
        .chain(holder.map(Path::to_owned))
    {
        RealDisk
            .sync_folder(&folder)
            .map_err(JournalError::io("sync", &folder))?;
    }
    Ok(())
}
