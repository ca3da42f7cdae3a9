//! Limits: how much of what may be used by whom, in which time. One tree over everybody who asks.
//!
//! The tree has the levels workspace, tenant, team, key, end user and session; systems stand across it.
//! A [`Limit`] says whose allowance it is (`per`), which requests count on it (its [`Scope`]), and its
//! [`Ceiling`]s. A request lies on one path through the tree: one member of each limit that it counts on.
//! [`Tree`] holds what was used. It is a pure state machine: time comes from outside, nothing waits.
//!
//! What always holds:
//!
//! - **All or nothing**: an estimate is set aside on the whole path or nowhere.
//! - **Nothing is used twice and nothing is lost**: what was set aside stays until it is settled by what
//!   was really used, in the window in which it was set aside.
//! - **Hard**: a ceiling is never passed by more than what a settlement says beyond its reservation.
//! - **Bounded**: the number of members that are remembered one by one is bounded. What is forgotten is
//!   folded into a fixed table that can only overstate (`members`), so that forgetting gives back no
//!   budget.
//! - **Editing keeps usage**: [`Tree::change`] carries over what was used by the limit's name.

pub mod calendar;
pub mod lease;
mod members;
mod path;
mod slices;
mod tree;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::digest::Digest;
use crate::money::Money;
use crate::names::{KeyName, LimitName, SystemName, TeamName, TenantName};

pub use calendar::{Calendar, Window};
pub use path::{Exceeded, Passage, Reservation, Stand, Stop};
pub use tree::{Seeding, Tree};

/// Whose allowance a limit is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// All requests together have one.
    Workspace,
    /// Each tenant has one.
    Tenant,
    /// Each team of a tenant has one; keys without a team have none.
    Team,
    /// Each key has one.
    Key,
    /// Each end user of a tenant has one, whatever key is used.
    User,
    /// Each session of a tenant has one.
    Session,
    /// Each system has one, over all tenants.
    System,
}

impl Level {
    /// All of them, from the root; systems last.
    pub const ALL: [Self; 7] = [
        Self::Workspace,
        Self::Tenant,
        Self::Team,
        Self::Key,
        Self::User,
        Self::Session,
        Self::System,
    ];

    /// The name as it stands in files and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Tenant => "tenant",
            Self::Team => "team",
            Self::Key => "key",
            Self::User => "user",
            Self::Session => "session",
            Self::System => "system",
        }
    }

    /// The level with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }
}

/// What is limited over time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Resource {
    /// Decisions that are asked for.
    Requests,
    /// Tokens read.
    TokensIn,
    /// Tokens written.
    TokensOut,
    /// Money spent.
    Money,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Requests, Self::TokensIn, Self::TokensOut, Self::Money];

    /// The name as it stands in files and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::TokensIn => "tokens_in",
            Self::TokensOut => "tokens_out",
            Self::Money => "money",
        }
    }
}

/// How much of a resource may be used in one window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ceiling {
    /// Of what.
    pub resource: Resource,
    /// In which time.
    pub window: Window,
    /// The most: a count or, for money, 10⁻¹² of the workspace's currency.
    pub most: i128,
}

/// Which requests count on a limit; an empty set lets all through.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    /// Of these tenants.
    pub tenants: BTreeSet<TenantName>,
    /// Of keys of these teams.
    pub teams: BTreeSet<TeamName>,
    /// With these keys.
    pub keys: BTreeSet<KeyName>,
    /// To these systems.
    pub systems: BTreeSet<SystemName>,
}

impl Scope {
    /// Whether what `who` asks counts.
    pub fn takes(&self, who: &Who<'_>) -> bool {
        fn fits<T: Ord>(set: &BTreeSet<T>, name: Option<&T>) -> bool {
            set.is_empty() || name.is_some_and(|name| set.contains(name))
        }
        fits(&self.tenants, Some(who.tenant))
            && fits(&self.teams, who.team)
            && fits(&self.keys, who.key)
            && fits(&self.systems, Some(who.system))
    }
}

