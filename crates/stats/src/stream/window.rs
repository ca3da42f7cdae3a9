//! A window that counts rows into the bins of a reference.

use std::sync::Arc;

use serde::Serialize;

use super::{Reference, ReferenceColumn};
use crate::drift::{MissingTest, PsiTest, Smoothing, TolerantPsi, missing_share, psi_by_bin};
use crate::unusable::Unusable;

/// From so many rows on, one value alone is told as such.
const CONSTANT_ROWS: u64 = 100;

/// One value of a row.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'a> {
    /// A number.
    Number(f64),
    /// A category.
    Category(&'a str),
    /// None.
    Missing,
}

/// Counts of the rows since it was opened.
#[derive(Clone, PartialEq, Debug)]
pub struct Window {
    reference: Arc<Reference>,
    counts: Vec<Counts>,
    rows: u64,
}

/// What was counted of one column.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Counts {
    bins: Vec<u64>,
    missing: u64,
    /// Values of another kind than the reference's: a schema that changed upstream.
    mistyped: u64,
    below: u64,
    above: u64,
    /// The one value that all numbers had so far, by its bits; none before the first.
    only: Option<u64>,
    /// Whether there were different ones.
    varies: bool,
}

/// How one column of a window stands against the reference.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ColumnDrift {
    /// The column.
    pub column: String,
    /// The test, or why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<PsiTest>,
    /// What each bin adds to the index.
    pub by_bin: Vec<f64>,
    /// Missing values against the reference's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<MissingTest>,
    /// How many values were of another kind than the reference's.
    pub mistyped: u64,
    /// How many numbers lay outside of the reference's range; for categories, how many were unnamed.
    pub outside: u64,
    /// Whether every value was the same though the reference had several: a source that is stuck.
    pub is_constant: bool,
    /// Why there is no test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_judged: Option<String>,
}

impl Window {
    /// An empty window.
    pub fn new(reference: Arc<Reference>) -> Self {
        let bins = |(_, column): &(String, ReferenceColumn)| match column {
            ReferenceColumn::Number(numbers) => numbers.counts.len(),
            ReferenceColumn::Category(categories) => categories.counts.len(),
        };
        let empty = |column| Counts {
            bins: vec![0; bins(column)],
            ..Counts::default()
        };
        let counts = reference.columns().iter().map(empty).collect();
        Self {
            reference,
            counts,
            rows: 0,
        }
    }

    /// Counts a row: the values in the order of the reference's columns. Values that are left out at the end
    /// are missing; more than there are columns are not looked at.
    pub fn add<'a>(&mut self, row: impl IntoIterator<Item = Value<'a>>) {
        self.rows += 1;
        let mut values = row.into_iter();
        for ((_, column), counts) in self.reference.columns().iter().zip(&mut self.counts) {
            counts.add(column, values.next().unwrap_or(Value::Missing));
        }
    }

    /// How many rows were counted.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether another window is held against the same reference, so that they add up.
    pub fn adds_up_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.reference, &other.reference) || self.reference == other.reference
    }

    /// Adds what another window of the same reference has counted.
    pub fn merge(&mut self, other: &Self) {
        debug_assert_eq!(self.reference, other.reference, "windows of one reference");
        self.rows += other.rows;
        for (ours, theirs) in self.counts.iter_mut().zip(&other.counts) {
            ours.missing += theirs.missing;
            ours.mistyped += theirs.mistyped;
            ours.below += theirs.below;
            ours.above += theirs.above;
            let differ = ours.only.zip(theirs.only).is_some_and(|(a, b)| a != b);
            ours.varies |= theirs.varies || differ;
            ours.only = ours.only.or(theirs.only);
            for (bin, more) in ours.bins.iter_mut().zip(&theirs.bins) {
                *bin += more;
            }
        }
    }

    /// How each column stands, in the reference's order.
    pub fn judge(&self, test: &TolerantPsi) -> Vec<ColumnDrift> {
        let columns = self.reference.columns().iter().zip(&self.counts);
        columns
            .map(|((name, column), counts)| counts.judge(name, column, self.rows, test))
            .collect()
    }
}

impl Counts {
    fn add(&mut self, column: &ReferenceColumn, value: Value<'_>) {
        match (column, value) {
            (ReferenceColumn::Number(numbers), Value::Number(number)) if number.is_finite() => {
                self.bins[numbers.cuts.bin(number)] += 1;
                self.varies |= self.only.is_some_and(|only| only != number.to_bits());
                self.only = Some(number.to_bits());
                self.below += u64::from(number < numbers.range.0);
                self.above += u64::from(number > numbers.range.1);
            }
            (ReferenceColumn::Category(categories), Value::Category(name)) => {
                self.bins[categories.place(name)] += 1;
            }
            (ReferenceColumn::Number(_), Value::Category(_))
            | (ReferenceColumn::Category(_), Value::Number(_)) => self.mistyped += 1,
            (_, Value::Missing) | (ReferenceColumn::Number(_), Value::Number(_)) => {
                self.missing += 1;
            }
        }
    }

