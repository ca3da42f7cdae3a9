//! What a column of a file holds.

use std::collections::BTreeMap;

use plimsoll_stats::drift::Sample;

/// The most different texts of a column that are counted one by one.
pub const CATEGORIES_MAX: usize = 10_000;

/// The cells of one column.
#[derive(Clone, PartialEq, Debug)]
pub enum Cells {
    /// Numbers, and nothing else but missing cells.
    Numbers(Sample),
    /// Texts.
    Texts(Texts),
    /// Times, which move by themselves.
    Times,
    /// Something that has no order and no equality to compare by, or that could not be read: why.
    Unreadable(String),
}

/// How often each text occurs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Texts {
    counts: BTreeMap<String, u64>,
    /// Rows with a text beyond the first [`CATEGORIES_MAX`] different ones.
    beyond: u64,
    missing: u64,
}

impl Texts {
    /// Counts a text.
    pub fn add(&mut self, text: &str) {
        self.add_many(text, 1);
    }

    /// Counts a text several times.
    pub fn add_many(&mut self, text: &str, times: u64) {
        if let Some(count) = self.counts.get_mut(text) {
            *count += times;
        } else if self.counts.len() < CATEGORIES_MAX {
            self.counts.insert(text.to_owned(), times);
        } else {
            self.beyond += times;
        }
    }

    /// Counts rows without a text.
    pub fn add_missing(&mut self, rows: u64) {
        self.missing += rows;
    }

    /// How many rows have each text.
    pub const fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    /// How many rows have one.
    pub fn present(&self) -> u64 {
        self.counts.values().sum::<u64>() + self.beyond
    }

    /// How many have none.
    pub const fn missing(&self) -> u64 {
        self.missing
    }

    /// Whether nearly every row has a text of its own, or there are too many different ones to count: an id
    /// or free text, whose shares mean nothing.
    pub fn is_like_an_id(&self) -> bool {
        self.beyond > 0 || (self.present() >= 100 && 2 * self.counts.len() as u64 > self.present())
    }
}

impl Cells {
    /// How many rows have a value.
    pub fn present(&self) -> u64 {
        match self {
            Self::Numbers(sample) => sample.len() as u64,
            Self::Texts(texts) => texts.present(),
            Self::Times | Self::Unreadable(_) => 0,
        }
    }

    /// How many rows have none.
    pub fn missing(&self) -> u64 {
        match self {
            Self::Numbers(sample) => sample.missing(),
            Self::Texts(texts) => texts.missing(),
            Self::Times | Self::Unreadable(_) => 0,
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        match self {
            Self::Numbers(sample) => sample.rows(),
            Self::Texts(texts) => texts.present() + texts.missing(),
            Self::Times | Self::Unreadable(_) => 0,
        }
    }

    /// What kind it is, in a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Numbers(_) => "numbers",
            Self::Texts(_) => "texts",
            Self::Times => "times",
            Self::Unreadable(_) => "unreadable",
        }
    }
}
