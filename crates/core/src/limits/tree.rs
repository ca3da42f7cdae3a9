//! The state of all limits: what was used, what is set aside, who is under way.

mod sharing;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;

use super::calendar::{Calendar, Span, Window};
use super::lease::Ask;
use super::members::{Counter, Members, Usage};
use super::path::{Exceeded, Passage, Reservation, Stand, Stop};
use super::{Amounts, Ceiling, Level, Limit, Limits, Resource, Unnamed, Who};

/// How many ways through the tree are kept, so that they need not be looked for: those of keys and
/// systems, not those of end users.
const WAYS_MAX: usize = 4096;
/// How many standings a passage tells.
const STANDS_MAX: usize = 8;

/// What was used of every limit.
#[derive(Debug)]
pub struct Tree {
    calendar: Calendar,
    groups: Vec<Group>,
    next_group: u32,
    /// Which limits' scopes take a key's requests to a system, by a digest of both.
    ways: HashMap<u128, Arc<[u32]>>,
    hashing: [RandomState; 2],
    /// For how long slices are leased, if nodes share what may be used.
    lease: Option<Duration>,
    /// What leases are measured by, which never goes back: µs.
    ran: i64,
    /// Which group is asked about first, each time another: no exchange takes more than so many asks.
    turn: usize,
    is_urgent: bool,
}

/// What has to be read back from records, so that usage from before counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seeding {
    /// Each window of which usage is missing, and when it began.
    pub windows: Vec<(Window, Timestamp)>,
    /// Whether some of these limits are per end user.
    pub users: bool,
    /// Whether some of them are per session.
    pub sessions: bool,
    /// Decisions opened from then on are counted here already.
    pub until: Timestamp,
}

/// One limit and its members.
#[derive(Debug)]
struct Group {
    id: u32,
    limit: Limit,
    /// When each ceiling began to be counted, and whether what came before was read back.
    begun: Vec<(Timestamp, bool)>,
    /// Whether it was read back when sessions began.
    lives_known: bool,
    members: Members,
    /// Whether what may be used is leased.
    shares: bool,
    /// Slices of which the keeper has to be told: slot and place.
    listed: Vec<(u32, usize)>,
    /// Last reports of members that have gone, which the keeper has not heard.
    unheard: Vec<Ask>,
    /// What the tree's said when it was looked at last.
    ran: i64,
    is_urgent: bool,
}

/// Where a request lies in a limit.
enum Place {
    Outside,
    Unnamed,
    Of(u128),
}

impl Tree {
    /// A tree in which nothing was used yet; what was used before is brought in by [`Self::seed`].
    pub fn new(limits: &Limits, now: Timestamp) -> Self {
        let mut tree = Self {
            calendar: Calendar::new(limits.time_zone.clone()),
            groups: Vec::new(),
            next_group: 0,
            ways: HashMap::new(),
            hashing: [RandomState::new(), RandomState::new()],
            lease: None,
            ran: 0,
            turn: 0,
            is_urgent: false,
        };
        tree.change(limits, now);
        tree
    }

