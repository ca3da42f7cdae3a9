//! Reading the journal in order, while it is written.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use plimsoll_core::Record;

use crate::cursor::Found;
use crate::error::{Damage, JournalError};
use crate::queue::Queue;
use crate::scan::{Event, Scan};
use crate::segment::{FORMAT_VERSION, FileHeader, FileKind, HeaderFound, Layout};

/// An iterator over `(sequence, record)`. `None` means that there is nothing more for now: ask again
/// later, which costs one atomic load while nothing new is committed.
///
/// After [`JournalError::Damaged`] and [`JournalError::Record`] it goes on behind what it could not
/// read; after any other error the same place is tried again.
#[derive(Debug)]
pub struct Reader {
    layout: Layout,
    limit: Option<Arc<Queue>>,
    position: u64,
    scan: Option<Scan>,
}

impl Reader {
    /// Reads the journal of the data folder `root` from sequence `from` on, while another process may
    /// write it. It then also sees records that are written and not yet synced: for people and
    /// exports, not for a projection, which takes [`crate::Journal::reader`].
    ///
    /// If `from` is no longer kept, it begins with what is.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn open(root: &Path, from: u64) -> Result<Self, JournalError> {
        let layout = Layout::new(root);
        layout.segments()?;
        Ok(Self::new(layout, None, from))
    }

    pub(crate) const fn new(layout: Layout, limit: Option<Arc<Queue>>, from: u64) -> Self {
        Self {
            layout,
            limit,
            position: from,
            scan: None,
        }
    }

    /// The sequence that is read next, or is no longer kept.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// The next record's sequence and body, unread; `None` and errors as those of the iterator.
    pub(crate) fn next_body(&mut self) -> Result<Option<(u64, &[u8])>, JournalError> {
        let Some((sequence, found)) = self.advance()? else {
            return Ok(None);
        };
        let scan = self.scan.as_ref();
        Ok(scan.map(|scan| (sequence, scan.body(&found))))
    }

    fn advance(&mut self) -> Result<Option<(u64, Found)>, JournalError> {
        loop {
            if self
                .limit
                .as_ref()
                .is_some_and(|queue| self.position >= queue.committed())
            {
                return Ok(None);
            }
            let Some(event) = self.event()? else {
                return Ok(None);
            };
            let reached = self.scan.as_ref().map_or(0, Scan::sequence);
            match event {
                Event::Record(sequence, found) if sequence >= self.position => {
                    self.position = sequence + 1;
                    return Ok(Some((sequence, found)));
                }
                Event::Damage(damage) if reached > self.position || damage.records.is_none() => {
                    self.position = reached.max(self.position);
                    return Err(JournalError::Damaged(damage));
                }
                Event::Record(..) | Event::Damage(_) => {}
                Event::End | Event::Torn => {
                    if let Some(damage) = self.next_segment()? {
                        return Err(JournalError::Damaged(damage));
                    }
                }
            }
        }
    }

    /// The next event; `None` if there is nothing more for now.
    fn event(&mut self) -> Result<Option<Event>, JournalError> {
        let Some(scan) = &mut self.scan else {
            let segments = self.layout.segments()?;
            let newest_before = segments.partition_point(|first| *first <= self.position);
            let Some(first) = segments.get(newest_before.saturating_sub(1)).copied() else {
                return Ok(None);
            };
            self.scan = Some(self.open_segment(first, self.position)?);
            self.position = self.position.max(first);
            return self.event();
        };
        let path = self.layout.segment(scan.segment());
        let event = scan.event().map_err(JournalError::io("read", &path))?;
        if !matches!(event, Event::End | Event::Torn) {
            return Ok(Some(event));
        }
        let own = scan.segment();
        let later = self.layout.segments()?.into_iter().any(|first| first > own);
        if !later {
            return Ok(None);
        }
        // Only now is it certain that nothing more is appended here.
        let event = scan.event().map_err(JournalError::io("read", &path))?;
        Ok(Some(event))
    }

    /// Goes to the segment after this one; tells what was lost in between.
    fn next_segment(&mut self) -> Result<Option<Damage>, JournalError> {
        let Some(scan) = &self.scan else {
            return Ok(None);
        };
        let segments = self.layout.segments()?;
        let Some(next) = segments
            .iter()
            .copied()
            .find(|first| *first > scan.segment())
        else {
            return Ok(None);
        };
        let path = self.layout.segment(scan.segment());
        let lost = scan
            .lost_at_end(next)
            .map_err(JournalError::io("read", &path))?;
        // Retention may have taken segments from under a slow reader: that is no damage.
        let retired = segments.first() == Some(&next);
        let behind = next <= self.position;
        self.scan = Some(self.open_segment(next, next)?);
        self.position = self.position.max(next);
        Ok(lost.filter(|_| !retired && !behind))
    }

    /// Opens a segment at the record with this sequence, or not far before it.
    fn open_segment(&self, first: u64, sequence: u64) -> Result<Scan, JournalError> {
        let path = self.layout.segment(first);
        if let HeaderFound::OtherVersion(found) = FileHeader::read(FileKind::Segment, &path)? {
            return Err(JournalError::Version {
                path,
                found,
                known: FORMAT_VERSION,
            });
        }
        let file = File::open(&path).map_err(JournalError::io("open", &path))?;
        if sequence <= first {
            return Ok(Scan::new(file, first));
        }
        Scan::near(file, first, sequence).map_err(JournalError::io("read", &path))
    }
}

impl Iterator for Reader {
    type Item = Result<(u64, Record), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (sequence, found) = match self.advance() {
            Ok(found) => found?,
            Err(error) => return Some(Err(error)),
        };
        let record = self.scan.as_ref()?.record(&found);
        Some(match record {
            Ok(record) => Ok((sequence, record)),
            Err(source) => Err(JournalError::Record { sequence, source }),
        })
    }
}

/// Reads every byte of the journal in the data folder `root` and returns how many records are whole and
/// what is not, at most a thousand places. A torn tail is not damage: the next start cuts it off.
///
/// # Errors
/// If a file cannot be read or has another version.
pub fn verify(root: &Path) -> Result<(u64, Vec<Damage>), JournalError> {
    const DAMAGE_MAX: usize = 1000;
    let mut reader = Reader::open(root, 0)?;
    let (mut records, mut damages) = (0, Vec::new());
    while damages.len() < DAMAGE_MAX {
        match reader.advance() {
            Ok(Some(_)) => records += 1,
            Ok(None) => break,
            Err(JournalError::Damaged(damage)) => damages.push(damage),
            Err(error) => return Err(error),
        }
    }
    let layout = Layout::new(root);
    for first in layout.segments()? {
        let header = FileHeader::read(FileKind::Segment, &layout.segment(first))?;
        if header == HeaderFound::Broken {
            damages.push(header_damage(first));
        }
    }
    Ok((records, damages))
}

/// The header of a segment was changed: its records are still read, for the file's name tells enough.
pub(crate) const fn header_damage(first: u64) -> Damage {
    Damage {
        segment: first,
        offset: 0,
        bytes: crate::segment::FILE_HEADER_BYTES,
        sequence: first,
        records: Some(0),
    }
}
