//! Reads payload files, and settles what became of payloads that records name and that are not there.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::Ordering;

use plimsoll_core::DecisionId;
use plimsoll_core::decision::PayloadRef;

use super::super::error::AuditError;
use super::Job;
use super::authority::Authority;
use super::report::{Fault, Faults, PayloadCounts};
use super::segment::{self, Absent, Name, Named, Names, SegmentRead};
use crate::cursor::{Cursor, Found, Step};
use crate::error::JournalError;
use crate::frame::{HEADER_BYTES, PAYLOAD_MAGIC};
use crate::payload_frame::{self, ERASED, ERASED_BYTES_MIN, SEALED};
use crate::payload_index::{self, Entry};
use crate::segment::{FILE_HEADER_BYTES, FileKind};

/// What a payload file holds.
#[derive(Debug, Default)]
pub(crate) struct PayloadsRead {
    pub counts: PayloadCounts,
    /// The payloads that are erased, and where their frames lie: whether by authority is settled later.
    pub erased: Vec<(Name, u64)>,
    /// The payloads that are named and have no frame here.
    pub absent: Absent,
    /// The node in the file's header.
    pub node: Option<String>,
}

/// Reads the payload file of a segment whose records name `names`.
pub(crate) fn read(
    job: &Job,
    first: u64,
    names: Names,
    faults: &mut Faults,
) -> Result<PayloadsRead, AuditError> {
    let mut read = PayloadsRead::default();
    let Some((file, header)) = segment::open(job, (FileKind::Payloads, first), faults)? else {
        read.absent = Absent::All {
            count: names.len() as u64,
            last: names
                .values()
                .map(|named| named.sequence)
                .max()
                .unwrap_or(0),
        };
        check_index(job, first, &[], faults)?;
        return Ok(read);
    };
    read.node = header.map(|header| header.node);
    let mut pass = Pass {
        job,
        first,
        cursor: Cursor::new(file, PAYLOAD_MAGIC, FILE_HEADER_BYTES),
        names,
        found: HashSet::new(),
        entries: Vec::new(),
        read,
        faults,
    };
    let path = job.layout.payload(first);
    pass.run().map_err(JournalError::io("read", &path))?;
    let Pass {
        mut names,
        found,
        mut entries,
        mut read,
        ..
    } = pass;
    names.retain(|name, _| !found.contains(name));
    read.absent = Absent::Some(names);
    entries.sort_unstable();
    check_index(job, first, &entries, faults)?;
    Ok(read)
}

struct Pass<'a> {
    job: &'a Job,
    first: u64,
    cursor: Cursor,
    names: Names,
    /// Those of `names` that have a frame.
    found: HashSet<Name>,
    entries: Vec<Entry>,
    read: PayloadsRead,
    faults: &'a mut Faults,
}

