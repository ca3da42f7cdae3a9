//! Reviews: a decision that waits for a person stays open; the answer closes it.
//!
//! The store holds the review with all that is needed to close its decision, so that a restart
//! loses none. Callers who wait are woken in process; others poll.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use plimsoll_core::decision::Payload;
use plimsoll_core::manifest::{AbstainSpec, ExpiryStep};
use plimsoll_core::ports::PortError;
use plimsoll_core::record::{RecordRef, ReviewChange, ReviewEvent};
use plimsoll_core::review::{Review, ReviewState};
use plimsoll_core::{Code, Decision, DecisionId, Outcome, Record, ReviewId, TenantName, Timestamp};
use plimsoll_journal::PayloadFound;
use serde_json::Value;
use tokio::sync::Notify;

use crate::answer::Item;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::node::Node;
use crate::opening;
use crate::refusal::Refusal;
use crate::stage::finish::cost_of_attempts;

/// How many callers may wait at a time; a further one is told at once that the review is open.
const WAITERS_MAX: usize = 10_000;
/// How long a review's records wait for a full queue.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// How many overdue reviews are closed in one go.
const EXPIRE_AT_ONCE: u32 = 500;

/// A review that was opened, and what its caller may be given meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) review: ReviewId,
    pub(crate) due_at: Timestamp,
    /// The abstain value, in the shape of the output.
    pub(crate) meanwhile: Option<Value>,
}

/// Callers who wait for a decision to close.
#[derive(Default)]
pub(crate) struct Waiters(Mutex<HashMap<DecisionId, Arc<Notify>>>);

impl Waiters {
    /// Something to wait on, unless too many wait already.
    pub(crate) fn join(&self, id: DecisionId) -> Option<Arc<Notify>> {
        let mut waiters = self.0.lock();
        if waiters.len() >= WAITERS_MAX && !waiters.contains_key(&id) {
            return None;
        }
        Some(Arc::clone(waiters.entry(id).or_default()))
    }

    fn wake(&self, id: DecisionId) {
        if let Some(waiting) = self.0.lock().remove(&id) {
            waiting.notify_waiters();
        }
    }

    /// Forgets a decision that nobody else waits for.
    pub(crate) fn leave(&self, id: DecisionId, mine: Arc<Notify>) {
        let mut waiters = self.0.lock();
        drop(mine);
        if waiters
            .get(&id)
            .is_some_and(|waiting| Arc::strong_count(waiting) == 1)
        {
            waiters.remove(&id);
        }
    }
}

/// The ladder's step: opens a review of this decision.
pub(crate) async fn open(
    ex: &mut Exchange,
    item: &Item,
    failure: &Failure,
) -> Result<Waiting, Failure> {
    let system = Arc::clone(&ex.system);
    let Some(policy) = &system.manifest().review else {
        return Err(Failure::new(
            Code::ReviewUnavailable,
            "the system has no review queue",
        ));
    };
    let now = ex.node.clock.now();
    let id = ReviewId::new(now);
    let due_at = now.plus(Duration::from_millis(policy.due_ms));
    let fallback = meanwhile(system.manifest().abstain.as_ref());
    if let Some(rehearsal) = &ex.rehearsal {
        rehearsal.review(&ex.decision.path)?;
        return Ok(Waiting {
            review: id,
            due_at,
            meanwhile: fallback,
        });
    }
    ex.decision.review = Some(id);
    opening::open_for_review(ex).await?;
    let review = Review {
        id,
        queue: policy.queue.clone(),
        decision: (*ex.decision).clone(),
        input: crate::payload::item_value(item),
        proposal: failure
            .uncleared
            .as_ref()
            .map(|uncleared| uncleared.1.value()),
        fallback,
        on_expiry: policy.on_expiry,
        opened_at: now,
        due_at,
        state: ReviewState::Open,
    };
    let waiting = Waiting {
        review: id,
        due_at: review.due_at,
        meanwhile: review.fallback.clone(),
    };
    let event = event(&review, ReviewChange::Opened, None, now);
    let opened = ex.node.reviews.open(review).await;
    opened.map_err(|error| {
        tracing::warn!(error = %crate::deployed::chain(&error), "a review could not be opened");
        (ex.decision.review, ex.decision.payload) = (None, None);
        Failure::plain(Code::ReviewUnavailable)
    })?;
    let ticket = ex
        .node
        .append((&event).into(), None, WRITE_PATIENCE)
        .await
        .map_err(Failure::from)?;
    ticket
        .durable()
        .await
        .map_err(|_| Failure::plain(Code::RecordUnavailable))?;
    if ex.decision.made_for().is_some() {
        end_made(ex, id).await;
    }
    Ok(waiting)
}

