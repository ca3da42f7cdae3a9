//! What a column of a file holds.

use std::collections::BTreeMap;

use plimsoll_stats::drift::Sample;
use plimsoll_stats::text::{Gathered, Part};

/// The most different texts of a column that are counted one by one.
pub const CATEGORIES_MAX: usize = 10_000;

/// Texts that are nearly all different are free text from so many words on, on average, and ids below.
const WORDS_MIN: f64 = 2.0;
const FEW_WORDS_MIN: f64 = 4.0;

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
    /// What is counted of every text, once there are too many different ones.
    gathered: Option<Box<Gathered>>,
}

impl Texts {
    /// Counts a text.
    pub fn add(&mut self, text: &str) {
        self.add_many(text, 1);
    }

    /// Counts a text several times.
    pub fn add_many(&mut self, text: &str, times: u64) {
        if let Some(gathered) = &mut self.gathered {
            gathered.add(text, times);
        }
        if let Some(count) = self.counts.get_mut(text) {
            *count += times;
        } else if self.counts.len() < CATEGORIES_MAX {
            self.counts.insert(text.to_owned(), times);
        } else {
            if self.gathered.is_none() {
                let mut gathered = self.gathered();
                gathered.add(text, times);
                self.gathered = Some(Box::new(gathered));
            }
            self.beyond += times;
        }
    }

    /// What is counted of the texts, whatever they are.
    pub fn gathered(&self) -> Gathered {
        if let Some(gathered) = &self.gathered {
            return (**gathered).clone();
        }
        let mut gathered = Gathered::default();
        for (text, times) in &self.counts {
            gathered.add(text, *times);
        }
        gathered
    }

    /// Whether they are free text: nearly each its own, and of several words. Where there are few of them, of more: a
    /// handful of names is no free text, and a handful of questions is.
    pub fn is_free_text(&self) -> bool {
        let are_few = !self.is_like_an_id();
        if are_few && 2 * self.counts.len() as u64 <= self.present() {
            return false;
        }
        let words = if are_few { FEW_WORDS_MIN } else { WORDS_MIN };
        self.gathered().mean_words() >= words
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

/// What is counted of free text, each as a column of its own.
pub(super) fn counted_texts(texts: &Texts) -> Vec<(Part, Cells)> {
    let (gathered, missing) = (texts.gathered(), texts.missing());
    let part = |part: Part| {
        let cells = match gathered.numbers(part) {
            Some(values) => Cells::Numbers(values.with_missing(missing)),
            None => {
                let mut kinds = Texts::default();
                for (kind, times) in gathered.categories(part).unwrap_or_default() {
                    kinds.add_many(&kind, times);
                }
                kinds.add_missing(missing);
                Cells::Texts(kinds)
            }
        };
        (part, cells)
    };
    Part::ALL.into_iter().map(part).collect()
}
