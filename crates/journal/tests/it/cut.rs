//! A disk whose power can be cut after any number of operations, in the middle of a write too; what was
//! not synced then may be there or not.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use plimsoll_journal::{Disk, DiskFile, RealDisk};

use crate::support::IO_ERROR;

/// What of the operations that were not synced a power cut takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loss {
    /// None of them.
    Nothing,
    /// All of them.
    Everything,
    /// Of each write its second half.
    Halves,
    /// Every other one.
    EveryOther,
}

impl Loss {
    pub(crate) const ALL: [Self; 4] = [
        Self::Nothing,
        Self::Everything,
        Self::Halves,
        Self::EveryOther,
    ];
}

/// How to take an operation back.
#[derive(Debug)]
enum Undo {
    Written { offset: u64, before: Vec<u8> },
    Removed { content: Vec<u8> },
}

#[derive(Debug, Default)]
struct Power {
    left: Option<u64>,
    unsynced: Vec<(PathBuf, Undo)>,
}

/// The real disk, until its power is cut.
#[derive(Clone, Debug, Default)]
pub(crate) struct CutDisk(Arc<Mutex<Power>>);

#[derive(Debug)]
struct CutFile {
    inner: Box<dyn DiskFile>,
    path: PathBuf,
    disk: CutDisk,
}

fn dead() -> io::Error {
    io::Error::from_raw_os_error(IO_ERROR)
}

impl CutDisk {
    /// Cuts the power after this many operations more.
    pub(crate) fn cut_after(&self, operations: u64) {
        self.0.lock().left = Some(operations);
    }

    /// Whether the power is cut.
    pub(crate) fn is_dead(&self) -> bool {
        self.0.lock().left == Some(0)
    }

    /// Takes back what was not synced.
    pub(crate) fn lose(&self, loss: Loss) {
        let mut power = self.0.lock();
        for (number, (path, undo)) in power.unsynced.drain(..).enumerate().rev() {
            let taken = match loss {
                Loss::Nothing => false,
                Loss::Everything | Loss::Halves => true,
                Loss::EveryOther => number % 2 == 0,
            };
            match undo {
                Undo::Written { offset, before } if taken => {
                    let from = if loss == Loss::Halves {
                        before.len() / 2
                    } else {
                        0
                    };
                    let file = File::options().write(true).open(&path).unwrap();
                    file.write_all_at(&before[from..], offset + from as u64)
                        .unwrap();
                }
                Undo::Removed { content } if taken => fs::write(&path, content).unwrap(),
                Undo::Written { .. } | Undo::Removed { .. } => {}
            }
        }
    }

    /// Counts an operation; false for the one in whose middle the power goes.
    fn operate(&self) -> io::Result<bool> {
        match &mut self.0.lock().left {
            None => Ok(true),
            Some(0) => Err(dead()),
            Some(left) => {
                *left -= 1;
                Ok(*left > 0)
            }
        }
    }

    /// For operations that are done wholly or not at all.
    fn whole(&self) -> io::Result<()> {
        if self.operate()? { Ok(()) } else { Err(dead()) }
    }

    fn note(&self, path: &Path, undo: Undo) {
        self.0.lock().unsynced.push((path.to_owned(), undo));
    }

    fn wrap(&self, path: &Path, inner: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let (path, disk) = (path.to_owned(), self.clone());
        Box::new(CutFile { inner, path, disk })
    }
}

impl Disk for CutDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.whole()?;
        Ok(self.wrap(path, RealDisk.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.whole()?;
        Ok(self.wrap(path, RealDisk.open(path)?))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.whole()?;
        RealDisk.replace(path, bytes)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.whole()?;
        if let Ok(content) = fs::read(path) {
            self.note(path, Undo::Removed { content });
        }
        RealDisk.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.whole()?;
        RealDisk.sync_folder(folder)?;
        self.0.lock().unsynced.retain(|(path, undo)| {
            path.parent() != Some(folder) || matches!(undo, Undo::Written { .. })
        });
        Ok(())
    }
}

impl DiskFile for CutFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let whole = self.disk.operate()?;
        let written = if whole {
            bytes
        } else {
            &bytes[..bytes.len() / 2]
        };
        let mut before = vec![0; written.len()];
        let file = File::open(&self.path)?;
        let there = file.read_at(&mut before, offset)?;
        before.truncate(there);
        self.disk.note(&self.path, Undo::Written { offset, before });
        self.inner.write_at(written, offset)?;
        if whole { Ok(()) } else { Err(dead()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.whole()?;
        self.inner.sync()?;
        let mut power = self.disk.0.lock();
        let own =
            |path: &Path, undo: &Undo| path == self.path && matches!(undo, Undo::Written { .. });
        power.unsynced.retain(|(path, undo)| !own(path, undo));
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.disk.whole()?;
        self.inner.truncate(length)
    }
}
