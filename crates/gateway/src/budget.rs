//! The money limits of a system: reserved before a call, settled after it.
//!
//! A reservation is taken in one step over the unit's and the day's limit, so that callers at the
//! same time never overshoot by more than what they reserved. Usage outlives a reload, and a start: it is
//! recovered from the records, also for a limit that an edit or a deployment adds to a system that has
//! spent before. A system's budget is this node's own; what nodes share are limits of the workspace.

use std::collections::HashMap;

use parking_lot::Mutex;
use plimsoll_core::manifest::BudgetSpec;
use plimsoll_core::ports::UnitSpent;
use plimsoll_core::{Code, Money, TenantName, Timestamp};

use crate::refusal::Refusal;

/// How many units of work are remembered; past that, the ones that were spent on longest ago go.
const UNITS_MAX: usize = 100_000;
const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// What a unit goes by here: another tenant's of the same name is another.
pub(crate) fn unit_key(tenant: &TenantName, unit: &str) -> String {
    format!("{tenant} {unit}")
}

/// What one system has spent.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Spending>);

#[derive(Default)]
struct Spending {
    day: i64,
    today: Money,
    units: HashMap<String, (Money, i64)>,
    /// Whether all that was spent today is in it, and all that was on units.
    knows: Known,
}

/// What a ledger has from the records, or lacks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Known {
    /// What was spent today.
    pub day: bool,
    /// What was spent on units of work.
    pub units: bool,
}

/// Money set aside for one decision.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reservation {
    amount: Money,
    unit: Option<String>,
    day: i64,
    limited: bool,
}

impl Reservation {
    /// Nothing limits the system: the amount is only what recovery would charge.
    pub(crate) const fn unlimited(amount: Money) -> Self {
        Self {
            amount,
            unit: None,
            day: 0,
            limited: false,
        }
    }

    /// Whether a ledger holds it.
    pub(crate) const fn is_limited(&self) -> bool {
        self.limited
    }
}

impl Ledger {
    /// A ledger of a system that spent `today` on the UTC day of `now` and so much on these units, as the
    /// records say, as far as they were asked.
    pub(crate) fn recovered(
        today: Option<Money>,
        units: Option<&[UnitSpent]>,
        now: Timestamp,
    ) -> Self {
        let ledger = Self::default();
        ledger.learn(today, units, now);
        ledger
    }

    /// Takes in what the records say: what was counted here meanwhile stands in them too.
    pub(crate) fn learn(&self, today: Option<Money>, units: Option<&[UnitSpent]>, now: Timestamp) {
        let mut spending = self.0.lock();
        spending.begin_day(now);
        if let Some(today) = today {
            spending.today = spending.today.max(today);
            spending.knows.day = true;
        }
        for one in units.unwrap_or_default() {
            let unit = unit_key(&one.tenant, &one.unit);
            let counted = spending.units.get(&unit).map_or(Money::ZERO, |of| of.0);
            let more = (one.spent - counted).max(Money::ZERO);
            spending.add_to_unit(&unit, more, one.last_at);
        }
        spending.knows.units |= units.is_some();
    }

    /// What it lacks for these limits. Where there is no limit nothing is counted, so that it will lack it
    /// when there is one again.
    pub(crate) fn lacks(&self, limits: &BudgetSpec) -> Known {
        let (day, units) = (limits.per_day.is_some(), limits.per_unit.is_some());
        let knows = &mut self.0.lock().knows;
        (knows.day, knows.units) = (knows.day && day, knows.units && units);
        Known {
            day: day && !knows.day,
            units: units && !knows.units,
        }
    }

