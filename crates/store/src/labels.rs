//! Labels, as the projection has them: what stands, what was said before, and what waits.

use plimsoll_core::label::{KnownDecision, KnownLabels, Label, LabelValue};
use plimsoll_core::{
    DecisionId, EnvironmentName, EventId, LabelName, ReleaseId, SystemName, TenantName, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::database::{Row, Scope, Statement, column, count, time};
use crate::error::StoreError;
use crate::sql::{parse, read_json};
use crate::store::Store;

/// The most rows of a list.
const LIST_MAX: u32 = 1_000;

/// Which labels. What is none lets all through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LabelFilter {
    /// About decisions of this system.
    pub system: Option<SystemName>,
    /// About this decision.
    pub decision: Option<DecisionId>,
    /// Of this tenant.
    pub tenant: Option<TenantName>,
    /// Only those that wait for a decision that nobody knows.
    pub waiting: bool,
    /// At most so many, up to a thousand.
    pub limit: u32,
    /// For the next page: the last label of this one.
    pub before: Option<EventId>,
}

impl Default for LabelFilter {
    fn default() -> Self {
        Self {
            system: None,
            decision: None,
            tenant: None,
            waiting: false,
            limit: 50,
            before: None,
        }
    }
}

/// A label with what became of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StoredLabel {
    /// As it was recorded.
    #[serde(flatten)]
    pub label: Label,
    /// Whether no later one about the same decision and name corrects it.
    pub stands: bool,
    /// The decision that it is about; none while it waits.
    pub joined: Option<Joined>,
}

/// What a label knows of its decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Joined {
    /// Of which system.
    pub system: SystemName,
    /// Where it was made.
    pub environment: EnvironmentName,
    /// The release that answered.
    pub release: ReleaseId,
    /// When it was opened.
    pub opened_at: Timestamp,
}

/// Whether a later label corrects it.
pub(crate) const STANDS: &str = "NOT EXISTS (SELECT 1 FROM labels AS later
    WHERE later.decision = labels.decision AND later.tenant = labels.tenant
      AND later.name = labels.name
      AND (later.at, later.node, later.sequence) > (labels.at, labels.node, labels.sequence))";

