//! The report as a page that stands alone: no script, no font, no file beside it.

use std::fmt::Write as _;

use plimsoll_core::eval::EvalVerdict;
use plimsoll_evals::compare::Comparison;
use plimsoll_evals::figure::Figure;
use plimsoll_evals::report::{Report, Slice};
use plimsoll_stats::proportion::Interval;
use plimsoll_stats::verdict::Verdict;

use super::{bounds, remarks, target, told, verdict, word};
use crate::figures::{count, micros, money};
use crate::markup::{STYLE, escaped};

/// The size of a plot of an interval, in its own units.
const WIDTH: f64 = 220.0;
const HEIGHT: f64 = 18.0;

const OWN_STYLE: &str = "\
td:first-child{overflow-wrap:normal;white-space:nowrap}\
td:last-child{overflow-wrap:anywhere;min-width:12rem}svg.interval{width:220px;margin:0}\
.line{stroke:var(--faint);stroke-width:1}.bar{stroke:var(--ink);stroke-width:3;stroke-linecap:round}\
.dot{fill:var(--ink)}.target{stroke:var(--is);stroke-width:2}td,th{text-align:left}\
h2{margin:2rem 0 .3rem}.wide{min-width:220px}";

/// The report as HTML.
pub fn page(report: &Report, currency: &str) -> String {
    let heading = &report.heading;
    let said = word(report.verdict);
    let class = match report.verdict {
        Some(EvalVerdict::Pass) => "steady",
        Some(EvalVerdict::Regressed) => "drifted",
        _ => "not-judged",
    };
    let system = escaped(heading.system.as_str());
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{system}: {said}</title><style>{STYLE}{OWN_STYLE}</style></head><body>\
         <h1><span class=\"{class}\">{said}</span> {system}</h1><p>{} cases{} of <b>{}</b>, asked of release \
         <b>{}</b> in {}</p><p class=\"faint\">run {} · {} · {} · half of the answers within {}, 95 of 100 within {}</p>",
        count(heading.cases),
        if heading.repetitions > 1 {
            format!(" × {}", heading.repetitions)
        } else {
            String::new()
        },
        escaped(&heading.set),
        heading.release.short(),
        escaped(heading.environment.as_str()),
        heading.id,
        heading.started_at.short(),
        escaped(&money(report.cost.amount, currency)),
        micros(report.p50_micros),
        micros(report.p95_micros),
    );
    for problem in &report.problems {
        let _infallible = write!(html, "<p class=\"not-judged\">{}</p>", escaped(problem));
    }
    figures(&mut html, &report.figures);
    if let Some(comparison) = &report.comparison {
        compared(&mut html, comparison);
    }
    attempts(&mut html, report);
    slices(&mut html, &report.slices);
    failures(&mut html, report);
    html.push_str("</body></html>\n");
    html
}

fn verdict_cell(verdict_is: Option<Verdict>) -> String {
    let Some(is) = verdict_is else {
        return String::new();
    };
    let class = match is {
        Verdict::Pass => "steady",
        Verdict::Regressed => "drifted",
        Verdict::Inconclusive { .. } => "not-judged",
    };
    format!("<span class=\"{class}\">{}</span>", escaped(&verdict(is)))
}

fn figures(html: &mut String, figures: &[Figure]) {
    html.push_str(
        "<table><thead><tr><th>metric</th><th>value</th><th>95 % bounds</th><th class=\"wide\"></th><th>cases</th>\
         <th>target</th><th>verdict</th><th></th></tr></thead><tbody>",
    );
    for figure in figures {
        let _infallible = write!(
            html,
            "<tr><td><b>{}</b></td><td>{}</td><td>{}</td><td class=\"wide\">{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td class=\"faint\">{}</td></tr>",
            escaped(&figure.metric),
            told(figure.value),
            bounds(figure.interval),
            plot(figure),
            count(figure.cases),
            target(figure.target),
            verdict_cell(figure.verdict.filter(|_| !figure.advisory)),
            escaped(&remarks(figure)),
        );
    }
    html.push_str("</tbody></table>");
}

/// The interval with its value and target, from 0 to 1; nothing for figures of another scale.
fn plot(figure: &Figure) -> String {
    let (Some(value), Some(Interval { low, high })) = (figure.value, figure.interval) else {
        return String::new();
    };
    if [value, low, high].iter().any(|x| !(0.0..=1.0).contains(x)) {
        return String::new();
    }
    let (x, middle) = (|share: f64| 4.0 + share * (WIDTH - 8.0), HEIGHT / 2.0);
    let mut svg = format!(
        "<svg class=\"interval\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><line class=\"line\" x1=\"{:.1}\" \
         x2=\"{:.1}\" y1=\"{middle}\" y2=\"{middle}\"/><line class=\"bar\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle}\" \
         y2=\"{middle}\"/><circle class=\"dot\" cx=\"{:.1}\" cy=\"{middle}\" r=\"4\"/>",
        x(0.0),
        x(1.0),
        x(low),
        x(high),
        x(value),
    );
    if let Some(bound) = figure
        .target
        .filter(|bound| (0.0..=1.0).contains(&bound.value))
    {
        let at = x(bound.value);
        let _infallible = write!(
            svg,
            "<line class=\"target\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"1\" y2=\"{}\"/>",
            HEIGHT - 1.0
        );
    }
    svg.push_str("</svg>");
    svg
}

