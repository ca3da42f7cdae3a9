//! What stands between the journal's writer and the log's thread: records that are on disk, in a buffer
//! of bounded size. The writer never waits for the log: what does not fit is dropped, counted, and read
//! from the segments later.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::frame::{HEADER_BYTES, Header, RECORD_MAGIC};

/// The most bytes of records that wait for the log's thread.
const BYTES_MAX: usize = 8 << 20;
/// More than this waiting wakes it: enough to be hashed together, and still in the processor's cache.
const WAKE_BYTES: usize = 512 << 10;
/// A buffer that grew beyond this is given back.
const KEPT_CAPACITY: usize = 2 << 20;

/// Records that follow each other.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// The first record's sequence.
    pub first: u64,
    records: u64,
    /// Their frames.
    frames: Vec<u8>,
}

impl Run {
    /// The bodies of the records from `sequence` on.
    pub(crate) fn bodies(&self, sequence: u64) -> impl Iterator<Item = &[u8]> {
        let mut at = 0;
        let bodies = std::iter::from_fn(move || {
            let header = Header::parse(RECORD_MAGIC, self.frames.get(at..)?)?;
            let body = self
                .frames
                .get(at + HEADER_BYTES..at + header.frame_bytes())?;
            at += header.frame_bytes();
            Some(body)
        });
        let skipped = usize::try_from(sequence.saturating_sub(self.first));
        bodies.skip(skipped.unwrap_or(usize::MAX))
    }

    /// Makes it empty, and keeps its memory, unless that is a lot.
    pub(crate) fn recycle(mut self) -> Self {
        self.frames.clear();
        self.frames.shrink_to(KEPT_CAPACITY);
        Self {
            frames: self.frames,
            ..Self::default()
        }
    }
}

#[derive(Debug, Default)]
struct State {
    run: Run,
    dropped: u64,
    wanted: u64,
    closing: bool,
    stopped: bool,
}

impl State {
    const fn is_due(&self, signed: u64) -> bool {
        self.closing || self.wanted > signed || self.run.frames.len() >= WAKE_BYTES
    }
}

/// The buffer.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    state: Mutex<State>,
    work: Condvar,
}

impl Feed {
    /// Takes records that are on disk: the first one's sequence, how many, and their frames.
    pub(crate) fn give(&self, first: u64, records: u64, frames: &[u8]) {
        let mut state = self.state.lock();
        if state.stopped {
            return;
        }
        let run = &mut state.run;
        let held = run.frames.len();
        let follows = run.first + run.records == first;
        if run.records > 0 && !(follows && held + frames.len() <= BYTES_MAX) {
            // What was held, and what may have come in between, is read from the journal.
            let dropped = std::mem::take(&mut run.records);
            run.frames.clear();
            state.dropped += dropped;
        }
        let run = &mut state.run;
        if frames.len() > BYTES_MAX {
            state.dropped += records;
            return;
        }
        if run.records == 0 {
            run.first = first;
        }
        run.records += records;
        run.frames.extend_from_slice(frames);
        if held < WAKE_BYTES && run.frames.len() >= WAKE_BYTES {
            self.work.notify_one();
        }
    }

    /// The first sequence that is held, if any is.
    pub(crate) fn begins(&self) -> Option<u64> {
        let state = self.state.lock();
        (state.run.records > 0).then_some(state.run.first)
    }

    /// How many records were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }

    /// Asks for a checkpoint that covers `leaves` leaves.
    pub(crate) fn want(&self, leaves: u64) {
        let mut state = self.state.lock();
        state.wanted = state.wanted.max(leaves);
        self.work.notify_one();
    }

    /// Asks the thread to sign what there is and end.
    pub(crate) fn close(&self) {
        self.state.lock().closing = true;
        self.work.notify_one();
    }

    /// Takes nothing any more: the log has stopped.
    pub(crate) fn stop(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        state.run = Run::default();
    }

    /// How many leaves somebody waited for a checkpoint of.
    pub(crate) fn wanted(&self) -> u64 {
        self.state.lock().wanted
    }

    /// Waits for something to do, at most for `patience`: for many records, for somebody who wants a
    /// checkpoint of more than `signed` leaves, for the end. Gives the records, and takes the empty
    /// `spare` for the next ones.
    pub(crate) fn wait(&self, signed: u64, patience: Duration, spare: Run) -> Run {
        let mut state = self.state.lock();
        let mut timed_out = patience.is_zero();
        while !timed_out && !state.is_due(signed) {
            timed_out = self.work.wait_for(&mut state, patience).timed_out();
        }
        std::mem::replace(&mut state.run, spare)
    }

    /// Sleeps for `patience`, less if the journal is closed meanwhile.
    pub(crate) fn pause(&self, patience: Duration) {
        let mut state = self.state.lock();
        if !state.closing {
            self.work.wait_for(&mut state, patience);
        }
    }

    /// Whether the journal is being closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.state.lock().closing
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::Record;

    use super::*;
    use crate::frame;

    /// So many frames, and how long each body is.
    fn frames(count: usize) -> (Vec<u8>, usize) {
        let mut one = Vec::new();
        frame::encode(&mut one, &Record::Recovery(Box::default())).unwrap();
        (one.repeat(count), one.len() - HEADER_BYTES)
    }

    fn give(feed: &Feed, first: u64, count: usize) {
        feed.give(first, count as u64, &frames(count).0);
    }

    /// The first sequence and how many bodies there are from `sequence` on.
    fn take(feed: &Feed, sequence: u64) -> (u64, usize) {
        let run = feed.wait(0, Duration::ZERO, Run::default());
        assert!(run.bodies(0).all(|body| body.len() == frames(1).1));
        (run.first, run.bodies(sequence).count())
    }

    #[test]
    fn records_come_out_as_one_run() {
        let feed = Feed::default();
        give(&feed, 5, 3);
        give(&feed, 8, 2);
        assert_eq!(feed.begins(), Some(5));
        assert_eq!(take(&feed, 7), (5, 3), "without those that are known");
        assert_eq!(feed.begins(), None);
    }

    #[test]
    fn what_does_not_fit_is_counted_and_what_comes_next_begins_anew() {
        let feed = Feed::default();
        let many = BYTES_MAX / frames(1).0.len();
        give(&feed, 10, many);
        let next = 10 + many as u64;
        give(&feed, next, 1);
        assert_eq!(take(&feed, 0), (next, 1));
        assert_eq!(feed.dropped(), many as u64);
        give(&feed, next + 1, many + 1);
        assert_eq!(feed.begins(), None, "more than fits at all");
        give(&feed, next + 2 + many as u64, 2);
        assert_eq!(take(&feed, 0), (next + 2 + many as u64, 2));
        assert_eq!(feed.dropped(), 2 * many as u64 + 1);
    }

    #[test]
    fn a_log_that_stopped_takes_nothing() {
        let feed = Feed::default();
        give(&feed, 0, 3);
        feed.stop();
        give(&feed, 3, 3);
        assert_eq!(feed.begins(), None);
    }

    #[test]
    fn who_wants_a_checkpoint_or_closes_wakes_the_log() {
        let long = Duration::from_secs(600);
        let feed = Feed::default();
        feed.want(5);
        feed.wait(4, long, Run::default());
        assert_eq!(feed.wanted(), 5);
        feed.close();
        feed.wait(5, long, Run::default().recycle());
        assert!(feed.is_closing());
    }
}
