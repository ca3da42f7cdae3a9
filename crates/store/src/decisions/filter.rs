//! Which decisions, and which page of them.

use plimsoll_core::{
    DecisionId, EnvironmentName, FailureKind, Outcome, ReleaseId, SystemName, TenantName, Timestamp,
};

use crate::database::Statement;
use crate::postgres::push_days;

/// The most decisions on one page.
pub const LIST_MAX: u32 = 1_000;

/// Which decisions. What is none lets all through; drills are left out unless asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DecisionFilter {
    /// Of this system.
    pub system: Option<SystemName>,
    /// Of this environment.
    pub environment: Option<EnvironmentName>,
    /// Of this tenant.
    pub tenant: Option<TenantName>,
    /// That ended like this.
    pub outcome: Option<Outcome>,
    /// That did not end yet.
    pub open: bool,
    /// Whose first failure was of this kind.
    pub kind: Option<FailureKind>,
    /// That this release answered.
    pub release: Option<ReleaseId>,
    /// Of this unit of work.
    pub unit: Option<String>,
    /// Opened at this time or later.
    pub since: Option<Timestamp>,
    /// Opened before this time.
    pub until: Option<Timestamp>,
    /// Decisions of drills and evals too.
    pub drills: bool,
    /// At most so many, up to [`LIST_MAX`]. Counts and exports have no limit.
    pub limit: u32,
    /// For the next page: the last decision of this one.
    pub before: Option<DecisionId>,
}

impl Default for DecisionFilter {
    fn default() -> Self {
        Self {
            system: None,
            environment: None,
            tenant: None,
            outcome: None,
            open: false,
            kind: None,
            release: None,
            unit: None,
            since: None,
            until: None,
            drills: false,
            limit: 50,
            before: None,
        }
    }
}

/// Which part of all that the filter lets through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Page {
    /// All.
    All,
    /// What was opened before this decision.
    Before { opened_at: i64, id: String },
    /// What was opened after this decision.
    After { opened_at: i64, id: String },
}

/// In which order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    LatestFirst,
    EarliestFirst,
}

impl DecisionFilter {
    pub(crate) fn limit_clamped(&self) -> u32 {
        self.limit.clamp(1, LIST_MAX)
    }

    /// Adds the conditions. The text is ours alone; every value is bound. With `has_days` (PostgreSQL), only days
    /// are looked at that can hold what is wanted, and the planner knows by its statistics which index is the
    /// best; SQLite, which keeps none here, is told: a column behind a `+` is not looked up.
    pub(crate) fn push_where(&self, query: &mut Statement, page: Page, has_days: bool) {
        let leader = if has_days { None } else { self.leader() };
        query.push(" WHERE TRUE");
        for column in Column::ALL {
            let Some(value) = self.value(column) else {
                continue;
            };
            let is_looked_up = has_days || leader.is_some_and(|leader| leader.looks_up(column));
            query.push(if is_looked_up { " AND " } else { " AND +" });
            query.push(column.is()).push_bind(value);
        }
        if self
            .outcome
            .is_some_and(|outcome| outcome != Outcome::Served)
        {
            // The condition of the index, by which it is known to hold what is wanted.
            query.push(" AND outcome <> 'served'");
        }
        if self.open {
            query.push(" AND outcome IS NULL");
        }
        if !self.drills {
            query.push(" AND drill IS NULL");
        }
        if let Some(since) = self.since {
            query
                .push(" AND opened_at >= ")
                .push_bind(since.as_micros());
        }
        if let Some(until) = self.until {
            query.push(" AND opened_at < ").push_bind(until.as_micros());
        }
        if has_days {
            self.push_days(query, &page);
        }
        let (comparison, opened_at, id) = match page {
            Page::All => return,
            Page::Before { opened_at, id } => (" AND (opened_at, id) < (", opened_at, id),
            Page::After { opened_at, id } => (" AND (opened_at, id) > (", opened_at, id),
        };
        query
            .push(comparison)
            .push_bind(opened_at)
            .push(", ")
            .push_bind(id)
            .push(")");
    }
}

