//! One process writes a journal: an advisory lock on `journal/lock`, which the kernel releases when
//! the process ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::error::JournalError;

/// Holds the lock until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, and writes this process's id into it for others to read.
    pub(crate) fn take(path: &Path) -> Result<Self, JournalError> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(JournalError::io("open", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = fs::read_to_string(path).ok();
                return Err(JournalError::Locked {
                    path: path.parent().unwrap_or(path).to_owned(),
                    pid: pid.and_then(|pid| pid.trim().parse().ok()),
                });
            }
            Err(TryLockError::Error(error)) => return Err(JournalError::io("lock", path)(error)),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(JournalError::io("write", path))?;
        Ok(Self { _file: file })
    }
}

/// Whether a process writes the journal with this lock, as far as can be told. The lock is shared for the
/// blink of an eye to find out.
pub(crate) fn is_held(path: &Path) -> bool {
    let lock = File::open(path).map(|file| file.try_lock_shared());
    matches!(lock, Ok(Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_told_who_holds_the_journal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Lock::take(&path).unwrap();
        let error = Lock::take(&path).unwrap_err();
        let own = std::process::id();
        assert!(matches!(error, JournalError::Locked { pid: Some(pid), .. } if pid == own));
        assert!(is_held(&path));
        drop(held);
        assert!(!is_held(&path));
        Lock::take(&path).unwrap();
    }
}
