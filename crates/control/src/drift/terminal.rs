//! The report as a table.

use std::fmt::Write as _;

use super::report::{ColumnReport, Report, Standing, Verdict};
use crate::paint::Paint;
use crate::table::{Align, Table, printable};

/// The report for people at a terminal.
pub fn render(report: &Report, paint: Paint) -> String {
    let mut text = format!(
        "{} rows of {} against {} rows of {}\n\n",
        report.current_rows,
        printable(&report.current),
        report.reference_rows,
        printable(&report.reference),
    );
    let mut table = Table::new(&[
        ("", Align::Left),
        ("column", Align::Left),
        ("part", Align::Right),
        ("PSI", Align::Right),
        ("by chance", Align::Right),
        ("KS", Align::Right),
        ("Wasserstein/sd", Align::Right),
        ("JS", Align::Right),
        ("p adjusted", Align::Right),
        ("", Align::Left),
    ]);
    for column in &report.columns {
        table.row(row(column, paint));
    }
    text.push_str(&table.render(paint));
    for problem in &report.problems {
        writeln!(text, "\n{} {}", paint.doubtful("!"), printable(problem)).ok();
    }
    writeln!(text, "\n{}", verdict(report, paint)).ok();
    text
}

fn row(column: &ColumnReport, paint: Paint) -> Vec<String> {
    let optional =
        |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.3}"));
    let figures = column.figures.as_ref();
    let mark = match column.standing {
        Standing::Drifted => "✗",
        Standing::NotJudged => "?",
        Standing::Steady => "✓",
        Standing::NotCompared => "·",
    };
    let said: Vec<&str> = column
        .reasons
        .iter()
        .chain(&column.warnings)
        .map(String::as_str)
        .collect();
    // The table counts characters, so colours would move its columns: only the last cell has one.
    let said = said.join("; ");
    let said = if said.is_empty() {
        said
    } else {
        printable(&said)
    };
    let said = if column.standing == Standing::Steady {
        said
    } else {
        paint.strong(said)
    };
    vec![
        mark.to_owned(),
        column.column.clone(),
        format!("{:.0} %", 100.0 * column.contribution),
        optional(figures.map(|figures| figures.psi.psi)),
        optional(figures.map(|figures| figures.psi.expected)),
        optional(
            figures
                .and_then(|figures| figures.ks)
                .map(|ks| ks.statistic),
        ),
        optional(figures.and_then(|figures| figures.wasserstein_normed)),
        optional(figures.map(|figures| figures.jensen_shannon)),
        column.p_adjusted.map_or("–".to_owned(), p_value),
        said,
    ]
}

/// A p-value in few characters.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "<0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

fn verdict(report: &Report, paint: Paint) -> String {
    let count = |standing| report.standing(standing).count();
    let (drifted, gaps) = (count(Standing::Drifted), count(Standing::NotJudged));
    let all = report.columns.len();
    let line = match report.verdict {
        Verdict::Drifted => paint.bad(format!("drifted: {drifted} of {all} columns")),
        Verdict::Steady => paint.good(format!("no drift in {all} columns")),
        Verdict::NotJudged => paint.doubtful("not judged: see what is marked with `?` or `!`"),
    };
    if report.verdict == Verdict::Drifted && gaps > 0 {
        return format!("{line}; {gaps} could not be judged");
    }
    line
}
