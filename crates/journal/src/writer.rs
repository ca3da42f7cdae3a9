//! The one thread that writes: it takes a batch, puts its payloads and its records on disk with one
//! sync each, both at the same time, and tells who waits once both are done.
//!
//! When the disk refuses, the batch stays in memory and is tried again, at the same place in the same
//! file, until the disk takes it or the journal is closed. What is in memory is bounded by the queue.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use plimsoll_core::{Clock, NodeName};

use crate::audit::Feed;
use crate::disk::Disk;
use crate::frame::{self, HEADER_BYTES, Header, PAYLOAD_MAGIC, RECORD_MAGIC};
use crate::index::{OpenDecisions, Place, SegmentIndex};
use crate::output::{Ahead, Output};
use crate::payload_index::{self, ActivePayloads};
use crate::queue::{Batch, Queue, Timing};
use crate::segment::{FILE_HEADER_BYTES, FileHeader, FileKind, Layout};
use crate::syncer::Syncer;

const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);
/// How often a closing journal still tries a disk that refuses.
const CLOSING_TRIES: u32 = 3;
const BEGUN: &str = "there is one after a rotation";
/// A payload file may grow to this many times the size of a segment.
const PAYLOAD_FACTOR: u64 = 4;

/// What the writer shares with those who read.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// The first sequence of the segment that is written.
    pub segment: AtomicU64,
    /// How many commits there were.
    pub commits: AtomicU64,
    /// How many records were lost because the journal was closed while the disk refused.
    pub lost: AtomicU64,
    /// Where the payloads of the segment that is written lie.
    pub payloads: ActivePayloads,
}

/// Where a journal goes on.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// The first sequence of the last segment.
    pub first: u64,
    /// The next sequence.
    pub next: u64,
    /// Where the last segment's good bytes end, if it is to be continued.
    pub segment_end: Option<u64>,
    /// Where its payload file's good bytes end, if there is one.
    pub payload_end: Option<u64>,
    /// What is open.
    pub open: OpenDecisions,
    /// Whether there is a segment that has to be ended before the next one begins.
    pub unended: bool,
}

/// What the writer is made from.
#[derive(Debug)]
pub(crate) struct Setup {
    pub disk: Arc<dyn Disk>,
    pub layout: Layout,
    pub queue: Arc<Queue>,
    pub shared: Arc<Shared>,
    pub clock: Arc<dyn Clock>,
    pub node: NodeName,
    pub segment_bytes: u64,
    /// Where committed records go for the audit log, if there is one.
    pub feed: Option<Arc<Feed>>,
}

#[derive(Debug)]
pub(crate) struct Writer {
    setup: Setup,
    first: u64,
    next: u64,
    segment: Option<Output>,
    payloads: Option<Output>,
    /// Started with the first payload.
    syncer: Option<Syncer>,
    open: OpenDecisions,
    unended: bool,
}

