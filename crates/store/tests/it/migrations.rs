//! Each migration is run on a database that the version before it had filled.

use std::sync::Arc;

use plimsoll_core::ports::Reviews as _;
use plimsoll_core::{Digest, ManualClock, Outcome};
use plimsoll_store::{Projector, SCHEMA, Store, StoredReviews};
use sqlx::ConnectOptions as _;

use crate::fixtures::{at, closed, decision, node, numbered, release, review};

/// What a database of schema 1 holds, row by row, as its version wrote it.
const FILLED_1: &str = include_str!("fixtures/filled_0001.sql");

async fn connect(store: &Store) -> sqlx::SqliteConnection {
    sqlx::sqlite::SqliteConnectOptions::new()
        .filename(store.path())
        .connect()
        .await
        .unwrap()
}

#[tokio::test]
async fn migration_2_leaves_a_filled_database_of_schema_1_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plimsoll.db");
    let clock = Arc::new(ManualClock::at(at(0)));
    let old = Store::open_at_schema(path.clone(), clock.clone(), 1)
        .await
        .unwrap();
    sqlx::raw_sql(FILLED_1)
        .execute(&mut connect(&old).await)
        .await
        .unwrap();
    old.close().await;

    let refused = Store::open_read_only(&path, clock.clone())
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("start the server"),
        "{refused}"
    );

    let new = Store::open(&path, clock).await.unwrap();
    let projector = Projector::new(&new, node());
    assert_eq!(projector.position().await.unwrap(), 7);
    let kept = new.decision_by_prefix(None, "01KKNS9FT1").await.unwrap();
    assert_eq!(kept.outcome, Some(Outcome::Served));
    let facts = new
        .bar_facts(&kept.system, &kept.environment, at(0))
        .await
        .unwrap();
    assert_eq!(
        (facts.decisions, facts.cost.total.to_string()),
        (1, "0.00019".to_owned())
    );
    StoredReviews::new(&new)
        .open(review(3, "default", 60))
        .await
        .unwrap();
    let records = numbered([release("one", at(0)), closed(decision(1, Outcome::Served))]);
    projector.apply(&records).await.unwrap();
}

#[tokio::test]
async fn migration_3_finds_the_idempotency_keys_that_a_database_of_schema_2_had_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plimsoll.db");
    let clock = Arc::new(ManualClock::at(at(0)));
    let old = Store::open_at_schema(path.clone(), clock.clone(), 2)
        .await
        .unwrap();
    let mut connection = connect(&old).await;
    sqlx::raw_sql(FILLED_1)
        .execute(&mut connection)
        .await
        .unwrap();
    let key = Digest::of(b"order 17");
    sqlx::query("UPDATE decision_records SET record = json_set(record, '$.idempotency', ?1)")
        .bind(key.to_string())
        .execute(&mut connection)
        .await
        .unwrap();
    let asked = review(3, "default", 60);
    sqlx::query(
        "INSERT INTO reviews (id, tenant, environment, system, queue, decision, state, opened_at, due_at, review)
         VALUES ('r', 'default', 'production', 'loan-default', 'lending', ?1, 'open', 0, 1, ?2)",
    )
    .bind(asked.decision.id.to_string())
    .bind(serde_json::to_string(&asked).unwrap())
    .execute(&mut connection)
    .await
    .unwrap();
    old.close().await;

    let new = Store::open(&path, clock).await.unwrap();
    let tenant = &asked.decision.tenant;
    let found = new.decision_by_idempotency(tenant, key, at(0)).await;
    assert_eq!(found.unwrap().unwrap().outcome, Some(Outcome::Served));
    let other = Digest::of(b"order 18");
    let found = new.decision_by_idempotency(tenant, other, at(0)).await;
    assert_eq!(found.unwrap(), None);
    let kept = StoredReviews::new(&new)
        .of_decision(tenant, asked.decision.id)
        .await;
    assert_eq!(kept.unwrap(), Some(asked.clone()));
}

#[tokio::test]
async fn a_migrated_database_is_sound_and_migrating_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plimsoll.db");
    for _ in 0..2 {
        let store = Store::open(&path, Arc::new(ManualClock::at(at(0))))
            .await
            .unwrap();
        let mut connection = connect(&store).await;
        let steps: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM migrations")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(steps, i64::from(SCHEMA));
        let sound: String = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(sound, "ok");
        store.close().await;
    }
}

#[tokio::test]
async fn of_two_that_start_at_once_both_find_a_whole_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plimsoll.db");
    let clock = Arc::new(ManualClock::at(at(0)));
    let (one, other) = tokio::join!(
        Store::open(&path, clock.clone()),
        Store::open(&path, clock.clone())
    );
    one.unwrap().ping().await.unwrap();
    other.unwrap().ping().await.unwrap();
}
