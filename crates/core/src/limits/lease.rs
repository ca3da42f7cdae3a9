//! Leases: how several nodes share one tree of limits.
//!
//! What is left of a counter lies with a *keeper* that all nodes reach (Redis or Valkey). A node leases a
//! *slice* of it and spends that from memory; in an [`Ask`] it reports what it has used, says what it
//! still holds, and asks for more. One ask is one atomic step at the keeper. [`Keeper`] is that step as a
//! pure function: what the script in Redis does, held against it by a test, and what simulations use.
//!
//! What always holds, as long as the keeper remembers: what all nodes have used and may use without
//! asking again is never more than the limit. A slice is spent only while its lease lasts by the node's
//! own clock, which begins before the keeper's. So the sum passes a limit only by
//!
//! - what a settlement says beyond its reservation, as on one node;
//! - what a node spent after its last report before it crashed, or was cut off for longer than its lease: at
//!   most the slice that it held then, and only until it reports again, from its journal (one that starts
//!   and cannot read it yet reports what it uses beyond what the keeper knows of its earlier start);
//! - slices of nodes that could not reach a keeper which lost its memory, until their leases ran out;
//! - what a keeper granted last and does not remember, as a replica that lacks it after a failover.
//!
//! A keeper that lost its memory has another [`Epoch`]. Nodes tell it what they used and hold, and are
//! granted no more until all that are connected had the time to do so ([`Tenure`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::names::NodeName;

use super::{Level, Resource, Who};

/// How often a node reports at the least, while it uses anything.
pub const REPORT_EVERY: Duration = Duration::from_millis(500);
/// How long an epoch must have lasted before anything is granted in it: each node that is connected has
/// reported three times by then.
pub const GRACE: Duration = Duration::from_millis(1_500);
/// The most asks in one exchange: what is beyond waits for the next one, those that somebody waits for first.
pub const ASKS_MAX: usize = 2_000;
/// The largest amount that is leased: 2⁵², which a script in Redis counts exactly.
pub const MOST: u64 = 1 << 52;
/// Money is leased in millionths of the currency.
const MONEY_UNIT: i128 = 1_000_000;
/// The tag of what stands across tenants: no tenant can be called this.
const EVERYBODY: &str = "*";

/// The name of one counter in one window, the same on each node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CounterKey {
    /// The tenant, or `*`: counters with the same tag lie together.
    pub tag: Arc<str>,
    /// The rest of the name.
    pub name: String,
}

/// What a node says and wants of one counter; amounts are whole and in the unit of leases.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Which counter.
    pub key: CounterKey,
    /// The limit, as this node knows it.
    pub most: u64,
    /// What this node has used in the window, what is set aside included.
    pub used: u64,
    /// Whether that is all, also from before this start of the node: it has read its records.
    pub is_whole: bool,
    /// What it holds unspent and may go on to spend.
    pub hold: u64,
    /// What requests wait for beyond that.
    pub need: u64,
    /// What it would like to hold, so that none has to wait.
    pub want: u64,
    /// Whether use ends by itself with the lease, as that of a place under way does.
    pub is_gauge: bool,
    /// For how long the keeper has to remember the counter.
    pub life: Duration,
    /// Where in the tree that made it, if it is still held there.
    pub at: Option<(u32, u32, u32)>,
}

/// What the keeper answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// What the node holds unspent from now on, beyond what it reported.
    pub slice: u64,
    /// What nobody holds.
    pub room: u64,
}

/// The order of a node's reports: which start of it, and which report since.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Report {
    /// Counts up with each start of the node.
    pub start: u64,
    /// Counts up with each report.
    pub number: u64,
}

/// What one keeper's memory goes by: another after each loss.
pub type Epoch = u64;

/// The keeper's step as a pure function.
#[derive(Clone, Debug, Default)]
pub struct Keeper {
    counters: BTreeMap<CounterKey, BTreeMap<NodeName, Entry>>,
}

/// What is known of one node's share of a counter.
#[derive(Clone, Copy, Debug)]
struct Entry {
    report: Report,
    used: u64,
    /// How much of that was used before the start that reports, as long as that one has not read it.
    before: u64,
    slice: u64,
    until: Timestamp,
}