/// What becomes of requests that name no end user or no session, on a limit for each of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unnamed {
    /// Those of one key share one allowance.
    Share,
    /// They do not count on the limit.
    Pass,
    /// They are refused.
    Refuse,
}

/// One limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limit {
    /// What operators and refusals call it.
    pub name: LimitName,
    /// Whose allowance it is.
    pub per: Level,
    /// Which requests count.
    pub scope: Scope,
    /// How much in which time; at most one for each resource and window.
    pub ceilings: Vec<Ceiling>,
    /// How many requests at a time.
    pub concurrency: Option<u32>,
    /// How long after its first request a session may go on.
    pub time: Option<Duration>,
    /// How long a session lives after its first request; then its name begins a new one.
    pub life: Duration,
    /// What becomes of requests that name no end user or session.
    pub unnamed: Unnamed,
    /// How many members are remembered one by one.
    pub members_max: usize,
}

impl Limit {
    /// How long a session lives unless its limit says otherwise.
    pub const LIFE: Duration = Duration::from_hours(24);
    /// How many members are remembered one by one unless the limit says otherwise.
    pub const MEMBERS_MAX: usize = 50_000;

    /// Whether it has a ceiling on `resource`.
    pub fn is_on(&self, resource: Resource) -> bool {
        self.ceilings
            .iter()
            .any(|ceiling| ceiling.resource == resource)
    }
}

/// All limits of a workspace.
#[derive(Clone, PartialEq, Debug)]
pub struct Limits {
    /// The time zone in which days and months begin.
    pub time_zone: jiff::tz::TimeZone,
    /// The limits, in the order of their names.
    pub limits: Vec<Limit>,
}

impl Limits {
    /// Whether what is asked of `system` may count on a ceiling on `resource`.
    pub fn are_on(&self, resource: Resource, system: &SystemName) -> bool {
        let takes =
            |limit: &&Limit| limit.scope.systems.is_empty() || limit.scope.systems.contains(system);
        let mut limits = self.limits.iter().filter(takes);
        limits.any(|limit| limit.is_on(resource))
    }
}

impl Default for Limits {
    /// No limit.
    fn default() -> Self {
        Self {
            time_zone: jiff::tz::TimeZone::UTC,
            limits: Vec::new(),
        }
    }
}

/// Who asks for what: where a request lies in the tree.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// Whose request it is.
    pub tenant: &'a TenantName,
    /// The team of the key, if it has one.
    pub team: Option<&'a TeamName>,
    /// The key, if there are keys.
    pub key: Option<&'a KeyName>,
    /// The pseudonym of the end user, if the caller named one.
    pub user: Option<Digest>,
    /// The session, if the caller named one.
    pub session: Option<&'a str>,
    /// The system that is asked.
    pub system: &'a SystemName,
}

/// How much of each resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Amounts {
    /// Decisions.
    pub requests: u64,
    /// Tokens read.
    pub tokens_in: u64,
    /// Tokens written.
    pub tokens_out: u64,
    /// Money.
    pub money: Money,
}

impl Amounts {
    /// One request, and nothing else yet.
    pub const ONE_REQUEST: Self = Self {
        requests: 1,
        tokens_in: 0,
        tokens_out: 0,
        money: Money::ZERO,
    };

    /// How much of `resource`, as ceilings count it.
    pub const fn of(&self, resource: Resource) -> i128 {
        match resource {
            Resource::Requests => self.requests as i128,
            Resource::TokensIn => self.tokens_in as i128,
            Resource::TokensOut => self.tokens_out as i128,
            Resource::Money => self.money.as_pico(),
        }
    }
}

/// An amount of a resource, for people: money without its currency, counts as they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quantity(pub Resource, pub i128);

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Resource::Money => write!(f, "{}", Money::from_pico(self.1)),
            Resource::Requests | Resource::TokensIn | Resource::TokensOut => {
                write!(f, "{}", self.1)
            }
        }
    }
}
