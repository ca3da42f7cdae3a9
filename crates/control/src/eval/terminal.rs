//! Reports as tables.

use std::fmt::Write as _;

use plimsoll_core::eval::EvalVerdict;
use plimsoll_evals::calibration::{Found, KAPPA_LOW_MIN, KAPPA_MIN};
use plimsoll_evals::compare::{Comparison, MetricCompared};
use plimsoll_evals::figure::Figure;
use plimsoll_evals::report::Report;
use plimsoll_stats::judged::Corrected;

use super::{bounds, remarks, target, told, verdict, word};
use crate::figures::{count, micros, money};
use crate::paint::Paint;
use crate::table::{Align, Table, printable};

/// The most failures and slices that a terminal is shown.
const ROWS_MAX: usize = 12;

/// The report for people at a terminal.
pub fn render(report: &Report, currency: &str, paint: Paint) -> String {
    let heading = &report.heading;
    let mut text = format!(
        "{} · {} · release {} · {} · {} cases{}\n\n",
        heading.system,
        heading.environment,
        heading.release.short(),
        printable(&heading.set),
        count(heading.cases),
        if heading.repetitions > 1 {
            format!(" × {}", heading.repetitions)
        } else {
            String::new()
        },
    );
    text.push_str(&figures(&report.figures, paint));
    if !report.attempts.is_empty() {
        text.push('\n');
        text.push_str(&attempts(report, paint));
    }
    if !report.slices.is_empty() {
        text.push('\n');
        text.push_str(&slices(report, paint));
    }
    if let Some(comparison) = &report.comparison {
        text.push('\n');
        text.push_str(&render_comparison(comparison, paint));
    }
    if !report.failures.is_empty() {
        text.push('\n');
        text.push_str(&failures(report, paint));
    }
    for problem in &report.problems {
        let _infallible = writeln!(text, "\n{} {}", paint.doubtful("!"), printable(problem));
    }
    let _infallible = writeln!(text, "\n{}", summary(report, currency, paint));
    text
}

fn figures(figures: &[Figure], paint: Paint) -> String {
    let mut table = Table::new(&[
        ("metric", Align::Left),
        ("value", Align::Right),
        ("95 % bounds", Align::Left),
        ("cases", Align::Right),
        ("target", Align::Left),
        ("verdict", Align::Left),
        ("", Align::Left),
    ]);
    for figure in figures {
        table.row(vec![
            figure.metric.clone(),
            told(figure.value),
            bounds(figure.interval),
            count(figure.cases),
            target(figure.target),
            figure
                .verdict
                .filter(|_| !figure.advisory)
                .map_or(String::new(), verdict),
            remarks(figure),
        ]);
    }
    table.render(paint)
}

fn attempts(report: &Report, paint: Paint) -> String {
    let mut table = Table::new(&[
        ("metric", Align::Left),
        ("k", Align::Right),
        ("pass@k", Align::Right),
        ("pass^k", Align::Right),
    ]);
    for one in &report.attempts {
        table.row(vec![
            one.metric.clone(),
            one.k.to_string(),
            told(Some(one.pass_at_k)),
            told(Some(one.pass_all_k)),
        ]);
    }
    table.render(paint)
}

fn slices(report: &Report, paint: Paint) -> String {
    let mut table = Table::new(&[
        ("slice", Align::Left),
        ("cases", Align::Right),
        ("metrics", Align::Left),
    ]);
    for slice in report.slices.iter().take(ROWS_MAX) {
        let figures = slice.figures.iter().filter(|figure| figure.value.is_some());
        let figures: Vec<String> = figures
            .map(|figure| {
                let (value, bounds) = (told(figure.value), bounds(figure.interval));
                format!("{} {value} {bounds}", figure.metric)
            })
            .collect();
        table.row(vec![
            slice.of.clone(),
            count(slice.cases),
            figures.join(" · "),
        ]);
    }
    table.render(paint)
}

fn failures(report: &Report, paint: Paint) -> String {
    let mut table = Table::new(&[
        ("did not pass", Align::Left),
        ("scorer", Align::Left),
        ("score", Align::Right),
        ("why", Align::Left),
    ]);
    for failed in report.failures.iter().take(ROWS_MAX) {
        let case = if report.heading.repetitions > 1 {
            format!("{} #{}", failed.case, failed.repetition + 1)
        } else {
            failed.case.clone()
        };
        table.row(vec![
            case,
            failed.scorer.clone(),
            told(failed.score),
            failed.why.chars().take(100).collect(),
        ]);
    }
    let mut text = table.render(paint);
    let all = report.failures.len() as u64 + report.failures_untold;
    if all > ROWS_MAX as u64 {
        let more = count(all - ROWS_MAX as u64);
        let _infallible = writeln!(
            text,
            "and {more} more: --html FILE or --junit FILE has them"
        );
    }
    text
}