impl Pass<'_> {
    fn run(&mut self) -> io::Result<()> {
        let mut told = 0;
        loop {
            match self.cursor.step()? {
                Step::Frame(found) => self.frame(&found),
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
        Ok(())
    }

    fn place(&self, offset: u64) -> String {
        place(self.job, self.first, offset)
    }

    fn changed(&mut self, found: &Found, what: impl Into<String>) {
        self.read.counts.changed += 1;
        let fault = Fault::changed(self.place(found.offset), what);
        self.faults.add(fault.of_decision(found.header.id));
    }

    fn frame(&mut self, found: &Found) {
        self.entries.push((found.header.id, found.offset));
        let body = self.cursor.body(found);
        let Some(commitment) = payload_frame::commitment_of(body) else {
            return self.changed(found, "is a frame that holds no payload");
        };
        let name = (found.header.id, *commitment.as_bytes());
        let named = self.names.get(&name).copied();
        if named.is_some() {
            self.found.insert(name);
        }
        match found.header.kind {
            SEALED => self.sealed(found, named),
            ERASED if is_laid_out_as_erased(found, body) => {
                self.read.erased.push((name, found.offset));
            }
            ERASED => self.changed(found, "is an erased payload with something in it"),
            _ => self.changed(found, "is a frame of an unknown kind"),
        }
    }

    fn sealed(&mut self, found: &Found, named: Option<Named>) {
        let body = self.cursor.body(found);
        let id = DecisionId::from_bytes(found.header.id);
        let commitment = payload_frame::commitment_of(body);
        let bytes = payload_frame::payload_bytes(body);
        let (Some(commitment), Some(bytes)) = (commitment, bytes) else {
            return self.changed(found, "is not laid out as a payload");
        };
        if found.header.flags != 0 || named.is_some_and(|named| named.bytes != bytes) {
            return self.changed(found, "does not have the length that its record says");
        }
        let reference = PayloadRef { commitment, bytes };
        match payload_frame::open(body, &self.job.keys, id, &reference) {
            Ok(_) => self.read.counts.intact += 1,
            Err(JournalError::Key { path, .. }) if !path.exists() => {
                self.read.counts.unreadable += 1;
            }
            Err(error) => self.changed(found, format!("is not what was kept: {error}")),
        }
    }

    /// Tells of broken bytes and goes on at the next whole frame. False if there is none.
    fn over_broken(&mut self) -> io::Result<bool> {
        let begin = self.cursor.offset();
        let next = self.cursor.resync(None)?;
        if next.is_none() && self.job.is_written(self.first) {
            return Ok(false);
        }
        let bytes = match next {
            Some(next) => next - begin,
            None => self.cursor.rest()?,
        };
        if bytes > 0 {
            let what = format!("are {bytes} bytes that were changed, or that a crash left");
            let fault = Fault::changed(self.place(begin), what);
            self.faults.add(fault);
        }
        let Some(next) = next else {
            return Ok(false);
        };
        self.cursor.seek(next);
        Ok(true)
    }
}

fn place(job: &Job, first: u64, offset: u64) -> String {
    format!("{} at {offset}", job.name(&job.layout.payload(first)))
}

fn is_laid_out_as_erased(found: &Found, body: &[u8]) -> bool {
    let rest = &body[ERASED_BYTES_MIN - HEADER_BYTES..];
    found.header.flags == 0 && rest.iter().all(|byte| *byte == 0)
}

/// Looks at the index beside a payload file whose segment has ended, and whose frames are `entries`.
fn check_index(
    job: &Job,
    first: u64,
    entries: &[Entry],
    faults: &mut Faults,
) -> Result<(), AuditError> {
    if job.next_segment(first).is_none() {
        return Ok(());
    }
    let path = job.layout.payload_index(first);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !entries.is_empty() {
                faults.add(Fault::missing(job.name(&path), "is missing"));
            }
            return Ok(());
        }
        Err(error) => return Err(AuditError::io("read", &path)(error)),
    };
    let indexed = payload_index::entries(&bytes);
    if indexed.as_deref() != Some(entries) {
        let what = "does not say where the payloads lie: it was changed";
        faults.add(Fault::changed(job.name(&path), what));
    }
    Ok(())
}

/// Settles what became of erased payloads, and of payloads that are named and not there.
pub(crate) fn settle(
    job: &Job,
    (segments, orphaned): (&[SegmentRead], &[(u64, PayloadsRead)]),
    authority: &Authority,
    faults: &mut Faults,
) -> Result<PayloadCounts, AuditError> {
    let mut counts = PayloadCounts::default();
    let own = segments.iter().map(|read| (read.first, &read.payloads));
    let all = own.chain(orphaned.iter().map(|(first, read)| (*first, read)));
    for (first, read) in all {
        counts.add(&read.counts);
        for (name, offset) in &read.erased {
            if authority.erased.contains(&name.0) {
                counts.erased += 1;
                continue;
            }
            counts.changed += 1;
            let what = "was erased, and no record says by which authority";
            let fault = Fault::unauthorized(place(job, first, *offset), what);
            faults.add(fault.of_decision(name.0));
        }
    }
    counts.to_erase = still_there(job, authority)?.saturating_sub(counts.erased);
    let mut absent = Vec::new();
    for read in segments {
        match &read.payloads.absent {
            Absent::All { count, last } if *last < authority.payload_minimum || *count == 0 => {
                counts.let_go += count;
            }
            Absent::All { .. } => absent.extend(segment::names_again(job, read.first)?),
            Absent::Some(names) => absent.extend(names.iter().map(|(name, at)| (*name, *at))),
        }
    }
    settle_absent(job, absent, authority, (&mut counts, faults))?;
    Ok(counts)
}

