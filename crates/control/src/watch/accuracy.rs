//! How often the model is wrong: estimated from its own confidence while there are no labels, and as labels say it.
//!
//! The estimate is confidence-based (CBPE): of each answer of the first model, how likely it is wrong, by what the
//! release's reference says that its confidence is worth. It goes to the detector of rates at once, so that it has a
//! lead over every label, and into windows that are told with their interval. It cannot see that the world has
//! changed under the model; what labels say can, as they come and day by day ([`super::truth`]).

use plimsoll_core::monitor::{AlarmEvidence, Contributor, Estimated, Labelled, UsualError};
use plimsoll_core::{ReleaseId, Timestamp};
use plimsoll_stats::estimate::Usual;
use plimsoll_stats::proportion::wilson_at;
use serde::{Deserialize, Serialize};

use super::rate::{RateMonitor, Seen, percent};
use super::standing::Finding;

/// How much worse than the reference is still well, if that is more than its own doubt.
const MARGIN: f64 = 1.1;
/// No bar is nearer to nothing or to all than this.
const BAR_MIN: f64 = 0.002;
const BAR_MAX: f64 = 0.95;
/// The normal quantile of 95 in 100, two-sided.
const Z: f64 = 1.959_963_985;
/// An estimate is told with so many sampling errors on either side.
const SAMPLING_ERRORS: f64 = 3.0;
/// A day is told with this.
const DAY_MICROS: i64 = 86_400_000_000;

/// How often answers are right, and how that is known.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Accuracy {
    /// Without labels, of the last full window: an estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated: Option<EstimatedShare>,
    /// As labels say of the last day that is old enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realised: Option<RealisedShare>,
}

/// A share of right answers that was estimated without labels.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct EstimatedShare {
    /// The share.
    pub right: f64,
    /// Where it lies, by three sampling errors on either side.
    pub interval: (f64, f64),
    /// Of how many answers.
    pub answers: u64,
    /// On how many rows the confidence was calibrated; none: it is taken as the model says it.
    pub calibrated_on: Option<u64>,
    /// When the window was full.
    pub at: Timestamp,
}

/// A share of right answers as labels say it.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct RealisedShare {
    /// The share.
    pub right: f64,
    /// Where it lies for 95 in 100.
    pub interval: (f64, f64),
    /// What had been estimated of the same answers.
    pub estimated: f64,
    /// Of how many labelled answers.
    pub labelled: u64,
    /// Which share of the day's answers is labelled.
    pub coverage: f64,
    /// On how many rows the confidence was calibrated; none: it is taken as the model says it.
    pub calibrated_on: Option<u64>,
    /// The end of the day.
    pub until: Timestamp,
}

/// A rate whose bar is the error that the reference is used to, where the workspace has none.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct HeldAgainstReference {
    bar: Option<f64>,
    between_false_alarms: u64,
    usual: Option<UsualError>,
    /// Of which release, and since when it has stood. None in what an earlier version wrote down.
    #[serde(default)]
    of: Option<(ReleaseId, Timestamp)>,
    rate: RateMonitor,
}

/// Under what an answer is held.
#[derive(Clone, Copy)]
struct Under {
    usual: Option<UsualError>,
    release: ReleaseId,
    since: Timestamp,
}

impl HeldAgainstReference {
    fn new(bar: Option<f64>, between_false_alarms: u64) -> Self {
        Self {
            bar,
            between_false_alarms,
            usual: None,
            of: None,
            rate: RateMonitor::new(bar, between_false_alarms),
        }
    }

    /// Whether an answer is taken: none that is left of an earlier release, and none of which the reference is not
    /// known just now although the release has one.
    fn takes(&self, under: &Under) -> bool {
        match self.of {
            Some((release, since)) if release != under.release => under.since >= since,
            _ => under.usual.is_some() || self.usual.is_none(),
        }
    }

    /// Takes how bad one answer is. Under another reference, that is another release, it begins anew, unless the bar is
    /// the workspace's own: an alarm that stood is over then.
    fn observe(&mut self, badness: f64, under: Under, of: Seen) -> Option<Finding> {
        if !self.takes(&under) {
            return None;
        }
        let stood = self.of.map_or(under.since, |(_, since)| since);
        self.of = Some((under.release, stood.max(under.since)));
        let usual = under.usual;
        let mut over = None;
        if self.usual != usual {
            self.usual = usual;
            if self.bar.is_none() {
                over = self.rate.is_wrong().then(|| Finding {
                    is_wrong: false,
                    summary: "begins anew: the release has another reference".to_owned(),
                    evidence: AlarmEvidence::default(),
                });
                let bar = usual.map(bar_of);
                self.rate = RateMonitor::new(bar, self.between_false_alarms);
            }
        }
        self.rate.observe(badness, of).or(over)
    }
}