/// The review of a drill or an eval bothers nobody: it is closed as soon as it was opened.
async fn end_made(ex: &Exchange, id: ReviewId) {
    let state = ReviewState::Expired {
        at: ex.node.clock.now(),
    };
    match ex.node.reviews.close(&ex.decision.tenant, id, state).await {
        Ok(review) => {
            if let Err(error) = ex.node.close_reviewed(review).await {
                tracing::warn!(%error, "the decision of a drill or an eval was not recorded");
            }
        }
        Err(error) => tracing::warn!(%error, "the review of a drill or an eval was not closed"),
    }
}

fn meanwhile(abstain: Option<&AbstainSpec>) -> Option<Value> {
    Some(match abstain? {
        AbstainSpec::Value(value) => value.clone(),
        AbstainSpec::Message(text) => Value::String(text.clone()),
    })
}

pub(crate) fn event(
    review: &Review,
    change: ReviewChange,
    actor: Option<&str>,
    at: Timestamp,
) -> Record {
    Record::Review(Box::new(ReviewEvent {
        review: review.id,
        decision: review.decision.id,
        tenant: review.decision.tenant.clone(),
        system: review.decision.system.clone(),
        queue: review.queue.clone(),
        event: change,
        actor: actor.map(str::to_owned),
        at,
        due_at: review.due_at,
    }))
}

/// Why a review could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The store says no.
    #[error("the review could not be closed")]
    Store(#[from] PortError),
    /// The answer is not in the shape of the system's output.
    #[error("the answer does not fit the output schema: {0}")]
    Unfit(String),
    /// The record could not be written.
    #[error("the review was answered, and its decision could not be recorded yet: {0}")]
    Record(String),
}

impl Node {
    /// Closes a review with a person's answer, and its decision with it. `worked_seconds` is how long the
    /// person says to have worked on it.
    ///
    /// # Errors
    /// If the answer does not fit the output schema, the review is not open, or the store or the
    /// journal do not answer.
    pub async fn answer_review(
        &self,
        tenant: &TenantName,
        id: ReviewId,
        answer: Value,
        actor: &str,
        (note, worked_seconds): (Option<String>, Option<u64>),
    ) -> Result<Decision, ReviewError> {
        let review = self.reviews.get(tenant, id).await?;
        self.fits_output(&review, &answer)?;
        let at = self.clock.now();
        let state = ReviewState::Answered {
            answer,
            actor: actor.to_owned(),
            note,
            worked_seconds,
            at,
        };
        let review = self.reviews.close(tenant, id, state).await?;
        self.close_reviewed(review).await
    }

