//! What stands between those who append and the one thread that writes: a buffer that the writer
//! swaps for an empty one, and the wakers of those who wait for the disk.
//!
//! Appending copies bytes under a short lock and wakes nobody, except a writer that sleeps without a
//! timer. Who waits for durability wakes the writer; else it comes by itself within the buffered
//! window, or when a good deal has gathered.
//!
//! Invariants: bytes pending and in flight together never exceed the bound; sequences are given out
//! under the same lock as the bytes, so a batch is a gapless run of sequences.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::{Notify, watch};

use crate::error::AppendError;
use crate::frame::HEADER_BYTES;

/// More than this pending wakes the writer even if nobody waits: a commit of this size is efficient.
const FLUSH_BYTES: usize = 1 << 20;
/// What is kept beyond the bound for records that cannot wait: one part in so many of it.
const RESERVE: usize = 4;
/// A buffer that grew beyond this is given back to the allocator after its batch.
const KEPT_CAPACITY: usize = 4 << 20;

/// Records that are committed together.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The first record's sequence.
    pub first: u64,
    /// How many records.
    pub records: u64,
    /// Room for the mark, then the frames.
    pub frames: Vec<u8>,
    /// The frames of payloads.
    pub payloads: Vec<u8>,
}

impl Batch {
    pub(crate) fn empty() -> Self {
        Self {
            first: 0,
            records: 0,
            frames: vec![0; HEADER_BYTES],
            payloads: Vec::new(),
        }
    }

    /// Makes it empty again and keeps its memory, unless that is a lot.
    pub(crate) fn recycle(mut self) -> Self {
        if self.frames.capacity() > KEPT_CAPACITY || self.payloads.capacity() > KEPT_CAPACITY {
            return Self::empty();
        }
        self.records = 0;
        self.frames.truncate(HEADER_BYTES);
        self.payloads.clear();
        self
    }

    /// The sequence after the last record's.
    pub(crate) const fn end(&self) -> u64 {
        self.first + self.records
    }

    const fn bytes(&self) -> usize {
        self.frames.len() - HEADER_BYTES + self.payloads.len()
    }
}

/// Somebody who waits: for the record with this sequence, and as which of those who wait for it.
pub(crate) type Waiter = (u64, u64);

/// What the writer sleeps for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sleep {
    /// It is awake.
    Awake,
    /// Until something is appended.
    Idle,
    /// Until its timer, a waiter, or many bytes.
    Timer,
    /// Until its timer, this many waiters, or many bytes.
    Linger(usize),
}

/// Why the disk refuses.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub doing: &'static str,
    pub source: Arc<io::Error>,
}

impl From<Failure> for AppendError {
    fn from(failure: Failure) -> Self {
        Self::Failed {
            doing: failure.doing,
            source: failure.source,
        }
    }
}

#[derive(Debug)]
struct State {
    pending: Batch,
    in_flight: usize,
    next: u64,
    waiters: BTreeMap<Waiter, Waker>,
    sleep: Sleep,
    failing: Option<Failure>,
    closing: bool,
    closed: bool,
}

/// The shared buffer.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    work: Condvar,
    committed: AtomicU64,
    watch: watch::Sender<u64>,
    space: Notify,
    bytes_max: usize,
    flush_bytes: usize,
}

impl Queue {
    /// An empty queue whose first record gets the sequence `next`.
    pub(crate) fn new(next: u64, bytes_max: usize) -> Self {
        Self {
            state: Mutex::new(State {
                pending: Batch::empty(),
                in_flight: 0,
                next,
                waiters: BTreeMap::new(),
                sleep: Sleep::Awake,
                failing: None,
                closing: false,
                closed: false,
            }),
            work: Condvar::new(),
            committed: AtomicU64::new(next),
            watch: watch::Sender::new(next),
            space: Notify::new(),
            bytes_max,
            flush_bytes: FLUSH_BYTES.min(bytes_max / 2),
        }
    }

    /// Copies a frame and its payload's frame into the buffer; the sequence that they got.
    pub(crate) fn push(&self, frame: &[u8], payload: Option<&[u8]>) -> Result<u64, AppendError> {
        self.push_within(self.bytes_max, frame, payload)
    }

    /// As [`Queue::push`], into the room that is kept beyond the bound for those who cannot wait.
    pub(crate) fn push_last(
        &self,
        frame: &[u8],
        payload: Option<&[u8]>,
    ) -> Result<u64, AppendError> {
        self.push_within(self.bytes_max + self.bytes_max / RESERVE, frame, payload)
    }

