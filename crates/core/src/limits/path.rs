//! What a request holds of the tree, and why it may hold no more.

use crate::clock::Timestamp;
use crate::names::LimitName;

use super::{Amounts, Level, Quantity, Resource, Window};

/// The way of a request that was let in: the member of each limit that it counts on. It is given back
/// with [`Tree::leave`](super::Tree::leave), and only there.
#[derive(Debug, Default)]
#[must_use = "a passage that is not given back takes up concurrency for ever"]
pub struct Passage {
    /// The group and the slot of the member in it.
    pub(super) steps: Vec<(u32, u32)>,
    /// How the ceilings on requests and tokens stand, for whoever asks.
    pub stands: Vec<Stand>,
    /// When the session's time is over, if it has a limit.
    pub until: Option<Timestamp>,
    /// Whether one of its ceilings is on money: what nobody can price may not be asked then.
    pub bounds_money: bool,
    /// Whether one of its ceilings is on tokens written: what has no end may not be asked then.
    pub bounds_answers: bool,
}

impl Passage {
    /// Whether no limit counts the request.
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// An estimate that was set aside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reservation {
    /// How much.
    pub amounts: Amounts,
    pub(super) at: i64,
}

/// How one ceiling stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stand {
    /// Of which limit.
    pub limit: LimitName,
    /// Of what.
    pub resource: Resource,
    /// In which time.
    pub window: Window,
    /// The most.
    pub most: i128,
    /// What is left.
    pub left: i128,
    /// When its window ends.
    pub resets_at: Timestamp,
}

/// What stands in the way of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// A ceiling.
    Ceiling(Resource, Window),
    /// As many requests as allowed are under way.
    Concurrency,
    /// The session's time is over.
    Time,
    /// It names no end user or no session.
    Unnamed,
    /// What this node holds of a limit that nodes share is spent, and the keeper has not answered yet.
    Slice,
}

/// The limit that stands in the way of a request: where several do, the one that does so longest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exceeded {
    /// Which limit.
    pub limit: LimitName,
    /// Whose allowance it is.
    pub level: Level,
    /// What of it.
    pub stop: Stop,
    /// The most that is allowed; of time, in microseconds.
    pub most: i128,
    /// What is left of it.
    pub left: i128,
    /// What was asked for.
    pub wanted: i128,
    /// When it may be tried again; none if nobody knows, or if it never fits.
    pub resets_at: Option<Timestamp>,
}

impl Exceeded {
    /// Whether more was asked for than the ceiling would ever allow.
    pub const fn never_fits(&self) -> bool {
        matches!(self.stop, Stop::Ceiling(..)) && self.wanted > self.most
    }

    /// Whether the keeper may have more, so that it is worth waiting for its answer.
    pub const fn is_short(&self) -> bool {
        matches!(self.stop, Stop::Slice)
    }

    /// The most, what is left and what was asked for, for people; of ceilings only.
    pub const fn quantities(&self) -> Option<[Quantity; 3]> {
        match self.stop {
            Stop::Ceiling(resource, _) => Some([
                Quantity(resource, self.most),
                Quantity(resource, self.left),
                Quantity(resource, self.wanted),
            ]),
            Stop::Concurrency | Stop::Time | Stop::Unnamed | Stop::Slice => None,
        }
    }

    /// Whether this one stands in the way for longer than `other`.
    pub(super) fn outlasts(&self, other: &Self) -> bool {
        let rank = |exceeded: &Self| match (exceeded.stop, exceeded.resets_at) {
            (Stop::Unnamed, _) => i64::MAX,
            (Stop::Slice, _) => i64::MIN,
            (Stop::Concurrency, _) => i64::MIN + 1,
            (_, None) => i64::MAX - 1,
            (_, Some(at)) => at.as_micros(),
        };
        rank(self) > rank(other)
    }
}
