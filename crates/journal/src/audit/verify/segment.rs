//! Reads one segment from its first byte to its last.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io;
use std::sync::atomic::Ordering;

use plimsoll_core::governance::{Erasure, Retirement};
use plimsoll_core::{Record, ReleaseId};

use super::super::error::AuditError;
use super::super::folder;
use super::super::tree;
use super::Job;
use super::entry::{self, PayloadFinder};
use super::payloads::{self, PayloadsRead};
use super::report::{Fault, Faults, RecordCounts};
use super::tiles::Leaves;
use crate::cursor::{Cursor, Found, Step};
use crate::error::JournalError;
use crate::frame::{MARK, RECORD_MAGIC};
use crate::index::SegmentIndex;
use crate::segment::{FILE_HEADER_BYTES, FileHeader, FileKind, HeaderFound};

const RELEASE: u8 = 3;
const DEPLOYMENT: u8 = 4;
const ERASURE: u8 = 12;
const RETIREMENT: u8 = 14;

/// A payload by its decision and its commitment.
pub(crate) type Name = ([u8; 16], [u8; 32]);

/// What a record says about a payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    /// The first record that names it.
    pub sequence: u64,
    /// Its length.
    pub bytes: u64,
}

/// The payloads that the records of a segment name.
pub(crate) type Names = HashMap<Name, Named>;

/// The payloads that records of a segment name and that have no frame in its payload file.
#[derive(Debug)]
pub(crate) enum Absent {
    /// These.
    Some(Names),
    /// There is no payload file: all of them, so many, the last one named by this record.
    All { count: u64, last: u64 },
}

impl Default for Absent {
    fn default() -> Self {
        Self::Some(Names::new())
    }
}

/// What a segment holds.
#[derive(Debug, Default)]
pub(crate) struct SegmentRead {
    /// Its first sequence, by its name.
    pub first: u64,
    /// The node in its header.
    pub node: Option<String>,
    /// The sequences of the records that are whole, in runs: first, end.
    pub runs: Vec<(u64, u64)>,
    pub records: RecordCounts,
    pub payloads: PayloadsRead,
    pub erasures: Vec<Erasure>,
    pub retirements: Vec<Retirement>,
    /// Releases with their manifests and where they stand.
    pub releases: Vec<(ReleaseId, serde_json::Value, u64)>,
    /// The releases that were deployed, with the first record that says so.
    pub deployed: HashMap<ReleaseId, u64>,
    pub faults: Faults,
}

/// The open file of a segment or payload file, behind its header, which is looked at too.
pub(crate) fn open(
    job: &Job,
    (kind, first): (FileKind, u64),
    faults: &mut Faults,
) -> Result<Option<(File, Option<FileHeader>)>, AuditError> {
    let path = match kind {
        FileKind::Segment => job.layout.segment(first),
        FileKind::Payloads => job.layout.payload(first),
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        // It was let go meanwhile; if not, its records are missed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(JournalError::io("open", &path)(error).into()),
    };
    let header = match FileHeader::read(kind, &path)? {
        HeaderFound::Whole(header) if header.first == first => Some(header),
        HeaderFound::Whole(_) => None,
        HeaderFound::OtherVersion(_) | HeaderFound::Broken => None,
    };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let half_begun = length <= FILE_HEADER_BYTES && job.is_written(first);
    if header.is_none() && !half_begun {
        let what = "has a header that was changed, or is another file's";
        faults.add(Fault::changed(job.name(&path), what));
    }
    Ok(Some((file, header)))
}

/// Reads the segment whose first sequence is `first`.
pub(crate) fn read(job: &Job, first: u64) -> Result<SegmentRead, AuditError> {
    let mut read = SegmentRead {
        first,
        ..SegmentRead::default()
    };
    let opened = open(job, (FileKind::Segment, first), &mut read.faults)?;
    let Some((file, header)) = opened else {
        return Ok(read);
    };
    read.node = header.map(|header| header.node);
    let mut pass = Pass {
        job,
        cursor: Cursor::new(file, RECORD_MAGIC, FILE_HEADER_BYTES),
        leaves: Leaves::new(job),
        finder: PayloadFinder::new(),
        names: Names::new(),
        next: first,
        is_behind_broken: false,
        read,
    };
    let path = job.layout.segment(first);
    pass.run().map_err(JournalError::io("read", &path))?;
    let (mut read, names) = (pass.read, pass.names);
    check_index(job, &mut read)?;
    read.payloads = payloads::read(job, first, names, &mut read.faults)?;
    Ok(read)
}