fn compared(html: &mut String, comparison: &Comparison) {
    let _infallible = write!(
        html,
        "<h2>Against run {}</h2><p class=\"faint\">release {}, {} cases in common; a drop of {} is tolerated</p>\
         <table><thead><tr><th>metric</th><th>baseline</th><th>candidate</th><th>difference</th><th>95 % bounds</th>\
         <th>p</th><th>verdict</th><th>worse in</th></tr></thead><tbody>",
        comparison.baseline,
        comparison.baseline_release.short(),
        count(comparison.common),
        comparison.margin,
    );
    for metric in &comparison.metrics {
        let (difference, interval, p) = match metric.compared {
            Some(compared) => (
                format!("{:+.3}", compared.difference),
                bounds(Some(compared.interval)),
                format!("{:.3}", compared.p),
            ),
            None => ("–".to_owned(), String::new(), "–".to_owned()),
        };
        let lost = match &metric.note {
            Some(note) => note.clone(),
            None => metric.lost.join(", "),
        };
        let verdict = metric.compared.map(|compared| compared.verdict);
        let _infallible = write!(
            html,
            "<tr><td><b>{}</b></td><td>{}</td><td>{}</td><td>{difference}</td><td>{interval}</td><td>{p}</td>\
             <td>{}</td><td class=\"faint\">{}</td></tr>",
            escaped(&metric.metric),
            told(metric.baseline),
            told(metric.candidate),
            verdict_cell(verdict),
            escaped(&lost),
        );
    }
    html.push_str("</tbody></table>");
}

fn attempts(html: &mut String, report: &Report) {
    if report.attempts.is_empty() {
        return;
    }
    html.push_str(
        "<h2>Repetitions</h2><table><thead><tr><th>metric</th><th>k</th><th>pass@k: one of k</th><th>pass^k: all k</th>\
         </tr></thead><tbody>",
    );
    for one in &report.attempts {
        let _infallible = write!(
            html,
            "<tr><td><b>{}</b></td><td>{}</td><td>{:.3}</td><td>{:.3}</td></tr>",
            escaped(&one.metric),
            one.k,
            one.pass_at_k,
            one.pass_all_k
        );
    }
    html.push_str("</tbody></table>");
}

fn slices(html: &mut String, slices: &[Slice]) {
    if slices.is_empty() {
        return;
    }
    html.push_str(
        "<h2>Slices</h2><table><thead><tr><th>slice</th><th>cases</th><th>metric</th><th>value</th><th>95 % bounds</th>\
         <th class=\"wide\"></th></tr></thead><tbody>",
    );
    for slice in slices {
        for figure in slice.figures.iter().filter(|figure| figure.value.is_some()) {
            let _infallible = write!(
                html,
                "<tr><td><b>{}</b></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"wide\">{}</td></tr>",
                escaped(&slice.of),
                count(slice.cases),
                escaped(&figure.metric),
                told(figure.value),
                bounds(figure.interval),
                plot(figure),
            );
        }
    }
    html.push_str("</tbody></table>");
}

fn failures(html: &mut String, report: &Report) {
    if report.failures.is_empty() {
        return;
    }
    html.push_str(
        "<h2>Did not pass</h2><table><thead><tr><th>case</th><th>scorer</th><th>score</th><th>decision</th><th>why</th>\
         </tr></thead><tbody>",
    );
    for failed in &report.failures {
        let _infallible = write!(
            html,
            "<tr><td><b>{}</b>{}</td><td>{}</td><td>{}</td><td class=\"faint\">{}</td><td>{}</td></tr>",
            escaped(&failed.case),
            if report.heading.repetitions > 1 {
                format!(" #{}", failed.repetition + 1)
            } else {
                String::new()
            },
            escaped(&failed.scorer),
            told(failed.score),
            escaped(failed.decision.as_deref().unwrap_or("–")),
            escaped(&failed.why),
        );
    }
    html.push_str("</tbody></table>");
    if report.failures_untold > 0 {
        let more = count(report.failures_untold);
        let _infallible = write!(html, "<p class=\"faint\">and {more} more</p>");
    }
}
