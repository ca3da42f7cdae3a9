//! The eval set: whether it was asked of what is deployed, on schedule, and with what verdict.
//!
//! A run that did not happen is an alarm like one that went badly: a quality that nobody measures is not known.

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll_core::eval::{EvalFigure, EvalRun, EvalVerdict};
use plimsoll_core::monitor::{AlarmEvidence, Contributor};
use plimsoll_core::{EventId, Money, ReleaseId, Timestamp};
use serde::{Deserialize, Serialize};

use super::standing::Finding;
use crate::figures::{ago, span};

/// Metrics that are told.
const TOLD_MAX: usize = 5;

/// How late a run of a set that is asked so often may be: a tenth of that, at least a minute and at most an hour.
pub fn grace(every: Duration) -> Duration {
    (every / 10).clamp(Duration::from_mins(1), Duration::from_hours(1))
}

/// What runs of a system's eval set have cost since a midnight that no record counts: they were interrupted, or failed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SpentOnEvals {
    midnight: Option<Timestamp>,
    by_run: BTreeMap<EventId, Money>,
}

impl SpentOnEvals {
    /// What all runs have cost since this midnight.
    pub fn since(&self, midnight: Timestamp) -> Money {
        if self.midnight == Some(midnight) {
            self.by_run.values().copied().sum()
        } else {
            Money::ZERO
        }
    }

    /// Notes what a run cost.
    pub fn spend(&mut self, midnight: Timestamp, run: EventId, amount: Money) {
        if self.midnight != Some(midnight) {
            self.midnight = Some(midnight);
            self.by_run.clear();
        }
        *self.by_run.entry(run).or_default() += amount;
    }

    /// So much of a run is counted by its record from now on: at most what it cost since midnight stands here.
    pub fn forget(&mut self, run: EventId, recorded: Money) {
        if let Some(spent) = self.by_run.get_mut(&run) {
            *spent = (*spent - recorded).max(Money::ZERO);
        }
    }
}

/// What is known of the runs of a system's eval set.
#[derive(Clone, Copy, Debug)]
pub struct EvalFacts<'a> {
    /// What is deployed.
    pub release: ReleaseId,
    /// The last run of the whole set that asked what is deployed.
    pub last: Option<&'a EvalRun>,
    /// Since when that is deployed.
    pub deployed_at: Timestamp,
    /// How often the set is to be asked.
    pub every: Duration,
    /// Why the next run waits, if it does.
    pub waits: Option<&'a str>,
}

impl EvalFacts<'_> {
    /// When the set was asked last, or could have been asked first.
    fn since(&self) -> Timestamp {
        self.last.map_or(self.deployed_at, |run| run.measured_at)
    }

    /// When it is to be asked next.
    pub fn due_at(&self) -> Timestamp {
        self.last
            .map_or(self.deployed_at, |run| run.measured_at.plus(self.every))
    }
}

/// The monitor.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct EvalMonitor {
    is_wrong: bool,
    runs: u64,
    evidence: AlarmEvidence,
    last: Option<EventId>,
}

impl EvalMonitor {
    /// Takes what is known now.
    pub(crate) fn take(&mut self, facts: &EvalFacts<'_>, now: Timestamp) -> Option<Finding> {
        if let Some(run) = facts.last.filter(|run| self.last != Some(run.id)) {
            self.last = Some(run.id);
            self.runs += 1;
            self.evidence = evidence(run);
        }
        let wrong = overdue(facts, now).or_else(|| regressed(facts.last?));
        if wrong.is_some() == self.is_wrong {
            return None;
        }
        self.is_wrong = wrong.is_some();
        Some(Finding {
            is_wrong: self.is_wrong,
            summary: wrong.unwrap_or_else(|| "the eval set was asked, and is well".to_owned()),
            evidence: AlarmEvidence {
                began_at: self.is_wrong.then(|| facts.since()),
                ..self.evidence.clone()
            },
        })
    }

    pub(crate) fn evidence(&self) -> AlarmEvidence {
        self.evidence.clone()
    }

    pub(crate) const fn is_ready(&self) -> bool {
        self.runs > 0
    }

    pub(crate) const fn seen(&self) -> (u64, u64) {
        (self.runs, 0)
    }
}

fn overdue(facts: &EvalFacts<'_>, now: Timestamp) -> Option<String> {
    let limit = facts.every + grace(facts.every);
    if now.since(facts.since()) <= limit {
        return None;
    }
    let every = span(facts.every);
    let why = match facts.waits {
        Some(why) => format!(": {why}"),
        None => String::new(),
    };
    Some(match facts.last {
        Some(run) => format!(
            "the eval set was asked {}, and should be every {every}{why}",
            ago(run.measured_at, now)
        ),
        None => format!(
            "the eval set was not asked of this release, deployed {}{why}",
            ago(facts.deployed_at, now)
        ),
    })
}

fn regressed(run: &EvalRun) -> Option<String> {
    if run.verdict != Some(EvalVerdict::Regressed) {
        return None;
    }
    let told: Vec<String> = bad(run)
        .take(3)
        .map(|figure| format!("{} {:.3}", figure.metric, figure.value.unwrap_or(f64::NAN)))
        .collect();
    let told = if told.is_empty() {
        "than its baseline".to_owned()
    } else {
        told.join(", ")
    };
    Some(format!("run {} REGRESSED: {told}", run.id))
}

