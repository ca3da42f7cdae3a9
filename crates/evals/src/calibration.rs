//! What a judge is worth: its word held against people's on the same answers.
//!
//! Until a judge agrees well enough (kappa of at least 0.6, with a lower bound of at least 0.4) its figures
//! are advisory: they are shown and decide nothing. Afterwards a rate that it reports is corrected by how
//! often it errs each way (Rogan and Gladen 1978), with the uncertainty of the human labels in its bounds.
//! A calibration holds for the release of the judge that was looked at, and no other.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::{EventId, ReleaseId, SystemName, Timestamp};
use plimsoll_stats::agreement::Confusion;
use plimsoll_stats::judged::{Corrected, JudgeRecord, prediction_powered_mean, rogan_gladen};
use serde::{Deserialize, Serialize};

use crate::run::Results;
use crate::scorer::Scored;

/// The kappa from which on a judge's word counts.
pub const KAPPA_MIN: f64 = 0.6;
/// What its lower bound must reach.
pub const KAPPA_LOW_MIN: f64 = 0.4;
/// The labels from which on a calibration is more than a first look.
const LABELS_WISHED: u64 = 100;
/// Of either kind.
const OF_A_KIND_WISHED: u64 = 30;
/// The confidence of what is told.
const CONFIDENCE: f64 = 0.95;

/// What a person said of an answer.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HumanLabel {
    /// The case.
    pub case: String,
    /// Which of its repetitions.
    #[serde(default)]
    pub repetition: u32,
    /// Whether the answer is good.
    pub pass: bool,
}

/// A judge held against people.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Calibration {
    /// The scorer.
    pub scorer: String,
    /// The system that judges.
    pub judge: SystemName,
    /// The release of it that judged.
    pub release: ReleaseId,
    /// The run whose answers were looked at.
    pub run: EventId,
    /// How many people's labels there were.
    pub labels: u64,
    /// Answers that both passed.
    pub both_passed: u64,
    /// Answers that people passed.
    pub human_passed: u64,
    /// Answers that both failed.
    pub both_failed: u64,
    /// Answers that people failed.
    pub human_failed: u64,
    /// Cohen's kappa; none if one of them knew one answer only.
    pub kappa: Option<f64>,
    /// Its lower bound.
    pub kappa_low: Option<f64>,
    /// Its upper bound.
    pub kappa_high: Option<f64>,
    /// Gwet's AC1, which stays meaningful where one answer is rare.
    pub ac1: Option<f64>,
    /// Whether the judge agrees well enough for its word to count.
    pub agrees: bool,
    /// When.
    pub at: Timestamp,
}

/// What a calibration found.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Found {
    /// The judge held against people.
    #[serde(flatten)]
    pub calibration: Calibration,
    /// What the judge reported of the run.
    pub reported: f64,
    /// The same corrected for its errors (Rogan and Gladen).
    pub corrected: Option<Corrected>,
    /// The same from labels and judgements together (prediction-powered inference).
    pub prediction_powered: Option<Corrected>,
    /// What is wrong with labels, or missing.
    pub problems: Vec<String>,
}

impl Calibration {
    /// The judge's record, with what it said of other answers.
    pub const fn record(&self, passed: u64, judged: u64) -> JudgeRecord {
        JudgeRecord {
            passed,
            judged,
            both_passed: self.both_passed,
            human_passed: self.human_passed,
            both_failed: self.both_failed,
            human_failed: self.human_failed,
        }
    }
}

