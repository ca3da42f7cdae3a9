//! Figures: a metric over all cases, with its bounds, and what follows of it.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::system::Bound;
use plimsoll_stats::judged::{Corrected, rogan_gladen};
use plimsoll_stats::proportion::Interval;
use plimsoll_stats::verdict::{
    ALPHA, Held, POWER, Target, Verdict, detectable_rate, estimate_against_target,
    mean_against_target, rate_against_target,
};
use serde::Serialize;

use crate::calibration::Calibration;

/// A metric over the cases of a run.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Figure {
    /// Its name.
    pub metric: String,
    /// Its value; none if there is none.
    pub value: Option<f64>,
    /// Its one-sided 95 % bounds.
    pub interval: Option<Interval>,
    /// Of how many cases.
    pub cases: u64,
    /// How many answers could not be scored.
    pub unscored: u64,
    /// What has to be reached.
    pub target: Option<Bound>,
    /// Whether it is; none without a target.
    pub verdict: Option<Verdict>,
    /// Whether it is only a judge's word, that nobody has held against people's.
    pub advisory: bool,
    /// What the judge itself said, where the value is corrected for its errors.
    pub reported: Option<f64>,
    /// What these cases could see: a rate at or below this says REGRESSED four times out of five.
    pub detectable: Option<f64>,
    /// What must be known to read it.
    pub note: Option<String>,
}

impl Figure {
    /// A metric without a value, and why.
    pub fn without(metric: &str, target: Option<Bound>, note: impl Into<String>) -> Self {
        Self {
            metric: metric.to_owned(),
            value: None,
            interval: None,
            cases: 0,
            unscored: 0,
            target,
            verdict: target.map(|_| Verdict::Inconclusive { needs: None }),
            advisory: false,
            reported: None,
            detectable: None,
            note: Some(note.into()),
        }
    }

    /// A metric that was held against its target.
    pub fn held(metric: &str, held: Held, cases: u64, target: Option<Bound>) -> Self {
        Self {
            value: Some(held.value),
            interval: Some(held.interval),
            cases,
            verdict: held.verdict,
            note: None,
            ..Self::without(metric, target, "")
        }
    }

    /// Whether its verdict counts.
    pub const fn decides(&self) -> bool {
        self.target.is_some() && !self.advisory
    }
}

/// A bound of the workspace as the statistics know it.
pub const fn target_of(bound: Bound) -> Target {
    Target {
        at_least: bound.at_least,
        value: bound.value,
    }
}

/// What one scorer said of one case, over its repetitions.
#[derive(Clone, PartialEq, Debug)]
pub struct CaseScores {
    /// Which cases are not independent of it, by number.
    pub cluster: usize,
    /// How much it counts.
    pub weight: f64,
    /// The scores.
    pub scored: Vec<f64>,
    /// How many repetitions could not be scored.
    pub unscored: u64,
}

/// Gives each group, and each case without one, a number.
#[derive(Debug, Default)]
pub struct Clusters(BTreeMap<String, usize>);

impl Clusters {
    /// The number of the group, or of the case that has none.
    pub fn of(&mut self, case: &str, group: Option<&str>) -> usize {
        let name = group.map_or_else(|| format!("c{case}"), |group| format!("g{group}"));
        let next = self.0.len();
        *self.0.entry(name).or_insert(next)
    }
}

/// The mean score. The verdict stands only if the unscored could not overturn it: were all of them as
/// bad, or as good, as can be.
pub fn mean_figure(
    metric: &str,
    cases: &[CaseScores],
    bound: Option<Bound>,
    calibration: Option<&Calibration>,
) -> Figure {
    let unscored = cases.iter().map(|case| case.unscored).sum();
    let target = bound.map(target_of);
    let held = match held_at(cases, None, target) {
        Ok(held) => held,
        Err(error) => {
            let mut figure = Figure::without(metric, bound, error.to_string());
            figure.unscored = unscored;
            return figure;
        }
    };
    let scored = cases.iter().filter(|case| !case.scored.is_empty()).count() as u64;
    let mut figure = Figure::held(metric, held, scored, bound);
    figure.unscored = unscored;
    if let Some(bound) = bound.filter(|bound| bound.at_least) {
        let seen = detectable_rate(scored, bound.value.clamp(0.0, 1.0), ALPHA, POWER);
        figure.detectable = seen.ok().flatten();
    }
    if let (Some(verdict), true) = (figure.verdict, unscored > 0) {
        let worst = |fill| {
            held_at(cases, Some(fill), target)
                .ok()
                .and_then(|held| held.verdict)
        };
        let stands = [0.0, 1.0]
            .map(worst)
            .into_iter()
            .all(|other| other == Some(verdict));
        if !stands {
            figure.verdict = Some(Verdict::Inconclusive { needs: None });
            figure.note = Some(format!(
                "{unscored} could not be scored, which could change it"
            ));
        }
    }
    if let Some(calibration) = calibration {
        correct(&mut figure, cases, calibration, target);
    }
    figure
}

