//! Reviews: control state, whose truth is this database.
//!
//! A review holds its decision's input. When that is erased, the review stays without its contents
//! ([`Store::erasure_of`] its decision says why): nobody can answer it, and it expires in its time.
//!
//! Each change and the event that tells of it are written in one transaction. The event waits in the
//! outbox until the projection sees it in the journal, so that a crash in between loses nothing: who
//! runs the node appends what [`Store::unlogged_review_events`] still names.

use plimsoll_core::ports::{Boxed, PortError, Reviews};
use plimsoll_core::record::{ReviewChange, ReviewEvent};
use plimsoll_core::review::{Review, ReviewState};
use plimsoll_core::{DecisionId, ReviewId, SystemName, TenantName, Timestamp};

use crate::database::{Lock, Scope, Statement, Transaction, Way};
use crate::error::{StoreError, port_error};
use crate::prefix::{IdForm, Lookup};
use crate::sql::{column, read_json, write_json};
use crate::store::Store;

/// The most reviews of a list.
const LIST_MAX: u32 = 1_000;

const REVIEW: Lookup = Lookup {
    what: "review",
    form: IdForm::Ulid,
    sql: "SELECT id FROM reviews
          WHERE id >= $1 AND id < $2 AND ($4 IS NULL OR tenant = $4) ORDER BY id LIMIT $3",
};

/// What a try to close a review found.
enum Closing {
    Closed(Box<Review>),
    Missing,
    WasClosed(&'static str),
}

/// What [`PortError::ReviewClosed`] says of a review that nobody can answer any more.
const ERASED: &str = "erased";

/// [`Reviews`] over the database.
#[derive(Clone, Debug)]
pub struct StoredReviews(Store);

impl StoredReviews {
    /// Reviews of `store`.
    pub fn new(store: &Store) -> Self {
        Self(store.clone())
    }
}

impl Reviews for StoredReviews {
    fn open(&self, review: Review) -> Boxed<'_, Result<(), PortError>> {
        Box::pin(async move {
            let doing = "keep a review";
            self.0
                .insert_review(&review)
                .await
                .map_err(|error| port_error(doing, error))
        })
    }

    fn get<'a>(
        &'a self,
        tenant: &'a TenantName,
        id: ReviewId,
    ) -> Boxed<'a, Result<Review, PortError>> {
        Box::pin(async move {
            let review = self.0.review(tenant, id).await;
            let review = review.map_err(|error| port_error("read a review", error))?;
            review.ok_or(PortError::NotFound("review"))
        })
    }

    fn of_decision<'a>(
        &'a self,
        tenant: &'a TenantName,
        id: DecisionId,
    ) -> Boxed<'a, Result<Option<Review>, PortError>> {
        Box::pin(async move {
            let review = self.0.review_of_decision(tenant, id).await;
            review.map_err(|error| port_error("read the review of a decision", error))
        })
    }

    fn close<'a>(
        &'a self,
        tenant: &'a TenantName,
        id: ReviewId,
        state: ReviewState,
    ) -> Boxed<'a, Result<Review, PortError>> {
        Box::pin(async move {
            let closing = self.0.close_review(tenant, id, state).await;
            match closing.map_err(|error| port_error("close a review", error))? {
                Closing::Closed(review) => Ok(*review),
                Closing::Missing => Err(PortError::NotFound("review")),
                Closing::WasClosed(state) => Err(PortError::ReviewClosed(state)),
            }
        })
    }

    fn list_open<'a>(
        &'a self,
        tenant: Option<&'a TenantName>,
        limit: u32,
    ) -> Boxed<'a, Result<Vec<Review>, PortError>> {
        Box::pin(async move {
            let reviews = self.0.open_reviews(tenant, limit).await;
            reviews.map_err(|error| port_error("list open reviews", error))
        })
    }
}

impl Store {
    /// The one review whose id begins with `prefix`; of `tenant`, if one is given.
    ///
    /// # Errors
    /// If there is none or there are several, or the database is away.
    pub async fn review_by_prefix(
        &self,
        tenant: Option<&TenantName>,
        prefix: &str,
    ) -> Result<Review, StoreError> {
        let id = REVIEW.resolve(self, tenant, prefix).await?;
        let text: Option<String> = self
            .text(
                Scope::of(tenant),
                Statement::new("SELECT review FROM reviews WHERE id = $1").bind(&*id),
                "read a review",
            )
            .await?;
        let not_found = || StoreError::NotFound {
            what: "review",
            prefix: prefix.to_owned(),
        };
        read_json("review", &text.ok_or_else(not_found)?)
    }

