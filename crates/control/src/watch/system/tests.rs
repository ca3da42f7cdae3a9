//! Streams of decisions, healthy and not.

use std::time::Duration;

use plimsoll_core::monitor::{Action, MonitorSpec, MonitorsSpec, Severity, Watched};
use plimsoll_core::{Code, Digest, FailureKind, Outcome};
use plimsoll_stats::drift::Sample;
use plimsoll_stats::stream::{Reference, Value};
use std::sync::Arc;

use super::*;

const START: Timestamp = Timestamp::from_micros(1_773_478_920_000_000);

/// A generator of numbers that is the same on every machine (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let sum: f64 = (0..12).map(|_| self.next()).sum();
        sum - 6.0
    }
}

fn system() -> SystemName {
    SystemName::new("loan").unwrap()
}

fn spec(watched: Watched, bar: Option<f64>) -> MonitorsSpec {
    let spec = MonitorSpec {
        bar,
        severity: watched.usual_severity(),
        on_alarm: vec![Action::FallBack],
        truth: None,
    };
    MonitorsSpec {
        between_false_alarms: 10_000,
        window: 1_000,
        silent_after: None,
        retrain: None,
        monitors: [(watched, spec)].into(),
    }
}

fn watch(watched: Watched, bar: Option<f64>) -> SystemWatch {
    SystemWatch::new(&system(), &spec(watched, bar), 0.99, START)
}

fn observation(number: u64) -> Observation {
    let at = START.plus(Duration::from_secs(number));
    Observation {
        decision: plimsoll_core::DecisionId::new(at),
        system: system(),
        release: ReleaseId(Digest::of(b"release")),
        outcome: Outcome::Served,
        kind: None,
        code: None,
        confidence: Some(0.9),
        guard_hit: false,
        schema_failure: false,
        overridden: None,
        micros: Some(1_000),
        cost: 0.001,
        answerable: true,
        at,
    }
}

fn failed(number: u64) -> Observation {
    Observation {
        outcome: Outcome::Refused,
        kind: Some(FailureKind::Unavailable),
        code: Some(Code::ModelUnreachable),
        ..observation(number)
    }
}

#[test]
fn a_rise_is_found_and_told_with_what_it_rests_on_and_is_over_some_day() {
    let mut watch = watch(Watched::Errors, Some(0.02));
    let mut chance = Chance(1);
    for number in 0..5_000 {
        let bad = chance.next() < 0.015;
        let one = if bad {
            failed(number)
        } else {
            observation(number)
        };
        assert!(watch.observe(&one).is_empty(), "{number}");
    }
    let mut raised = None;
    for number in 5_000..6_000 {
        let bad = chance.next() < 0.10;
        let one = if bad {
            failed(number)
        } else {
            observation(number)
        };
        if let Some(event) = watch.observe(&one).pop() {
            raised = Some((number, event));
            break;
        }
    }
    let (number, event) = raised.unwrap();
    assert!(number < 5_400, "found after {}", number - 5_000);
    assert!(event.finding.is_wrong && event.alarm.is_none());
    assert_eq!(event.severity, Severity::Page);
    assert_eq!(event.actions, [Action::FallBack]);
    let evidence = &event.finding.evidence;
    assert_eq!(evidence.contributors[0].what, "model_unreachable");
    assert!(!evidence.examples.is_empty() && evidence.examples.len() <= 10);
    let (low, high) = evidence.interval.unwrap();
    assert!(low < evidence.figure.unwrap() && evidence.figure.unwrap() < high);
    let began = evidence.began_at.unwrap();
    assert!(began >= START.plus(Duration::from_secs(4_500)), "{began}");
    let id = EventId::new(START);
    watch.raised(Watched::Errors, id, START);
    // A restart in between changes nothing.
    let text = serde_json::to_string(&watch).unwrap();
    let mut watch: SystemWatch = serde_json::from_str(&text).unwrap();
    let cleared = (6_000..8_000).find_map(|number| watch.observe(&observation(number)).pop());
    let cleared = cleared.unwrap();
    assert!(!cleared.finding.is_wrong && cleared.actions.is_empty());
    assert_eq!(cleared.alarm, Some(id));
    assert!(!watch.views(START)[0].state.is_alarm());
}

