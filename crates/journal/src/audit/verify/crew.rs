//! Shares the work among as many threads as there are processors, and tells how far it is.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::super::error::AuditError;
use super::super::tiles::{HASH_BYTES, WIDTH};
use super::payloads::{self, PayloadsRead};
use super::report::Faults;
use super::segment::{self, Names, SegmentRead};
use super::tiles::{self, Row};
use super::{Job, blobs};

/// Progress is noted after so many bytes of a file.
pub(crate) const TELL_BYTES: u64 = 1 << 20;
const TELL_EVERY: Duration = Duration::from_millis(100);

/// Something that can be looked at on its own.
#[derive(Debug)]
pub(crate) enum Task {
    /// A segment with its payload file.
    Segment(u64),
    /// A payload file without a segment.
    Payloads(u64),
    /// Full tiles of leaves.
    Tiles(Range<u64>),
    /// A folder of blobs.
    Blobs(PathBuf),
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub rows: Vec<Row>,
    /// Ascending.
    pub segments: Vec<SegmentRead>,
    /// Payload files without a segment, by their numbers.
    pub orphaned: Vec<(u64, PayloadsRead)>,
    pub blobs: u64,
    pub faults: Faults,
}

impl Found {
    fn look(&mut self, job: &Job, task: &Task) -> Result<(), AuditError> {
        match task {
            Task::Segment(first) => {
                let mut read = segment::read(job, *first)?;
                self.faults.absorb(std::mem::take(&mut read.faults));
                self.segments.push(read);
            }
            Task::Payloads(first) => {
                let read = payloads::read(job, *first, Names::new(), &mut self.faults)?;
                self.orphaned.push((*first, read));
            }
            Task::Tiles(range) => {
                let row = tiles::read_row(job, range.clone(), &mut self.faults);
                self.rows.push(row);
            }
            Task::Blobs(folder) => self.blobs += blobs::read(job, folder, &mut self.faults)?,
        }
        Ok(())
    }

    fn absorb(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.segments.extend(other.segments);
        self.orphaned.extend(other.orphaned);
        self.blobs += other.blobs;
        self.faults.absorb(other.faults);
    }
}

/// How many bytes a task reads.
fn bytes(job: &Job, task: &Task) -> u64 {
    let size = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
    match task {
        Task::Segment(first) => {
            size(&job.layout.segment(*first)) + size(&job.layout.payload(*first))
        }
        Task::Payloads(first) => size(&job.layout.payload(*first)),
        Task::Tiles(range) => (range.end - range.start) * (WIDTH * HASH_BYTES) as u64,
        Task::Blobs(folder) => {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| size(&entry.path())).sum()
        }
    }
}

/// Does all tasks.
pub(crate) fn work(
    job: &Job,
    tasks: &[Task],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Found, AuditError> {
    let total = tasks.iter().map(|task| bytes(job, task)).sum();
    let next = AtomicUsize::new(0);
    let crew = std::thread::available_parallelism().map_or(1, usize::from);
    let (working, ended) = mpsc::channel::<()>();
    let mut all = std::thread::scope(|scope| {
        let member = || {
            let working = working.clone();
            let next = &next;
            scope.spawn(move || {
                let found = do_some(job, tasks, next);
                drop(working);
                found
            })
        };
        let members: Vec<_> = (0..crew).map(|_| member()).collect();
        drop(working);
        while ended.recv_timeout(TELL_EVERY) == Err(RecvTimeoutError::Timeout) {
            progress(job.done.load(Ordering::Relaxed).min(total), total);
        }
        let mut all = Found::default();
        for member in members {
            let found = member.join();
            all.absorb(found.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok::<_, AuditError>(all)
    })?;
    progress(total, total);
    all.segments.sort_unstable_by_key(|read| read.first);
    Ok(all)
}

/// Takes tasks until there are no more.
fn do_some(job: &Job, tasks: &[Task], next: &AtomicUsize) -> Result<Found, AuditError> {
    let mut found = Found::default();
    while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
        if let Err(error) = found.look(job, task) {
            // Nobody needs to go on.
            next.store(tasks.len(), Ordering::Relaxed);
            return Err(error);
        }
    }
    Ok(found)
}
