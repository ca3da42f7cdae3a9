//! Reports of runs that were made up.

use std::collections::BTreeMap;

use plimsoll_core::decision::Cost;
use plimsoll_core::{Digest, EnvironmentName, EventId, Outcome, ReleaseId, SystemName, Timestamp};
use plimsoll_evals::answer::Answer;
use plimsoll_evals::calibration::{HumanLabel, calibrate};
use plimsoll_evals::case::Gathering;
use plimsoll_evals::compare::compare;
use plimsoll_evals::judge::{Judge, Task};
use plimsoll_evals::report::Report;
use plimsoll_evals::run::{Heading, Line, Results};
use plimsoll_evals::scorer::{Check, Scored, ScorerSpec};
use serde_json::json;

use super::*;
use crate::paint::Paint;

fn spec(name: &str, check: Check) -> ScorerSpec {
    let pass = matches!(check, Check::Judge(_)).then_some(0.5);
    ScorerSpec {
        name: name.to_owned(),
        at: ".".to_owned(),
        expect: ".".to_owned(),
        pass,
        tag: None,
        check,
    }
}

fn judge() -> Check {
    Check::Judge(Judge {
        system: SystemName::new("judge").unwrap(),
        task: Task::Factuality,
        sources: None,
    })
}

fn release(name: &str) -> ReleaseId {
    ReleaseId(Digest::of(name.as_bytes()))
}

/// A run of `cases` cases, asked `repetitions` times; `score` says what each came to.
fn run(
    check: Check,
    (cases, repetitions): (u64, u32),
    score: impl Fn(u64, u32) -> Scored,
) -> Results {
    let mut gathering = Gathering::default();
    for number in 0..cases {
        let row = json!({"id": format!("c{number}"), "input": {"q": number}, "expect": {"a": 1}});
        gathering.add(format!("set.jsonl:{}", number + 1), row);
    }
    let set = gathering.finish("evals/set.jsonl").unwrap();
    let mut lines = Vec::new();
    for repetition in 0..repetitions {
        for (number, case) in set.cases.iter().enumerate() {
            let mut line = Line::of(case, repetition);
            line.answer = Some(Answer {
                decision: "01J9ZC3M4N5P6Q7R8S9T0V1W2X".to_owned(),
                release: release("candidate"),
                outcome: Some(Outcome::Served),
                code: None,
                value: json!({"a": 1}),
                confidence: None,
                schema_valid: Some(true),
                micros: 1_000,
                cost: Cost::FREE,
                asked_at: Timestamp::from_micros(1),
            });
            line.scores
                .insert("it".to_owned(), score(number as u64, repetition));
            if matches!(check, Check::Judge(_)) {
                line.judges.insert("it".to_owned(), release("judge"));
            }
            lines.push(line);
        }
    }
    let bound = Bound {
        at_least: true,
        value: 0.9,
    };
    let heading = Heading {
        id: EventId::from_bytes([9; 16]),
        system: SystemName::new("answers").unwrap(),
        environment: EnvironmentName::new("production").unwrap(),
        set: set.name.clone(),
        digest: set.digest,
        file: Digest::of(b"file"),
        cases,
        repetitions,
        scorers: vec![spec("it", check)],
        targets: BTreeMap::from([("it".to_owned(), bound)]),
        release: release("candidate"),
        partial: false,
        actor: "ada".to_owned(),
        started_at: Timestamp::from_micros(1),
    };
    Results {
        heading,
        lines,
        end: None,
    }
}

fn report(results: &Results) -> Report {
    Report::of(&results.heading, &results.lines, &[], None)
}

fn exact() -> Check {
    Check::Exact { ignore_case: false }
}

fn passed(holds: bool) -> Scored {
    if holds {
        Scored::plain(1.0)
    } else {
        Scored::noted(0.0, "expected <1>, found \"2\" & more")
    }
}

#[test]
fn verdicts_follow_from_what_was_scored() {
    let of = |wrong: u64| report(&run(exact(), (200, 1), |n, _| passed(n >= wrong))).verdict;
    assert_eq!(of(5), Some(EvalVerdict::Pass));
    assert_eq!(of(20), Some(EvalVerdict::Inconclusive));
    assert_eq!(of(60), Some(EvalVerdict::Regressed));
}

#[test]
fn an_interrupted_run_never_passes() {
    let mut results = run(exact(), (200, 1), |_, _| passed(true));
    results.lines.truncate(150);
    let report = report(&results);
    assert_eq!(report.verdict, Some(EvalVerdict::Inconclusive));
    assert!(report.problems[0].contains("50 of 200 answers are missing"));
}

#[test]
fn two_releases_in_one_run_are_amiss() {
    let mut results = run(exact(), (200, 1), |_, _| passed(true));
    results.lines[7].answer.as_mut().unwrap().release = release("another");
    let report = report(&results);
    assert_eq!(report.verdict, Some(EvalVerdict::Inconclusive));
    assert!(
        report.problems[0].contains("several releases"),
        "{:?}",
        report.problems
    );
}

#[test]
fn a_target_that_no_scorer_gives_is_told_and_never_passes() {
    let mut results = run(exact(), (200, 1), |_, _| passed(true));
    let bound = results.heading.targets["it"];
    results
        .heading
        .targets
        .insert("groundedness".to_owned(), bound);
    let report = report(&results);
    assert_eq!(report.verdict, Some(EvalVerdict::Inconclusive));
    assert!(render(&report, "USD", Paint::Plain).contains("no scorer gives it"));
}