    /// Takes other limits on. A limit that keeps its name and its level keeps what was used of it, of each
    /// resource and window that it has still; the rest waits to be seeded.
    pub fn change(&mut self, limits: &Limits, now: Timestamp) {
        self.calendar = Calendar::new(limits.time_zone.clone());
        self.ways.clear();
        let mut standing = std::mem::take(&mut self.groups);
        for limit in &limits.limits {
            let same =
                |group: &Group| group.limit.name == limit.name && group.limit.per == limit.per;
            let group = if let Some(place) = standing.iter().position(same) {
                let mut group = standing.swap_remove(place);
                group.reshape(limit, now);
                group
            } else {
                self.next_group += 1;
                Group {
                    id: self.next_group,
                    limit: limit.clone(),
                    begun: vec![(now, false); limit.ceilings.len()],
                    lives_known: limit.time.is_none(),
                    members: Members::new(limit.members_max),
                    shares: self.lease.is_some(),
                    listed: Vec::new(),
                    unheard: Vec::new(),
                    ran: self.ran,
                    is_urgent: false,
                }
            };
            self.groups.push(group);
        }
        self.groups.sort_by_key(|group| group.id);
    }

    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Lets a request in: counts it, and takes its place under way, on every limit that it counts on or
    /// on none.
    ///
    /// # Errors
    /// With the limit that stands in the way longest.
    pub fn enter(&mut self, who: &Who<'_>, now: Timestamp) -> Result<Passage, Box<Exceeded>> {
        if self.groups.is_empty() {
            return Ok(Passage::default());
        }
        let mut passage = Passage::default();
        let mut worst: Option<Box<Exceeded>> = None;
        for place in self.way(who).iter().copied() {
            let key = match self.place(place, who) {
                Place::Outside => continue,
                Place::Of(key) => key,
                Place::Unnamed => {
                    let exceeded = self.groups[place as usize].unnamed();
                    worst = worse(worst, exceeded);
                    continue;
                }
            };
            let group = &mut self.groups[place as usize];
            let slot = group
                .members
                .slot(key, group.limit.ceilings.len(), now.as_micros());
            group.roll(slot, &mut self.calendar, now);
            if group.shares {
                group.ran = self.ran;
                group.prepare(slot, who);
            }
            worst = group.refused(slot, now, worst);
            self.is_urgent |= std::mem::take(&mut group.is_urgent);
            passage.steps.push((group.id, slot));
        }
        if let Some(worst) = worst {
            return Err(worst);
        }
        for step in 0..passage.steps.len() {
            let (id, slot) = passage.steps[step];
            if let Some(group) = group_of(&mut self.groups, id) {
                group.take_in(slot, &mut passage);
            }
        }
        Ok(passage)
    }

    /// Sets `amounts` aside on the whole path of a request, or nowhere.
    ///
    /// # Errors
    /// With the limit that stands in the way longest.
    pub fn reserve(
        &mut self,
        passage: &Passage,
        amounts: Amounts,
        now: Timestamp,
    ) -> Result<Reservation, Box<Exceeded>> {
        let mut worst: Option<Box<Exceeded>> = None;
        for (id, slot) in &passage.steps {
            let Some(group) = group_of(&mut self.groups, *id) else {
                continue;
            };
            group.roll(*slot, &mut self.calendar, now);
            group.ran = self.ran;
            for place in 0..group.limit.ceilings.len() {
                if let Some(exceeded) = group.over(*slot, place, &amounts) {
                    worst = worse(worst, exceeded);
                }
            }
            self.is_urgent |= std::mem::take(&mut group.is_urgent);
        }
        if let Some(worst) = worst {
            return Err(worst);
        }
        for (id, slot) in &passage.steps {
            if let Some(group) = group_of(&mut self.groups, *id) {
                group.count(*slot, |_, ceiling| amounts.of(ceiling.resource));
            }
        }
        Ok(Reservation {
            amounts,
            at: now.as_micros(),
        })
    }

    /// Puts what was really used in the place of what was set aside, in the windows in which it was.
    pub fn settle(
        &mut self,
        passage: &Passage,
        reservation: &Reservation,
        spent: &Amounts,
        now: Timestamp,
    ) {
        for (id, slot) in &passage.steps {
            let Some(group) = group_of(&mut self.groups, *id) else {
                continue;
            };
            group.roll(*slot, &mut self.calendar, now);
            let Some(member) = group.members.at(*slot) else {
                continue;
            };
            let counters = member.usage.counters.iter_mut();
            for ((counter, ceiling), begun) in counters.zip(&group.limit.ceilings).zip(&group.begun)
            {
                if counter.span.start > reservation.at {
                    continue;
                }
                // A ceiling that came in between has not set it aside.
                let had = if begun.0.as_micros() > reservation.at {
                    0
                } else {
                    reservation.amounts.of(ceiling.resource)
                };
                counter.used = (counter.used + spent.of(ceiling.resource) - had).max(0);
            }
            group.list_all(*slot);
        }
    }

