//! Copies the journal and the payloads, in rounds, until nothing was overwritten or let go meanwhile.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use crate::cursor::{Cursor, Step};
use crate::error::JournalError;
use crate::frame::PAYLOAD_MAGIC;
use crate::payload_frame::ERASED;
use crate::payloads;
use crate::retention::{self, Kept};
use crate::scan::{Event, Scan};
use crate::segment::{FILE_HEADER_BYTES, FileHeader, FileKind, HeaderFound, Layout};

use super::folder::Target;

/// After so many rounds the folder changes faster than it can be copied.
const ROUNDS_MAX: usize = 100;
/// So often bytes are read again that are just being written.
const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// What was copied.
#[derive(Debug)]
pub(super) struct Records {
    /// Whose journal it is; none if there is no segment.
    pub node: Option<String>,
    /// The records that were copied, by sequence.
    pub range: Range<u64>,
}

/// The work of one backup.
struct Copying<'a, 'b> {
    layout: &'a Layout,
    target: &'a mut Target<'b>,
    /// What is kept, as it was published when this round began.
    kept: Kept,
    /// Whether this round saw an erased payload whose erasure may not be copied yet.
    saw_erased: bool,
    /// The sequence after the last record that was copied.
    end: u64,
}

/// Copies the journal and the payloads in `layout`.
pub(super) fn copy(layout: &Layout, target: &mut Target<'_>) -> Result<Records, JournalError> {
    let mut copying = Copying {
        layout,
        target,
        kept: Kept::default(),
        saw_erased: false,
        end: 0,
    };
    for _ in 0..ROUNDS_MAX {
        let minimum = read(&layout.minimum())?;
        copying.kept = retention::published(layout)?;
        copying.saw_erased = false;
        let round = copying.round();
        if read(&layout.minimum())? != minimum {
            // What went meanwhile may have been missed, and then it is no error.
            continue;
        }
        let segments = round?;
        if !copying.saw_erased {
            return copying.finish(&segments, minimum.as_deref());
        }
    }
    let what = "changes faster than it can be copied: try again when less is erased";
    Err(JournalError::backup(&layout.payloads, what))
}

impl Copying<'_, '_> {
    /// Brings the copy up to date: first records, then payloads. The segments that were copied.
    fn round(&mut self) -> Result<Vec<u64>, JournalError> {
        let mut segments = self.layout.segments()?;
        segments.retain(|first| *first >= self.kept.minimum);
        if let Some(last) = segments.last().copied()
            && is_half_begun(&self.layout.segment(last))?
        {
            segments.pop();
        }
        let Some((last, ended)) = segments.split_last() else {
            return Ok(segments);
        };
        for first in ended {
            self.ended(&file_names::segment(*first), &self.layout.segment(*first))?;
            self.beside(&file_names::index(*first), &self.layout.index(*first))?;
        }
        self.last_segment(*last)?;
        for first in &segments {
            let is_there = self.layout.payload(*first).exists();
            if *first < self.kept.payload_minimum || !is_there {
                continue;
            }
            self.payloads(*first, first == last)?;
        }
        Ok(segments)
    }

    /// Copies a file to which nothing is added any more.
    fn ended(&mut self, name: &str, path: &Path) -> Result<(), JournalError> {
        let (file, length) = open(path)?;
        if self.target.length(name) < length {
            self.target.extend(name, (&file, path), length)?;
        }
        Ok(())
    }

    /// Copies an index, which is never changed; it can be made again if it is not there.
    fn beside(&mut self, name: &str, path: &Path) -> Result<(), JournalError> {
        if !self.target.has(name) {
            self.target.copy(name, path)?;
        }
        Ok(())
    }

    /// Copies the segment that is written, as far as its records are whole.
    fn last_segment(&mut self, first: u64) -> Result<(), JournalError> {
        let path = self.layout.segment(first);
        let (file, _) = open(&path)?;
        let mut scan = Scan::new(file, first);
        let mut next = || scan.event().map_err(JournalError::io("read", &path));
        while matches!(next()?, Event::Record(..) | Event::Damage(_)) {}
        self.end = scan.sequence();
        let (file, _) = open(&path)?;
        let name = file_names::segment(first);
        self.target.extend(&name, (&file, &path), scan.offset())
    }

    /// Copies a payload file, of the segment that is written as far as it is whole, and looks at what was
    /// copied: a frame that was being overwritten is copied again.
    fn payloads(&mut self, first: u64, is_last: bool) -> Result<(), JournalError> {
        let (name, path) = (file_names::payloads(first), self.layout.payload(first));
        let before = self.target.length(&name);
        for attempt in 1..=TRIES {
            let is_patient = attempt < TRIES;
            if is_last {
                let (file, length) = open(&path)?;
                if length <= FILE_HEADER_BYTES {
                    return Ok(());
                }
                let (end, is_broken) = whole_end(&path, &file)?;
                if is_broken && is_patient {
                    std::thread::sleep(PAUSE);
                    continue;
                }
                self.target.extend(&name, (&file, &path), end)?;
            } else {
                self.ended(&name, &path)?;
                let index = self.layout.payload_index(first);
                self.beside(&file_names::payload_index(first), &index)?;
            }
            let copied = look_at(&self.target.path(&name), before)?;
            self.saw_erased |= copied.has_erased;
            if !copied.is_broken {
                return Ok(());
            }
            if is_patient {
                std::thread::sleep(PAUSE);
            }
            if !look_at(&path, before)?.is_broken {
                // It was being overwritten, and now it is.
                self.target.forget(&name)?;
            }
        }
        // It stays as it is: it was damaged, and so is the copy.
        Ok(())
    }

