//! A person is asked about an alarm: a review that no caller waits for.
//!
//! It is a decision like any other that waits for a person, so that it is listed, answered, expires and is proved like
//! those, and it counts in no figure of production. What is shown is what the alarm rests on: figures and ids, never what
//! was asked.

use std::time::Duration;

use plimsoll_core::decision::{Cost, PathStep, Protocol, StageTimes};
use plimsoll_core::manifest::Mode;
use plimsoll_core::monitor::Alarm;
use plimsoll_core::ports::PortError;
use plimsoll_core::record::{Deployment, RecordRef, ReviewChange};
use plimsoll_core::review::{Review, ReviewState};
use plimsoll_core::system::Owner;
use plimsoll_core::{
    Code, Decision, DecisionId, FailureKind, Money, RequestId, ReviewId, Step, TenantName,
    Timestamp,
};
use plimsoll_journal::AppendError;
use serde_json::{Value, json};

use crate::node::Node;
use crate::reviews;

/// A person could not be asked about an alarm.
#[derive(Debug, thiserror::Error)]
pub enum AlarmReviewError {
    /// The system is not served, or has no queue.
    #[error("the system has no `[review]` queue that could be asked")]
    NoQueue,
    /// The store did not keep it.
    #[error("the review could not be kept")]
    Store(#[from] PortError),
    /// It could not be recorded.
    #[error("the review could not be recorded")]
    Record(#[from] AppendError),
}

impl Node {
    /// Opens a review about an alarm, in the queue of the system's stable release and due as its reviews are. It is on
    /// disk when this returns.
    ///
    /// # Errors
    /// If the system has no queue, or store or journal do not take it.
    pub async fn open_alarm_review(
        &self,
        alarm: &Alarm,
        owner: Option<&Owner>,
    ) -> Result<Review, AlarmReviewError> {
        let stable = {
            let snapshot = self.snapshot.load();
            let slots = snapshot.systems.get(&alarm.system);
            slots.and_then(|slots| slots.stable.running()).cloned()
        };
        let stable = stable.ok_or(AlarmReviewError::NoQueue)?;
        let policy = stable.manifest().review.as_ref();
        let policy = policy.ok_or(AlarmReviewError::NoQueue)?;
        let now = self.clock.now();
        let id = ReviewId::new(now);
        let decision = draft(alarm, &stable.deployment, (id, now));
        let review = Review {
            id,
            queue: policy.queue.clone(),
            decision,
            input: shown(alarm, owner),
            proposal: None,
            fallback: None,
            on_expiry: policy.on_expiry,
            opened_at: now,
            due_at: now.plus(Duration::from_millis(policy.due_ms)),
            state: ReviewState::Open,
        };
        let opened = RecordRef::Opened {
            decision: &review.decision,
            reserved: Money::ZERO,
        };
        self.journal.append_surely(opened, None, || {}).await?;
        self.reviews.open(review.clone()).await?;
        let event = reviews::event(&review, ReviewChange::Opened, None, now);
        let ticket = self.journal.append_waiting(&event, None).await?;
        ticket.durable().await?;
        Ok(review)
    }
}

/// The decision that waits for what a person says of the alarm.
fn draft(alarm: &Alarm, stands: &Deployment, (review, now): (ReviewId, Timestamp)) -> Decision {
    Decision {
        id: DecisionId::new(now),
        request: RequestId::new(now),
        row: 0,
        tenant: TenantName::default_tenant(),
        environment: alarm.environment.clone(),
        system: alarm.system.clone(),
        key: None,
        unit: None,
        session: None,
        subject: None,
        idempotency: None,
        release: alarm.release.unwrap_or(stands.release),
        deployment: stands.id,
        protocol: Protocol::Decisions,
        stream: false,
        mode: Mode::Enforce,
        opened_at: now,
        closed_at: None,
        outcome: None,
        kind: None,
        code: None,
        stages: StageTimes::default(),
        controls: Vec::new(),
        attempts: Vec::new(),
        path: vec![PathStep {
            kind: FailureKind::Unsure,
            code: Code::MonitorAlarm,
            step: Step::Review,
            detail: Some(alarm.summary.clone()),
        }],
        confidence: None,
        cost: Cost::FREE,
        payload: None,
        review: Some(review),
        worked_seconds: None,
        spliced: Vec::new(),
        drill: None,
        eval: None,
        alarm: Some(alarm.alarm),
        observed: Vec::new(),
        answer_age_ms: None,
    }
}

/// What a person is shown of an alarm.
fn shown(alarm: &Alarm, owner: Option<&Owner>) -> Value {
    json!({
        "alarm": alarm.alarm,
        "monitor": alarm.monitor,
        "severity": alarm.severity,
        "summary": alarm.summary,
        "release": alarm.release,
        "node": alarm.node,
        "evidence": alarm.evidence,
        "owner": owner.map(|owner| json!({
            "team": owner.team, "contact": owner.contact, "on_call": owner.on_call,
        })),
        "raised_at": alarm.at,
    })
}
