//! The members of one limit, and what each has used: bounded, and never to anybody's advantage.
//!
//! At most `max` members are remembered one by one, and beyond them only those with a request under way.
//! Where there is no room for another, a member whose windows are over goes first, and costs nothing.
//! Otherwise one that was not met for a while is *folded*: into a table of fixed size, in which each place
//! keeps the most that anybody folded into it has used, from the earliest beginning to the latest end.
//! Whoever comes back, or comes for the first time, begins with what stands in their place. So a spent
//! budget stays spent until its window ends; the price is that some who were never met may find less
//! than they could have. Foldings are counted.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::calendar::Span;
use super::slices::Slices;

/// How many places the table has that members are folded into.
const PLACES: usize = 1024;
/// After so many members that were met lately, the next is folded all the same: the search is bounded.
const SPARED_MAX: usize = 64;

/// What was used of one ceiling in one window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Counter {
    pub(super) span: Span,
    pub(super) used: i128,
}

impl Counter {
    /// A counter whose first window has not begun.
    pub(super) const NEW: Self = Self {
        span: Span {
            start: i64::MIN,
            end: i64::MIN,
        },
        used: 0,
    };

    /// Takes in what another member has used: the most, for the longest.
    fn fold(&mut self, other: Self, now: i64) {
        if self.span.end <= now {
            *self = other;
        } else if other.span.end > now {
            self.used = self.used.max(other.used);
            self.span = longest(self.span, other.span);
        }
    }
}

fn longest(one: Span, other: Span) -> Span {
    Span {
        start: one.start.min(other.start),
        end: one.end.max(other.end),
    }
}

/// What a member has used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Usage {
    /// Of a session: its life.
    pub(super) life: Span,
    /// One for each ceiling of the limit, in its order.
    pub(super) counters: Box<[Counter]>,
}

impl Usage {
    pub(super) fn new(ceilings: usize) -> Self {
        Self {
            life: Counter::NEW.span,
            counters: vec![Counter::NEW; ceilings].into_boxed_slice(),
        }
    }

    /// Whether it says nothing any more.
    fn is_over(&self, now: i64) -> bool {
        let over = |counter: &Counter| counter.used == 0 || counter.span.end <= now;
        self.life.end <= now && self.counters.iter().all(over)
    }

    fn fold(&mut self, other: &Self, now: i64) {
        if self.life.end <= now {
            self.life = other.life;
        } else if other.life.end > now {
            self.life = longest(self.life, other.life);
        }
        for (counter, other) in self.counters.iter_mut().zip(&other.counters) {
            counter.fold(*other, now);
        }
    }
}

/// One member.
#[derive(Debug)]
pub(super) struct Member {
    key: u128,
    /// Requests under way.
    pub(super) under_way: u32,
    /// Whether it was met since the hand passed it last.
    is_fresh: bool,
    pub(super) usage: Usage,
    /// What is held of what nodes share; none if nothing is shared, or was not asked for yet.
    pub(super) slices: Option<Box<Slices>>,
}

/// All members of a limit.
#[derive(Debug)]
pub(super) struct Members {
    by_key: HashMap<u128, u32, BuildHasherDefault<Digested>>,
    slots: Vec<Member>,
    max: usize,
    hand: usize,
    places: Vec<Option<Usage>>,
    folded: u64,
    /// Members that gave their slot up before the keeper knew all that they used. Only those that were
    /// granted something while the keeper answered: no more than there are members then.
    departed: Vec<(Box<Slices>, Usage)>,
}

impl Members {
    pub(super) fn new(max: usize) -> Self {
        Self {
            by_key: HashMap::default(),
            slots: Vec::new(),
            max: max.max(1),
            hand: 0,
            places: Vec::new(),
            folded: 0,
            departed: Vec::new(),
        }
    }

    /// The slot of the member with this key; it is made if there is none. The slot is theirs as long as
    /// they have a request under way.
    pub(super) fn slot(&mut self, key: u128, ceilings: usize, now: i64) -> u32 {
        if let Some(slot) = self.by_key.get(&key) {
            self.slots[*slot as usize].is_fresh = true;
            return *slot;
        }
        let usage = self
            .place(key)
            .and_then(Option::as_ref)
            .filter(|usage| !usage.is_over(now))
            .cloned();
        let member = Member {
            key,
            under_way: 0,
            is_fresh: true,
            usage: usage.unwrap_or_else(|| Usage::new(ceilings)),
            slices: None,
        };
        let freed = (self.slots.len() >= self.max)
            .then(|| self.free(now))
            .flatten();
        let slot = if let Some(slot) = freed {
            self.slots[slot] = member;
            slot
        } else {
            self.slots.push(member);
            self.slots.len() - 1
        };
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        self.by_key.insert(key, slot);
        slot
    }

    /// The member in a slot.
    pub(super) fn at(&mut self, slot: u32) -> Option<&mut Member> {
        self.slots.get_mut(slot as usize)
    }

    /// Changes what each member has used: when the ceilings are others.
    pub(super) fn reshape(&mut self, max: usize, reshape: impl Fn(&mut Usage)) {
        self.max = max.max(1);
        let usages = self.slots.iter_mut().map(|member| &mut member.usage);
        usages
            .chain(self.places.iter_mut().flatten())
            .for_each(reshape);
    }

    /// How many slots there are.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// Those who gave their slot up before all that they used was reported.
    pub(super) fn take_departed(&mut self) -> Vec<(Box<Slices>, Usage)> {
        std::mem::take(&mut self.departed)
    }

    /// Gives each member that holds slices others, in the places that `places` say, and as many.
    pub(super) fn reslice(&mut self, places: &[Option<usize>]) {
        for member in &mut self.slots {
            if let Some(slices) = &mut member.slices {
                slices.move_to(places);
            }
        }
    }

    /// How many are remembered one by one, and how often one was folded.
    pub(super) fn figures(&self) -> (usize, u64) {
        (self.slots.len(), self.folded)
    }

    /// Frees a slot; none if every member has a request under way.
    fn free(&mut self, now: i64) -> Option<usize> {
        let mut spared = 0;
        for _ in 0..self.slots.len() * 2 {
            self.hand = (self.hand + 1) % self.slots.len();
            let member = &mut self.slots[self.hand];
            if member.under_way > 0 {
                continue;
            }
            let is_over = member.usage.is_over(now);
            if !is_over && std::mem::take(&mut member.is_fresh) && spared < SPARED_MAX {
                spared += 1;
                continue;
            }
            let (key, usage) = (member.key, member.usage.clone());
            if let Some(slices) = member.slices.take().filter(|of| of.are_listed()) {
                self.departed.push((slices, usage.clone()));
            }
            self.by_key.remove(&key);
            if !is_over {
                self.fold(key, usage, now);
            }
            return Some(self.hand);
        }
        None
    }

    fn fold(&mut self, key: u128, usage: Usage, now: i64) {
        self.folded += 1;
        if self.places.is_empty() {
            self.places.resize(PLACES, None);
        }
        let place = &mut self.places[place_of(key)];
        match place {
            Some(standing) => standing.fold(&usage, now),
            None => *place = Some(usage),
        }
    }

    fn place(&self, key: u128) -> Option<&Option<Usage>> {
        self.places.get(place_of(key))
    }
}

/// The hash of a key: the key itself, since it is a digest that nobody outside can foresee.
#[derive(Debug, Default)]
struct Digested(u64);

impl Hasher for Digested {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "half of a digest is one too"
    )]
    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

const fn place_of(key: u128) -> usize {
    (key % PLACES as u128) as usize
}
