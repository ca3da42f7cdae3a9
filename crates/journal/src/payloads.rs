//! Reading payloads back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::decision::PayloadRef;
use plimsoll_core::{DecisionId, Timestamp};

use crate::cursor::{Cursor, Step};
use crate::error::JournalError;
use crate::frame::PAYLOAD_MAGIC;
use crate::keys::KeyRing;
use crate::payload_frame;
use crate::payload_index::{self, Entry};
use crate::segment::{FILE_HEADER_BYTES, FileHeader, FileKind, HeaderFound, Layout};
use crate::writer::Shared;

/// A node's clock may have been set back by this much without a payload being overlooked.
const CLOCK_SLACK: Duration = Duration::from_secs(60 * 60);

/// The payloads of a data folder. Reading blocks on files: not for an async task's own thread.
#[derive(Clone, Debug)]
pub struct Payloads {
    layout: Layout,
    keys: Arc<KeyRing>,
    shared: Option<Arc<Shared>>,
}

impl Payloads {
    /// The payloads in the data folder `root`, while another process may write it.
    pub fn open(root: &Path) -> Self {
        let layout = Layout::new(root);
        let keys = Arc::new(KeyRing::new(layout.keys()));
        Self::new(layout, keys, None)
    }

    pub(crate) const fn new(
        layout: Layout,
        keys: Arc<KeyRing>,
        shared: Option<Arc<Shared>>,
    ) -> Self {
        Self {
            layout,
            keys,
            shared,
        }
    }

    /// The payload that the record of decision `id` refers to; `None` if it is no longer kept.
    ///
    /// # Errors
    /// If it is there and was changed, or its key is gone, or a file cannot be read.
    pub fn read(
        &self,
        id: DecisionId,
        reference: &PayloadRef,
    ) -> Result<Option<Vec<u8>>, JournalError> {
        let files = self.layout.payload_files()?;
        let from = self.first_candidate(&files, id.made_at())?;
        for first in files[from..].iter().copied() {
            let path = self.layout.payload(first);
            let found = self.find_in(first, &path, id, reference);
            match found {
                Ok(None) => {}
                Err(JournalError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound => {}
                found => return found,
            }
        }
        Ok(None)
    }

    /// The index of the newest file that was begun before the decision was made: none before it can
    /// hold its payload.
    fn first_candidate(&self, files: &[u64], made_at: Timestamp) -> Result<usize, JournalError> {
        let made_at = made_at.minus(CLOCK_SLACK);
        let (mut low, mut high) = (0, files.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let path = self.layout.payload(files[middle]);
            let begun_before = match FileHeader::read(FileKind::Payloads, &path)? {
                HeaderFound::Whole(header) => header.created_at <= made_at,
                HeaderFound::OtherVersion(_) | HeaderFound::Broken => false,
            };
            if begun_before {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low.saturating_sub(1))
    }

    fn find_in(
        &self,
        first: u64,
        path: &Path,
        id: DecisionId,
        reference: &PayloadRef,
    ) -> Result<Option<Vec<u8>>, JournalError> {
        let offsets = self.offsets(first, path, id)?;
        if offsets.is_empty() {
            return Ok(None);
        }
        let file = File::open(path).map_err(JournalError::io("open", path))?;
        let mut cursor = Cursor::new(file, PAYLOAD_MAGIC, 0);
        let mut changed = false;
        for offset in offsets {
            cursor.seek(offset);
            let step = cursor.step().map_err(JournalError::io("read", path))?;
            let Step::Frame(found) = step else {
                changed = true;
                continue;
            };
            let body = cursor.body(&found);
            if payload_frame::commitment_of(body) == Some(reference.commitment) {
                return payload_frame::open(body, &self.keys, id, reference).map(Some);
            }
        }
        if changed {
            let what = "was changed on disk";
            return Err(JournalError::Payload { decision: id, what });
        }
        Ok(None)
    }

    fn offsets(&self, first: u64, path: &Path, id: DecisionId) -> Result<Vec<u64>, JournalError> {
        let id = id.to_bytes();
        let active = self
            .shared
            .as_ref()
            .and_then(|shared| shared.payloads.offsets(first, id));
        if let Some(offsets) = active {
            return Ok(offsets);
        }
        if let Some(offsets) = offsets_by_index(&self.layout.payload_index(first), id)? {
            return Ok(offsets);
        }
        let (entries, _) = scan(path)?;
        let own = entries.into_iter().filter(|entry| entry.0 == id);
        Ok(own.map(|(_, offset)| offset).collect())
    }
}

/// The offsets by the index file, which is read whole only if the id lies between its first and last.
fn offsets_by_index(path: &Path, id: [u8; 16]) -> Result<Option<Vec<u64>>, JournalError> {
    let read = || -> io::Result<Option<Vec<u64>>> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut ends = [[0_u8; 24]; 2];
        if length >= 48 {
            file.read_exact_at(&mut ends[0], 24)?;
            file.read_exact_at(&mut ends[1], length - 24)?;
            let (lowest, highest) = (&ends[0][..16], &ends[1][..16]);
            if lowest <= highest && (id[..] < *lowest || id[..] > *highest) {
                return Ok(Some(Vec::new()));
            }
        }
        Ok(payload_index::offsets(&std::fs::read(path)?, id))
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map_err(JournalError::io("read", path)),
    }
}

/// All whole frames of a payload file, and where the last of them ends. Broken ones are stepped over.
pub(crate) fn scan(path: &Path) -> Result<(Vec<Entry>, u64), JournalError> {
    let file = File::open(path).map_err(JournalError::io("open", path))?;
    let mut cursor = Cursor::new(file, PAYLOAD_MAGIC, FILE_HEADER_BYTES);
    let mut entries = Vec::new();
    let mut read = || -> io::Result<u64> {
        loop {
            match cursor.step()? {
                Step::Frame(found) => entries.push((found.header.id, found.offset)),
                Step::End => return Ok(cursor.offset()),
                Step::Broken => match cursor.resync(None)? {
                    Some(offset) => cursor.seek(offset),
                    None => return Ok(cursor.offset()),
                },
            }
        }
    };
    let end = read().map_err(JournalError::io("read", path))?;
    Ok((entries, end))
}
