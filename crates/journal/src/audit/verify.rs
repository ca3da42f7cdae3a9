//! Verification of a whole data folder from its files and a public key alone: every byte of segments and
//! payload files, every tile, every blob, and all older checkpoints.
//!
//! The steps are those of `docs/reference/audit-log.md`, section Verification. What is wrong becomes a
//! fault of the report; an error is only what keeps it from looking.

mod authority;
mod blobs;
mod crew;
mod entry;
mod history;
mod payloads;
mod report;
mod segment;
mod tiles;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use super::checkpoint::Checkpoint;
use super::error::AuditError;
use super::folder::Folder;
use super::note::VerifierKey;
use super::prove;
use super::tiles::{Partial, TileNodes};
use crate::keys::KeyRing;
use crate::lock;
use crate::segment::Layout;

pub use report::{Fault, FaultKind, PayloadCounts, RecordCounts, VerificationReport};

use authority::Authority;
use crew::{Found, Task};
use report::Faults;

/// What to verify against.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// The log's public key, had from elsewhere; without it that of the folder is taken, which proves
    /// only that the folder agrees with itself.
    pub key: Option<VerifierKey>,
    /// A checkpoint of the log that was kept elsewhere: the tree must begin with it.
    pub against: Option<String>,
}

/// What all parts of a verification know.
#[derive(Debug)]
struct Job {
    root: PathBuf,
    layout: Layout,
    folder: Folder,
    key: VerifierKey,
    checkpoint: Checkpoint,
    /// The partial tiles of the checkpoint: a running node takes them away once it has signed another.
    partial: Partial,
    keys: KeyRing,
    /// The segments, by their first sequences, ascending.
    segments: Vec<u64>,
    /// The payload files, as above.
    payload_files: Vec<u64>,
    /// Whether a node is writing meanwhile.
    is_live: bool,
    /// How many bytes were read.
    done: AtomicU64,
}

impl Job {
    fn new(root: &Path, options: &VerifyOptions) -> Result<(Self, Faults), AuditError> {
        let key = match &options.key {
            Some(key) => key.clone(),
            None => prove::verifier_key(root)?,
        };
        let layout = Layout::new(root);
        let is_live = lock::is_held(&layout.lock());
        let folder = Folder::new(root);
        // The checkpoint is read before the journal is: it covers nothing that is not there then.
        let (checkpoint, partial, faults) = tiles::newest(root, &folder, &key)?;
        let job = Self {
            root: root.to_owned(),
            folder,
            partial,
            keys: KeyRing::new(layout.keys()),
            segments: layout.segments()?,
            payload_files: layout.payload_files()?,
            layout,
            key,
            checkpoint,
            is_live,
            done: AtomicU64::new(0),
        };
        Ok((job, faults))
    }

    fn size(&self) -> u64 {
        self.checkpoint.size()
    }

    /// The first sequence of the segment behind this one; none if it is the last.
    fn next_segment(&self, first: u64) -> Option<u64> {
        let behind = self.segments.partition_point(|segment| *segment <= first);
        self.segments.get(behind).copied()
    }

    /// Whether a node may be writing the end of this file: then it is read as far as it is whole.
    fn is_written(&self, first: u64) -> bool {
        self.is_live && self.next_segment(first).is_none()
    }

    /// The nodes of the tree.
    fn nodes(&self) -> TileNodes<'_> {
        TileNodes::with(&self.folder, self.size(), self.partial.clone())
    }

    /// A path as it is told: from the data folder on.
    fn name(&self, path: &Path) -> String {
        name_in(&self.root, path)
    }
}

fn name_in(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.display().to_string()
}

/// Verifies the data folder `root`, also while its node is running. `progress` is told now and then how
/// many bytes were read, and of how many.
///
/// # Errors
/// [`AuditError::NoLog`] if there is no log; [`AuditError::Checkpoint`] if its checkpoint is not signed by
/// its key, without which there is nothing to verify by; if files cannot be read.
pub fn verify(
    root: &Path,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<VerificationReport, AuditError> {
    let (job, mut faults) = Job::new(root, options)?;
    history::own_lines(&job, &mut faults)?;
    let tasks = tasks(&job)?;
    let Found {
        rows,
        segments,
        orphaned,
        blobs,
        faults: seen,
    } = crew::work(&job, &tasks, progress)?;
    faults.absorb(seen);

    tiles::check(&job, rows, &mut faults);
    let authority = Authority::of(&job, &segments, &mut faults)?;
    let records = authority::records(&job, &segments, &authority, &mut faults);
    let payloads = payloads::settle(&job, (&segments, &orphaned), &authority, &mut faults)?;
    let releases = blobs::releases(&job, &segments, &mut faults)?;
    let history = history::check(&job, &mut faults)?;
    let consistent_with = match &options.against {
        Some(against) => history::against(&job, against, &mut faults)?,
        None => None,
    };
    let (faults, fault_count) = faults.told();
    Ok(VerificationReport {
        origin: job.key.origin().to_owned(),
        size: job.size(),
        root: job.checkpoint.root(),
        checkpoint_at: job.checkpoint.at(),
        minimum: authority.minimum,
        payload_minimum: authority.payload_minimum,
        records,
        payloads,
        blobs,
        releases,
        history,
        faults,
        fault_count,
        consistent_with,
    })
}

/// Everything that can be looked at on its own.
fn tasks(job: &Job) -> Result<Vec<Task>, AuditError> {
    let segments = job.segments.iter().map(|first| Task::Segment(*first));
    let orphaned = job.payload_files.iter().copied();
    let orphaned = orphaned.filter(|first| job.segments.binary_search(first).is_err());
    let mut tasks: Vec<Task> = segments.chain(orphaned.map(Task::Payloads)).collect();
    tasks.extend(tiles::tasks(job.size()));
    tasks.extend(blobs::tasks(job)?);
    Ok(tasks)
}
