//! Reviews beyond their port: events that wait for the journal, ids by their beginning, forgetting.

use plimsoll_core::ports::Reviews as _;
use plimsoll_core::record::ReviewChange;
use plimsoll_store::{Projector, StoreError, StoredReviews};

use crate::fixtures::{answered, at, fixture, node, review, review_event, tenant};

on_both_engines! {
    each_change_leaves_an_event_until_the_journal_has_it
    a_review_is_found_by_the_beginning_of_its_id
    closed_reviews_are_forgotten_and_open_ones_are_not
}

async fn each_change_leaves_an_event_until_the_journal_has_it() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let reviews = StoredReviews::new(store);
    let kept = review(7, "acme", 60);
    reviews.open(kept.clone()).await.unwrap();
    reviews
        .close(&tenant("acme"), kept.id, answered(9))
        .await
        .unwrap();
    let later = at(90_000);
    let waiting = store.unlogged_review_events(later, 10).await.unwrap();
    let changes: Vec<_> = waiting.iter().map(|event| event.event).collect();
    assert_eq!(changes, [ReviewChange::Opened, ReviewChange::Answered]);
    assert_eq!(waiting[1].actor.as_deref(), Some("bo"));
    assert!(
        store
            .unlogged_review_events(at(0), 10)
            .await
            .unwrap()
            .is_empty(),
        "too young"
    );

    let projector = Projector::new(store, node());
    projector
        .apply(&[(0, review_event(&kept, ReviewChange::Opened, at(7)))])
        .await
        .unwrap();
    let waiting = store.unlogged_review_events(later, 10).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].event, ReviewChange::Answered);

    // Appended twice, it counts once.
    let answered = review_event(&kept, ReviewChange::Answered, at(9));
    projector
        .apply(&[(1, answered.clone()), (2, answered)])
        .await
        .unwrap();
    assert!(
        store
            .unlogged_review_events(later, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.review_events(kept.id).await.unwrap().len(), 2);
}

async fn a_review_is_found_by_the_beginning_of_its_id() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let reviews = StoredReviews::new(store);
    let kept = review(7, "acme", 60);
    reviews.open(kept.clone()).await.unwrap();
    let id = kept.id.to_string();
    let found = store
        .review_by_prefix(None, &id.to_lowercase())
        .await
        .unwrap();
    assert_eq!(found.id, kept.id);
    let other = store.review_by_prefix(Some(&tenant("other")), &id).await;
    assert!(
        matches!(other, Err(StoreError::NotFound { what: "review", .. })),
        "{other:?}"
    );
}

async fn closed_reviews_are_forgotten_and_open_ones_are_not() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let reviews = StoredReviews::new(store);
    for number in 1..=3 {
        reviews.open(review(number, "acme", 60)).await.unwrap();
    }
    let acme = tenant("acme");
    reviews
        .close(&acme, review(1, "acme", 60).id, answered(10))
        .await
        .unwrap();
    reviews
        .close(&acme, review(2, "acme", 60).id, answered(20))
        .await
        .unwrap();
    assert_eq!(store.closed_reviews(None, 10).await.unwrap().len(), 2);
    assert_eq!(store.forget_closed_reviews(at(15)).await.unwrap(), 1);
    assert_eq!(store.closed_reviews(None, 10).await.unwrap().len(), 1);
    assert_eq!(reviews.list_open(None, 10).await.unwrap().len(), 1);
}
