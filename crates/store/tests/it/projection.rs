//! The projection: idempotent, resumable, mendable.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plimsoll_core::decision::Payload;
use plimsoll_core::ports::Decisions as _;
use plimsoll_core::record::ReviewChange;
use plimsoll_core::{Clock as _, Code, Decision, FailureKind, Outcome, Record, SystemClock};
use plimsoll_journal::{Journal, JournalConfig};
use plimsoll_store::projector::BATCH_MAX;
use plimsoll_store::{
    Cause, DecisionFilter, Feed, Pace, ProjectedDecisions, Projector, RecordSource,
};
use proptest::prelude::*;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};
use tokio_util::sync::CancellationToken;

use crate::fixtures::{
    Fixture, access, at, closed, decision, deployment, drill, erasure, failed, fixture, node,
    node_event, numbered, open_decision, opened, recovery, release, review, review_event,
    runbook_run, tenant, uncounted,
};
use crate::postgres::server::Database;

on_both_engines! {
    a_rebuild_gives_the_same_tables
    a_rebuild_keeps_what_the_journal_could_not_bring_back
    an_opened_record_never_reopens_a_closed_decision
    project_until_reads_no_further_than_it_must_and_stops_at_the_end
    a_projection_that_is_ahead_of_its_journal_is_made_again
    the_projector_follows_a_journal_until_it_is_told_to_stop
    what_is_committed_during_the_last_look_is_applied_before_the_projector_stops
    a_sealed_payload_is_read_back_through_the_port
}

/// All that the projection holds, in words that do not depend on the order of writing.
async fn tables(fixture: &Fixture) -> Vec<String> {
    let mut all = Vec::new();
    for (table, sql) in [
        (
            "decisions",
            "SELECT id, node, sequence, outcome, cost_pico, skipped, path, record FROM decisions JOIN decision_records USING (number) ORDER BY id",
        ),
        (
            "rows",
            "SELECT (SELECT COUNT(*) FROM decisions), (SELECT COUNT(*) FROM decision_records)",
        ),
        ("releases", "SELECT * FROM releases ORDER BY id"),
        (
            "deployments",
            "SELECT id, node, sequence, slot, weight, cause, order_at, record FROM deployments ORDER BY id",
        ),
        ("governance", "SELECT * FROM governance_events ORDER BY id"),
        ("erased", "SELECT * FROM erased ORDER BY decision, erasure"),
        (
            "rollups",
            "SELECT width, system, environment, start, release, node, decisions, counts, hex(latency), hex(cost) FROM rollups ORDER BY width, start, release, system",
        ),
        ("units", "SELECT * FROM units ORDER BY tenant, name"),
        ("drills", "SELECT * FROM drills ORDER BY id"),
        ("runbook_runs", "SELECT * FROM runbook_runs ORDER BY id"),
        (
            "review_events",
            "SELECT * FROM review_events ORDER BY review, event",
        ),
        (
            "node_events",
            "SELECT * FROM node_events ORDER BY node, sequence",
        ),
        (
            "uncounted",
            "SELECT * FROM uncounted ORDER BY node, sequence",
        ),
        ("positions", "SELECT node, next_sequence FROM positions"),
    ] {
        let rows = match fixture.kept_in() {
            Ok(database) => rows_of_postgres(database, sql).await,
            Err(path) => rows_of_sqlite(path, sql).await,
        };
        all.extend(
            rows.iter()
                .map(|cells| format!("{table}: {}", cells.join(" | "))),
        );
    }
    all
}

async fn rows_of_sqlite(path: &std::path::Path, sql: &'static str) -> Vec<Vec<String>> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.unwrap();
    let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
    let cell = |row: &sqlx::sqlite::SqliteRow, index| {
        let text = row.try_get_unchecked::<Option<String>, _>(index);
        text.map_or_else(|error| error.to_string(), Option::unwrap_or_default)
    };
    rows.iter()
        .map(|row| (0..row.len()).map(|index| cell(row, index)).collect())
        .collect()
}

async fn rows_of_postgres(database: &Database, sql: &'static str) -> Vec<Vec<String>> {
    let sql = sql
        .replace(" JOIN decision_records USING (number)", "")
        .replace("FROM decision_records", "FROM decisions")
        .replace("hex(latency)", "encode(latency, 'hex')")
        .replace("hex(cost)", "encode(cost, 'hex')");
    let mut connection = database.installation().await;
    // Without parameters, every value comes as text.
    let rows = sqlx::raw_sql(AssertSqlSafe(sql))
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let cell = |row: &sqlx::postgres::PgRow, index| {
        row.get_unchecked::<Option<String>, _>(index)
            .unwrap_or_default()
    };
    rows.iter()
        .map(|row| (0..row.len()).map(|index| cell(row, index)).collect())
        .collect()
}

