//! A rate of badness against its bar: errors, refusals, doubt.
//!
//! The mixture e-Shiryaev-Roberts detector of `plimsoll-stats` decides; nothing is assumed but that badness
//! lies in [0, 1] and is at most the bar on average while all is well. Without a bar of the workspace's, it is
//! learnt: the upper end of Wilson's interval over the first decisions, and a tenth more.

use std::collections::VecDeque;

use plimsoll_core::monitor::{AlarmEvidence, Observation};
use plimsoll_core::{DecisionId, Timestamp};
use plimsoll_stats::change::{ShiryaevRoberts, Signal};
use plimsoll_stats::proportion::wilson_at;
use serde::{Deserialize, Serialize};

use super::LEARNT_FROM;
use super::standing::{Culprits, Finding};

/// The figure that is told is of so many of the last values, and so is whether an alarm is over.
const RECENT_MAX: usize = 500;
/// No bar that is learnt is lower: where nothing was ever bad, one bad decision is not yet a change.
const BAR_MIN: f64 = 0.002;
const BAR_MAX: f64 = 0.95;
/// How much worse than what was seen is still well.
const MARGIN: f64 = 1.1;
/// The normal quantile of 95 in 100, two-sided.
const Z: f64 = 1.959_963_985;

/// Of which decision a value is, when, and what went wrong if anything did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) decision: DecisionId,
    pub(crate) at: Timestamp,
    pub(crate) what: Option<&'static str>,
}

impl From<&Observation> for Seen {
    fn from(of: &Observation) -> Self {
        Self {
            decision: of.decision,
            at: of.at,
            what: of.code.map(plimsoll_core::Code::as_str),
        }
    }
}

/// The monitor.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct RateMonitor {
    between_false_alarms: f64,
    learnt: (u64, f64),
    detector: Option<ShiryaevRoberts>,
    recent: VecDeque<f32>,
    culprits: Culprits,
    /// Where a one-sided sum of what lies above the bar was zero last: about when a change began.
    excess: f64,
    began_at: Option<Timestamp>,
    is_wrong: bool,
    seen: u64,
    refused: u64,
}

impl RateMonitor {
    /// Watches against `bar`, or learns one.
    pub(crate) fn new(bar: Option<f64>, between_false_alarms: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a count of decisions")]
        let between_false_alarms = between_false_alarms as f64;
        Self {
            between_false_alarms,
            learnt: (0, 0.0),
            detector: bar.and_then(|bar| ShiryaevRoberts::new(bar, between_false_alarms).ok()),
            recent: VecDeque::new(),
            culprits: Culprits::default(),
            excess: 0.0,
            began_at: None,
            is_wrong: false,
            seen: 0,
            refused: 0,
        }
    }

    /// Takes what one decision was.
    pub(crate) fn observe(&mut self, badness: f64, of: Seen) -> Option<Finding> {
        if !(0.0..=1.0).contains(&badness) {
            self.refused += 1;
            return None;
        }
        self.seen += 1;
        self.remember(badness, of);
        let Some(detector) = &mut self.detector else {
            self.learn(badness);
            return None;
        };
        let bar = detector.bar();
        self.excess = (self.excess + badness - (bar * 1.25).min(1.0)).max(0.0);
        if self.excess <= 0.0 {
            self.began_at = Some(of.at);
        }
        match detector.update(badness) {
            Signal::Change if !self.is_wrong => {
                self.is_wrong = true;
                Some(self.finding(bar))
            }
            _ if self.is_wrong && self.recent.len() == RECENT_MAX && self.mean() <= bar => {
                self.is_wrong = false;
                let finding = self.finding(bar);
                self.culprits.forget();
                Some(finding)
            }
            _ => None,
        }
    }

    fn remember(&mut self, badness: f64, of: Seen) {
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        #[expect(clippy::cast_possible_truncation, reason = "for a figure that is told")]
        self.recent.push_back(badness as f32);
        if badness >= 0.5 {
            self.culprits.note(of.decision, of.what);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of decisions")]
    fn learn(&mut self, badness: f64) {
        let (n, sum) = &mut self.learnt;
        *n += 1;
        *sum += badness;
        if *n == LEARNT_FROM {
            let usual = wilson_at(*sum / *n as f64, *n as f64, Z).high;
            let bar = (usual * MARGIN).clamp(BAR_MIN, BAR_MAX);
            self.detector = ShiryaevRoberts::new(bar, self.between_false_alarms).ok();
            self.culprits.forget();
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "at most a few hundred values")]
    fn mean(&self) -> f64 {
        let sum: f64 = self.recent.iter().map(|value| f64::from(*value)).sum();
        sum / (self.recent.len().max(1)) as f64
    }

    fn finding(&self, bar: f64) -> Finding {
        let evidence = self.evidence();
        let figure = percent(evidence.figure.unwrap_or(0.0));
        let bar = percent(bar);
        let summary = if self.is_wrong {
            format!(
                "rose above its bar: {figure} of the last {}, bar {bar}",
                evidence.n
            )
        } else {
            format!(
                "back below its bar: {figure} of the last {}, bar {bar}",
                evidence.n
            )
        };
        Finding {
            is_wrong: self.is_wrong,
            summary,
            evidence,
        }
    }

    /// What it rests on now.
    #[expect(clippy::cast_precision_loss, reason = "at most a few hundred values")]
    pub(crate) fn evidence(&self) -> AlarmEvidence {
        let (n, mean) = (self.recent.len(), self.mean());
        let interval = (n > 0).then(|| wilson_at(mean, n as f64, Z));
        AlarmEvidence {
            n: n as u64,
            figure: (n > 0).then_some(mean),
            interval: interval.map(|interval| (interval.low, interval.high)),
            bar: self.detector.as_ref().map(ShiryaevRoberts::bar),
            began_at: self.began_at.filter(|_| self.is_wrong),
            contributors: self.culprits.contributors(),
            examples: self.culprits.examples(),
        }
    }

    /// Whether an alarm stands.
    pub(crate) const fn is_wrong(&self) -> bool {
        self.is_wrong
    }

    /// Whether it knows what is usual.
    pub(crate) const fn is_ready(&self) -> bool {
        self.detector.is_some()
    }

    /// How many values it took, and how many it could not take.
    pub(crate) const fn seen(&self) -> (u64, u64) {
        (self.seen, self.refused)
    }
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}