    fn push_within(
        &self,
        room: usize,
        frame: &[u8],
        payload: Option<&[u8]>,
    ) -> Result<u64, AppendError> {
        let payload = payload.unwrap_or_default();
        let bytes = frame.len() + payload.len();
        if bytes > self.bytes_max {
            let max = self.bytes_max;
            return Err(AppendError::TooLarge { bytes, max });
        }
        let mut state = self.state.lock();
        if state.closing || state.closed {
            return Err(AppendError::Closed);
        }
        let queued = state.pending.bytes() + state.in_flight;
        if queued + bytes > room {
            return Err(AppendError::QueueFull { queued, max: room });
        }
        let sequence = state.next;
        state.next += 1;
        if state.pending.records == 0 {
            state.pending.first = sequence;
        }
        state.pending.records += 1;
        state.pending.frames.extend_from_slice(frame);
        state.pending.payloads.extend_from_slice(payload);
        let gathered = state.pending.bytes() >= self.flush_bytes;
        let wake = match state.sleep {
            Sleep::Awake => false,
            Sleep::Idle => true,
            Sleep::Timer | Sleep::Linger(_) => gathered,
        };
        if wake {
            self.wake_writer(state);
        }
        Ok(sequence)
    }

    fn wake_writer(&self, mut state: MutexGuard<'_, State>) {
        state.sleep = Sleep::Awake;
        drop(state);
        self.work.notify_one();
    }

    /// Waits until there is room for something. Spurious returns are allowed; missed ones are not,
    /// because the caller makes the future before it tries to push.
    pub(crate) const fn space(&self) -> &Notify {
        &self.space
    }

    /// The sequence up to which, exclusively, all records are on disk.
    pub(crate) fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Tells of every change of [`Queue::committed`].
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.watch.subscribe()
    }

    /// The next sequence to be given out, the bytes that wait, and why the disk refuses.
    pub(crate) fn look(&self) -> (u64, usize, Option<Failure>) {
        let state = self.state.lock();
        let queued = state.pending.bytes() + state.in_flight;
        (state.next, queued, state.failing.clone())
    }

    /// Whether the record with this sequence is on disk; registers the waker if that is still open.
    pub(crate) fn poll_durable(
        &self,
        waiter: Waiter,
        ctx: &mut Context<'_>,
    ) -> Poll<Result<(), AppendError>> {
        let (sequence, _) = waiter;
        if self.committed() > sequence {
            return Poll::Ready(Ok(()));
        }
        let mut state = self.state.lock();
        if self.committed() > sequence {
            return Poll::Ready(Ok(()));
        }
        if let Some(failure) = state.failing.clone() {
            return Poll::Ready(Err(failure.into()));
        }
        if state.closed {
            return Poll::Ready(Err(AppendError::Closed));
        }
        state.waiters.insert(waiter, ctx.waker().clone());
        let wake = match state.sleep {
            Sleep::Awake => false,
            Sleep::Idle | Sleep::Timer => true,
            Sleep::Linger(enough) => state.waiters.len() >= enough,
        };
        if wake {
            self.wake_writer(state);
        }
        Poll::Pending
    }

    /// Asks the writer to write what is left and end.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closing = true;
        self.wake_writer(state);
        self.space.notify_waiters();
    }
}

/// What only the writer calls.
impl Queue {
    /// Waits for something to write, lingers if several wait for it, and swaps it for `spare`. None
    /// when the queue is closed and empty.
    pub(crate) fn take(&self, spare: Batch, timing: &mut Timing) -> Option<Batch> {
        let mut state = self.state.lock();
        loop {
            if state.pending.records == 0 {
                if state.closing {
                    return None;
                }
                state.sleep = Sleep::Idle;
                self.work.wait(&mut state);
                state.sleep = Sleep::Awake;
                continue;
            }
            let due = state.closing
                || !state.waiters.is_empty()
                || state.pending.bytes() >= self.flush_bytes;
            if due {
                break;
            }
            state.sleep = Sleep::Timer;
            let woken = self.work.wait_for(&mut state, timing.buffered_window);
            state.sleep = Sleep::Awake;
            if woken.timed_out() {
                break;
            }
        }
        let enough = timing.enough();
        let waiters = state.waiters.len();
        let linger = waiters > 0 && enough > 1 && waiters < enough;
        if linger && !state.closing && state.pending.bytes() < self.flush_bytes {
            state.sleep = Sleep::Linger(enough);
            self.work.wait_for(&mut state, timing.linger);
            state.sleep = Sleep::Awake;
        }
        timing.committed_for(state.waiters.len());
        let batch = std::mem::replace(&mut state.pending, spare);
        state.in_flight = batch.bytes();
        Some(batch)
    }

    /// Says that everything before `end` is on disk.
    pub(crate) fn succeeded(&self, end: u64) {
        self.committed.store(end, Ordering::Release);
        let woken = {
            let mut state = self.state.lock();
            state.in_flight = 0;
            state.failing = None;
            let later = state.waiters.split_off(&(end, 0));
            std::mem::replace(&mut state.waiters, later)
        };
        for waker in woken.into_values() {
            waker.wake();
        }
        self.watch.send_replace(end);
        self.space.notify_waiters();
    }

