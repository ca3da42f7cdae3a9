//! What turned out to be true against what the model's confidence promised: the one drift that shows in no
//! input.
//!
//! Only cohorts that are old enough are judged: those of a day, once most of their labels must have come. Of
//! the labelled decisions of a cohort the mean confidence says how many should be right (performance estimated
//! without labels); the labels say how many are. A gap of more than three standard errors in two cohorts after
//! each other is an alarm. The estimate is of the very decisions that are labelled, so that which ones are
//! labelled makes no gap.

use std::collections::VecDeque;
use std::time::Duration;

use plimsoll_core::Timestamp;
use plimsoll_core::monitor::{AlarmEvidence, Contributor};
use plimsoll_stats::proportion::wilson_at;
use serde::{Deserialize, Serialize};

use super::accuracy::RealisedShare;
use super::rate::percent;
use super::standing::Finding;

const DAY: Duration = Duration::from_hours(24);
const DAY_MICROS: i64 = 86_400_000_000;
/// Fewer labels than this say nothing.
const LABELLED_MIN: u64 = 30;
/// A gap of so many standard errors is one.
const ERRORS: f64 = 3.0;
/// In so many cohorts after each other.
const COHORTS: usize = 2;
/// Below this share of labels it is said that most of the cohort is not known.
const COVERAGE_FAIR: f64 = 0.8;
const Z: f64 = 1.959_963_985;

/// What is known of the decisions of a day.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Cohort {
    /// Decisions with a confidence.
    pub decisions: u64,
    /// Of these, labelled with yes or no.
    pub labelled: u64,
    /// Of these, right.
    pub right: u64,
    /// The sum of the labelled ones' confidences: how many should be right.
    pub expected: f64,
    /// The variance of that number.
    pub variance: f64,
    /// Labels that are neither yes nor no.
    pub mistyped: u64,
    /// On how many rows the confidence was calibrated; none: it is taken as the model says it.
    #[serde(default)]
    pub calibrated_on: Option<u64>,
}

/// The monitor.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct TruthMonitor {
    judged_until: Option<Timestamp>,
    latest: Cohort,
    gaps: VecDeque<bool>,
    is_wrong: bool,
    seen: u64,
    unusable: u64,
}

impl TruthMonitor {
    /// The next day that is old enough to be judged.
    pub(crate) fn due(
        &self,
        matured_after: Duration,
        now: Timestamp,
    ) -> Option<(Timestamp, Timestamp)> {
        let matured = now.minus(matured_after).as_micros();
        let midnight = Timestamp::from_micros(matured - matured.rem_euclid(DAY_MICROS));
        let until = match self.judged_until {
            None => midnight,
            Some(judged) if judged < midnight => judged.plus(DAY).max(midnight.minus(DAY * 30)),
            Some(_) => return None,
        };
        Some((until.minus(DAY), until))
    }

    /// Takes what is known of a day.
    pub(crate) fn take(&mut self, until: Timestamp, cohort: Cohort) -> Option<Finding> {
        self.judged_until = Some(until);
        self.seen += cohort.labelled;
        self.unusable += cohort.mistyped;
        self.latest = cohort;
        if cohort.labelled < LABELLED_MIN {
            return None;
        }
        if self.gaps.len() == COHORTS {
            self.gaps.pop_front();
        }
        self.gaps.push_back(cohort.gap_in_errors().abs() > ERRORS);
        let all = self.gaps.len() == COHORTS && self.gaps.iter().all(|gap| *gap);
        let is_over = self.is_wrong && self.gaps.back() == Some(&false);
        if all == self.is_wrong && !is_over {
            return None;
        }
        self.is_wrong = all && !is_over;
        Some(Finding {
            is_wrong: self.is_wrong,
            summary: self.summary(),
            evidence: self.evidence(),
        })
    }

    fn summary(&self) -> String {
        let Cohort { labelled, .. } = self.latest;
        let (right, expected) = (self.latest.right_share(), self.latest.expected_share());
        let coverage = self.latest.coverage();
        let known = if coverage < COVERAGE_FAIR {
            format!(
                ", and only {} of the decisions are labelled",
                percent(coverage)
            )
        } else {
            String::new()
        };
        let calibrated = match self.latest.calibrated_on {
            Some(rows) => format!(
                " (confidence calibrated on {})",
                crate::figures::counted(rows, "row")
            ),
            None => String::new(),
        };
        let is = if self.is_wrong { "is not" } else { "is again" };
        format!(
            "{is} what the confidence promised: {} of {labelled} labelled are right, {} were estimated{known}{calibrated}",
            percent(right),
            percent(expected)
        )
    }