    /// Sets `estimate` aside, or says which limit stands against it. A decision that belongs to no
    /// named unit of work is one itself; its own attempts have spent `spent_before`.
    pub(crate) fn reserve(
        &self,
        limits: &BudgetSpec,
        (unit, spent_before): (Option<&str>, Money),
        estimate: Money,
        now: Timestamp,
    ) -> Result<Reservation, Refusal> {
        let mut spending = self.0.lock();
        spending.begin_day(now);
        let spent_on_unit = match unit {
            Some(unit) => spending
                .units
                .get(unit)
                .map_or(Money::ZERO, |spent| spent.0),
            None => spent_before,
        };
        over(limits.per_unit, spent_on_unit, estimate, "unit of work")?;
        over(limits.per_day, spending.today, estimate, "day (UTC)")?;
        spending.add(unit, estimate, now);
        Ok(Reservation {
            amount: estimate,
            unit: unit.map(str::to_owned),
            day: spending.day,
            limited: true,
        })
    }

    /// Replaces what was set aside by what was spent.
    pub(crate) fn settle(&self, reservation: &Reservation, spent: Money, now: Timestamp) {
        let mut spending = self.0.lock();
        let difference = spent - reservation.amount;
        if spending.day == reservation.day {
            spending.today += difference;
        }
        if let Some(unit) = &reservation.unit {
            spending.add_to_unit(unit, difference, now);
        }
    }
}

impl Spending {
    fn begin_day(&mut self, now: Timestamp) {
        let day = day_of(now);
        if self.day != day {
            (self.day, self.today) = (day, Money::ZERO);
        }
    }

    fn add(&mut self, unit: Option<&str>, amount: Money, now: Timestamp) {
        self.today += amount;
        if let Some(unit) = unit {
            self.add_to_unit(unit, amount, now);
        }
    }

    fn add_to_unit(&mut self, unit: &str, amount: Money, now: Timestamp) {
        if let Some((spent, at)) = self.units.get_mut(unit) {
            *spent += amount;
            *at = now.as_micros();
            return;
        }
        if self.units.len() >= UNITS_MAX {
            self.forget_the_older_half();
        }
        self.units
            .insert(unit.to_owned(), (amount, now.as_micros()));
    }

    fn forget_the_older_half(&mut self) {
        let mut times: Vec<i64> = self.units.values().map(|(_, at)| *at).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        self.units.retain(|_, (_, at)| *at > median);
    }
}

const fn day_of(now: Timestamp) -> i64 {
    now.as_micros().div_euclid(MICROS_PER_DAY)
}

