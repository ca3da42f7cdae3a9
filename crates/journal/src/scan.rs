//! Reads the records of one segment in order and numbers them, over damage too.

use std::fs::File;
use std::io;

use plimsoll_core::Record;

use crate::cursor::{Cursor, Found, Step};
use crate::error::Damage;
use crate::frame::{MARK, RECORD_MAGIC};
use crate::segment::FILE_HEADER_BYTES;

/// Halving a segment ends at this many bytes: they are read in one go.
const NEAR_BYTES: u64 = 256 << 10;

/// What comes next in a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// A record with its sequence.
    Record(u64, Found),
    /// Bytes that changed: what follows them is whole again.
    Damage(Damage),
    /// Nothing: the segment ends here.
    End,
    /// No whole record follows, and no mark that vouches for what stands here.
    Torn,
}

/// A place in a segment.
#[derive(Debug)]
pub(crate) struct Scan {
    cursor: Cursor,
    segment: u64,
    sequence: u64,
}

impl Scan {
    /// The beginning of the segment whose first sequence is `first`.
    pub(crate) const fn new(file: File, first: u64) -> Self {
        Self {
            cursor: Cursor::new(file, RECORD_MAGIC, FILE_HEADER_BYTES),
            segment: first,
            sequence: first,
        }
    }

    /// As [`Scan::new`], but at a mark not far before the record with this sequence, found by halving:
    /// what lies before it is not looked at.
    pub(crate) fn near(file: File, first: u64, sequence: u64) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let mut scan = Self::new(file, first);
        let (mut low, mut high) = (FILE_HEADER_BYTES, length);
        while high.saturating_sub(low) > NEAR_BYTES {
            let middle = u64::midpoint(low, high);
            match scan.mark_behind(middle)? {
                Some((at, marked)) if marked <= sequence && at < high => {
                    low = at;
                    scan.sequence = marked;
                }
                _ => high = middle,
            }
        }
        scan.cursor.seek(low);
        Ok(scan)
    }

    /// The first whole mark behind `offset`: where it is, and its sequence.
    fn mark_behind(&mut self, offset: u64) -> io::Result<Option<(u64, u64)>> {
        self.cursor.seek(offset);
        let Some(at) = self.cursor.resync(Some(MARK))? else {
            return Ok(None);
        };
        self.cursor.seek(at);
        Ok(match self.cursor.step()? {
            Step::Frame(found) => Some((at, found.header.mark_sequence())),
            Step::End | Step::Broken => None,
        })
    }

    /// The segment's first sequence.
    pub(crate) const fn segment(&self) -> u64 {
        self.segment
    }

    /// The sequence that the next record has, as far as is known.
    pub(crate) const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Where the next frame is looked for.
    pub(crate) const fn offset(&self) -> u64 {
        self.cursor.offset()
    }

    pub(crate) fn event(&mut self) -> io::Result<Event> {
        loop {
            match self.cursor.step()? {
                Step::Frame(found) if found.header.kind == MARK => {
                    let marked = found.header.mark_sequence();
                    if marked != self.sequence {
                        return Ok(self.go_on_at(found.offset, found.offset, marked));
                    }
                }
                Step::Frame(found) => {
                    let sequence = self.sequence;
                    self.sequence += 1;
                    return Ok(Event::Record(sequence, found));
                }
                Step::End => return Ok(Event::End),
                Step::Broken => {
                    if let Some(event) = self.over_damage()? {
                        return Ok(event);
                    }
                }
            }
        }
    }

    /// What to make of broken bytes; `None` if they are broken no longer.
    fn over_damage(&mut self) -> io::Result<Option<Event>> {
        let begin = self.cursor.offset();
        let Some(mark) = self.cursor.resync(Some(MARK))? else {
            return Ok(Some(Event::Torn));
        };
        // Another process may have been writing these bytes, and have gone on behind them meanwhile.
        self.cursor.forget();
        if self.cursor.step()? != Step::Broken {
            self.cursor.seek(begin);
            return Ok(None);
        }
        self.cursor.seek(mark);
        let Step::Frame(found) = self.cursor.step()? else {
            return Ok(Some(Event::Torn));
        };
        let marked = found.header.mark_sequence();
        Ok(Some(self.go_on_at(begin, mark, marked)))
    }

    fn go_on_at(&mut self, begin: u64, mark: u64, marked: u64) -> Event {
        let damage = Damage {
            segment: self.segment,
            offset: begin,
            bytes: mark - begin,
            sequence: self.sequence,
            records: marked.checked_sub(self.sequence),
        };
        self.sequence = marked.max(self.sequence);
        Event::Damage(damage)
    }

    /// How many bytes are left, without the zeros at the end.
    pub(crate) fn rest(&self) -> io::Result<u64> {
        self.cursor.rest()
    }

    /// What is lost if the segment, which is not the last, ends here; the next one begins with the
    /// sequence `next`. None if nothing is.
    pub(crate) fn lost_at_end(&self, next: u64) -> io::Result<Option<Damage>> {
        let bytes = self.cursor.rest()?;
        let lost = bytes > 0 || next != self.sequence;
        Ok(lost.then(|| Damage {
            segment: self.segment,
            offset: self.cursor.offset(),
            bytes,
            sequence: self.sequence,
            records: next.checked_sub(self.sequence),
        }))
    }

    /// The body of a frame that was just found.
    pub(crate) fn body(&self, found: &Found) -> &[u8] {
        self.cursor.body(found)
    }

    /// Reads the record of a frame that was just found.
    pub(crate) fn record(&self, found: &Found) -> Result<Record, serde_json::Error> {
        serde_json::from_slice(self.cursor.body(found))
    }
}
