//! Each migration is run on a database that the version before it had filled.

use std::sync::Arc;

use plimsoll_core::ports::Reviews as _;
use plimsoll_core::record::Deployment;
use plimsoll_core::{Code, Decision, Digest, FailureKind, ManualClock, NodeName, Outcome};
use plimsoll_store::{Projector, SCHEMA, Store, StoredReviews};
use sqlx::ConnectOptions as _;

use crate::fixtures::{
    at, closed, decision, deployed, environment, event_id, failed, node, numbered, open_decision,
    release, review, system, tenant,
};
use crate::rollups::{kept_in_file, recount};

/// What a database of schema 1 holds, row by row, as its version wrote it.
const FILLED_1: &str = include_str!("fixtures/filled_0001.sql");

async fn connect(store: &Store) -> sqlx::SqliteConnection {
    sqlx::sqlite::SqliteConnectOptions::new()
        .filename(store.path().unwrap())
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
    let old = new.decision_by_prefix(None, "01KKNS9FT1").await.unwrap();
    assert_eq!(old.outcome, Some(Outcome::Served));
    let facts = new
        .bar_facts(&old.system, &old.environment, at(0))
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

/// Thirty decisions of two tenants in an hour: some open, some of named units, some about a person.
fn filled_3() -> Vec<Decision> {
    let one = |number: u64| {
        let decision = match number % 5 {
            0 => open_decision(number * 97),
            1 => failed(
                number * 97,
                Outcome::FellBack,
                FailureKind::Slow,
                Code::TotalTimeout,
            ),
            _ => decision(number * 97, Outcome::Served),
        };
        Decision {
            tenant: tenant(if number.is_multiple_of(2) {
                "acme"
            } else {
                "globex"
            }),
            unit: (number.is_multiple_of(3)).then(|| format!("ticket-{}", number % 4)),
            subject: (number == 7).then(|| Digest::of(b"person")),
            drill: (number == 8).then(|| event_id(1)),
            ..decision
        }
    };
    (0..30).map(one).collect()
}

/// Writes a decision as a version with schema 3 did.
async fn write_3(connection: &mut sqlx::SqliteConnection, number: i64, decision: &Decision) {
    let json = serde_json::to_string(decision).unwrap();
    sqlx::query(
        "INSERT INTO decisions (number, id, node, sequence, request, row, tenant, environment, system,
           unit, release, deployment, protocol, mode, stream, opened_at, closed_at, micros, outcome,
           kind, attempts, input_tokens, output_tokens, cost_pico, cost_basis, skipped, drill)
         SELECT ?1, ?2 ->> '$.id', 'node-1', ?1, ?2 ->> '$.request', 0, ?2 ->> '$.tenant',
           ?2 ->> '$.environment', ?2 ->> '$.system', ?2 ->> '$.unit', ?2 ->> '$.release',
           ?2 ->> '$.deployment', 'decisions', 'enforce', 0, ?2 ->> '$.opened_at',
           ?2 ->> '$.closed_at', ?3, ?2 ->> '$.outcome', ?2 ->> '$.kind',
           json_array_length(?2, '$.attempts'), ?2 ->> '$.attempts[0].usage.input_tokens',
           ?2 ->> '$.attempts[0].usage.output_tokens', ?4, ?2 ->> '$.cost.basis', 0, ?2 ->> '$.drill'",
    )
    .bind(number)
    .bind(&json)
    .bind(decision.total_micros().map(|micros| i64::try_from(micros).unwrap()))
    .bind(i64::try_from(decision.cost.amount.as_pico()).unwrap())
    .execute(&mut *connection)
    .await
    .unwrap();
    sqlx::query("INSERT INTO decision_records (number, record) VALUES (?1, ?2)")
        .bind(number)
        .bind(json)
        .execute(connection)
        .await
        .unwrap();
}

