//! What a verification found.

use std::fmt;

use plimsoll_core::{DecisionId, Digest, Timestamp};
use serde::Serialize;

/// No more faults than this are told one by one.
const TOLD_MAX: usize = 1000;

/// What a verification found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct VerificationReport {
    /// Which log.
    pub origin: String,
    /// How many leaves the checked tree has.
    pub size: u64,
    /// Its root.
    pub root: Digest,
    /// When its checkpoint was signed.
    pub checkpoint_at: Option<Timestamp>,
    /// The first sequence whose record is kept.
    pub minimum: u64,
    /// The first sequence whose payload is kept.
    pub payload_minimum: u64,
    /// The records.
    pub records: RecordCounts,
    /// The payloads.
    pub payloads: PayloadCounts,
    /// How many blobs have the bytes that their names say.
    pub blobs: u64,
    /// How many releases have their manifest and all its parts.
    pub releases: u64,
    /// How many older checkpoints the tree was held against.
    pub history: u64,
    /// What is wrong: at most the first thousand.
    pub faults: Vec<Fault>,
    /// How many things are wrong.
    pub fault_count: u64,
    /// The size of the checkpoint that was kept elsewhere, if the tree begins with it.
    pub consistent_with: Option<u64>,
}

impl VerificationReport {
    /// Whether nothing is wrong.
    pub const fn passed(&self) -> bool {
        self.fault_count == 0
    }
}

/// How many records there are of which kind.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub struct RecordCounts {
    /// There, and what was signed.
    pub intact: u64,
    /// There, and not yet under a checkpoint.
    pub unsigned: u64,
    /// No longer there, by authority.
    pub let_go: u64,
    /// No longer there, and nobody said so.
    pub missing: u64,
    /// There, and not what was signed.
    pub changed: u64,
}

/// How many payloads there are of which kind.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub struct PayloadCounts {
    /// There, and what was committed to.
    pub intact: u64,
    /// There, and its key is not: it is not known what is in it.
    pub unreadable: u64,
    /// Removed by authority.
    pub erased: u64,
    /// Let go with its file by authority.
    pub let_go: u64,
    /// Not there, and nobody said so.
    pub missing: u64,
    /// There, and not what was committed to; or removed, and nobody said so.
    pub changed: u64,
    /// Of those that are intact or unreadable, how many an erasure names: they are yet to be removed.
    pub to_erase: u64,
}

impl PayloadCounts {
    pub(crate) const fn add(&mut self, other: &Self) {
        self.intact += other.intact;
        self.unreadable += other.unreadable;
        self.erased += other.erased;
        self.let_go += other.let_go;
        self.missing += other.missing;
        self.changed += other.changed;
        self.to_erase += other.to_erase;
    }
}

/// What sort of thing is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Something is not there, and nobody with authority took it away.
    Missing,
    /// Bytes are not those that were written.
    Changed,
    /// Something was taken away or published without a record that says so.
    Unauthorized,
    /// The tree does not begin with one that was signed before.
    Rewritten,
}

impl FaultKind {
    /// The name, as it is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "MISSING",
            Self::Changed => "changed",
            Self::Unauthorized => "unauthorized",
            Self::Rewritten => "rewritten",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Fault {
    /// What sort of thing.
    pub kind: FaultKind,
    /// Where: a file of the data folder, with the offset if that is known.
    pub place: String,
    /// What is wrong there.
    pub what: String,
    /// The record that it is about.
    pub sequence: Option<u64>,
    /// The decision that it is about.
    pub decision: Option<DecisionId>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.kind.as_str(), self.place, self.what)
    }
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, place: String, what: impl Into<String>) -> Self {
        Self {
            kind,
            place,
            what: what.into(),
            sequence: None,
            decision: None,
        }
    }

    pub(crate) fn missing(place: String, what: impl Into<String>) -> Self {
        Self::new(FaultKind::Missing, place, what)
    }

    pub(crate) fn changed(place: String, what: impl Into<String>) -> Self {
        Self::new(FaultKind::Changed, place, what)
    }

    pub(crate) fn unauthorized(place: String, what: impl Into<String>) -> Self {
        Self::new(FaultKind::Unauthorized, place, what)
    }

    pub(crate) const fn of_record(mut self, sequence: u64) -> Self {
        self.sequence = Some(sequence);
        self
    }

    pub(crate) fn of_decision(mut self, id: [u8; 16]) -> Self {
        self.decision = Some(DecisionId::from_bytes(id));
        self
    }
}

/// Gathers faults, in bounded memory.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    told: Vec<Fault>,
    count: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.count += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(fault);
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        let room = TOLD_MAX - self.told.len();
        self.count += other.count;
        self.told.extend(other.told.into_iter().take(room));
    }

    /// The faults, and how many there are in all.
    pub(crate) fn told(self) -> (Vec<Fault>, u64) {
        (self.told, self.count)
    }
}