#[test]
fn healthy_streams_alarm_no_more_often_than_was_asked_over_a_thousand_runs() {
    let (between, runs) = (1_000_u64, 1_000_u64);
    let (mut seen, mut alarms) = (0_u64, 0_u64);
    for run in 0..runs {
        let mut monitor = RateMonitor::new(Some(0.05), between);
        let mut chance = Chance(run);
        for number in 0..1_000 {
            let badness = f64::from(u8::from(chance.next() < 0.05));
            seen += 1;
            if monitor
                .observe(badness, (&observation(number)).into())
                .is_some_and(|found| found.is_wrong)
            {
                alarms += 1;
            }
        }
    }
    assert!(alarms > 0, "a detector that cannot alarm");
    assert!(seen / alarms >= between, "one in {}", seen / alarms);
}

#[test]
fn a_bar_is_learnt_from_what_was_usual() {
    let mut watch = watch(Watched::Doubt, None);
    for number in 0..999 {
        watch.observe(&observation(number));
        assert_eq!(watch.views(START)[0].state, State::Learning);
    }
    watch.observe(&observation(1_000));
    let view = &watch.views(START)[0];
    assert_eq!(view.state, State::Quiet);
    let bar = view.evidence.bar.unwrap();
    assert!((0.11..0.14).contains(&bar), "{bar}");
    let doubtful = |number| Observation {
        confidence: Some(0.6),
        ..observation(number)
    };
    let found = (0..300).find_map(|number| watch.observe(&doubtful(2_000 + number)).pop());
    assert!(found.unwrap().finding.is_wrong);
}

#[test]
fn what_is_no_number_is_counted_and_poisons_nothing() {
    let mut watch = watch(Watched::Doubt, Some(0.2));
    let nan = Observation {
        confidence: Some(f64::NAN),
        ..observation(1)
    };
    watch.observe(&nan);
    watch.observe(&observation(2));
    let view = &watch.views(START)[0];
    assert_eq!((view.seen, view.unusable), (1, 1));
    assert!(view.evidence.figure.unwrap().is_finite());
    let mut level = LevelMonitor::new(1_000);
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        level.observe(bad, &observation(1));
    }
    assert_eq!(level.seen(), (0, 3));
    // A cost that is always zero is a level like any other.
    for number in 0..5_000 {
        assert!(level.observe(0.0, &observation(number)).is_none());
    }
}

#[test]
fn latency_that_doubles_is_found_within_a_few_batches() {
    let mut spec = spec(Watched::Latency, None);
    spec.between_false_alarms = 100_000;
    let mut watch = SystemWatch::new(&system(), &spec, 0.99, START);
    let mut chance = Chance(7);
    let mut took = |number: u64, scale: f64| {
        let micros = 1_000.0 * scale * (0.8 * chance.normal()).exp();
        Observation {
            micros: Some(micros as u64),
            ..observation(number)
        }
    };
    for number in 0..12_000 {
        let events = watch.observe(&took(number, 1.0));
        assert!(events.is_empty(), "{number}: {events:?}");
    }
    let found = (12_000..12_400).find(|number| !watch.observe(&took(*number, 2.0)).is_empty());
    assert!(found.unwrap() < 12_300);
}

#[test]
fn a_budget_that_burns_fast_pages_and_one_bad_night_does_not() {
    let mut watch = watch(Watched::Availability, None);
    for number in 0..3_000 {
        watch.observe(&observation(number));
    }
    for number in 3_000..3_004 {
        watch.observe(&failed(number));
    }
    let now = |number: u64| START.plus(Duration::from_secs(number));
    assert!(watch.look(now(3_010), Dropped::default()).is_empty());
    // Half fail for ten minutes: 50 times the budget of one in a hundred.
    for number in 3_010..3_610 {
        let one = if number % 2 == 0 {
            failed(number)
        } else {
            observation(number)
        };
        watch.observe(&one);
    }
    let found = watch.look(now(3_610), Dropped::default()).pop().unwrap();
    assert!(found.finding.is_wrong, "{found:?}");
    assert_eq!(found.severity, Severity::Page);
    assert!(
        found.finding.summary.contains("times as fast"),
        "{}",
        found.finding.summary
    );
    // It goes on as long as the slowest pair of windows burns, and then is over.
    for number in 3_610..5_000 {
        watch.observe(&observation(number));
    }
    assert!(watch.look(now(5_000), Dropped::default()).is_empty());
    let later = 5_000 + 6 * 3_600;
    watch.observe(&observation(later));
    let over = watch.look(now(later + 60), Dropped::default());
    let over = over.first().map(|event| event.finding.is_wrong);
    assert_eq!(over, Some(false));
}