/// Writes a deployment as a version with schema 3 did: without a slot.
async fn deploy_3(connection: &mut sqlx::SqliteConnection, sequence: i64, event: &Deployment) {
    let mut json = serde_json::to_value(event).unwrap();
    json.as_object_mut().unwrap().remove("slot");
    sqlx::query(
        "INSERT INTO deployments (id, node, sequence, system, environment, release, at, record)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .bind(event.id.to_string())
    .bind(event.node.as_str())
    .bind(sequence)
    .bind(event.system.as_str())
    .bind(event.environment.as_str())
    .bind(event.release.to_string())
    .bind(event.at.as_micros())
    .bind(json.to_string())
    .execute(connection)
    .await
    .unwrap();
}

#[tokio::test]
async fn migration_4_counts_what_a_database_of_schema_3_had_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plimsoll.db");
    let clock = Arc::new(ManualClock::at(at(86_400)));
    let old = Store::open_at_schema(path.clone(), clock.clone(), 3)
        .await
        .unwrap();
    let mut connection = connect(&old).await;
    let decisions = filled_3();
    for (number, decision) in (1..).zip(&decisions) {
        write_3(&mut connection, number, decision).await;
    }
    drop(connection);
    old.close().await;

    let new = Store::open(&path, clock).await.unwrap();
    assert_eq!(kept_in_file(new.path().unwrap()).await, recount(&decisions));
    let person = Digest::of(b"person");
    let found = new.decisions_of_subject(None, person, None, 10).await;
    let found: Vec<_> = found.unwrap().iter().map(|mark| mark.id).collect();
    assert_eq!(found, [decisions[7].id]);

    // What was open is closed and counted once; what is read again changes nothing.
    let closed_now = Decision {
        outcome: Some(Outcome::Served),
        ..decisions[5].clone()
    };
    let projector = Projector::new(&new, node());
    projector
        .apply(&[
            (40, closed(closed_now.clone())),
            (41, closed(closed_now.clone())),
        ])
        .await
        .unwrap();
    let mut now = decisions;
    now[5] = closed_now;
    assert_eq!(kept_in_file(new.path().unwrap()).await, recount(&now));
}

#[tokio::test]
async fn migration_4_puts_the_deployments_of_a_database_of_schema_3_into_slots_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plimsoll.db");
    let clock = Arc::new(ManualClock::at(at(0)));
    let old = Store::open_at_schema(path.clone(), clock.clone(), 3)
        .await
        .unwrap();
    let mut connection = connect(&old).await;
    // The second was written after the clock was set back.
    let events = [
        deployed(1, "one", at(3_700)),
        deployed(2, "two", at(100)),
        deployed(3, "one", at(50)),
    ];
    for (sequence, event) in (1..).zip(&events[..2]) {
        deploy_3(&mut connection, sequence, event).await;
    }
    let other = Deployment {
        node: NodeName::new("node-2").unwrap(),
        ..events[2].clone()
    };
    deploy_3(&mut connection, 1, &other).await;
    let kept = review(3, "acme", 60);
    sqlx::query(
        "INSERT INTO reviews (id, tenant, environment, system, queue, decision, state, opened_at, due_at, review)
         VALUES ('r', 'acme', 'production', 'loan-default', 'credit', ?1, 'open', 0, 1, ?2)",
    )
    .bind(kept.decision.id.to_string())
    .bind(serde_json::to_string(&kept).unwrap())
    .execute(&mut connection)
    .await
    .unwrap();
    drop(connection);
    old.close().await;

    let new = Store::open(&path, clock).await.unwrap();
    let stable = new.current_deployment(&system(), &environment()).await;
    assert_eq!(stable.unwrap().as_ref(), Some(&events[1]));
    let changes = new.changes_since(0, 10).await.unwrap();
    let known: Vec<_> = changes.iter().map(|change| change.deployment.id).collect();
    assert_eq!(known, [other.id, events[0].id, events[1].id]);
    let place = new.place_of_deployment(events[1].id).await.unwrap();
    assert_eq!(place.map(|place| place.sequence), Some(2));
    let found = StoredReviews::new(&new)
        .of_decision(&kept.decision.tenant, kept.decision.id)
        .await;
    assert_eq!(found.unwrap(), Some(kept));
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