#[test]
fn repetitions_tell_how_often_one_and_all_of_k_pass() {
    // Each case passes in one of two repetitions.
    let results = run(exact(), (50, 2), |n, repetition| {
        passed((n + u64::from(repetition)) % 2 == 0)
    });
    let attempts = report(&results).attempts;
    let told: Vec<(u64, f64, f64)> = attempts
        .iter()
        .map(|one| (one.k, one.pass_at_k, one.pass_all_k))
        .collect();
    assert_eq!(told, [(1, 0.5, 0.5), (2, 1.0, 0.0)]);
}

#[test]
fn a_judge_decides_nothing_until_it_was_held_against_people() {
    let of_judge = |n: u64| !n.is_multiple_of(10);
    let results = run(judge(), (400, 1), |n, _| passed(of_judge(n)));
    let advisory = report(&results);
    assert!(advisory.figures[0].advisory);
    assert_eq!(advisory.verdict, Some(EvalVerdict::Inconclusive));
    // People fail every tenth too, and of the rest one in forty.
    let labels: Vec<HumanLabel> = (0..300)
        .map(|n| HumanLabel {
            case: format!("c{n}"),
            repetition: 0,
            pass: of_judge(n) && n % 40 != 1,
        })
        .collect();
    let found = calibrate(&results, "it", &labels, Timestamp::from_micros(1)).unwrap();
    assert!(found.calibration.agrees, "{found:?}");
    let calibrated = Report::of(
        &results.heading,
        &results.lines,
        std::slice::from_ref(&found.calibration),
        None,
    );
    let figure = &calibrated.figures[0];
    assert!(!figure.advisory);
    assert_eq!(figure.reported, Some(0.9));
    assert!(figure.value.unwrap() < 0.89, "{figure:?}");
    // The calibration is of this release of the judge alone.
    let mut other = found.calibration.clone();
    other.release = release("a newer judge");
    let other = Report::of(&results.heading, &results.lines, &[other], None);
    assert!(other.figures[0].advisory);
    let text = render_calibration(&found, Paint::Plain);
    assert!(text.contains("its word counts"), "{text}");
}

#[test]
fn labels_that_belong_to_nothing_are_named() {
    let results = run(judge(), (20, 1), |n, _| passed(n % 2 == 0));
    let label = |case: &str| HumanLabel {
        case: case.to_owned(),
        repetition: 0,
        pass: true,
    };
    let at = Timestamp::from_micros(1);
    let found = calibrate(&results, "it", &[label("c1"), label("gone")], at).unwrap();
    assert!(found.problems[0].contains("`gone`"), "{:?}", found.problems);
    assert!(!found.calibration.agrees);
    assert!(calibrate(&results, "it", &[label("gone")], at).is_err());
    assert!(calibrate(&results, "other", &[label("c1")], at).is_err());
}

#[test]
fn a_comparison_pairs_each_case_with_its_own() {
    let base = run(exact(), (100, 1), |_, _| passed(true));
    let worse = run(exact(), (100, 1), |n, _| passed(n >= 6));
    let trusted = std::collections::BTreeSet::new();
    let compared = compare(&base, &worse, 0.02, &trusted);
    let metric = &compared.metrics[0];
    assert_eq!(metric.compared.unwrap().verdict, Verdict::Regressed);
    assert_eq!(metric.lost, ["c0", "c1", "c2", "c3", "c4", "c5"]);
    let with = Report::of(&worse.heading, &worse.lines, &[], Some(compared.clone()));
    assert_eq!(with.verdict, Some(EvalVerdict::Regressed));
    assert!(render_comparison(&compared, Paint::Plain).contains("worse in it: c0, c1"));
    let same = compare(&base, &base, 0.02, &trusted).metrics[0]
        .compared
        .unwrap();
    assert_eq!((same.difference, same.p), (0.0, 1.0));
    // What is not the same case is not compared.
    let mut changed = worse;
    changed.lines[0].digest = Digest::of(b"another question");
    let compared = compare(&base, &changed, 0.02, &trusted);
    assert_eq!(
        (
            compared.common,
            compared.only_baseline,
            compared.only_candidate
        ),
        (99, 1, 1)
    );
}

#[test]
fn pages_and_junit_hold_nothing_that_could_run() {
    let mut results = run(exact(), (30, 1), |n, _| passed(n > 2));
    results.heading.set = "<script>alert(1)</script>".to_owned();
    results.lines[0].case = "\"><img src=x>".to_owned();
    results.lines[1]
        .scores
        .insert("it".to_owned(), Scored::unscored("nonsense\u{1b}[2J"));
    let report = report(&results);
    let html = page(&report, "USD");
    assert!(
        !html.contains("<script") && !html.contains("<img"),
        "{html}"
    );
    let xml = junit(&report, &results.lines);
    assert!(!xml.contains("<script") && !xml.contains('\u{1b}'));
    assert!(
        xml.contains("tests=\"30\" failures=\"2\" errors=\"1\""),
        "{xml}"
    );
    assert!(xml.contains("expected &lt;1&gt;, found &quot;2&quot; &amp; more"));
    let text = render(&report, "USD", Paint::Plain);
    assert!(
        !text.contains('\u{1b}') && text.contains("could not score 1"),
        "{text}"
    );
}
