//! Decisions that people or the world have judged: what datasets are made of.

use std::collections::HashMap;

use plimsoll_core::dataset::{DatasetFilter, Judged};
use plimsoll_core::label::Label;
use plimsoll_core::{Decision, DecisionId, EnvironmentName, SystemName, Timestamp};

use crate::database::{Row, Scope, Statement};
use crate::error::StoreError;
use crate::labels::STANDS;
use crate::postgres::push_days;
use crate::sql::{column, parse, read_json};
use crate::store::Store;

/// Rows of a page.
const PAGE_ROWS: u32 = 10_000;

/// A page of decisions that were judged.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct JudgedPage {
    /// Which, the earliest first.
    pub decisions: Vec<DecisionId>,
    /// Where the next page begins; none if this was the last.
    pub next: Option<(Timestamp, DecisionId)>,
}

impl Store {
    /// The closed decisions of a system in an environment that a label or a person's answer says something of,
    /// as `filter` asks, a page at a time, the earliest first. Sample, limit, and what only their contents tell
    /// play no part here. Those of drills and evals are left out.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn judged_decisions(
        &self,
        (system, environment): (&SystemName, &EnvironmentName),
        filter: &DatasetFilter,
        after: Option<(Timestamp, DecisionId)>,
    ) -> Result<JudgedPage, StoreError> {
        let query = self.judged_query((system, environment), filter, after);
        let scope = Scope::of(filter.tenant.as_ref());
        let rows = self.rows(scope, query, "find what was judged").await?;
        let read = |row: &Row| {
            let at = Timestamp::from_micros(column(row, 1)?);
            Ok((at, parse("decision", column(row, 0)?)?))
        };
        let found: Result<Vec<(Timestamp, DecisionId)>, StoreError> =
            rows.iter().map(read).collect();
        let found = found?;
        let is_full = found.len() == usize::try_from(PAGE_ROWS).unwrap_or(usize::MAX);
        Ok(JudgedPage {
            next: found.last().copied().filter(|_| is_full),
            decisions: found.into_iter().map(|(_, id)| id).collect(),
        })
    }

    fn judged_query(
        &self,
        (system, environment): (&SystemName, &EnvironmentName),
        filter: &DatasetFilter,
        after: Option<(Timestamp, DecisionId)>,
    ) -> Statement {
        let mut query = Statement::new("SELECT id, opened_at FROM decisions WHERE system = ");
        query
            .push_bind(system.as_str())
            .push(" AND environment = ")
            .push_bind(environment.as_str())
            .push(" AND outcome IS NOT NULL AND drill IS NULL");
        if let Some(release) = filter.release {
            query.push(" AND release = ").push_bind(release.to_string());
        }
        if let Some(tenant) = &filter.tenant {
            query.push(" AND tenant = ").push_bind(tenant.as_str());
        }
        let since = filter.since.max(after.map(|(at, _)| at));
        if let Some(since) = since {
            query
                .push(" AND opened_at >= ")
                .push_bind(since.as_micros());
        }
        if let Some(until) = filter.until {
            query.push(" AND opened_at < ").push_bind(until.as_micros());
        }
        if self.has_days() {
            push_days(&mut query, since, filter.until);
        }
        push_judged(&mut query, filter);
        if let Some((at, id)) = after {
            query
                .push(" AND (opened_at, id) > (")
                .push_bind(at.as_micros())
                .push(", ")
                .push_bind(id.to_string())
                .push(")");
        }
        query
            .push(" ORDER BY opened_at, id LIMIT ")
            .push_bind(PAGE_ROWS);
        query
    }

    /// These decisions, in this order, with the labels that stand, in the order of their names. One that is there
    /// no longer is left out.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn with_labels(
        &self,
        filter: &DatasetFilter,
        decisions: &[DecisionId],
    ) -> Result<Vec<(Decision, Vec<Label>)>, StoreError> {
        let ids: Vec<String> = decisions.iter().map(ToString::to_string).collect();
        let scope = Scope::of(filter.tenant.as_ref());
        let doing = "read what was judged";
        let mut query = self.records();
        query.push(" WHERE id = ANY($1)");
        let mut found = HashMap::new();
        for text in &self.texts(scope, query.bind(ids.clone()), doing).await? {
            let decision: Decision = read_json("decision", text)?;
            found.insert(decision.id, (decision, Vec::new()));
        }
        let mut query = Statement::new(
            "SELECT record FROM labels WHERE decision = ANY($1) AND system IS NOT NULL AND ",
        );
        query.push(STANDS).push(" ORDER BY name");
        for text in &self.texts(scope, query.bind(ids), doing).await? {
            let label: Label = read_json("label", text)?;
            let is_wanted = filter.labels.is_empty() || filter.labels.contains(&label.name);
            let of = found.get_mut(&label.decision).filter(|_| is_wanted);
            if let Some((_, labels)) = of.filter(|(decision, _)| decision.tenant == label.tenant) {
                labels.push(label);
            }
        }
        Ok(decisions.iter().filter_map(|id| found.remove(id)).collect())
    }
}

/// Adds who must have judged a decision.
fn push_judged(query: &mut Statement, filter: &DatasetFilter) {
    let wants = |judged| filter.only.contains(&judged);
    let labelled = |query: &mut Statement| {
        query.push(
            "EXISTS (SELECT 1 FROM labels WHERE labels.decision = decisions.id
               AND labels.tenant = decisions.tenant",
        );
        for (index, name) in filter.labels.iter().enumerate() {
            query
                .push(if index == 0 {
                    " AND (labels.name = "
                } else {
                    " OR labels.name = "
                })
                .push_bind(name.as_str());
        }
        query.push(if filter.labels.is_empty() { ")" } else { "))" });
    };
    match (wants(Judged::Labelled), wants(Judged::Reviewed)) {
        (false, false) => {
            query.push(" AND (outcome = 'reviewed' OR ");
            labelled(query);
            query.push(")");
        }
        (is_labelled, is_reviewed) => {
            if is_labelled {
                query.push(" AND ");
                labelled(query);
            }
            if is_reviewed {
                query.push(" AND outcome = 'reviewed'");
            }
        }
    }
}
