//! The figures that the bar is held against: one system, one environment, since one moment.
//!
//! These are figures, not judgements. Decisions of drills count in none of them. All are read in one
//! transaction, so that they agree with each other. What is counted of decisions comes from
//! [rollups](crate::rollup): it costs the same however many there are, and what was let go counts on.

mod figures;

use std::collections::BTreeMap;

use plimsoll_core::decision::CostBasis;
use plimsoll_core::record::{Drill, RunbookRun};
use plimsoll_core::{Code, EnvironmentName, FailureKind, Money, Outcome, SystemName, Timestamp};

use crate::database::{Scope, Way};
use crate::deployments::{CurrentDeployment, deployed};
use crate::error::StoreError;
use crate::figures::{Window, merged};
use crate::releases::known;
use crate::rollup::Rollup;
use crate::store::Store;

/// What the projection says of one system in one environment since one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct BarFacts {
    /// Which system.
    pub system: SystemName,
    /// Where.
    pub environment: EnvironmentName,
    /// From when: in a minute with more than ten thousand decisions, from its beginning.
    pub since: Timestamp,
    /// When these figures were read.
    pub read_at: Timestamp,
    /// Decisions opened since then, open ones too.
    pub decisions: u64,
    /// Of these, not closed yet.
    pub open: u64,
    /// Closed decisions by outcome; what is missing is 0.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Decisions by the kind of their first failure; what is missing is 0.
    pub kinds: BTreeMap<FailureKind, u64>,
    /// Requests that were shed or refused without a decision each, by code.
    pub uncounted: BTreeMap<Code, u64>,
    /// Closed decisions, and requests without a decision, that had to be answered: all but those that
    /// were refused because their input was malformed or adversarial, and those whose caller went away.
    pub answerable: u64,
    /// Of these, answered.
    pub answered: u64,
    /// Decisions whose release's manifest is known.
    pub with_known_release: u64,
    /// Decisions of which at least one configured control did not run.
    pub with_skipped_controls: u64,
    /// Configured controls that did not run.
    pub skipped_controls: u64,
    /// What it cost.
    pub cost: CostFacts,
    /// What waits for a person now, whenever it was opened.
    pub reviews: ReviewFacts,
    /// The last drill of each kind that was ever drilled, whenever it was.
    pub drills: BTreeMap<FailureKind, Drill>,
    /// The last run of the runbook, whenever it was.
    pub runbook_run: Option<RunbookRun>,
    /// When the first of the decisions was opened.
    pub first_decision_at: Option<Timestamp>,
    /// When the last of the decisions was opened.
    pub last_decision_at: Option<Timestamp>,
    /// What is deployed, and since when.
    pub deployment: Option<CurrentDeployment>,
}

/// What decisions cost per unit of work: of those that are closed or wait for a person. A decision
/// without a named unit is a unit of its own; a unit with a name counts if its last decision does, with
/// all that it cost. Percentiles and the dearest are less than 1 % off, and exact where costs are equal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CostFacts {
    /// Units of work.
    pub units: u64,
    /// The sum.
    pub total: Money,
    /// The sum by the number of units, rounded to the nearest 10⁻¹².
    pub mean: Money,
    /// The median of the units (nearest rank).
    pub p50: Money,
    /// The 95th percentile of the units (nearest rank).
    pub p95: Money,
    /// The dearest unit; like the percentiles it ends at about eighteen million of the currency.
    pub max: Money,
    /// Decisions whose cost is measured.
    pub measured: u64,
    /// Decisions whose cost is our own estimate.
    pub estimated: u64,
    /// Decisions whose cost nobody knows; they count as 0 in the sums.
    pub unknown: u64,
}

/// Reviews that wait now; those of drills are left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReviewFacts {
    /// How many wait.
    pub open: u64,
    /// Of these, overdue.
    pub overdue: u64,
    /// When the first of them is due.
    pub first_due_at: Option<Timestamp>,
}

