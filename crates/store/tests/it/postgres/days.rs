//! Decisions lie in a partition for each day.

use std::time::Duration;

use plimsoll_core::{DecisionId, Outcome, Record, Timestamp};
use plimsoll_store::{DecisionFilter, Projector};
use sqlx::PgConnection;

use super::server::OWNER;
use crate::fixtures::{self, Fixture, at, closed, decision, node, numbered, opened};

const DAY: u64 = 86_400;

/// A decision that was opened and whose id was made `day` days after the first.
fn on_day(day: u64, number: u64, outcome: Outcome) -> plimsoll_core::Decision {
    let opened_at = at(day * DAY + number);
    let mut bytes = DecisionId::new(opened_at).to_bytes();
    bytes[6..].fill(0);
    bytes[15] = u8::try_from(number).unwrap();
    let mut decision = decision(number, outcome);
    (decision.id, decision.opened_at) = (DecisionId::from_bytes(bytes), opened_at);
    decision.closed_at = Some(opened_at.plus(Duration::from_millis(3)));
    decision
}

async fn days(connection: &mut PgConnection) -> Vec<String> {
    let sql = "SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'plimsoll.decisions'::regclass ORDER BY relname";
    sqlx::query_scalar(sql).fetch_all(connection).await.unwrap()
}

async fn all(fixture: &Fixture) -> u64 {
    fixture
        .store
        .count_decisions(&DecisionFilter::default())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_day_is_made_on_demand_and_the_next_one_ahead() {
    let Some(fixture) = fixtures::postgres().await else {
        return;
    };
    let projector = Projector::new(&fixture.store, node());
    let records =
        [(0, 1), (3, 2)].map(|(day, number)| closed(on_day(day, number, Outcome::Served)));
    projector.apply(&numbered(records)).await.unwrap();
    let mut connection = fixture.database().connection(OWNER).await;
    let names = [
        "decisions_2026_03_14",
        "decisions_2026_03_17",
        "decisions_2026_03_18",
    ];
    assert_eq!(days(&mut connection).await, names);
    assert_eq!(all(&fixture).await, 2);
}

#[tokio::test]
async fn a_decision_that_is_closed_on_another_day_is_one_decision() {
    let Some(fixture) = fixtures::postgres().await else {
        return;
    };
    let projector = Projector::new(&fixture.store, node());
    let mut late = on_day(0, 1, Outcome::Served);
    let mut open = late.clone();
    (open.outcome, open.closed_at) = (None, None);
    late.closed_at = Some(at(2 * DAY));
    projector.apply(&[(0, opened(open))]).await.unwrap();
    projector.apply(&[(1, closed(late.clone()))]).await.unwrap();
    assert_eq!(all(&fixture).await, 1);
    assert_eq!(fixture.store.decision(late.id).await.unwrap(), Some(late));
}

#[tokio::test]
async fn a_day_is_dropped_when_no_journal_retains_any_of_it() {
    let Some(fixture) = fixtures::postgres().await else {
        return;
    };
    // Today is the day after the last of them: it and later ones are kept, though empty.
    fixture.clock.advance(Duration::from_secs(3 * DAY));
    let other = plimsoll_core::NodeName::new("node-2").unwrap();
    let projectors = [node(), other].map(|node| Projector::new(&fixture.store, node));
    for (index, projector) in projectors.iter().enumerate() {
        let number = |day: u64| day * 10 + u64::try_from(index).unwrap();
        let record = |day| closed(on_day(day, number(day), Outcome::Served));
        let records: Vec<Record> = (0..4).map(record).collect();
        projector.apply(&numbered(records)).await.unwrap();
    }
    let mut connection = fixture.database().connection(OWNER).await;
    assert_eq!(days(&mut connection).await.len(), 5);
    // The other node still retains the first day.
    assert_eq!(projectors[0].forget_before(2).await.unwrap(), 0);
    assert_eq!(days(&mut connection).await.len(), 5);
    assert_eq!(projectors[1].forget_before(2).await.unwrap(), 4);
    let names = [
        "decisions_2026_03_16",
        "decisions_2026_03_17",
        "decisions_2026_03_18",
    ];
    assert_eq!(days(&mut connection).await, names);
    assert_eq!(all(&fixture).await, 4);
    // What comes for a day that was dropped brings the day back.
    let late = closed(on_day(0, 77, Outcome::Served));
    projectors[0].apply(&[(9, late)]).await.unwrap();
    assert_eq!(all(&fixture).await, 5);
}

#[tokio::test]
async fn today_and_the_days_to_come_are_not_dropped() {
    let Some(fixture) = fixtures::postgres().await else {
        return;
    };
    let projector = Projector::new(&fixture.store, node());
    projector
        .apply(&[(0, closed(on_day(1, 1, Outcome::Served)))])
        .await
        .unwrap();
    projector.forget_before(1).await.unwrap();
    let mut connection = fixture.database().connection(OWNER).await;
    assert_eq!(
        days(&mut connection).await,
        ["decisions_2026_03_15", "decisions_2026_03_16"]
    );
}

#[tokio::test]
async fn an_id_with_a_senseless_time_is_kept_all_the_same() {
    let Some(fixture) = fixtures::postgres().await else {
        return;
    };
    let projector = Projector::new(&fixture.store, node());
    for (sequence, bytes) in [(0, [0; 16]), (1, [0xff; 16]), (2, [0x7f; 16])] {
        let mut odd = decision(1, Outcome::Served);
        odd.id = DecisionId::from_bytes(bytes);
        odd.opened_at = Timestamp::from_micros(1);
        projector
            .apply(&[(sequence, closed(odd.clone()))])
            .await
            .unwrap();
        assert_eq!(fixture.store.decision(odd.id).await.unwrap(), Some(odd));
    }
}

#[tokio::test]
async fn a_list_looks_only_at_the_days_that_it_is_about() {
    let Some(fixture) = fixtures::postgres().await else {
        return;
    };
    let projector = Projector::new(&fixture.store, node());
    let records = (0..6).map(|day| closed(on_day(day, day, Outcome::Served)));
    projector.apply(&numbered(records)).await.unwrap();
    let filter = DecisionFilter {
        since: Some(at(2 * DAY)),
        until: Some(at(3 * DAY)),
        ..DecisionFilter::default()
    };
    assert_eq!(fixture.store.decisions(&filter).await.unwrap().len(), 1);
    let plan = fixture.store.plan_of_decisions(&filter).await.unwrap();
    assert!(plan.contains("decisions_2026_03_16"), "{plan}");
    assert!(!plan.contains("decisions_2026_03_19"), "{plan}");
}
