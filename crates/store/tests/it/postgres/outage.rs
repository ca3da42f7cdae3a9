//! The server goes away, and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use plimsoll_core::{Outcome, Record, SystemClock};
use plimsoll_store::{Cause, DecisionFilter, Feed, Pace, Projector, RecordSource, Store};
use tokio_util::sync::CancellationToken;

use super::server::{Database, script, server};
use crate::fixtures::{closed, decision, node};

/// A server of this test alone, so that it can be cut off.
struct Server(String);

impl Server {
    fn start() -> Option<Self> {
        server()?;
        Some(Self(script(&["start"]).unwrap()))
    }

    fn cut(&self) {
        script(&["cut", &self.0]).unwrap();
    }

    fn resume(&self) {
        script(&["resume", &self.0]).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(script(&["stop", &self.0]));
    }
}

/// A journal that grows when it is told to.
#[derive(Clone)]
struct Growing(Arc<AtomicU64>);

struct From(u64, Growing);

impl Feed for Growing {
    fn source(&self, from: u64) -> Box<dyn RecordSource> {
        Box::new(From(from, self.clone()))
    }

    fn committed(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn minimum(&self) -> u64 {
        0
    }
}

impl RecordSource for From {
    fn next_batch(&mut self, limit: usize) -> Result<Vec<(u64, Record)>, Cause> {
        let limit = u64::try_from(limit).unwrap();
        let end = self.1.committed().min(self.0 + limit);
        let batch = (self.0..end).map(|number| (number, closed(decision(number, Outcome::Served))));
        let batch = batch.collect();
        self.0 = end;
        Ok(batch)
    }

    fn position(&self) -> u64 {
        self.0
    }
}

async fn counted(store: &Store) -> u64 {
    store
        .count_decisions(&DecisionFilter::default())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_journaled_while_the_database_was_away_is_projected_exactly_once() {
    let Some(server) = Server::start() else {
        return;
    };
    let database = Database::create(&server.0).await;
    let store = database.store(Arc::new(SystemClock::new())).await;
    let journal = Growing(Arc::new(AtomicU64::new(3_000)));
    let projector = Projector::new(&store, node());
    let cancel = CancellationToken::new();
    let pace = Pace {
        busy_share: 1.0,
        loaded_share: 1.0,
        ..Pace::default()
    };
    let feed = Arc::new(journal.clone());
    let running = tokio::spawn(projector.clone().run(feed, pace, cancel.clone()));
    for round in 1..=3_u64 {
        // In the middle of projecting, and while more is journaled.
        while projector.applied() < round * 3_000 - 2_000 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.cut();
        journal.0.fetch_add(3_000, Ordering::Relaxed);
        let asked = tokio::time::Instant::now();
        let error = store.ping().await.unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        assert!(
            asked.elapsed() < Duration::from_secs(6),
            "{:?}",
            asked.elapsed()
        );
        server.resume();
    }
    while projector.applied() < 12_000 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    cancel.cancel();
    running.await.unwrap();
    assert_eq!(counted(&store).await, 12_000);
    let facts = store
        .bar_facts(
            &crate::fixtures::system(),
            &crate::fixtures::environment(),
            crate::fixtures::at(0),
        )
        .await
        .unwrap();
    assert_eq!(facts.decisions, 12_000);
}

#[tokio::test]
async fn a_node_starts_while_the_database_is_away_and_finds_it_later() {
    let Some(server) = Server::start() else {
        return;
    };
    let database = Database::create(&server.0).await;
    server.cut();
    let store = Store::connect(&database.config(), Arc::new(SystemClock::new()))
        .await
        .unwrap();
    let asked = tokio::time::Instant::now();
    assert!(store.ping().await.unwrap_err().is_retryable());
    assert!(
        asked.elapsed() < Duration::from_secs(6),
        "{:?}",
        asked.elapsed()
    );
    server.resume();
    // The schema is brought up now that it can be.
    assert_eq!(counted(&store).await, 0);
    Projector::new(&store, node())
        .apply(&[(0, closed(decision(0, Outcome::Served)))])
        .await
        .unwrap();
    assert_eq!(counted(&store).await, 1);
}

#[tokio::test]
async fn a_server_that_hangs_is_waited_for_no_longer_than_five_seconds() {
    let Some(server) = Server::start() else {
        return;
    };
    let database = Database::create(&server.0).await;
    let store = database.store(Arc::new(SystemClock::new())).await;
    assert_eq!(counted(&store).await, 0);
    // A lock that another session holds is as good as a server that does not answer.
    let mut holder = database.connection("postgres").await;
    sqlx::raw_sql("BEGIN; LOCK TABLE plimsoll.decisions")
        .execute(&mut holder)
        .await
        .unwrap();
    let asked = tokio::time::Instant::now();
    let error = store
        .count_decisions(&DecisionFilter::default())
        .await
        .unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert!(
        asked.elapsed() < Duration::from_millis(5_500),
        "{:?}",
        asked.elapsed()
    );
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut holder)
        .await
        .unwrap();
    assert_eq!(counted(&store).await, 0);
}
