//! What the ports ask of every engine.

use std::sync::Arc;

use plimsoll_core::decision::{Payload, PayloadRef};
use plimsoll_core::ports::{Decisions, PortError, Reviews};
use plimsoll_core::review::ReviewState;
use plimsoll_core::{Decision, DecisionId, Digest, Outcome, Record};
use plimsoll_store::{Cause, PayloadSource, ProjectedDecisions, Projector, StoredReviews};

use crate::fixtures::{self, Fixture, answered, at, closed, review, tenant};

on_both_engines! {
    a_review_reads_back_as_it_was_opened
    opening_a_review_twice_keeps_the_first
    a_review_is_another_tenants_secret
    an_answered_review_stays_answered
    a_review_that_expired_cannot_be_answered
    of_two_that_close_one_wins
    a_review_cannot_be_closed_as_open
    open_reviews_come_soonest_due_first
    a_decision_reads_back_as_it_was_closed
    a_decision_is_another_tenants_secret
    an_open_decision_is_there_without_an_outcome
    a_payload_comes_from_where_it_lies
}

/// A database behind the ports, empty at first.
struct Backend(Fixture);

impl Backend {
    fn reviews(&self) -> Arc<dyn Reviews> {
        Arc::new(StoredReviews::new(&self.0.store))
    }

    fn decisions(&self, payloads: Arc<dyn PayloadSource>) -> Arc<dyn Decisions> {
        Arc::new(ProjectedDecisions::new(&self.0.store, Some(payloads)))
    }

    async fn project(&self, records: Vec<(u64, Record)>) {
        let projector = Projector::new(&self.0.store, fixtures::node());
        projector.apply(&records).await.unwrap();
    }
}

fn not_found(result: Result<impl Sized, PortError>) -> bool {
    matches!(result, Err(PortError::NotFound("review")))
}

async fn a_review_reads_back_as_it_was_opened() {
    let backend = Backend(fixtures::fixture().await);
    let reviews = backend.reviews();
    let kept = review(7, "acme", 60);
    reviews.open(kept.clone()).await.unwrap();
    let acme = tenant("acme");
    assert_eq!(reviews.get(&acme, kept.id).await.unwrap(), kept);
    assert_eq!(
        reviews.of_decision(&acme, kept.decision.id).await.unwrap(),
        Some(kept)
    );
    let other = DecisionId::from_bytes([9; 16]);
    assert_eq!(reviews.of_decision(&acme, other).await.unwrap(), None);
}

async fn opening_a_review_twice_keeps_the_first() {
    let backend = Backend(fixtures::fixture().await);
    let reviews = backend.reviews();
    let kept = review(7, "acme", 60);
    reviews.open(kept.clone()).await.unwrap();
    reviews
        .close(&tenant("acme"), kept.id, answered(9))
        .await
        .unwrap();
    reviews.open(kept.clone()).await.unwrap();
    assert_eq!(
        reviews.get(&tenant("acme"), kept.id).await.unwrap().state,
        answered(9)
    );
}

async fn a_review_is_another_tenants_secret() {
    let backend = Backend(fixtures::fixture().await);
    let reviews = backend.reviews();
    let kept = review(7, "acme", 60);
    reviews.open(kept.clone()).await.unwrap();
    let other = tenant("other");
    assert!(not_found(reviews.get(&other, kept.id).await));
    assert!(not_found(reviews.close(&other, kept.id, answered(9)).await));
    assert_eq!(
        reviews.of_decision(&other, kept.decision.id).await.unwrap(),
        None
    );
    assert!(
        reviews
            .list_open(Some(&other), 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        reviews.get(&tenant("acme"), kept.id).await.unwrap().state,
        ReviewState::Open
    );
}

async fn an_answered_review_stays_answered() {
    let backend = Backend(fixtures::fixture().await);
    let reviews = backend.reviews();
    let (acme, kept) = (tenant("acme"), review(7, "acme", 60));
    reviews.open(kept.clone()).await.unwrap();
    let closed = reviews.close(&acme, kept.id, answered(9)).await.unwrap();
    assert_eq!(closed.state, answered(9));
    assert_eq!(reviews.get(&acme, kept.id).await.unwrap(), closed);
    let again = reviews
        .close(&acme, kept.id, ReviewState::Expired { at: at(61) })
        .await;
    assert!(
        matches!(again, Err(PortError::ReviewClosed("answered"))),
        "{again:?}"
    );
    assert_eq!(reviews.get(&acme, kept.id).await.unwrap(), closed);
    assert!(reviews.list_open(None, 10).await.unwrap().is_empty());
}

async fn a_review_that_expired_cannot_be_answered() {
    let backend = Backend(fixtures::fixture().await);
    let reviews = backend.reviews();
    let (acme, kept) = (tenant("acme"), review(7, "acme", 60));
    reviews.open(kept.clone()).await.unwrap();
    reviews
        .close(&acme, kept.id, ReviewState::Expired { at: at(61) })
        .await
        .unwrap();
    let late = reviews.close(&acme, kept.id, answered(62)).await;
    assert!(
        matches!(late, Err(PortError::ReviewClosed("expired"))),
        "{late:?}"
    );
}

async fn of_two_that_close_one_wins() {
    let backend = Backend(fixtures::fixture().await);
    let reviews = backend.reviews();
    let acme = tenant("acme");
    for number in 0..20 {
        let kept = review(number, "acme", 60);
        reviews.open(kept.clone()).await.unwrap();
        let (one, other) = tokio::join!(
            reviews.close(&acme, kept.id, answered(9)),
            reviews.close(&acme, kept.id, ReviewState::Expired { at: at(61) }),
        );
        assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1);
        let winner = one.or(other).unwrap();
        assert_eq!(reviews.get(&acme, kept.id).await.unwrap(), winner);
    }
}

