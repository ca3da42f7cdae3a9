//! Which decisions are open, and the file beside an ended segment that says so: with it, start-up
//! reads one segment and not all of them.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use plimsoll_core::{DecisionId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::checked;
use crate::frame::{Header, REVIEW_ENDED, REVIEW_OPENED};

const OPENED: u8 = 1;
const CLOSED: u8 = 2;
const REVIEW: u8 = 5;

/// Where an `opened` record lies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The segment, by its first sequence.
    pub segment: u64,
    /// The frame's offset in it.
    pub offset: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Open {
    place: Option<Place>,
    waiting: bool,
}

/// The decisions that were opened and not closed.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct OpenDecisions(HashMap<[u8; 16], Open>);

impl OpenDecisions {
    /// Takes note of a frame at `place`.
    pub(crate) fn apply(&mut self, header: &Header, place: Place) {
        match header.kind {
            OPENED => self.0.entry(header.id).or_default().place = Some(place),
            CLOSED => {
                self.0.remove(&header.id);
            }
            REVIEW if header.flags & REVIEW_OPENED != 0 => {
                self.0.entry(header.id).or_default().waiting = true;
            }
            REVIEW if header.flags & REVIEW_ENDED != 0 => {
                if let Some(open) = self.0.get_mut(&header.id) {
                    open.waiting = false;
                }
            }
            _ => {}
        }
    }

    /// Forgets what was opened in segments that are no longer kept.
    pub(crate) fn forget_before(&mut self, segment: u64) {
        self.0
            .retain(|_, open| open.place.is_none_or(|place| place.segment >= segment));
    }

    /// Where the `opened` records lie of decisions that wait for nobody, in the order of the journal.
    pub(crate) fn orphans(&self) -> Vec<Place> {
        let orphans = self.0.values().filter(|open| !open.waiting);
        let mut places: Vec<_> = orphans.filter_map(|open| open.place).collect();
        places.sort_unstable();
        places
    }
}

/// What the file beside an ended segment says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SegmentIndex {
    /// The segment's first sequence.
    pub first: u64,
    /// The sequence after its last record's.
    pub end: u64,
    /// When it was ended.
    pub ended_at: Timestamp,
    /// What was open at its end.
    pub open: OpenDecisions,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    first: u64,
    end: u64,
    ended_at: Timestamp,
    open: Vec<StoredOpen>,
}

#[derive(Serialize, Deserialize)]
struct StoredOpen {
    decision: DecisionId,
    place: Option<Place>,
    waiting: bool,
}

const TITLE: &str = "plimsoll-index 1 ";

impl SegmentIndex {
    /// One line with the version and a checksum, one line of JSON.
    pub(crate) fn to_text(&self) -> String {
        let mut open: Vec<_> = self.open.0.iter().collect();
        open.sort_unstable_by_key(|(id, _)| **id);
        let stored = Stored {
            first: self.first,
            end: self.end,
            ended_at: self.ended_at,
            open: open
                .into_iter()
                .map(|(id, open)| StoredOpen {
                    decision: DecisionId::from_bytes(*id),
                    place: open.place,
                    waiting: open.waiting,
                })
                .collect(),
        };
        let json = serde_json::to_string(&stored).expect("numbers and ids always are JSON");
        checked::to_text(TITLE, &json)
    }

    /// Reads [`SegmentIndex::to_text`]; `None` if anything is not as it was written.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let stored: Stored = serde_json::from_str(checked::parse(TITLE, text)?).ok()?;
        let open = stored.open.into_iter().map(|open| {
            let StoredOpen {
                decision,
                place,
                waiting,
            } = open;
            (decision.to_bytes(), Open { place, waiting })
        });
        Some(Self {
            first: stored.first,
            end: stored.end,
            ended_at: stored.ended_at,
            open: OpenDecisions(open.collect()),
        })
    }

    /// Reads the index at `path`; `None` if there is none that can be trusted: it can be made anew.
    pub(crate) fn read(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(std::str::from_utf8(&bytes).ok().and_then(Self::parse)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: u8, flags: u8, id: u8) -> Header {
        Header {
            length: 0,
            kind,
            flags,
            id: [id; 16],
        }
    }

    const fn at(offset: u64) -> Place {
        Place { segment: 0, offset }
    }

    #[test]
    fn a_decision_that_waits_for_a_person_is_no_orphan() {
        let mut open = OpenDecisions::default();
        open.apply(&header(OPENED, 0, 1), at(1));
        open.apply(&header(OPENED, 0, 2), at(2));
        open.apply(&header(OPENED, 0, 3), at(3));
        open.apply(&header(CLOSED, 0, 3), at(4));
        open.apply(&header(REVIEW, REVIEW_OPENED, 2), at(5));
        assert_eq!(open.orphans(), [at(1)]);
        open.apply(&header(REVIEW, REVIEW_ENDED, 2), at(6));
        assert_eq!(open.orphans(), [at(1), at(2)]);
    }

    #[test]
    fn an_index_reads_back_and_a_changed_one_is_not_trusted() {
        let mut open = OpenDecisions::default();
        open.apply(&header(OPENED, 0, 1), at(128));
        open.apply(&header(REVIEW, REVIEW_OPENED, 9), at(256));
        let index = SegmentIndex {
            first: 10,
            end: 20,
            ended_at: Timestamp::from_micros(5),
            open,
        };
        let text = index.to_text();
        assert_eq!(SegmentIndex::parse(&text), Some(index));
        assert_eq!(SegmentIndex::parse(&text.replace("20", "21")), None);
        assert_eq!(SegmentIndex::parse(text.trim_end()), None);
    }
}
