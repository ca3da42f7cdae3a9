//! The receipt for a record that was appended.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use crate::error::AppendError;
use crate::queue::Queue;

/// Names a record that was appended, and tells when it is on disk.
#[derive(Debug)]
pub struct Ticket {
    queue: Arc<Queue>,
    sequence: u64,
    /// 0 for whoever appended the record; apart for all others who wait for it.
    number: u64,
}

impl Ticket {
    /// For whoever appended the record.
    pub(crate) const fn new(queue: Arc<Queue>, sequence: u64) -> Self {
        Self {
            queue,
            sequence,
            number: 0,
        }
    }

    /// For somebody else, who waits for a record beside the one that appended it.
    pub(crate) fn beside(queue: Arc<Queue>, sequence: u64) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        Self {
            queue,
            sequence,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// The record's sequence: gapless within a journal, from 0.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Waits until the record and its payload are on disk. May be dropped and called again.
    ///
    /// # Errors
    /// [`AppendError::Failed`] if the disk refuses. The record then stays in memory and is written
    /// when the disk recovers: that it failed means that it is not known to be kept, not that it is
    /// gone. Who has told a caller otherwise appends a later record that says so.
    pub async fn durable(&self) -> Result<(), AppendError> {
        poll_fn(|ctx| self.queue.poll_durable((self.sequence, self.number), ctx)).await
    }

    /// As [`Ticket::durable`], for threads that may block.
    ///
    /// # Errors
    /// As [`Ticket::durable`].
    pub fn wait(&self) -> Result<(), AppendError> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut ctx = Context::from_waker(&waker);
        let mut future = pin!(self.durable());
        loop {
            match future.as_mut().poll(&mut ctx) {
                Poll::Ready(result) => return result,
                Poll::Pending => std::thread::park(),
            }
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