impl Store {
    /// The labels that `filter` lets through, the latest first, those that were corrected too.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn labels(&self, filter: &LabelFilter) -> Result<Vec<StoredLabel>, StoreError> {
        let mut query = Statement::new("SELECT record, ");
        query
            .push(STANDS)
            .push(", system, environment, release, opened_at FROM labels WHERE 1 = 1");
        if let Some(system) = &filter.system {
            query.push(" AND system = ").push_bind(system.as_str());
        }
        if let Some(decision) = &filter.decision {
            query
                .push(" AND decision = ")
                .push_bind(decision.to_string());
        }
        if let Some(tenant) = &filter.tenant {
            query.push(" AND tenant = ").push_bind(tenant.as_str());
        }
        if filter.waiting {
            query.push(" AND system IS NULL");
        }
        if let Some(before) = &filter.before {
            query
                .push(" AND (at, id) < (SELECT at, id FROM labels WHERE id = ")
                .push_bind(before.to_string())
                .push(")");
        }
        query
            .push(" ORDER BY at DESC, id DESC LIMIT ")
            .push_bind(filter.limit.min(LIST_MAX));
        let scope = Scope::of(filter.tenant.as_ref());
        let rows = self.rows(scope, query, "list labels").await?;
        rows.iter().map(stored).collect()
    }

    /// How many labels of a tenant wait for decisions that nobody knows; counted no further than `most`.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn waiting_labels(&self, tenant: &TenantName, most: u64) -> Result<u64, StoreError> {
        let mut query = Statement::new(
            "SELECT CAST(COUNT(*) AS bigint) FROM (SELECT 1 FROM labels WHERE system IS NULL
               AND tenant = ",
        );
        query
            .push_bind(tenant.as_str())
            .push(" LIMIT ")
            .push_bind(crate::sql::signed(most))
            .push(") AS waiting");
        let row = self
            .row(Scope::Tenant(tenant), query, "count the labels that wait")
            .await?;
        row.map_or(Ok(0), |row| count(&row, 0))
    }

    /// What is known of these decisions and of their labels; of `tenant`'s, or of all.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn known_labels(
        &self,
        tenant: Option<&TenantName>,
        decisions: &[DecisionId],
    ) -> Result<KnownLabels, StoreError> {
        let ids: Vec<String> = decisions.iter().map(ToString::to_string).collect();
        let doing = "say what is labelled";
        let mut known = KnownLabels::default();
        let query = Statement::new(
            "SELECT id, tenant, system, environment, release,
               (confidence IS NOT NULL AND drill IS NULL AND outcome IS NOT NULL
                AND outcome IN ('served', 'repaired'))
             FROM decisions WHERE id = ANY($1)",
        );
        let scope = Scope::of(tenant);
        for row in &self.rows(scope, query.bind(ids.clone()), doing).await? {
            let whose: TenantName = parse("tenant", column(row, 1)?)?;
            if tenant.is_none_or(|tenant| *tenant == whose) {
                let decision = KnownDecision {
                    tenant: whose,
                    system: parse("system", column(row, 2)?)?,
                    environment: parse("environment", column(row, 3)?)?,
                    release: parse("release", column(row, 4)?)?,
                    is_of_model: column(row, 5)?,
                };
                known
                    .decisions
                    .insert(parse("decision", column(row, 0)?)?, decision);
            }
        }
        let mut query = Statement::new("SELECT record FROM labels WHERE decision = ANY($1) AND ");
        query.push(STANDS);
        for text in &self.texts(scope, query.bind(ids), doing).await? {
            let Label {
                decision,
                tenant: whose,
                name,
                value,
                ..
            } = read_json("label", text)?;
            if tenant.is_none_or(|tenant| *tenant == whose) {
                known.standing.insert((decision, whose, name), value);
            }
        }
        Ok(known)
    }

    /// How many decisions of a system in an environment a model answered with a confidence, opened at `since`
    /// or later and before `until`; and of those with a standing label of this name, the confidence and the
    /// label, at most `limit`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn labelled_confidences(
        &self,
        (system, environment): (&SystemName, &EnvironmentName),
        name: &LabelName,
        (since, until): (Timestamp, Timestamp),
        limit: u32,
    ) -> Result<(u64, Vec<(f64, LabelValue)>), StoreError> {
        let doing = "read what labels say of a day";
        let answered = Statement::new(
            "SELECT CAST(COUNT(*) AS bigint) FROM decisions
             WHERE system = $1 AND environment = $2 AND opened_at >= $3 AND opened_at < $4
               AND confidence IS NOT NULL AND outcome IN ('served', 'repaired') AND drill IS NULL",
        )
        .bind(system.as_str())
        .bind(environment.as_str())
        .bind(since.as_micros())
        .bind(until.as_micros());
        let row = self.row(Scope::Installation, answered, doing).await?;
        let decisions = row.map_or(Ok(0), |row| count(&row, 0))?;
        let mut query = Statement::new(
            "SELECT d.confidence, labels.record FROM labels
             JOIN decisions AS d ON d.id = labels.decision AND d.tenant = labels.tenant
             WHERE labels.system = $1 AND labels.environment = $2 AND labels.name = $3
               AND labels.opened_at >= $4 AND labels.opened_at < $5
               AND d.confidence IS NOT NULL AND d.outcome IN ('served', 'repaired')
               AND d.drill IS NULL AND ",
        )
        .bind(system.as_str())
        .bind(environment.as_str())
        .bind(name.as_str())
        .bind(since.as_micros())
        .bind(until.as_micros());
        query
            .push(STANDS)
            .push(" ORDER BY labels.decision LIMIT ")
            .push_bind(limit);
        let rows = self.rows(Scope::Installation, query, doing).await?;
        let pair = |row: &Row| {
            let label: Label = read_json("label", column(row, 1)?)?;
            Ok((column(row, 0)?, label.value))
        };
        let pairs: Result<Vec<_>, StoreError> = rows.iter().map(pair).collect();
        Ok((decisions, pairs?))
    }
}

fn stored(row: &Row) -> Result<StoredLabel, StoreError> {
    let system: Option<&str> = column(row, 2)?;
    let joined = match system {
        None => None,
        Some(system) => Some(Joined {
            system: parse("system", system)?,
            environment: parse("environment", column(row, 3)?)?,
            release: parse("release", column(row, 4)?)?,
            opened_at: time(row, 5)?.unwrap_or(Timestamp::from_micros(0)),
        }),
    };
    Ok(StoredLabel {
        label: read_json("label", column(row, 0)?)?,
        stands: column(row, 1)?,
        joined,
    })
}
