//! A level that should not rise: latency, cost. CUSUM on the logarithms of batches.
//!
//! Values of decisions have long tails and are not independent, so they are taken in batches of twenty: the
//! mean of their logarithms is nearly normal. The usual mean and deviation are learnt from the first hundred
//! batches; the limit is the one at which a normal stream alarms falsely as seldom as was asked, and a rise by a tenth
//! is tolerated.

use plimsoll_core::Timestamp;
use plimsoll_core::monitor::{AlarmEvidence, Observation};
use plimsoll_stats::change::{Cusum, Signal};
use serde::{Deserialize, Serialize};

use super::standing::{Culprits, Finding};

/// Decisions in a batch.
const BATCH: u32 = 20;
/// Batches from which the usual level is learnt.
const LEARNT_BATCHES: u32 = 100;
/// A deviation of batches below this is taken as this: a rise by less than a twentieth is no alarm.
const DEVIATION_MIN: f64 = 0.05;
/// A rise to less than this many times of what was usual is tolerated: what was learnt is not exact either.
const TOLERATED: f64 = 1.1;
/// What is below this counts as this: a logarithm needs something.
const VALUE_MIN: f64 = 1e-9;
/// The allowance of the chart, in deviations.
const ALLOWANCE: f64 = 0.5;
/// Pieces of the Markov chain that the limit is computed with.
const STATES: usize = 40;
/// Quiet batches after which an alarm is over.
const QUIET_BATCHES: u32 = 25;

/// The monitor.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct LevelMonitor {
    between_false_alarms: f64,
    batch: (u32, f64),
    /// Count, mean and sum of squared deviations (Welford 1962).
    learnt: (u32, f64, f64),
    chart: Option<Cusum>,
    latest: f64,
    quiet: u32,
    culprits: Culprits,
    began_at: Option<Timestamp>,
    is_wrong: bool,
    seen: u64,
    refused: u64,
}

impl LevelMonitor {
    pub(crate) fn new(between_false_alarms: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a count of decisions")]
        let between_false_alarms = between_false_alarms as f64;
        Self {
            between_false_alarms,
            batch: (0, 0.0),
            learnt: (0, 0.0, 0.0),
            chart: None,
            latest: 0.0,
            quiet: 0,
            culprits: Culprits::default(),
            began_at: None,
            is_wrong: false,
            seen: 0,
            refused: 0,
        }
    }

    /// Takes what one decision took or cost.
    pub(crate) fn observe(&mut self, value: f64, of: &Observation) -> Option<Finding> {
        if !value.is_finite() || value < 0.0 {
            self.refused += 1;
            return None;
        }
        self.seen += 1;
        let logarithm = value.max(VALUE_MIN).ln();
        self.batch.0 += 1;
        self.batch.1 += logarithm;
        if self.chart.is_some() && logarithm > self.learnt.1 + 2.0 * self.deviation() {
            self.culprits.note(of.decision, None);
        }
        if self.batch.0 < BATCH {
            return None;
        }
        let mean = self.batch.1 / f64::from(BATCH);
        self.batch = (0, 0.0);
        self.latest = mean;
        self.take_batch(mean, of.at)
    }

    fn take_batch(&mut self, mean: f64, at: Timestamp) -> Option<Finding> {
        let standardised = (mean - self.learnt.1 - TOLERATED.ln()) / self.deviation();
        let Some(chart) = &mut self.chart else {
            self.learn(mean);
            return None;
        };
        let signal = chart.update(standardised);
        if chart.sum() <= 0.0 && signal == Signal::Quiet {
            self.began_at = Some(at);
        }
        if signal == Signal::Change {
            self.quiet = 0;
            if self.is_wrong {
                return None;
            }
            self.is_wrong = true;
            return Some(self.finding());
        }
        self.quiet = if standardised <= 1.0 {
            self.quiet + 1
        } else {
            0
        };
        if self.is_wrong && self.quiet >= QUIET_BATCHES {
            self.is_wrong = false;
            let finding = self.finding();
            self.culprits.forget();
            return Some(finding);
        }
        None
    }

    fn learn(&mut self, value: f64) {
        let (count, mean, squares) = &mut self.learnt;
        *count += 1;
        let delta = value - *mean;
        *mean += delta / f64::from(*count);
        *squares += delta * (value - *mean);
        if *count == LEARNT_BATCHES {
            let limit = limit(self.between_false_alarms / f64::from(BATCH));
            self.chart = Some(Cusum::new(ALLOWANCE, limit));
        }
    }

    fn deviation(&self) -> f64 {
        let (count, _, squares) = self.learnt;
        let variance = squares / f64::from(count.saturating_sub(1).max(1));
        variance.sqrt().max(DEVIATION_MIN)
    }

    fn finding(&self) -> Finding {
        let times = (self.latest - self.learnt.1).exp();
        let summary = if self.is_wrong {
            format!("rose to {times:.2} times of what was usual")
        } else {
            format!("is back at {times:.2} times of what was usual")
        };
        Finding {
            is_wrong: self.is_wrong,
            summary,
            evidence: self.evidence(),
        }
    }

    /// What it rests on now: geometric means, in the values' own unit.
    pub(crate) fn evidence(&self) -> AlarmEvidence {
        let has_any = self.seen >= u64::from(BATCH);
        let usual = self.chart.is_some().then(|| self.learnt.1.exp());
        let half = 2.0 * self.deviation();
        AlarmEvidence {
            n: self.seen.min(u64::from(BATCH)),
            figure: has_any.then(|| self.latest.exp()),
            interval: usual.map(|_| ((self.latest - half).exp(), (self.latest + half).exp())),
            bar: usual,
            began_at: self.began_at.filter(|_| self.is_wrong),
            contributors: Vec::new(),
            examples: self.culprits.examples(),
        }
    }

    pub(crate) const fn is_ready(&self) -> bool {
        self.chart.is_some()
    }

    pub(crate) const fn seen(&self) -> (u64, u64) {
        (self.seen, self.refused)
    }
}

/// The least limit, to a tenth, at which a normal stream has so many values between false alarms.
fn limit(values: f64) -> f64 {
    let steps = (20..=250).map(|tenths| f64::from(tenths) / 10.0);
    let mut fitting = steps
        .filter(|limit| Cusum::new(ALLOWANCE, *limit).average_run_length(0.0, STATES) >= values);
    fitting.next().unwrap_or(25.0)
}