async fn a_review_cannot_be_closed_as_open() {
    let backend = Backend(fixtures::fixture().await);
    let reviews = backend.reviews();
    let kept = review(7, "acme", 60);
    reviews.open(kept.clone()).await.unwrap();
    assert!(
        reviews
            .close(&tenant("acme"), kept.id, ReviewState::Open)
            .await
            .is_err()
    );
}

async fn open_reviews_come_soonest_due_first() {
    let backend = Backend(fixtures::fixture().await);
    let reviews = backend.reviews();
    for (number, name, due) in [(1, "acme", 300), (2, "other", 100), (3, "acme", 200)] {
        reviews.open(review(number, name, due)).await.unwrap();
    }
    let due = |reviews: Vec<plimsoll_core::review::Review>| -> Vec<_> {
        reviews.iter().map(|review| review.due_at).collect()
    };
    assert_eq!(
        due(reviews.list_open(None, 10).await.unwrap()),
        [at(100), at(200), at(300)]
    );
    assert_eq!(
        due(reviews.list_open(None, 2).await.unwrap()),
        [at(100), at(200)]
    );
    let acme = tenant("acme");
    assert_eq!(
        due(reviews.list_open(Some(&acme), 10).await.unwrap()),
        [at(200), at(300)]
    );
}

async fn a_decision_reads_back_as_it_was_closed() {
    let backend = Backend(fixtures::fixture().await);
    let decisions = backend.decisions(Arc::new(NoPayloads));
    let kept = fixtures::decision(3, Outcome::Served);
    backend.project(vec![(0, closed(kept.clone()))]).await;
    let default = tenant("default");
    assert_eq!(decisions.get(&default, kept.id).await.unwrap(), Some(kept));
    assert_eq!(
        decisions
            .get(&default, DecisionId::from_bytes([9; 16]))
            .await
            .unwrap(),
        None
    );
}

async fn a_decision_is_another_tenants_secret() {
    let backend = Backend(fixtures::fixture().await);
    let decisions = backend.decisions(Arc::new(OnePayload));
    let kept = with_payload(fixtures::decision(3, Outcome::Served));
    backend.project(vec![(0, closed(kept.clone()))]).await;
    assert_eq!(
        decisions.get(&tenant("other"), kept.id).await.unwrap(),
        None
    );
    assert_eq!(
        decisions.payload(&tenant("other"), kept.id).await.unwrap(),
        None
    );
}

async fn an_open_decision_is_there_without_an_outcome() {
    let backend = Backend(fixtures::fixture().await);
    let decisions = backend.decisions(Arc::new(NoPayloads));
    let open = fixtures::open_decision(3);
    backend
        .project(vec![(0, fixtures::opened(open.clone()))])
        .await;
    assert_eq!(
        decisions.get(&tenant("default"), open.id).await.unwrap(),
        Some(open)
    );
}

async fn a_payload_comes_from_where_it_lies() {
    let backend = Backend(fixtures::fixture().await);
    let kept = with_payload(fixtures::decision(3, Outcome::Served));
    let bare = fixtures::decision(4, Outcome::Served);
    backend
        .project(vec![(0, closed(kept.clone())), (1, closed(bare.clone()))])
        .await;
    let default = tenant("default");
    let decisions = backend.decisions(Arc::new(OnePayload));
    assert_eq!(
        decisions.payload(&default, kept.id).await.unwrap(),
        Some(payload())
    );
    assert_eq!(decisions.payload(&default, bare.id).await.unwrap(), None);
    let erased = backend.decisions(Arc::new(NoPayloads));
    assert_eq!(erased.payload(&default, kept.id).await.unwrap(), None);
    let damaged = backend
        .decisions(Arc::new(DamagedPayloads))
        .payload(&default, kept.id)
        .await;
    assert!(
        matches!(damaged, Err(PortError::Unavailable { .. })),
        "{damaged:?}"
    );
}

fn payload() -> Payload {
    Payload {
        input: serde_json::json!({"x": 1}),
        output: serde_json::json!({"label": "repaid"}),
        attempts: Vec::new(),
    }
}

fn with_payload(decision: Decision) -> Decision {
    let payload = Some(PayloadRef {
        commitment: Digest::of(b"sealed"),
        bytes: 6,
    });
    Decision {
        payload,
        ..decision
    }
}

struct NoPayloads;
struct OnePayload;
struct DamagedPayloads;

impl PayloadSource for NoPayloads {
    fn read(&self, _: DecisionId, _: &PayloadRef) -> Result<Option<Vec<u8>>, Cause> {
        Ok(None)
    }
}

impl PayloadSource for OnePayload {
    fn read(&self, _: DecisionId, reference: &PayloadRef) -> Result<Option<Vec<u8>>, Cause> {
        assert_eq!(reference.commitment, Digest::of(b"sealed"));
        Ok(Some(serde_json::to_vec(&payload()).unwrap()))
    }
}

impl PayloadSource for DamagedPayloads {
    fn read(&self, _: DecisionId, _: &PayloadRef) -> Result<Option<Vec<u8>>, Cause> {
        Err("the payload is not what was sealed".into())
    }
}
