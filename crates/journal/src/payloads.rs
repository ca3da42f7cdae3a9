//! Reading payloads back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use plimsoll_core::decision::PayloadRef;
use plimsoll_core::{DecisionId, Timestamp};

use crate::cursor::{Cursor, Found, Step};
use crate::disk::Disk;
use crate::erase;
use crate::error::JournalError;
use crate::frame::PAYLOAD_MAGIC;
use crate::keys::KeyRing;
use crate::payload_frame::{self, ERASED};
use crate::payload_index::{self, Entry};
use crate::queue::Queue;
use crate::retention;
use crate::segment::{FILE_HEADER_BYTES, FileHeader, FileKind, HeaderFound, Layout};
use crate::writer::Shared;

/// A node's clock may have been set back by this much without a payload being overlooked.
const CLOCK_SLACK: Duration = Duration::from_secs(60 * 60);

/// What became of a payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PayloadFound {
    /// It is kept, and these are the bytes that its record committed to.
    Kept(Vec<u8>),
    /// It was erased by authority.
    Erased,
    /// It was let go because its time was over.
    LetGo,
    /// It is not here, and nothing here says why: another node may have it, or a crash took it before
    /// anybody was told that it is kept.
    NotKept,
}

impl PayloadFound {
    /// The payload, if it is kept.
    pub fn kept(self) -> Option<Vec<u8>> {
        match self {
            Self::Kept(bytes) => Some(bytes),
            Self::Erased | Self::LetGo | Self::NotKept => None,
        }
    }
}

/// The payloads of a data folder. Reading blocks on files: not for an async task's own thread.
#[derive(Clone, Debug)]
pub struct Payloads {
    pub(crate) layout: Layout,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) writing: Option<Writing>,
}

/// What the process that writes the folder has beside the files.
#[derive(Clone, Debug)]
pub(crate) struct Writing {
    pub shared: Arc<Shared>,
    pub queue: Arc<Queue>,
    pub disk: Arc<dyn Disk>,
    /// Held by whoever overwrites or removes files: one at a time.
    pub changing: Arc<Mutex<()>>,
}

impl Payloads {
    /// The payloads in the data folder `root`, while another process may write it.
    pub fn open(root: &Path) -> Self {
        let layout = Layout::new(root);
        let keys = Arc::new(KeyRing::new(layout.keys()));
        Self::new(layout, keys, None)
    }

    pub(crate) const fn new(layout: Layout, keys: Arc<KeyRing>, writing: Option<Writing>) -> Self {
        Self {
            layout,
            keys,
            writing,
        }
    }

