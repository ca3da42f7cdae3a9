//! What happens before a journal is opened for writing: find its end, cut off what a crash left
//! half-written, and find the decisions that a dead node left open.
//!
//! Only the last segment is read whole; what came before it stands in the index beside the segment
//! before. An index that is missing or cannot be trusted is made anew from its segment.

use std::fs::{self, File};

use plimsoll_core::clock::Clock;
use plimsoll_core::decision::{Cost, CostBasis};
use plimsoll_core::record::{Opened, Recovery};
use plimsoll_core::{Decision, NodeName, Outcome, Record};

use crate::cursor::{Cursor, Step};
use crate::disk::Disk;
use crate::erase;
use crate::error::{Damage, JournalError};
use crate::frame::RECORD_MAGIC;
use crate::index::{OpenDecisions, Place, SegmentIndex};
use crate::payload_index::Entry;
use crate::payloads;
use crate::reader::header_damage;
use crate::retention;
use crate::scan::{Event, Scan};
use crate::segment::{FILE_HEADER_BYTES, FileHeader, FileKind, Layout};
use crate::writer::Tail;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Where the journal goes on.
    pub tail: Tail,
    /// What was mended.
    pub recovery: Recovery,
    /// What cannot be mended.
    pub damage: Vec<Damage>,
    /// The decisions that were left open, in order.
    pub orphans: Vec<Opened>,
    /// The payloads of the last segment.
    pub payloads: Vec<Entry>,
}

/// Reads and mends the journal in `layout`, which `node` is about to write.
pub(crate) fn recover(
    layout: &Layout,
    node: &NodeName,
    disk: &dyn Disk,
    clock: &dyn Clock,
) -> Result<Found, JournalError> {
    let mut found = Found::default();
    let mut segments = usable_segments(layout, node, &mut found)?;
    erase::finish(layout, disk)?;
    retention::finish(layout, disk)?;
    let left = layout.segments()?;
    segments.retain(|first| left.contains(first));
    let Some((last, before)) = segments.split_last() else {
        found.tail.first = retention::published(layout)?.minimum;
        found.tail.next = found.tail.first;
        return Ok(found);
    };
    let mut open = open_before(layout, before, *last, disk, clock, &mut found.damage)?;
    read_last(layout, node, *last, disk, &mut open, &mut found)?;
    open.forget_before(segments[0]);
    for place in open.orphans() {
        found.orphans.extend(read_opened(layout, place)?);
    }
    found.recovery.orphans = found.orphans.len() as u64;
    found.tail.open = open;
    Ok(found)
}

/// The segments whose headers fit. A last one that was begun and never written to is removed.
fn usable_segments(
    layout: &Layout,
    node: &NodeName,
    found: &mut Found,
) -> Result<Vec<u64>, JournalError> {
    let mut segments = layout.segments()?;
    let last = segments.last().copied();
    let mut half_begun = None;
    for first in segments.iter().copied() {
        let path = layout.segment(first);
        let header = FileHeader::read(FileKind::Segment, &path)?.of_node(&path, node)?;
        if header.is_some_and(|header| header.first == first) {
            continue;
        }
        let length = fs::metadata(&path)
            .map_err(JournalError::io("read", &path))?
            .len();
        if Some(first) == last && length <= FILE_HEADER_BYTES {
            half_begun = last;
        } else {
            found.damage.push(header_damage(first));
        }
    }
    if let Some(first) = half_begun {
        let path = layout.segment(first);
        let length = fs::metadata(&path)
            .map_err(JournalError::io("read", &path))?
            .len();
        fs::remove_file(&path).map_err(JournalError::io("remove", &path))?;
        found.recovery.torn_segment = Some(first);
        found.recovery.torn_bytes = length;
        segments.pop();
    }
    Ok(segments)
}

/// What is open at the end of the segments `before` the last, by the newest index that can be trusted
/// and by reading the segments after it.
fn open_before(
    layout: &Layout,
    before: &[u64],
    last: u64,
    disk: &dyn Disk,
    clock: &dyn Clock,
    damage: &mut Vec<Damage>,
) -> Result<OpenDecisions, JournalError> {
    let mut open = OpenDecisions::default();
    let mut unread = before.len();
    while unread > 0 {
        let first = before[unread - 1];
        let path = layout.index(first);
        let index = SegmentIndex::read(&path).map_err(JournalError::io("read", &path))?;
        let next = before.get(unread).copied().unwrap_or(last);
        if let Some(index) = index.filter(|index| index.first == first && index.end == next) {
            open = index.open;
            break;
        }
        unread -= 1;
    }
    for (at, first) in before.iter().copied().enumerate().skip(unread) {
        let next = before.get(at + 1).copied().unwrap_or(last);
        let scan = read_segment(layout, first, &mut open, damage)?.0;
        let path = layout.segment(first);
        damage.extend(
            scan.lost_at_end(next)
                .map_err(JournalError::io("read", &path))?,
        );
        let index = SegmentIndex {
            first,
            end: next,
            ended_at: clock.now(),
            open: open.clone(),
        };
        let path = layout.index(first);
        let text = index.to_text();
        disk.replace(&path, text.as_bytes())
            .map_err(JournalError::io("write", &path))?;
    }
    Ok(open)
}

