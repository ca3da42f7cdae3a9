//! A run as `JUnit` XML, which every CI reads: a suite of the targets, and one of the cases.

use std::fmt::Write as _;

use plimsoll_evals::report::{Report, failed};
use plimsoll_evals::run::Line;
use plimsoll_stats::verdict::Verdict;

use super::{bounds, remarks, target, told, verdict};

/// The report and its lines as XML.
pub fn junit(report: &Report, lines: &[Line]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    targets(&mut xml, report);
    cases(&mut xml, report, lines);
    xml.push_str("</testsuites>\n");
    xml
}

/// A target is a test: regressed is failed, inconclusive is skipped.
fn targets(xml: &mut String, report: &Report) {
    let figures: Vec<_> = report
        .figures
        .iter()
        .filter(|figure| figure.target.is_some())
        .collect();
    let is = |wanted: fn(Verdict) -> bool| {
        let deciding = figures.iter().filter(|figure| figure.decides());
        deciding
            .filter(|figure| figure.verdict.is_some_and(wanted))
            .count()
    };
    let failures = is(|verdict| verdict == Verdict::Regressed);
    let passed = is(|verdict| verdict == Verdict::Pass);
    let system = escaped(report.heading.system.as_str());
    let skipped = figures.len() - failures - passed;
    let _infallible = writeln!(
        xml,
        "  <testsuite name=\"{system}: targets\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">",
        figures.len()
    );
    for figure in figures {
        let name = escaped(&format!("{} {}", figure.metric, target(figure.target)));
        let _infallible = write!(xml, "    <testcase classname=\"{system}\" name=\"{name}\"");
        let said = figure.verdict.map_or("INCONCLUSIVE".to_owned(), verdict);
        let message = escaped(&format!(
            "{said}: {} {} {}",
            told(figure.value),
            bounds(figure.interval),
            remarks(figure)
        ));
        let message = message.trim_end();
        match figure.verdict.filter(|_| figure.decides()) {
            Some(Verdict::Pass) => xml.push_str("/>\n"),
            Some(Verdict::Regressed) => {
                let _infallible = writeln!(xml, "><failure message=\"{message}\"/></testcase>");
            }
            _ => {
                let _infallible = writeln!(xml, "><skipped message=\"{message}\"/></testcase>");
            }
        }
    }
    xml.push_str("  </testsuite>\n");
}

fn cases(xml: &mut String, report: &Report, lines: &[Line]) {
    let heading = &report.heading;
    let mut body = String::new();
    let (mut failures, mut errors) = (0, 0);
    for line in lines {
        let told: Vec<_> = heading
            .scorers
            .iter()
            .filter_map(|spec| failed(line, spec).map(|(score, why)| (&spec.name, score, why)))
            .collect();
        let name = if heading.repetitions > 1 {
            format!("{} #{}", line.case, line.repetition + 1)
        } else {
            line.case.clone()
        };
        let seconds = line
            .answer
            .as_ref()
            .map_or(0.0, |answer| answer.micros as f64 / 1e6);
        let _infallible = write!(
            body,
            "    <testcase classname=\"{}\" name=\"{}\" time=\"{seconds:.6}\"",
            escaped(&heading.set),
            escaped(&name)
        );
        let is_error = told.iter().any(|(_, score, _)| score.is_none());
        let why: Vec<String> = told
            .iter()
            .map(|(name, _, why)| format!("{name}: {why}"))
            .collect();
        let why = escaped(&why.join("; "));
        if is_error {
            errors += 1;
            let _infallible = writeln!(body, "><error message=\"{why}\"/></testcase>");
        } else if told.is_empty() {
            body.push_str("/>\n");
        } else {
            failures += 1;
            let _infallible = writeln!(body, "><failure message=\"{why}\"/></testcase>");
        }
    }
    let _infallible = writeln!(
        xml,
        "  <testsuite name=\"{}: cases\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\">\n{body}  </testsuite>",
        escaped(heading.system.as_str()),
        lines.len()
    );
}

/// Text as an attribute of XML 1.0, on one line.
fn escaped(text: &str) -> String {
    let has_no_place = |c: char| c.is_whitespace() || matches!(c, '\u{fffe}' | '\u{ffff}');
    crate::markup::escaped(&text.replace(has_no_place, " "))
}