/// A journal with something of everything: decisions are opened, waited on, closed; things repeat.
fn journal() -> Vec<(u64, Record)> {
    let waits = review(4, "default", 900);
    numbered([
        node_event(at(0)),
        recovery(at(0)),
        release("one", at(0)),
        deployment(1, "one", at(0)),
        opened(open_decision(1)),
        opened(open_decision(2)),
        closed(decision(1, Outcome::Served)),
        closed(failed(
            3,
            Outcome::Refused,
            FailureKind::Malformed,
            Code::ContractRange,
        )),
        opened(waits.decision.clone()),
        review_event(&waits, ReviewChange::Opened, at(4)),
        uncounted(Code::TooManyInFlight, 40, at(5)),
        release("two", at(6)),
        deployment(2, "two", at(6)),
        release("one", at(7)),
        closed(decision(2, Outcome::Repaired)),
        drill(8, FailureKind::Slow, false, at(8)),
        drill(9, FailureKind::Slow, true, at(9)),
        runbook_run(10, at(10)),
        review_event(&waits, ReviewChange::Answered, at(11)),
        review_event(&waits, ReviewChange::Answered, at(11)),
        closed(Decision {
            outcome: Some(Outcome::Reviewed),
            ..waits.decision
        }),
        closed(decision(12, Outcome::Served)),
        opened(open_decision(13)),
        Record::Erasure(Box::new(erasure(14, &[3, 4], at(14)))),
        Record::Access(Box::new(access(15, 1, "bo", "default"))),
        closed(of_ticket(70)),
        closed(of_ticket(16)),
        // An answer that was withheld after its record was written.
        closed(Decision {
            outcome: Some(Outcome::Failed),
            ..of_ticket(70)
        }),
    ])
}

fn of_ticket(number: u64) -> Decision {
    Decision {
        unit: Some("ticket-1".to_owned()),
        ..decision(number, Outcome::Served)
    }
}

fn on_a_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_replay_from_any_point_gives_the_same_tables(
        cuts in prop::collection::vec(1_usize..8, 1..12),
        replays in prop::collection::vec((0_usize..28, 1_usize..28), 0..4),
        begin in 0_usize..28,
    ) {
        on_a_runtime(async {
            let (whole, pieces) = (fixture().await, fixture().await);
            let journal = journal();
            Projector::new(&whole.store, node()).apply(&journal).await.unwrap();

            let projector = Projector::new(&pieces.store, node());
            // Begun in the middle (an earlier part is lost), then from the start, in pieces of any size.
            projector.apply(&journal[begin..]).await.unwrap();
            let mut rest = journal.as_slice();
            for cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                projector.apply(piece).await.unwrap();
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            for (from, length) in replays {
                let to = (from + length).min(journal.len());
                projector.apply(&journal[from..to]).await.unwrap();
            }
            assert_eq!(tables(&pieces).await, tables(&whole).await);
        });
    }
}

async fn a_rebuild_gives_the_same_tables() {
    let fixture = fixture().await;
    let projector = Projector::new(&fixture.store, node());
    projector.apply(&journal()).await.unwrap();
    let before = tables(&fixture).await;
    projector.rebuild(0).await.unwrap();
    assert_eq!(projector.position().await.unwrap(), 0);
    assert_eq!(
        tables(&fixture).await.len(),
        2,
        "a count of 0 rows and a position are left"
    );
    projector.apply(&journal()).await.unwrap();
    assert_eq!(tables(&fixture).await, before);
}

async fn a_rebuild_keeps_what_the_journal_could_not_bring_back() {
    let fixture = fixture().await;
    let projector = Projector::new(&fixture.store, node());
    projector.apply(&journal()).await.unwrap();
    projector.rebuild(13).await.unwrap();
    projector.apply(&journal()[13..]).await.unwrap();
    assert_eq!(projector.position().await.unwrap(), 28);
    let tables = tables(&fixture).await;
    let count = |table: &str| tables.iter().filter(|row| row.starts_with(table)).count();
    assert_eq!(
        (count("releases"), count("deployments"), count("drills")),
        (2, 2, 2)
    );
    assert_eq!(count("decisions"), 6, "1 and 3 are gone: {tables:#?}");
}

