//! What the projector asks of a journal, so that it can be tested without one.

use plimsoll_core::Record;
use plimsoll_journal::{Journal, JournalError, Reader};

use crate::error::Cause;

/// Records that stand before unreadable places are handed over first; so many such places are passed
/// in one go.
const DAMAGES_MAX: usize = 100;

/// A journal that is being written.
pub trait Feed: Send + Sync {
    /// Reads what is committed, from sequence `from` on, or from the first that is kept.
    fn source(&self, from: u64) -> Box<dyn RecordSource>;

    /// The sequence up to which, exclusively, all records are on disk. Costs next to nothing: it is asked
    /// twenty times a second.
    fn committed(&self) -> u64;

    /// The first sequence that is kept.
    fn minimum(&self) -> u64;
}

/// Where records come from, in the order of their sequences.
pub trait RecordSource: Send {
    /// The next records, at most `limit`; none if there are no more for now. Blocks on the disk, never
    /// on a writer. What is damaged is told to the log and passed by.
    ///
    /// # Errors
    /// If the journal cannot be read now; the same place is tried again the next time.
    fn next_batch(&mut self, limit: usize) -> Result<Vec<(u64, Record)>, Cause>;

    /// The sequence that is read next.
    fn position(&self) -> u64;
}

impl Feed for Journal {
    fn source(&self, from: u64) -> Box<dyn RecordSource> {
        Box::new(self.reader(from))
    }

    fn committed(&self) -> u64 {
        self.committed()
    }

    fn minimum(&self) -> u64 {
        self.minimum()
    }
}

impl RecordSource for Reader {
    fn next_batch(&mut self, limit: usize) -> Result<Vec<(u64, Record)>, Cause> {
        let mut batch = Vec::new();
        let mut damages = 0;
        while batch.len() < limit && damages < DAMAGES_MAX {
            match self.next() {
                Some(Ok(record)) => batch.push(record),
                None => break,
                Some(Err(error @ (JournalError::Damaged(_) | JournalError::Record { .. }))) => {
                    tracing::error!(error = %error, "part of the journal cannot be projected");
                    damages += 1;
                }
                // The error comes again if what stands before it was handed over.
                Some(Err(error)) if batch.is_empty() => return Err(Box::new(error)),
                Some(Err(_)) => break,
            }
        }
        Ok(batch)
    }

    fn position(&self) -> u64 {
        self.position()
    }
}
