//! One row of figures.

use std::collections::BTreeMap;

use plimsoll_core::decision::{AttemptReason, AttemptRecord, CostBasis};
use plimsoll_core::{Decision, Money};
use serde::Serialize;

use super::pricing::Priced;
use super::unit::{Units, mean};
use super::{Dimension, Traffic};

/// What some decisions cost, and how it is known.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Row {
    /// What it is of: the value of each dimension.
    pub of: BTreeMap<Dimension, String>,
    /// Decisions.
    pub decisions: u64,
    /// Units of work: those of a name together, every other decision by itself.
    pub units: u64,
    /// Of these, whose last decision gave an answer to work with.
    pub accepted: u64,
    /// Of these, without a person.
    pub straight_through: u64,
    /// The share of units that were accepted without a person.
    pub straight_through_rate: Option<f64>,
    /// Reviews that people answered, per unit.
    pub touches_per_unit: Option<f64>,
    /// All that is known of what it cost: measured and estimated.
    pub total: Money,
    /// The total by the number of units.
    pub per_unit: Option<Money>,
    /// The total by the number of accepted units: what one outcome costs, failures included.
    pub per_accepted: Option<Money>,
    /// The median of the units.
    pub p50: Money,
    /// The 95th percentile of the units.
    pub p95: Money,
    /// The dearest unit.
    pub worst: Money,
    /// Units of which something has a cost that nobody knows.
    pub units_with_unknown: u64,
    /// Calls of models.
    pub attempts: u64,
    /// Of these, the same call again.
    pub retries: u64,
    /// What retries cost.
    pub retries_cost: Money,
    /// Of these, to mend an answer.
    pub repairs: u64,
    /// What repairs cost.
    pub repairs_cost: Money,
    /// Of these, of another model as a ladder says.
    pub fallbacks: u64,
    /// What those cost.
    pub fallbacks_cost: Money,
    /// Tokens.
    pub tokens: Tokens,
    /// What providers' caches saved, against reading anew.
    pub cache_saved: Money,
    /// Reviews that people answered.
    pub reviews: u64,
    /// Seconds that people say they worked on them.
    pub review_seconds: u64,
    /// Reviews of which nobody said how long they took.
    pub reviews_untimed: u64,
    /// What reviews cost, where they have a price.
    pub reviews_cost: Money,
    /// Attempts and reviews with a price, by how their cost is known.
    pub basis: BTreeMap<CostBasis, BasisFigures>,
    /// How far estimates lie above the truth.
    pub estimates: Estimates,
    /// What the same cost as recorded, reviews left out.
    pub recorded: Money,
    /// Attempts that were to be priced anew and kept what is recorded, since nobody counted what they used.
    pub kept: u64,
}

/// Tokens, as providers count them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Tokens {
    /// Tokens read.
    pub input: u64,
    /// Of these, from the provider's cache.
    pub cached: u64,
    /// Tokens written.
    pub output: u64,
    /// Of these, while reasoning.
    pub reasoning: u64,
}

/// Attempts of which both is known: what they could cost at the most, as an estimate would have it, and what
/// they cost.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Estimates {
    /// How many.
    pub count: u64,
    /// What they could cost at the most.
    pub at_most: Money,
    /// What they cost.
    pub measured: Money,
    /// How many times the truth such an estimate is, on the average of what was spent.
    pub ratio: Option<f64>,
}

/// What is known in one way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct BasisFigures {
    /// Attempts and reviews.
    pub count: u64,
    /// What they cost; zero where it is unknown.
    pub amount: Money,
}