    /// Whether at least [`CONSTANT_ROWS`] values were all the same, and those of the reference were not.
    fn is_constant(&self, column: &ReferenceColumn) -> bool {
        let rows: u64 = self.bins.iter().sum();
        if rows < CONSTANT_ROWS {
            return false;
        }
        match column {
            ReferenceColumn::Number(numbers) => {
                !self.varies && self.only.is_some() && numbers.range.0 < numbers.range.1
            }
            ReferenceColumn::Category(categories) => {
                let named = &self.bins[..categories.names.len()];
                let common = categories.counts.iter().max().copied().unwrap_or(0);
                // One that nearly all had in the reference too is nothing new.
                let is_rare = common * 100 < categories.counts.iter().sum::<u64>() * 99;
                named.contains(&rows) && is_rare
            }
        }
    }

    fn judge(
        &self,
        name: &str,
        column: &ReferenceColumn,
        rows: u64,
        test: &TolerantPsi,
    ) -> ColumnDrift {
        let (counts, missing) = match column {
            ReferenceColumn::Number(numbers) => (&numbers.counts, numbers.missing),
            ReferenceColumn::Category(categories) => (&categories.counts, categories.missing),
        };
        let outside = match column {
            ReferenceColumn::Number(_) => self.below + self.above,
            ReferenceColumn::Category(_) => self.bins.last().copied().unwrap_or(0),
        };
        let told = test.test(counts, &self.bins);
        let reference_rows = counts.iter().sum::<u64>() + missing;
        ColumnDrift {
            column: name.to_owned(),
            not_judged: told.err().map(|why: Unusable| why.to_string()),
            psi: told.ok(),
            by_bin: psi_by_bin(counts, &self.bins, Smoothing::Jeffreys).unwrap_or_default(),
            missing: missing_share((missing, reference_rows), (self.missing, rows)).ok(),
            mistyped: self.mistyped,
            outside,
            is_constant: self.is_constant(column),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::drift::Sample;

    fn reference() -> Arc<Reference> {
        let mut reference = Reference::default();
        let numbers = Sample::new((0..2_000).map(|i| f64::from(i % 100)).collect());
        reference.add_numbers("age", &numbers, 1_000).unwrap();
        let plans = BTreeMap::from([("basic".to_owned(), 1_500), ("pro".to_owned(), 500)]);
        reference.add_categories("plan", &plans, 0).unwrap();
        Arc::new(reference)
    }

    fn filled(rows: u32, shift: f64) -> Window {
        let mut window = Window::new(reference());
        for i in 0..rows {
            let plan = if i % 4 == 0 { "pro" } else { "basic" };
            window.add([
                Value::Number(f64::from(i % 100) + shift),
                Value::Category(plan),
            ]);
        }
        window
    }

    #[test]
    fn a_window_like_its_reference_is_quiet_and_a_shifted_one_is_not() {
        let quiet = filled(1_000, 0.0).judge(&TolerantPsi::default());
        assert!(quiet.iter().all(|column| !column.psi.unwrap().is_drift()));
        let shifted = filled(1_000, 40.0).judge(&TolerantPsi::default());
        assert!(shifted[0].psi.unwrap().is_drift());
        assert_eq!(shifted[0].outside, 400);
        assert!(!shifted[1].psi.unwrap().is_drift());
    }

    #[test]
    fn what_does_not_fit_is_counted_apart() {
        let mut window = Window::new(reference());
        window.add([Value::Category("x"), Value::Number(1.0)]);
        window.add([Value::Number(f64::NAN), Value::Category("new")]);
        window.add([]);
        let told = window.judge(&TolerantPsi::default());
        assert_eq!((told[0].mistyped, told[1].mistyped), (1, 1));
        assert_eq!(told[0].missing.unwrap().current, 2.0 / 3.0);
        assert_eq!(told[0].not_judged.as_deref(), Some("there are no values"));
        assert_eq!(told[1].outside, 1);
    }

    #[test]
    fn a_column_that_is_stuck_is_constant() {
        let row = |age| [Value::Number(age), Value::Category("basic")];
        let mut stuck = Window::new(reference());
        let mut other = Window::new(reference());
        (0..99).for_each(|_| stuck.add(row(7.0)));
        assert!(!stuck.judge(&TolerantPsi::default())[0].is_constant);
        other.add(row(7.0));
        stuck.merge(&other);
        let told = stuck.judge(&TolerantPsi::default());
        assert!(told[0].is_constant && told[1].is_constant);
        stuck.add([Value::Number(8.0), Value::Category("pro")]);
        let told = stuck.judge(&TolerantPsi::default());
        assert!(!told[0].is_constant && !told[1].is_constant);
    }

    #[test]
    fn windows_add_up_and_the_reference_is_small() {
        let mut both = filled(400, 0.0);
        both.merge(&filled(600, 10.0));
        assert_eq!(both.rows(), 1_000);
        let mut wide = Reference::default();
        let numbers = Sample::new((0..100_000).map(f64::from).collect());
        for column in 0..10 {
            wide.add_numbers(&format!("feature_{column}"), &numbers, 10_000)
                .unwrap();
        }
        assert!(serde_json::to_vec(&wide).unwrap().len() < 8_192);
        assert!(wide.add_numbers("feature_0", &numbers, 1).is_err());
        assert!(wide.add_numbers("none", &Sample::default(), 1).is_err());
    }
}
