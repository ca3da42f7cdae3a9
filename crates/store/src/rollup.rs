//! What is counted of decisions, minute by minute and hour by hour, so that figures over a month cost the
//! same whether a thousand decisions were made in it or a thousand million.
//!
//! A [`Rollup`] adds up, and what was added can be taken back. So the rollups follow the rows exactly: who
//! writes a row adds what it counts for and takes back what the row before it counted for. Decisions of
//! drills count for nothing.

mod changes;
mod sample;
mod sketch;

use std::collections::BTreeMap;

use plimsoll_core::decision::CostBasis;
use plimsoll_core::{FailureKind, Money, Outcome, Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) use changes::{Changes, Span, Unit, UnitTotal, Width};
pub(crate) use sample::{Sample, pico, skipped, tokens};
pub use sketch::Sketch;

/// What decisions count for together: those of a minute, of an hour, of any time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rollup {
    /// How many, and sums.
    pub counts: Counts,
    /// Microseconds from opening to closing, of closed decisions.
    pub latency: Sketch,
    /// What units of work cost, in 10⁻¹² of the currency. A unit with a name stands where its last
    /// decision stands, with all that it cost; a decision without one is a unit of its own. Ends at
    /// about eighteen million of the currency for one unit.
    pub cost: Sketch,
}

/// Counts and sums over decisions. What is missing in a map is 0.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Decisions, open ones too.
    pub decisions: i64,
    /// Of these, not closed yet.
    pub open: i64,
    /// Closed decisions by outcome.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes: BTreeMap<Outcome, i64>,
    /// Decisions by the kind of their first failure.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<FailureKind, i64>,
    /// Closed decisions that had to be answered: all but those that were refused because their input was
    /// malformed or adversarial, and those whose caller went away.
    pub answerable: i64,
    /// Of these, answered.
    pub answered: i64,
    /// Decisions that have a cost (closed, or waiting for a person), by how it is known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bases: BTreeMap<CostBasis, i64>,
    /// What they cost.
    pub cost: Money,
    /// Calls to models.
    pub attempts: i64,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Configured controls that did not run.
    pub skipped_controls: i64,
    /// Decisions of which at least one configured control did not run.
    pub with_skipped_controls: i64,
    /// When the first was opened; it stands though that one was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// When the last was opened; likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
}

impl Rollup {
    /// Adds all that `other` has.
    pub fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        self.latency.merge(&other.latency);
        self.cost.merge(&other.cost);
    }

    /// Whether nothing was added that was not taken back.
    pub fn is_empty(&self) -> bool {
        let nothing = Counts {
            first_at: self.counts.first_at,
            last_at: self.counts.last_at,
            ..Counts::default()
        };
        self.counts == nothing && self.latency.is_empty() && self.cost.is_empty()
    }

    /// Adds one decision, `times` times; its unit of work only if that has no name.
    fn add(&mut self, sample: &Sample, times: i64) {
        self.counts.add(sample, times);
        if let (Some(_), Some(micros)) = (sample.outcome, sample.micros) {
            self.latency.add(micros, times);
        }
        if sample.has_cost && sample.unit.is_none() {
            self.cost.add(clamped(i128::from(sample.cost)), times);
        }
    }

    /// Adds one unit of work with a name, `times` times.
    pub(crate) fn add_unit(&mut self, total: UnitTotal, times: i64) {
        self.cost.add(clamped(total.cost.as_pico()), times);
    }
}

impl Counts {
    fn merge(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.decisions, other.decisions),
            (&mut self.open, other.open),
            (&mut self.answerable, other.answerable),
            (&mut self.answered, other.answered),
            (&mut self.attempts, other.attempts),
            (&mut self.input_tokens, other.input_tokens),
            (&mut self.output_tokens, other.output_tokens),
            (&mut self.skipped_controls, other.skipped_controls),
            (&mut self.with_skipped_controls, other.with_skipped_controls),
        ] {
            *mine = mine.saturating_add(theirs);
        }
        merge_map(&mut self.outcomes, &other.outcomes);
        merge_map(&mut self.kinds, &other.kinds);
        merge_map(&mut self.bases, &other.bases);
        self.cost += other.cost;
        self.first_at = earlier(self.first_at, other.first_at);
        self.last_at = self.last_at.max(other.last_at);
    }

    fn add(&mut self, sample: &Sample, times: i64) {
        self.decisions += times;
        match sample.outcome {
            Some(outcome) => {
                add_to(&mut self.outcomes, outcome, times);
                self.answered += i64::from(outcome.is_answered()) * times;
                self.answerable += i64::from(had_to_be_answered(outcome, sample.kind)) * times;
            }
            None => self.open += times,
        }
        if let Some(kind) = sample.kind {
            add_to(&mut self.kinds, kind, times);
        }
        if sample.has_cost {
            add_to(&mut self.bases, sample.basis, times);
            self.cost += Money::from_pico(i128::from(sample.cost) * i128::from(times));
        }
        self.attempts += sample.attempts * times;
        self.input_tokens += sample.input_tokens.saturating_mul(times);
        self.output_tokens += sample.output_tokens.saturating_mul(times);
        self.skipped_controls += sample.skipped * times;
        self.with_skipped_controls += i64::from(sample.skipped > 0) * times;
        self.first_at = earlier(self.first_at, Some(sample.opened_at));
        self.last_at = self.last_at.max(Some(sample.opened_at));
    }
}

/// Refusing what is malformed or means harm is the designed answer, and nobody waits for the answer to
/// a cancelled request.
fn had_to_be_answered(outcome: Outcome, kind: Option<FailureKind>) -> bool {
    match outcome {
        Outcome::Refused => !kind.is_some_and(FailureKind::is_about_input),
        Outcome::Cancelled => false,
        _ => true,
    }
}

fn add_to<K: Ord + Copy>(map: &mut BTreeMap<K, i64>, key: K, by: i64) {
    let count = map.entry(key).or_default();
    *count = count.saturating_add(by);
    if *count == 0 {
        map.remove(&key);
    }
}

fn merge_map<K: Ord + Copy>(mine: &mut BTreeMap<K, i64>, theirs: &BTreeMap<K, i64>) {
    for (key, count) in theirs {
        add_to(mine, *key, *count);
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// An amount as sketches hold it.
fn clamped(pico: i128) -> u64 {
    u64::try_from(pico.max(0)).unwrap_or(u64::MAX)
}
