//! Letting go of what is too old or too much, in whole files, the oldest first. Records and payloads
//! are two classes: payloads may go earlier, and go with their records at the latest.
//!
//! What would go is planned first, so that the caller can write into the journal that it goes. The first
//! sequences that are kept are published, in `journal/minimum`, before anything is removed. A removal
//! that was interrupted is ended by the next one, or by the next start.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use plimsoll_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::Retention;
use crate::disk::Disk;
use crate::error::JournalError;
use crate::payloads::Payloads;
use crate::segment::{FileHeader, FileKind, HeaderFound, Layout};

/// A node's clock may have been set back by this much without a hold being missed.
const CLOCK_SLACK: Duration = Duration::from_secs(60 * 60);
/// A payload is appended within this time after it was sealed under the key of its month.
const SEAL_TO_APPEND_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What must stay, whatever its age.
#[derive(Clone, Copy, Debug)]
pub struct RetentionLimits<'a> {
    /// Nothing goes from this sequence on: what a projection has yet to read.
    pub keep_from: u64,
    /// Spans of time, both ends included, that are held: a file that was written within one stays, and
    /// everything after it.
    pub held: &'a [(Timestamp, Timestamp)],
}

/// What may be let go: to be written into the journal before it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retirable {
    /// The first sequence whose record will be kept.
    pub minimum: u64,
    /// The first sequence whose payload will be kept.
    pub payload_minimum: u64,
}

/// What was let go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retired {
    /// How many segments.
    pub segments: u64,
    /// How many payload files.
    pub payload_files: u64,
    /// How many keys of tenants, as all that was sealed under them is gone.
    pub keys: u64,
    /// How many bytes of segments and payload files.
    pub bytes: u64,
    /// The first sequence whose record is kept.
    pub minimum: u64,
    /// The first sequence whose payload is kept.
    pub payload_minimum: u64,
}

/// What is kept, as published.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Kept {
    /// The first sequence whose record is kept.
    pub minimum: u64,
    /// The first sequence whose payload is kept.
    pub payload_minimum: u64,
}

#[derive(Serialize, Deserialize)]
struct Published {
    minimum: u64,
    /// Files of the first version say nothing about payloads, which went with their records.
    payload_minimum: Option<u64>,
    at: Timestamp,
}

/// What is kept, as published; everything if nothing was ever let go.
pub(crate) fn published(layout: &Layout) -> Result<Kept, JournalError> {
    let path = layout.minimum();
    let read = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice::<Published>(&bytes).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
        Err(error) => Err(error),
    };
    let published = read.map_err(JournalError::io("read", &path))?;
    let minimum = published.minimum;
    let payload_minimum = published.payload_minimum.unwrap_or(0).max(minimum);
    Ok(Kept {
        minimum,
        payload_minimum,
    })
}

fn publish(
    layout: &Layout,
    disk: &dyn Disk,
    kept: Kept,
    at: Timestamp,
) -> Result<(), JournalError> {
    let published = Published {
        minimum: kept.minimum,
        payload_minimum: Some(kept.payload_minimum),
        at,
    };
    let mut json = serde_json::to_vec(&published).expect("three numbers always are JSON");
    json.push(b'\n');
    let path = layout.minimum();
    disk.replace(&path, &json)
        .map_err(JournalError::io("write", &path))
}

/// Payloads of decisions that were made until this moment may have been let go; none if none ever was.
pub(crate) fn payloads_let_go_until(layout: &Layout) -> Result<Option<Timestamp>, JournalError> {
    let kept = published(layout)?;
    if kept.payload_minimum == 0 {
        return Ok(None);
    }
    let segments = layout.segments()?;
    let first_kept = segments
        .into_iter()
        .find(|first| *first >= kept.payload_minimum);
    let begun = first_kept
        .map(|first| begun_at(layout, first))
        .transpose()?;
    Ok(Some(
        begun.flatten().unwrap_or(Timestamp::from_micros(i64::MAX)),
    ))
}

