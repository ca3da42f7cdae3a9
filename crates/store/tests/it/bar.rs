//! The figures that the bar is held against.

use plimsoll_core::decision::{Cost, CostBasis, Verdict};
use plimsoll_core::ports::Reviews as _;
use plimsoll_core::{
    Code, Decision, EventId, FailureKind, Money, Outcome, ReviewId, SystemName, Timestamp,
};
use plimsoll_store::{BarFacts, Projector, Store, StoredReviews};
use proptest::prelude::*;

use crate::fixtures::{
    at, closed, control, decision, deployment, drill, environment, failed, fixture, node, numbered,
    open_decision, opened, release, release_id, review, runbook_run, system, uncounted,
};

on_both_engines! {
    a_system_without_decisions_has_empty_figures
    decisions_are_counted_once_and_drills_not_at_all
    costs_are_told_per_unit_of_work
    a_total_beyond_what_sqlite_can_count_is_exact
    controls_that_did_not_run_are_counted
    reviews_count_as_overdue_once_their_time_has_passed
    the_last_drill_of_each_kind_counts_however_old_it_is
}

async fn facts(store: &Store, since: Timestamp) -> BarFacts {
    store
        .bar_facts(&system(), &environment(), since)
        .await
        .unwrap()
}

fn costing(number: u64, unit: Option<&str>, cost: &str, basis: CostBasis) -> Decision {
    let cost = Cost {
        amount: cost.parse().unwrap(),
        basis,
    };
    Decision {
        unit: unit.map(str::to_owned),
        cost,
        ..decision(number, Outcome::Served)
    }
}

async fn a_system_without_decisions_has_empty_figures() {
    let fixture = fixture().await;
    let facts = facts(&fixture.store, at(0)).await;
    assert_eq!(facts.decisions, 0);
    assert_eq!(facts.answered_share(), None);
    assert_eq!(facts.known_release_share(), None);
    assert_eq!(facts.cost.measured_share(), None);
    assert_eq!(facts.cost.total, Money::ZERO);
    assert_eq!((facts.first_decision_at, facts.deployment), (None, None));
}

async fn decisions_are_counted_once_and_drills_not_at_all() {
    let fixture = fixture().await;
    let drilled = EventId::from_bytes([1; 16]);
    let elsewhere = SystemName::new("elsewhere").unwrap();
    let slow = failed(4, Outcome::FellBack, FailureKind::Slow, Code::TotalTimeout);
    let records = numbered([
        release("one", at(0)),
        deployment(1, "one", at(0)),
        closed(decision(0, Outcome::Served)),
        closed(decision(1, Outcome::Served)),
        closed(decision(2, Outcome::Abstained)),
        closed(failed(
            3,
            Outcome::Refused,
            FailureKind::Malformed,
            Code::ContractRange,
        )),
        closed(slow),
        closed(failed(
            5,
            Outcome::Refused,
            FailureKind::OverBudget,
            Code::BudgetExceeded,
        )),
        closed(decision(6, Outcome::Cancelled)),
        closed(Decision {
            release: release_id("unknown"),
            ..decision(7, Outcome::Served)
        }),
        opened(open_decision(8)),
        closed(Decision {
            drill: Some(drilled),
            ..decision(9, Outcome::Failed)
        }),
        closed(Decision {
            system: elsewhere,
            ..decision(10, Outcome::Failed)
        }),
        uncounted(Code::TooManyInFlight, 4, at(20)),
        uncounted(Code::Unauthenticated, 7, at(20)),
    ]);
    Projector::new(&fixture.store, node())
        .apply(&records)
        .await
        .unwrap();
    let facts = facts(&fixture.store, at(1)).await;
    assert_eq!((facts.decisions, facts.open), (8, 1));
    assert_eq!(facts.outcome(Outcome::Served), 2);
    assert_eq!(facts.outcome(Outcome::Refused), 2);
    assert_eq!(facts.outcome(Outcome::Failed), 0);
    assert_eq!(facts.kinds[&FailureKind::Malformed], 1);
    assert_eq!(facts.kinds[&FailureKind::Slow], 1);
    // Had to be answered: 2 served, 1 abstained, 1 fell back, 1 over budget, 4 shed uncounted.
    assert_eq!((facts.answered, facts.answerable), (4, 9));
    assert_eq!(facts.uncounted[&Code::Unauthenticated], 7);
    assert_eq!(facts.known_release_share(), Some(7.0 / 8.0));
    assert_eq!(facts.first_decision_at, Some(at(1)));
    assert_eq!(facts.last_decision_at, Some(at(8)));
    assert_eq!(
        facts.deployment.unwrap().deployment.release,
        release_id("one")
    );
}