    /// Gives the place of a request under way back.
    pub fn leave(&mut self, passage: Passage) {
        for (id, slot) in passage.steps {
            let Some(group) = group_of(&mut self.groups, id) else {
                continue;
            };
            if let Some(member) = group.members.at(slot) {
                member.under_way = member.under_way.saturating_sub(1);
            }
            if group.shares && group.limit.concurrency.is_some() {
                group.list(slot, group.limit.ceilings.len());
            }
        }
    }

    /// What has to be read back from records; none if everything was.
    pub fn seeding(&mut self, now: Timestamp) -> Option<Seeding> {
        self.seeding_of(|group| group.unseeded().collect(), now)
    }

    /// What has to be read from records to know all that counts now; none if nothing does.
    pub fn counting(&mut self, now: Timestamp) -> Option<Seeding> {
        let all = |group: &Group| {
            let ceilings = group.limit.ceilings.iter();
            ceilings.map(|ceiling| ceiling.window).collect()
        };
        let seeding = self.seeding_of(all, now)?;
        Some(Seeding {
            until: now,
            ..seeding
        })
    }

    fn seeding_of(
        &mut self,
        windows_of: impl Fn(&Group) -> Vec<Window>,
        now: Timestamp,
    ) -> Option<Seeding> {
        let (mut users, mut sessions, mut until) = (false, false, None);
        let mut windows: Vec<(Window, Timestamp)> = Vec::new();
        for group in &self.groups {
            for window in windows_of(group) {
                users |= group.limit.per == Level::User;
                sessions |= group.limit.per == Level::Session;
                let span = self.calendar.window(window, group.limit.life, now);
                let since = match window {
                    Window::Session => now.as_micros() - (span.end - span.start),
                    Window::Minute | Window::Hour | Window::Day | Window::Month => span.start,
                };
                let since = Timestamp::from_micros(since);
                match windows.iter_mut().find(|(known, _)| *known == window) {
                    Some((_, known)) => *known = since.min(*known),
                    None => windows.push((window, since)),
                }
            }
            let waiting = group.begun.iter().filter(|begun| !begun.1);
            until = until.max(waiting.map(|(at, _)| *at).max());
        }
        (!windows.is_empty()).then(|| Seeding {
            windows,
            users,
            sessions,
            until: until.unwrap_or(now),
        })
    }

    /// Counts what `who` used in `window` before this tree counted, the first of it at `first`. Only
    /// ceilings that wait for it take it in.
    pub fn seed(
        &mut self,
        window: Window,
        who: &Who<'_>,
        used: &Amounts,
        (first, now): (Timestamp, Timestamp),
    ) {
        for place in self.way(who).iter().copied() {
            let Place::Of(key) = self.place(place, who) else {
                continue;
            };
            let group = &mut self.groups[place as usize];
            if !group.unseeded().any(|waiting| waiting == window) {
                continue;
            }
            let slot = group
                .members
                .slot(key, group.limit.ceilings.len(), now.as_micros());
            group.roll(slot, &mut self.calendar, now);
            if window == Window::Session {
                group.begin_earlier(slot, first);
            }
            let begun = group.begun.clone();
            group.count(slot, |place, ceiling| {
                let waits = ceiling.window == window && !begun[place].1;
                if waits { used.of(ceiling.resource) } else { 0 }
            });
        }
    }

    /// Notes that all usage from before was brought in.
    pub fn seeded(&mut self) {
        for group in &mut self.groups {
            group.begun.iter_mut().for_each(|begun| begun.1 = true);
            group.lives_known = true;
        }
        if self.lease.is_some() {
            self.report_again();
        }
    }

