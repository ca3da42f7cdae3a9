//! Waiting for the view: what commands read from the database should hold all that stood in the
//! journal when they were typed.
//!
//! The server's projection follows the journal and may lag. Nothing here is in its way: the journal is
//! read from where the view ends, at most [`COUNTED_MAX`] records of it, and the wait is bounded.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use plimsoll_control::figures::{count, counted};
use plimsoll_core::{Clock, NodeName};
use plimsoll_journal::{JournalError, Reader};
use plimsoll_store::{Projector, Store};

use crate::exit::{Exit, Exits as _, Outcome};

/// How long a command waits at the most.
const WAIT_MAX: Duration = Duration::from_secs(3);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How many records are read to find the journal's end; what is further behind is not counted.
const COUNTED_MAX: u64 = 5_000;

/// How far the view is behind what stood in the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lag {
    records: u64,
    is_more: bool,
}

impl fmt::Display for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = if self.is_more {
            format!("more than {} records", count(self.records))
        } else {
            counted(self.records, "record")
        };
        write!(
            f,
            "note: the database is {records} behind the journal, so what is newest may be missing here; \
             a running server catches up by itself (ask again in a moment), and so does \
             `plimsoll serve` when it starts"
        )
    }
}

/// Where the journal ended when it was looked at.
#[derive(Clone, Copy)]
struct End {
    next: u64,
    is_more: bool,
}

/// Returns when the view of `node`'s journal in the folder `data` holds what stands there now; if that
/// takes too long, with how far it is behind. Without a name the node that came furthest is meant.
pub(crate) async fn caught_up(
    store: &Store,
    data: &Path,
    node: Option<&NodeName>,
    clock: &dyn Clock,
) -> Outcome<Option<Lag>> {
    let deadline = clock.elapsed() + WAIT_MAX;
    let mut position = position(store, node).await?;
    let mut end = end(data, position).await?;
    loop {
        if position >= end.next {
            if !end.is_more {
                return Ok(None);
            }
            end = self::end(data, position).await?;
            continue;
        }
        if clock.elapsed() >= deadline {
            return Ok(Some(Lag {
                records: end.next - position,
                is_more: end.is_more,
            }));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        position = self::position(store, node).await?;
    }
}

async fn position(store: &Store, node: Option<&NodeName>) -> Outcome<u64> {
    let positions = Projector::positions(store).await?;
    let of_node = |(name, _): &&(String, u64)| node.is_none_or(|node| node.as_str() == name);
    let found = positions.iter().filter(of_node);
    Ok(found.map(|(_, next)| *next).max().unwrap_or(0))
}

/// The journal's end, as far as it is behind `position`.
async fn end(data: &Path, position: u64) -> Outcome<End> {
    let data = data.to_owned();
    let looking = tokio::task::spawn_blocking(move || find_end(&data, position));
    Ok(looking.await.or_exit(Exit::Internal)??)
}

fn find_end(data: &Path, position: u64) -> Result<End, JournalError> {
    let mut reader = Reader::open(data, position)?;
    let mut next = position;
    for _ in 0..COUNTED_MAX {
        match reader.next() {
            Some(Ok((sequence, _))) => next = sequence + 1,
            // The projection passes over what cannot be read, and so does this.
            Some(Err(JournalError::Damaged(_) | JournalError::Record { .. })) => {}
            Some(Err(error)) => return Err(error),
            None => {
                return Ok(End {
                    next,
                    is_more: false,
                });
            }
        }
    }
    Ok(End {
        next,
        is_more: next > position,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_says_how_far_and_what_to_do() {
        let one = Lag {
            records: 1,
            is_more: false,
        };
        assert!(one.to_string().contains("1 record behind"), "{one}");
        let many = Lag {
            records: 5_000,
            is_more: true,
        };
        let text = many.to_string();
        assert!(text.contains("more than 5,000 records behind"), "{text}");
        assert!(text.contains("plimsoll serve"), "{text}");
    }

    #[test]
    fn no_journal_is_no_lag() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find_end(folder.path(), 7).unwrap().next, 7);
    }
}