/// Reads a segment to its end, which is torn if the second part of the answer says so.
fn read_segment(
    layout: &Layout,
    first: u64,
    open: &mut OpenDecisions,
    damage: &mut Vec<Damage>,
) -> Result<(Scan, bool), JournalError> {
    let path = layout.segment(first);
    let file = File::open(&path).map_err(JournalError::io("open", &path))?;
    let mut scan = Scan::new(file, first);
    loop {
        match scan.event().map_err(JournalError::io("read", &path))? {
            Event::Record(_, found) => {
                let place = Place {
                    segment: first,
                    offset: found.offset,
                };
                open.apply(&found.header, place);
            }
            Event::Damage(found) => damage.push(found),
            Event::End => return Ok((scan, false)),
            Event::Torn => return Ok((scan, true)),
        }
    }
}

fn read_last(
    layout: &Layout,
    node: &NodeName,
    last: u64,
    disk: &dyn Disk,
    open: &mut OpenDecisions,
    found: &mut Found,
) -> Result<(), JournalError> {
    let (scan, torn) = read_segment(layout, last, open, &mut found.damage)?;
    let path = layout.segment(last);
    let end = scan.offset();
    if torn {
        // Zeros alone are what was written ahead: a node that died leaves them, and nothing is torn.
        let bytes = scan.rest().map_err(JournalError::io("read", &path))?;
        cut(disk, &path, end)?;
        found.recovery.torn_segment = (bytes > 0).then_some(last);
        found.recovery.torn_bytes = bytes;
    }
    let payload_end = read_payloads(layout, node, last, disk, found)?;
    let damaged = found.damage.iter().any(|damage| damage.segment == last);
    // A damaged segment is left as it is, for who wants to look into it: the next one begins.
    let unended = damaged && scan.sequence() > last;
    found.tail.first = last;
    found.tail.next = scan.sequence();
    found.tail.segment_end = (!unended).then_some(end);
    found.tail.payload_end = payload_end;
    found.tail.unended = unended;
    Ok(())
}

fn read_payloads(
    layout: &Layout,
    node: &NodeName,
    last: u64,
    disk: &dyn Disk,
    found: &mut Found,
) -> Result<Option<u64>, JournalError> {
    let path = layout.payload(last);
    let length = match fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(JournalError::io("read", &path)(error)),
    };
    let header = FileHeader::read(FileKind::Payloads, &path)?.of_node(&path, node)?;
    // A file that ends with its broken header was begun and never synced: no record refers to it.
    if header.is_none() && length <= FILE_HEADER_BYTES {
        return Ok(None);
    }
    let (entries, end) = payloads::scan(&path)?;
    if end < length {
        cut(disk, &path, end)?;
    }
    found.payloads = entries;
    Ok(Some(end))
}

fn cut(disk: &dyn Disk, path: &std::path::Path, length: u64) -> Result<(), JournalError> {
    let mut file = disk.open(path).map_err(JournalError::io("open", path))?;
    file.truncate(length)
        .map_err(JournalError::io("truncate", path))?;
    file.sync().map_err(JournalError::io("sync", path))
}

/// The `opened` record at `place`; none if its segment is no longer kept or was changed.
fn read_opened(layout: &Layout, place: Place) -> Result<Option<Opened>, JournalError> {
    let path = layout.segment(place.segment);
    let Ok(file) = File::open(&path) else {
        return Ok(None);
    };
    let mut cursor = Cursor::new(file, RECORD_MAGIC, place.offset);
    let Step::Frame(found) = cursor.step().map_err(JournalError::io("read", &path))? else {
        return Ok(None);
    };
    match serde_json::from_slice(cursor.body(&found)) {
        Ok(Record::Opened(opened)) => Ok(Some(*opened)),
        _ => Ok(None),
    }
}

/// The end of a decision that its node did not live to see: it is charged what was reserved.
pub(crate) fn close_orphan(opened: Opened, clock: &dyn Clock) -> Record {
    let amount = opened.reserved.max(opened.decision.cost.amount);
    let basis = CostBasis::Estimated.max(opened.decision.cost.basis);
    Record::Closed(Box::new(Decision {
        closed_at: Some(clock.now()),
        outcome: Some(Outcome::Failed),
        cost: Cost { amount, basis },
        ..opened.decision
    }))
}
