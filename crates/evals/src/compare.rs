//! Two runs on the same cases: which is better, and how sure that is.
//!
//! Only cases that both asked, with the same content, are compared, each with its own counterpart: paired
//! differences see what two separate rates cannot. Cases that only one has are counted and named.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::{Digest, EventId, ReleaseId};
use plimsoll_stats::comparison::Discordant;
use plimsoll_stats::verdict::{
    ALPHA, Compared, POWER, detectable_drop, pairs_against_baseline, scores_against_baseline,
};
use serde::Serialize;

use crate::figure::Clusters;
use crate::report::score;
use crate::run::{Line, Results};
use crate::scorer::{Scored, ScorerSpec};

/// The most cases that are named.
const NAMED_MAX: usize = 50;

/// One run held against another.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Comparison {
    /// The run that is the measure.
    pub baseline: EventId,
    /// The release that it asked.
    pub baseline_release: ReleaseId,
    /// The run that is held against it.
    pub candidate: EventId,
    /// The release that it asked.
    pub candidate_release: ReleaseId,
    /// How many cases both asked.
    pub common: u64,
    /// Cases that only the baseline asked, or whose content changed.
    pub only_baseline: u64,
    /// Cases that only the candidate asked, or whose content changed.
    pub only_candidate: u64,
    /// The drop that is tolerated.
    pub margin: f64,
    /// Metric by metric; for losses, such as an absolute error, less is better.
    pub metrics: Vec<MetricCompared>,
}

/// A metric under both.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct MetricCompared {
    /// Its name.
    pub metric: String,
    /// The baseline's mean over the common cases.
    pub baseline: Option<f64>,
    /// The candidate's.
    pub candidate: Option<f64>,
    /// What follows; none if it could not be compared.
    #[serde(flatten)]
    pub compared: Option<Compared>,
    /// The smallest drop that so many cases show four times out of five.
    pub detectable: Option<f64>,
    /// Whether it is only a judge's word.
    pub advisory: bool,
    /// Common cases that one of the two could not score.
    pub unscored: u64,
    /// Cases that passed under the baseline and do not now.
    pub lost: Vec<String>,
    /// Cases that did not and do now: how many.
    pub won: u64,
    /// Why it could not be compared.
    pub note: Option<String>,
}

/// What one metric is over the repetitions of a case, higher being better; none if it is not known.
type Value = Option<f64>;

/// Holds `candidate` against `baseline`. `trusted` are the judges whose word counts, by scorer.
pub fn compare(
    baseline: &Results,
    candidate: &Results,
    margin: f64,
    trusted: &BTreeSet<String>,
) -> Comparison {
    let (ours, theirs) = (by_case(&candidate.lines), by_case(&baseline.lines));
    let common: Vec<(&Vec<&Line>, &Vec<&Line>)> = theirs
        .iter()
        .filter_map(|(key, base)| Some((base, ours.get(key)?)))
        .collect();
    let mut metrics = Vec::new();
    for spec in &candidate.heading.scorers {
        let known = baseline.heading.scorers.contains(spec);
        let names = if spec.metrics().contains(&spec.name) {
            vec![spec.name.clone()]
        } else {
            // Of a predictor, what is known row by row: right or not, or how far off.
            spec.metrics()
                .into_iter()
                .filter(|name| ["accuracy", "brier", "mae"].contains(&name.as_str()))
                .collect()
        };
        for name in names {
            let mut told = one(&name, spec, &common, margin);
            told.advisory = spec.judge().is_some() && !trusted.contains(&spec.name);
            if !known {
                told.compared = None;
                told.note = Some("the baseline was not scored like this: run it again".to_owned());
            }
            metrics.push(told);
        }
    }
    Comparison {
        baseline: baseline.heading.id,
        baseline_release: baseline.heading.release,
        candidate: candidate.heading.id,
        candidate_release: candidate.heading.release,
        common: common.len() as u64,
        only_baseline: (theirs.len() - common.len()) as u64,
        only_candidate: (ours.len() - common.len()) as u64,
        margin,
        metrics,
    }
}