/// The mean error that is still well: a tenth more than on the reference, or the upper end of what its rows leave in
/// doubt, whichever is more. Where the confidence says itself that it is wrong more often than it was, that is usual: its
/// own error is no reason for an alarm.
#[expect(clippy::cast_precision_loss, reason = "a count of rows")]
fn bar_of(usual: UsualError) -> f64 {
    let error = stats(usual).error();
    let error = usual.expected.map_or(error, |expected| error.max(expected));
    let doubt = wilson_at(error, usual.rows.max(1) as f64, Z).high;
    (error * MARGIN).max(doubt).clamp(BAR_MIN, BAR_MAX)
}

const fn stats(usual: UsualError) -> Usual {
    Usual {
        rows: usual.rows,
        wrong: usual.wrong,
        expected: usual.expected,
    }
}

/// The monitor of what is estimated.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct EstimatedErrorMonitor {
    held: HeldAgainstReference,
    /// Answers of the window that is being filled, the sum of how likely they are right, and of the variances of that.
    filling: (u64, f64, f64),
    latest: Option<EstimatedShare>,
}

impl EstimatedErrorMonitor {
    pub(crate) fn new(bar: Option<f64>, between_false_alarms: u64) -> Self {
        Self {
            held: HeldAgainstReference::new(bar, between_false_alarms),
            filling: (0, 0.0, 0.0),
            latest: None,
        }
    }

