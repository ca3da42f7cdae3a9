//! Reviews: control state, whose truth is this database.
//!
//! Each change and the event that tells of it are written in one transaction. The event waits in the
//! outbox until the projection sees it in the journal, so that a crash in between loses nothing: who
//! runs the node appends what [`Store::unlogged_review_events`] still names.

use plimsoll_core::ports::{Boxed, PortError, Reviews};
use plimsoll_core::record::{ReviewChange, ReviewEvent};
use plimsoll_core::review::{Review, ReviewState};
use plimsoll_core::{DecisionId, ReviewId, SystemName, TenantName, Timestamp};
use sqlx::{Row as _, SqliteConnection};

use crate::error::{Doing as _, StoreError, port_error};
use crate::prefix::{IdForm, Lookup};
use crate::sql::{read_json, write_json};
use crate::store::Store;

/// The most reviews of a list.
const LIST_MAX: u32 = 1_000;

const REVIEW: Lookup = Lookup {
    what: "review",
    form: IdForm::Ulid,
    sql: "SELECT id FROM reviews
          WHERE id >= ?1 AND id < ?2 AND (?4 IS NULL OR tenant = ?4) ORDER BY id LIMIT ?3",
};

/// What a try to close a review found.
enum Closing {
    Closed(Box<Review>),
    Missing,
    WasClosed(&'static str),
}

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
        let id = REVIEW
            .resolve(self, tenant.map(TenantName::as_str), prefix)
            .await?;
        let text: Option<String> = sqlx::query_scalar("SELECT review FROM reviews WHERE id = ?1")
            .bind(&id)
            .fetch_optional(&self.readers)
            .await
            .doing("read a review")?;
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
        let texts: Vec<String> = sqlx::query_scalar(
            "SELECT review FROM reviews WHERE state <> 'open' AND (?1 IS NULL OR system = ?1)
             ORDER BY closed_at DESC, id DESC LIMIT ?2",
        )
        .bind(system.map(SystemName::as_str))
        .bind(limit.min(LIST_MAX))
        .fetch_all(&self.readers)
        .await
        .doing("list closed reviews")?;
        texts.iter().map(|text| read_json("review", text)).collect()
    }

    /// Deletes reviews that were closed before `before`: they hold inputs. Returns how many went.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn forget_closed_reviews(&self, before: Timestamp) -> Result<u64, StoreError> {
        let gone = sqlx::query("DELETE FROM reviews WHERE state <> 'open' AND closed_at < ?1")
            .bind(before.as_micros())
            .execute(&self.control)
            .await
            .doing("forget closed reviews")?;
        Ok(gone.rows_affected())
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
        let texts: Vec<String> = sqlx::query_scalar(
            "SELECT record FROM review_outbox WHERE written_at < ?1 ORDER BY number LIMIT ?2",
        )
        .bind(before.as_micros())
        .bind(limit.min(LIST_MAX))
        .fetch_all(&self.readers)
        .await
        .doing("list events of reviews")?;
        texts
            .iter()
            .map(|text| read_json("event of a review", text))
            .collect()
    }

    async fn insert_review(&self, review: &Review) -> Result<(), StoreError> {
        let doing = "keep a review";
        let mut transaction = self
            .control
            .begin_with("BEGIN IMMEDIATE")
            .await
            .doing(doing)?;
        let decision = &review.decision;
        let inserted = sqlx::query(
            "INSERT INTO reviews (id, tenant, environment, system, queue, decision, drill, state,
               opened_at, due_at, closed_at, review)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(review.id.to_string())
        .bind(decision.tenant.as_str())
        .bind(decision.environment.as_str())
        .bind(decision.system.as_str())
        .bind(review.queue.as_str())
        .bind(decision.id.to_string())
        .bind(decision.drill.map(|drill| drill.to_string()))
        .bind(review.state.as_str())
        .bind(review.opened_at.as_micros())
        .bind(review.due_at.as_micros())
        .bind(closed_at(&review.state).map(Timestamp::as_micros))
        .bind(write_json("review", review)?)
        .execute(&mut *transaction)
        .await
        .doing(doing)?;
        // A review that is already there was kept by an earlier try.
        if inserted.rows_affected() > 0 {
            let event = event_of(review, ReviewChange::Opened, None, review.opened_at);
            self.write_event(&mut transaction, &event).await?;
        }
        transaction.commit().await.doing(doing)
    }

    async fn review(
        &self,
        tenant: &TenantName,
        id: ReviewId,
    ) -> Result<Option<Review>, StoreError> {
        let text: Option<String> =
            sqlx::query_scalar("SELECT review FROM reviews WHERE id = ?1 AND tenant = ?2")
                .bind(id.to_string())
                .bind(tenant.as_str())
                .fetch_optional(&self.readers)
                .await
                .doing("read a review")?;
        text.map(|text| read_json("review", &text)).transpose()
    }

    async fn review_of_decision(
        &self,
        tenant: &TenantName,
        id: DecisionId,
    ) -> Result<Option<Review>, StoreError> {
        let text: Option<String> = sqlx::query_scalar(
            "SELECT review FROM reviews WHERE decision = ?1 AND tenant = ?2
             ORDER BY opened_at DESC, id DESC LIMIT 1",
        )
        .bind(id.to_string())
        .bind(tenant.as_str())
        .fetch_optional(&self.readers)
        .await
        .doing("read the review of a decision")?;
        text.map(|text| read_json("review", &text)).transpose()
    }

    async fn open_reviews(
        &self,
        tenant: Option<&TenantName>,
        limit: u32,
    ) -> Result<Vec<Review>, StoreError> {
        let texts: Vec<String> = sqlx::query_scalar(
            "SELECT review FROM reviews WHERE state = 'open' AND (?1 IS NULL OR tenant = ?1)
             ORDER BY due_at, id LIMIT ?2",
        )
        .bind(tenant.map(TenantName::as_str))
        .bind(limit.min(LIST_MAX))
        .fetch_all(&self.readers)
        .await
        .doing("list open reviews")?;
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
            .control
            .begin_with("BEGIN IMMEDIATE")
            .await
            .doing(doing)?;
        let row = sqlx::query("SELECT review FROM reviews WHERE id = ?1 AND tenant = ?2")
            .bind(id.to_string())
            .bind(tenant.as_str())
            .fetch_optional(&mut *transaction)
            .await
            .doing(doing)?;
        let Some(row) = row else {
            return Ok(Closing::Missing);
        };
        let mut review: Review = read_json("review", row.get(0))?;
        if review.state != ReviewState::Open {
            return Ok(Closing::WasClosed(review.state.as_str()));
        }
        review.state = state;
        sqlx::query("UPDATE reviews SET state = ?2, closed_at = ?3, review = ?4 WHERE id = ?1")
            .bind(id.to_string())
            .bind(review.state.as_str())
            .bind(at.as_micros())
            .bind(write_json("review", &review)?)
            .execute(&mut *transaction)
            .await
            .doing(doing)?;
        self.write_event(&mut transaction, &event_of(&review, change, actor, at))
            .await?;
        transaction.commit().await.doing(doing)?;
        Ok(Closing::Closed(Box::new(review)))
    }

    async fn write_event(
        &self,
        connection: &mut SqliteConnection,
        event: &ReviewEvent,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO review_outbox (review, event, written_at, record) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (review, event) DO NOTHING",
        )
        .bind(event.review.to_string())
        .bind(event_word(event.event))
        .bind(self.clock.now().as_micros())
        .bind(write_json("event of a review", event)?)
        .execute(connection)
        .await
        .doing("keep an event of a review")?;
        Ok(())
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
