//! What is counted by the minute and by the hour: always what a recount of the decisions gives.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use plimsoll_core::decision::{Cost, CostBasis, Verdict};
use plimsoll_core::{
    Code, Decision, DecisionId, FailureKind, Money, Outcome, Record, ReleaseId, ReviewId,
    SystemName, Timestamp,
};
use plimsoll_store::{BarFacts, Counts, DecisionFilter, Projector, Rollup, Sketch, Store};
use proptest::prelude::*;
use sqlx::{ConnectOptions as _, Row as _};

use crate::fixtures::{
    Fixture, START, at, closed, control, decision, environment, event_id, failed, fixture,
    id_bytes, node, numbered, open_decision, opened, release, release_id, system, tenant,
    uncounted,
};

on_both_engines! {
    a_decision_that_was_let_go_open_is_counted_when_it_closes
    requests_without_a_decision_count_on_when_their_records_are_let_go
    hours_stay_when_minutes_are_forgotten
    a_crowded_first_minute_counts_whole
    failures_are_no_units_of_their_own
    a_unit_with_a_character_that_no_database_holds_is_counted_and_holds_nothing_up
}

/// Which rollup: width in seconds, start, release, system.
pub(crate) type Span = (i64, i64, String, String);

const KEPT: &str = "SELECT width, start, release, system, counts, latency, cost FROM rollups";

/// A rollup, from a row of either engine.
macro_rules! rollup {
    ($row:ident) => {{
        let span = ($row.get(0), $row.get(1), $row.get(2), $row.get(3));
        let sketch = |index| Sketch::from_bytes($row.get(index)).unwrap();
        let counts: &str = $row.get(4);
        let counts = serde_json::from_str(counts).unwrap();
        (
            span,
            Rollup {
                counts,
                latency: sketch(5),
                cost: sketch(6),
            },
        )
    }};
}

/// The rollups that the database holds.
async fn kept(fixture: &Fixture) -> BTreeMap<Span, Rollup> {
    let database = match fixture.kept_in() {
        Ok(database) => database,
        Err(path) => return kept_in_file(path).await,
    };
    let mut connection = database.installation().await;
    let rows = sqlx::query(KEPT).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| rollup!(row)).collect()
}

/// The rollups that a database file holds.
pub(crate) async fn kept_in_file(path: &Path) -> BTreeMap<Span, Rollup> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.unwrap();
    let rows = sqlx::query(KEPT).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| rollup!(row)).collect()
}

/// The rollups of these decisions, counted plainly.
pub(crate) fn recount(decisions: &[Decision]) -> BTreeMap<Span, Rollup> {
    let mut rollups: BTreeMap<Span, Rollup> = BTreeMap::new();
    let mut units: HashMap<_, Vec<&Decision>> = HashMap::new();
    for decision in decisions.iter().filter(|decision| decision.drill.is_none()) {
        for span in spans(decision) {
            count(rollups.entry(span).or_default(), decision);
        }
        let name = match &decision.unit {
            Some(name) => (name.clone(), decision.tenant.clone()),
            None => (decision.id.to_string(), decision.tenant.clone()),
        };
        if has_cost(decision) {
            let unit = (decision.system.clone(), name);
            units.entry(unit).or_default().push(decision);
        }
    }
    for of_unit in units.values() {
        let minute = |decision: &Decision| decision.opened_at.as_micros() / 60_000_000;
        let last = of_unit
            .iter()
            .max_by_key(|decision| (minute(decision), decision.release))
            .unwrap();
        let cost: Money = of_unit.iter().map(|decision| decision.cost.amount).sum();
        for span in spans(last) {
            let pico = u64::try_from(cost.as_pico()).unwrap();
            rollups.entry(span).or_default().cost.add(pico, 1);
        }
    }
    rollups
}

fn has_cost(decision: &Decision) -> bool {
    decision.outcome.is_some() || decision.review.is_some()
}

fn spans(decision: &Decision) -> [Span; 2] {
    [60, 3_600].map(|width| {
        let micros = decision.opened_at.as_micros();
        let start = micros - micros % (width * 1_000_000);
        let system = decision.system.to_string();
        (width, start, decision.release.to_string(), system)
    })
}