impl BarFacts {
    /// The share of requests that were answered, of those that had to be: the availability. None if
    /// there were none.
    pub fn answered_share(&self) -> Option<f64> {
        share(self.answered, self.answerable)
    }

    /// The share of decisions with a known release.
    pub fn known_release_share(&self) -> Option<f64> {
        share(self.with_known_release, self.decisions)
    }

    /// The number of decisions with this outcome.
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }
}

impl CostFacts {
    fn of(rollup: &Rollup) -> Self {
        let counts = &rollup.counts;
        let units = rollup.cost.count();
        let of_unit = |pico: Option<u64>| Money::from_pico(i128::from(pico.unwrap_or(0)));
        let known = |basis| natural(counts.bases.get(&basis).copied().unwrap_or(0));
        Self {
            units,
            total: counts.cost,
            mean: mean(counts.cost, units),
            p50: of_unit(rollup.cost.percentile(50)),
            p95: of_unit(rollup.cost.percentile(95)),
            max: of_unit(rollup.cost.max()),
            measured: known(CostBasis::Measured),
            estimated: known(CostBasis::Estimated),
            unknown: known(CostBasis::Unknown),
        }
    }

    /// The share of decisions whose cost is measured.
    pub fn measured_share(&self) -> Option<f64> {
        share(self.measured, self.measured + self.estimated + self.unknown)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(total: Money, units: u64) -> Money {
    let units = i128::from(units);
    if units == 0 {
        return Money::ZERO;
    }
    Money::from_pico((total.as_pico() + units / 2).div_euclid(units))
}

impl Store {
    /// The figures of `system` in `environment` over decisions opened at `since` or later.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn bar_facts(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
        since: Timestamp,
    ) -> Result<BarFacts, StoreError> {
        let now = self.clock.now();
        let mut snapshot = self.begin(Way::Read, Scope::Installation, READING).await?;
        let window = Window::since(&mut snapshot, system, environment, since).await?;
        let rollups = window.by_release(&mut snapshot).await?;
        let known = known(&mut snapshot, system).await?;
        let counts = merged(rollups.values());
        let with_known_release = rollups
            .iter()
            .filter(|(release, _)| known.contains(release))
            .map(|(_, rollup)| natural(rollup.counts.decisions))
            .sum();
        let uncounted = figures::uncounted(&mut snapshot, window).await?;
        let reviews = figures::reviews(&mut snapshot, window, now).await?;
        let drills = figures::last_drills(&mut snapshot, window).await?;
        let runbook_run = figures::last_runbook_run(&mut snapshot, window).await?;
        let deployment = deployed(&mut snapshot, system, environment).await?;
        snapshot.commit().await?;
        let refused: u64 = uncounted
            .iter()
            .filter(|(code, _)| code.kind().is_some_and(|kind| !kind.is_about_input()))
            .map(|(_, count)| count)
            .sum();
        let cost = CostFacts::of(&counts);
        let counts = counts.counts;
        Ok(BarFacts {
            system: system.clone(),
            environment: environment.clone(),
            since: window.since,
            read_at: now,
            decisions: natural(counts.decisions),
            open: natural(counts.open),
            outcomes: naturals(counts.outcomes),
            kinds: naturals(counts.kinds),
            uncounted,
            answerable: natural(counts.answerable) + refused,
            answered: natural(counts.answered),
            with_known_release,
            with_skipped_controls: natural(counts.with_skipped_controls),
            skipped_controls: natural(counts.skipped_controls),
            cost,
            reviews,
            drills,
            runbook_run,
            first_decision_at: counts.first_at,
            last_decision_at: counts.last_at,
            deployment,
        })
    }
}

const READING: &str = "read the bar's figures";

/// A count, which is never below zero.
fn natural(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

fn naturals<K: Ord>(counts: BTreeMap<K, i64>) -> BTreeMap<K, u64> {
    counts
        .into_iter()
        .map(|(key, count)| (key, natural(count)))
        .collect()
}