fn summary(report: &Report, currency: &str, paint: Paint) -> String {
    let said = word(report.verdict);
    let said = match report.verdict {
        Some(EvalVerdict::Pass) => paint.good(said),
        Some(EvalVerdict::Regressed) => paint.bad(said),
        _ => paint.doubtful(said),
    };
    let outcomes: Vec<String> = report
        .outcomes
        .iter()
        .map(|(outcome, times)| format!("{} {outcome}", count(*times)))
        .collect();
    let reused = if report.reused > 0 {
        format!(" · {} answers of earlier runs", count(report.reused))
    } else {
        String::new()
    };
    format!(
        "{said} · run {} · {} · {} · p50 {}, p95 {}{reused}",
        report.heading.id,
        outcomes.join(", "),
        money(report.cost.amount, currency),
        micros(report.p50_micros),
        micros(report.p95_micros),
    )
}

/// A comparison as a table.
pub fn render_comparison(comparison: &Comparison, paint: Paint) -> String {
    let mut table = Table::new(&[
        ("metric", Align::Left),
        ("baseline", Align::Right),
        ("candidate", Align::Right),
        ("difference", Align::Right),
        ("95 % bounds", Align::Left),
        ("p", Align::Right),
        ("lost, won", Align::Right),
        ("verdict", Align::Left),
        ("", Align::Left),
    ]);
    for metric in &comparison.metrics {
        let compared = metric.compared;
        table.row(vec![
            metric.metric.clone(),
            told(metric.baseline),
            told(metric.candidate),
            compared.map_or("–".to_owned(), |compared| {
                format!("{:+.3}", compared.difference)
            }),
            bounds(compared.map(|compared| compared.interval)),
            compared.map_or("–".to_owned(), |compared| format!("{:.3}", compared.p)),
            format!("{}, {}", metric.lost.len(), metric.won),
            compared.map_or("INCONCLUSIVE".to_owned(), |compared| {
                verdict(compared.verdict)
            }),
            remarks_on(metric),
        ]);
    }
    let mut text = format!(
        "run {} (release {}) against run {} (release {}): {} cases in common, a drop of {} is tolerated\n\n",
        comparison.candidate,
        comparison.candidate_release.short(),
        comparison.baseline,
        comparison.baseline_release.short(),
        count(comparison.common),
        comparison.margin,
    );
    text.push_str(&table.render(paint));
    let with_losses = comparison.metrics.iter();
    for metric in with_losses.filter(|metric| !metric.lost.is_empty()) {
        let lost: Vec<String> = metric.lost.iter().map(|case| printable(case)).collect();
        let _infallible = writeln!(text, "\nworse in {}: {}", metric.metric, lost.join(", "));
    }
    for (only, whose) in [
        (comparison.only_baseline, "baseline"),
        (comparison.only_candidate, "candidate"),
    ] {
        if only > 0 {
            let only = count(only);
            let mark = paint.doubtful("!");
            let _infallible = writeln!(
                text,
                "\n{mark} {only} cases of the {whose} are new or changed, and are not compared"
            );
        }
    }
    text
}

/// What else must be known of a metric that was compared.
fn remarks_on(metric: &MetricCompared) -> String {
    let mut remarks: Vec<String> = metric.note.iter().cloned().collect();
    if metric.advisory {
        remarks.push("advisory: a judge's word".to_owned());
    }
    if metric.unscored > 0 {
        remarks.push(format!("{} not scored by both", count(metric.unscored)));
    }
    if let Some(seen) = metric.detectable {
        remarks.push(format!("a drop of {seen:.3} could be seen"));
    }
    remarks.join("; ")
}

/// What a calibration found.
pub fn render_calibration(found: &Found, paint: Paint) -> String {
    let held = &found.calibration;
    let mut table = Table::new(&[
        ("", Align::Left),
        ("judge passed", Align::Right),
        ("judge failed", Align::Right),
    ]);
    let missed = held.human_passed - held.both_passed;
    let let_through = held.human_failed - held.both_failed;
    table.row(vec![
        "people passed".into(),
        count(held.both_passed),
        count(missed),
    ]);
    table.row(vec![
        "people failed".into(),
        count(let_through),
        count(held.both_failed),
    ]);
    let (low, high) = (told(held.kappa_low), told(held.kappa_high));
    let mut text = format!(
        "judge {} (release {}) as `{}`, {} labels\n\n{}\nkappa {} [{low}, {high}], AC1 {}\n",
        held.judge,
        held.release.short(),
        held.scorer,
        count(held.labels),
        table.render(paint),
        told(held.kappa),
        told(held.ac1),
    );
    let rate = |name: &str, corrected: &Option<Corrected>| {
        corrected.map_or(String::new(), |corrected| {
            let bounds = bounds(Some(corrected.interval));
            format!("{name} {:.3} {bounds}\n", corrected.rate)
        })
    };
    let _infallible = writeln!(text, "\nthe judge said {:.3}", found.reported);
    text.push_str(&rate(
        "corrected for its errors (Rogan-Gladen)",
        &found.corrected,
    ));
    text.push_str(&rate("prediction-powered", &found.prediction_powered));
    for problem in &found.problems {
        let _infallible = writeln!(text, "{} {}", paint.doubtful("!"), printable(problem));
    }
    let word = if held.agrees {
        paint.good("it agrees well enough: its word counts")
    } else {
        paint.doubtful(format!(
            "advisory: kappa must be {KAPPA_MIN} with a lower bound of {KAPPA_LOW_MIN}"
        ))
    };
    let _infallible = writeln!(text, "\n{word}");
    text
}