fn count(rollup: &mut Rollup, decision: &Decision) {
    let counts = &mut rollup.counts;
    counts.decisions += 1;
    counts.open += i64::from(decision.outcome.is_none());
    if let Some(outcome) = decision.outcome {
        *counts.outcomes.entry(outcome).or_default() += 1;
        let about_input = decision.kind.is_some_and(FailureKind::is_about_input);
        let excused = outcome == Outcome::Cancelled || (outcome == Outcome::Refused && about_input);
        counts.answerable += i64::from(!excused);
        counts.answered += i64::from(outcome.is_answered());
    }
    if let Some(kind) = decision.kind {
        *counts.kinds.entry(kind).or_default() += 1;
    }
    if has_cost(decision) {
        *counts.bases.entry(decision.cost.basis).or_default() += 1;
        counts.cost += decision.cost.amount;
    }
    counts.attempts += i64::try_from(decision.attempts.len()).unwrap();
    for usage in decision.attempts.iter().filter_map(|attempt| attempt.usage) {
        counts.input_tokens += i64::try_from(usage.input_tokens).unwrap();
        counts.output_tokens += i64::try_from(usage.output_tokens).unwrap();
    }
    let skipped = |control: &&_| {
        let control: &plimsoll_core::decision::ControlRecord = control;
        control.verdict == Verdict::Skipped
    };
    let skipped = decision.controls.iter().filter(skipped).count();
    counts.skipped_controls += i64::try_from(skipped).unwrap();
    counts.with_skipped_controls += i64::from(skipped > 0);
    let opened_at = decision.opened_at;
    let first = counts.first_at.map_or(opened_at, |at| at.min(opened_at));
    (counts.first_at, counts.last_at) = (Some(first), counts.last_at.max(Some(opened_at)));
    if let Some(micros) = decision.total_micros() {
        rollup.latency.add(micros, 1);
    }
}

/// What differs from one record of a decision to the next.
#[derive(Clone, Debug)]
struct Turn {
    outcome: Option<Outcome>,
    kind: Option<FailureKind>,
    cost: u64,
    basis: CostBasis,
    micros: u64,
    skipped: usize,
}

fn any_turn() -> impl Strategy<Value = Turn> {
    let outcome = prop::option::weighted(0.7, prop::sample::select(Outcome::ALL.to_vec()));
    let kind = prop::option::of(prop::sample::select(FailureKind::ALL.to_vec()));
    let basis = prop::sample::select(vec![
        CostBasis::Measured,
        CostBasis::Estimated,
        CostBasis::Unknown,
    ]);
    let cost = 0_u64..3_000_000_000;
    let rest = (1_u64..9_000_000, 0_usize..3);
    (outcome, kind, cost, basis, rest).prop_map(
        |(outcome, kind, cost, basis, (micros, skipped))| Turn {
            outcome,
            kind,
            cost,
            basis,
            micros,
            skipped,
        },
    )
}

/// Decision `number`, opened at its own time, in one of few releases and units, as `turn` has it.
fn turned(number: u64, turn: &Turn) -> Decision {
    let base = decision(number, Outcome::Served);
    // Over three hours, several in most minutes, none of them at a full minute.
    let opened_at = START.plus(Duration::from_millis(number * 613_337 % 10_800_000 + 1));
    let pick = |of: u64, what: u64| (number / of).is_multiple_of(what);
    let mut controls = base.controls.clone();
    controls.extend((0..turn.skipped).map(|_| control("guard:phrases", Verdict::Skipped)));
    Decision {
        opened_at,
        closed_at: turn
            .outcome
            .map(|_| opened_at.plus(Duration::from_micros(turn.micros))),
        outcome: turn.outcome,
        kind: turn.kind,
        controls,
        cost: Cost {
            amount: Money::from_pico(i128::from(turn.cost)),
            basis: turn.basis,
        },
        review: pick(1, 2).then(|| ReviewId::from_bytes(id_bytes(number))),
        release: release_id(if pick(1, 3) { "one" } else { "two" }),
        tenant: tenant(if pick(2, 2) { "acme" } else { "globex" }),
        unit: (!pick(1, 4)).then(|| format!("ticket-{}", number % 5)),
        system: if pick(3, 5) {
            SystemName::new("elsewhere").unwrap()
        } else {
            system()
        },
        drill: pick(1, 7).then(|| event_id(1)),
        ..base
    }
}

fn record(number: u64, turn: &Turn) -> Record {
    let decision = turned(number, turn);
    if decision.outcome.is_some() {
        closed(decision)
    } else {
        opened(decision)
    }
}

/// A journal in which decisions are opened, closed and corrected in any order.
fn any_journal() -> impl Strategy<Value = Vec<(u64, Record)>> {
    prop::collection::vec((0_u64..24, any_turn()), 1..70)
        .prop_map(|turns| numbered(turns.iter().map(|(number, turn)| record(*number, turn))))
}