    /// How many members are remembered one by one, and how many were folded since the start.
    pub fn figures(&self) -> (usize, u64) {
        let figures = self.groups.iter().map(|group| group.members.figures());
        figures.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1))
    }

    /// The places of the limits whose scope takes what `who` asks.
    fn way(&mut self, who: &Who<'_>) -> Arc<[u32]> {
        let names = [
            who.tenant.as_str(),
            who.team.map_or("", |team| team.as_str()),
            who.key.map_or("", |key| key.as_str()),
            who.system.as_str(),
        ];
        let key = digest(&self.hashing, &names, &[]);
        if let Some(way) = self.ways.get(&key) {
            return Arc::clone(way);
        }
        let takes = |(place, group): (usize, &Group)| {
            let place = u32::try_from(place).ok()?;
            group.limit.scope.takes(who).then_some(place)
        };
        let way: Arc<[u32]> = self.groups.iter().enumerate().filter_map(takes).collect();
        if self.ways.len() >= WAYS_MAX {
            self.ways.clear();
        }
        self.ways.insert(key, Arc::clone(&way));
        way
    }

    /// Where a request lies in the limit at `place`.
    fn place(&self, place: u32, who: &Who<'_>) -> Place {
        let limit = &self.groups[place as usize].limit;
        let (tenant, hashing) = (who.tenant.as_str(), &self.hashing);
        let of = |names: &[&str]| Place::Of(digest(hashing, names, &[]));
        let key = who.key.map_or("", |key| key.as_str());
        let unnamed = || match limit.unnamed {
            Unnamed::Share => of(&[tenant, key, "unnamed"]),
            Unnamed::Pass => Place::Outside,
            Unnamed::Refuse => Place::Unnamed,
        };
        match limit.per {
            Level::Workspace => Place::Of(0),
            Level::Tenant => of(&[tenant]),
            Level::Team => who
                .team
                .map_or(Place::Outside, |team| of(&[tenant, team.as_str()])),
            Level::Key => of(&[tenant, key]),
            Level::User => who.user.map_or_else(unnamed, |user| {
                Place::Of(digest(hashing, &[tenant], user.as_bytes()))
            }),
            Level::Session => who
                .session
                .map_or_else(unnamed, |session| of(&[tenant, session])),
            Level::System => of(&[who.system.as_str()]),
        }
    }
}

impl Group {
    /// Takes another form of the same limit on.
    fn reshape(&mut self, limit: &Limit, now: Timestamp) {
        let before = |ceiling: &Ceiling| {
            let same =
                |old: &Ceiling| old.resource == ceiling.resource && old.window == ceiling.window;
            self.limit.ceilings.iter().position(same)
        };
        let places: Vec<Option<usize>> = limit.ceilings.iter().map(before).collect();
        let begun = |place: &Option<usize>| place.map_or((now, false), |place| self.begun[place]);
        let begun = places.iter().map(begun).collect();
        self.members.reshape(limit.members_max, |usage| {
            let counter = |(place, ceiling): (&Option<usize>, &Ceiling)| match place {
                Some(place) => usage.counters[*place],
                None if ceiling.window == Window::Session => Counter {
                    span: usage.life,
                    used: 0,
                },
                None => Counter::NEW,
            };
            usage.counters = places.iter().zip(&limit.ceilings).map(counter).collect();
        });
        let mut slices = places.clone();
        let under_way = self.limit.concurrency.map(|_| self.limit.ceilings.len());
        slices.extend(limit.concurrency.map(|_| under_way));
        self.members.reslice(&slices);
        self.listed.clear();
        self.lives_known |= self.limit.time.is_none() && limit.time.is_none();
        (self.limit, self.begun) = (limit.clone(), begun);
        if self.shares {
            (0..self.members.len()).for_each(|slot| self.list_all(slot));
        }
    }