#[test]
fn an_outage_pages_though_the_ticket_of_a_slow_burn_stands() {
    let mut watch = watch(Watched::Availability, None);
    let of = |number: u64, is_bad: bool| {
        if is_bad {
            failed(number)
        } else {
            observation(number)
        }
    };
    // Two in a hundred where one is allowed, for seven hours.
    let slow = (0..2_520).map(|number| of(number * 10, number % 50 == 0));
    slow.for_each(|one| drop(watch.observe(&one)));
    let ticket = watch.look(START.plus(Duration::from_secs(25_200)), Dropped::default());
    assert_eq!(ticket[0].severity, Severity::Ticket, "{ticket:?}");
    watch.raised(Watched::Availability, EventId::from_bytes([1; 16]), START);
    (25_200..25_800).for_each(|number| drop(watch.observe(&failed(number))));
    let page = watch.look(START.plus(Duration::from_secs(25_800)), Dropped::default());
    assert_eq!(page[0].severity, Severity::Page, "{page:?}");
    assert!(page[0].finding.is_wrong && page[0].alarm.is_some());
}

#[test]
fn silence_and_what_was_dropped_are_alarms() {
    let mut spec = spec(Watched::Errors, Some(0.02));
    spec.silent_after = Some(Duration::from_secs(3_600));
    let mut watch = SystemWatch::new(&system(), &spec, 0.99, START);
    watch.observe(&observation(1));
    assert!(
        watch
            .look(START.plus(Duration::from_secs(3_000)), Dropped::default())
            .is_empty()
    );
    let silent = watch.look(START.plus(Duration::from_secs(4_000)), Dropped::default());
    assert_eq!(silent[0].monitor, Watched::Measuring);
    assert!(
        silent[0].finding.summary.contains("no decision in"),
        "{silent:?}"
    );
    watch.observe(&observation(4_100));
    let heard = watch.look(START.plus(Duration::from_secs(4_200)), Dropped::default());
    assert!(!heard[0].finding.is_wrong);
    let dropped = Dropped {
        decisions: 17,
        labels: 2,
        ..Dropped::default()
    };
    let dropped = watch.look(START.plus(Duration::from_secs(4_300)), dropped);
    assert!(
        dropped[0]
            .finding
            .summary
            .starts_with("17 decisions, 2 labels were not seen"),
        "{dropped:?}"
    );
}

fn reference() -> Arc<Reference> {
    let mut reference = Reference::default();
    for column in ["age", "rate"] {
        let values = Sample::new((0..20_000).map(|i| f64::from(i % 500)).collect());
        reference.add_numbers(column, &values, 1_000).unwrap();
    }
    Arc::new(reference)
}

fn window(chance: &mut Chance, shift: f64, missing: bool) -> Window {
    let mut window = Window::new(reference());
    for _ in 0..1_000 {
        let rate = if missing {
            Value::Missing
        } else {
            Value::Number(chance.next() * 500.0)
        };
        window.add([
            Value::Number((chance.next() * 500.0 + shift).min(499.0)),
            rate,
        ]);
    }
    window
}

#[test]
fn two_windows_of_three_that_moved_are_drift_and_what_is_broken_is_told_at_once() {
    let mut chance = Chance(3);
    let mut watch = watch(Watched::Features, None);
    for _ in 0..20 {
        let quiet = watch.take_window(Watched::Features, &window(&mut chance, 0.0, false));
        assert_eq!(quiet, None);
    }
    assert_eq!(
        watch.take_window(Watched::Features, &window(&mut chance, 120.0, false)),
        None
    );
    assert_eq!(
        watch.take_window(Watched::Features, &window(&mut chance, 0.0, false)),
        None
    );
    let drift = watch
        .take_window(Watched::Features, &window(&mut chance, 120.0, false))
        .unwrap();
    assert!(drift.finding.is_wrong);
    assert_eq!(drift.severity, Severity::Ticket);
    assert_eq!(drift.finding.evidence.contributors[0].what, "age: drift");
    let over = watch
        .take_window(Watched::Features, &window(&mut chance, 0.0, false))
        .unwrap();
    assert!(!over.finding.is_wrong);
    let broken = watch
        .take_window(Watched::Features, &window(&mut chance, 0.0, true))
        .unwrap();
    assert!(
        broken.finding.summary.contains("rate (missing 1.000)"),
        "{}",
        broken.finding.summary
    );
}

