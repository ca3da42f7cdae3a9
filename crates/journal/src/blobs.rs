//! Content-addressed bytes: the parts of releases. A blob is named by its SHA-256 digest, written
//! once, never changed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use plimsoll_core::Digest;

use crate::disk::replace_file;
use crate::error::JournalError;
use crate::segment::create_folder;

/// The folder `blobs/` of a data folder.
#[derive(Clone, Debug)]
pub struct Blobs {
    folder: PathBuf,
}

impl Blobs {
    /// The blobs in the data folder `root`; the folder `blobs/` is made inside it.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(root: &Path) -> Result<Self, JournalError> {
        let folder = Self::folder_in(root);
        create_folder(&folder)?;
        Ok(Self { folder })
    }

    /// Where the blobs of the data folder `root` lie.
    pub(crate) fn folder_in(root: &Path) -> PathBuf {
        root.join("blobs")
    }

    /// Keeps `bytes`; once this returns they survive a crash. Keeping the same bytes again is cheap,
    /// and mends a blob that was changed on disk.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, JournalError> {
        let digest = Digest::of(bytes);
        if matches!(self.get(digest), Ok(Some(_))) {
            return Ok(digest);
        }
        let path = self.path(digest);
        let folder = path.parent().unwrap_or(&self.folder);
        create_folder(folder)?;
        replace_file(&path, bytes, 0o600).map_err(JournalError::io("write", &path))?;
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(JournalError::io("sync", &self.folder))?;
        Ok(digest)
    }

    /// The bytes with this digest, if they are kept.
    ///
    /// # Errors
    /// If they were changed on disk or cannot be read.
    pub fn get(&self, digest: Digest) -> Result<Option<Vec<u8>>, JournalError> {
        let path = self.path(digest);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(JournalError::io("read", &path)(error)),
        };
        if Digest::of(&bytes) == digest {
            Ok(Some(bytes))
        } else {
            Err(JournalError::Blob(digest))
        }
    }

    /// `blobs/<first two digits>/<the other 62>`.
    fn path(&self, digest: Digest) -> PathBuf {
        let text = digest.to_string();
        let (first, rest) = text.split_at(2);
        self.folder.join(first).join(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_found_by_its_digest_and_a_changed_one_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(root.path()).unwrap();
        let digest = blobs.put(b"a model").unwrap();
        assert_eq!(blobs.put(b"a model").unwrap(), digest);
        assert_eq!(blobs.get(digest).unwrap().unwrap(), b"a model");
        assert_eq!(blobs.get(Digest::of(b"another")).unwrap(), None);

        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| blobs.put(b"the same, at once").unwrap());
            }
        });

        fs::write(blobs.path(digest), b"A model").unwrap();
        let error = blobs.get(digest).unwrap_err();
        assert!(matches!(error, JournalError::Blob(changed) if changed == digest));
        blobs.put(b"a model").unwrap();
        assert!(blobs.get(digest).unwrap().is_some(), "mended");
    }
}