/// Replaces a judge's rate by what it says of the truth, as far as its errors are known.
fn correct(
    figure: &mut Figure,
    cases: &[CaseScores],
    calibration: &Calibration,
    target: Option<Target>,
) {
    let all: Vec<f64> = cases
        .iter()
        .flat_map(|case| case.scored.iter().copied())
        .collect();
    let passed = all.iter().filter(|score| **score == 1.0).count() as u64;
    let corrected: Corrected = match rogan_gladen(calibration.record(passed, all.len() as u64), 0.9)
    {
        Ok(corrected) => corrected,
        Err(error) => {
            figure.note = Some(format!("not corrected for the judge's errors: {error}"));
            return;
        }
    };
    let (rate, error) = (corrected.rate, corrected.standard_error);
    let Ok(held) = estimate_against_target(rate, error, figure.cases, target, ALPHA) else {
        return;
    };
    figure.reported = figure.value;
    figure.value = Some(rate);
    figure.interval = Some(held.interval.within(0.0, 1.0));
    // The correction takes a verdict away and gives none: a judge that never erred in a few labels is no proof.
    if figure.note.is_none() && figure.verdict != held.verdict {
        figure.verdict = figure
            .verdict
            .and(Some(Verdict::Inconclusive { needs: None }));
    }
}

/// The mean with unscored repetitions counted as `fill`, or left out.
fn held_at(
    cases: &[CaseScores],
    fill: Option<f64>,
    target: Option<Target>,
) -> plimsoll_stats::Result<Held> {
    let scores = |case: &CaseScores| -> Vec<f64> {
        let filled = fill.map_or(0, |_| case.unscored as usize);
        let filled = std::iter::repeat_n(fill.unwrap_or_default(), filled);
        case.scored.iter().copied().chain(filled).collect()
    };
    let scored: Vec<(&CaseScores, Vec<f64>)> = cases
        .iter()
        .map(|case| (case, scores(case)))
        .filter(|(_, scores)| !scores.is_empty())
        .collect();
    let clusters: BTreeSet<usize> = scored.iter().map(|(case, _)| case.cluster).collect();
    let is_plain = clusters.len() == scored.len()
        && scored.iter().all(|(case, scores)| {
            scores.len() == 1
                && (scores[0] == 0.0 || scores[0] == 1.0)
                && case.weight == scored[0].0.weight
        });
    if is_plain {
        let hits = scored.iter().filter(|(_, scores)| scores[0] == 1.0).count() as u64;
        return rate_against_target(hits, scored.len() as u64, target, ALPHA);
    }
    let means: Vec<f64> = scored
        .iter()
        .map(|(_, scores)| scores.iter().sum::<f64>() / scores.len() as f64)
        .collect();
    let weight: f64 = scored.iter().map(|(case, _)| case.weight).sum();
    let weighted = scored
        .iter()
        .zip(&means)
        .map(|((case, _), mean)| case.weight * mean);
    let mean = weighted.sum::<f64>() / weight;
    // How much each pulls the weighted mean, so that the plain mean of these is it.
    let pulls: Vec<f64> = scored
        .iter()
        .zip(&means)
        .map(|((case, _), own)| mean + case.weight * means.len() as f64 / weight * (own - mean))
        .collect();
    let cluster: Vec<usize> = scored.iter().map(|(case, _)| case.cluster).collect();
    mean_against_target(&pulls, &cluster, true, target, ALPHA)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(passed: usize, failed: usize, unscored: usize) -> Vec<CaseScores> {
        let of = |scored: &[f64], unscored| CaseScores {
            cluster: 0,
            weight: 1.0,
            scored: scored.to_vec(),
            unscored,
        };
        let mut cases = vec![of(&[1.0], 0); passed];
        cases.extend(vec![of(&[0.0], 0); failed]);
        cases.extend(vec![of(&[], 1); unscored]);
        for (number, case) in cases.iter_mut().enumerate() {
            case.cluster = number;
        }
        cases
    }

    const BOUND: Option<Bound> = Some(Bound {
        at_least: true,
        value: 0.9,
    });

    #[test]
    fn what_was_not_scored_can_take_a_verdict_away_but_never_give_one() {
        let all = mean_figure("m", &cases(100, 0, 0), BOUND, None);
        assert_eq!(all.verdict, Some(Verdict::Pass));
        let few = mean_figure("m", &cases(200, 0, 3), BOUND, None);
        assert_eq!((few.verdict, few.unscored), (Some(Verdict::Pass), 3));
        let many = mean_figure("m", &cases(100, 0, 20), BOUND, None);
        assert_eq!(many.verdict, Some(Verdict::Inconclusive { needs: None }));
        let bad = mean_figure("m", &cases(20, 80, 2), BOUND, None);
        assert_eq!(bad.verdict, Some(Verdict::Regressed));
        let none = mean_figure("m", &cases(0, 0, 5), BOUND, None);
        assert_eq!((none.value, none.unscored), (None, 5));
    }

    #[test]
    fn weights_shift_the_mean() {
        let mut some = cases(1, 1, 0);
        some[0].weight = 3.0;
        let figure = mean_figure("m", &some, None, None);
        assert!((figure.value.unwrap() - 0.75).abs() < 1e-12);
    }
}
