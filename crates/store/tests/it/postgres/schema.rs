//! The schema's history.

use std::sync::Arc;

use plimsoll_core::{ManualClock, Outcome};
use plimsoll_store::{DecisionFilter, POSTGRES_SCHEMA, Projector, Store, StoreError};

use super::server::{Database, NODE, OWNER, server};
use crate::fixtures::{at, closed, decision, node};

#[tokio::test]
async fn a_populated_database_is_brought_up_step_by_step() {
    let Some(server) = server() else { return };
    let clock = Arc::new(ManualClock::at(at(86_400)));
    for from in 1..POSTGRES_SCHEMA {
        let database = Database::create(&server).await;
        Store::migrate_to(&database.config(), at(0), from)
            .await
            .unwrap();
        fill(&database, from).await;
        let store = database.store(clock.clone()).await;
        let kept = store
            .count_decisions(&DecisionFilter::default())
            .await
            .unwrap();
        assert_eq!(kept, u64::from(from >= 2), "from schema {from}");
        let mark = store
            .decision_mark("01KKNS9GS000000000000000RS".parse().unwrap())
            .await
            .unwrap();
        assert_eq!(mark.is_some(), from >= 2, "from schema {from}");
        let record = closed(decision(9, Outcome::Served));
        let projector = Projector::new(&store, node());
        projector.apply(&[(7, record)]).await.unwrap();
        assert_eq!(projector.position().await.unwrap(), 8);
    }
}

/// What a version with schema `from` could have written.
async fn fill(database: &Database, from: u32) {
    let mut connection = database.connection(OWNER).await;
    sqlx::raw_sql("SET plimsoll.tenant = '*'")
        .execute(&mut connection)
        .await
        .unwrap();
    if from >= 2 {
        let sql = include_str!("filled_0002.sql");
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }
}

#[tokio::test]
async fn a_schema_of_another_version_is_refused() {
    let Some(server) = server() else { return };
    let clock = Arc::new(ManualClock::at(at(86_400)));
    let database = Database::create(&server).await;
    let mut config = database.config();
    config.migrate_url = None;
    let empty = Store::connect(&config, clock.clone()).await;
    assert!(
        matches!(empty, Err(StoreError::OlderSchema { found: 0, .. })),
        "{empty:?}"
    );
    database.store(clock.clone()).await;
    Store::connect(&config, clock.clone()).await.unwrap();
    let mut connection = database.connection(OWNER).await;
    let sql = "SET plimsoll.tenant = '*'; INSERT INTO migrations VALUES (999, 'later', 0)";
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    for config in [&config, &database.config()] {
        let newer = Store::connect(config, clock.clone()).await;
        assert!(
            matches!(newer, Err(StoreError::NewerSchema { found: 999, .. })),
            "{newer:?}"
        );
    }
}

#[tokio::test]
async fn of_nodes_that_start_at_once_one_migrates() {
    let Some(server) = server() else { return };
    let clock = Arc::new(ManualClock::at(at(86_400)));
    let database = Arc::new(Database::create(&server).await);
    let nodes: Vec<_> = (0..4)
        .map(|_| {
            let (database, clock) = (Arc::clone(&database), clock.clone());
            tokio::spawn(async move { database.store(clock).await.ping().await })
        })
        .collect();
    for node in nodes {
        node.await.unwrap().unwrap();
    }
    let mut connection = database.connection(OWNER).await;
    sqlx::raw_sql("SET plimsoll.tenant = '*'")
        .execute(&mut connection)
        .await
        .unwrap();
    let applied: i64 = sqlx::query_scalar("SELECT count(*) FROM migrations")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(applied, i64::from(POSTGRES_SCHEMA));
}

#[tokio::test]
async fn numbers_and_roles_come_from_the_url_and_a_wrong_one_is_told_without_it() {
    let Some(server) = server() else { return };
    let database = Database::create(&server).await;
    let mut config = database.config();
    config.url = plimsoll_core::Secret::new("hunter2 is no url".to_owned());
    let refused = Store::connect(&config, Arc::new(ManualClock::at(at(0))))
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Url(_)));
    assert!(
        !format!("{refused:?} {refused}").contains("hunter2"),
        "{refused:?}"
    );
    assert!(
        !format!("{:?}", database.config()).contains(NODE),
        "a URL is a secret"
    );
}
