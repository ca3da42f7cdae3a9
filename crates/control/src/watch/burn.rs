//! How fast the error budget burns: the multi-window, multi-burn-rate alerts of Google's SRE workbook,
//! chapter 5. A long window says that it matters, a short one that it goes on.

use std::collections::VecDeque;
use std::time::Duration;

use plimsoll_core::Timestamp;
use plimsoll_core::monitor::{AlarmEvidence, Observation, Severity};
use plimsoll_stats::proportion::wilson_at;
use serde::{Deserialize, Serialize};

use super::rate::percent;
use super::standing::{Culprits, Finding};

const MINUTE_MICROS: i64 = 60_000_000;
/// Three days of minutes.
const MINUTES_MAX: i64 = 3 * 24 * 60;
/// Below so many bad ones in the long window nothing is said: one failure in a quiet night is no outage.
const BAD_MIN: u64 = 5;
const Z: f64 = 1.959_963_985;

/// One pair of windows: how long, how many times faster than allowed, and how much it matters.
#[derive(Clone, Copy, Debug)]
struct Pair {
    long: i64,
    short: i64,
    rate: f64,
    severity: Severity,
}

/// The workbook's: 2 % of a month's budget in an hour, 5 % in six hours, 10 % in three days.
const PAIRS: [Pair; 3] = [
    Pair {
        long: 60,
        short: 5,
        rate: 14.4,
        severity: Severity::Page,
    },
    Pair {
        long: 360,
        short: 30,
        rate: 6.0,
        severity: Severity::Page,
    },
    Pair {
        long: MINUTES_MAX,
        short: 360,
        rate: 1.0,
        severity: Severity::Ticket,
    },
];

/// The monitor.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct BurnMonitor {
    /// The share that may fail.
    budget: f64,
    /// Minute since 1970, all, bad; the latest last.
    minutes: VecDeque<(i64, u64, u64)>,
    culprits: Culprits,
    /// How much the alarm that stands matters: a worse burn raises it again.
    raised: Option<Severity>,
    seen: u64,
}

impl BurnMonitor {
    /// Watches the budget of an availability such as 0.999.
    pub(crate) fn new(availability: f64) -> Self {
        Self {
            budget: (1.0 - availability).max(1e-6),
            minutes: VecDeque::new(),
            culprits: Culprits::default(),
            raised: None,
            seen: 0,
        }
    }

    /// Takes whether one decision was bad.
    pub(crate) fn observe(&mut self, is_bad: bool, of: &Observation) {
        self.seen += 1;
        let minute = of.at.as_micros().div_euclid(MINUTE_MICROS);
        // Decisions that waited come late: they count where they were closed, or in the latest minute.
        let latest = self.minutes.back().map_or(i64::MIN, |last| last.0);
        if minute > latest {
            self.minutes.push_back((minute, 0, 0));
        }
        if let Some((_, all, bad)) = self.minutes.back_mut() {
            *all += 1;
            *bad += u64::from(is_bad);
        }
        while self.minutes.len() > MINUTES_MAX as usize {
            self.minutes.pop_front();
        }
        if is_bad {
            let what = of.code.map(plimsoll_core::Code::as_str);
            self.culprits.note(of.decision, what);
        }
    }

    /// Looks at all windows, at `now`; says how much it matters, if it changed.
    pub(crate) fn look(&mut self, now: Timestamp) -> Option<(Severity, Finding)> {
        let minute = now.as_micros().div_euclid(MINUTE_MICROS);
        while self
            .minutes
            .front()
            .is_some_and(|first| first.0 <= minute - MINUTES_MAX)
        {
            self.minutes.pop_front();
        }
        let burning = PAIRS.into_iter().find(|pair| {
            let (long, short) = (
                self.within(minute, pair.long),
                self.within(minute, pair.short),
            );
            long.1 >= BAD_MIN && self.rate(long) >= pair.rate && self.rate(short) >= pair.rate
        });
        match burning {
            Some(pair) if self.raised < Some(pair.severity) => {
                self.raised = Some(pair.severity);
                let counts = self.within(minute, pair.long);
                let summary = format!(
                    "the error budget burns {:.1} times as fast as allowed: {} unanswered in {}",
                    self.rate(counts),
                    percent(share(counts)),
                    crate::figures::span(minutes(pair.long)),
                );
                Some((pair.severity, self.finding(summary, counts)))
            }
            None => {
                let severity = self.raised.take()?;
                let counts = self.within(minute, PAIRS[0].long);
                let summary = "the error budget burns no faster than allowed".to_owned();
                let finding = self.finding(summary, counts);
                self.culprits.forget();
                Some((severity, finding))
            }
            Some(_) => None,
        }
    }

    /// All and bad ones of the last minutes.
    fn within(&self, now: i64, minutes: i64) -> (u64, u64) {
        let recent = self.minutes.iter().rev();
        let recent = recent.take_while(|(minute, _, _)| *minute > now - minutes);
        recent.fold((0, 0), |sum, (_, all, bad)| (sum.0 + all, sum.1 + bad))
    }

    fn rate(&self, counts: (u64, u64)) -> f64 {
        share(counts) / self.budget
    }

    fn finding(&self, summary: String, counts: (u64, u64)) -> Finding {
        Finding {
            is_wrong: self.raised.is_some(),
            summary,
            evidence: self.evidence_of(counts),
        }
    }

    /// What it rests on now: the last hour.
    pub(crate) fn evidence(&self, now: Timestamp) -> AlarmEvidence {
        let minute = now.as_micros().div_euclid(MINUTE_MICROS);
        self.evidence_of(self.within(minute, PAIRS[0].long))
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of decisions")]
    fn evidence_of(&self, counts: (u64, u64)) -> AlarmEvidence {
        let interval = (counts.0 > 0).then(|| wilson_at(share(counts), counts.0 as f64, Z));
        AlarmEvidence {
            n: counts.0,
            figure: (counts.0 > 0).then(|| share(counts)),
            interval: interval.map(|interval| (interval.low, interval.high)),
            bar: Some(self.budget),
            began_at: None,
            contributors: self.culprits.contributors(),
            examples: self.culprits.examples(),
        }
    }

    pub(crate) const fn seen(&self) -> (u64, u64) {
        (self.seen, 0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of decisions")]
fn share((all, bad): (u64, u64)) -> f64 {
    if all == 0 {
        0.0
    } else {
        bad as f64 / all as f64
    }
}

fn minutes(count: i64) -> Duration {
    Duration::from_mins(u64::try_from(count).unwrap_or(0))
}
