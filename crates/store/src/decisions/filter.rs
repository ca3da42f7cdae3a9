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

    /// Adds the conditions. The text is ours alone; every value is bound. With `has_days`, only days are
    /// looked at that can hold what is wanted.
    pub(crate) fn push_where(&self, query: &mut Statement, page: Page, has_days: bool) {
        let texts = [
            (
                " AND system = ",
                self.system.as_ref().map(|name| name.as_str().to_owned()),
            ),
            (
                " AND environment = ",
                self.environment
                    .as_ref()
                    .map(|name| name.as_str().to_owned()),
            ),
            (
                " AND tenant = ",
                self.tenant.as_ref().map(|name| name.as_str().to_owned()),
            ),
            (
                " AND outcome = ",
                self.outcome.map(|outcome| outcome.as_str().to_owned()),
            ),
            (
                " AND kind = ",
                self.kind.map(|kind| kind.as_str().to_owned()),
            ),
            (
                " AND release = ",
                self.release.map(|release| release.to_string()),
            ),
            (" AND unit = ", self.unit.clone()),
        ];
        query.push(" WHERE TRUE");
        for (condition, value) in texts {
            if let Some(value) = value {
                query.push(condition).push_bind(value);
            }
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

impl DecisionFilter {
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
