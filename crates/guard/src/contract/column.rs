//! The columns of a flat row.

use std::collections::{HashMap, HashSet};

use plimsoll_core::manifest::{CategoryPolicy, MissingPolicy};
use serde_json::Value;

use super::JsonContract;

/// One column.
#[derive(Clone, PartialEq, Debug)]
pub struct Column {
    /// The member's key.
    pub name: String,
    /// What its values are.
    pub kind: ColumnType,
    /// Whether the model may be handed a missing value in it.
    pub nullable: bool,
    /// The known categories, if the schema lists them.
    pub categories: Option<Vec<Value>>,
}

/// What a column's values are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ColumnType {
    /// Numbers.
    Number,
    /// Whole numbers; `1.0` is one.
    Integer,
    /// Texts.
    String,
    /// `true` and `false`.
    Boolean,
    /// The schema does not say.
    Any,
}

impl ColumnType {
    /// The type as JSON Schema names it; `any` for one that it does not.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Integer => "integer",
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Any => "any",
        }
    }
}

/// All columns, and what goes for the whole row.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    /// What is checked, in the order of `columns`.
    pub(super) checks: Vec<Check>,
    pub(super) index: HashMap<String, usize>,
    pub(super) extra: Extra,
    /// Everything in the schema that the columns do not cover.
    pub(super) rest: Option<JsonContract>,
}

/// What happens to a field that is no column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Extra {
    Refuse,
    Drop,
    /// The schema says that there may be others.
    Keep,
}

/// What is checked of one column.
#[derive(Debug)]
pub(super) struct Check {
    /// When the member is absent.
    pub(super) absent: OnMissing,
    /// When the member is `null`.
    pub(super) null: OnMissing,
    /// Whether the schema, as far as the column knows it, admits `null`.
    pub(super) allows_null: bool,
    pub(super) range: Option<Range>,
    pub(super) out_of_range: CategoryPolicy,
    pub(super) categories: Option<Categories>,
    pub(super) unknown_category: CategoryPolicy,
    /// Whether a value of another type is read as one of the column's where nothing is lost.
    pub(super) coerces: bool,
}

/// What happens to a missing value.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum OnMissing {
    Refuse,
    Unsure,
    Allow,
    Impute(Value),
}

impl OnMissing {
    /// What `policy` does, if the schema `allows` the value to be missing.
    pub(super) fn new(policy: Policy, allows: bool, impute: Option<&Value>) -> Self {
        match (policy.missing, impute) {
            (MissingPolicy::Impute, Some(value)) => Self::Impute(value.clone()),
            (MissingPolicy::Unsure, _) if policy.is_own || !allows => Self::Unsure,
            (MissingPolicy::Refuse, _) if policy.is_own || !allows => Self::Refuse,
            (MissingPolicy::Impute, None) if !allows => Self::Refuse,
            _ => Self::Allow,
        }
    }
}

/// A missing policy, and whether it is the column's own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    pub(super) missing: MissingPolicy,
    pub(super) is_own: bool,
}

/// The bounds of a number.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) low_open: bool,
    pub(super) high: f64,
    pub(super) high_open: bool,
}

impl Range {
    /// Every number.
    pub(super) const ALL: Self = Self {
        low: f64::NEG_INFINITY,
        low_open: false,
        high: f64::INFINITY,
        high_open: false,
    };

    pub(super) fn contains(&self, number: f64) -> bool {
        let is_above = number > self.low || (number == self.low && !self.low_open);
        let is_below = number < self.high || (number == self.high && !self.high_open);
        is_above && is_below
    }

    /// Narrows it from below.
    pub(super) fn at_least(&mut self, low: f64, open: bool) {
        if low > self.low || (low == self.low && open) {
            (self.low, self.low_open) = (low, open);
        }
    }

    /// Narrows it from above.
    pub(super) fn at_most(&mut self, high: f64, open: bool) {
        if high < self.high || (high == self.high && open) {
            (self.high, self.high_open) = (high, open);
        }
    }

    /// In words, as in `at least 0 and below 120`.
    pub(super) fn words(&self) -> String {
        let mut words = Vec::new();
        if self.low.is_finite() {
            let bound = if self.low_open { "above" } else { "at least" };
            words.push(format!("{bound} {}", self.low));
        }
        if self.high.is_finite() {
            let bound = if self.high_open { "below" } else { "at most" };
            words.push(format!("{bound} {}", self.high));
        }
        words.join(" and ")
    }
}

/// The known categories, for looking up.
#[derive(Debug)]
pub(super) struct Categories {
    texts: Texts,
    others: Vec<Value>,
}

#[derive(Debug)]
enum Texts {
    Few(Vec<String>),
    Many(HashSet<String>),
}

impl Categories {
    pub(super) fn new(values: &[Value]) -> Self {
        const FEW_MAX: usize = 8;
        let texts: Vec<String> = values
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let others = values.iter().filter(|value| !value.is_string());
        Self {
            others: others.cloned().collect(),
            texts: if texts.len() <= FEW_MAX {
                Texts::Few(texts)
            } else {
                Texts::Many(texts.into_iter().collect())
            },
        }
    }

    pub(super) fn contains_text(&self, text: &str) -> bool {
        match &self.texts {
            Texts::Few(texts) => texts.iter().any(|known| known == text),
            Texts::Many(texts) => texts.contains(text),
        }
    }

    pub(super) fn contains(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.contains_text(text),
            Value::Number(number) => {
                let same = |other: &Value| other.as_f64() == number.as_f64();
                self.others
                    .iter()
                    .any(|other| other.is_number() && same(other))
            }
            _ => self.others.contains(value),
        }
    }
}
