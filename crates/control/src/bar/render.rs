//! The bar as text: a headline with the verdict, and a line for each characteristic with its mark,
//! its evidence and, at the right, the next step.

use std::fmt::Write as _;

use super::{Characteristic, Check, Report, Standing};
use crate::paint::Paint;
use crate::table::{Align, Table, width};

/// Evidence begins here: after the mark and the name.
const INDENT: usize = 14;

/// Evidence that is wider has its next step on a line of its own.
const EVIDENCE: usize = 60;

/// One system's report, for a terminal of `columns`.
pub fn render(report: &Report, columns: usize, paint: Paint) -> String {
    let mut text = headline(report, columns, paint);
    text.push('\n');
    for characteristic in &report.characteristics {
        write_characteristic(&mut text, characteristic, columns, paint);
    }
    text
}

fn headline(report: &Report, columns: usize, paint: Paint) -> String {
    let release = match (report.release, report.release_since) {
        (Some(release), Some(since)) => {
            let since = since.short();
            let since = since
                .rsplit_once(':')
                .map_or(since.as_str(), |(minutes, _)| minutes);
            format!("release {} since {since}", release.short())
        }
        _ => "nothing deployed".to_owned(),
    };
    let (system, environment) = (&report.system, &report.environment);
    let stakes = report.stakes.as_str();
    let left = format!("{system} · {environment} · {stakes} stakes · {release}");
    let verdict = verdict(report);
    let gap = columns
        .saturating_sub(width(&left) + width(&verdict))
        .max(3);
    let painted = match report.standing {
        Standing::AboveTheLine => paint.good(&verdict),
        Standing::ApproachingTheLine => paint.doubtful(&verdict),
        Standing::InProductionByAccident => paint.bad(&verdict),
    };
    format!("{}{}{painted}\n", paint.strong(left), " ".repeat(gap))
}

fn verdict(report: &Report) -> String {
    let met = report.met;
    match report.standing {
        Standing::AboveTheLine => format!("ABOVE THE LINE · {met} of 6"),
        Standing::ApproachingTheLine => format!("BELOW THE LINE · {met} of 6"),
        Standing::InProductionByAccident => {
            format!("BELOW THE LINE · {met} of 6, in production by accident")
        }
    }
}

fn write_characteristic(text: &mut String, one: &Characteristic, columns: usize, paint: Paint) {
    let name = format!("{:<10}", one.name);
    let (met, failed): (Vec<&Check>, Vec<&Check>) = one.checks.iter().partition(|c| c.met);
    let shown: Vec<&str> = met.iter().map(|check| check.evidence.as_str()).collect();
    let mark = paint.mark(one.met);
    if one.met {
        let _infallible = writeln!(text, " {mark} {name} {}", shown.join(" · "));
        return;
    }
    let fitting = failed
        .iter()
        .map(|check| width(&check.evidence))
        .filter(|wide| *wide <= EVIDENCE);
    let column = fitting.max().unwrap_or(0) + 3;
    for (index, check) in failed.iter().enumerate() {
        let begin = if index == 0 {
            format!(" {mark} {name} ")
        } else {
            " ".repeat(INDENT)
        };
        let _infallible = write!(text, "{begin}{}", check.evidence);
        if let Some(next) = &check.next {
            let taken = width(&check.evidence);
            let fits = taken + 3 <= column && INDENT + column + width(next) <= columns;
            let gap = if fits { column - taken } else { 0 };
            let lead = if fits {
                " ".repeat(gap)
            } else {
                format!("\n{}→ ", " ".repeat(INDENT + 2))
            };
            let _infallible = write!(text, "{lead}{}", paint.strong(next));
        }
        text.push('\n');
    }
    if !shown.is_empty() {
        let line = paint.faint(format!("met: {}", shown.join(" · ")));
        let _infallible = writeln!(text, "{}{line}", " ".repeat(INDENT));
    }
}

/// Several systems, a row for each.
pub fn render_summary(reports: &[Report], paint: Paint) -> String {
    let mut table = Table::new(&[
        ("system", Align::Left),
        ("stakes", Align::Left),
        ("met", Align::Left),
        ("missing", Align::Left),
        ("standing", Align::Left),
    ]);
    for report in reports {
        let missing = report
            .characteristics
            .iter()
            .filter(|one| !one.met)
            .map(|one| one.name);
        table.row(vec![
            report.system.to_string(),
            report.stakes.as_str().to_owned(),
            format!("{} of 6", report.met),
            missing.collect::<Vec<_>>().join(", "),
            report.standing.as_str().to_owned(),
        ]);
    }
    table.render(paint)
}
