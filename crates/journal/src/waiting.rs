//! Records that wait for room in a full queue, and what becomes of them when nobody waits with them any
//! more: a caller who goes away takes nothing out of the record.

use crate::error::AppendError;
use crate::payload_frame::SealedPayload;
use crate::queue::Queue;

/// A record that found the queue full.
pub(crate) struct Waiting<'q> {
    pub(crate) queue: &'q Queue,
    pub(crate) frame: Vec<u8>,
    pub(crate) payload: Option<SealedPayload>,
}

impl Waiting<'_> {
    /// Its sequence, once there was room.
    pub(crate) async fn taken(&self) -> Result<u64, AppendError> {
        loop {
            let mut room = std::pin::pin!(self.queue.space().notified());
            room.as_mut().enable();
            match self.queue.push(&self.frame, self.payload()) {
                Err(AppendError::QueueFull { .. }) => room.await,
                taken => return taken,
            }
        }
    }

    fn payload(&self) -> Option<&[u8]> {
        self.payload.as_ref().map(SealedPayload::frame)
    }
}

/// A record that outlives whoever waits for it: dropped before it was taken, it goes into the room that the
/// queue keeps for such, or is told to be lost.
pub(crate) struct Outliving<'q, L: FnOnce()> {
    waiting: Waiting<'q>,
    lost: Option<L>,
}

impl<'q, L: FnOnce()> Outliving<'q, L> {
    pub(crate) const fn new(waiting: Waiting<'q>, lost: L) -> Self {
        Self {
            waiting,
            lost: Some(lost),
        }
    }

    /// As [`Waiting::taken`].
    pub(crate) async fn taken(mut self) -> Result<u64, AppendError> {
        let taken = self.waiting.taken().await;
        self.lost = None;
        taken
    }
}

impl<L: FnOnce()> Drop for Outliving<'_, L> {
    fn drop(&mut self) {
        let Some(lost) = self.lost.take() else {
            return;
        };
        let Waiting { queue, frame, .. } = &self.waiting;
        if queue.push_last(frame, self.waiting.payload()).is_err() {
            lost();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{Future, poll_fn};
    use std::task::Poll;

    use super::*;

    fn waiting(queue: &Queue, bytes: usize) -> Waiting<'_> {
        Waiting {
            queue,
            frame: vec![1; bytes],
            payload: None,
        }
    }

    /// Whether `future` was ready when it was looked at once; then it is dropped.
    async fn is_ready_at_once(future: impl Future) -> bool {
        let mut future = Box::pin(future);
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn a_record_that_nobody_waits_for_any_more_is_taken_or_told_to_be_lost() {
        let queue = Queue::new(0, 100);
        queue.push(&[0; 100], None).unwrap();
        let lost = Cell::new(0);
        for (given_up, told_lost) in [(1, 0), (2, 0), (3, 1)] {
            let count = || lost.set(lost.get() + 1);
            let outliving = Outliving::new(waiting(&queue, 10), count);
            assert!(!is_ready_at_once(outliving.taken()).await);
            assert_eq!(lost.get(), told_lost, "after {given_up} gave up");
        }
        let (next, _, _) = queue.look();
        assert_eq!(next, 3);
    }

    #[tokio::test]
    async fn a_record_that_only_waited_is_not_written_twice() {
        let queue = Queue::new(0, 100);
        let never = || panic!("nothing is lost");
        assert!(is_ready_at_once(Outliving::new(waiting(&queue, 10), never).taken()).await);
        let (next, _, _) = queue.look();
        assert_eq!(next, 1);
        queue.push(&[0; 90], None).unwrap();
        assert!(!is_ready_at_once(waiting(&queue, 10).taken()).await);
        assert_eq!(queue.look().0, 2);
    }
}
