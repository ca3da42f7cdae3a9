//! The audit log as others see it, while the journal is open.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use plimsoll_core::Clock;

use super::board::{AuditStatus, Board};
use super::checkpoint::Checkpoint;
use super::error::AuditError;
use super::feed::Feed;
use super::folder::Folder;
use super::keeper::Setup;
use crate::config::AuditConfig;
use crate::disk::Disk;
use crate::error::JournalError;
use crate::queue::Queue;
use crate::segment::Layout;

/// Checkpoints are never farther apart while there is something new.
const EVERY_MAX: Duration = Duration::from_secs(10);
const EVERY_MIN: Duration = Duration::from_millis(10);

/// The running audit log of a journal.
#[derive(Debug)]
pub struct AuditLog {
    queue: Arc<Queue>,
    feed: Arc<Feed>,
    board: Arc<Board>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl AuditLog {
    /// Starts the log over the journal in `root`.
    pub(crate) fn start(
        config: AuditConfig,
        root: &Path,
        queue: &Arc<Queue>,
        disk: &Arc<dyn Disk>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, JournalError> {
        let (board, feed) = (Arc::<Board>::default(), Arc::<Feed>::default());
        let folder = Folder::new(root);
        let setup = Setup {
            disk: Arc::clone(disk),
            clock: Arc::clone(clock),
            layout: Layout::new(root),
            folder: folder.clone(),
            queue: Arc::clone(queue),
            feed: Arc::clone(&feed),
            board: Arc::clone(&board),
            origin: config.origin,
            every: config.every.clamp(EVERY_MIN, EVERY_MAX),
            copy_to: config.copy_to,
        };
        let thread = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || setup.run())
            .map_err(JournalError::io("start a thread for", folder.path()))?;
        Ok(Self {
            queue: Arc::clone(queue),
            feed,
            board,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Where the writer puts the leaves of what it committed.
    pub(crate) fn feed(&self) -> Arc<Feed> {
        Arc::clone(&self.feed)
    }

    /// How the log stands.
    pub fn status(&self) -> AuditStatus {
        self.board
            .status(self.queue.committed(), self.feed.dropped())
    }

    /// The newest checkpoint if it covers `leaves` leaves, else the next one that does: it is signed at
    /// once. Blocks: not for an async task's own thread.
    ///
    /// # Errors
    /// [`AuditError::Ahead`] if so many records are not on disk; if the log has stopped; if this try
    /// fails, in which case the log itself goes on trying.
    pub fn checkpoint(&self, leaves: u64) -> Result<Checkpoint, AuditError> {
        let size = self.queue.committed();
        if leaves > size {
            let sequence = leaves - 1;
            return Err(AuditError::Ahead { sequence, size });
        }
        self.feed.want(leaves);
        self.board.wait_for(leaves)
    }

    /// How many leaves are under a checkpoint: records from there on must not be let go.
    pub(crate) fn signed(&self) -> u64 {
        self.board.size()
    }

    /// Signs what there is and ends, once the writer has ended.
    pub(crate) fn close(&self) {
        self.feed.close();
        if let Some(thread) = self.thread.lock().take() {
            // A thread that panicked has told who waited.
            thread.join().ok();
        }
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.close();
    }
}
