//! The tree's side of leases: what it tells the keeper, and what it takes from its answers.

use std::time::Duration;

use crate::clock::Timestamp;

use super::super::lease::{ASKS_MAX, Answer, Ask, CounterKey, member, unit, units, units_up};
use super::super::slices::{Draw, Slice, Slices};
use super::super::{Amounts, Ceiling, Exceeded, Limit, Stop, Who, Window};
use super::{Group, Place, Tree};

/// For how much longer than its window the keeper remembers a counter: clocks differ.
const REMEMBERED: Duration = Duration::from_mins(2);
/// Of a lease, the part for which the node relies on it: its clock and the keeper's run apart.
const RELIED: (u32, u32) = (9, 10);

impl Tree {
    /// From now on what may be used is leased, each slice for `lease`. Before the first request.
    pub fn share(&mut self, lease: Duration) {
        self.lease = Some(lease);
        self.groups.iter_mut().for_each(|group| group.shares = true);
    }

    /// Notes for how long the node has run, by a clock that never goes back: leases are measured by it.
    /// Before each step that draws on a slice, and before [`Self::asks`] and [`Self::answered`].
    pub fn tick(&mut self, ran: Duration) {
        self.ran = micros(ran);
    }

    /// Whether something waits for the keeper, or soon will; asked once it says no.
    pub fn takes_urgent(&mut self) -> bool {
        std::mem::take(&mut self.is_urgent)
    }

    /// What the keeper has to be told: what was used since the last time, what is held, and, if it
    /// `grows`, what more is wanted; at most [`ASKS_MAX`] of it. Each ask is given back to
    /// [`Self::answered`] or [`Self::unanswered`].
    pub fn asks(&mut self, now: Timestamp, grows: bool) -> Vec<Ask> {
        let Some(lease) = self.lease else {
            return Vec::new();
        };
        let mut asks = Vec::new();
        let first = self.turn % self.groups.len().max(1);
        self.turn = first + 1;
        self.groups.rotate_left(first);
        for group in &mut self.groups {
            group.ran = self.ran;
            group.ask_listed(&mut asks, true, (now, lease), grows);
        }
        for group in &mut self.groups {
            group.departures(&mut asks);
            group.ask_listed(&mut asks, false, (now, lease), grows);
        }
        self.groups.rotate_right(first);
        asks
    }

    /// Takes the answers to asks that were made when the node had run for `sent`, in their order.
    pub fn answered(
        &mut self,
        asks: &[Ask],
        answers: &[Option<Answer>],
        (sent, now): (Duration, Timestamp),
    ) {
        let lease = self.lease.unwrap_or_default() * RELIED.0 / RELIED.1;
        let times = (micros(sent), micros(sent + lease), self.ran);
        for (ask, answer) in asks.iter().zip(answers) {
            let Some((group, slot, place)) = self.asked(ask, now) else {
                continue;
            };
            if let Some(Answer { slice, room }) = *answer {
                let unit = group.unit(place);
                if let Some(held) = group.slice(slot, place) {
                    held.take(ask, (slice, room), unit, times);
                }
            }
            let used = group.used(slot, place);
            let is_held = group
                .slice(slot, place)
                .is_some_and(|held| answer.is_none() || held.is_held(used, ask.is_gauge));
            if is_held {
                group.list(slot, place);
            }
        }
    }

    /// Takes asks back that were not answered, or whose answers do not hold.
    pub fn unanswered(&mut self, asks: Vec<Ask>, now: Timestamp) {
        for ask in asks {
            if let Some((group, slot, place)) = self.asked(&ask, now) {
                group.list(slot, place);
            } else if let (Some((id, ..)), true) = (ask.at, ask.used > 0) {
                // Whoever used it has gone meanwhile, or its window is over.
                if let Some(group) = super::group_of(&mut self.groups, id) {
                    group.unheard.push(ask);
                }
            }
        }
    }