/// The same, but nothing is opened once it is closed.
fn sound_journal() -> impl Strategy<Value = Vec<(u64, Record)>> {
    any_journal().prop_map(|mut journal| {
        let mut ended = HashSet::new();
        journal.retain(|(_, record)| match record {
            Record::Closed(decision) => {
                ended.insert(decision.id);
                true
            }
            Record::Opened(opened) => !ended.contains(&opened.decision.id),
            _ => true,
        });
        numbered(journal.into_iter().map(|(_, record)| record))
    })
}

async fn decisions(store: &Store) -> Vec<Decision> {
    let filter = DecisionFilter {
        drills: true,
        limit: 1_000,
        ..DecisionFilter::default()
    };
    store.decisions(&filter).await.unwrap()
}

fn on_a_runtime<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rollups_are_what_a_recount_gives_whatever_was_corrected_and_repeated(
        journal in any_journal(),
        cuts in prop::collection::vec(1_usize..9, 1..8),
        replays in prop::collection::vec((0_usize..70, 1_usize..70), 0..4),
    ) {
        on_a_runtime(async {
            let fixture = fixture().await;
            let projector = Projector::new(&fixture.store, node());
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
                let from = from.min(journal.len());
                let to = (from + length).min(journal.len());
                projector.apply(&journal[from..to]).await.unwrap();
            }
            let recounted = recount(&decisions(&fixture.store).await);
            let kept = kept(&fixture).await;
            assert_eq!(kept.keys().collect::<Vec<_>>(), recounted.keys().collect::<Vec<_>>());
            for (span, rollup) in kept {
                assert_eq!(rollup, recounted[&span], "{span:?}");
            }
        });
    }

    #[test]
    fn a_rebuild_leaves_rollups_as_they_were(journal in sound_journal(), minimum in 0_u64..70) {
        on_a_runtime(async {
            let fixture = fixture().await;
            let projector = Projector::new(&fixture.store, node());
            projector.apply(&journal).await.unwrap();
            let before = figures(&fixture.store).await;
            let minimum = minimum.min(u64::try_from(journal.len()).unwrap());
            let closed_later = closed_after(&journal, minimum);
            projector.rebuild(minimum).await.unwrap();
            let from = usize::try_from(minimum).unwrap();
            projector.apply(&journal[from..]).await.unwrap();
            let after = figures(&fixture.store).await;
            // Decisions that are open for ever and let go count no more.
            assert_eq!(after.counts.decisions, before.counts.decisions - closed_later);
            assert_eq!(after.counts.outcomes, before.counts.outcomes);
            assert_eq!(after.latency, before.latency);
        });
    }

    #[test]
    fn letting_decisions_go_changes_no_figure_of_the_past(journal in any_journal(), minimum in 0_u64..70) {
        on_a_runtime(async {
            let fixture = fixture().await;
            let projector = Projector::new(&fixture.store, node());
            let closed: Vec<_> = journal.into_iter()
                .filter(|(_, record)| matches!(record, Record::Closed(_)))
                .collect();
            projector.apply(&closed).await.unwrap();
            let before = kept(&fixture).await;
            projector.forget_before(minimum).await.unwrap();
            assert_eq!(kept(&fixture).await, before);
            // A journal that was put back from a backup has it all again.
            projector.rebuild(0).await.unwrap();
            projector.apply(&closed).await.unwrap();
            assert_eq!(kept(&fixture).await, before);
        });
    }

    #[test]
    fn figures_since_any_moment_are_those_of_the_decisions(
        journal in any_journal(),
        seconds in 0_u64..10_800,
    ) {
        on_a_runtime(async {
            let fixture = fixture().await;
            let records: Vec<_> = [release("one", at(0))].into_iter()
                .chain(journal.into_iter().map(|(_, record)| record))
                .collect();
            Projector::new(&fixture.store, node()).apply(&numbered(records)).await.unwrap();
            let since = at(seconds).plus(Duration::from_millis(500));
            let facts = fixture.store.bar_facts(&system(), &environment(), since).await.unwrap();
            assert_facts(&facts, &decisions(&fixture.store).await, since);
        });
    }
}

/// Everything that was counted of the system.
async fn figures(store: &Store) -> Rollup {
    let since = Timestamp::from_micros(0);
    store
        .figures(&system(), &environment(), since)
        .await
        .unwrap()
}