struct Pass<'a> {
    job: &'a Job,
    cursor: Cursor,
    leaves: Leaves<'a>,
    finder: PayloadFinder,
    names: Names,
    /// The sequence that the next record has.
    next: u64,
    /// Whether broken bytes were just told of: what they cost, the next mark says.
    is_behind_broken: bool,
    read: SegmentRead,
}

impl Pass<'_> {
    fn run(&mut self) -> io::Result<()> {
        let mut told = 0;
        loop {
            match self.cursor.step()? {
                Step::Frame(found) if found.header.kind == MARK => self.mark(&found),
                Step::Frame(found) => self.record(&found),
                Step::End => break,
                Step::Broken => {
                    if !self.over_broken()? {
                        break;
                    }
                }
            }
            if self.cursor.offset() - told >= super::crew::TELL_BYTES {
                let more = self.cursor.offset() - told;
                self.job.done.fetch_add(more, Ordering::Relaxed);
                told += more;
            }
        }
        let more = self.cursor.offset().saturating_sub(told);
        self.job.done.fetch_add(more, Ordering::Relaxed);
        if let Some(behind) = self.job.next_segment(self.read.first)
            && self.next != behind
        {
            let (end, size) = (self.next, self.job.size());
            let what = format!("ends before record {end}, and the next file begins with {behind}");
            // Of what is under the checkpoint, missing records are told by themselves.
            if end >= size || end > behind {
                self.fault(self.cursor.offset(), what);
            }
        }
        Ok(())
    }

    fn fault(&mut self, offset: u64, what: impl Into<String>) {
        let path = self.job.layout.segment(self.read.first);
        let place = format!("{} at {offset}", self.job.name(&path));
        self.read
            .faults
            .add(Fault::changed(place, what).of_record(self.next));
    }

    fn mark(&mut self, found: &Found) {
        let marked = found.header.mark_sequence();
        let (next, header) = (self.next, found.header);
        if header.flags != 0 || header.length != 0 {
            self.fault(found.offset, "is a mark with more in it than a mark");
        }
        let is_expected = std::mem::take(&mut self.is_behind_broken) && marked > next;
        if marked != next && !is_expected {
            let what = format!("is a mark of record {marked}, where record {next} should follow");
            self.fault(found.offset, what);
        }
        self.next = marked.max(next);
    }

    fn record(&mut self, found: &Found) {
        let sequence = self.next;
        let leaf = tree::leaf_hash(self.cursor.body(found));
        let signed = (sequence < self.job.size()).then(|| self.leaves.get(sequence));
        let is_as_signed = match signed {
            None => {
                self.read.records.unsigned += 1;
                true
            }
            Some(Some(signed)) if signed == leaf => {
                self.read.records.intact += 1;
                true
            }
            Some(Some(_)) => {
                self.read.records.changed += 1;
                self.fault(
                    found.offset,
                    "is a record that is not the one that was signed",
                );
                false
            }
            // The tile is a fault of its own.
            Some(None) => false,
        };
        if !entry::fits(&found.header, self.cursor.body(found)) {
            let what =
                "is a record whose header says something else, or that comes from a newer version";
            self.fault(found.offset, what);
        } else if is_as_signed {
            self.take_note(found);
        }
        match self.read.runs.last_mut() {
            Some(run) if run.1 == sequence => run.1 += 1,
            _ => self.read.runs.push((sequence, sequence + 1)),
        }
        self.next += 1;
    }

    /// Keeps of a record what other parts of the verification need.
    fn take_note(&mut self, found: &Found) {
        let (header, sequence) = (&found.header, self.next);
        let body = self.cursor.body(found);
        if let Some(payload) = self.finder.named_by(header, body) {
            let name = (header.id, *payload.commitment.as_bytes());
            let named = Named {
                sequence,
                bytes: payload.bytes,
            };
            self.names.entry(name).or_insert(named);
            return;
        }
        if !matches!(header.kind, RELEASE | DEPLOYMENT | ERASURE | RETIREMENT) {
            return;
        }
        // It was read a moment ago, to compare it with its header.
        match serde_json::from_slice(body) {
            Ok(Record::Erasure(erasure)) => self.read.erasures.push(*erasure),
            Ok(Record::Retirement(retirement)) => self.read.retirements.push(*retirement),
            Ok(Record::Deployment(deployment)) => {
                self.read
                    .deployed
                    .entry(deployment.release)
                    .or_insert(sequence);
            }
            Ok(Record::Release(release)) => {
                let manifest = manifest_in(body);
                self.read.releases.push((release.id, manifest, sequence));
            }
            _ => {}
        }
    }

    /// Tells of broken bytes and goes on at the next mark. False if there is none.
    fn over_broken(&mut self) -> io::Result<bool> {
        let begin = self.cursor.offset();
        let is_written = self.job.is_written(self.read.first) && self.next >= self.job.size();
        if is_written {
            return Ok(false);
        }
        if let Some(mark) = self.cursor.resync(Some(MARK))? {
            self.fault(
                begin,
                format!("are {} bytes that were changed", mark - begin),
            );
            self.cursor.seek(mark);
            self.is_behind_broken = true;
            return Ok(true);
        }
        let rest = self.cursor.rest()?;
        if rest > 0 {
            let what = format!(
                "are {rest} bytes that were changed, or that a crash left: the next start cuts those off"
            );
            self.fault(begin, what);
        }
        Ok(false)
    }
}