#[test]
fn a_workspace_that_changes_leaves_alone_what_it_describes_as_before() {
    let mut watch = watch(Watched::Errors, Some(0.02));
    (0..100).for_each(|number| drop(watch.observe(&observation(number))));
    let mut newer = spec(Watched::Errors, Some(0.02));
    newer.monitors.insert(
        Watched::Latency,
        MonitorSpec {
            bar: None,
            severity: Severity::Ticket,
            on_alarm: Vec::new(),
            truth: None,
        },
    );
    watch.change(&newer, 0.99);
    let seen: Vec<_> = watch
        .views(START)
        .iter()
        .map(|view| (view.monitor, view.seen))
        .collect();
    assert_eq!(
        seen,
        [
            (Watched::Errors, 100),
            (Watched::Latency, 0),
            (Watched::Measuring, 0)
        ]
    );
    watch.change(&spec(Watched::Errors, Some(0.05)), 0.99);
    assert_eq!(watch.views(START)[0].seen, 0);
}

#[test]
fn a_gap_between_what_was_promised_and_what_is_true_in_two_cohorts_is_an_alarm() {
    let mut spec = spec(Watched::Truth, None);
    let truth = TruthSpec {
        label: plimsoll_core::LabelName::new("right").unwrap(),
        matured_after: Duration::from_hours(48),
    };
    spec.monitors.get_mut(&Watched::Truth).unwrap().truth = Some(truth);
    let mut watch = SystemWatch::new(&system(), &spec, 0.99, START);
    let day = |number: u64| START.plus(Duration::from_hours(24 * number));
    let cohort = |right| Cohort {
        decisions: 500,
        labelled: 400,
        right,
        expected: 360.0,
        variance: 36.0,
        mistyped: 1,
        calibrated_on: None,
    };
    let mut take = |number: u64, cohort: Cohort| {
        let (_, (since, until)) = watch.truth_due(day(number)).unwrap();
        assert!(until <= day(number).minus(Duration::from_hours(48)));
        assert_eq!(until.since(since), Duration::from_hours(24));
        let found = watch.take_cohort(until, cohort);
        assert!(
            watch.truth_due(day(number)).is_none(),
            "a day is judged once"
        );
        found
    };
    assert_eq!(take(10, cohort(355)), None);
    assert_eq!(take(11, cohort(320)), None);
    let found = take(12, cohort(318)).unwrap();
    assert!(found.finding.is_wrong);
    assert_eq!(found.severity, Severity::Page);
    assert!(
        found.finding.summary.contains("79.50 % of 400"),
        "{}",
        found.finding.summary
    );
    assert!((found.finding.evidence.bar.unwrap() - 0.1).abs() < 1e-9);
    // Too few labels say nothing, and nobody labelled poisons nothing.
    assert_eq!(take(13, Cohort::default()), None);
    let over = take(14, cohort(358)).unwrap();
    assert!(!over.finding.is_wrong);
    let view = &watch.views(START)[0];
    assert_eq!((view.seen, view.unusable), (1_600, 4));
}

#[test]
fn an_alarm_of_a_monitor_that_is_changed_or_taken_out_is_over() {
    let alarmed = || {
        let mut watch = watch(Watched::Errors, Some(0.02));
        let event = (0..2_000).find_map(|number| watch.observe(&failed(number)).pop());
        assert!(event.unwrap().finding.is_wrong);
        let id = EventId::new(START);
        watch.raised(Watched::Errors, id, START);
        (watch, id)
    };
    let over = |events: Vec<WatchEvent>, id: EventId, words: &str| {
        let [event] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!((event.alarm, event.finding.is_wrong), (Some(id), false));
        assert!(
            event.finding.summary.contains(words),
            "{}",
            event.finding.summary
        );
        assert!(event.actions.is_empty());
    };
    let (mut watch, id) = alarmed();
    assert_eq!(watch.standing(), [(Watched::Errors, id)]);
    over(
        watch.change(&spec(Watched::Errors, Some(0.5)), 0.99),
        id,
        "begins anew",
    );
    assert!(watch.standing().is_empty());
    let (mut watch, id) = alarmed();
    over(
        watch.change(&spec(Watched::Refusals, None), 0.99),
        id,
        "no longer",
    );
    let (mut watch, id) = alarmed();
    over(watch.end(), id, "no longer");
    let (mut watch, _) = alarmed();
    let over = watch.change(&spec(Watched::Errors, Some(0.02)), 0.99);
    assert!(over.is_empty(), "nothing changed");
}