fn over(limit: Option<Money>, spent: Money, estimate: Money, what: &str) -> Result<(), Refusal> {
    match limit {
        Some(limit) if spent + estimate > limit => {
            let left = (limit - spent).max(Money::ZERO);
            let message = format!(
                "the budget per {what} is {limit}: {left} is left and this request may cost {estimate}"
            );
            Err(Refusal::new(Code::BudgetExceeded, message))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_773_478_920_000_000);

    fn limits(per_unit: &str, per_day: &str) -> BudgetSpec {
        BudgetSpec {
            per_unit: per_unit.parse().ok(),
            per_day: per_day.parse().ok(),
        }
    }

    #[test]
    fn what_was_reserved_and_not_spent_is_free_again() {
        let (ledger, limits) = (Ledger::default(), limits("", "1"));
        let reservation = ledger
            .reserve(&limits, (None, Money::ZERO), "0.9".parse().unwrap(), NOW)
            .unwrap();
        assert!(
            ledger
                .reserve(&limits, (None, Money::ZERO), "0.2".parse().unwrap(), NOW)
                .is_err()
        );
        ledger.settle(&reservation, "0.1".parse().unwrap(), NOW);
        assert!(
            ledger
                .reserve(&limits, (None, Money::ZERO), "0.9".parse().unwrap(), NOW)
                .is_ok()
        );
    }

    #[test]
    fn a_unit_is_bounded_by_itself_and_a_new_day_begins_at_nothing() {
        let (ledger, limits) = (Ledger::default(), limits("0.5", "1"));
        let half: Money = "0.5".parse().unwrap();
        assert!(
            ledger
                .reserve(&limits, (Some("a"), Money::ZERO), half, NOW)
                .is_ok()
        );
        let refusal = ledger
            .reserve(&limits, (Some("a"), Money::ZERO), half, NOW)
            .unwrap_err();
        assert_eq!(refusal.code, Code::BudgetExceeded);
        assert!(
            refusal.message.contains("unit of work"),
            "{}",
            refusal.message
        );
        assert!(
            ledger
                .reserve(&limits, (Some("b"), Money::ZERO), half, NOW)
                .is_ok()
        );
        assert!(
            ledger
                .reserve(&limits, (Some("c"), Money::ZERO), half, NOW)
                .is_err(),
            "the day is spent"
        );
        let tomorrow = NOW.plus(std::time::Duration::from_secs(86_400));
        assert!(
            ledger
                .reserve(&limits, (Some("c"), Money::ZERO), half, tomorrow)
                .is_ok()
        );
    }

    #[test]
    fn what_a_unit_spent_before_a_start_counts_on() {
        let of = |name: &str| UnitSpent {
            tenant: TenantName::new(name).unwrap(),
            unit: "ticket-7".into(),
            spent: "0.4".parse().unwrap(),
            last_at: NOW,
        };
        let ledger = Ledger::recovered(None, Some(&[of("acme")]), NOW);
        let limits = limits("0.5", "");
        let some: Money = "0.2".parse().unwrap();
        let reserve = |tenant: &str, estimate| {
            let unit = unit_key(&TenantName::new(tenant).unwrap(), "ticket-7");
            ledger.reserve(&limits, (Some(&unit), Money::ZERO), estimate, NOW)
        };
        assert!(reserve("acme", some).is_err());
        assert!(reserve("acme", "0.1".parse().unwrap()).is_ok());
        assert!(reserve("other", some).is_ok(), "another's ticket");
    }

    #[test]
    fn a_limit_that_comes_later_lacks_what_was_spent_before_until_it_is_told() {
        let (ledger, none) = (Ledger::default(), limits("", ""));
        assert_eq!(ledger.lacks(&none), Known::default());
        let both = limits("0.5", "1");
        let all = Known {
            day: true,
            units: true,
        };
        assert_eq!(ledger.lacks(&both), all);
        let some: Money = "0.2".parse().unwrap();
        let unit = unit_key(&TenantName::new("acme").unwrap(), "ticket-7");
        let reserve = |estimate| ledger.reserve(&both, (Some(&unit), Money::ZERO), estimate, NOW);
        assert!(reserve(some).is_ok());
        let told = UnitSpent {
            tenant: TenantName::new("acme").unwrap(),
            unit: "ticket-7".into(),
            spent: "0.4".parse().unwrap(),
            last_at: NOW,
        };
        ledger.learn("0.9".parse().ok(), Some(&[told]), NOW);
        assert_eq!(ledger.lacks(&both), Known::default());
        assert!(reserve(some).is_err() && reserve("0.1".parse().unwrap()).is_ok());
        ledger.lacks(&none);
        assert_eq!(ledger.lacks(&both), all, "nothing was counted meanwhile");
    }

    #[test]
    fn a_decision_without_a_named_unit_is_one_itself() {
        let (ledger, limits) = (Ledger::default(), limits("0.5", ""));
        let some: Money = "0.3".parse().unwrap();
        assert!(
            ledger
                .reserve(&limits, (None, Money::ZERO), some, NOW)
                .is_ok()
        );
        assert!(
            ledger.reserve(&limits, (None, some), some, NOW).is_err(),
            "its retry is one too many"
        );
    }

    proptest! {
        #[test]
        fn reservations_never_pass_the_limit(estimates in proptest::collection::vec(1..400_i128, 1..60)) {
            let (ledger, limits) = (Ledger::default(), limits("", "0.000000001"));
            let granted: Money = estimates
                .into_iter()
                .filter_map(|e| ledger.reserve(&limits, (None, Money::ZERO), Money::from_pico(e), NOW).ok())
                .map(|reservation| reservation.amount)
                .sum();
            prop_assert!(granted <= Money::from_pico(1000));
        }
    }
}
