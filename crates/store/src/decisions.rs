//! Decisions, as the projection has them: one by id, a page by filter.

mod counted;
mod filter;

use std::sync::Arc;

use plimsoll_core::decision::{Payload, PayloadRef};
use plimsoll_core::label::KnownLabels;
use plimsoll_core::ports::{Boxed, Decisions, PortError, UsageQuery, Used};
use plimsoll_core::{Decision, DecisionId, Digest, TenantName, Timestamp};
use plimsoll_journal::Payloads;

use crate::database::{Engine, Scope, Statement};
use crate::error::{Cause, StoreError, port_error};
use crate::postgres::push_days;
use crate::prefix::{IdForm, Lookup};
use crate::sql::read_json;
use crate::store::Store;

pub(crate) use counted::{basis_word, sample, sample_columns};
pub use filter::{DecisionFilter, LIST_MAX};
pub(crate) use filter::{Order, Page, push_order};

const DECISION: Lookup = Lookup {
    what: "decision",
    form: IdForm::Ulid,
    sql: "SELECT id FROM decisions
          WHERE id >= $1 AND id < $2 AND ($4 IS NULL OR tenant = $4) ORDER BY id LIMIT $3",
};

impl Store {
    /// The decision with this id; none if the projection does not have it.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn decision(&self, id: DecisionId) -> Result<Option<Decision>, StoreError> {
        self.decision_for(Scope::Installation, id).await
    }

    async fn decision_for(
        &self,
        scope: Scope<'_>,
        id: DecisionId,
    ) -> Result<Option<Decision>, StoreError> {
        let mut query = self.records();
        query.push(" WHERE id = ").push_bind(id.to_string());
        let text = self.text(scope, query, "read a decision").await?;
        text.map(|text| read_json("decision", &text)).transpose()
    }

    /// The one decision whose id begins with `prefix` (in any case, an ellipsis at the end allowed);
    /// of `tenant`, if one is given.
    ///
    /// # Errors
    /// If there is none or there are several, or the database is away.
    pub async fn decision_by_prefix(
        &self,
        tenant: Option<&TenantName>,
        prefix: &str,
    ) -> Result<Decision, StoreError> {
        let id = DECISION.resolve(self, tenant, prefix).await?;
        let id = crate::sql::parse("decision", &id)?;
        let decision = self.decision_for(Scope::of(tenant), id).await?;
        decision.ok_or_else(|| StoreError::NotFound {
            what: "decision",
            prefix: prefix.to_owned(),
        })
    }

    /// The decisions that `filter` lets through, the latest first, at most [`LIST_MAX`].
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn decisions(&self, filter: &DecisionFilter) -> Result<Vec<Decision>, StoreError> {
        let mut query = self.records();
        filter.push_where(&mut query, self.cursor(filter).await?, self.has_days());
        push_order(&mut query, Order::LatestFirst, filter.limit_clamped());
        let scope = Scope::of(filter.tenant.as_ref());
        let texts = self.texts(scope, query, "list decisions").await?;
        texts
            .iter()
            .map(|text| read_json("decision", text))
            .collect()
    }

    /// How many decisions `filter` lets through; its limit and cursor count for nothing.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn count_decisions(&self, filter: &DecisionFilter) -> Result<u64, StoreError> {
        let mut query = Statement::new("SELECT COUNT(*) FROM decisions");
        filter.push_where(&mut query, Page::All, self.has_days());
        let scope = Scope::of(filter.tenant.as_ref());
        let counted = self.number(scope, query, "count decisions").await?;
        Ok(counted
            .and_then(|counted| u64::try_from(counted).ok())
            .unwrap_or(0))
    }

    /// Begins a statement that reads whole decisions.
    pub(crate) fn records(&self) -> Statement {
        Statement::new(match &*self.engine {
            Engine::Sqlite(_) => {
                "SELECT record FROM decisions JOIN decision_records USING (number)"
            }
            Engine::Postgres(_) => "SELECT record FROM decisions",
        })
    }

    /// Whether decisions lie in a partition for each day.
    pub(crate) fn has_days(&self) -> bool {
        matches!(&*self.engine, Engine::Postgres(_))
    }

    /// Where the page before `filter.before` begins; a decision that is gone by now is placed by the
    /// time in its id.
    async fn cursor(&self, filter: &DecisionFilter) -> Result<Page, StoreError> {
        let Some(id) = filter.before else {
            return Ok(Page::All);
        };
        let opened_at: Option<i64> = self
            .number(
                Scope::Installation,
                Statement::new("SELECT opened_at FROM decisions WHERE id = $1")
                    .bind(id.to_string()),
                "find where a page begins",
            )
            .await?;
        let opened_at = opened_at.unwrap_or_else(|| id.made_at().as_micros());
        Ok(Page::Before {
            opened_at,
            id: id.to_string(),
        })
    }
}

/// Where the inputs and outputs of decisions are kept.
pub trait PayloadSource: Send + Sync {
    /// The bytes that were sealed for a decision, checked against their commitment; none if they were
    /// erased. Blocks on the disk.
    ///
    /// # Errors
    /// If they cannot be read or are not what was sealed.
    fn read(&self, id: DecisionId, reference: &PayloadRef) -> Result<Option<Vec<u8>>, Cause>;
}