/// A column that a filter holds against one value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    System,
    Environment,
    Tenant,
    Outcome,
    Kind,
    Release,
    Unit,
}

impl Column {
    const ALL: [Self; 7] = [
        Self::System,
        Self::Environment,
        Self::Tenant,
        Self::Outcome,
        Self::Kind,
        Self::Release,
        Self::Unit,
    ];

    const fn is(self) -> &'static str {
        match self {
            Self::System => "system = ",
            Self::Environment => "environment = ",
            Self::Tenant => "tenant = ",
            Self::Outcome => "outcome = ",
            Self::Kind => "kind = ",
            Self::Release => "release = ",
            Self::Unit => "unit = ",
        }
    }
}

/// By which index SQLite finds the decisions of a filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leader {
    /// The index of what did not end yet.
    Open,
    /// The index of a column; of an outcome or a kind, with the system if that is given.
    Of(Column),
}

impl Leader {
    fn looks_up(self, column: Column) -> bool {
        match self {
            Self::Open => false,
            Self::Of(leading @ (Column::Outcome | Column::Kind)) => {
                column == leading || column == Column::System
            }
            Self::Of(leading) => column == leading,
        }
    }
}

impl DecisionFilter {
    fn value(&self, column: Column) -> Option<String> {
        match column {
            Column::System => self.system.as_ref().map(ToString::to_string),
            Column::Environment => self.environment.as_ref().map(ToString::to_string),
            Column::Tenant => self.tenant.as_ref().map(ToString::to_string),
            Column::Outcome => self.outcome.map(|outcome| outcome.as_str().to_owned()),
            Column::Kind => self.kind.map(|kind| kind.as_str().to_owned()),
            Column::Release => self.release.map(|release| release.to_string()),
            Column::Unit => self.unit.clone(),
        }
    }

    /// The index with the fewest decisions in it that the filter lets through: those of a unit of work are
    /// few, what did not go well is rare, a release is younger than its system.
    fn leader(&self) -> Option<Leader> {
        if self.unit.is_none() && self.open {
            return Some(Leader::Open);
        }
        let is_rare = |column: &Column| match column {
            Column::Outcome => self
                .outcome
                .is_some_and(|outcome| outcome != Outcome::Served),
            column => self.value(*column).is_some(),
        };
        // A tenant of many has fewer decisions than what went wrong for all of them together.
        let tenant = self.tenant.as_ref().filter(|_| self.system.is_none());
        if self.unit.is_none() && tenant.is_some() {
            return Some(Leader::Of(Column::Tenant));
        }
        let order = [
            Column::Unit,
            Column::Outcome,
            Column::Kind,
            Column::Release,
            Column::Tenant,
            Column::System,
        ];
        order.into_iter().find(is_rare).map(Leader::Of)
    }

    /// Adds which days hold the decisions of a page.
    fn push_days(&self, query: &mut Statement, page: &Page) {
        let (mut since, mut until) = (self.since, self.until);
        match page {
            Page::All => {}
            Page::Before { opened_at, .. } => {
                let end = Timestamp::from_micros(opened_at.saturating_add(1));
                until = Some(until.map_or(end, |until| until.min(end)));
            }
            Page::After { opened_at, .. } => {
                since = since.max(Some(Timestamp::from_micros(*opened_at)));
            }
        }
        push_days(query, since, until);
    }
}

/// Adds order and limit.
pub(crate) fn push_order(query: &mut Statement, order: Order, limit: u32) {
    query.push(match order {
        Order::LatestFirst => " ORDER BY opened_at DESC, id DESC LIMIT ",
        Order::EarliestFirst => " ORDER BY opened_at, id LIMIT ",
    });
    query.push_bind(limit);
}
