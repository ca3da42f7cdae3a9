//! The quality characteristic, with runs of which one thing is different each.

use plimsoll_core::decision::Cost;
use plimsoll_core::eval::{EvalFigure, EvalVerdict};

use super::*;

const SET: &str = "evals/golden.jsonl";

/// The system with an eval set that is to be run every six hours.
pub(super) fn watched() -> System {
    let mut system = system();
    system.quality = Some(QualitySpec {
        concurrency: 2,
        budget_per_day: None,
        dataset: Some(SET.into()),
        every: Some(Duration::from_hours(6)),
        sample: None,
        target: system.bar.quality.clone(),
    });
    system
}

/// A run of it two hours ago, which passed.
pub(super) fn run() -> EvalRun {
    EvalRun {
        id: EventId::from_bytes([7; 16]),
        system: name(),
        environment: environment(),
        release: release(),
        set: SET.into(),
        digest: Digest::of(b"cases"),
        file: Digest::of(b"file"),
        partial: false,
        cases: 5_000,
        repetitions: 1,
        reused: 0,
        figures: vec![EvalFigure {
            metric: "auc".into(),
            value: Some(0.951),
            low: Some(0.944),
            high: Some(0.957),
            cases: 5_000,
            unscored: 0,
            target: system().bar.quality.get("auc").copied(),
            verdict: Some(EvalVerdict::Pass),
            needs: None,
            advisory: false,
        }],
        verdict: Some(EvalVerdict::Pass),
        baseline: None,
        cost: Cost::FREE,
        measured_at: now().minus(Duration::from_hours(2)),
        ended_at: now().minus(Duration::from_hours(2)),
        actor: "ada".into(),
    }
}

fn said(system: &System, run: &EvalRun) -> Vec<(String, String)> {
    failed(&judged_on(system, &facts(), run), "quality")
}

#[test]
fn a_run_that_passed_on_schedule_is_above_the_line() {
    let report = judged_on(&watched(), &facts(), &run());
    let quality = characteristic(&report, "quality");
    assert!(quality.met, "{:?}", quality.checks);
    let told: Vec<&str> = quality
        .checks
        .iter()
        .map(|check| check.evidence.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "auc 0.951 [0.944, 0.957], target ≥ 0.92 · 5,000 cases",
            "ran 2 h ago, next in 4 h",
            "1 monitor ran 3 s ago · no alarm"
        ]
    );
}

#[test]
fn a_bar_that_was_not_run_on_schedule_is_below_the_line() {
    let never = failed(&judged(&watched(), &facts()), "quality");
    assert_eq!(
        never,
        [("never run".into(), "plimsoll eval run loan-default".into())]
    );
    let mut late = run();
    late.measured_at = now().minus(Duration::from_hours(8));
    let late = said(&watched(), &late);
    assert_eq!(
        late[0].0,
        "not run on schedule: ran 8 h ago, to be run every 6 h"
    );
    let mut unscheduled = watched();
    unscheduled.quality.as_mut().unwrap().every = None;
    let mut old = run();
    old.measured_at = now().minus(DAY * 41);
    assert_eq!(
        said(&unscheduled, &old)[0].0,
        "ran 41 days ago, limit 30 days"
    );
    let mut without = watched();
    without.quality = None;
    assert_eq!(said(&without, &run())[0].0, "no eval set is named");
    without.bar.quality.clear();
    assert_eq!(said(&without, &run())[0].0, "no target is written down");
}

#[test]
fn a_run_of_something_else_says_nothing_of_what_is_deployed() {
    let mut other = run();
    other.release = ReleaseId(Digest::of(b"earlier"));
    assert!(
        said(&watched(), &other)[0]
            .0
            .contains("the last run was of release")
    );
    let mut facts = facts();
    let deployment = &mut facts.deployment.as_mut().unwrap().deployment;
    deployment
        .eval_sets
        .insert(SET.into(), Digest::of(b"more cases"));
    let report = judged_on(&watched(), &facts, &run());
    assert!(failed(&report, "quality")[0].0.contains("asked another"));
}

#[test]
fn what_is_not_established_is_not_met() {
    let with = |change: fn(&mut EvalFigure)| {
        let mut run = run();
        change(&mut run.figures[0]);
        said(&watched(), &run).remove(0).0
    };
    let regressed = with(|figure| figure.verdict = Some(EvalVerdict::Regressed));
    assert!(regressed.ends_with("REGRESSED"), "{regressed}");
    let doubtful = with(|figure| {
        figure.verdict = Some(EvalVerdict::Inconclusive);
        figure.needs = Some(1_200);
    });
    assert!(
        doubtful.ends_with("INCONCLUSIVE, needs about 1,200 more cases"),
        "{doubtful}"
    );
    assert!(with(|figure| figure.advisory = true).ends_with("only a judge's word"));
    let moved = with(|figure| figure.target = None);
    assert!(moved.ends_with("the target was another then"), "{moved}");
    let gone = with(|figure| figure.metric = "accuracy".into());
    assert!(gone.contains("auc: not measured by the last run"), "{gone}");
}