impl PayloadSource for Payloads {
    fn read(&self, id: DecisionId, reference: &PayloadRef) -> Result<Option<Vec<u8>>, Cause> {
        let found = self.read(id, reference)?;
        Ok(found.kept())
    }
}

/// [`Decisions`] over the projection, and over the payloads that lie apart from it.
#[derive(Clone)]
pub struct ProjectedDecisions {
    store: Store,
    payloads: Option<Arc<dyn PayloadSource>>,
}

impl ProjectedDecisions {
    /// Decisions of `store`; without `payloads` none has a payload.
    pub fn new(store: &Store, payloads: Option<Arc<dyn PayloadSource>>) -> Self {
        Self {
            store: store.clone(),
            payloads,
        }
    }

    async fn of_tenant(
        &self,
        tenant: &TenantName,
        id: DecisionId,
    ) -> Result<Option<Decision>, PortError> {
        let doing = "read a decision";
        let decision = self
            .store
            .decision_for(Scope::Tenant(tenant), id)
            .await
            .map_err(|error| port_error(doing, error))?;
        Ok(decision.filter(|decision| decision.tenant == *tenant))
    }

    async fn payload_of(
        &self,
        tenant: &TenantName,
        id: DecisionId,
    ) -> Result<Option<Payload>, PortError> {
        let doing = "read a payload";
        let reference = self
            .of_tenant(tenant, id)
            .await?
            .and_then(|decision| decision.payload);
        let (Some(reference), Some(payloads)) = (reference, self.payloads.clone()) else {
            return Ok(None);
        };
        let reading = tokio::task::spawn_blocking(move || payloads.read(id, &reference));
        let unavailable = |source: Cause| PortError::Unavailable { doing, source };
        let bytes = reading
            .await
            .map_err(|error| unavailable(Box::new(error)))?;
        let Some(bytes) = bytes.map_err(unavailable)? else {
            return Ok(None);
        };
        let payload =
            serde_json::from_slice(&bytes).map_err(|error| unavailable(Box::new(error)))?;
        Ok(Some(payload))
    }
}

impl Decisions for ProjectedDecisions {
    fn get<'a>(
        &'a self,
        tenant: &'a TenantName,
        id: DecisionId,
    ) -> Boxed<'a, Result<Option<Decision>, PortError>> {
        Box::pin(self.of_tenant(tenant, id))
    }

    fn by_idempotency<'a>(
        &'a self,
        tenant: &'a TenantName,
        key: Digest,
        since: Timestamp,
    ) -> Boxed<'a, Result<Option<Decision>, PortError>> {
        Box::pin(async move {
            let found = self.store.decision_by_idempotency(tenant, key, since).await;
            found.map_err(|error| port_error("look an idempotency key up", error))
        })
    }

    fn usage<'a>(&'a self, query: &'a UsageQuery) -> Boxed<'a, Result<Vec<Used>, PortError>> {
        Box::pin(async move {
            let used = self.store.usage(query).await;
            used.map_err(|error| port_error("read back what limits count", error))
        })
    }

    fn known_labels<'a>(
        &'a self,
        tenant: Option<&'a TenantName>,
        decisions: &'a [DecisionId],
    ) -> Boxed<'a, Result<KnownLabels, PortError>> {
        Box::pin(async move {
            let known = self.store.known_labels(tenant, decisions).await;
            known.map_err(|error| port_error("say what is labelled", error))
        })
    }

    fn waiting_labels<'a>(
        &'a self,
        tenant: &'a TenantName,
        most: u64,
    ) -> Boxed<'a, Result<u64, PortError>> {
        Box::pin(async move {
            let waiting = self.store.waiting_labels(tenant, most).await;
            waiting.map_err(|error| port_error("count the labels that wait", error))
        })
    }

    fn payload<'a>(
        &'a self,
        tenant: &'a TenantName,
        id: DecisionId,
    ) -> Boxed<'a, Result<Option<Payload>, PortError>> {
        Box::pin(self.payload_of(tenant, id))
    }
}

impl Store {
    /// The decision of `tenant` whose record carries this idempotency pseudonym, opened since `since`:
    /// the latest if there are several, and its first row if it has rows.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn decision_by_idempotency(
        &self,
        tenant: &TenantName,
        key: Digest,
        since: Timestamp,
    ) -> Result<Option<Decision>, StoreError> {
        let mut query = self.records();
        query
            .push(" WHERE tenant = ")
            .push_bind(tenant.as_str())
            .push(" AND idempotency = ")
            .push_bind(key.to_string())
            .push(" AND opened_at >= ")
            .push_bind(since.as_micros());
        if self.has_days() {
            push_days(&mut query, Some(since), None);
        }
        query.push(" ORDER BY opened_at DESC, row LIMIT 1");
        let doing = "look an idempotency key up";
        let text = self.text(Scope::Tenant(tenant), query, doing).await?;
        text.map(|text| read_json("decision", &text)).transpose()
    }
}