/// An ended segment, with what retention asks about it.
struct Ended {
    first: u64,
    /// The first sequence of the segment behind it.
    next: u64,
    /// When it was begun; none if its header cannot be read.
    begun: Option<Timestamp>,
    /// When it was ended, which is when the next was begun; none as above.
    ended: Option<Timestamp>,
    bytes: u64,
    payload_bytes: Option<u64>,
}

impl Ended {
    /// Whether it was written within one of the spans `held`, as far as can be told.
    fn is_held(&self, held: &[(Timestamp, Timestamp)]) -> bool {
        held.iter().any(|(from, to)| {
            let begins_in_time = self
                .begun
                .is_none_or(|begun| begun.minus(CLOCK_SLACK) <= *to);
            let ends_in_time = self
                .ended
                .is_none_or(|ended| ended.plus(CLOCK_SLACK) >= *from);
            begins_in_time && ends_in_time
        })
    }

    fn is_older_than(&self, oldest_kept: Timestamp) -> bool {
        self.ended.is_some_and(|ended| ended < oldest_kept)
    }
}

/// The segments that are kept and ended, the oldest first.
fn ended_segments(layout: &Layout, kept: Kept, active: u64) -> Result<Vec<Ended>, JournalError> {
    let mut segments = layout.segments()?;
    segments.retain(|first| (kept.minimum..=active).contains(first));
    let mut ended = Vec::with_capacity(segments.len());
    let mut begun = match segments.first() {
        Some(first) => begun_at(layout, *first)?,
        None => None,
    };
    for pair in segments.windows(2) {
        let (first, next) = (pair[0], pair[1]);
        let next_begun = begun_at(layout, next)?;
        ended.push(Ended {
            first,
            next,
            begun,
            ended: next_begun,
            bytes: size(&layout.segment(first))?.unwrap_or(0),
            payload_bytes: size(&layout.payload(first))?,
        });
        begun = next_begun;
    }
    Ok(ended)
}

/// What `policy` does not keep and `limits` do not hold, but never anything of the segment `active`,
/// which is written; none if that is nothing.
pub(crate) fn plan(
    layout: &Layout,
    policy: Retention,
    now: Timestamp,
    active: u64,
    limits: RetentionLimits<'_>,
) -> Result<Option<Retirable>, JournalError> {
    let kept = published(layout)?;
    let ended = ended_segments(layout, kept, active)?;
    let active_bytes =
        size(&layout.segment(active))?.unwrap_or(0) + size(&layout.payload(active))?.unwrap_or(0);
    let may_go = ended
        .iter()
        .take_while(|segment| segment.next <= limits.keep_from && !segment.is_held(limits.held))
        .count();
    let may_go = &ended[..may_go];

    let mut payload_minimum = kept.payload_minimum;
    let payloads_kept = now.minus(policy.payloads.min(policy.age));
    for segment in may_go {
        if !segment.is_older_than(payloads_kept) {
            break;
        }
        if segment.payload_bytes.is_some() {
            payload_minimum = payload_minimum.max(segment.next);
        }
    }
    let stays = |segment: &&Ended| segment.first >= payload_minimum;
    let payload_bytes = ended.iter().filter(stays).filter_map(|s| s.payload_bytes);
    let record_bytes = ended.iter().map(|segment| segment.bytes);
    let mut total = active_bytes + payload_bytes.sum::<u64>() + record_bytes.sum::<u64>();

    let mut minimum = kept.minimum;
    let (oldest_kept, least) = (now.minus(policy.age), now.minus(policy.least));
    for segment in may_go {
        let is_too_much = total > policy.bytes && segment.is_older_than(least);
        if !is_too_much && !segment.is_older_than(oldest_kept) {
            break;
        }
        let payload_bytes = Some(segment).filter(stays).and_then(|s| s.payload_bytes);
        total -= segment.bytes + payload_bytes.unwrap_or(0);
        minimum = segment.next;
    }
    let planned = Kept {
        minimum,
        payload_minimum: payload_minimum.max(minimum),
    };
    Ok((planned != kept).then_some(Retirable {
        minimum: planned.minimum,
        payload_minimum: planned.payload_minimum,
    }))
}

