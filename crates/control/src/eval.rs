//! Evals as people and programs read them: at a terminal, as a page, and as `JUnit` for CI.

mod junit;
mod page;
mod terminal;

use plimsoll_core::eval::EvalVerdict;
use plimsoll_core::system::Bound;
use plimsoll_evals::figure::Figure;
use plimsoll_stats::proportion::Interval;
use plimsoll_stats::verdict::Verdict;

use crate::figures::count;

pub use junit::junit;
pub use page::page;
pub use terminal::{render, render_calibration, render_comparison};

/// A figure with three places after the point, or a dash.
fn told(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.3}"))
}

fn bounds(interval: Option<Interval>) -> String {
    interval.map_or(String::new(), |interval| {
        format!("[{:.3}, {:.3}]", interval.low, interval.high)
    })
}

fn target(bound: Option<Bound>) -> String {
    bound.map_or(String::new(), |bound| {
        format!("{} {}", if bound.at_least { "≥" } else { "≤" }, bound.value)
    })
}

/// A verdict, with what would make it clear.
fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Pass => "PASS".to_owned(),
        Verdict::Regressed => "REGRESSED".to_owned(),
        Verdict::Inconclusive { needs: None } => "INCONCLUSIVE".to_owned(),
        Verdict::Inconclusive { needs: Some(needs) } => {
            format!("INCONCLUSIVE: needs about {} more", count(needs))
        }
    }
}

/// What else must be known of a figure.
fn remarks(figure: &Figure) -> String {
    let mut remarks = Vec::new();
    if figure.advisory {
        let would = figure
            .verdict
            .map_or(String::new(), |is| format!(" ({})", verdict(is)));
        remarks.push(format!(
            "advisory{would}: a judge's word, not held against people's"
        ));
    }
    if let Some(reported) = figure.reported {
        remarks.push(format!(
            "corrected for the judge's errors, it said {reported:.3}"
        ));
    }
    if figure.unscored > 0 {
        remarks.push(format!("{} not scored", count(figure.unscored)));
    }
    if let (Some(seen), Some(Verdict::Inconclusive { .. })) = (figure.detectable, figure.verdict) {
        remarks.push(format!("this set sees {seen:.3} or worse"));
    }
    remarks.extend(figure.note.clone());
    remarks.join("; ")
}

/// A verdict on everything, for a heading.
const fn word(verdict: Option<EvalVerdict>) -> &'static str {
    match verdict {
        None => "NO TARGET",
        Some(verdict) => verdict.as_str(),
    }
}

#[cfg(test)]
mod tests;
