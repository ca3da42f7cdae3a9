//! Our records held against a provider's own count, for each day and model.
//!
//! A row is compared in what the provider says of it: requests, tokens, cost. Days are UTC, and only those
//! that the export has are looked at. An attempt belongs to the day on which its decision was opened, and
//! to the model that the provider says has answered, or else to the one that was asked for.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::decision::CostBasis;
use plimsoll_core::{Decision, Money};
use serde::Serialize;

use super::import::Line;
use super::pricing::ReleaseModels;
use crate::figures::{count, money};
use crate::paint::Paint;
use crate::table::{Align, Table};

/// What was counted of a model on a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counted {
    /// Requests.
    pub requests: Option<u64>,
    /// Tokens read.
    pub input: Option<u64>,
    /// Tokens written.
    pub output: Option<u64>,
    /// What they cost.
    pub cost: Option<Money>,
}

/// One day and model.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Compared {
    /// The day (UTC).
    pub day: String,
    /// The model.
    pub model: String,
    /// What is recorded here.
    pub ours: Counted,
    /// Of this, the cost that is only estimated.
    pub ours_estimated: Money,
    /// Attempts whose cost nobody here knows.
    pub ours_unknown: u64,
    /// What the provider says.
    pub theirs: Counted,
    /// Their cost without ours, if they say one.
    pub cost_difference: Option<Money>,
    /// Whether everything that they say is as recorded, within the tolerance.
    pub agrees: bool,
}

/// All days and models of an export.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Reconciliation {
    /// The first day.
    pub from: String,
    /// The last day.
    pub to: String,
    /// In which currency ours is.
    pub currency: String,
    /// How far off a figure may be, in percent of theirs.
    pub tolerance_percent: f64,
    /// Whether everything agrees.
    pub agrees: bool,
    /// Each day and model.
    pub rows: Vec<Compared>,
}

/// Gathers our side of an export.
#[derive(Debug)]
pub struct Reconciler {
    theirs: BTreeMap<(String, String), Counted>,
    ours: BTreeMap<(String, String), Ours>,
    models: BTreeSet<String>,
    provider: Option<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Ours {
    requests: u64,
    input: u64,
    output: u64,
    cost: Money,
    estimated: Money,
    unknown: u64,
}

impl Reconciler {
    /// For an export of `provider` as the workspace names it; none: of every provider.
    pub fn new(lines: &[Line], provider: Option<String>) -> Self {
        let mut theirs: BTreeMap<_, Counted> = BTreeMap::new();
        for line in lines {
            let key = (line.day.clone(), line.model.clone());
            let sum = theirs.entry(key).or_default();
            add(&mut sum.requests, line.requests);
            add(&mut sum.input, line.input);
            add(&mut sum.output, line.output);
            if let Some(cost) = line.cost {
                sum.cost = Some(sum.cost.unwrap_or_default() + cost);
            }
        }
        Self {
            models: theirs.keys().map(|(_, model)| model.clone()).collect(),
            theirs,
            ours: BTreeMap::new(),
            provider,
        }
    }

    /// The first and the last day of the export.
    pub fn days(&self) -> Option<(&str, &str)> {
        let mut days = self.theirs.keys().map(|(day, _)| day.as_str());
        let first = days.next()?;
        Some((first, days.next_back().unwrap_or(first)))
    }

    /// Adds the attempts of a decision that went to the provider.
    pub fn add(&mut self, decision: &Decision, release: Option<&ReleaseModels>) {
        let day = decision.opened_at.to_string()[..10].to_owned();
        for attempt in &decision.attempts {
            let Some((provider, asked)) = release.and_then(|r| r.priced_as(&attempt.model)) else {
                continue;
            };
            let is_meant = match &self.provider {
                Some(meant) => meant == provider,
                None => attempt.usage.is_some() || self.models.contains(asked),
            };
            if !is_meant {
                continue;
            }
            let told = attempt.reported_model.as_deref();
            let known = |model: &&str| self.models.contains(*model);
            let model = told
                .filter(known)
                .or_else(|| Some(asked).filter(known))
                .or(told)
                .unwrap_or(asked);
            let sum = self
                .ours
                .entry((day.clone(), model.to_owned()))
                .or_default();
            sum.requests += 1;
            if let Some(usage) = &attempt.usage {
                sum.input += usage.input_tokens;
                sum.output += usage.output_tokens;
            }
            sum.cost += attempt.cost.amount;
            match attempt.cost.basis {
                CostBasis::Measured => {}
                CostBasis::Estimated => sum.estimated += attempt.cost.amount,
                CostBasis::Unknown => sum.unknown += 1,
            }
        }
    }