/// The manifest in the record of a release, as it stands there.
fn manifest_in(body: &[u8]) -> serde_json::Value {
    let mut record: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    record["record"]["manifest"].take()
}

/// Looks at the index beside a segment that has ended.
fn check_index(job: &Job, read: &mut SegmentRead) -> Result<(), AuditError> {
    let Some(next) = job.next_segment(read.first) else {
        return Ok(());
    };
    let path = job.layout.index(read.first);
    if !path.exists() {
        if job.layout.segment(read.first).exists() {
            let what = "is missing: the next start may make it again";
            read.faults.add(Fault::missing(job.name(&path), what));
        }
        return Ok(());
    }
    let text = folder::read_text(&path)?.unwrap_or_default();
    // The checksum's digits have no checksum: the whole file must be as it is written.
    let fits = SegmentIndex::parse(&text).is_some_and(|index| {
        (index.first, index.end) == (read.first, next) && index.to_text() == text
    });
    if !fits {
        let what = "was changed, or is another segment's";
        read.faults.add(Fault::changed(job.name(&path), what));
    }
    Ok(())
}

/// The payloads that the records of a segment name, read again.
pub(crate) fn names_again(job: &Job, first: u64) -> Result<Names, AuditError> {
    let mut names = Names::new();
    let mut ignored = Faults::default();
    let Some((file, _)) = open(job, (FileKind::Segment, first), &mut ignored)? else {
        return Ok(names);
    };
    let finder = PayloadFinder::new();
    let path = job.layout.segment(first);
    let mut scan = crate::scan::Scan::new(file, first);
    loop {
        match scan.event().map_err(JournalError::io("read", &path))? {
            crate::scan::Event::Record(sequence, found) => {
                let Some(payload) = finder.named_by(&found.header, scan.body(&found)) else {
                    continue;
                };
                let name = (found.header.id, *payload.commitment.as_bytes());
                if let Entry::Vacant(entry) = names.entry(name) {
                    entry.insert(Named {
                        sequence,
                        bytes: payload.bytes,
                    });
                }
            }
            crate::scan::Event::Damage(_) => {}
            crate::scan::Event::End | crate::scan::Event::Torn => return Ok(names),
        }
    }
}