fn bad(run: &EvalRun) -> impl Iterator<Item = &EvalFigure> {
    let figures = run.figures.iter();
    figures
        .filter(|figure| figure.verdict == Some(EvalVerdict::Regressed) && figure.value.is_some())
}

/// The figure that is worst off, or else the first that has a target.
fn evidence(run: &EvalRun) -> AlarmEvidence {
    let first = run.figures.iter().find(|figure| figure.target.is_some());
    let told = bad(run).next().or(first);
    AlarmEvidence {
        n: told.map_or(run.cases, |figure| figure.cases),
        figure: told.and_then(|figure| figure.value),
        interval: told.and_then(|figure| figure.low.zip(figure.high)),
        bar: told.and_then(|figure| Some(figure.target?.value)),
        began_at: None,
        contributors: bad(run)
            .take(TOLD_MAX)
            .map(|figure| Contributor {
                what: figure.metric.clone(),
                share: figure.value.unwrap_or_default(),
            })
            .collect(),
        examples: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_hours(6);
    const START: Timestamp = Timestamp::from_micros(1_773_478_920_000_000);

    fn run(verdict: Option<EvalVerdict>, measured_at: Timestamp) -> EvalRun {
        let digest = plimsoll_core::Digest::of(b"x");
        serde_json::from_value(serde_json::json!({
            "id": EventId::new(measured_at), "system": "loan", "environment": "production",
            "release": digest, "set": "golden.jsonl", "digest": digest, "file": digest, "cases": 50,
            "repetitions": 1, "verdict": verdict, "cost": plimsoll_core::decision::Cost::FREE,
            "figures": [{"metric": "right", "value": 0.8, "low": 0.7, "high": 0.88, "cases": 50,
                "target": {"at_least": true, "value": 0.9}, "verdict": verdict}],
            "measured_at": measured_at, "ended_at": measured_at, "actor": "schedule",
        }))
        .unwrap()
    }

    #[test]
    fn what_a_run_cost_is_booked_over_a_restart_until_its_record_counts_it_or_the_day_ends() {
        let money = |text: &str| text.parse::<Money>().unwrap();
        let (today, tomorrow) = (START, START.plus(Duration::from_hours(24)));
        let (one, other) = (EventId::new(today), EventId::new(tomorrow));
        let mut spent = SpentOnEvals::default();
        assert_eq!(spent.since(today), Money::ZERO);
        spent.spend(today, one, money("0.5"));
        spent.spend(today, one, money("0.25"));
        let kept = serde_json::to_string(&spent).unwrap();
        let mut spent: SpentOnEvals = serde_json::from_str(&kept).unwrap();
        assert_eq!(spent.since(today), money("0.75"));
        // The run goes on, and its record counts all of its lines; what left no line still counts here.
        spent.spend(today, one, money("0.1"));
        spent.forget(one, money("0.7"));
        assert_eq!(spent.since(today), money("0.15"));
        // A run over midnight is forgotten as far as it is booked today, and no other with it.
        spent.spend(tomorrow, one, money("0.2"));
        spent.spend(tomorrow, other, money("0.3"));
        assert_eq!(spent.since(today), Money::ZERO);
        spent.forget(one, money("7"));
        assert_eq!(spent.since(tomorrow), money("0.3"));
    }

    fn facts(last: Option<&EvalRun>) -> EvalFacts<'_> {
        EvalFacts {
            release: ReleaseId(plimsoll_core::Digest::of(b"x")),
            last,
            deployed_at: START,
            every: EVERY,
            waits: None,
        }
    }

    #[test]
    fn a_run_that_did_not_happen_is_an_alarm_until_it_does() {
        let mut monitor = EvalMonitor::default();
        let late = START.plus(EVERY + grace(EVERY) + Duration::from_secs(1));
        assert_eq!(monitor.take(&facts(None), START.plus(EVERY)), None);
        let found = monitor.take(&facts(None), late).unwrap();
        assert!(
            found.is_wrong && found.summary.contains("not asked"),
            "{}",
            found.summary
        );
        assert_eq!(monitor.take(&facts(None), late), None, "told once");
        let passed = run(Some(EvalVerdict::Pass), late);
        assert!(!monitor.take(&facts(Some(&passed)), late).unwrap().is_wrong);
        let later = late.plus(EVERY * 2);
        let waits = EvalFacts {
            waits: Some("the budget of the day is used up"),
            ..facts(Some(&passed))
        };
        let found = monitor.take(&waits, later).unwrap();
        assert!(
            found.summary.ends_with("budget of the day is used up"),
            "{}",
            found.summary
        );
    }

    #[test]
    fn a_regression_is_told_with_its_figures_and_doubt_is_none() {
        let mut monitor = EvalMonitor::default();
        let doubtful = run(Some(EvalVerdict::Inconclusive), START);
        assert_eq!(monitor.take(&facts(Some(&doubtful)), START), None);
        let bad = run(Some(EvalVerdict::Regressed), START.plus(EVERY));
        let found = monitor.take(&facts(Some(&bad)), START.plus(EVERY)).unwrap();
        assert!(
            found.summary.contains("REGRESSED: right 0.800"),
            "{}",
            found.summary
        );
        assert_eq!(found.evidence.interval, Some((0.7, 0.88)));
        assert_eq!(found.evidence.contributors[0].what, "right");
    }
}