impl Row {
    pub(super) fn count_attempt(&mut self, attempt: &AttemptRecord, priced: &Priced) {
        let cost = priced.cost.amount;
        self.attempts += 1;
        let counted = match attempt.reason {
            AttemptReason::First => None,
            AttemptReason::Retry => Some((&mut self.retries, &mut self.retries_cost)),
            AttemptReason::Repair => Some((&mut self.repairs, &mut self.repairs_cost)),
            AttemptReason::Ladder => Some((&mut self.fallbacks, &mut self.fallbacks_cost)),
        };
        if let Some((count, sum)) = counted {
            *count += 1;
            *sum += cost;
        }
        if let Some(usage) = &attempt.usage {
            self.tokens.input += usage.input_tokens;
            self.tokens.cached += usage.cached_tokens;
            self.tokens.output += usage.output_tokens;
            self.tokens.reasoning += usage.reasoning_tokens;
        }
        if let Some(at_most) = attempt.at_most
            && attempt.cost.basis == CostBasis::Measured
            && attempt.usage.is_some()
        {
            self.estimates.count += 1;
            self.estimates.at_most += at_most.money;
            self.estimates.measured += attempt.cost.amount;
        }
        self.cache_saved += priced.saved;
        self.kept += u64::from(priced.is_kept);
        self.recorded += attempt.cost.amount;
        self.count_basis(priced.cost.basis, cost);
    }

    pub(super) fn count_review(&mut self, decision: &Decision) {
        self.reviews += 1;
        match decision.worked_seconds {
            Some(seconds) => self.review_seconds += seconds,
            None => self.reviews_untimed += 1,
        }
    }

    pub(super) fn count_basis(&mut self, basis: CostBasis, amount: Money) {
        let figures = self.basis.entry(basis).or_default();
        figures.count += 1;
        figures.amount += amount;
        self.total += amount;
    }

    /// Puts in what units come to, and how it would be with other traffic.
    pub(super) fn close(mut self, mut units: Units, traffic: Traffic) -> Self {
        self.units = units.count();
        self.accepted = units.accepted;
        self.straight_through = units.straight_through;
        self.units_with_unknown = units.with_unknown;
        [self.p50, self.p95, self.worst] = units.spread();
        self.per_unit = mean(self.total, self.units);
        self.per_accepted = mean(self.total, self.accepted);
        self.straight_through_rate = share(self.straight_through, self.units);
        self.touches_per_unit = share(units.touches, self.units);
        self.estimates.ratio = self.estimates.measured_ratio();
        if traffic != Traffic::SAME {
            self.scale(traffic);
        }
        self
    }

    fn scale(&mut self, traffic: Traffic) {
        let counts = [
            &mut self.decisions,
            &mut self.units,
            &mut self.accepted,
            &mut self.straight_through,
            &mut self.units_with_unknown,
            &mut self.attempts,
            &mut self.retries,
            &mut self.repairs,
            &mut self.fallbacks,
            &mut self.tokens.input,
            &mut self.tokens.cached,
            &mut self.tokens.output,
            &mut self.tokens.reasoning,
            &mut self.reviews,
            &mut self.review_seconds,
            &mut self.reviews_untimed,
            &mut self.kept,
        ];
        let amounts = [
            &mut self.total,
            &mut self.retries_cost,
            &mut self.repairs_cost,
            &mut self.fallbacks_cost,
            &mut self.cache_saved,
            &mut self.reviews_cost,
        ];
        let basis = self.basis.values_mut();
        let (mut of_basis, mut sums): (Vec<_>, Vec<_>) =
            basis.map(|b| (&mut b.count, &mut b.amount)).unzip();
        for count in counts.into_iter().chain(of_basis.drain(..)) {
            *count = traffic.count(*count);
        }
        for amount in amounts.into_iter().chain(sums.drain(..)) {
            *amount = traffic.money(*amount);
        }
    }

    /// Attempts and reviews with a price whose cost is known like this, and all of them.
    pub fn known(&self, basis: CostBasis) -> (u64, u64) {
        let count = |figures: &BasisFigures| figures.count;
        let of = self.basis.get(&basis).map_or(0, count);
        (of, self.basis.values().map(count).sum())
    }
}

impl Estimates {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a ratio for people need not be exact"
    )]
    fn measured_ratio(&self) -> Option<f64> {
        let measured = self.measured.as_pico();
        (measured > 0).then(|| self.at_most.as_pico() as f64 / measured as f64)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
