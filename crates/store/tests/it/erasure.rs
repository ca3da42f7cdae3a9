//! Erasure in the database: what goes, what stays, and who has yet to do it on its own files.

use plimsoll_core::governance::Erasure;
use plimsoll_core::ports::{PortError, Reviews as _};
use plimsoll_core::review::{Review, ReviewState};
use plimsoll_core::{Decision, DecisionId, Digest, NodeName, Outcome, Record};
use plimsoll_store::{Projector, Store, StoredReviews};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::fixtures::{
    answered, at, closed, decision, erasure, event_id, fixture, id_bytes, node, numbered, review,
    tenant,
};

on_both_engines! {
    the_contents_of_an_erased_decisions_review_go_and_the_review_stays
    an_open_review_without_contents_cannot_be_answered_and_expires
    a_review_that_is_opened_after_its_decision_was_erased_has_no_contents
    every_node_carries_an_erasure_out_once
    decisions_about_a_person_are_found_page_by_page
}

/// Something that stands nowhere else in a database.
const SECRET: &str = "Ottilie-Wackernagel-1924";

fn telling(number: u64) -> Review {
    let mut review = review(number, "acme", 60);
    review.input = serde_json::json!({ "name": SECRET });
    review.proposal = Some(serde_json::json!({ "letter": format!("Dear {SECRET}") }));
    review.fallback = Some(serde_json::json!({"decision": "refer"}));
    review
}

fn answer(seconds: u64) -> ReviewState {
    ReviewState::Answered {
        answer: serde_json::json!({ "letter": format!("Dear {SECRET}") }),
        actor: "bo".to_owned(),
        note: Some(format!("{SECRET} called")),
        worked_seconds: None,
        at: at(seconds),
    }
}

async fn erase(store: &Store, sequence: u64, erasure: Erasure) {
    let record = Record::Erasure(Box::new(erasure));
    Projector::new(store, node())
        .apply(&[(sequence, record)])
        .await
        .unwrap();
}

async fn get(store: &Store, id: plimsoll_core::ReviewId) -> Review {
    let reviews = StoredReviews::new(store);
    reviews.get(&tenant("acme"), id).await.unwrap()
}

async fn the_contents_of_an_erased_decisions_review_go_and_the_review_stays() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let reviews = StoredReviews::new(store);
    let (gone, kept) = (telling(1), telling(2));
    for review in [&gone, &kept] {
        reviews.open(review.clone()).await.unwrap();
        let closing = reviews.close(&tenant("acme"), review.id, answer(9)).await;
        closing.unwrap();
    }
    erase(store, 0, erasure(5, &[1], at(20))).await;
    let found = get(store, gone.id).await;
    assert_eq!(found.input, serde_json::Value::Null);
    assert_eq!((found.proposal, found.queue), (None, gone.queue));
    assert_eq!(
        found.fallback, gone.fallback,
        "the system's value is nobody's"
    );
    let told = ReviewState::Answered {
        answer: serde_json::Value::Null,
        actor: "bo".to_owned(),
        note: None,
        worked_seconds: None,
        at: at(9),
    };
    assert_eq!(found.state, told);
    assert_eq!(get(store, kept.id).await.input, kept.input);
    let why = store.erasure_of(gone.decision.id).await.unwrap().unwrap();
    assert_eq!(why.basis, "GDPR Art. 17(1)(b)");
    assert_eq!(store.erasure_of(kept.decision.id).await.unwrap(), None);
    assert_eq!(store.closed_reviews(None, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_was_erased_stands_nowhere_in_the_databases_files() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let reviews = StoredReviews::new(store);
    for number in 0..40 {
        let review = telling(number);
        reviews.open(review.clone()).await.unwrap();
        let closing = reviews.close(&tenant("acme"), review.id, answer(90)).await;
        closing.unwrap();
    }
    assert!(files_hold(&fixture, SECRET), "else this shows nothing");
    let all: Vec<u64> = (0..40).collect();
    erase(store, 0, erasure(50, &all, at(100))).await;
    assert!(!files_hold(&fixture, SECRET));
}

#[tokio::test]
async fn a_reader_in_the_way_only_delays_that_what_was_erased_is_gone_from_the_log() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let reviews = StoredReviews::new(store);
    reviews.open(telling(1)).await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(store.path().unwrap());
    let mut reader = options.connect().await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT COUNT(*) FROM reviews")
        .execute(&mut reader)
        .await
        .unwrap();
    erase(store, 0, erasure(5, &[1], at(20))).await;
    assert!(files_hold(&fixture, SECRET), "the reader still sees it");
    reader.close().await.unwrap();
    let any = closed(decision(9, Outcome::Served));
    let projector = Projector::new(store, node());
    projector.apply(&[(1, any)]).await.unwrap();
    assert!(!files_hold(&fixture, SECRET));
}