    /// What it rests on now.
    #[expect(clippy::cast_precision_loss, reason = "a count of labels")]
    pub(crate) fn evidence(&self) -> AlarmEvidence {
        let Cohort { labelled, .. } = self.latest;
        let wrong = 1.0 - self.latest.right_share();
        let has_any = labelled > 0;
        let interval = has_any.then(|| wilson_at(wrong, labelled as f64, Z));
        AlarmEvidence {
            n: labelled,
            figure: has_any.then_some(wrong),
            interval: interval.map(|interval| (interval.low, interval.high)),
            bar: has_any.then(|| 1.0 - self.latest.expected_share()),
            began_at: self
                .judged_until
                .filter(|_| self.is_wrong)
                .map(|at| at.minus(DAY * 2)),
            contributors: vec![Contributor {
                what: "coverage".to_owned(),
                share: self.latest.coverage(),
            }],
            examples: Vec::new(),
        }
    }

    /// How often answers were right on the last day of which enough is known, as labels say.
    #[expect(clippy::cast_precision_loss, reason = "a count of labels")]
    pub(crate) fn latest(&self) -> Option<RealisedShare> {
        let Cohort { labelled, .. } = self.latest;
        if labelled < LABELLED_MIN {
            return None;
        }
        let right = self.latest.right_share();
        let interval = wilson_at(right, labelled as f64, Z);
        Some(RealisedShare {
            right,
            interval: (interval.low, interval.high),
            estimated: self.latest.expected_share(),
            labelled,
            coverage: self.latest.coverage(),
            calibrated_on: self.latest.calibrated_on,
            until: self.judged_until?,
        })
    }

    pub(crate) fn is_ready(&self) -> bool {
        !self.gaps.is_empty()
    }

    pub(crate) const fn seen(&self) -> (u64, u64) {
        (self.seen, self.unusable)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of decisions")]
impl Cohort {
    fn right_share(&self) -> f64 {
        self.right as f64 / self.labelled.max(1) as f64
    }

    fn expected_share(&self) -> f64 {
        self.expected / self.labelled.max(1) as f64
    }

    fn coverage(&self) -> f64 {
        self.labelled as f64 / self.decisions.max(1) as f64
    }

    /// How many standard errors lie between what was promised and what is.
    fn gap_in_errors(&self) -> f64 {
        // A confidence of one or zero everywhere promises without any doubt: one decision is left as error.
        let error = (self.variance.max(0.25) + self.calibration_variance()).sqrt();
        (self.right as f64 - self.expected) / error
    }

    /// The variance that what was promised has of its own, because it was learnt from so many rows and no more.
    fn calibration_variance(&self) -> f64 {
        let Some(rows) = self.calibrated_on else {
            return 0.0;
        };
        let rows = rows.max(1) as f64;
        // As on half a row more, so that a calibration that never saw an error is not beyond doubt.
        let wrong = ((1.0 - self.expected_share()) * rows + 0.5) / (rows + 1.0);
        let labelled = self.labelled as f64;
        labelled * labelled * wrong * (1.0 - wrong) / rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_few_rows_were_calibrated_on_leaves_in_doubt_is_no_gap() {
        let cohort = |calibrated_on| Cohort {
            decisions: 10_000,
            labelled: 10_000,
            right: 8_850,
            expected: 9_000.0,
            variance: 900.0,
            mistyped: 0,
            calibrated_on,
        };
        assert!(cohort(None).gap_in_errors() < -ERRORS);
        assert!(cohort(Some(1_000_000)).gap_in_errors() < -ERRORS);
        assert!(cohort(Some(500)).gap_in_errors().abs() < ERRORS);
        let sure = Cohort {
            expected: 10_000.0,
            ..cohort(Some(500))
        };
        assert!(sure.gap_in_errors().is_finite());
    }
}
