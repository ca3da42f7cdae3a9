//! `GET /v1/decisions/{id}`: how a decision stands, held with `Prefer: wait=N` until it is closed.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use plimsoll_core::ports::PortError;
use plimsoll_core::review::{Review, ReviewState};
use plimsoll_core::{Code, Decision, DecisionId, Outcome, TenantName};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::envelope::Patience;
use crate::node::Node;
use crate::protocol::{Call, respond};
use crate::refusal::Refusal;
use crate::stage::finish::{Body, Told};

/// How long a decision may take to appear in the projection after its answer was given.
const PROJECTION_LAG: Duration = Duration::from_secs(1);
const PROJECTION_POLL: Duration = Duration::from_millis(50);

/// Answers the call.
pub(crate) async fn handle(call: Call, id: &str) -> respond::Reply {
    match standing(&call, id).await {
        Ok((decision, body)) => {
            let status = if decision.outcome.is_none() {
                StatusCode::ACCEPTED
            } else {
                StatusCode::OK
            };
            let mut reply = respond::json_value(status, &body);
            respond::name_decision(&mut reply, &decision);
            reply
        }
        Err(refusal) => {
            call.node.count_refused(refusal.code);
            respond::refuse(call.protocol, &refusal)
        }
    }
}

async fn standing(call: &Call, id: &str) -> Result<(Decision, Value), Refusal> {
    let id: DecisionId = id
        .parse()
        .map_err(|_| Refusal::new(Code::DecisionNotFound, "this is no decision's id"))?;
    let review = review(call, id).await?;
    let review = match (review, call.envelope.patience) {
        (Some(review), Patience::Wait(patience)) if review.state == ReviewState::Open => {
            wait(&call.node, &call.caller.tenant, id, patience).await;
            self::review(call, id).await?
        }
        (review, _) => review,
    };
    match review {
        Some(review) => Ok(of_review(review)),
        None => of_projection(call, id).await,
    }
}

async fn review(call: &Call, id: DecisionId) -> Result<Option<Review>, Refusal> {
    let found = call.node.reviews.of_decision(&call.caller.tenant, id).await;
    let review = found.map_err(|error| unavailable(&error))?;
    Ok(review.filter(|review| call.caller.may_use(&review.decision.system)))
}

fn of_review(review: Review) -> (Decision, Value) {
    let mut decision = review.decision;
    let answer = match &review.state {
        ReviewState::Open => None,
        ReviewState::Answered { answer, at, .. } => {
            (decision.outcome, decision.closed_at) = (Some(Outcome::Reviewed), Some(*at));
            Some(answer.clone())
        }
        ReviewState::Expired { at } => {
            let abstains = review.on_expiry == plimsoll_core::manifest::ExpiryStep::Abstain;
            let outcome = if abstains {
                Outcome::Expired
            } else {
                Outcome::Refused
            };
            (decision.outcome, decision.closed_at) = (Some(outcome), Some(*at));
            review.fallback.filter(|_| abstains)
        }
    };
    let mut body = summary(&decision);
    body["answer"] = json!(answer);
    body["review"] = json!(review.id);
    body["due_at"] = json!(review.due_at.to_string());
    (decision, body)
}

async fn of_projection(call: &Call, id: DecisionId) -> Result<(Decision, Value), Refusal> {
    let tenant = &call.caller.tenant;
    let deadline = call.node.clock.elapsed() + PROJECTION_LAG;
    let decision = loop {
        let found = call.node.decisions.get(tenant, id).await;
        let found = found.map_err(|error| unavailable(&error))?;
        match found.filter(|decision| call.caller.may_use(&decision.system)) {
            Some(decision) => break decision,
            None if call.node.clock.elapsed() >= deadline => {
                let message = "no decision has this id, or it is another tenant's";
                return Err(Refusal::new(Code::DecisionNotFound, message));
            }
            None => tokio::time::sleep(PROJECTION_POLL).await,
        }
    };
    let mut body = summary(&decision);
    let payload = call.node.decisions.payload(tenant, id).await;
    let payload = payload.map_err(|error| unavailable(&error))?;
    body["answer_kept"] = json!(payload.is_some());
    body["answer"] = payload.map_or(Value::Null, |payload| payload.output);
    Ok((decision, body))
}

fn summary(decision: &Decision) -> Value {
    json!({
        "decision": decision.id,
        "system": decision.system,
        "release": decision.release,
        "outcome": decision.outcome.map_or("pending", Outcome::as_str),
        "kind": decision.kind,
        "code": decision.code,
        "opened_at": decision.opened_at.to_string(),
        "closed_at": decision.closed_at.map(|at| at.to_string()),
    })
}

fn unavailable(error: &PortError) -> Refusal {
    tracing::warn!(error = %crate::deployed::chain(error), "the store did not answer");
    Refusal::plain(Code::StoreUnavailable)
}

/// Holds the caller of a decision that waits for a person, and tells what came of it.
pub(crate) async fn wait_for_person(node: &Arc<Node>, told: Told, patience: Duration) -> Told {
    let (id, tenant) = (told.decision.id, told.decision.tenant.clone());
    wait(node, &tenant, id, patience).await;
    let Ok(Some(review)) = node.reviews.of_decision(&tenant, id).await else {
        return told;
    };
    if review.state == ReviewState::Open {
        return told;
    }
    let (decision, mut body) = of_review(review);
    let body = match body["answer"].take() {
        Value::Null => Body::Refused(Refusal::new(Code::UnsureRule, "no person answered in time")),
        answer => Body::Answer(Answer::given(answer)),
    };
    Told {
        decision: Box::new(decision),
        body,
    }
}

/// Waits until the decision is closed or patience ends. The review is looked at once after joining,
/// so that an answer between opening and joining is not missed.
async fn wait(node: &Node, tenant: &TenantName, id: DecisionId, patience: Duration) {
    let Some(waiting) = node.waiters.join(id) else {
        return;
    };
    {
        let woken = waiting.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let review = node.reviews.of_decision(tenant, id).await;
        if matches!(
            review,
            Ok(Some(Review {
                state: ReviewState::Open,
                ..
            }))
        ) {
            let timed = tokio::time::timeout(patience, woken).await;
            if timed.is_err() {
                tracing::debug!(decision = %id, "a caller's patience ended before the review");
            }
        }
    }
    node.waiters.leave(id, waiting);
}