impl Keeper {
    /// Takes the node's report of one counter and leases what there is. None if a later report was taken
    /// before: reports may overtake each other.
    pub fn step(
        &mut self,
        (node, report): (&NodeName, Report),
        ask: &Ask,
        lease: Duration,
        now: Timestamp,
    ) -> Option<Answer> {
        let entries = self.counters.entry(ask.key.clone()).or_default();
        let (mut others, mut holders, mut before) = (0, 1, 0);
        for (name, entry) in entries.iter() {
            if name == node {
                if entry.report >= report {
                    return None;
                }
                if !ask.is_whole {
                    let is_earlier = entry.report.start < report.start;
                    before = if is_earlier { entry.used } else { entry.before };
                }
            } else if entry.until > now {
                others += entry.used + entry.slice;
                holders += 1;
            } else if !ask.is_gauge {
                others += entry.used;
            }
        }
        let used = (before + ask.used).min(MOST);
        let room = ask.most.saturating_sub(others + used);
        // Ahead of need nobody takes more than a fair part of half of what is left.
        let ahead = ask.want.min(room / (2 * holders));
        let slice = ask.hold.max(room.min(ahead.max(ask.hold + ask.need)));
        let until = now.plus(lease);
        let entry = Entry {
            report,
            used,
            before,
            slice,
            until,
        };
        entries.insert(node.clone(), entry);
        Some(Answer {
            slice,
            room: room.saturating_sub(slice),
        })
    }

    /// Notes what the records say that `node` used of a counter, unless it reports itself.
    pub fn seed(&mut self, node: &NodeName, key: &CounterKey, used: u64, now: Timestamp) {
        let entries = self.counters.entry(key.clone()).or_default();
        let entry = entries.entry(node.clone()).or_insert(Entry {
            report: Report {
                start: 0,
                number: 0,
            },
            used,
            before: 0,
            slice: 0,
            until: Timestamp::from_micros(0),
        });
        if entry.until <= now {
            entry.used = entry.used.max(used);
        }
    }
}

/// What a node knows of the keeper's memory, and whether it may be granted anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tenure {
    epoch: Option<Epoch>,
    is_seeded: bool,
}

/// What an exchange with the keeper says of its memory, read after all its answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// What it goes by.
    pub epoch: Epoch,
    /// How long it has lasted.
    pub age: Duration,
    /// Whether some node told it what the records say.
    pub is_told: bool,
    /// Whether this process still is who reports under the node's name.
    pub is_ours: bool,
}

impl Tenure {
    /// Whether the answers of an exchange hold, beyond what was held before. Notes another epoch: then
    /// all has to be reported again, and the records to be read.
    pub fn meet(&mut self, memory: Memory) -> bool {
        if self.epoch != Some(memory.epoch) {
            self.epoch = Some(memory.epoch);
            self.is_seeded = false;
            return false;
        }
        (self.is_seeded || memory.is_told) && memory.is_ours && memory.age >= GRACE
    }

    /// Whether the records have to be read for the keeper.
    pub const fn wants_seeds(&self) -> bool {
        self.epoch.is_some() && !self.is_seeded
    }

    /// Notes that what the records say was told to the keeper.
    pub const fn seeded(&mut self) {
        self.is_seeded = true;
    }
}

/// How much of `resource` one unit of a lease is.
pub(super) const fn unit(resource: Resource) -> i128 {
    match resource {
        Resource::Money => MONEY_UNIT,
        Resource::Requests | Resource::TokensIn | Resource::TokensOut => 1,
    }
}

/// Whole units of what was used: never less.
pub(super) fn units_up(amount: i128, unit: i128) -> u64 {
    units(amount.max(0).saturating_add(unit - 1), unit)
}

/// Whole units of what is allowed: never more.
pub(super) fn units(amount: i128, unit: i128) -> u64 {
    u64::try_from(amount.max(0) / unit).map_or(MOST, |units| units.min(MOST))
}

/// Whose allowance it is in a limit, in words that each node finds alike: the tag and what else names it.
/// `None` where nobody is named and the limit has those share by key.
pub(super) fn member(per: Level, who: &Who<'_>) -> (Arc<str>, String) {
    let tenant = who.tenant.as_str();
    let key = who.key.map_or("", |key| key.as_str());
    let unnamed = || format!("unnamed {key}");
    let (tag, rest) = match per {
        Level::Workspace => (EVERYBODY, String::new()),
        Level::System => (EVERYBODY, who.system.to_string()),
        Level::Tenant => (tenant, String::new()),
        Level::Team => (
            tenant,
            who.team.map(ToString::to_string).unwrap_or_default(),
        ),
        Level::Key => (tenant, key.to_owned()),
        Level::User => match who.user {
            Some(user) => (tenant, format!("user {user}")),
            None => (tenant, unnamed()),
        },
        Level::Session => match who.session {
            Some(session) => (tenant, format!("session {session}")),
            None => (tenant, unnamed()),
        },
    };
    let digest = crate::digest::Digest::of(rest.as_bytes()).to_string();
    (tag.into(), digest[..32].to_owned())
}

#[cfg(test)]
mod tests;
