//! The journal as others see it: open, append, wait, read, close.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use plimsoll_core::decision::PayloadRef;
use plimsoll_core::record::{RecordRef, Recovery};
use plimsoll_core::{Clock, DecisionId, NodeName, Record, TenantName};

use crate::audit::AuditLog;
use crate::config::{JournalConfig, Retention};
use crate::disk::{Disk, RealDisk};
use crate::error::{AppendError, Damage, JournalError};
use crate::frame::{self, BODY_BYTES_MAX, HEADER_BYTES};
use crate::keys::KeyRing;
use crate::lock::Lock;
use crate::payload_frame::{self, SealedPayload};
use crate::payloads::{Payloads, Writing};
use crate::queue::{Queue, Timing};
use crate::reader::Reader;
use crate::recovery;
use crate::retention::{self, RetentionLimits, Retirable, Retired};
use crate::segment::Layout;
use crate::ticket::Ticket;
use crate::waiting::{Outliving, Waiting};
use crate::writer::{Setup, Shared, Writer};

/// A journal that was opened, and what had to be done for it.
#[derive(Debug)]
pub struct Opened {
    /// The journal.
    pub journal: Journal,
    /// What a crash had left and recovery mended. It stands in the journal too, unless it is nothing.
    pub recovery: Recovery,
    /// What was found to be changed on disk and cannot be mended; readers step over it.
    pub damage: Vec<Damage>,
}

/// How the disk is.
#[derive(Clone, Debug)]
pub enum Health {
    /// It takes what it is given.
    Healthy,
    /// It refuses; what it would not take waits in memory, and is tried again at least once a second.
    Failing(AppendError),
}

/// Figures for metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Figures {
    /// Records appended, over the journal's life.
    pub appended: u64,
    /// Records on disk, over the journal's life.
    pub committed: u64,
    /// Bytes that wait for the disk.
    pub queued_bytes: usize,
    /// Commits since the journal was opened.
    pub commits: u64,
}

/// A journal open for writing: the only one of its folder. It is shared behind an `Arc`. Dropping it
/// writes what is left.
#[derive(Debug)]
pub struct Journal {
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    layout: Layout,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    disk: Arc<dyn Disk>,
    retention: Retention,
    minimum: AtomicU64,
    audit: Option<AuditLog>,
    /// Held by whoever overwrites or removes files: one at a time.
    changing: Arc<Mutex<()>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    _lock: Lock,
}