/// How many decisions of the system stay open in `journal` with their last record before `minimum`.
fn closed_after(journal: &[(u64, Record)], minimum: u64) -> i64 {
    let mut last: HashMap<DecisionId, (bool, u64, &Decision)> = HashMap::new();
    for (sequence, record) in journal {
        let decision = match record {
            Record::Opened(opened) => &opened.decision,
            Record::Closed(decision) => decision,
            _ => continue,
        };
        let new = (decision.outcome.is_some(), *sequence, decision);
        let entry = last.entry(decision.id).or_insert(new);
        if (new.0, new.1) >= (entry.0, entry.1) {
            *entry = new;
        }
    }
    let gone = last.values().filter(|(is_closed, sequence, decision)| {
        !is_closed && *sequence < minimum && decision.system == system() && decision.drill.is_none()
    });
    i64::try_from(gone.count()).unwrap()
}

/// The figures of the bar, as they are when every decision is looked at.
fn assert_facts(facts: &BarFacts, decisions: &[Decision], since: Timestamp) {
    let counted = |decision: &&Decision| {
        decision.system == system() && decision.drill.is_none() && decision.opened_at >= since
    };
    let within: Vec<&Decision> = decisions.iter().filter(counted).collect();
    let many = |wanted: &dyn Fn(&Decision) -> bool| {
        u64::try_from(within.iter().filter(|decision| wanted(decision)).count()).unwrap()
    };
    assert_eq!(facts.decisions, many(&|_| true));
    assert_eq!(facts.open, many(&|decision| decision.outcome.is_none()));
    for outcome in Outcome::ALL {
        let ended = |decision: &Decision| decision.outcome == Some(outcome);
        assert_eq!(facts.outcome(outcome), many(&ended), "{outcome}");
    }
    for kind in FailureKind::ALL {
        let found = facts.kinds.get(&kind).copied().unwrap_or(0);
        assert_eq!(found, many(&|decision| decision.kind == Some(kind)));
    }
    let known: ReleaseId = release_id("one");
    assert_eq!(
        facts.with_known_release,
        many(&|decision| decision.release == known)
    );
    let priced = within.iter().filter(|decision| has_cost(decision));
    let total: Money = priced.map(|decision| decision.cost.amount).sum();
    assert_eq!(facts.cost.total, total);
    let first = within.iter().map(|decision| decision.opened_at).min();
    assert_eq!(facts.first_decision_at, first);
    let mut units = unit_costs(decisions, &within);
    units.sort_unstable();
    assert_eq!(facts.cost.units, u64::try_from(units.len()).unwrap());
    for (percent, found) in [
        (50, facts.cost.p50),
        (95, facts.cost.p95),
        (100, facts.cost.max),
    ] {
        let rank = (units.len() * percent).div_ceil(100).max(1);
        let exact = units.get(rank - 1).copied().unwrap_or(0);
        let off = (found.as_pico() - exact).abs();
        assert!(off * 100 <= exact, "{percent} %: {found:?} is not {exact}");
    }
}

/// What each unit of work cost whose last decision is `within`.
fn unit_costs(decisions: &[Decision], within: &[&Decision]) -> Vec<i128> {
    let mut units: HashMap<(String, String), i128> = HashMap::new();
    let priced = |decision: &&Decision| {
        has_cost(decision) && decision.drill.is_none() && decision.system == system()
    };
    for decision in decisions.iter().filter(priced) {
        let name = decision.unit.clone();
        let unit = name.map_or_else(
            || (String::new(), decision.id.to_string()),
            |name| (decision.tenant.to_string(), name),
        );
        let is_within = |unit: &(String, String)| {
            within.iter().filter(|one| priced(one)).any(|one| {
                let of_unit = one.unit.as_ref() == Some(&unit.1) && one.tenant.as_str() == unit.0;
                of_unit || (unit.0.is_empty() && one.id.to_string() == unit.1)
            })
        };
        if is_within(&unit) {
            *units.entry(unit).or_default() += decision.cost.amount.as_pico();
        }
    }
    units.into_values().collect()
}

async fn a_decision_that_was_let_go_open_is_counted_when_it_closes() {
    let fixture = fixture().await;
    let projector = Projector::new(&fixture.store, node());
    let one = [(0, opened(open_decision(1))), (1, opened(open_decision(2)))];
    projector.apply(&one).await.unwrap();
    assert_eq!(figures(&fixture.store).await.counts.open, 2);
    projector.forget_before(2).await.unwrap();
    assert_eq!(figures(&fixture.store).await.counts, Counts::default());
    let late = closed(decision(1, Outcome::Served));
    projector.apply(&[(7, late)]).await.unwrap();
    let counts = figures(&fixture.store).await.counts;
    assert_eq!((counts.decisions, counts.open, counts.answered), (1, 0, 1));
}

