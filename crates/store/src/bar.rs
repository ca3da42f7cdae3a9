//! The figures that the bar is held against: one system, one environment, since one moment.
//!
//! These are figures, not judgements. Decisions of drills count in none of them. All are read in one
//! transaction, so that they agree with each other.

mod figures;

use std::collections::BTreeMap;

use plimsoll_core::record::{Drill, RunbookRun};
use plimsoll_core::{Code, EnvironmentName, FailureKind, Money, Outcome, SystemName, Timestamp};

use crate::error::{Doing as _, StoreError};
use crate::releases::{CurrentDeployment, deployed};
use crate::store::Store;

/// What the projection says of one system in one environment since one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct BarFacts {
    /// Which system.
    pub system: SystemName,
    /// Where.
    pub environment: EnvironmentName,
    /// From when.
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
/// without a named unit is a unit of its own.
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
    /// The dearest unit; like the percentiles it ends at about nine million of the currency.
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
    /// The share of decisions whose cost is measured.
    pub fn measured_share(&self) -> Option<f64> {
        share(self.measured, self.measured + self.estimated + self.unknown)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
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
        let slot = figures::Slot {
            system,
            environment,
            since,
            now: self.clock.now(),
        };
        let mut snapshot = self
            .readers
            .begin()
            .await
            .doing("begin to read the bar's figures")?;
        let counts = figures::counts(&mut snapshot, slot).await?;
        let with_known_release = figures::with_known_release(&mut snapshot, slot).await?;
        let uncounted = figures::uncounted(&mut snapshot, slot).await?;
        let cost = figures::cost(&mut snapshot, slot, &counts).await?;
        let reviews = figures::reviews(&mut snapshot, slot).await?;
        let drills = figures::last_drills(&mut snapshot, slot).await?;
        let runbook_run = figures::last_runbook_run(&mut snapshot, slot).await?;
        let deployment = deployed(&mut snapshot, system, environment).await?;
        snapshot
            .rollback()
            .await
            .doing("end reading the bar's figures")?;
        let refused: u64 = uncounted
            .iter()
            .filter(|(code, _)| code.kind().is_some_and(|kind| !kind.is_about_input()))
            .map(|(_, count)| count)
            .sum();
        Ok(BarFacts {
            system: system.clone(),
            environment: environment.clone(),
            since,
            read_at: slot.now,
            decisions: counts.decisions,
            open: counts.open,
            outcomes: counts.outcomes,
            kinds: counts.kinds,
            uncounted,
            answerable: counts.answerable + refused,
            answered: counts.answered,
            with_known_release,
            with_skipped_controls: counts.with_skipped_controls,
            skipped_controls: counts.skipped_controls,
            cost,
            reviews,
            drills,
            runbook_run,
            first_decision_at: counts.first_decision_at,
            last_decision_at: counts.last_decision_at,
            deployment,
        })
    }
}