/// How many frames there are, erased or not, of decisions that an erasure names.
fn still_there(job: &Job, authority: &Authority) -> Result<u64, AuditError> {
    let mut count = 0;
    let mut wanted: Vec<[u8; 16]> = authority.erased.iter().copied().collect();
    wanted.sort_unstable();
    if wanted.is_empty() {
        return Ok(count);
    }
    for first in job.payload_files.iter().copied() {
        let index = std::fs::read(job.layout.payload_index(first)).unwrap_or_default();
        if let Some(entries) = payload_index::entries_of(&index, &wanted) {
            count += entries.len() as u64;
            continue;
        }
        each_frame(job, first, |frame, _| {
            count += u64::from(authority.erased.contains(&frame.header.id));
        })?;
    }
    Ok(count)
}

/// Settles payloads that have no frame in the payload file of the segment whose record names them.
fn settle_absent(
    job: &Job,
    mut absent: Vec<(Name, Named)>,
    authority: &Authority,
    (counts, faults): (&mut PayloadCounts, &mut Faults),
) -> Result<(), AuditError> {
    if absent.is_empty() {
        return Ok(());
    }
    let wanted: HashSet<Name> = absent.iter().map(|(name, _)| *name).collect();
    let elsewhere = frames_of(job, &wanted)?;
    absent.retain(|(name, _)| !elsewhere.contains(name));
    let first_named = named_before(job, &absent, authority.payload_minimum)?;
    absent.sort_unstable_by_key(|(_, named)| named.sequence);
    for (name, named) in absent {
        let sequence = first_named.get(&name).copied().unwrap_or(named.sequence);
        if sequence < authority.payload_minimum {
            counts.let_go += 1;
        } else if authority.erased.contains(&name.0) {
            counts.erased += 1;
        } else {
            counts.missing += 1;
            let place = format!("the payload of record {}", named.sequence);
            let fault = Fault::missing(place, "is not kept any more, and no record says why");
            faults.add(fault.of_record(named.sequence).of_decision(name.0));
        }
    }
    Ok(())
}

/// Those of `wanted` that have a frame in any payload file: a later record may name a payload again.
fn frames_of(job: &Job, wanted: &HashSet<Name>) -> Result<HashSet<Name>, AuditError> {
    let mut found = HashSet::new();
    for first in job.payload_files.iter().copied() {
        each_frame(job, first, |frame, body| {
            let commitment = payload_frame::commitment_of(body);
            let name = commitment.map(|own| (frame.header.id, *own.as_bytes()));
            found.extend(name.filter(|name| wanted.contains(name)));
        })?;
    }
    Ok(found)
}

/// Reads the whole frames of a payload file once more.
fn each_frame(
    job: &Job,
    first: u64,
    mut look: impl FnMut(&Found, &[u8]),
) -> Result<(), AuditError> {
    let mut ignored = Faults::default();
    let Some((file, _)) = segment::open(job, (FileKind::Payloads, first), &mut ignored)? else {
        return Ok(());
    };
    let path = job.layout.payload(first);
    let mut cursor = Cursor::new(file, PAYLOAD_MAGIC, FILE_HEADER_BYTES);
    let mut read = || -> io::Result<()> {
        loop {
            match cursor.step()? {
                Step::Frame(frame) => look(&frame, cursor.body(&frame)),
                Step::End => return Ok(()),
                Step::Broken => match cursor.resync(None)? {
                    Some(next) => cursor.seek(next),
                    None => return Ok(()),
                },
            }
        }
    };
    Ok(read().map_err(JournalError::io("read", &path))?)
}

/// Which records before `minimum` name payloads of `absent` first.
fn named_before(
    job: &Job,
    absent: &[(Name, Named)],
    minimum: u64,
) -> Result<HashMap<Name, u64>, AuditError> {
    let late = absent.iter().filter(|(_, named)| named.sequence >= minimum);
    let late: HashSet<Name> = late.map(|(name, _)| *name).collect();
    let mut named = HashMap::new();
    if late.is_empty() {
        return Ok(named);
    }
    for first in job
        .segments
        .iter()
        .copied()
        .filter(|first| *first < minimum)
    {
        for (name, at) in segment::names_again(job, first)? {
            if late.contains(&name) {
                named.entry(name).or_insert(at.sequence);
            }
        }
    }
    Ok(named)
}