#[tokio::test]
async fn what_the_journal_no_longer_retains_is_forgotten() {
    let fixture = fixture().await;
    let projector = Projector::new(&fixture.store, node());
    projector.apply(&journal()).await.unwrap();
    assert_eq!(projector.forget_before(11).await.unwrap(), 2);
    assert_eq!(projector.forget_before(11).await.unwrap(), 0);
    let tables = tables(&fixture).await;
    assert!(!tables.iter().any(|row| row.starts_with("uncounted")));
    assert_eq!(
        tables
            .iter()
            .filter(|row| row.starts_with("releases"))
            .count(),
        2
    );
}

async fn an_opened_record_never_reopens_a_closed_decision() {
    let fixture = fixture().await;
    let projector = Projector::new(&fixture.store, node());
    projector
        .apply(&[(5, closed(decision(1, Outcome::Served)))])
        .await
        .unwrap();
    projector
        .apply(&[(9, opened(open_decision(1)))])
        .await
        .unwrap();
    let found = fixture
        .store
        .decision(decision(1, Outcome::Served).id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.outcome, Some(Outcome::Served));
}

async fn project_until_reads_no_further_than_it_must_and_stops_at_the_end() {
    let fixture = fixture().await;
    let projector = Projector::new(&fixture.store, node());
    let many = (0..4_000).map(|number| closed(decision(number, Outcome::Served)));
    let memory = Memory::holding(numbered(many));
    let batch = u64::try_from(BATCH_MAX).unwrap();
    let position = projector.project_until(&*memory, batch + 1).await.unwrap();
    assert!(
        position > batch + 1 && position < 4_000 && position.is_multiple_of(batch),
        "{position}"
    );
    assert_eq!(
        projector.project_until(&*memory, 5_000).await.unwrap(),
        4_000
    );
    assert_eq!(projector.position().await.unwrap(), 4_000);
    assert_eq!(
        fixture
            .store
            .count_decisions(&DecisionFilter::default())
            .await
            .unwrap(),
        4_000
    );
}

/// A journal in memory.
struct Memory {
    records: Mutex<Vec<(u64, Record)>>,
    committed: AtomicU64,
    minimum: AtomicU64,
}

impl Memory {
    fn holding(records: Vec<(u64, Record)>) -> Arc<Self> {
        let committed = records.last().map_or(0, |(sequence, _)| sequence + 1);
        Arc::new(Self {
            records: Mutex::new(records),
            committed: AtomicU64::new(committed),
            minimum: AtomicU64::new(0),
        })
    }

    fn append(&self, record: Record) {
        let sequence = self.committed.load(Ordering::Relaxed);
        self.records.lock().unwrap().push((sequence, record));
        self.committed.store(sequence + 1, Ordering::Relaxed);
    }
}

impl Feed for Memory {
    fn source(&self, from: u64) -> Box<dyn RecordSource> {
        // The journal's own reader goes on with what comes later; this one is a copy.
        let records = self.records.lock().unwrap().clone();
        let next = records.partition_point(|(sequence, _)| *sequence < from);
        Box::new(Copied { records, next })
    }

    fn committed(&self) -> u64 {
        self.committed.load(Ordering::Relaxed)
    }

    fn minimum(&self) -> u64 {
        self.minimum.load(Ordering::Relaxed)
    }
}

struct Copied {
    records: Vec<(u64, Record)>,
    next: usize,
}

impl RecordSource for Copied {
    fn next_batch(&mut self, limit: usize) -> Result<Vec<(u64, Record)>, Cause> {
        let batch: Vec<_> = self.records[self.next..]
            .iter()
            .take(limit)
            .cloned()
            .collect();
        self.next += batch.len();
        Ok(batch)
    }

    fn position(&self) -> u64 {
        self.records
            .get(self.next)
            .map_or(u64::MAX, |(sequence, _)| *sequence)
    }
}

async fn a_projection_that_is_ahead_of_its_journal_is_made_again() {
    let fixture = fixture().await;
    let projector = Projector::new(&fixture.store, node());
    projector.apply(&journal()).await.unwrap();
    let restored = Memory::holding(journal()[..9].to_vec());
    assert_eq!(projector.project_until(&*restored, 100).await.unwrap(), 9);
    let fresh = self::fixture().await;
    Projector::new(&fresh.store, node())
        .apply(&journal()[..9])
        .await
        .unwrap();
    assert_eq!(tables(&fixture).await, tables(&fresh).await);
}

/// A journal on disk in the fixture's folder.
fn on_disk(fixture: &Fixture) -> Arc<Journal> {
    let config = JournalConfig::new(fixture.folder.path().to_owned());
    let opened = Journal::open(config, node(), Arc::new(SystemClock::new())).unwrap();
    Arc::new(opened.journal)
}

