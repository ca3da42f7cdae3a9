//! The inputs of a window against the release's reference, column by column: what has moved, and what is
//! broken upstream.
//!
//! Drift is the tolerant PSI test, corrected over the columns (Benjamini and Hochberg), in two of the last
//! three windows, so that one odd hour is no alarm. What moves far is told sooner: a quarter of a window is tested too,
//! and three quarters after each other that are far off are an alarm, at the stated mean time between false alarms. What
//! is broken (values that are missing, of another type, outside of all that was ever seen, or always the same) is told
//! with the window that says so.

use std::collections::VecDeque;

use plimsoll_core::monitor::{AlarmEvidence, Contributor};
use plimsoll_stats::change::{Signal, WindowedTests};
use plimsoll_stats::drift::TolerantPsi;
use plimsoll_stats::multiple::{Correction, adjusted};
use plimsoll_stats::proportion::wilson_at;
use plimsoll_stats::stream::{ColumnDrift, Window};
use serde::{Deserialize, Serialize};

use super::standing::Finding;

/// The level of the corrected tests.
const LEVEL: f64 = 0.01;
/// The level of the tests of single columns for what is missing.
const MISSING_LEVEL: f64 = 0.001;
/// Of so many windows, two must have moved.
const WINDOWS: usize = 3;
/// Counts are taken so many times in a window, if that leaves enough rows to test.
const PARTS: u64 = 4;
const PART_ROWS_MIN: u64 = 50;
/// A share of values outside the reference's range or categories that is no accident.
const OUTSIDE_SHARE: f64 = 0.01;
/// The normal quantile of 999 in 1000, one-sided.
const Z: f64 = 3.090_232_306;
/// Columns that are told.
const TOLD_MAX: usize = 10;

/// What one window says of one column.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FeatureFinding {
    /// The column.
    pub column: String,
    /// What is said of it: `drift`, `missing`, `type`, `range`, `constant`, `not judged`.
    pub what: String,
    /// Its index of stability, or the share of rows that are affected.
    pub size: f64,
}

/// What a window says.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Judged {
    /// What is said of columns: drift first, by its size.
    pub findings: Vec<FeatureFinding>,
    /// The probability that chance, and what is tolerated, would move any column so far; one if none could be judged.
    pub p: f64,
    /// The column that is the least like the reference, by that.
    pub furthest: Option<FeatureFinding>,
}

/// Judges a window.
pub fn judge_window(window: &Window) -> Judged {
    let columns = window.judge(&TolerantPsi::default());
    let rows = window.rows();
    let mut judged = moved(&columns);
    for column in &columns {
        judged.findings.extend(broken(column, rows));
    }
    judged
}