    /// Removes what went while it was copied, and adds what says from where on there is everything.
    fn finish(self, segments: &[u64], minimum: Option<&[u8]>) -> Result<Records, JournalError> {
        let kept = self.kept;
        self.target
            .keep_only(|name| match file_names::number(name) {
                Some((number, true)) => number >= kept.payload_minimum,
                Some((number, false)) => number >= kept.minimum,
                None => true,
            })?;
        if let Some(minimum) = minimum {
            self.target.put("journal/minimum", minimum)?;
        }
        if let Some(erasing) = read(&self.layout.erasing())?
            && !crate::lock::is_held(&self.layout.lock())
        {
            // A node died while it erased: the next start ends it, of the copy too.
            self.target.put("payloads/erasing", &erasing)?;
        }
        let node = match segments.first() {
            Some(first) => node_of(&self.layout.segment(*first))?,
            None => None,
        };
        let begin = segments.first().copied().unwrap_or(kept.minimum);
        Ok(Records {
            node,
            range: begin..self.end.max(begin),
        })
    }
}

/// What was seen in a copy.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    has_erased: bool,
    is_broken: bool,
}

/// Looks at a payload file from `before` on.
fn look_at(path: &Path, before: u64) -> Result<Look, JournalError> {
    let mut look = Look::default();
    let (file, _) = open(path)?;
    let mut cursor = Cursor::new(file, PAYLOAD_MAGIC, before.max(FILE_HEADER_BYTES));
    let mut read = || -> io::Result<()> {
        loop {
            match cursor.step()? {
                Step::Frame(found) => look.has_erased |= found.header.kind == ERASED,
                Step::End => return Ok(()),
                Step::Broken => match cursor.resync(None)? {
                    Some(next) => {
                        look.is_broken = true;
                        cursor.seek(next);
                    }
                    None => {
                        look.is_broken |= cursor.rest()? > 0;
                        return Ok(());
                    }
                },
            }
        }
    };
    read().map_err(JournalError::io("read", path))?;
    Ok(look)
}

/// Where the whole frames of a payload file end, and whether anything but zeros stands behind them.
fn whole_end(path: &Path, file: &File) -> Result<(u64, bool), JournalError> {
    let (_, end) = payloads::scan(path)?;
    let rest = file
        .try_clone()
        .and_then(|file| Cursor::new(file, PAYLOAD_MAGIC, end).rest())
        .map_err(JournalError::io("read", path))?;
    Ok((end, rest > 0))
}

/// Whether a segment was begun and nothing was written to it, not even its header.
fn is_half_begun(path: &Path) -> Result<bool, JournalError> {
    let (_, length) = open(path)?;
    let header = FileHeader::read(FileKind::Segment, path)?;
    Ok(header == HeaderFound::Broken && length <= FILE_HEADER_BYTES)
}

fn node_of(path: &Path) -> Result<Option<String>, JournalError> {
    match FileHeader::read(FileKind::Segment, path)? {
        HeaderFound::Whole(header) => Ok(Some(header.node)),
        HeaderFound::OtherVersion(_) | HeaderFound::Broken => Ok(None),
    }
}

fn open(path: &Path) -> Result<(File, u64), JournalError> {
    File::open(path)
        .and_then(|file| {
            let length = file.metadata()?.len();
            Ok((file, length))
        })
        .map_err(JournalError::io("open", path))
}

/// The bytes of a small file; none if it is not there.
fn read(path: &Path) -> Result<Option<Vec<u8>>, JournalError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(JournalError::io("read", path)(error)),
    }
}

/// What the files are called within a data folder.
mod file_names {
    pub(super) fn segment(first: u64) -> String {
        format!("journal/{first:020}.seg")
    }

    pub(super) fn index(first: u64) -> String {
        format!("journal/{first:020}.idx")
    }

    pub(super) fn payloads(first: u64) -> String {
        format!("payloads/{first:020}.pay")
    }

    pub(super) fn payload_index(first: u64) -> String {
        format!("payloads/{first:020}.pix")
    }

    /// The number of a file, and whether it is one of payloads; none if it has no number.
    pub(super) fn number(name: &str) -> Option<(u64, bool)> {
        let (folder, file) = name.split_once('/')?;
        let number = file.split_once('.')?.0.parse().ok()?;
        match folder {
            "journal" => Some((number, false)),
            "payloads" => Some((number, true)),
            _ => None,
        }
    }
}
