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
    /// The bars that streams were begun with; those without one learn theirs.
    #[serde(default)]
    bars: BTreeMap<String, f64>,
    advisory: BTreeSet<String>,
    wrong: BTreeSet<String>,
    /// Whether what was told last, and stands, is only a judge's word.
    #[serde(default)]
    advises: bool,
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
        let was_wrong = !self.wrong.is_empty();
        let mut said = None;
        for (scorer, badness) in &scores.badness {
            let is_full = self.streams.len() == SCORERS_MAX && !self.streams.contains_key(scorer);
            let Some(badness) = badness.filter(|_| !is_full) else {
                self.unscored += 1;
                continue;
            };
            // Whether a judge agrees with people is known of the scorers that said something, and of no other.
            if scores.advisory.contains(scorer) {
                self.advisory.insert(scorer.clone());
            } else {
                self.advisory.remove(scorer);
            }
            let bar = scores.bars.get(scorer).copied();
            let Some(found) = self.stream(scorer, bar).observe(badness, of.into()) else {
                continue;
            };
            if found.is_wrong {
                self.wrong.insert(scorer.clone());
            } else {
                self.wrong.remove(scorer);
            }
            said = Some(format!("badness by scorer `{scorer}` {}", found.summary));
        }
        self.tell(was_wrong, said)
    }

    /// Goes on with the scorers that there are now, each with its bar, if it has one. What others said, or was held
    /// against another bar, is forgotten: nobody would ever say that it is well again.
    pub(crate) fn change(&mut self, bars: &BTreeMap<String, Option<f64>>) -> Option<Finding> {
        let was_wrong = !self.wrong.is_empty();
        let before = &self.bars;
        let stays = |scorer: &String| {
            let bar = before.get(scorer).copied();
            bars.get(scorer).is_some_and(|wanted| *wanted == bar)
        };
        let gone = self.wrong.iter().find(|scorer| !stays(scorer));
        let said = gone.map(|scorer| {
            format!(
                "begins anew: the workspace has scorer `{scorer}` no more, or with another target"
            )
        });
        self.streams.retain(|scorer, _| stays(scorer));
        self.wrong.retain(stays);
        self.advisory.retain(|scorer| bars.contains_key(scorer));
        let streams = &self.streams;
        self.bars.retain(|scorer, _| streams.contains_key(scorer));
        self.tell(was_wrong, said)
    }

    fn stream(&mut self, scorer: &str, bar: Option<f64>) -> &mut RateMonitor {
        if !self.streams.contains_key(scorer)
            && let Some(bar) = bar
        {
            self.bars.insert(scorer.to_owned(), bar);
        }
        let between = self.between_false_alarms;
        let stream = self.streams.entry(scorer.to_owned());
        stream.or_insert_with(|| RateMonitor::new(bar, between))
    }

    /// What is told, if it is news: that something is wrong or nothing any more, that it is more than a judge's word
    /// from now on, or no more than that. `said` is what a scorer said last.
    fn tell(&mut self, was_wrong: bool, said: Option<String>) -> Option<Finding> {
        let is_wrong = !self.wrong.is_empty();
        let checked = self.checked_and_wrong();
        let summary = match checked {
            _ if is_wrong != was_wrong => said,
            Some(checked) if self.advises => said.or_else(|| {
                let figure = "is above its bar, and is more than a judge's word now";
                Some(format!("badness by scorer `{checked}` {figure}"))
            }),
            // The judges alone need no telling; that somebody else is well again does.
            None if is_wrong && !self.advises => {
                said.map(|said| format!("{said}; all that is wrong now is only a judge's word"))
            }
            _ => None,
        }?;
        self.advises = is_wrong && checked.is_none();
        Some(Finding {
            is_wrong,
            summary,
            evidence: self.evidence(),
        })
    }

    /// A scorer that is wrong and is more than a judge's word.
    fn checked_and_wrong(&self) -> Option<&String> {
        let mut wrong = self.wrong.iter();
        wrong.find(|scorer| !self.advisory.contains(*scorer))
    }

    /// Whether the alarm that stands is only a judge's word.
    pub(crate) const fn is_advisory(&self) -> bool {
        self.advises
    }

    /// What it rests on now: the scorer that is worst off, and all that are wrong.
    pub(crate) fn evidence(&self) -> AlarmEvidence {
        let worst = self
            .checked_and_wrong()
            .or_else(|| self.wrong.iter().next());
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

    /// What two scorers said of one answer, of which `tone` is only a judge's word.
    fn both(tone: f64, short: f64) -> Scores {
        let said = [("tone", tone), ("short", short)];
        Scores {
            badness: said
                .map(|(scorer, badness)| (scorer.to_owned(), Some(badness)))
                .into(),
            ..scores(None)
        }
    }

    /// A monitor to which scorers said this until it had something to say.
    fn told(monitor: &mut ScoresMonitor, said: &Scores) -> Finding {
        let mut numbers = 0..2_000;
        let found = numbers.find_map(|number| monitor.take(said, &observation(number)));
        found.unwrap()
    }

    #[test]
    fn what_only_a_judge_says_hides_nothing_that_is_more_than_that() {
        let mut monitor = ScoresMonitor::new(1_000);
        assert!(told(&mut monitor, &both(0.9, 0.0)).is_wrong && monitor.is_advisory());
        let found = told(&mut monitor, &both(0.9, 0.9));
        assert!(found.is_wrong && !monitor.is_advisory());
        assert!(found.summary.contains("`short`"), "{}", found.summary);
        let left = told(&mut monitor, &both(0.9, 0.0));
        assert!(left.is_wrong && monitor.is_advisory(), "{}", left.summary);
        let over = told(&mut monitor, &both(0.0, 0.0));
        assert!(!over.is_wrong && !monitor.is_advisory());
    }

    #[test]
    fn a_judge_that_people_were_held_against_meanwhile_is_told_as_more_than_its_word() {
        let mut monitor = ScoresMonitor::new(1_000);
        told(&mut monitor, &both(0.9, 0.0));
        // A judge that said nothing is what it was.
        let silent = Scores {
            advisory: BTreeSet::new(),
            ..scores(None)
        };
        assert_eq!(monitor.take(&silent, &observation(0)), None);
        assert!(monitor.is_advisory());
        let agrees = Scores {
            advisory: BTreeSet::new(),
            ..both(0.9, 0.0)
        };
        let found = monitor.take(&agrees, &observation(1)).unwrap();
        assert!(found.is_wrong && !monitor.is_advisory());
        assert_eq!(monitor.take(&agrees, &observation(2)), None);
    }

    #[test]
    fn a_scorer_that_is_gone_or_has_another_bar_is_wrong_no_longer() {
        let bars = |tone: Option<Option<f64>>| -> BTreeMap<String, Option<f64>> {
            let tone = tone.map(|bar| ("tone".to_owned(), bar));
            let short = ("short".to_owned(), Some(0.1));
            tone.into_iter().chain([short]).collect()
        };
        let mut monitor = ScoresMonitor::new(1_000);
        told(&mut monitor, &both(0.9, 0.0));
        assert_eq!(monitor.change(&bars(Some(Some(0.1)))), None);
        let mut other = monitor.clone();
        for (monitor, now) in [(&mut monitor, None), (&mut other, Some(Some(0.2)))] {
            let over = monitor.change(&bars(now)).unwrap();
            assert!(!over.is_wrong && over.summary.contains("`tone`"));
            assert_eq!(monitor.streams.keys().collect::<Vec<_>>(), ["short"]);
        }
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
