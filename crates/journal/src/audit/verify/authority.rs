//! What was taken away by authority: the records that say so, and whether what is published agrees.

use std::collections::HashSet;

use super::super::error::AuditError;
use super::super::tree::EMPTY_LEAF;
use super::Job;
use super::report::{Fault, Faults, RecordCounts};
use super::segment::SegmentRead;
use super::tiles::Leaves;
use crate::retention;

/// Up to where records and payloads may be gone, and of which decisions payloads may be erased.
#[derive(Debug, Default)]
pub(crate) struct Authority {
    pub minimum: u64,
    pub payload_minimum: u64,
    pub erased: HashSet<[u8; 16]>,
}

impl Authority {
    /// Gathers what the records of `segments` authorize.
    pub(crate) fn of(
        job: &Job,
        segments: &[SegmentRead],
        faults: &mut Faults,
    ) -> Result<Self, AuditError> {
        let retirements = || segments.iter().flat_map(|read| &read.retirements);
        let before_the_log = empty_beginning(job, segments);
        let minimum = retirements().map(|retirement| retirement.minimum);
        let minimum = minimum.max().unwrap_or(0).max(before_the_log);
        let payload_minimum = retirements().map(|retirement| retirement.payload_minimum);
        let payload_minimum = payload_minimum.max().unwrap_or(0).max(minimum);

        let path = job.layout.minimum();
        match retention::published(&job.layout) {
            Err(error) => {
                let what = format!("cannot be read: {error}");
                faults.add(Fault::changed(job.name(&path), what));
            }
            Ok(kept) => {
                let authorized = (kept.minimum, kept.payload_minimum);
                let said = retirements().any(|retirement| {
                    (retirement.minimum, retirement.payload_minimum) == authorized
                });
                if !said && kept.payload_minimum > before_the_log {
                    let what = "publishes what no record says was let go";
                    faults.add(Fault::unauthorized(job.name(&path), what));
                }
                if let Some(first) = job.segments.first().copied()
                    && first > kept.minimum
                    && first <= minimum
                {
                    let what = format!("does not say that records before {first} were let go");
                    faults.add(Fault::missing(job.name(&path), what));
                }
            }
        }
        let erasures = segments.iter().flat_map(|read| &read.erasures);
        let erased = erasures.flat_map(|erasure| &erasure.decisions);
        Ok(Self {
            minimum,
            payload_minimum,
            erased: erased.map(|decision| decision.to_bytes()).collect(),
        })
    }
}

/// How many leaves the tree begins with that are empty: their records were let go before there was a log.
fn empty_beginning(job: &Job, segments: &[SegmentRead]) -> u64 {
    let first = segments.iter().find_map(|read| read.runs.first());
    let end = first.map_or(0, |run| run.0).min(job.size());
    let mut leaves = Leaves::new(job);
    let empty = (0..end).take_while(|at| leaves.get(*at) == Some(EMPTY_LEAF));
    empty.count() as u64
}

/// Counts the records, and tells of those under the checkpoint that are not there.
pub(crate) fn records(
    job: &Job,
    segments: &[SegmentRead],
    authority: &Authority,
    faults: &mut Faults,
) -> RecordCounts {
    let mut counts = RecordCounts::default();
    for read in segments {
        counts.intact += read.records.intact;
        counts.unsigned += read.records.unsigned;
        counts.changed += read.records.changed;
    }
    let runs = segments.iter().flat_map(|read| &read.runs);
    let size = job.size();
    let mut next = 0;
    for (first, end) in runs.copied().chain([(size, size)]) {
        let gap = (next, first.min(size));
        if gap.0 < gap.1 {
            let gone = authority.minimum.clamp(gap.0, gap.1);
            counts.let_go += gone - gap.0;
            counts.missing += gap.1 - gone;
            if gone < gap.1 {
                faults.add(missing(gone, gap.1));
            }
        }
        next = next.max(end);
    }
    check_nodes(job, segments, faults);
    counts
}

fn missing(first: u64, end: u64) -> Fault {
    let last = end - 1;
    let (place, what) = if first == last {
        (format!("record {first}"), "is signed, and is not there")
    } else {
        (
            format!("records {first} to {last}"),
            "are signed, and are not there",
        )
    };
    Fault::missing(place, what).of_record(first)
}

/// All files are of one node.
fn check_nodes(job: &Job, segments: &[SegmentRead], faults: &mut Faults) {
    let own = segments.iter().find_map(|read| read.node.as_deref());
    for read in segments {
        let files = [
            (job.layout.segment(read.first), &read.node),
            (job.layout.payload(read.first), &read.payloads.node),
        ];
        for (path, node) in files {
            if node.is_some() && node.as_deref() != own {
                let what = "was written by another node than the first segment";
                faults.add(Fault::changed(job.name(&path), what));
            }
        }
    }
}