async fn costs_are_told_per_unit_of_work() {
    let fixture = fixture().await;
    let waiting = Decision {
        outcome: None,
        review: Some(ReviewId::from_bytes([2; 16])),
        ..costing(6, None, "8", CostBasis::Measured)
    };
    let records = numbered([
        closed(costing(1, Some("ticket-1"), "0.5", CostBasis::Measured)),
        closed(costing(2, Some("ticket-1"), "1.5", CostBasis::Estimated)),
        closed(costing(3, Some("ticket-2"), "1", CostBasis::Measured)),
        closed(costing(4, None, "3", CostBasis::Measured)),
        closed(costing(5, None, "0", CostBasis::Unknown)),
        opened(waiting),
        opened(open_decision(7)),
    ]);
    Projector::new(&fixture.store, node())
        .apply(&records)
        .await
        .unwrap();
    let cost = facts(&fixture.store, at(0)).await.cost;
    assert_eq!(cost.units, 5, "ticket-1, ticket-2, 4, 5, 6");
    assert_eq!(cost.total.to_string(), "14");
    assert_eq!(cost.mean.to_string(), "2.8");
    assert_eq!(
        (cost.p50.to_string(), cost.p95.to_string()),
        ("2".into(), "8".into())
    );
    assert_eq!(cost.max.to_string(), "8");
    assert_eq!((cost.measured, cost.estimated, cost.unknown), (4, 1, 1));
}

async fn a_total_beyond_what_sqlite_can_count_is_exact() {
    let fixture = fixture().await;
    let dear = "8000000.000000000001";
    let records = numbered((0..3).map(|number| {
        let unit = (number > 0).then_some("same");
        closed(costing(number, unit, dear, CostBasis::Measured))
    }));
    Projector::new(&fixture.store, node())
        .apply(&records)
        .await
        .unwrap();
    let cost = facts(&fixture.store, at(0)).await.cost;
    assert_eq!(cost.total.to_string(), "24000000.000000000003");
    assert_eq!(cost.max.to_string(), "16000000.000000000002");
    assert_eq!(cost.p50.to_string(), dear);
}

async fn controls_that_did_not_run_are_counted() {
    let fixture = fixture().await;
    let skipped = Decision {
        controls: vec![
            control("contract", Verdict::Passed),
            control("guard:phrases", Verdict::Skipped),
            control("unsure", Verdict::Skipped),
        ],
        ..decision(1, Outcome::Served)
    };
    let records = numbered([closed(skipped), closed(decision(2, Outcome::Served))]);
    Projector::new(&fixture.store, node())
        .apply(&records)
        .await
        .unwrap();
    let facts = facts(&fixture.store, at(0)).await;
    assert_eq!(
        (facts.skipped_controls, facts.with_skipped_controls),
        (2, 1)
    );
}

async fn reviews_count_as_overdue_once_their_time_has_passed() {
    let fixture = fixture().await;
    let reviews = StoredReviews::new(&fixture.store);
    let drilled = EventId::from_bytes([1; 16]);
    for (number, due) in [(1, 60), (2, 86_399), (3, 86_401)] {
        reviews.open(review(number, "default", due)).await.unwrap();
    }
    let mut of_drill = review(4, "default", 60);
    of_drill.decision.drill = Some(drilled);
    reviews.open(of_drill).await.unwrap();
    let facts = facts(&fixture.store, at(0)).await;
    assert_eq!((facts.reviews.open, facts.reviews.overdue), (3, 2));
    assert_eq!(facts.reviews.first_due_at, Some(at(60)));
}

async fn the_last_drill_of_each_kind_counts_however_old_it_is() {
    let fixture = fixture().await;
    let records = numbered([
        drill(1, FailureKind::Slow, true, at(10)),
        drill(2, FailureKind::Slow, false, at(20)),
        drill(3, FailureKind::Overload, true, at(5)),
        runbook_run(4, at(30)),
        runbook_run(5, at(25)),
    ]);
    Projector::new(&fixture.store, node())
        .apply(&records)
        .await
        .unwrap();
    let facts = facts(&fixture.store, at(80_000)).await;
    assert_eq!(facts.drills.len(), 2);
    let slow = &facts.drills[&FailureKind::Slow];
    assert_eq!((slow.at, slow.passed), (at(20), false));
    assert_eq!(facts.runbook_run.unwrap().ended_at, at(30));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn percentiles_are_those_of_the_sorted_units(costs in prop::collection::vec(0_u64..5_000_000, 1..60)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let fixture = fixture().await;
            let records = numbered((0..).zip(&costs).map(|(number, pico)| {
                let cost = Money::from_pico(i128::from(*pico)).to_string();
                closed(costing(number, None, &cost, CostBasis::Measured))
            }));
            Projector::new(&fixture.store, node()).apply(&records).await.unwrap();
            let cost = facts(&fixture.store, at(0)).await.cost;
            let mut sorted = costs.clone();
            sorted.sort_unstable();
            let rank = |percent: usize| (sorted.len() * percent).div_ceil(100) - 1;
            for (percent, found) in [(50, cost.p50), (95, cost.p95), (100, cost.max)] {
                let exact = i128::from(sorted[rank(percent)]);
                assert!((found.as_pico() - exact).abs() * 100 <= exact, "{found} is not {exact}");
            }
        });
    }
}