/// Publishes `plan` and removes what it lets go, but nothing of the segment `active` or behind it.
pub(crate) fn retire(
    payloads: &Payloads,
    disk: &dyn Disk,
    now: Timestamp,
    plan: Retirable,
    active: u64,
) -> Result<Retired, JournalError> {
    let layout = &payloads.layout;
    let before = published(layout)?;
    let minimum = plan.minimum.min(active).max(before.minimum);
    let payload_minimum = plan.payload_minimum.min(active);
    let kept = Kept {
        minimum,
        payload_minimum: payload_minimum.max(before.payload_minimum).max(minimum),
    };
    if kept != before {
        publish(layout, disk, kept, now)?;
    }
    let mut retired = remove_unkept(layout, disk, kept)?;
    retired.keys = remove_keys(payloads, disk, now)?;
    Ok(retired)
}

/// Ends a removal that was interrupted.
pub(crate) fn finish(layout: &Layout, disk: &dyn Disk) -> Result<(), JournalError> {
    let kept = published(layout)?;
    remove_unkept(layout, disk, kept).map(|_| ())
}

/// Removes the files before what is kept, the oldest first; of each segment the segment itself last.
/// A minimum at which no segment begins was not written by this code: nothing is removed for it.
fn remove_unkept(layout: &Layout, disk: &dyn Disk, kept: Kept) -> Result<Retired, JournalError> {
    let segments = layout.segments()?;
    let believed = |minimum: u64| {
        if segments.contains(&minimum) {
            minimum
        } else {
            0
        }
    };
    let (minimum, payload_minimum) = (believed(kept.minimum), believed(kept.payload_minimum));
    let mut retired = Retired {
        minimum: kept.minimum,
        payload_minimum: kept.payload_minimum,
        ..Retired::default()
    };
    let remove = |path: &Path| disk.remove(path).map_err(JournalError::io("remove", path));
    for first in layout.payload_files()? {
        if first < payload_minimum {
            retired.bytes += size(&layout.payload(first))?.unwrap_or(0);
            retired.payload_files += 1;
            remove(&layout.payload_index(first))?;
            remove(&layout.payload(first))?;
        }
    }
    for first in segments.iter().copied().filter(|first| *first < minimum) {
        retired.bytes += size(&layout.segment(first))?.unwrap_or(0);
        retired.segments += 1;
        remove(&layout.index(first))?;
        remove(&layout.segment(first))?;
    }
    if retired.segments + retired.payload_files > 0 {
        for folder in [&layout.journal, &layout.payloads] {
            disk.sync_folder(folder)
                .map_err(JournalError::io("sync", folder))?;
        }
    }
    Ok(retired)
}

/// Removes the keys of months before the earliest of which a payload may be kept.
fn remove_keys(payloads: &Payloads, disk: &dyn Disk, now: Timestamp) -> Result<u64, JournalError> {
    let mut earliest = now;
    for first in payloads.layout.payload_files()? {
        let path = payloads.layout.payload(first);
        let HeaderFound::Whole(header) = FileHeader::read(FileKind::Payloads, &path)? else {
            return Ok(0);
        };
        // A file's header tells the time by a clock that may have been wrong then; ids of its decisions
        // were made by the clock that chose the month.
        let decided = payloads.earliest_decision(first)?.unwrap_or(earliest);
        earliest = earliest.min(header.created_at).min(decided);
    }
    let month = earliest.minus(SEAL_TO_APPEND_MAX).month();
    payloads.keys.remove_before(&month, disk)
}

/// When a segment was begun, which is when the one before it was ended; none if its header is broken.
fn begun_at(layout: &Layout, first: u64) -> Result<Option<Timestamp>, JournalError> {
    match FileHeader::read(FileKind::Segment, &layout.segment(first))? {
        HeaderFound::Whole(header) => Ok(Some(header.created_at)),
        HeaderFound::OtherVersion(_) | HeaderFound::Broken => Ok(None),
    }
}

/// A file's size; none if it is not there.
fn size(path: &Path) -> Result<Option<u64>, JournalError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(JournalError::io("read", path)(error)),
    }
}