async fn the_projector_follows_a_journal_until_it_is_told_to_stop() {
    let fixture = fixture().await;
    let projector = Projector::new(&fixture.store, node());
    let journal = on_disk(&fixture);
    let cancel = CancellationToken::new();
    let running = tokio::spawn(projector.clone().run(
        journal.clone(),
        Pace {
            busy_share: 1.0,
            ..Pace::default()
        },
        cancel.clone(),
    ));
    for number in 0..3 {
        let record = closed(decision(number, Outcome::Served));
        let ticket = journal.append(&record, None).unwrap();
        ticket.durable().await.unwrap();
        let sequence = journal.committed();
        while projector.position().await.unwrap() < sequence {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let last = decision(3, Outcome::Served);
    journal
        .append(&closed(last.clone()), None)
        .unwrap()
        .durable()
        .await
        .unwrap();
    cancel.cancel();
    running.await.unwrap();
    let found = fixture.store.decision(last.id).await.unwrap();
    assert_eq!(
        found,
        Some(last),
        "what was committed before the end is applied"
    );
}

/// A journal that gets its only record, and the order to stop, while it is looked at: the look itself
/// does not see it.
struct Late {
    memory: Arc<Memory>,
    cancel: CancellationToken,
}

struct LateSource {
    memory: Arc<Memory>,
    cancel: CancellationToken,
}

impl Feed for Late {
    fn source(&self, _: u64) -> Box<dyn RecordSource> {
        Box::new(LateSource {
            memory: self.memory.clone(),
            cancel: self.cancel.clone(),
        })
    }

    fn committed(&self) -> u64 {
        self.memory.committed()
    }

    fn minimum(&self) -> u64 {
        0
    }
}

impl RecordSource for LateSource {
    fn next_batch(&mut self, limit: usize) -> Result<Vec<(u64, Record)>, Cause> {
        if self.memory.committed() > 0 {
            return self.memory.source(0).next_batch(limit);
        }
        self.memory.append(closed(decision(1, Outcome::Served)));
        self.cancel.cancel();
        Ok(Vec::new())
    }

    fn position(&self) -> u64 {
        0
    }
}

async fn what_is_committed_during_the_last_look_is_applied_before_the_projector_stops() {
    let fixture = fixture().await;
    let cancel = CancellationToken::new();
    let memory = Memory::holding(Vec::new());
    let late = Arc::new(Late {
        memory,
        cancel: cancel.clone(),
    });
    let projector = Projector::new(&fixture.store, node());
    projector.run(late, Pace::default(), cancel).await;
    let found = fixture
        .store
        .decision(decision(1, Outcome::Served).id)
        .await;
    assert!(found.unwrap().is_some());
}

async fn a_sealed_payload_is_read_back_through_the_port() {
    let fixture = fixture().await;
    let journal = on_disk(&fixture);
    let clock = SystemClock::new();
    let id = plimsoll_core::DecisionId::new(clock.now());
    let payload = Payload {
        input: serde_json::json!([1]),
        output: serde_json::Value::Null,
        attempts: Vec::new(),
    };
    let bytes = serde_json::to_vec(&payload).unwrap();
    let (reference, sealed) = journal.seal(&tenant("default"), id, &bytes).unwrap();
    let sealed_decision = Decision {
        id,
        payload: Some(reference),
        ..decision(1, Outcome::Served)
    };
    let ticket = journal
        .append(&closed(sealed_decision), Some(sealed))
        .unwrap();
    ticket.durable().await.unwrap();
    let projector = Projector::new(&fixture.store, node());
    projector
        .project_until(&*journal, journal.committed() - 1)
        .await
        .unwrap();
    let payloads = Arc::new(journal.payloads());
    let decisions = ProjectedDecisions::new(&fixture.store, Some(payloads));
    let found = decisions.payload(&tenant("default"), id).await.unwrap();
    assert_eq!(found, Some(payload));
}

#[tokio::test]
async fn what_went_from_the_journal_is_forgotten_by_itself() {
    let fixture = fixture().await;
    let projector = Projector::new(&fixture.store, node());
    let memory = Memory::holding(journal());
    memory.minimum.store(11, Ordering::Relaxed);
    let cancel = CancellationToken::new();
    let pace = Pace {
        busy_share: 1.0,
        ..Pace::default()
    };
    let running = tokio::spawn(projector.run(memory.clone(), pace, cancel.clone()));
    let filter = DecisionFilter::default();
    // Of decisions 1 and 3 the last record stands before 11.
    while fixture.store.count_decisions(&filter).await.unwrap() != 6 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    memory.append(node_event(at(50)));
    cancel.cancel();
    running.await.unwrap();
}
