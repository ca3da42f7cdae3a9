//! Letting go of what is too old or too much: whole segments, the oldest first, with their payloads.
//! The first sequence that is kept is published, in `journal/minimum`, before anything is removed.

use std::fs;
use std::io;

use plimsoll_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::Retention;
use crate::disk::Disk;
use crate::error::JournalError;
use crate::segment::{FileHeader, FileKind, HeaderFound, Layout};

/// What was let go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retired {
    /// How many segments.
    pub segments: u64,
    /// How many bytes, payloads included.
    pub bytes: u64,
    /// The first sequence that is kept.
    pub minimum: u64,
}

#[derive(Serialize, Deserialize)]
struct Published {
    minimum: u64,
    at: Timestamp,
}

/// The first sequence that is kept, as published; 0 if nothing was ever let go.
pub(crate) fn published_minimum(layout: &Layout) -> Result<u64, JournalError> {
    let path = layout.minimum();
    let read = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice::<Published>(&bytes).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => Err(error),
    };
    let published = read.map_err(JournalError::io("read", &path))?;
    Ok(published.minimum)
}

/// Lets go of what `policy` does not keep, but of nothing from `keep_from` on and never of the segment
/// `active`, which is written.
pub(crate) fn retire(
    layout: &Layout,
    policy: Retention,
    disk: &dyn Disk,
    now: Timestamp,
    (active, keep_from): (u64, u64),
) -> Result<Retired, JournalError> {
    let segments = layout.segments()?;
    let mut sizes = Vec::with_capacity(segments.len());
    for first in &segments {
        sizes.push(size(layout, *first)?);
    }
    let mut total: u64 = sizes.iter().sum();
    let oldest_kept = now.minus(policy.age);
    let mut retired = Retired {
        segments: 0,
        bytes: 0,
        minimum: segments.first().copied().unwrap_or(0),
    };
    let mut leaving = Vec::new();
    for (pair, size) in segments.windows(2).zip(sizes) {
        let (first, next) = (pair[0], pair[1]);
        let needed = first >= active || next > keep_from;
        if needed || (total <= policy.bytes && begun_at(layout, next)? >= oldest_kept) {
            break;
        }
        total -= size;
        leaving.push(first);
        retired.segments += 1;
        retired.bytes += size;
        retired.minimum = next;
    }
    if leaving.is_empty() {
        return Ok(retired);
    }
    publish(layout, disk, retired.minimum, now)?;
    for first in leaving {
        remove(layout, first)?;
    }
    for folder in [&layout.journal, &layout.payloads] {
        disk.sync_folder(folder)
            .map_err(JournalError::io("sync", folder))?;
    }
    Ok(retired)
}

fn publish(
    layout: &Layout,
    disk: &dyn Disk,
    minimum: u64,
    at: Timestamp,
) -> Result<(), JournalError> {
    let published = Published { minimum, at };
    let mut json = serde_json::to_vec(&published).expect("two numbers always are JSON");
    json.push(b'\n');
    let path = layout.minimum();
    disk.replace(&path, &json)
        .map_err(JournalError::io("write", &path))
}

/// When a segment was begun, which is when the one before it was ended. A header that cannot be read
/// keeps what stands before it.
fn begun_at(layout: &Layout, first: u64) -> Result<Timestamp, JournalError> {
    match FileHeader::read(FileKind::Segment, &layout.segment(first))? {
        HeaderFound::Whole(header) => Ok(header.created_at),
        HeaderFound::OtherVersion(_) | HeaderFound::Broken => Ok(Timestamp::from_micros(i64::MAX)),
    }
}

fn size(layout: &Layout, first: u64) -> Result<u64, JournalError> {
    let mut bytes = 0;
    for path in [layout.segment(first), layout.payload(first)] {
        match fs::metadata(&path) {
            Ok(metadata) => bytes += metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(JournalError::io("read", &path)(error)),
        }
    }
    Ok(bytes)
}

/// Removes a segment and what lies beside it; the segment last, so that an interrupted removal is
/// taken up again.
fn remove(layout: &Layout, first: u64) -> Result<(), JournalError> {
    let paths = [
        layout.payload_index(first),
        layout.payload(first),
        layout.index(first),
        layout.segment(first),
    ];
    for path in paths {
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(JournalError::io("remove", &path)(error)),
        }
    }
    Ok(())
}