    /// What became of the payload that the record of decision `id` refers to.
    ///
    /// # Errors
    /// If it is there and was changed, or its key is gone, or a file cannot be read.
    pub fn read(
        &self,
        id: DecisionId,
        reference: &PayloadRef,
    ) -> Result<PayloadFound, JournalError> {
        let files = self.layout.payload_files()?;
        let from = self.first_candidate(&files, id.made_at())?;
        let mut erased = false;
        for first in files[from..].iter().copied() {
            match self.find_in(first, id, reference) {
                Ok(PayloadFound::Erased) => erased = true,
                Err(JournalError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound => {}
                Ok(PayloadFound::LetGo | PayloadFound::NotKept) => {}
                found => return found,
            }
        }
        if erased {
            return Ok(PayloadFound::Erased);
        }
        let let_go = retention::payloads_let_go_until(&self.layout)?
            .is_some_and(|kept_from| id.made_at() <= kept_from);
        Ok(if let_go {
            PayloadFound::LetGo
        } else {
            PayloadFound::NotKept
        })
    }

    /// The index of the newest file that was begun before the decision was made: none before it can
    /// hold its payload.
    pub(crate) fn first_candidate(
        &self,
        files: &[u64],
        made_at: Timestamp,
    ) -> Result<usize, JournalError> {
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
        id: DecisionId,
        reference: &PayloadRef,
    ) -> Result<PayloadFound, JournalError> {
        let entries = self.entries_of(first, &[id.to_bytes()])?;
        if entries.is_empty() {
            return Ok(PayloadFound::NotKept);
        }
        let path = self.layout.payload(first);
        let file = File::open(&path).map_err(JournalError::io("open", &path))?;
        let mut cursor = Cursor::new(file, PAYLOAD_MAGIC, 0);
        let (mut changed, mut erased) = (false, false);
        for (_, offset) in entries {
            let mut found = self.step_at(&mut cursor, first, offset)?;
            if found.is_none() {
                if erase::is_under_way(&self.layout, first, offset)? {
                    erased = true;
                    continue;
                }
                // The erasure may have ended in between.
                found = self.step_at(&mut cursor, first, offset)?;
            }
            let Some(found) = found else {
                changed = true;
                continue;
            };
            let body = cursor.body(&found);
            if found.header.kind == ERASED {
                erased = true;
            } else if payload_frame::commitment_of(body) == Some(reference.commitment) {
                let payload = payload_frame::open(body, &self.keys, id, reference);
                return payload.map(PayloadFound::Kept);
            }
        }
        if changed {
            let what = "was changed on disk";
            return Err(JournalError::Payload { decision: id, what });
        }
        Ok(if erased {
            PayloadFound::Erased
        } else {
            PayloadFound::NotKept
        })
    }

    /// The frame at `offset`; none if what stands there is not whole.
    fn step_at(
        &self,
        cursor: &mut Cursor,
        first: u64,
        offset: u64,
    ) -> Result<Option<Found>, JournalError> {
        cursor.seek(offset);
        match cursor.step() {
            Ok(Step::Frame(found)) => Ok(Some(found)),
            Ok(Step::Broken | Step::End) => Ok(None),
            Err(error) => Err(JournalError::io("read", &self.layout.payload(first))(error)),
        }
    }

    /// Where in the payload file `first` the payloads of the decisions `wanted` lie, which ascend.
    pub(crate) fn entries_of(
        &self,
        first: u64,
        wanted: &[[u8; 16]],
    ) -> Result<Vec<Entry>, JournalError> {
        let writing = self.writing.as_ref();
        let active = writing.and_then(|writing| writing.shared.payloads.entries_of(first, wanted));
        if let Some(entries) = active {
            return Ok(entries);
        }
        if let Some(entries) = entries_by_index(&self.layout.payload_index(first), wanted)? {
            return Ok(entries);
        }
        let (mut entries, _) = scan(&self.layout.payload(first))?;
        entries.retain(|(id, _)| wanted.binary_search(id).is_ok());
        Ok(entries)
    }

    /// When the earliest decision was made of which the payload file `first` holds a payload.
    pub(crate) fn earliest_decision(&self, first: u64) -> Result<Option<Timestamp>, JournalError> {
        let active = self.active_entries(first);
        let id = match active {
            Some(entries) => entries.first().map(|entry| entry.0),
            None => match first_of_index(&self.layout.payload_index(first))? {
                Some(id) => Some(id),
                None => {
                    let (entries, _) = scan(&self.layout.payload(first))?;
                    entries.into_iter().map(|entry| entry.0).min()
                }
            },
        };
        Ok(id.map(|id| DecisionId::from_bytes(id).made_at()))
    }

    /// All entries of the payload file `first`, if it is the one that is written.
    fn active_entries(&self, first: u64) -> Option<Vec<Entry>> {
        let active = &self.writing.as_ref()?.shared.payloads;
        active.entries_of(first, &[])?;
        Some(active.entries(first).unwrap_or_default())
    }

    /// Where in the payload file `first` the frame behind the one at `offset` begins, or the file ends;
    /// none if more may still be written there.
    pub(crate) fn next_behind(&self, first: u64, offset: u64) -> Result<Option<u64>, JournalError> {
        let path = self.layout.payload(first);
        let (entries, end) = match self.active_entries(first) {
            Some(entries) => (entries, None),
            None => {
                let index = std::fs::read(self.layout.payload_index(first)).ok();
                let entries = index.and_then(|bytes| payload_index::entries(&bytes));
                let length = std::fs::metadata(&path)
                    .map_err(JournalError::io("read", &path))?
                    .len();
                (entries.unwrap_or_default(), Some(length))
            }
        };
        let later = entries
            .into_iter()
            .map(|(_, at)| at)
            .filter(|at| *at > offset);
        Ok(later.min().or(end))
    }
}

/// The entries by the index file, which is read whole only if one of `wanted` may lie between its first
/// and its last.
fn entries_by_index(path: &Path, wanted: &[[u8; 16]]) -> Result<Option<Vec<Entry>>, JournalError> {
    let read = || -> io::Result<Option<Vec<Entry>>> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut ends = [[0_u8; 24]; 2];
        if length >= 48 {
            file.read_exact_at(&mut ends[0], 24)?;
            file.read_exact_at(&mut ends[1], length - 24)?;
            let (lowest, highest) = (&ends[0][..16], &ends[1][..16]);
            let between = |id: &[u8; 16]| id[..] >= *lowest && id[..] <= *highest;
            if lowest <= highest && !wanted.iter().any(between) {
                return Ok(Some(Vec::new()));
            }
        }
        Ok(payload_index::entries_of(&std::fs::read(path)?, wanted))
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map_err(JournalError::io("read", path)),
    }
}

/// The lowest decision of an index file; none if there is no index or nothing in it.
fn first_of_index(path: &Path) -> Result<Option<[u8; 16]>, JournalError> {
    let mut id = [0; 16];
    match File::open(path).and_then(|file| file.read_exact_at(&mut id, 24)) {
        Ok(()) => Ok(Some(id)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(JournalError::io("read", path)(error)),
    }
}

/// All frames of a payload file, and where the last whole one ends. Of broken ones those are told whose
/// headers lead to the next.
pub(crate) fn scan(path: &Path) -> Result<(Vec<Entry>, u64), JournalError> {
    let file = File::open(path).map_err(JournalError::io("open", path))?;
    let mut cursor = Cursor::new(file, PAYLOAD_MAGIC, FILE_HEADER_BYTES);
    let mut entries = Vec::new();
    let mut read = || -> io::Result<u64> {
        loop {
            let begin = cursor.offset();
            match cursor.step()? {
                Step::Frame(found) => entries.push((found.header.id, found.offset)),
                Step::End => return Ok(begin),
                Step::Broken => {
                    let Some(next) = cursor.resync(None)? else {
                        return Ok(begin);
                    };
                    entries.extend(broken_entries(&mut cursor, begin, next)?);
                    cursor.seek(next);
                }
            }
        }
    };
    let end = read().map_err(JournalError::io("read", path))?;
    Ok((entries, end))
}

/// The frames from `begin` to `next`, of which none is whole, as far as their headers lead.
fn broken_entries(cursor: &mut Cursor, begin: u64, next: u64) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut at = begin;
    while at < next {
        cursor.seek(at);
        let Some(header) = cursor.claimed()? else {
            break;
        };
        let end = at + header.frame_bytes() as u64;
        if end > next {
            break;
        }
        entries.push((header.id, at));
        at = end;
    }
    Ok(entries)
}