    /// How both sides stand; `tolerance` in percent of theirs.
    pub fn report(self, tolerance: f64, currency: &str) -> Reconciliation {
        let (from, to) = self.days().unwrap_or_default();
        let (from, to) = (from.to_owned(), to.to_owned());
        let keys: BTreeSet<&(String, String)> =
            self.theirs.keys().chain(self.ours.keys()).collect();
        let rows: Vec<Compared> = keys
            .into_iter()
            .map(|key| {
                let theirs = self.theirs.get(key).copied();
                let ours = self.ours.get(key).copied().unwrap_or_default();
                compared(key, ours, theirs, tolerance)
            })
            .collect();
        Reconciliation {
            from,
            to,
            currency: currency.to_owned(),
            tolerance_percent: tolerance,
            agrees: rows.iter().all(|row| row.agrees),
            rows,
        }
    }
}

fn add(sum: &mut Option<u64>, more: Option<u64>) {
    if let Some(more) = more {
        *sum = Some(sum.unwrap_or(0).saturating_add(more));
    }
}

fn compared(
    (day, model): &(String, String),
    ours: Ours,
    theirs: Option<Counted>,
    tolerance: f64,
) -> Compared {
    let told = theirs.unwrap_or_default();
    let near = |ours: u64, theirs: Option<u64>| {
        theirs.is_none_or(|theirs| within(i128::from(ours), i128::from(theirs), tolerance))
    };
    let cost_agrees = told
        .cost
        .is_none_or(|theirs| within(ours.cost.as_pico(), theirs.as_pico(), tolerance));
    Compared {
        day: day.clone(),
        model: model.clone(),
        agrees: theirs.is_some()
            && near(ours.requests, told.requests)
            && near(ours.input, told.input)
            && near(ours.output, told.output)
            && cost_agrees,
        cost_difference: told.cost.map(|theirs| theirs - ours.cost),
        ours: Counted {
            requests: Some(ours.requests),
            input: Some(ours.input),
            output: Some(ours.output),
            cost: Some(ours.cost),
        },
        ours_estimated: ours.estimated,
        ours_unknown: ours.unknown,
        theirs: told,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "whether a difference is small needs no more than fifteen digits"
)]
fn within(ours: i128, theirs: i128, tolerance: f64) -> bool {
    let off = ours.abs_diff(theirs);
    off == 0 || off as f64 * 100.0 <= theirs.unsigned_abs() as f64 * tolerance
}

/// The comparison for people.
pub fn render(report: &Reconciliation, paint: Paint) -> String {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("day", Align::Left),
        ("model", Align::Left),
        ("requests", Align::Right),
        ("theirs", Align::Right),
        ("read", Align::Right),
        ("theirs", Align::Right),
        ("written", Align::Right),
        ("theirs", Align::Right),
        ("cost", Align::Right),
        ("theirs", Align::Right),
        ("difference", Align::Right),
    ]);
    let number = |value: Option<u64>| value.map_or("–".to_owned(), count);
    let currency = report.currency.as_str();
    let amount = |value: Option<Money>| value.map_or("–".to_owned(), |v| money(v, currency));
    for row in &report.rows {
        let mark = if row.agrees { "✓" } else { "✗" };
        table.row(vec![
            mark.to_owned(),
            row.day.clone(),
            row.model.clone(),
            number(row.ours.requests),
            number(row.theirs.requests),
            number(row.ours.input),
            number(row.theirs.input),
            number(row.ours.output),
            number(row.theirs.output),
            amount(row.ours.cost),
            amount(row.theirs.cost),
            amount(row.cost_difference),
        ]);
    }
    let unlike = report.rows.iter().filter(|row| !row.agrees).count();
    let verdict = match unlike {
        0 => "everything agrees".to_owned(),
        1 => "1 row differs".to_owned(),
        more => format!("{more} rows differ"),
    };
    format!(
        "{}\n{verdict} (within {} % of theirs)\n",
        table.render(paint),
        report.tolerance_percent
    )
}