    /// Reviews that were answered or have expired, the latest first, at most `limit`; of one system, if
    /// one is given.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn closed_reviews(
        &self,
        system: Option<&SystemName>,
        limit: u32,
    ) -> Result<Vec<Review>, StoreError> {
        let texts: Vec<String> = self.texts(Scope::Installation, Statement::new(
            "SELECT review FROM reviews WHERE state <> 'open' AND ($1 IS NULL OR system = $1)
             ORDER BY closed_at DESC, id DESC LIMIT $2",
        ).bind(system.map(SystemName::as_str)).bind(limit.min(LIST_MAX)), "list closed reviews").await?;
        texts.iter().map(|text| read_json("review", text)).collect()
    }

    /// Deletes reviews that were closed before `before`: they hold inputs. Returns how many went.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn forget_closed_reviews(&self, before: Timestamp) -> Result<u64, StoreError> {
        let gone = self
            .write(
                Way::Control,
                Scope::Installation,
                Statement::new("DELETE FROM reviews WHERE state <> 'open' AND closed_at < $1")
                    .bind(before.as_micros()),
                "forget closed reviews",
            )
            .await?;
        Ok(gone)
    }

    /// Events of reviews that the projection has not seen in the journal, written before `before`, the
    /// earliest first, at most `limit`. Appending one twice does no harm.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn unlogged_review_events(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<ReviewEvent>, StoreError> {
        let texts: Vec<String> = self.texts(Scope::Installation, Statement::new(
            "SELECT record FROM review_outbox WHERE written_at < $1 ORDER BY number LIMIT $2",
        ).bind(before.as_micros()).bind(limit.min(LIST_MAX)), "list events of reviews").await?;
        texts
            .iter()
            .map(|text| read_json("event of a review", text))
            .collect()
    }

    async fn insert_review(&self, review: &Review) -> Result<(), StoreError> {
        let doing = "keep a review";
        let mut transaction = self.begin(Way::Control, Scope::Installation, doing).await?;
        transaction.lock(Lock::NotErasing).await?;
        let decision = &review.decision;
        let erasure: Option<String> = transaction
            .text(
                Statement::new(
                    "SELECT erasure FROM erased WHERE decision = $1 ORDER BY erasure LIMIT 1",
                )
                .bind(decision.id.to_string()),
            )
            .await?;
        let kept = match erasure {
            Some(_) => write_json("review", &without_contents(review.clone()))?,
            None => write_json("review", review)?,
        };
        let inserted = transaction.execute(Statement::new(
            "INSERT INTO reviews (id, tenant, environment, system, queue, decision, drill, state,
               opened_at, due_at, closed_at, review, erasure)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
             ON CONFLICT (id) DO NOTHING",
        ).bind(review.id.to_string()).bind(decision.tenant.as_str()).bind(decision.environment.as_str()).bind(decision.system.as_str()).bind(review.queue.as_str()).bind(decision.id.to_string()).bind(decision.made_for().map(|event| event.to_string())).bind(review.state.as_str()).bind(review.opened_at.as_micros()).bind(review.due_at.as_micros()).bind(closed_at(&review.state).map(Timestamp::as_micros)).bind(kept).bind(erasure)).await?;
        // A review that is already there was kept by an earlier try.
        if inserted > 0 {
            let event = event_of(review, ReviewChange::Opened, None, review.opened_at);
            self.write_event(&mut transaction, &event).await?;
        }
        transaction.commit().await
    }

    async fn review(
        &self,
        tenant: &TenantName,
        id: ReviewId,
    ) -> Result<Option<Review>, StoreError> {
        let text: Option<String> = self
            .text(
                Scope::Tenant(tenant),
                Statement::new("SELECT review FROM reviews WHERE id = $1 AND tenant = $2")
                    .bind(id.to_string())
                    .bind(tenant.as_str()),
                "read a review",
            )
            .await?;
        text.map(|text| read_json("review", &text)).transpose()
    }

    async fn review_of_decision(
        &self,
        tenant: &TenantName,
        id: DecisionId,
    ) -> Result<Option<Review>, StoreError> {
        let text: Option<String> = self
            .text(
                Scope::Tenant(tenant),
                Statement::new(
                    "SELECT review FROM reviews WHERE decision = $1 AND tenant = $2
             ORDER BY opened_at DESC, id DESC LIMIT 1",
                )
                .bind(id.to_string())
                .bind(tenant.as_str()),
                "read the review of a decision",
            )
            .await?;
        text.map(|text| read_json("review", &text)).transpose()
    }

    async fn open_reviews(
        &self,
        tenant: Option<&TenantName>,
        limit: u32,
    ) -> Result<Vec<Review>, StoreError> {
        let texts: Vec<String> = self.texts(Scope::of(tenant), Statement::new(
            "SELECT review FROM reviews WHERE state = 'open' AND ($1 IS NULL OR tenant = $1)
             ORDER BY due_at, id LIMIT $2",
        ).bind(tenant.map(TenantName::as_str)).bind(limit.min(LIST_MAX)), "list open reviews").await?;
        texts.iter().map(|text| read_json("review", text)).collect()
    }

    /// Reads and writes inside one write transaction: of two that close, the second sees the first.
    async fn close_review(
        &self,
        tenant: &TenantName,
        id: ReviewId,
        state: ReviewState,
    ) -> Result<Closing, StoreError> {
        let doing = "close a review";
        let (change, actor, at) = match &state {
            ReviewState::Open => return Ok(Closing::WasClosed("open")),
            ReviewState::Answered { actor, at, .. } => {
                (ReviewChange::Answered, Some(actor.clone()), *at)
            }
            ReviewState::Expired { at } => (ReviewChange::Expired, None, *at),
        };
        let mut transaction = self
            .begin(Way::Control, Scope::Tenant(tenant), doing)
            .await?;
        // Whoever changes it first keeps others waiting.
        let row = transaction.row(Statement::new("UPDATE reviews SET state = state WHERE id = $1 AND tenant = $2 RETURNING review, erasure").bind(id.to_string()).bind(tenant.as_str())).await?;
        let Some(row) = row else {
            return Ok(Closing::Missing);
        };
        let mut review: Review = read_json("review", column(&row, 0)?)?;
        if review.state != ReviewState::Open {
            return Ok(Closing::WasClosed(review.state.as_str()));
        }
        let is_erased = column::<Option<&str>>(&row, 1)?.is_some();
        if is_erased && change == ReviewChange::Answered {
            return Ok(Closing::WasClosed(ERASED));
        }
        review.state = state;
        transaction
            .execute(
                Statement::new(
                    "UPDATE reviews SET state = $2, closed_at = $3, review = $4 WHERE id = $1",
                )
                .bind(id.to_string())
                .bind(review.state.as_str())
                .bind(at.as_micros())
                .bind(write_json("review", &review)?),
            )
            .await?;
        self.write_event(&mut transaction, &event_of(&review, change, actor, at))
            .await?;
        transaction.commit().await?;
        Ok(Closing::Closed(Box::new(review)))
    }

    async fn write_event(
        &self,
        transaction: &mut Transaction,
        event: &ReviewEvent,
    ) -> Result<(), StoreError> {
        transaction
            .execute(
                Statement::new(
                    "INSERT INTO review_outbox (review, event, tenant, written_at, record)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (review, event) DO NOTHING",
                )
                .bind(event.review.to_string())
                .bind(event_word(event.event))
                .bind(event.tenant.as_str())
                .bind(self.clock.now().as_micros())
                .bind(write_json("event of a review", event)?),
            )
            .await?;
        transaction.tell().await
    }
}

