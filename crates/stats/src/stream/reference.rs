//! What a window is compared with: for each column, bins and how many reference values fell into each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::drift::{Cuts, Sample, bins_for};
use crate::estimate::Confidence;
use crate::text::{Gathered, Part};
use crate::unusable::Unusable;

/// The most columns of a reference.
pub const COLUMNS_MAX: usize = 1_000;

/// The most categories of a column that have a count of their own; the rarest of the others share one.
pub const CATEGORIES_MAX: usize = 64;

/// The longest name of a category that has a count of its own, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// Why there is no reference.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReferenceError {
    /// A column has nothing to compare with.
    #[error("column `{column}` cannot be a reference: {why}")]
    Column {
        /// Which.
        column: String,
        /// What is wrong with it.
        why: Unusable,
    },
    /// Two columns have one name.
    #[error("column `{0}` is there twice: leave one out")]
    Twice(String),
    /// There are more columns than [`COLUMNS_MAX`].
    #[error("{0} columns are too many: the limit is {COLUMNS_MAX}")]
    TooMany(usize),
}

/// The reference: columns in the order of the rows' values.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Reference {
    columns: Vec<(String, ReferenceColumn)>,
    /// What the model's confidence is worth, if the rows said what was true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confidence: Option<Confidence>,
}

/// One column of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ReferenceColumn {
    /// Of numbers.
    Number(NumberColumn),
    /// Of categories.
    Category(CategoryColumn),
}

/// A column of numbers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NumberColumn {
    /// Where bins meet.
    pub cuts: Cuts,
    /// How many values fell into each bin.
    pub counts: Vec<u64>,
    /// The least and the greatest value.
    pub range: (f64, f64),
    /// How many rows had no finite number.
    pub missing: u64,
}

/// A column of categories.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CategoryColumn {
    /// The categories in order of their names.
    pub names: Vec<String>,
    /// How many rows had each, and at the end how many had one that is not named.
    pub counts: Vec<u64>,
    /// How many rows had none.
    pub missing: u64,
}

impl CategoryColumn {
    /// The place of a category's count.
    pub fn place(&self, name: &str) -> usize {
        let found = self
            .names
            .binary_search_by(|known| known.as_str().cmp(name));
        found.unwrap_or(self.names.len())
    }
}

impl Reference {
    /// Adds a column of numbers, whose windows will have about `window` rows.
    pub fn add_numbers(
        &mut self,
        name: &str,
        values: &Sample,
        window: u64,
    ) -> Result<(), ReferenceError> {
        let refused = |why| ReferenceError::Column {
            column: name.to_owned(),
            why,
        };
        let cuts = Cuts::of(values, bins_for(values.len() as u64, window)).map_err(refused)?;
        let range = values.range().ok_or(refused(Unusable::Empty))?;
        let column = NumberColumn {
            counts: cuts.counts(values),
            cuts,
            range,
            missing: values.missing() + values.infinite(),
        };
        self.add(name, ReferenceColumn::Number(column))
    }

    /// Adds a column of categories: how many rows had each, and how many had none.
    pub fn add_categories(
        &mut self,
        name: &str,
        counts: &BTreeMap<String, u64>,
        missing: u64,
    ) -> Result<(), ReferenceError> {
        if counts.values().all(|count| *count == 0) {
            return Err(ReferenceError::Column {
                column: name.to_owned(),
                why: Unusable::Empty,
            });
        }
        let named = counts
            .iter()
            .filter(|(name, _)| name.len() <= NAME_BYTES_MAX);
        let mut named: Vec<(&String, &u64)> = named.collect();
        named.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        named.truncate(CATEGORIES_MAX);
        named.sort();
        let all: u64 = counts.values().sum();
        let known: u64 = named.iter().map(|(_, count)| **count).sum();
        let column = CategoryColumn {
            names: named.iter().map(|(name, _)| (*name).clone()).collect(),
            counts: named
                .iter()
                .map(|(_, count)| **count)
                .chain([all - known])
                .collect(),
            missing,
        };
        self.add(name, ReferenceColumn::Category(column))
    }

    /// Adds columns of texts that are no categories: what is counted of them, each as a column of its own.
    pub fn add_texts(
        &mut self,
        name: &str,
        texts: &Gathered,
        (missing, window): (u64, u64),
    ) -> Result<(), ReferenceError> {
        for part in Part::ALL {
            let column = part.column(name);
            if let Some(counts) = texts.categories(part) {
                self.add_categories(&column, &counts, missing)?;
            } else if let Some(values) = texts.numbers(part) {
                self.add_numbers(&column, &values.with_missing(missing), window)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &str, column: ReferenceColumn) -> Result<(), ReferenceError> {
        if self.columns.iter().any(|(known, _)| known == name) {
            return Err(ReferenceError::Twice(name.to_owned()));
        }
        if self.columns.len() == COLUMNS_MAX {
            return Err(ReferenceError::TooMany(COLUMNS_MAX + 1));
        }
        self.columns.push((name.to_owned(), column));
        Ok(())
    }

    /// The columns whose name is wanted, in order.
    #[must_use]
    pub fn part(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let wanted = self.columns.iter().filter(|(name, _)| wanted(name));
        Self {
            columns: wanted.cloned().collect(),
            confidence: None,
        }
    }

    /// Says what the model's confidence is worth.
    pub fn set_confidence(&mut self, confidence: Confidence) {
        self.confidence = Some(confidence);
    }

    /// What the model's confidence is worth, if that is known.
    pub const fn confidence(&self) -> Option<&Confidence> {
        self.confidence.as_ref()
    }

    /// The columns with their names, in order.
    pub fn columns(&self) -> &[(String, ReferenceColumn)] {
        &self.columns
    }
}
