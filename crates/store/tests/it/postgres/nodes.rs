//! Several nodes on one database: telling each other, and leading.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::{NodeName, Outcome, SystemClock};
use plimsoll_store::{DecisionFilter, Projector, Store};

use super::server::{Database, server};
use crate::fixtures::{self, at, closed, decision, deployment, node};

async fn two_nodes() -> Option<(Database, [Store; 2])> {
    let database = Database::create(&server()?).await;
    let clock = Arc::new(SystemClock::new());
    let stores = [
        database.store(clock.clone()).await,
        database.store(clock).await,
    ];
    Some((database, stores))
}

/// Ends the connections of this database that last ran a statement like `like`.
async fn cut(database: &Database, like: &str) -> usize {
    let mut connection = database.connection("postgres").await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE $1";
    let rows = sqlx::query(sql)
        .bind(like)
        .fetch_all(&mut connection)
        .await
        .unwrap();
    rows.len()
}

#[tokio::test]
async fn a_deployment_on_one_node_wakes_the_other() {
    let Some((_database, [one, other])) = two_nodes().await else {
        return;
    };
    let mut changes = other.changes();
    // The first wake-up says that it listens.
    changes.next().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let projector = Projector::new(&one, node());
    let waiting = tokio::spawn(async move {
        let asked = tokio::time::Instant::now();
        changes.next().await;
        asked.elapsed()
    });
    projector
        .apply(&[(0, deployment(1, "one", at(1)))])
        .await
        .unwrap();
    let took = waiting.await.unwrap();
    assert!(took < Duration::from_millis(700), "woken after {took:?}");
    assert!(
        other
            .current_deployment(&fixtures::system(), &fixtures::environment())
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_listener_that_lost_its_connection_still_polls_and_listens_again() {
    let Some((database, [one, other])) = two_nodes().await else {
        return;
    };
    let mut changes = other.changes();
    changes.next().await;
    assert_eq!(cut(&database, "LISTEN%").await, 1);
    let asked = tokio::time::Instant::now();
    for _ in 0..3 {
        changes.next().await;
    }
    assert!(
        asked.elapsed() < Duration::from_secs(4),
        "{:?}",
        asked.elapsed()
    );
    // Listening again: a change is told well before the next look.
    let mut fastest = Duration::MAX;
    for number in 0..3 {
        let told = tokio::time::Instant::now();
        let record = deployment(number, "one", at(number));
        Projector::new(&one, node())
            .apply(&[(number, record)])
            .await
            .unwrap();
        changes.next().await;
        fastest = fastest.min(told.elapsed());
    }
    assert!(fastest < Duration::from_millis(700), "{fastest:?}");
}

#[tokio::test]
async fn of_two_nodes_one_leads_and_the_other_takes_over() {
    let Some((database, [one, other])) = two_nodes().await else {
        return;
    };
    let mut lease = one
        .lead("retention")
        .await
        .unwrap()
        .expect("nobody else leads");
    assert!(other.lead("retention").await.unwrap().is_none());
    assert!(other.lead("something else").await.unwrap().is_some());
    assert!(lease.is_held());
    // The leader's connection breaks: it is told, and the other can lead.
    assert_eq!(cut(&database, "%pg_try_advisory_lock%").await, 1);
    tokio::time::timeout(Duration::from_secs(4), lease.lost())
        .await
        .unwrap();
    assert!(!lease.is_held());
    let taken = other.lead("retention").await.unwrap();
    assert!(taken.is_some());
    assert!(one.lead("retention").await.unwrap().is_none());
    drop(taken);
    for _ in 0..50 {
        if one.lead("retention").await.unwrap().is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a lease that was given back can be taken");
}

#[tokio::test]
async fn nodes_that_project_at_once_lose_and_double_nothing() {
    let Some((_database, [one, other])) = two_nodes().await else {
        return;
    };
    let project = |store: Store, name: &str, first: u64| {
        let node = NodeName::new(name).unwrap();
        tokio::spawn(async move {
            let projector = Projector::new(&store, node);
            for batch in 0..8 {
                let records: Vec<_> = (0..100)
                    .map(|index| {
                        let sequence = batch * 100 + index;
                        let mut decision = decision(first + sequence, Outcome::Served);
                        // Both nodes work on the same units.
                        decision.unit = Some(format!("application-{}", sequence % 60));
                        (sequence, closed(decision))
                    })
                    .collect();
                projector.apply(&records).await.unwrap();
            }
        })
    };
    let both = [
        project(one.clone(), "node-1", 0),
        project(other, "node-2", 100_000),
    ];
    for projecting in both {
        projecting.await.unwrap();
    }
    assert_eq!(
        one.count_decisions(&DecisionFilter::default())
            .await
            .unwrap(),
        1_600
    );
    let facts = one
        .bar_facts(&fixtures::system(), &fixtures::environment(), at(0))
        .await
        .unwrap();
    assert_eq!((facts.decisions, facts.cost.units), (1_600, 60));
    let each: plimsoll_core::Money = "0.00019".parse().unwrap();
    assert_eq!(facts.cost.total.as_pico(), each.as_pico() * 1_600);
}