thread_local! {
    /// Where a thread's records are framed: hot after the first.
    static FRAME: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A frame buffer that grew beyond this is given back.
const KEPT_CAPACITY: usize = 1 << 20;

impl Journal {
    /// Opens the journal in `config.root`, which is made if it is not there, as the only writer.
    ///
    /// # Errors
    /// If another process has it, it is another node's or another version's, or the disk refuses.
    pub fn open(
        config: JournalConfig,
        node: NodeName,
        clock: Arc<dyn Clock>,
    ) -> Result<Opened, JournalError> {
        Self::open_on(Arc::new(RealDisk), config, node, clock)
    }

    /// As [`Journal::open`], writing by way of `disk`.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        config: JournalConfig,
        node: NodeName,
        clock: Arc<dyn Clock>,
    ) -> Result<Opened, JournalError> {
        let begun = clock.elapsed();
        let layout = Layout::new(&config.root);
        layout.create()?;
        let lock = Lock::take(&layout.lock())?;
        let mut found = recovery::recover(&layout, &node, &*disk, &*clock)?;

        let queue = Arc::new(Queue::new(found.tail.next, config.queue_bytes));
        let shared = Arc::new(Shared::default());
        shared
            .payloads
            .extend(found.tail.first, found.payloads.drain(..));
        let audit = config
            .audit
            .map(|audit| AuditLog::start(audit, &config.root, &queue, &disk, &clock))
            .transpose()?;
        let setup = Setup {
            disk: Arc::clone(&disk),
            layout: layout.clone(),
            queue: Arc::clone(&queue),
            shared: Arc::clone(&shared),
            clock: Arc::clone(&clock),
            node,
            segment_bytes: config.segment_bytes,
            feed: audit.as_ref().map(AuditLog::feed),
        };
        let writer = Writer::start(setup, found.tail)
            .map_err(|(doing, error)| JournalError::io(doing, &layout.journal)(error))?;
        let minimum = layout.segments()?.first().copied().unwrap_or(0);
        let timing = Timing::new(config.linger, config.buffered_window);
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run(timing))
            .map_err(JournalError::io("start a thread for", &layout.journal))?;
        let journal = Self {
            queue,
            shared,
            keys: Arc::new(KeyRing::new(layout.keys())),
            layout,
            clock,
            disk,
            retention: config.retention,
            minimum: AtomicU64::new(minimum),
            audit,
            changing: Arc::default(),
            thread: Mutex::new(Some(thread)),
            _lock: lock,
        };

        let mut recovery = found.recovery;
        for opened in found.orphans {
            journal.append_blocking(&recovery::close_orphan(opened, &*journal.clock))?;
        }
        let took = journal.clock.elapsed().saturating_sub(begun);
        recovery.micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        recovery.at = Some(journal.clock.now());
        if recovery.torn_bytes > 0 || recovery.orphans > 0 {
            let record = Record::Recovery(Box::new(recovery.clone()));
            let ticket = journal.append_blocking(&record)?;
            ticket.wait().map_err(JournalError::Recovery)?;
        }
        Ok(Opened {
            journal,
            recovery,
            damage: found.damage,
        })
    }

    /// Encrypts a payload for the decision `id` of `tenant`, and commits to it: the reference goes into
    /// the decision's record, the sealed payload to [`Journal::append`] with that record.
    ///
    /// # Errors
    /// If it is larger than 16 MiB, or the tenant's key of this month cannot be read or made.
    pub fn seal(
        &self,
        tenant: &TenantName,
        id: DecisionId,
        payload: &[u8],
    ) -> Result<(PayloadRef, SealedPayload), JournalError> {
        let (month, key) = self.keys.current(tenant, self.clock.now())?;
        payload_frame::seal(tenant, (month, &key), id, payload)
    }

    /// Appends a record, and its payload if it has one, without waiting. It is on disk within the
    /// buffered window, or when [`Ticket::durable`] says so.
    ///
    /// # Errors
    /// [`AppendError::QueueFull`] if the disk does not keep up; nothing was appended then.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a sealed payload is appended once: its nonce must not be used again"
    )]
    pub fn append<'r>(
        &self,
        record: impl Into<RecordRef<'r>>,
        payload: Option<SealedPayload>,
    ) -> Result<Ticket, AppendError> {
        self.append_by(Queue::push, record.into(), payload.as_ref())
    }

    /// As [`Journal::append`], for a record that nobody can wait with any more: a full queue keeps some room
    /// beyond its bound for these.
    ///
    /// # Errors
    /// [`AppendError::QueueFull`] if that room is taken too.
    pub fn append_last<'r>(&self, record: impl Into<RecordRef<'r>>) -> Result<Ticket, AppendError> {
        self.append_by(Queue::push_last, record.into(), None)
    }

    fn append_by(
        &self,
        push: impl FnOnce(&Queue, &[u8], Option<&[u8]>) -> Result<u64, AppendError>,
        record: RecordRef<'_>,
        payload: Option<&SealedPayload>,
    ) -> Result<Ticket, AppendError> {
        FRAME.with_borrow_mut(|frame| {
            encode(frame, record)?;
            let sequence = push(&self.queue, frame, payload.map(SealedPayload::frame));
            if frame.capacity() > KEPT_CAPACITY {
                *frame = Vec::new();
            }
            Ok(Ticket::new(Arc::clone(&self.queue), sequence?))
        })
    }

    /// As [`Journal::append`], but waits while the queue is full.
    ///
    /// # Errors
    /// As [`Journal::append`], but for [`AppendError::QueueFull`].
    pub async fn append_waiting<'r>(
        &self,
        record: impl Into<RecordRef<'r>>,
        payload: Option<SealedPayload>,
    ) -> Result<Ticket, AppendError> {
        let sequence = match self.push_at_once(record.into(), payload)? {
            Ok(sequence) => sequence,
            Err(waiting) => waiting.taken().await?,
        };
        Ok(Ticket::new(Arc::clone(&self.queue), sequence))
    }

    /// As [`Journal::append_waiting`], for a record that outlives whoever waits: if the future is dropped
    /// before there is room, the record goes as [`Journal::append_last`] would put it. `lost` is called if
    /// that room is taken too.
    ///
    /// # Errors
    /// As [`Journal::append_waiting`].
    pub async fn append_surely<'r>(
        &self,
        record: impl Into<RecordRef<'r>>,
        payload: Option<SealedPayload>,
        lost: impl FnOnce(),
    ) -> Result<Ticket, AppendError> {
        let sequence = match self.push_at_once(record.into(), payload)? {
            Ok(sequence) => sequence,
            Err(waiting) => Outliving::new(waiting, lost).taken().await?,
        };
        Ok(Ticket::new(Arc::clone(&self.queue), sequence))
    }

    /// The record's sequence, or the record as it waits if the queue is full.
    fn push_at_once(
        &self,
        record: RecordRef<'_>,
        payload: Option<SealedPayload>,
    ) -> Result<Result<u64, Waiting<'_>>, AppendError> {
        FRAME.with_borrow_mut(|frame| {
            encode(frame, record)?;
            let pushed = self
                .queue
                .push(frame, payload.as_ref().map(SealedPayload::frame));
            match pushed {
                Err(AppendError::QueueFull { .. }) => Ok(Err(Waiting {
                    queue: &self.queue,
                    frame: std::mem::take(frame),
                    payload,
                })),
                pushed => pushed.map(Ok),
            }
        })
    }

    /// For recovery, which may have more to write than the queue holds.
    fn append_blocking(&self, record: &Record) -> Result<Ticket, JournalError> {
        let mut frame = Vec::new();
        encode(&mut frame, record).map_err(JournalError::Recovery)?;
        loop {
            match self.queue.push(&frame, None) {
                Ok(sequence) => return Ok(Ticket::new(Arc::clone(&self.queue), sequence)),
                Err(AppendError::QueueFull { .. }) => {
                    let (next, _, _) = self.queue.look();
                    let last = Ticket::new(Arc::clone(&self.queue), next - 1);
                    last.wait().map_err(JournalError::Recovery)?;
                }
                Err(error) => return Err(JournalError::Recovery(error)),
            }
        }
    }

    /// The audit log, if there is one.
    pub const fn audit(&self) -> Option<&AuditLog> {
        self.audit.as_ref()
    }

    /// The sequence up to which, exclusively, all records are on disk: what [`Journal::reader`] gives.
    pub fn committed(&self) -> u64 {
        self.queue.committed()
    }

    /// Waits until [`Journal::committed`] is more than `sequence`, and returns it. Waits for ever if
    /// the journal is closed first.
    pub async fn committed_past(&self, sequence: u64) -> u64 {
        let mut watch = self.queue.watch();
        match watch.wait_for(|committed| *committed > sequence).await {
            Ok(committed) => *committed,
            Err(_) => std::future::pending().await,
        }
    }

    /// Reads what is committed, from sequence `from` on.
    pub fn reader(&self, from: u64) -> Reader {
        Reader::new(self.layout.clone(), Some(Arc::clone(&self.queue)), from)
    }

    /// Reads payloads, those just committed included, and erases them.
    pub fn payloads(&self) -> Payloads {
        let writing = Writing {
            shared: Arc::clone(&self.shared),
            queue: Arc::clone(&self.queue),
            disk: Arc::clone(&self.disk),
            changing: Arc::clone(&self.changing),
        };
        Payloads::new(self.layout.clone(), Arc::clone(&self.keys), Some(writing))
    }

    /// The first sequence that is kept.
    pub fn minimum(&self) -> u64 {
        self.minimum.load(Ordering::Acquire)
    }

    /// What the retention policy does not keep and `limits` do not hold; none if that is nothing. A record
    /// stays until it is under a checkpoint of the audit log, if there is one. Who
    /// carries it out writes a `Retirement` record first, durably. Ends a removal that was interrupted.
    /// Blocks on files.
    ///
    /// # Errors
    /// If files cannot be read or removed.
    pub fn plan_retirement(
        &self,
        limits: RetentionLimits<'_>,
    ) -> Result<Option<Retirable>, JournalError> {
        let signed = self.audit.as_ref().map_or(u64::MAX, AuditLog::signed);
        let limits = RetentionLimits {
            keep_from: limits.keep_from.min(signed),
            ..limits
        };
        let _alone = self.changing.lock();
        retention::finish(&self.layout, &*self.disk)?;
        let active = self.shared.segment.load(Ordering::Acquire);
        let now = self.clock.now();
        retention::plan(&self.layout, self.retention, now, active, limits)
    }

    /// Lets go of what [`Journal::plan_retirement`] planned. May be repeated. Blocks on files.
    ///
    /// # Errors
    /// If files cannot be read or removed; what is left is taken up by the next plan.
    pub fn retire(&self, plan: &Retirable) -> Result<Retired, JournalError> {
        let _alone = self.changing.lock();
        let active = self.shared.segment.load(Ordering::Acquire);
        let now = self.clock.now();
        let retired = retention::retire(&self.payloads(), &*self.disk, now, *plan, active)?;
        self.minimum.fetch_max(retired.minimum, Ordering::AcqRel);
        Ok(retired)
    }

    /// How the disk is.
    pub fn health(&self) -> Health {
        match self.queue.look().2 {
            Some(failure) => Health::Failing(failure.into()),
            None => Health::Healthy,
        }
    }

    /// Figures for metrics.
    pub fn figures(&self) -> Figures {
        let (appended, queued_bytes, _) = self.queue.look();
        Figures {
            appended,
            committed: self.queue.committed(),
            queued_bytes,
            commits: self.shared.commits.load(Ordering::Relaxed),
        }
    }

    /// Writes what is left and ends. Blocks for a commit; later appends are refused.
    ///
    /// # Errors
    /// [`JournalError::Unwritten`] if the disk refuses.
    pub fn close(&self) -> Result<(), JournalError> {
        self.queue.close();
        let thread = self.thread.lock().take();
        // A writer that panicked has told who waited; what it left is counted as lost.
        let panicked = thread.is_some_and(|thread| thread.join().is_err());
        if let Some(audit) = &self.audit {
            audit.close();
        }
        let records = self.shared.lost.load(Ordering::Acquire);
        if panicked || records > 0 {
            return Err(JournalError::Unwritten { records });
        }
        Ok(())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Who wants to know calls `close`.
        self.close().ok();
    }
}

fn encode<'r>(buffer: &mut Vec<u8>, record: impl Into<RecordRef<'r>>) -> Result<(), AppendError> {
    frame::encode(buffer, record).map_err(|error| AppendError::Unfit(Arc::new(error)))?;
    let bytes = buffer.len() - HEADER_BYTES;
    if bytes > BODY_BYTES_MAX {
        let max = BODY_BYTES_MAX;
        return Err(AppendError::TooLarge { bytes, max });
    }
    Ok(())
}