    /// Has everything reported again: the keeper lost its memory.
    pub fn report_again(&mut self) {
        for group in &mut self.groups {
            for slot in 0..group.members.len() {
                let Some(member) = group.members.at(slot) else {
                    continue;
                };
                let Some(slices) = &mut member.slices else {
                    continue;
                };
                let places = slices.slices.len();
                slices.slices.iter_mut().for_each(Slice::unreport);
                for place in 0..places {
                    group.list(slot, place);
                }
            }
        }
    }

    /// Gives back what is held: the next asks say so, unless they grow. For a node that stops.
    pub fn give_back(&mut self) {
        for group in &mut self.groups {
            for slot in 0..group.members.len() {
                (0..group.places()).for_each(|place| group.give_back(slot, place));
            }
        }
    }

    /// The counters of `window` on which what `who` used counts, and how much of `used` on each, for a
    /// keeper that has lost its memory.
    pub fn shares_of(
        &mut self,
        window: Window,
        who: &Who<'_>,
        used: &Amounts,
        now: Timestamp,
    ) -> Vec<(CounterKey, u64, Duration)> {
        let mut found = Vec::new();
        for place in self.way(who).iter().copied() {
            let Place::Of(_) = self.place(place, who) else {
                continue;
            };
            let group = &self.groups[place as usize];
            let (tag, named) = member(group.limit.per, who);
            let span = self.calendar.window(window, group.limit.life, now);
            let ceilings = group.limit.ceilings.iter().enumerate();
            for (place, ceiling) in ceilings.filter(|(_, ceiling)| ceiling.window == window) {
                let name = group.limit.counter_name(&named, Some(ceiling), span.start);
                let key = CounterKey {
                    tag: tag.clone(),
                    name,
                };
                let amount = units_up(used.of(ceiling.resource), group.unit(place));
                found.push((key, amount, life(span.end, now)));
            }
        }
        found
    }

    /// The group, slot and place that an ask was about, if they are still whose they were.
    fn asked(&mut self, ask: &Ask, now: Timestamp) -> Option<(&mut Group, u32, usize)> {
        let (id, slot, place) = ask.at?;
        let group = super::group_of(&mut self.groups, id)?;
        let place = place as usize;
        (group.key(slot, place, now)? == ask.key).then_some((group, slot, place))
    }
}