#[expect(clippy::cast_precision_loss, reason = "a count of columns")]
fn moved(columns: &[ColumnDrift]) -> Judged {
    let tests: Vec<_> = columns
        .iter()
        .filter_map(|column| Some((column, column.psi?)))
        .collect();
    let p: Vec<f64> = tests.iter().map(|(_, test)| test.p).collect();
    let corrected = adjusted(&p, Correction::BenjaminiHochberg).unwrap_or_default();
    let moved = tests.iter().zip(corrected).filter(|(_, p)| *p <= LEVEL);
    let drift = |column: &ColumnDrift, psi: f64| finding(&column.column, "drift", psi);
    let mut findings: Vec<FeatureFinding> = moved
        .map(|((column, test), _)| drift(column, test.psi))
        .collect();
    findings.sort_by(|a, b| b.size.total_cmp(&a.size));
    let furthest = tests.iter().min_by(|a, b| a.1.p.total_cmp(&b.1.p));
    Judged {
        findings,
        p: furthest.map_or(1.0, |(_, test)| (test.p * tests.len() as f64).min(1.0)),
        furthest: furthest.map(|(column, test)| drift(column, test.psi)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of rows")]
fn broken(column: &ColumnDrift, rows: u64) -> Vec<FeatureFinding> {
    let mut found = Vec::new();
    let share = |count: u64| count as f64 / rows.max(1) as f64;
    let surely = |count: u64| wilson_at(share(count), rows as f64, Z).low;
    if let Some(missing) = column.missing.filter(|test| test.p <= MISSING_LEVEL) {
        found.push(finding(&column.column, "missing", missing.current));
    }
    if column.mistyped > 0 {
        found.push(finding(&column.column, "type", share(column.mistyped)));
    }
    if column.outside > 0 && surely(column.outside) > OUTSIDE_SHARE {
        found.push(finding(&column.column, "range", share(column.outside)));
    }
    if column.is_constant {
        found.push(finding(&column.column, "constant", 1.0));
    }
    let all_missing = column.missing.is_some_and(|test| test.current >= 1.0);
    if column.not_judged.is_some() && !all_missing && column.mistyped == 0 {
        found.push(finding(&column.column, "not judged", 0.0));
    }
    found
}

fn finding(column: &str, what: &str, size: f64) -> FeatureFinding {
    FeatureFinding {
        column: column.to_owned(),
        what: what.to_owned(),
        size,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of decisions")]
fn parts(between_false_alarms: u64) -> Option<WindowedTests> {
    WindowedTests::new(between_false_alarms as f64).ok()
}

/// After how many rows counts are taken, where windows have so many.
pub(crate) const fn part_of(window: u64) -> u64 {
    let part = window / PARTS;
    if part < PART_ROWS_MIN {
        PART_ROWS_MIN
    } else {
        part
    }
}

/// The monitor.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct FeatureMonitor {
    /// Of the last windows: whether any column had moved.
    moved: VecDeque<bool>,
    latest: Vec<FeatureFinding>,
    rows: u64,
    seen: u64,
    is_wrong: bool,
    /// Adds up what the parts of windows say. None in what an earlier version wrote down.
    #[serde(default)]
    parts: Option<WindowedTests>,
    /// The window that is being filled: gone after a restart.
    #[serde(skip)]
    filling: Option<Window>,
}

impl FeatureMonitor {
    /// Begins anew.
    pub(crate) fn new(between_false_alarms: u64) -> Self {
        Self {
            moved: VecDeque::new(),
            latest: Vec::new(),
            rows: 0,
            seen: 0,
            is_wrong: false,
            parts: parts(between_false_alarms),
            filling: None,
        }
    }

    /// Adds what an earlier version did not write down.
    pub(crate) fn complete(&mut self, between_false_alarms: u64) {
        if self.parts.is_none() {
            self.parts = parts(between_false_alarms);
        }
    }

    /// Takes counts, which are a part of a window of so many rows, or all of it.
    pub(crate) fn take(&mut self, part: &Window, window: u64) -> Option<Finding> {
        self.seen += part.rows();
        let judged = judge_window(part);
        let signal = self
            .parts
            .as_mut()
            .map(|parts| parts.update(judged.p, part.rows()));
        let is_far = signal == Some(Signal::Change);
        let filled = self.fill(part, window);
        if let Some(filled) = &filled {
            self.end_window(judge_window(filled).findings, filled.rows());
        }
        let is_wrong =
            self.is_broken() || is_far || self.moved.iter().filter(|moved| **moved).count() >= 2;
        // Well again only after a window in which nothing was said.
        let is_well = filled.is_some() && self.latest.iter().all(|one| one.what == "not judged");
        if is_wrong == self.is_wrong || (self.is_wrong && !is_well) {
            return None;
        }
        if is_far && filled.is_none() {
            self.rows = part.rows();
            self.latest = judged.findings;
        }
        // Also where the part made a window full that says of no column that it moved.
        if is_far && self.latest.iter().all(|one| one.what != "drift") {
            self.latest.extend(judged.furthest);
        }
        self.is_wrong = is_wrong;
        Some(Finding {
            is_wrong,
            summary: self.summary(),
            evidence: self.evidence(),
        })
    }

    /// The window that a part makes full. One of another reference begins a window of its own.
    fn fill(&mut self, part: &Window, window: u64) -> Option<Window> {
        match &mut self.filling {
            Some(filling) if filling.adds_up_with(part) => filling.merge(part),
            filling => *filling = Some(part.clone()),
        }
        self.filling.take_if(|filling| filling.rows() >= window)
    }

    fn end_window(&mut self, findings: Vec<FeatureFinding>, rows: u64) {
        self.rows = rows;
        if self.moved.len() == WINDOWS {
            self.moved.pop_front();
        }
        self.moved
            .push_back(findings.iter().any(|one| one.what == "drift"));
        self.latest = findings;
    }

    /// Whether the last window says that something is broken upstream.
    fn is_broken(&self) -> bool {
        let mut latest = self.latest.iter();
        latest.any(|one| !matches!(one.what.as_str(), "drift" | "not judged"))
    }

    fn summary(&self) -> String {
        if !self.is_wrong {
            return format!("the last {} rows are like the reference again", self.rows);
        }
        let told: Vec<String> = self
            .latest
            .iter()
            .take(3)
            .map(|one| format!("{} ({} {:.3})", one.column, one.what, one.size))
            .collect();
        let more = self.latest.len().saturating_sub(3);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        format!(
            "the last {} rows are not like the reference: {}{more}",
            self.rows,
            told.join(", ")
        )
    }

    /// What it rests on now.
    pub(crate) fn evidence(&self) -> AlarmEvidence {
        let drift = self.latest.iter().filter(|one| one.what == "drift");
        let told = self.latest.iter().take(TOLD_MAX);
        AlarmEvidence {
            n: self.rows,
            figure: drift.map(|one| one.size).reduce(f64::max),
            interval: None,
            bar: Some(TolerantPsi::default().tolerated),
            began_at: None,
            contributors: told
                .map(|one| Contributor {
                    what: format!("{}: {}", one.column, one.what),
                    share: one.size,
                })
                .collect(),
            examples: Vec::new(),
        }
    }

    pub(crate) const fn is_ready(&self) -> bool {
        self.seen > 0
    }

    pub(crate) const fn seen(&self) -> (u64, u64) {
        (self.seen, 0)
    }
}