fn files_hold(fixture: &crate::fixtures::Fixture, text: &str) -> bool {
    let files = std::fs::read_dir(fixture.folder.path()).unwrap();
    files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .any(|bytes| {
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        })
}

async fn an_open_review_without_contents_cannot_be_answered_and_expires() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let reviews = StoredReviews::new(store);
    let open = telling(1);
    reviews.open(open.clone()).await.unwrap();
    erase(store, 0, erasure(5, &[1], at(20))).await;
    let acme = tenant("acme");
    let answering = reviews.close(&acme, open.id, answered(30)).await;
    assert!(
        matches!(answering, Err(PortError::ReviewClosed("erased"))),
        "{answering:?}"
    );
    let expired = ReviewState::Expired { at: at(61) };
    let expiring = reviews.close(&acme, open.id, expired.clone()).await;
    assert_eq!(expiring.unwrap().state, expired);
}

async fn a_review_that_is_opened_after_its_decision_was_erased_has_no_contents() {
    let fixture = fixture().await;
    erase(&fixture.store, 0, erasure(5, &[1], at(20))).await;
    let late = telling(1);
    let reviews = StoredReviews::new(&fixture.store);
    reviews.open(late.clone()).await.unwrap();
    let found = get(&fixture.store, late.id).await;
    assert_eq!(
        (found.input, found.proposal),
        (serde_json::Value::Null, None)
    );
}

async fn every_node_carries_an_erasure_out_once() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let other = NodeName::new("node-2").unwrap();
    erase(store, 0, erasure(5, &[1], at(20))).await;
    erase(store, 1, erasure(6, &[2], at(21))).await;
    let due = async |node: &NodeName| -> Vec<_> {
        let due = store.erasures_to_apply(node, 10).await.unwrap();
        due.iter().map(|erasure| erasure.id).collect()
    };
    assert_eq!(due(&node()).await, [event_id(5), event_id(6)]);
    store.erasure_applied(event_id(5), &node()).await.unwrap();
    store.erasure_applied(event_id(5), &node()).await.unwrap();
    assert_eq!(due(&node()).await, [event_id(6)]);
    assert_eq!(due(&other).await, [event_id(5), event_id(6)]);

    let projector = Projector::new(store, node());
    projector.rebuild(0).await.unwrap();
    assert!(due(&node()).await.is_empty());
    erase(store, 0, erasure(5, &[1], at(20))).await;
    erase(store, 1, erasure(6, &[2], at(21))).await;
    assert_eq!(
        due(&node()).await,
        [event_id(6)],
        "a rebuild carries out nothing again"
    );
    let listed = store.erasures(10).await.unwrap();
    assert_eq!(listed[0].id, event_id(6));
}

async fn decisions_about_a_person_are_found_page_by_page() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let person = Digest::of(b"person");
    let about = |number: u64, subject, of: &str| Decision {
        subject,
        tenant: tenant(of),
        ..decision(number, Outcome::Served)
    };
    let records = numbered([
        closed(about(1, Some(person), "acme")),
        closed(about(2, Some(Digest::of(b"other")), "acme")),
        closed(about(3, Some(person), "globex")),
        closed(about(4, Some(person), "acme")),
        closed(about(5, None, "acme")),
    ]);
    Projector::new(store, node()).apply(&records).await.unwrap();
    let id = |number| DecisionId::from_bytes(id_bytes(number));
    let acme = tenant("acme");
    let page = store.decisions_of_subject(None, person, None, 2).await;
    let page = page.unwrap();
    assert_eq!((page[0].id, page[1].id), (id(1), id(3)));
    let (after, mark) = (Some(page[1].id), &page[1]);
    assert_eq!((mark.opened_at, mark.subject), (at(3), Some(person)));
    let next = store.decisions_of_subject(None, person, after, 2).await;
    let next: Vec<_> = next.unwrap().iter().map(|mark| mark.id).collect();
    assert_eq!(next, [id(4)]);
    let of_acme = store
        .decisions_of_subject(Some(&acme), person, None, 9)
        .await;
    assert_eq!(of_acme.unwrap().len(), 2);
    let mark = store.decision_mark(id(5)).await.unwrap().unwrap();
    assert_eq!((mark.opened_at, mark.subject), (at(5), None));
    assert_eq!(store.decision_mark(id(9)).await.unwrap(), None);
}
