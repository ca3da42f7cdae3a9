//! What scorers say of a sample of production's answers, each scorer a stream of its own.
//!
//! A scorer with a target is held against it, another learns what is usual. What only a judge says that nobody
//! held against people is told as a ticket, and nothing is done about it.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::monitor::{AlarmEvidence, Contributor, Observation};
use serde::{Deserialize, Serialize};

use super::rate::RateMonitor;
use super::standing::Finding;

/// Different scorers of one system.
const SCORERS_MAX: usize = 100;

/// What scorers said of one answer.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Scores {
    /// How bad it is, from 0 to 1, by scorer; none where it could not be scored.
    pub badness: BTreeMap<String, Option<f64>>,
    /// The mean badness that is still well, of scorers with a target.
    pub bars: BTreeMap<String, f64>,
    /// Scorers that are only a judge's word.
    pub advisory: BTreeSet<String>,
}

/// The monitor.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ScoresMonitor {
    between_false_alarms: u64,
    streams: BTreeMap<String, RateMonitor>,
    advisory: BTreeSet<String>,
    wrong: BTreeSet<String>,
    /// Answers that were looked at, and scores that could not be had.
    seen: u64,
    unscored: u64,
}

impl ScoresMonitor {
    pub(crate) fn new(between_false_alarms: u64) -> Self {
        Self {
            between_false_alarms,
            ..Self::default()
        }
    }

    /// Takes what scorers said of one answer.
    pub(crate) fn take(&mut self, scores: &Scores, of: &Observation) -> Option<Finding> {
        self.seen += 1;
        self.advisory.clone_from(&scores.advisory);
        let was_wrong = !self.wrong.is_empty();
        let mut said = None;
        for (scorer, badness) in &scores.badness {
            let is_full = self.streams.len() == SCORERS_MAX && !self.streams.contains_key(scorer);
            let Some(badness) = badness.filter(|_| !is_full) else {
                self.unscored += 1;
                continue;
            };
            let (bar, between) = (scores.bars.get(scorer).copied(), self.between_false_alarms);
            let stream = self.streams.entry(scorer.clone());
            let stream = stream.or_insert_with(|| RateMonitor::new(bar, between));
            let Some(found) = stream.observe(badness, of) else {
                continue;
            };
            if found.is_wrong {
                self.wrong.insert(scorer.clone());
            } else {
                self.wrong.remove(scorer);
            }
            said = Some(format!("badness by scorer `{scorer}` {}", found.summary));
        }
        let is_wrong = !self.wrong.is_empty();
        let summary = said.filter(|_| is_wrong != was_wrong)?;
        Some(Finding {
            is_wrong,
            summary,
            evidence: self.evidence(),
        })
    }

    /// Whether what is wrong is only a judge's word.
    pub(crate) fn is_advisory(&self) -> bool {
        !self.wrong.is_empty() && self.wrong.iter().all(|one| self.advisory.contains(one))
    }

    /// What it rests on now: the scorer that is worst off, and all that are wrong.
    pub(crate) fn evidence(&self) -> AlarmEvidence {
        let worst = self.wrong.iter().next();
        let shown = worst.or_else(|| self.streams.keys().next());
        let stream = shown.and_then(|scorer| self.streams.get(scorer));
        let evidence = stream.map(RateMonitor::evidence).unwrap_or_default();
        let figure = |scorer: &String| Contributor {
            what: scorer.clone(),
            share: self.streams[scorer].evidence().figure.unwrap_or_default(),
        };
        AlarmEvidence {
            contributors: self.wrong.iter().take(5).map(figure).collect(),
            ..evidence
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        !self.streams.is_empty() && self.streams.values().all(RateMonitor::is_ready)
    }

    pub(crate) const fn seen(&self) -> (u64, u64) {
        (self.seen, self.unscored)
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::{DecisionId, Digest, Outcome, ReleaseId, SystemName, Timestamp};

    use super::*;

    fn observation(number: i64) -> Observation {
        let at = Timestamp::from_micros(1_773_478_920_000_000 + number);
        Observation {
            decision: DecisionId::new(at),
            system: SystemName::new("support").unwrap(),
            release: ReleaseId(Digest::of(b"release")),
            outcome: Outcome::Served,
            kind: None,
            code: None,
            confidence: None,
            guard_hit: false,
            schema_failure: false,
            overridden: None,
            micros: Some(1),
            cost: 0.0,
            answerable: true,
            at,
        }
    }

    fn scores(badness: Option<f64>) -> Scores {
        Scores {
            badness: [
                ("tone".to_owned(), badness),
                ("short".to_owned(), Some(0.0)),
            ]
            .into(),
            bars: [("tone".to_owned(), 0.1), ("short".to_owned(), 0.1)].into(),
            advisory: ["tone".to_owned()].into(),
        }
    }

    #[test]
    fn the_scorer_that_is_worse_than_its_target_is_named_and_a_judge_nobody_checked_only_advises() {
        let mut monitor = ScoresMonitor::new(1_000);
        for number in 0..500 {
            assert_eq!(
                monitor.take(&scores(Some(0.05)), &observation(number)),
                None
            );
        }
        let found = (500..700).find_map(|n| monitor.take(&scores(Some(0.9)), &observation(n)));
        let found = found.unwrap();
        assert!(
            found.is_wrong && found.summary.contains("`tone`"),
            "{}",
            found.summary
        );
        assert_eq!(found.evidence.contributors.len(), 1);
        assert!(monitor.is_advisory());
        let over = (700..2_000).find_map(|n| monitor.take(&scores(Some(0.0)), &observation(n)));
        assert!(!over.unwrap().is_wrong && !monitor.is_advisory());
    }

    #[test]
    fn what_could_not_be_scored_is_counted_and_changes_nothing_else() {
        let mut monitor = ScoresMonitor::new(1_000);
        for number in 0..100 {
            assert_eq!(monitor.take(&scores(None), &observation(number)), None);
            assert_eq!(
                monitor.take(&scores(Some(f64::NAN)), &observation(number)),
                None
            );
        }
        assert_eq!(monitor.seen(), (200, 100));
    }
}