#[test]
fn holding_and_sampling_more_last_as_long_as_their_alarm() {
    let mut spec = spec(Watched::Errors, Some(0.02));
    let errors = spec.monitors.get_mut(&Watched::Errors).unwrap();
    errors.on_alarm = vec![Action::Hold, Action::RaiseSampling];
    let mut watch = SystemWatch::new(&system(), &spec, 0.99, START);
    assert!(watch.holds().is_none() && !watch.raises_sampling());
    while watch.observe(&failed(1)).is_empty() {}
    let id = EventId::new(START);
    watch.raised(Watched::Errors, id, START);
    assert_eq!(watch.holds(), Some((Watched::Errors, id)));
    assert!(watch.raises_sampling());
    let mut number = 1_000;
    while watch.observe(&observation(number)).is_empty() {
        number += 1;
    }
    assert!(watch.holds().is_none() && !watch.raises_sampling());
}

#[test]
fn what_only_a_judge_says_holds_nothing_and_raises_no_sampling_until_more_than_it_is_wrong() {
    let mut spec = spec(Watched::Scores, None);
    let of_scores = spec.monitors.get_mut(&Watched::Scores).unwrap();
    of_scores.on_alarm = vec![Action::Hold, Action::RaiseSampling];
    let mut watch = SystemWatch::new(&system(), &spec, 0.99, START);
    let both = |tone, short| Scores {
        badness: [
            ("tone".to_owned(), Some(tone)),
            ("short".to_owned(), Some(short)),
        ]
        .into(),
        bars: [("tone".to_owned(), 0.1), ("short".to_owned(), 0.1)].into(),
        advisory: ["tone".to_owned()].into(),
    };
    let told = |watch: &mut SystemWatch, scores: &Scores| {
        let mut numbers = 0..2_000;
        let found = numbers.find_map(|number| watch.take_scores(scores, &observation(number)));
        found.unwrap()
    };
    let id = EventId::new(START);
    let advice = told(&mut watch, &both(0.9, 0.0));
    watch.raised(Watched::Scores, id, START);
    assert_eq!(
        (advice.severity, advice.actions),
        (Severity::Ticket, vec![])
    );
    assert!(watch.holds().is_none() && !watch.raises_sampling());
    let more = told(&mut watch, &both(0.9, 0.9));
    watch.raised(Watched::Scores, id, START);
    assert_eq!((more.alarm, more.actions.len()), (Some(id), 2));
    assert_eq!(watch.holds(), Some((Watched::Scores, id)));
    assert!(watch.raises_sampling());
    let over = watch.change_scorers(&BTreeMap::new()).unwrap();
    assert!(!over.finding.is_wrong && watch.holds().is_none());
}

#[test]
fn what_is_not_measured_is_an_alarm_of_its_own() {
    let mut watch = watch(Watched::Scores, None);
    assert!(watch.look(START, Dropped::default()).is_empty());
    watch.note_stopped(
        Watched::Scores,
        Some("the budget of the day is used up".into()),
    );
    let raised = watch.look(START, Dropped::default()).pop().unwrap();
    assert_eq!(raised.monitor, Watched::Measuring);
    assert!(
        raised.finding.summary.starts_with("scores: the budget"),
        "{}",
        raised.finding.summary
    );
    watch.note_stopped(Watched::Scores, None);
    assert!(
        !watch
            .look(START, Dropped::default())
            .pop()
            .unwrap()
            .finding
            .is_wrong
    );
}

#[test]
fn what_an_earlier_version_wrote_down_of_features_begins_to_add_up_parts() {
    let fresh = watch(Watched::Features, None);
    let mut old = serde_json::to_value(&fresh).unwrap();
    let mut removed = 0;
    for monitor in old["monitors"].as_object_mut().unwrap().values_mut() {
        let kind = monitor["kind"].as_object_mut().unwrap();
        removed += usize::from(kind.remove("parts").is_some());
    }
    assert_eq!(removed, 1);
    let mut read: SystemWatch = serde_json::from_value(old).unwrap();
    assert_ne!(read, fresh);
    assert!(read.change(&spec(Watched::Features, None), 0.99).is_empty());
    assert_eq!(read, fresh);
}