#[tokio::test]
async fn a_batch_that_fails_at_its_end_is_counted_once() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let projector = Projector::new(store, node());
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(store.path().unwrap());
    let mut connection = options.connect().await.unwrap();
    let fail = "CREATE TRIGGER fails BEFORE INSERT ON positions
                BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    sqlx::raw_sql(fail).execute(&mut connection).await.unwrap();
    let journal = numbered((0..20).map(|number| {
        closed(Decision {
            unit: Some("ticket-1".to_owned()),
            ..decision(number * 40, Outcome::Served)
        })
    }));
    projector.apply(&journal).await.unwrap_err();
    assert_eq!(kept(&fixture).await, BTreeMap::new());
    let mend = "DROP TRIGGER fails";
    sqlx::raw_sql(mend).execute(&mut connection).await.unwrap();
    projector.apply(&journal).await.unwrap();
    assert_eq!(kept(&fixture).await, recount(&decisions(store).await));
}

async fn requests_without_a_decision_count_on_when_their_records_are_let_go() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let projector = Projector::new(store, node());
    let shed = |count, seconds| uncounted(Code::TooManyInFlight, count, at(seconds));
    let records = numbered([shed(4, 20), shed(5, 30), shed(6, 40)]);
    projector.apply(&records).await.unwrap();
    let counted = async || {
        let (system, environment) = (system(), environment());
        let facts = store.bar_facts(&system, &environment, at(0)).await;
        facts.unwrap().uncounted[&Code::TooManyInFlight]
    };
    assert_eq!(counted().await, 15);
    for minimum in [1, 2, 2] {
        projector.forget_before(minimum).await.unwrap();
        assert_eq!(counted().await, 15);
    }
    projector.rebuild(0).await.unwrap();
    projector.apply(&records).await.unwrap();
    assert_eq!(
        counted().await,
        15,
        "what is counted for good is counted once"
    );
}

async fn hours_stay_when_minutes_are_forgotten() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let records =
        numbered([0, 3_600, 7_200].map(|seconds| closed(decision(seconds, Outcome::Served))));
    Projector::new(store, node()).apply(&records).await.unwrap();
    assert_eq!(store.forget_minutes(at(7_200)).await.unwrap(), 2);
    assert_eq!(figures(store).await.counts.decisions, 3);
}

async fn a_crowded_first_minute_counts_whole() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let crowd = (0..10_001).map(|number| {
        let opened_at = START.plus(Duration::from_millis(number));
        closed(Decision {
            opened_at,
            ..decision(number, Outcome::Served)
        })
    });
    Projector::new(store, node())
        .apply(&numbered(crowd))
        .await
        .unwrap();
    let since = at(5);
    let facts = store.bar_facts(&system(), &environment(), since).await;
    let facts = facts.unwrap();
    assert_eq!((facts.decisions, facts.since), (10_001, START));
}

async fn failures_are_no_units_of_their_own() {
    let fixture = fixture().await;
    let refused = failed(
        1,
        Outcome::Refused,
        FailureKind::Malformed,
        Code::ContractRange,
    );
    let records = numbered([closed(refused), opened(open_decision(2))]);
    Projector::new(&fixture.store, node())
        .apply(&records)
        .await
        .unwrap();
    let rollup = figures(&fixture.store).await;
    assert_eq!((rollup.cost.count(), rollup.latency.count()), (1, 1));
}

async fn a_unit_with_a_character_that_no_database_holds_is_counted_and_holds_nothing_up() {
    let fixture = fixture().await;
    let projector = Projector::new(&fixture.store, node());
    for batch in 0..2 {
        let named = |number: u64| {
            closed(Decision {
                unit: Some("ticket\0 1".to_owned()),
                ..decision(batch * 40 + number, Outcome::Served)
            })
        };
        let records = (0..5).map(|number| (batch * 5 + number, named(number)));
        projector.apply(&records.collect::<Vec<_>>()).await.unwrap();
    }
    let rollup = figures(&fixture.store).await;
    assert_eq!(rollup.counts.decisions, 10);
    assert_eq!(rollup.cost.count(), 1, "they are one unit of work");
}