    /// Closes the reviews that are overdue, each by its `on_expiry`. Returns how many.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn expire_reviews(&self) -> Result<usize, PortError> {
        let now = self.clock.now();
        let open = self.reviews.list_open(None, EXPIRE_AT_ONCE).await?;
        let mut expired = 0;
        for review in open.into_iter().filter(|review| review.due_at <= now) {
            let tenant = review.decision.tenant.clone();
            let state = ReviewState::Expired { at: now };
            match self.reviews.close(&tenant, review.id, state).await {
                Ok(review) => {
                    expired += 1;
                    if let Err(error) = self.close_reviewed(review).await {
                        tracing::error!(%error, "an expired review's decision was not recorded");
                    }
                }
                Err(PortError::ReviewClosed(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(expired)
    }

    fn fits_output(&self, review: &Review, answer: &Value) -> Result<(), ReviewError> {
        if review.decision.alarm.is_some() {
            // What is said of an alarm is no answer of the system.
            return Ok(());
        }
        let snapshot = self.snapshot.load();
        let deployed = snapshot.running(&review.decision.system, review.decision.release);
        let Some(contract) = deployed.and_then(|deployed| deployed.output.as_ref()) else {
            return Ok(());
        };
        contract
            .check(answer, Code::OutputSchema)
            .map_err(|violations| {
                let messages: Vec<String> = violations.into_iter().map(|v| v.message).collect();
                ReviewError::Unfit(messages.join("; "))
            })
    }

    /// Writes the `closed` record of a decision whose review is closed. Public for the start: a node
    /// may have died after its store closed the review and before this was written.
    ///
    /// # Errors
    /// If the review is open, or the journal does not take the record.
    pub async fn close_reviewed(&self, review: Review) -> Result<Decision, ReviewError> {
        let (outcome, output, change, actor, at) = match &review.state {
            ReviewState::Answered {
                answer, actor, at, ..
            } => {
                let actor = Some(actor.as_str());
                (
                    Outcome::Reviewed,
                    Some(answer),
                    ReviewChange::Answered,
                    actor,
                    *at,
                )
            }
            ReviewState::Expired { at } => match review.on_expiry {
                ExpiryStep::Abstain => (
                    Outcome::Expired,
                    review.fallback.as_ref(),
                    ReviewChange::Expired,
                    None,
                    *at,
                ),
                ExpiryStep::Refuse => (Outcome::Refused, None, ReviewChange::Expired, None, *at),
            },
            ReviewState::Open => return Err(PortError::ReviewClosed("open").into()),
        };
        let mut decision = review.decision.clone();
        let attempts = self.attempts_so_far(&decision).await;
        decision.closed_at = Some(at);
        decision.outcome = Some(outcome);
        if let ReviewState::Answered { worked_seconds, .. } = review.state {
            decision.worked_seconds = worked_seconds;
        }
        decision.cost = cost_of_attempts(&decision);
        let micros = decision.total_micros().unwrap_or(0);
        self.metrics.closed(&decision, micros);
        let overridden = match (&review.state, &review.proposal) {
            (ReviewState::Answered { answer, .. }, Some(proposal)) => Some(answer != proposal),
            _ => None,
        };
        self.watching.note(&decision, overridden);
        decision.payload = None;
        let sealed = self.seal_review(&mut decision, &review.input, output, attempts);
        let lost = |error: Refusal| ReviewError::Record(error.message);
        self.append(
            (&event(&review, change, actor, at)).into(),
            None,
            WRITE_PATIENCE,
        )
        .await
        .map_err(lost)?;
        let closed = RecordRef::Closed(&decision);
        let ticket = self
            .append(closed, sealed, WRITE_PATIENCE)
            .await
            .map_err(lost)?;
        ticket
            .durable()
            .await
            .map_err(|error| ReviewError::Record(error.to_string()))?;
        self.waiters.wake(decision.id);
        Ok(decision)
    }

    /// What models had said when the review was opened, as it was sealed then.
    async fn attempts_so_far(&self, decision: &Decision) -> Vec<Value> {
        let Some(reference) = decision.payload else {
            return Vec::new();
        };
        let (payloads, id) = (self.journal.payloads(), decision.id);
        let reading = tokio::task::spawn_blocking(move || payloads.read(id, &reference));
        let found = reading.await.ok().and_then(Result::ok);
        let bytes = found.and_then(PayloadFound::kept);
        let payload = bytes.and_then(|bytes| serde_json::from_slice::<Payload>(&bytes).ok());
        payload.map(|payload| payload.attempts).unwrap_or_default()
    }

    fn seal_review(
        &self,
        decision: &mut Decision,
        input: &Value,
        output: Option<&Value>,
        attempts: Vec<Value>,
    ) -> Option<plimsoll_journal::SealedPayload> {
        use plimsoll_core::stakes::PayloadPolicy;
        let snapshot = self.snapshot.load();
        let deployed = snapshot.running(&decision.system, decision.release)?;
        let policy = deployed.manifest().payloads;
        let keep = |value: &Value| match policy {
            PayloadPolicy::Full => value.clone(),
            PayloadPolicy::Redacted | PayloadPolicy::None => {
                plimsoll_guard::redact::redact_shape(value)
            }
        };
        if policy == PayloadPolicy::None {
            return None;
        }
        let payload = Payload {
            input: keep(input),
            output: output.map_or(Value::Null, keep),
            attempts,
        };
        let bytes = serde_json::to_vec(&payload).expect("a payload is made of JSON values");
        let sealed = self.journal.seal(&decision.tenant, decision.id, &bytes);
        match sealed {
            Ok((reference, sealed)) => {
                decision.payload = Some(reference);
                Some(sealed)
            }
            Err(error) => {
                tracing::error!(%error, "a reviewed payload could not be sealed");
                None
            }
        }
    }
}