/// A review of which all that a caller, a model or a person said is removed. What the ladder gives when
/// nobody answers stays: it is the system's, and the same for everybody.
pub(crate) fn without_contents(review: Review) -> Review {
    let state = match review.state {
        ReviewState::Answered {
            actor,
            worked_seconds,
            at,
            ..
        } => ReviewState::Answered {
            answer: serde_json::Value::Null,
            actor,
            note: None,
            worked_seconds,
            at,
        },
        state => state,
    };
    Review {
        input: serde_json::Value::Null,
        proposal: None,
        state,
        ..review
    }
}

fn event_of(
    review: &Review,
    event: ReviewChange,
    actor: Option<String>,
    at: Timestamp,
) -> ReviewEvent {
    ReviewEvent {
        review: review.id,
        decision: review.decision.id,
        tenant: review.decision.tenant.clone(),
        system: review.decision.system.clone(),
        queue: review.queue.clone(),
        event,
        actor,
        at,
        due_at: review.due_at,
    }
}

const fn closed_at(state: &ReviewState) -> Option<Timestamp> {
    match state {
        ReviewState::Open => None,
        ReviewState::Answered { at, .. } | ReviewState::Expired { at } => Some(*at),
    }
}

/// The event in one word, as it is stored.
pub(crate) const fn event_word(event: ReviewChange) -> &'static str {
    match event {
        ReviewChange::Opened => "opened",
        ReviewChange::Answered => "answered",
        ReviewChange::Expired => "expired",
    }
}