impl Limit {
    fn counter_name(&self, member: &str, ceiling: Option<&Ceiling>, start: i64) -> String {
        let (name, per) = (&self.name, self.per.as_str());
        match ceiling {
            None => format!("{name}:{per}:{member}:concurrency"),
            // A session begins with its first request, on whichever node.
            Some(Ceiling {
                resource,
                window: Window::Session,
                ..
            }) => format!("{name}:{per}:{member}:{}:session", resource.as_str()),
            Some(Ceiling {
                resource, window, ..
            }) => {
                let (resource, window) = (resource.as_str(), window.as_str());
                format!("{name}:{per}:{member}:{resource}:{window}:{start}")
            }
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn life(end: i64, now: Timestamp) -> Duration {
    Timestamp::from_micros(end).since(now) + REMEMBERED
}

impl Group {
    /// The slice that a member's place was given, if limits are shared and it is the first time.
    pub(super) fn prepare(&mut self, slot: u32, who: &Who<'_>) {
        let places = self.places();
        let per = self.limit.per;
        if let Some(of) = self.members.at(slot).filter(|of| of.slices.is_none()) {
            let (tag, member) = member(per, who);
            of.slices = Some(Box::new(Slices {
                tag,
                member,
                slices: vec![Slice::default(); places].into_boxed_slice(),
            }));
        }
    }

    /// How many slices a member has: one for each ceiling, and one for its places under way.
    pub(super) fn places(&self) -> usize {
        self.limit.ceilings.len() + usize::from(self.limit.concurrency.is_some())
    }

    /// Has the keeper told of a slice.
    pub(super) fn list(&mut self, slot: u32, place: usize) {
        if let Some(slice) = self.slice(slot, place).filter(|slice| !slice.is_listed) {
            slice.is_listed = true;
            self.listed.push((slot, place));
        }
    }

    /// Gives back what is held in a place.
    fn give_back(&mut self, slot: u32, place: usize) {
        let used = self.used(slot, place);
        let slice = self.slice(slot, place);
        if let Some(slice) = slice.filter(|slice| slice.is_held(used, false)) {
            slice.give_back();
            self.list(slot, place);
        }
    }

    /// Has the keeper told of all that a member used.
    pub(super) fn list_all(&mut self, slot: u32) {
        if self.shares {
            (0..self.places()).for_each(|place| self.list(slot, place));
        }
    }

    /// Whether a slice allows `wanted` more; what stands in the way if it does not.
    pub(super) fn draw(&mut self, (slot, place): (u32, usize), wanted: i128) -> Option<Exceeded> {
        let (used, ran) = (self.used(slot, place), self.ran);
        let draw = self.slice(slot, place)?.draw(wanted, used, ran);
        match draw {
            Draw::Fits { low: false } => None,
            Draw::Fits { low: true } => {
                self.list(slot, place);
                self.is_urgent = true;
                None
            }
            Draw::Exceeds { left } => Some(self.stopped(slot, place, (left, wanted), false)),
            Draw::Short => {
                self.list(slot, place);
                self.is_urgent = true;
                Some(self.stopped(slot, place, (0, wanted), true))
            }
        }
    }

    fn stopped(
        &mut self,
        slot: u32,
        place: usize,
        (left, wanted): (i128, i128),
        is_short: bool,
    ) -> Exceeded {
        let ceiling = self.limit.ceilings.get(place).copied();
        let end = self.members.at(slot).and_then(|member| {
            let counter = member.usage.counters.get(place)?;
            Some(Timestamp::from_micros(counter.span.end))
        });
        let (stop, most, resets_at) = match ceiling {
            _ if is_short => (Stop::Slice, ceiling.map_or(0, |ceiling| ceiling.most), None),
            Some(ceiling) => {
                let stop = Stop::Ceiling(ceiling.resource, ceiling.window);
                (stop, ceiling.most, end)
            }
            None => {
                let most = self.limit.concurrency.unwrap_or_default();
                (Stop::Concurrency, i128::from(most), None)
            }
        };
        self.exceeded(stop, (most, left, wanted), resets_at)
    }

    /// What is left of a ceiling: in all, where it is shared.
    pub(super) fn left(&mut self, slot: u32, place: usize) -> i128 {
        let (used, ran) = (self.used(slot, place), self.ran);
        let most = self.limit.ceilings.get(place).map_or(0, |of| of.most);
        match self.slice(slot, place) {
            Some(slice) => slice.left_in_all(used, ran).min(most),
            None => (most - used).max(0),
        }
    }

    pub(super) fn slice(&mut self, slot: u32, place: usize) -> Option<&mut Slice> {
        let slices = self.members.at(slot)?.slices.as_mut()?;
        slices.slices.get_mut(place)
    }

    /// What a place has used: of a ceiling, or places under way.
    fn used(&mut self, slot: u32, place: usize) -> i128 {
        let Some(member) = self.members.at(slot) else {
            return 0;
        };
        match member.usage.counters.get(place) {
            Some(counter) => counter.used,
            None => i128::from(member.under_way),
        }
    }

    /// Whether a place counts also what was used before this start; places under way have no before.
    fn is_whole(&self, place: usize) -> bool {
        self.begun.get(place).is_none_or(|begun| begun.1)
    }

    fn unit(&self, place: usize) -> i128 {
        let ceiling = self.limit.ceilings.get(place);
        ceiling.map_or(1, |ceiling| unit(ceiling.resource))
    }

    /// The name of a place's counter; none if its window is over.
    fn key(&mut self, slot: u32, place: usize, now: Timestamp) -> Option<CounterKey> {
        let member = self.members.at(slot)?;
        let start = match member.usage.counters.get(place) {
            Some(counter) if counter.span.end <= now.as_micros() => return None,
            Some(counter) => counter.span.start,
            None => 0,
        };
        let slices = member.slices.as_ref()?;
        let ceiling = self.limit.ceilings.get(place);
        Some(CounterKey {
            tag: slices.tag.clone(),
            name: self.limit.counter_name(&slices.member, ceiling, start),
        })
    }

    /// Adds what the keeper has to be told of those listed places that somebody waits for, or of the others,
    /// as long as there is room; the rest stays listed.
    fn ask_listed(
        &mut self,
        asks: &mut Vec<Ask>,
        is_needed: bool,
        times: (Timestamp, Duration),
        grows: bool,
    ) {
        let mut listed = std::mem::take(&mut self.listed);
        listed.retain(|(slot, place)| {
            let slice = self.slice(*slot, *place);
            let is_later = slice.is_some_and(|slice| slice.is_needed() != is_needed);
            if is_later || asks.len() >= ASKS_MAX {
                return true;
            }
            self.ask(asks, (*slot, *place), times, grows);
            false
        });
        listed.append(&mut self.listed);
        self.listed = listed;
    }

    /// Adds what the keeper has to be told of a place.
    fn ask(
        &mut self,
        asks: &mut Vec<Ask>,
        (slot, place): (u32, usize),
        (now, lease): (Timestamp, Duration),
        grows: bool,
    ) {
        let (key, used, unit) = (
            self.key(slot, place, now),
            self.used(slot, place),
            self.unit(place),
        );
        let end = self.members.at(slot).and_then(|member| {
            let counter = member.usage.counters.get(place)?;
            Some(counter.span.end)
        });
        let most = match self.limit.ceilings.get(place) {
            Some(ceiling) => units(ceiling.most, unit),
            None => u64::from(self.limit.concurrency.unwrap_or_default()),
        };
        let place_u32 = u32::try_from(place).unwrap_or(u32::MAX);
        let at = Some((self.id, slot, place_u32));
        let is_whole = self.is_whole(place);
        let times = (self.ran, self.ran.saturating_add(micros(lease / 2)));
        let Some(slice) = self.slice(slot, place) else {
            return;
        };
        slice.is_listed = false;
        let Some(key) = key else {
            return;
        };
        let mut ask = Ask {
            key,
            most,
            used: 0,
            is_whole,
            hold: 0,
            need: 0,
            want: 0,
            is_gauge: end.is_none(),
            life: end.map_or(lease * 2, |end| life(end, now)),
            at,
        };
        if slice.report(&mut ask, (unit, used), times, grows) {
            asks.push(ask);
        } else if slice.is_held(used, end.is_none()) {
            self.list(slot, place);
        }
    }

    /// Adds the last reports of members that were folded.
    fn departures(&mut self, asks: &mut Vec<Ask>) {
        for (slices, usage) in self.members.take_departed() {
            let ceilings = self.limit.ceilings.iter().zip(&usage.counters);
            for (place, (ceiling, counter)) in ceilings.enumerate() {
                let unit = unit(ceiling.resource);
                let used = units_up(counter.used, unit);
                let slice = slices.slices.get(place);
                if !slice.is_some_and(|slice| slice.is_unreported(used)) {
                    continue;
                }
                let start = counter.span.start;
                let name = self
                    .limit
                    .counter_name(&slices.member, Some(ceiling), start);
                let is_whole = self.is_whole(place);
                self.unheard.push(Ask {
                    key: CounterKey {
                        tag: slices.tag.clone(),
                        name,
                    },
                    most: units(ceiling.most, unit),
                    used,
                    is_whole,
                    hold: 0,
                    need: 0,
                    want: 0,
                    is_gauge: false,
                    life: Limit::LIFE,
                    at: Some((self.id, u32::MAX, 0)),
                });
            }
        }
        let room = ASKS_MAX.saturating_sub(asks.len());
        asks.extend(self.unheard.drain(..room.min(self.unheard.len())));
    }
}