fn by_case(lines: &[Line]) -> BTreeMap<(&str, Digest), Vec<&Line>> {
    let mut cases: BTreeMap<_, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        cases
            .entry((line.case.as_str(), line.digest))
            .or_default()
            .push(line);
    }
    cases
}

fn one(
    metric: &str,
    spec: &ScorerSpec,
    common: &[(&Vec<&Line>, &Vec<&Line>)],
    margin: f64,
) -> MetricCompared {
    let is_loss = ["brier", "mae"].contains(&metric);
    let mut clusters = Clusters::default();
    let (mut base, mut now, mut cluster) = (Vec::new(), Vec::new(), Vec::new());
    let (mut lost, mut won, mut unscored) = (Vec::new(), 0, 0);
    let looked_at = common
        .iter()
        .filter(|(_, ours)| spec.looks_at(&ours[0].tags));
    for (theirs, ours) in looked_at {
        let (Some(was), Some(is)) = (value(metric, spec, theirs), value(metric, spec, ours)) else {
            unscored += 1;
            continue;
        };
        let first = ours[0];
        if was > is && !is_loss && lost.len() < NAMED_MAX {
            lost.push(first.case.clone());
        }
        won += u64::from(is > was && !is_loss);
        base.push(was);
        now.push(is);
        cluster.push(clusters.of(&first.case, first.group.as_deref()));
    }
    let mean = |values: &[f64]| {
        let sign = if is_loss { -1.0 } else { 1.0 };
        (!values.is_empty()).then(|| sign * values.iter().sum::<f64>() / values.len() as f64)
    };
    let is_binary = base.iter().chain(&now).all(|x| *x == 0.0 || *x == 1.0);
    let is_independent = cluster.iter().collect::<BTreeSet<_>>().len() == cluster.len();
    let count = |is: fn(f64, f64) -> bool| {
        base.iter()
            .zip(&now)
            .filter(|(was, now)| is(**was, **now))
            .count() as u64
    };
    let pairs = Discordant {
        regressed: count(|was, now| was > now),
        improved: count(|was, now| now > was),
    };
    let items = base.len() as u64;
    // An error in units of its own has no points: what is tolerated is a share of it.
    let margin = if metric == "mae" {
        margin * mean(&base).unwrap_or(0.0)
    } else {
        margin
    };
    let compared = if is_binary && is_independent {
        pairs_against_baseline(pairs, items, margin, ALPHA)
    } else {
        scores_against_baseline(&base, &now, &cluster, margin, ALPHA)
    };
    MetricCompared {
        metric: metric.to_owned(),
        baseline: mean(&base),
        candidate: mean(&now),
        note: compared.as_ref().err().map(ToString::to_string),
        compared: compared.ok(),
        detectable: detectable(pairs, items).filter(|_| is_binary),
        advisory: false,
        unscored,
        lost,
        won,
    }
}

/// The smallest drop that so many items show, if they go on to disagree as often.
fn detectable(pairs: Discordant, items: u64) -> Option<f64> {
    let disagree = (pairs.regressed + pairs.improved + 1) as f64 / (items + 2) as f64;
    let drop = detectable_drop(items.max(1), disagree, ALPHA, POWER);
    drop.ok().flatten()
}

/// The mean over a case's repetitions.
fn value(metric: &str, spec: &ScorerSpec, lines: &[&Line]) -> Value {
    let of = |line: &&Line| -> Value {
        match (metric, line.scores.get(&spec.name)) {
            (
                "accuracy",
                Some(Scored::Class {
                    truth, predicted, ..
                }),
            ) => Some(f64::from(u8::from(truth == predicted))),
            ("accuracy", Some(Scored::Label { truth, predicted })) => {
                Some(f64::from(u8::from(truth == predicted)))
            }
            (
                "brier",
                Some(Scored::Class {
                    truth, probability, ..
                }),
            ) => Some(-(f64::from(u8::from(*truth)) - (*probability)?).powi(2)),
            ("mae", Some(Scored::Number { truth, predicted })) => Some(-(truth - predicted).abs()),
            _ => score(line, spec).flatten(),
        }
    };
    let values: Option<Vec<f64>> = lines.iter().map(of).collect();
    values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
}