    /// Says that the disk refuses: all who wait are told. True if the queue is closing.
    pub(crate) fn failed(&self, doing: &'static str, error: io::Error) -> bool {
        let (woken, closing) = {
            let mut state = self.state.lock();
            let source = Arc::new(error);
            state.failing = Some(Failure { doing, source });
            (std::mem::take(&mut state.waiters), state.closing)
        };
        for waker in woken.into_values() {
            waker.wake();
        }
        closing
    }

    /// Sleeps until the next try; less if the queue is closed meanwhile.
    pub(crate) fn pause(&self, delay: Duration) {
        let mut state = self.state.lock();
        if !state.closing {
            self.work.wait_for(&mut state, delay);
        }
    }

    /// Says that nothing is written any more: all who wait are told, and how many records are lost.
    pub(crate) fn ended(&self) -> u64 {
        let (woken, lost) = {
            let mut state = self.state.lock();
            state.closed = true;
            (
                std::mem::take(&mut state.waiters),
                state.next - self.committed(),
            )
        };
        for waker in woken.into_values() {
            waker.wake();
        }
        self.space.notify_waiters();
        lost
    }
}

/// When the writer commits.
///
/// Callers that wait for a commit come back together after it. Lingering until as many wait as lately
/// waited together gathers them all in one commit, and ends as soon as they are there. Now and then it
/// lingers for its whole time, to see whether there are more.
#[derive(Debug)]
pub(crate) struct Timing {
    linger: Duration,
    buffered_window: Duration,
    expected: usize,
    commits: usize,
}

/// One commit in so many lingers for its whole time.
const PROBE_EVERY: usize = 8;

impl Timing {
    pub(crate) const fn new(linger: Duration, buffered_window: Duration) -> Self {
        Self {
            linger,
            buffered_window,
            expected: 0,
            commits: 0,
        }
    }

    /// How many waiters are worth no further wait. A lone caller gains nothing from lingering.
    const fn enough(&self) -> usize {
        if self.expected > 1 && self.commits.is_multiple_of(PROBE_EVERY) {
            usize::MAX
        } else {
            self.expected
        }
    }

    fn committed_for(&mut self, waiters: usize) {
        self.commits = self.commits.wrapping_add(1);
        let decayed = self.expected - self.expected.div_ceil(PROBE_EVERY);
        self.expected = waiters.max(decayed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing() -> Timing {
        Timing::new(Duration::ZERO, Duration::from_millis(1))
    }

    #[test]
    fn what_cannot_wait_has_bounded_room_beyond_a_full_queue() {
        let queue = Queue::new(0, 100);
        queue.push(&[1; 100], None).unwrap();
        assert!(queue.push(&[1; 1], None).is_err());
        assert_eq!(queue.push_last(&[1; 15], Some(&[2; 10])).unwrap(), 1);
        assert!(matches!(
            queue.push_last(&[1; 1], None),
            Err(AppendError::QueueFull {
                queued: 125,
                max: 125
            })
        ));
    }

    #[test]
    fn a_full_queue_refuses_and_takes_again_once_the_disk_has_taken() {
        let queue = Queue::new(5, 100);
        assert_eq!(queue.push(&[1; 60], None).unwrap(), 5);
        assert!(matches!(
            queue.push(&[1; 30], Some(&[2; 20])),
            Err(AppendError::QueueFull {
                queued: 60,
                max: 100
            })
        ));
        assert!(matches!(
            queue.push(&[1; 101], None),
            Err(AppendError::TooLarge { .. })
        ));
        let batch = queue.take(Batch::empty(), &mut timing()).unwrap();
        assert_eq!((batch.first, batch.records, batch.end()), (5, 1, 6));
        assert!(queue.push(&[1; 50], None).is_err(), "in flight counts");
        queue.succeeded(batch.end());
        assert_eq!(queue.push(&[1; 50], None).unwrap(), 6);
        assert_eq!(queue.committed(), 6);
    }

    #[test]
    fn lingering_ends_when_as_many_wait_as_lately_waited_together() {
        let mut timing = timing();
        timing.committed_for(1);
        assert_eq!(timing.enough(), 1, "a lone caller is not kept waiting");
        timing.committed_for(32);
        assert_eq!(timing.enough(), 32);
        timing.committed_for(16);
        assert_eq!(timing.enough(), 28, "it forgets slowly");
        let probes = (0..80).filter(|_| {
            timing.committed_for(32);
            timing.enough() == usize::MAX
        });
        assert_eq!(probes.count(), 10);
        (0..80).for_each(|_| timing.committed_for(1));
        assert_eq!(timing.enough(), 1);
    }

    #[test]
    fn a_closed_queue_gives_what_is_left_and_then_ends() {
        let queue = Queue::new(0, 100);
        queue.push(&[1], None).unwrap();
        queue.close();
        assert!(matches!(queue.push(&[1], None), Err(AppendError::Closed)));
        let batch = queue.take(Batch::empty(), &mut timing()).unwrap();
        queue.succeeded(batch.end());
        assert!(queue.take(batch.recycle(), &mut timing()).is_none());
        assert_eq!(queue.ended(), 0);
    }
}