    /// Takes an answer; windows have so many answers.
    pub(crate) fn take(&mut self, one: &Estimated, window: u64) -> Option<Finding> {
        let under = Under {
            usual: one.usual,
            release: one.release,
            since: one.since,
        };
        if !self.held.takes(&under) {
            return None;
        }
        if self.held.usual != one.usual {
            self.filling = (0, 0.0, 0.0);
        }
        let seen = Seen {
            decision: one.decision,
            at: one.at,
            what: None,
        };
        let found = self.held.observe(1.0 - one.right, under, seen);
        if (0.0..=1.0).contains(&one.right) {
            self.filling.0 += 1;
            self.filling.1 += one.right;
            self.filling.2 += one.right * (1.0 - one.right);
        }
        if self.filling.0 >= window.max(1) {
            self.fill(one);
        }
        found.map(|found| Finding {
            summary: format!(
                "{}{}",
                found.summary,
                how(one.usual.map(|usual| usual.rows))
            ),
            ..found
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of answers")]
    fn fill(&mut self, last: &Estimated) {
        let (answers, right, variance) = std::mem::replace(&mut self.filling, (0, 0.0, 0.0));
        let share = right / answers as f64;
        let error = match last.usual {
            Some(usual) => stats(usual).sampling_error(answers),
            None => variance.sqrt() / answers as f64,
        };
        let half = SAMPLING_ERRORS * error;
        self.latest = Some(EstimatedShare {
            right: share,
            interval: ((share - half).max(0.0), (share + half).min(1.0)),
            answers,
            calibrated_on: last.usual.map(|usual| usual.rows),
            at: last.at,
        });
    }

    /// What it rests on now.
    pub(crate) fn evidence(&self) -> AlarmEvidence {
        self.held.rate.evidence()
    }

    pub(crate) const fn latest(&self) -> Option<EstimatedShare> {
        self.latest
    }

    pub(crate) const fn is_ready(&self) -> bool {
        self.held.rate.is_ready()
    }

    pub(crate) const fn seen(&self) -> (u64, u64) {
        self.held.rate.seen()
    }
}

fn how(calibrated_on: Option<u64>) -> String {
    match calibrated_on {
        Some(rows) => {
            let rows = crate::figures::counted(rows, "row");
            format!(", estimated without labels, confidence calibrated on {rows}")
        }
        None => ", estimated without labels, confidence as the model says it".to_owned(),
    }
}

/// The monitor of what labels say as they come.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct RealisedErrorMonitor {
    held: HeldAgainstReference,
    /// Labels that are neither true nor false.
    unusable: u64,
}

impl RealisedErrorMonitor {
    pub(crate) fn new(bar: Option<f64>, between_false_alarms: u64) -> Self {
        Self {
            held: HeldAgainstReference::new(bar, between_false_alarms),
            unusable: 0,
        }
    }

    /// Takes a label.
    pub(crate) fn take(&mut self, one: &Labelled) -> Option<Finding> {
        let Some(right) = one.right else {
            self.unusable += 1;
            return None;
        };
        let seen = Seen {
            decision: one.decision,
            at: one.at,
            what: None,
        };
        let under = Under {
            usual: one.usual,
            release: one.release,
            since: one.since,
        };
        let badness = f64::from(u8::from(!right));
        let found = self.held.observe(badness, under, seen)?;
        Some(Finding {
            evidence: AlarmEvidence {
                contributors: self.contributors(),
                ..found.evidence
            },
            ..found
        })
    }

    fn contributors(&self) -> Vec<Contributor> {
        let reference = self.held.usual.map(|usual| Contributor {
            what: "error on the reference".to_owned(),
            share: stats(usual).error(),
        });
        reference.into_iter().collect()
    }

    /// What it rests on now.
    pub(crate) fn evidence(&self) -> AlarmEvidence {
        AlarmEvidence {
            contributors: self.contributors(),
            ..self.held.rate.evidence()
        }
    }

    pub(crate) const fn is_ready(&self) -> bool {
        self.held.rate.is_ready()
    }

    pub(crate) const fn seen(&self) -> (u64, u64) {
        let (seen, refused) = self.held.rate.seen();
        (seen, refused + self.unusable)
    }
}

/// How often answers are right, in a line for each way in which that is known.
impl std::fmt::Display for Accuracy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(one) = &self.estimated {
            let (low, high) = one.interval;
            write!(
                f,
                "{} right [{}, {}] of the last {}{}",
                percent(one.right),
                percent(low),
                percent(high),
                crate::figures::counted(one.answers, "answer"),
                how(one.calibrated_on),
            )?;
        }
        if let Some(one) = &self.realised {
            let (low, high) = one.interval;
            if self.estimated.is_some() {
                f.write_str("\n")?;
            }
            let day = Timestamp::from_micros(one.until.as_micros() - DAY_MICROS).short();
            write!(
                f,
                "{} right [{}, {}] of {} labelled of the day from {day} ({} of the answers); {} were estimated of the same",
                percent(one.right),
                percent(low),
                percent(high),
                one.labelled,
                percent(one.coverage),
                percent(one.estimated),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use plimsoll_core::{DecisionId, Digest, SystemName};

    use super::*;

    const START: Timestamp = Timestamp::from_micros(1_773_478_920_000_000);
    const REFERENCE: UsualError = UsualError {
        rows: 10_000,
        wrong: 1_000,
        expected: None,
    };

    fn answer(number: u64, right: f64, usual: Option<UsualError>) -> Estimated {
        let at = START.plus(Duration::from_secs(number));
        Estimated {
            decision: DecisionId::new(at),
            system: SystemName::new("loan").unwrap(),
            release: ReleaseId(Digest::of(b"release")),
            since: START,
            right,
            usual,
            at,
        }
    }

    #[test]
    fn what_is_expected_to_be_wrong_more_often_than_on_the_reference_is_an_alarm_before_any_label()
    {
        let mut monitor = EstimatedErrorMonitor::new(None, 10_000);
        for number in 0..5_000 {
            assert_eq!(
                monitor.take(&answer(number, 0.9, Some(REFERENCE)), 500),
                None
            );
        }
        assert!(monitor.is_ready());
        assert!((monitor.evidence().bar.unwrap() - 0.11).abs() < 1e-9);
        let latest = monitor.latest().unwrap();
        assert_eq!((latest.answers, latest.calibrated_on), (500, Some(10_000)));
        assert!((latest.right - 0.9).abs() < 1e-9);
        let error: f64 = 1_000.5 / 10_001.0;
        let chance = 1.0 / 500.0 + 1.0 / 10_000.0;
        let half = 3.0 * (error * (1.0 - error) * chance).sqrt();
        assert!((latest.interval.0 - (0.9 - half)).abs() < 1e-9);
        let mut found = None;
        for number in 5_000..6_000 {
            found = monitor.take(&answer(number, 0.75, Some(REFERENCE)), 500);
            if found.is_some() {
                assert!(number < 5_400, "{number}");
                break;
            }
        }
        let found = found.unwrap();
        assert!(
            found.is_wrong && found.summary.contains("estimated without labels"),
            "{}",
            found.summary
        );
        // Another release has another reference: what was said of the one before is over.
        let other = UsualError {
            rows: 5_000,
            wrong: 1_500,
            expected: None,
        };
        let over = monitor.take(&answer(6_000, 0.7, Some(other)), 500).unwrap();
        assert!(
            !over.is_wrong && over.summary.contains("another reference"),
            "{}",
            over.summary
        );
    }

    #[test]
    fn what_is_left_of_an_earlier_release_and_what_is_not_known_just_now_moves_nothing() {
        let mut monitor = EstimatedErrorMonitor::new(None, 10_000);
        let newer = |number: u64, usual| Estimated {
            release: ReleaseId(Digest::of(b"newer")),
            since: START.plus(Duration::from_secs(50)),
            ..answer(number, 0.9, usual)
        };
        let other = UsualError {
            rows: 5_000,
            ..REFERENCE
        };
        for number in 0..100 {
            monitor.take(&answer(number, 0.9, Some(REFERENCE)), 500);
        }
        for number in 100..200 {
            monitor.take(&newer(number, Some(other)), 500);
            monitor.take(&answer(number, 0.9, Some(REFERENCE)), 500);
            monitor.take(&newer(number, None), 500);
        }
        assert_eq!(monitor.held.usual, Some(other));
        assert_eq!((monitor.seen(), monitor.filling.0), ((100, 0), 100));
        // A newer release without a reference is learnt.
        let without = Estimated {
            release: ReleaseId(Digest::of(b"without")),
            since: START.plus(Duration::from_secs(200)),
            ..answer(200, 0.9, None)
        };
        monitor.take(&without, 500);
        assert_eq!((monitor.held.usual, monitor.seen()), (None, (1, 0)));
    }

    #[test]
    fn the_bar_is_by_what_was_expected_on_the_reference_if_that_is_more_than_what_was_wrong() {
        let expecting = |expected| UsualError {
            expected,
            ..REFERENCE
        };
        assert!((bar_of(expecting(Some(0.2))) - 0.22).abs() < 1e-9);
        assert!((bar_of(expecting(Some(0.05))) - 0.11).abs() < 1e-9);
        assert!((bar_of(expecting(None)) - 0.11).abs() < 1e-9);
    }

    #[test]
    fn without_a_reference_it_learns_what_is_usual_and_says_that_nothing_was_calibrated() {
        let mut monitor = EstimatedErrorMonitor::new(None, 10_000);
        for number in 0..1_000 {
            assert!(!monitor.is_ready());
            assert_eq!(monitor.take(&answer(number, 0.95, None), 1_000), None);
        }
        assert!(monitor.is_ready());
        let accuracy = Accuracy {
            estimated: monitor.latest(),
            realised: None,
        };
        let told = accuracy.to_string();
        assert!(
            told.contains("95.00 % right") && told.ends_with("as the model says it"),
            "{told}"
        );
        assert_eq!(monitor.take(&answer(1_000, f64::NAN, None), 1_000), None);
        assert_eq!(monitor.seen(), (1_000, 1));
    }

    #[test]
    fn labels_that_say_wrong_more_often_than_on_the_reference_are_an_alarm_and_nonsense_is_counted()
    {
        let mut monitor = RealisedErrorMonitor::new(None, 10_000);
        let label = |number: u64, right: Option<bool>| {
            let of = answer(number, 0.9, None);
            Labelled {
                decision: of.decision,
                system: of.system,
                release: of.release,
                since: of.since,
                name: plimsoll_core::LabelName::new("right").unwrap(),
                right,
                usual: Some(REFERENCE),
                at: of.at,
            }
        };
        for number in 0..5_000 {
            assert_eq!(monitor.take(&label(number, Some(number % 10 != 0))), None);
        }
        assert_eq!(monitor.take(&label(5_000, None)), None);
        assert_eq!(monitor.seen(), (5_000, 1));
        let found = (0..400).find_map(|number| monitor.take(&label(number, Some(number % 4 != 0))));
        let found = found.unwrap();
        assert!(found.is_wrong && !found.evidence.examples.is_empty());
        assert_eq!(found.evidence.contributors[0].share, 0.1);
    }
}