type Refused = (&'static str, io::Error);

fn doing(what: &'static str) -> impl FnOnce(io::Error) -> Refused {
    move |error| (what, error)
}

impl Writer {
    /// Opens the files that `tail` names, or begins a segment, so that a folder that cannot be written
    /// is found at start.
    pub(crate) fn start(setup: Setup, tail: Tail) -> Result<Self, Refused> {
        let reopen = |end: Option<u64>, path: &Path| {
            end.map(|end| {
                let file = setup.disk.open(path).map_err(doing("open"))?;
                Ok(Output::new(file, end))
            })
            .transpose()
        };
        let segment = reopen(tail.segment_end, &setup.layout.segment(tail.first))?;
        let payloads = match &segment {
            Some(_) => reopen(tail.payload_end, &setup.layout.payload(tail.first))?,
            None => None,
        };
        setup.shared.segment.store(tail.first, Ordering::Release);
        let mut writer = Self {
            setup,
            first: tail.first,
            next: tail.next,
            segment,
            payloads,
            syncer: None,
            open: tail.open,
            unended: tail.unended,
        };
        if writer.segment.is_none() {
            writer.rotate()?;
        }
        Ok(writer)
    }

    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self, mut timing: Timing) {
        let _guard = EndGuard(
            Arc::clone(&self.setup.queue),
            Arc::clone(&self.setup.shared),
        );
        let queue = Arc::clone(&self.setup.queue);
        let mut spare = Batch::empty();
        while let Some(mut batch) = queue.take(spare, &mut timing) {
            if !self.write_until_taken(&mut batch) {
                return;
            }
            if let Some(feed) = &self.setup.feed {
                feed.give(batch.first, batch.records, &batch.frames[HEADER_BYTES..]);
            }
            queue.succeeded(batch.end());
            self.setup.shared.commits.fetch_add(1, Ordering::Relaxed);
            spare = batch.recycle();
        }
        // Without this mark a later change of the last batch would look like a torn tail: it would be
        // cut off instead of reported. Everything acknowledged is on disk already.
        self.mark_end().ok();
    }

    /// False if the journal was closed while the disk refused.
    fn write_until_taken(&mut self, batch: &mut Batch) -> bool {
        let mut delay = RETRY_FIRST;
        let mut tries_closing = 0;
        while let Err((doing, error)) = self.write(batch) {
            if self.setup.queue.failed(doing, error) {
                tries_closing += 1;
                if tries_closing == CLOSING_TRIES {
                    return false;
                }
            }
            self.setup.queue.pause(delay);
            delay = (delay * 2).min(RETRY_MAX);
        }
        true
    }

    fn write(&mut self, batch: &mut Batch) -> Result<(), Refused> {
        if self.is_full(batch) {
            self.rotate()?;
        }
        if batch.payloads.is_empty() {
            self.write_records(batch)?;
        } else {
            self.write_both(batch)?;
        }
        let begin = self.commit_records(batch);
        self.next = batch.end();
        for (offset, header) in frames(RECORD_MAGIC, &batch.frames) {
            let place = Place {
                segment: self.first,
                offset: begin + offset,
            };
            self.open.apply(&header, place);
        }
        Ok(())
    }

    /// Writes and syncs mark and records.
    fn write_records(&mut self, batch: &mut Batch) -> Result<(), Refused> {
        let at = self.setup.clock.now();
        batch.frames[..HEADER_BYTES].copy_from_slice(&frame::mark(batch.first, at));
        let ahead = Ahead::up_to(self.setup.segment_bytes);
        let segment = self.segment.as_mut().expect(BEGUN);
        segment
            .write(&batch.frames, ahead)
            .map_err(doing("write records"))?;
        segment.sync().map_err(doing("sync records"))
    }

    /// Goes on behind the records of `batch`, which are on disk; the offset where they begin.
    fn commit_records(&mut self, batch: &Batch) -> u64 {
        let segment = self.segment.as_mut().expect(BEGUN);
        let begin = segment.end();
        segment.advance(batch.frames.len());
        begin
    }

    /// Writes payloads and records, and syncs both at the same time. Neither file goes on before both
    /// are on disk, so that a try that fails is repeated at the same places.
    fn write_both(&mut self, batch: &mut Batch) -> Result<(), Refused> {
        let mut payloads = self.payload_output()?;
        let ahead = Ahead::up_to(self.setup.segment_bytes * PAYLOAD_FACTOR);
        if let Err(error) = payloads.write(&batch.payloads, ahead) {
            self.payloads = Some(payloads);
            return Err(("write payloads", error));
        }
        let syncer = match self.syncer.take().map_or_else(Syncer::start, Ok) {
            Ok(syncer) => syncer,
            Err(error) => {
                self.payloads = Some(payloads);
                return Err(("start a thread", error));
            }
        };
        syncer.begin(payloads);
        let records = self.write_records(batch);
        let (mut payloads, synced) = syncer.finish();
        self.syncer = Some(syncer);
        let both = records.and(synced.map_err(doing("sync payloads")));
        if both.is_ok() {
            let begin = payloads.end();
            payloads.advance(batch.payloads.len());
            let written = frames(PAYLOAD_MAGIC, &batch.payloads);
            let written = written.map(|(offset, header)| (header.id, begin + offset));
            self.setup.shared.payloads.extend(self.first, written);
        }
        self.payloads = Some(payloads);
        both
    }

    /// Takes the payload file, begun if there is none yet.
    fn payload_output(&mut self) -> Result<Output, Refused> {
        if let Some(payloads) = self.payloads.take() {
            return Ok(payloads);
        }
        let path = self.setup.layout.payload(self.first);
        self.begin_file(FileKind::Payloads, &path, self.first)
    }

    fn is_full(&self, batch: &Batch) -> bool {
        let full = |output: &Option<Output>, more: usize, max: u64| {
            output.as_ref().is_some_and(|output| {
                output.end() > FILE_HEADER_BYTES && output.end() + more as u64 > max
            })
        };
        let max = self.setup.segment_bytes;
        let segment_full = full(&self.segment, batch.frames.len(), max);
        let payloads_full = full(&self.payloads, batch.payloads.len(), max * PAYLOAD_FACTOR);
        self.segment.is_none() || (self.next > self.first && (segment_full || payloads_full))
    }

    /// Ends the segment, without zeros behind it and with the files beside it that make later starts
    /// and searches quick, and begins the next. Each step may be repeated.
    fn rotate(&mut self) -> Result<(), Refused> {
        let setup = &self.setup;
        for output in [&mut self.segment, &mut self.payloads]
            .into_iter()
            .flatten()
        {
            output.give_back().map_err(doing("end a file"))?;
        }
        if self.segment.is_some() || self.unended {
            if let Some(entries) = setup.shared.payloads.entries(self.first) {
                let path = setup.layout.payload_index(self.first);
                let bytes = payload_index::to_bytes(&entries);
                setup
                    .disk
                    .replace(&path, &bytes)
                    .map_err(doing("write the payload index"))?;
            }
            let index = SegmentIndex {
                first: self.first,
                end: self.next,
                ended_at: setup.clock.now(),
                open: self.open.clone(),
            };
            let path = setup.layout.index(self.first);
            let text = index.to_text();
            setup
                .disk
                .replace(&path, text.as_bytes())
                .map_err(doing("write the index"))?;
        }
        let path = setup.layout.segment(self.next);
        let segment = self.begin_file(FileKind::Segment, &path, self.next)?;
        self.segment = Some(segment);
        self.payloads = None;
        self.first = self.next;
        self.unended = false;
        self.setup
            .shared
            .segment
            .store(self.first, Ordering::Release);
        self.setup.shared.payloads.begin(self.first);
        Ok(())
    }

    fn begin_file(&self, kind: FileKind, path: &Path, first: u64) -> Result<Output, Refused> {
        let header = FileHeader {
            first,
            created_at: self.setup.clock.now(),
            node: self.setup.node.to_string(),
        };
        let disk = &self.setup.disk;
        let mut file = disk.create(path).map_err(doing("create a file"))?;
        file.write_at(&header.to_bytes(kind), 0)
            .map_err(doing("write a file's header"))?;
        file.sync().map_err(doing("sync a file's header"))?;
        let folder = path.parent().unwrap_or(path);
        disk.sync_folder(folder).map_err(doing("sync the folder"))?;
        Ok(Output::new(file, FILE_HEADER_BYTES))
    }

    fn mark_end(&mut self) -> io::Result<()> {
        let Some(segment) = self.segment.as_mut() else {
            return Ok(());
        };
        let mark = frame::mark(self.next, self.setup.clock.now());
        segment.write(&mark, Ahead::NONE)?;
        segment.advance(mark.len());
        segment.sync()?;
        segment.give_back()?;
        self.payloads.as_mut().map_or(Ok(()), Output::give_back)
    }
}

/// The frames in `bytes`, which were framed here and are whole, with their offsets.
fn frames(magic: [u8; 4], bytes: &[u8]) -> impl Iterator<Item = (u64, Header)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let header = Header::parse(magic, bytes.get(at..)?)?;
        let offset = at as u64;
        at += header.frame_bytes();
        Some((offset, header))
    })
}

/// Tells everybody who waits when the thread ends, even if it panics.
struct EndGuard(Arc<Queue>, Arc<Shared>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        let lost = self.0.ended();
        self.1.lost.store(lost, Ordering::Release);
    }
}
