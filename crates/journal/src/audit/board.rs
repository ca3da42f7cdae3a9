//! What others are told about the log: how far it is signed, and what is wrong.

use parking_lot::{Condvar, Mutex};
use plimsoll_core::{Digest, Timestamp};

use super::checkpoint::Checkpoint;
use super::error::AuditError;
use super::tree;

/// How an audit log stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditStatus {
    /// How many leaves the newest checkpoint covers.
    pub size: u64,
    /// Its root.
    pub root: Digest,
    /// When it was signed; none before the log has begun.
    pub checkpoint_at: Option<Timestamp>,
    /// How many records are on disk and not yet under a checkpoint.
    pub behind: u64,
    /// How many leaves did not fit into the buffer in memory, and were or are to be read from the
    /// journal instead.
    pub dropped: u64,
    /// Why the log has stopped for good, if it has. Serving goes on.
    pub defect: Option<String>,
    /// Why the last try to sign failed, if it did: it is repeated.
    pub failing: Option<String>,
    /// Why the second place has not the newest checkpoint, if it has not: it is repeated.
    pub copy_failing: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    checkpoint: Option<Checkpoint>,
    defect: Option<String>,
    failing: Option<String>,
    failures: u64,
    copy_failing: Option<String>,
    ended: bool,
}

/// Where the log's thread writes how it stands.
#[derive(Debug, Default)]
pub(crate) struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

impl Board {
    pub(crate) fn signed(&self, checkpoint: Checkpoint) {
        let mut state = self.state.lock();
        state.checkpoint = Some(checkpoint);
        state.failing = None;
        self.changed.notify_all();
    }

    pub(crate) fn failed(&self, why: String) {
        let mut state = self.state.lock();
        state.failing = Some(why);
        state.failures += 1;
        self.changed.notify_all();
    }

    /// Says that the log has stopped for good. What was said first stays.
    pub(crate) fn stopped(&self, why: String) {
        self.state.lock().defect.get_or_insert(why);
        self.changed.notify_all();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.state.lock().defect.is_some()
    }

    pub(crate) fn copied(&self, failing: Option<String>) {
        self.state.lock().copy_failing = failing;
    }

    /// Says that the thread is gone.
    pub(crate) fn ended(&self) {
        self.state.lock().ended = true;
        self.changed.notify_all();
    }

    /// How many leaves are signed.
    pub(crate) fn size(&self) -> u64 {
        self.state
            .lock()
            .checkpoint
            .as_ref()
            .map_or(0, Checkpoint::size)
    }

    /// Waits for a checkpoint of at least `leaves` leaves.
    pub(crate) fn wait_for(&self, leaves: u64) -> Result<Checkpoint, AuditError> {
        let mut state = self.state.lock();
        let failures = state.failures;
        loop {
            if let Some(checkpoint) = state.checkpoint.as_ref().filter(|at| at.size() >= leaves) {
                return Ok(checkpoint.clone());
            }
            if let Some(defect) = &state.defect {
                return Err(AuditError::Stopped(defect.clone()));
            }
            if state.ended {
                return Err(AuditError::Closed);
            }
            if let Some(why) = state.failing.as_ref().filter(|_| state.failures > failures) {
                return Err(AuditError::Failing(why.clone()));
            }
            self.changed.wait(&mut state);
        }
    }

    /// How the log stands, with `committed` records on disk.
    pub(crate) fn status(&self, committed: u64, dropped: u64) -> AuditStatus {
        let state = self.state.lock();
        let checkpoint = state.checkpoint.as_ref();
        let size = checkpoint.map_or(0, Checkpoint::size);
        let nothing = Digest::from_bytes(tree::root_over(&[]));
        AuditStatus {
            size,
            root: checkpoint.map_or(nothing, Checkpoint::root),
            checkpoint_at: checkpoint.and_then(Checkpoint::at),
            behind: committed.saturating_sub(size),
            dropped,
            defect: state.defect.clone(),
            failing: state.failing.clone(),
            copy_failing: state.copy_failing.clone(),
        }
    }
}
