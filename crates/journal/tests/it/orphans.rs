//! What a dead node left open is closed; what waits for a person is not.

use plimsoll_core::decision::{Cost, CostBasis};
use plimsoll_core::record::{ReviewChange, ReviewEvent};
use plimsoll_core::{Decision, Money, Outcome, QueueName, Record, ReviewId};

use crate::sample::{decision, opened, served};
use crate::support::{clock, keep, keep_many, open, read_all};

fn review(decision: &Decision, event: ReviewChange) -> Record {
    let at = clock().now();
    Record::Review(Box::new(ReviewEvent {
        review: ReviewId::new(at),
        decision: decision.id,
        tenant: decision.tenant.clone(),
        system: decision.system.clone(),
        queue: QueueName::new("credit").unwrap(),
        event,
        actor: None,
        at,
        due_at: at,
    }))
}

fn closed_of(records: &[(u64, Record)]) -> Vec<&Decision> {
    let closed = records.iter().filter_map(|(_, record)| match record {
        Record::Closed(decision) => Some(&**decision),
        _ => None,
    });
    closed.collect()
}

#[test]
fn an_orphan_is_closed_as_failed_at_what_was_reserved_for_it() {
    let root = tempfile::tempdir().unwrap();
    let reserved = Money::from_pico(5_000_000_000);
    let orphan = decision(clock().now(), "orphan");
    let done = decision(clock().now(), "done");
    let journal = open(root.path()).journal;
    keep(&journal, &opened(orphan.clone(), reserved));
    keep(&journal, &opened(done.clone(), reserved));
    keep(&journal, &served(done));
    drop(journal);

    let again = open(root.path());
    assert_eq!(again.recovery.orphans, 1);
    let (records, _) = read_all(root.path(), 3);
    let closed = closed_of(&records);
    assert_eq!(closed.len(), 1);
    assert_eq!(closed[0].id, orphan.id);
    assert_eq!(closed[0].outcome, Some(Outcome::Failed));
    assert!(closed[0].closed_at.is_some());
    let cost = Cost {
        amount: reserved,
        basis: CostBasis::Estimated,
    };
    assert_eq!(closed[0].cost, cost);
    assert!(matches!(&records[1].1, Record::Recovery(recovery) if recovery.orphans == 1));
    drop(again);
    assert_eq!(open(root.path()).recovery.orphans, 0, "closed once");
    assert_eq!(read_all(root.path(), 3).0.len(), 2);
}

#[test]
fn a_decision_that_waits_for_a_person_stays_open_over_restarts_and_segments() {
    let root = tempfile::tempdir().unwrap();
    let waiting = decision(clock().now(), "waiting");
    let journal = open(root.path()).journal;
    keep(&journal, &opened(waiting.clone(), Money::ZERO));
    keep(&journal, &review(&waiting, ReviewChange::Opened));
    keep_many(&journal, 20);
    drop(journal);
    let again = open(root.path());
    assert_eq!(again.recovery.orphans, 0);

    keep(&again.journal, &review(&waiting, ReviewChange::Answered));
    keep_many(&again.journal, 20);
    drop(again);
    let again = open(root.path());
    assert_eq!(again.recovery.orphans, 1, "answered, and never closed");
}

#[test]
fn an_orphan_of_an_early_segment_is_found_by_the_index() {
    let root = tempfile::tempdir().unwrap();
    let orphan = decision(clock().now(), "orphan");
    let journal = open(root.path()).journal;
    keep(&journal, &opened(orphan.clone(), Money::ZERO));
    keep_many(&journal, 40);
    drop(journal);
    assert_eq!(open(root.path()).recovery.orphans, 1);
    let (records, _) = read_all(root.path(), 41);
    assert_eq!(closed_of(&records)[0].id, orphan.id);
}