    /// The windows of ceilings that wait for usage from before; a session's time waits with them.
    fn unseeded(&self) -> impl Iterator<Item = Window> + '_ {
        let ceilings = self.limit.ceilings.iter().zip(&self.begun);
        let waiting = ceilings.filter(|(_, begun)| !begun.1);
        let lives = (!self.lives_known).then_some(Window::Session);
        waiting.map(|(ceiling, _)| ceiling.window).chain(lives)
    }

    /// Begins the windows anew that are over.
    fn roll(&mut self, slot: u32, calendar: &mut Calendar, now: Timestamp) {
        let (is_session, lasting) = (self.limit.per == Level::Session, self.limit.life);
        let Some(member) = self.members.at(slot) else {
            return;
        };
        let slices = &mut member.slices;
        let Usage { life, counters } = &mut member.usage;
        if is_session && now.as_micros() >= life.end {
            *life = calendar.window(Window::Session, lasting, now);
        }
        let ceilings = counters.iter_mut().zip(&self.limit.ceilings);
        for (place, (counter, ceiling)) in ceilings.enumerate() {
            if now.as_micros() < counter.span.end {
                continue;
            }
            if let Some(slice) = slices.as_mut().and_then(|of| of.slices.get_mut(place)) {
                slice.begin_anew();
            }
            let span = match ceiling.window {
                Window::Session => *life,
                window => calendar.window(window, lasting, now),
            };
            *counter = Counter { span, used: 0 };
        }
    }

    /// Lets a session have begun at `first`, if that is earlier.
    fn begin_earlier(&mut self, slot: u32, first: Timestamp) {
        let ceilings = &self.limit.ceilings;
        let Some(member) = self.members.at(slot) else {
            return;
        };
        let Usage { life, counters } = &mut member.usage;
        let first = first.as_micros();
        if first >= life.start {
            return;
        }
        let span = Span {
            start: first,
            end: life.end - (life.start - first),
        };
        *life = span;
        for (counter, ceiling) in counters.iter_mut().zip(ceilings) {
            if ceiling.window == Window::Session {
                counter.span = span;
            }
        }
    }

    /// The worst of `worst` and of what stands in the way of one more request here.
    fn refused(
        &mut self,
        slot: u32,
        now: Timestamp,
        mut worst: Option<Box<Exceeded>>,
    ) -> Option<Box<Exceeded>> {
        for place in 0..self.limit.ceilings.len() {
            if let Some(exceeded) = self.over(slot, place, &Amounts::ONE_REQUEST) {
                worst = worse(worst, exceeded);
            }
        }
        let Some(member) = self.members.at(slot) else {
            return worst;
        };
        let (under_way, life) = (member.under_way, member.usage.life);
        if let Some(most) = self.limit.concurrency.filter(|most| under_way >= *most) {
            let (most, left) = (i128::from(most), i128::from(most.saturating_sub(under_way)));
            worst = worse(
                worst,
                self.exceeded(Stop::Concurrency, (most, left, 1), None),
            );
        } else if self.shares
            && self.limit.concurrency.is_some()
            && let Some(exceeded) = self.draw((slot, self.limit.ceilings.len()), 1)
        {
            worst = worse(worst, exceeded);
        }
        if let Some(time) = self.limit.time {
            let most = i128::try_from(time.as_micros()).unwrap_or(i128::MAX);
            let gone = i128::from(now.as_micros() - life.start);
            if gone >= most {
                let resets_at = Some(Timestamp::from_micros(life.end));
                worst = worse(worst, self.exceeded(Stop::Time, (most, 0, 0), resets_at));
            }
        }
        worst
    }

    /// Whether `amounts` more would pass the ceiling at `place`. Nothing more passes no ceiling, so that
    /// what costs nothing is not refused for money.
    fn over(&mut self, slot: u32, place: usize, amounts: &Amounts) -> Option<Exceeded> {
        let ceiling = *self.limit.ceilings.get(place)?;
        let wanted = amounts.of(ceiling.resource);
        let counter = *self.members.at(slot)?.usage.counters.get(place)?;
        if wanted == 0 {
            return None;
        }
        if counter.used + wanted <= ceiling.most {
            return self
                .shares
                .then(|| self.draw((slot, place), wanted))
                .flatten();
        }
        let left = (ceiling.most - counter.used).max(0);
        let fits = wanted <= ceiling.most;
        let resets_at = fits.then(|| Timestamp::from_micros(counter.span.end));
        let stop = Stop::Ceiling(ceiling.resource, ceiling.window);
        Some(self.exceeded(stop, (ceiling.most, left, wanted), resets_at))
    }

    fn exceeded(
        &self,
        stop: Stop,
        (most, left, wanted): (i128, i128, i128),
        resets_at: Option<Timestamp>,
    ) -> Exceeded {
        Exceeded {
            limit: self.limit.name.clone(),
            level: self.limit.per,
            stop,
            most,
            left,
            wanted,
            resets_at,
        }
    }

    fn unnamed(&self) -> Exceeded {
        self.exceeded(Stop::Unnamed, (0, 0, 1), None)
    }

    /// Counts a request that is let in, and tells it how the ceilings stand.
    fn take_in(&mut self, slot: u32, passage: &mut Passage) {
        self.count(slot, |_, ceiling| Amounts::ONE_REQUEST.of(ceiling.resource));
        if let Some(member) = self.members.at(slot) {
            member.under_way += 1;
        }
        for place in 0..self.limit.ceilings.len() {
            let ceiling = self.limit.ceilings[place];
            passage.bounds_money |= ceiling.resource == Resource::Money;
            passage.bounds_answers |= ceiling.resource == Resource::TokensOut;
            if ceiling.resource == Resource::Money || passage.stands.len() >= STANDS_MAX {
                continue;
            }
            passage.stands.push(Stand {
                limit: self.limit.name.clone(),
                resource: ceiling.resource,
                window: ceiling.window,
                most: ceiling.most,
                left: self.left(slot, place),
                resets_at: self.resets_at(slot, place),
            });
        }
        if let Some((time, member)) = self.limit.time.zip(self.members.at(slot)) {
            let until = Timestamp::from_micros(member.usage.life.start).plus(time);
            passage.until = Some(passage.until.map_or(until, |earlier| earlier.min(until)));
        }
    }

    fn resets_at(&mut self, slot: u32, place: usize) -> Timestamp {
        let counters = self.members.at(slot).map(|member| &member.usage.counters);
        let counter = counters.and_then(|counters| counters.get(place));
        Timestamp::from_micros(counter.map_or(0, |counter| counter.span.end))
    }

    /// Adds to each counter.
    fn count(&mut self, slot: u32, more: impl Fn(usize, &Ceiling) -> i128) {
        if let Some(member) = self.members.at(slot) {
            let counters = member.usage.counters.iter_mut().zip(&self.limit.ceilings);
            for (place, (counter, ceiling)) in counters.enumerate() {
                counter.used += more(place, ceiling);
            }
        }
        self.list_all(slot);
    }
}

fn group_of(groups: &mut [Group], id: u32) -> Option<&mut Group> {
    let place = groups.binary_search_by_key(&id, |group| group.id).ok()?;
    groups.get_mut(place)
}

fn worse(worst: Option<Box<Exceeded>>, exceeded: Exceeded) -> Option<Box<Exceeded>> {
    match worst {
        Some(worst) if !exceeded.outlasts(&worst) => Some(worst),
        _ => Some(Box::new(exceeded)),
    }
}

/// A digest of names that nobody outside can foresee, so that nobody can aim at somebody else's place.
fn digest(hashing: &[RandomState; 2], names: &[&str], bytes: &[u8]) -> u128 {
    let half = |state: &RandomState| {
        let mut hasher = state.build_hasher();
        for name in names {
            hasher.write(name.as_bytes());
            hasher.write_u8(0xff);
        }
        hasher.write(bytes);
        u128::from(hasher.finish())
    };
    half(&hashing[0]) << 64 | half(&hashing[1])
}

#[cfg(test)]
mod tests;