/// Holds what `scorer` said in a run against people's labels.
///
/// # Errors
/// If the run has no such judge, or no label belongs to anything that it judged.
pub fn calibrate(
    results: &Results,
    scorer: &str,
    labels: &[HumanLabel],
    at: Timestamp,
) -> Result<Found, String> {
    let spec = results
        .heading
        .scorers
        .iter()
        .find(|spec| spec.name == scorer);
    let judge = spec.and_then(|spec| spec.judge()).cloned();
    let judge = judge.ok_or_else(|| format!("the run has no judge `{scorer}`"))?;
    let pass = spec.and_then(|spec| spec.pass).unwrap_or(0.5);
    let releases: BTreeSet<ReleaseId> = results
        .lines
        .iter()
        .filter_map(|line| line.judges.get(scorer).copied())
        .collect();
    let mut releases = releases.into_iter();
    let (Some(release), None) = (releases.next(), releases.next()) else {
        return Err("the judge was not one release throughout the run: run it again".to_owned());
    };
    let mut problems = Vec::new();
    let mut judged: BTreeMap<(&str, u32), bool> = BTreeMap::new();
    for line in &results.lines {
        let asked = line.judges.contains_key(scorer);
        if let (true, Some(Scored::Score { score, .. })) = (asked, line.scores.get(scorer)) {
            judged.insert((line.case.as_str(), line.repetition), *score >= pass);
        }
    }
    let pairs = paired(labels, &judged, &mut problems);
    if pairs.is_empty() {
        return Err("no label belongs to an answer that was judged".to_owned());
    }
    let calibration = held(&pairs, (scorer, judge, release), results.heading.id, at);
    wishes(&calibration, &mut problems);
    let unlabelled: Vec<bool> = judged
        .iter()
        .filter(|(key, _)| !pairs.contains_key(*key))
        .map(|(_, said)| *said)
        .collect();
    let passed = judged.values().filter(|said| **said).count() as u64;
    let corrected = rogan_gladen(calibration.record(passed, judged.len() as u64), CONFIDENCE);
    let as_number = |said: &bool| f64::from(u8::from(*said));
    let (human, of_judge): (Vec<f64>, Vec<f64>) = pairs
        .values()
        .map(|(human, said)| (as_number(human), as_number(said)))
        .unzip();
    let rest: Vec<f64> = unlabelled.iter().map(as_number).collect();
    let powered = prediction_powered_mean(&human, &of_judge, &rest, CONFIDENCE);
    if let Err(error) = &corrected {
        problems.push(format!("the rate cannot be corrected: {error}"));
    }
    Ok(Found {
        reported: passed as f64 / judged.len() as f64,
        corrected: corrected.ok(),
        prediction_powered: powered.ok(),
        problems,
        calibration,
    })
}

/// What people and the judge said of the same answers.
fn paired<'l>(
    labels: &'l [HumanLabel],
    judged: &BTreeMap<(&str, u32), bool>,
    problems: &mut Vec<String>,
) -> BTreeMap<(&'l str, u32), (bool, bool)> {
    let mut pairs = BTreeMap::new();
    for label in labels {
        let key = (label.case.as_str(), label.repetition);
        let Some(said) = judged.get(&key) else {
            problems.push(format!(
                "the label of case `{}` (repetition {}) belongs to nothing that was judged",
                label.case, label.repetition
            ));
            continue;
        };
        if pairs.insert(key, (label.pass, *said)).is_some() {
            problems.push(format!(
                "case `{}` has several labels: the last counts",
                label.case
            ));
        }
    }
    pairs
}

fn held(
    pairs: &BTreeMap<(&str, u32), (bool, bool)>,
    (scorer, judge, release): (&str, SystemName, ReleaseId),
    run: EventId,
    at: Timestamp,
) -> Calibration {
    let count =
        |is: fn((bool, bool)) -> bool| pairs.values().filter(|pair| is(**pair)).count() as u64;
    let (human, said): (Vec<usize>, Vec<usize>) = pairs
        .values()
        .map(|(human, said)| (usize::from(*human), usize::from(*said)))
        .unzip();
    let confusion = Confusion::of(&human, &said, 2).ok();
    let kappa = confusion
        .as_ref()
        .and_then(|counts| counts.kappa_interval(CONFIDENCE).ok());
    let agrees =
        kappa.is_some_and(|told| told.kappa >= KAPPA_MIN && told.interval.low >= KAPPA_LOW_MIN);
    Calibration {
        scorer: scorer.to_owned(),
        judge,
        release,
        run,
        labels: pairs.len() as u64,
        both_passed: count(|(human, said)| human && said),
        human_passed: count(|(human, _)| human),
        both_failed: count(|(human, said)| !human && !said),
        human_failed: count(|(human, _)| !human),
        kappa: kappa.map(|told| told.kappa),
        kappa_low: kappa.map(|told| told.interval.low),
        kappa_high: kappa.map(|told| told.interval.high),
        ac1: confusion.and_then(|counts| counts.gwet_ac1().ok()),
        agrees,
        at,
    }
}

fn wishes(calibration: &Calibration, problems: &mut Vec<String>) {
    if calibration.kappa.is_none() {
        problems.push("labels or judgements are all the same: there is no kappa".to_owned());
    }
    if calibration.labels < LABELS_WISHED {
        let labels = calibration.labels;
        problems.push(format!(
            "{labels} labels are few: {LABELS_WISHED} would say more"
        ));
    }
    let rarer = calibration.human_passed.min(calibration.human_failed);
    if rarer < OF_A_KIND_WISHED {
        problems.push(format!(
            "only {rarer} labels are of the rarer kind: label more of it, {OF_A_KIND_WISHED} at least"
        ));
    }
}
