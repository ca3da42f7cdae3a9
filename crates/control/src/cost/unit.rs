//! Units of work as they are gathered, and what they come to.

use plimsoll_core::decision::{Cost, CostBasis};
use plimsoll_core::{Decision, Money, Outcome};

/// What was done for one unit of work, so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unit {
    pub(super) cost: Money,
    /// Whether something of it has a cost that nobody knows.
    pub(super) is_unknown: bool,
    pub(super) is_accepted: bool,
    pub(super) touches: u32,
    /// Whether it waited for a person at all.
    pub(super) was_reviewed: bool,
}

impl Unit {
    pub(super) fn add(&mut self, cost: Cost) {
        self.cost += cost.amount;
        self.is_unknown |= cost.basis == CostBasis::Unknown;
    }

    /// Takes in how a decision of it ended; the last one says whether the unit was accepted.
    pub(super) fn take_in(&mut self, decision: &Decision) {
        self.is_accepted = decision.outcome.is_some_and(is_accepted);
        self.was_reviewed |= decision.review.is_some();
        self.touches += u32::from(decision.outcome == Some(Outcome::Reviewed));
    }
}

/// Whether the caller got an answer to work with: a model's that was cleared, or a person's.
pub(super) const fn is_accepted(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Served | Outcome::Repaired | Outcome::FellBack | Outcome::Reviewed
    )
}

/// What finished units come to.
#[derive(Clone, Debug, Default)]
pub(super) struct Units {
    costs: Vec<Money>,
    pub(super) accepted: u64,
    pub(super) straight_through: u64,
    pub(super) touches: u64,
    pub(super) with_unknown: u64,
}

impl Units {
    pub(super) fn add(&mut self, unit: &Unit) {
        self.costs.push(unit.cost);
        self.accepted += u64::from(unit.is_accepted);
        self.straight_through += u64::from(unit.is_accepted && !unit.was_reviewed);
        self.touches += u64::from(unit.touches);
        self.with_unknown += u64::from(unit.is_unknown);
    }

    pub(super) fn count(&self) -> u64 {
        self.costs.len() as u64
    }

    /// The median, the 95th percentile and the dearest, by nearest rank.
    pub(super) fn spread(&mut self) -> [Money; 3] {
        self.costs.sort_unstable();
        let rank = |percent: usize| {
            let rank = (self.costs.len() * percent).div_ceil(100);
            let found = self.costs.get(rank.saturating_sub(1));
            found.copied().unwrap_or_default()
        };
        [rank(50), rank(95), rank(100)]
    }
}

/// A sum by a number, rounded to the nearest 10⁻¹²; none by none.
pub(super) fn mean(total: Money, count: u64) -> Option<Money> {
    let count = i128::from(count);
    (count > 0).then(|| Money::from_pico((total.as_pico() + count / 2).div_euclid(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_by_nearest_rank() {
        let mut units = Units::default();
        for pico in (1..=100).rev() {
            units.add(&Unit {
                cost: Money::from_pico(pico),
                ..Unit::default()
            });
        }
        assert_eq!(units.spread(), [50, 95, 100].map(Money::from_pico));
        let mut one = Units::default();
        one.add(&Unit::default());
        assert_eq!(one.spread(), [Money::ZERO; 3]);
        assert_eq!(Units::default().spread(), [Money::ZERO; 3]);
        assert_eq!(mean(Money::from_pico(5), 2), Some(Money::from_pico(3)));
        assert_eq!(mean(Money::ZERO, 0), None);
    }
}
