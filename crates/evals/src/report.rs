//! What a run came to: figures with verdicts, slices, repetitions, failures, and everything that is amiss.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::decision::{Cost, CostBasis};
use plimsoll_core::eval::{EvalFigure, EvalRun, EvalVerdict};
use plimsoll_core::system::Bound;
use plimsoll_core::{Outcome, ReleaseId, Timestamp};
use plimsoll_stats::metrics::{pass_all_k, pass_at_k};
use plimsoll_stats::verdict::Verdict;
use serde::Serialize;

use crate::calibration::Calibration;
use crate::compare::Comparison;
use crate::figure::{CaseScores, Clusters, Figure, mean_figure};
use crate::run::{Heading, Line};
use crate::scorer::{Check, Scored, ScorerSpec};
use crate::truth::{self, Row};

/// The most values by which figures are sliced.
const SLICES_MAX: usize = 60;
/// The most failures that are told.
const FAILURES_MAX: usize = 200;
/// The most attempts for which pass@k is told.
const ATTEMPTS_MAX: u64 = 10;

/// What a run came to.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// What was asked.
    #[serde(flatten)]
    pub heading: Heading,
    /// What is established; none if nothing had to be reached.
    pub verdict: Option<EvalVerdict>,
    /// How many answers there are.
    pub answers: u64,
    /// Of these, of an earlier run.
    pub reused: u64,
    /// How decisions ended.
    pub outcomes: BTreeMap<String, u64>,
    /// The metrics, those with a target first.
    pub figures: Vec<Figure>,
    /// The metrics of parts of the set.
    pub slices: Vec<Slice>,
    /// How repeated attempts did.
    pub attempts: Vec<Attempts>,
    /// How it compares with another run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// Answers that did not pass, and why.
    pub failures: Vec<Failed>,
    /// How many more of them there are.
    pub failures_untold: u64,
    /// What is amiss.
    pub problems: Vec<String>,
    /// What systems and judges cost in this run; answers that were reused cost nothing again.
    pub cost: Cost,
    /// Half of the answers came within so many microseconds.
    pub p50_micros: u64,
    /// And 95 of 100 within so many.
    pub p95_micros: u64,
    /// When the first of the answers was given.
    pub measured_at: Timestamp,
}

/// The metrics of a part of the set.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Slice {
    /// What its cases have in common: a tag, or a member of the input and its value.
    pub of: String,
    /// How many cases it has.
    pub cases: u64,
    /// The metrics.
    pub figures: Vec<Figure>,
}

/// How `k` attempts at each case do.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Attempts {
    /// The metric.
    pub metric: String,
    /// How many attempts.
    pub k: u64,
    /// How likely one of them passes, at least.
    pub pass_at_k: f64,
    /// How likely all of them pass.
    pub pass_all_k: f64,
}

/// An answer that did not pass.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Failed {
    /// The case.
    pub case: String,
    /// Which time it was asked.
    pub repetition: u32,
    /// The scorer.
    pub scorer: String,
    /// Its score; none if there is none.
    pub score: Option<f64>,
    /// Why.
    pub why: String,
    /// The decision, to be explained.
    pub decision: Option<String>,
}

impl Report {
    /// Makes a report of a run's lines; `calibrations` are those of judges.
    pub fn of(
        heading: &Heading,
        lines: &[Line],
        calibrations: &[Calibration],
        comparison: Option<Comparison>,
    ) -> Self {
        let all: Vec<&Line> = lines.iter().collect();
        let mut figures = figures(heading, &all, &heading.targets, calibrations);
        figures.sort_by_key(|figure| figure.target.is_none());
        let mut problems = amiss(heading, lines, &figures);
        let slices = slices(heading, lines, &mut problems);
        let mut outcomes = BTreeMap::new();
        let answers: Vec<_> = lines
            .iter()
            .filter_map(|line| line.answer.as_ref())
            .collect();
        for answer in &answers {
            let ended = answer.outcome.map_or("pending", Outcome::as_str);
            *outcomes.entry(ended.to_owned()).or_insert(0) += 1;
        }
        let (failures, failures_untold) = failures(heading, lines);
        let mut micros: Vec<u64> = answers.iter().map(|answer| answer.micros).collect();
        micros.sort_unstable();
        let percentile = |p: usize| {
            let place = (micros.len() * p).div_ceil(100).max(1) - 1;
            micros.get(place).copied().unwrap_or(0)
        };
        let first = answers.iter().map(|answer| answer.asked_at).min();
        Self {
            verdict: verdict(heading, &figures, &problems, comparison.as_ref()),
            answers: answers.len() as u64,
            reused: lines.iter().filter(|line| line.reused).count() as u64,
            outcomes,
            attempts: attempts(heading, &all),
            figures,
            slices,
            comparison,
            failures,
            failures_untold,
            problems,
            cost: cost(lines),
            p50_micros: percentile(50),
            p95_micros: percentile(95),
            measured_at: first.unwrap_or(heading.started_at),
            heading: heading.clone(),
        }
    }

    /// What is recorded of it.
    pub fn record(&self, release: ReleaseId, ended_at: Timestamp) -> EvalRun {
        let heading = &self.heading;
        EvalRun {
            id: heading.id,
            system: heading.system.clone(),
            environment: heading.environment.clone(),
            release,
            set: heading.set.clone(),
            digest: heading.digest,
            file: heading.file,
            partial: heading.partial,
            cases: heading.cases,
            repetitions: heading.repetitions,
            reused: self.reused,
            figures: self.figures.iter().map(recorded).collect(),
            verdict: self.verdict,
            baseline: self
                .comparison
                .as_ref()
                .map(|comparison| comparison.baseline),
            cost: self.cost,
            measured_at: self.measured_at,
            ended_at,
            actor: heading.actor.clone(),
        }
    }
}

fn recorded(figure: &Figure) -> EvalFigure {
    EvalFigure {
        metric: figure.metric.clone(),
        value: figure.value,
        low: figure.interval.map(|interval| interval.low),
        high: figure.interval.map(|interval| interval.high),
        cases: figure.cases,
        unscored: figure.unscored,
        target: figure.target,
        verdict: figure.verdict.map(said),
        needs: match figure.verdict {
            Some(Verdict::Inconclusive { needs }) => needs,
            _ => None,
        },
        advisory: figure.advisory,
    }
}

/// A verdict of the statistics as it is recorded.
pub const fn said(verdict: Verdict) -> EvalVerdict {
    match verdict {
        Verdict::Pass => EvalVerdict::Pass,
        Verdict::Regressed => EvalVerdict::Regressed,
        Verdict::Inconclusive { .. } => EvalVerdict::Inconclusive,
    }
}

/// What is established of all together: one regression regresses it, one doubt leaves it in doubt.
fn verdict(
    heading: &Heading,
    figures: &[Figure],
    problems: &[String],
    comparison: Option<&Comparison>,
) -> Option<EvalVerdict> {
    let mut verdicts: Vec<EvalVerdict> = Vec::new();
    for figure in figures.iter().filter(|figure| figure.target.is_some()) {
        verdicts.push(match figure.verdict {
            Some(verdict) if figure.decides() => said(verdict),
            _ => EvalVerdict::Inconclusive,
        });
    }
    if let Some(comparison) = comparison {
        verdicts.extend(
            comparison
                .metrics
                .iter()
                .map(|metric| match metric.compared {
                    Some(compared) if !metric.advisory => said(compared.verdict),
                    _ => EvalVerdict::Inconclusive,
                }),
        );
    }
    if verdicts.is_empty() && heading.targets.is_empty() {
        return None;
    }
    if verdicts.contains(&EvalVerdict::Regressed) {
        return Some(EvalVerdict::Regressed);
    }
    let in_doubt = verdicts.contains(&EvalVerdict::Inconclusive) || !problems.is_empty();
    Some(if in_doubt {
        EvalVerdict::Inconclusive
    } else {
        EvalVerdict::Pass
    })
}

/// All metrics of these lines.
fn figures(
    heading: &Heading,
    lines: &[&Line],
    targets: &BTreeMap<String, Bound>,
    calibrations: &[Calibration],
) -> Vec<Figure> {
    let target = |metric: &str| targets.get(metric).copied();
    let mut figures = Vec::new();
    for spec in &heading.scorers {
        if is_predictor(spec) {
            let mut clusters = Clusters::default();
            let rows: Vec<Row<'_>> = lines
                .iter()
                .filter_map(|line| {
                    let cluster = clusters.of(&line.case, line.group.as_deref());
                    let scored = line.scores.get(&spec.name)?;
                    Some(Row { cluster, scored })
                })
                .collect();
            figures.extend(truth::figures(&rows, &spec.metrics(), targets));
            continue;
        }
        let calibration = calibrations
            .iter()
            .find(|calibration| fits(calibration, spec, lines));
        let calibration = calibration.filter(|calibration| calibration.agrees);
        let cases = case_scores(lines, |line| score(line, spec));
        let mut figure = mean_figure(&spec.name, &cases, target(&spec.name), calibration);
        figure.advisory = spec.judge().is_some() && calibration.is_none();
        let unanswered = lines
            .iter()
            .filter(|line| matches!(line.scores.get(&spec.name), Some(Scored::Unanswered)));
        let unanswered = unanswered.count();
        if unanswered > 0 {
            let told = format!("{unanswered} were not answered and are not counted");
            figure.note = Some(match figure.note.take() {
                Some(note) => format!("{note}; {told}"),
                None => told,
            });
        }
        figures.push(figure);
    }
    let asked = |of: fn(&Line) -> Option<bool>| {
        case_scores(lines, |line| match (&line.answer, of(line)) {
            (None, _) => Some(None),
            (_, passed) => passed.map(|passed| Some(f64::from(u8::from(passed)))),
        })
    };
    let answered = asked(|line| line.answer.as_ref().map(|answer| answer.given().is_some()));
    figures.push(mean_figure("answered", &answered, target("answered"), None));
    let valid = asked(|line| line.answer.as_ref().and_then(|answer| answer.schema_valid));
    if valid.iter().any(|case| !case.scored.is_empty()) {
        figures.push(mean_figure(
            "schema_valid",
            &valid,
            target("schema_valid"),
            None,
        ));
    }
    for (metric, bound) in targets {
        if !figures.iter().any(|figure| figure.metric == *metric) {
            let why = "no scorer gives it: write one under `[quality.scorers]`";
            figures.push(Figure::without(metric, Some(*bound), why));
        }
    }
    figures
}

const fn is_predictor(spec: &ScorerSpec) -> bool {
    matches!(spec.check, Check::Classification { .. } | Check::Regression)
}

/// Whether a calibration is of this scorer and of the one release of the judge that was asked.
fn fits(calibration: &Calibration, spec: &ScorerSpec, lines: &[&Line]) -> bool {
    calibration.scorer == spec.name
        && Some(&calibration.judge) == spec.judge()
        && lines
            .iter()
            .filter_map(|line| line.judges.get(&spec.name))
            .all(|release| *release == calibration.release)
}

/// A line's score by a scorer: some, unscored (`Some(None)`), or nothing to be counted at all.
#[expect(
    clippy::option_option,
    reason = "not scored and not to be scored differ"
)]
pub(crate) fn score(line: &Line, spec: &ScorerSpec) -> Option<Option<f64>> {
    if !spec.looks_at(&line.tags) {
        return None;
    }
    if line.answer.is_none() {
        return Some(None);
    }
    match line.scores.get(&spec.name)? {
        Scored::Score { score, .. } => Some(Some(match spec.pass {
            Some(pass) => f64::from(u8::from(*score >= pass)),
            None => *score,
        })),
        Scored::Unanswered => None,
        _ => Some(None),
    }
}

/// The scores of each case over its repetitions.
pub(crate) fn case_scores(
    lines: &[&Line],
    score: impl Fn(&Line) -> Option<Option<f64>>,
) -> Vec<CaseScores> {
    let mut clusters = Clusters::default();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut cases: Vec<CaseScores> = Vec::new();
    for line in lines {
        let Some(scored) = score(line) else { continue };
        let place = *places.entry(line.case.as_str()).or_insert_with(|| {
            cases.push(CaseScores {
                cluster: clusters.of(&line.case, line.group.as_deref()),
                weight: line.weight,
                scored: Vec::with_capacity(1),
                unscored: 0,
            });
            cases.len() - 1
        });
        match scored {
            Some(score) => cases[place].scored.push(score),
            None => cases[place].unscored += 1,
        }
    }
    cases
}

/// What stands in the way of a clear word.
fn amiss(heading: &Heading, lines: &[Line], figures: &[Figure]) -> Vec<String> {
    let mut problems = Vec::new();
    let asked = heading.cases * u64::from(heading.repetitions);
    let missing = asked.saturating_sub(lines.len() as u64);
    if missing > 0 {
        problems.push(format!(
            "{missing} of {asked} answers are missing: the run was interrupted"
        ));
    }
    let failed: Vec<&Line> = lines.iter().filter(|line| line.answer.is_none()).collect();
    if let Some(first) = failed.first() {
        let why = first
            .failed
            .as_deref()
            .unwrap_or("for no reason that is known");
        problems.push(format!(
            "{} could not be asked, first `{}`: {why}",
            failed.len(),
            first.case
        ));
    }
    let releases: BTreeSet<ReleaseId> = lines
        .iter()
        .filter_map(|line| line.answer.as_ref().map(|answer| answer.release))
        .collect();
    if releases.len() > 1 {
        let names: Vec<String> = releases.iter().map(|release| release.short()).collect();
        problems.push(format!("several releases answered: {}", names.join(", ")));
    }
    for figure in figures.iter().filter(|figure| figure.unscored > 0) {
        let Some(spec) = heading
            .scorers
            .iter()
            .find(|spec| spec.metrics().first() == Some(&figure.metric))
        else {
            continue;
        };
        let reasons = lines
            .iter()
            .filter_map(|line| match line.scores.get(&spec.name) {
                Some(Scored::Unscored { reason }) => Some((&line.case, reason)),
                _ => None,
            });
        if let Some((case, reason)) = reasons.into_iter().next() {
            let (count, name) = (figure.unscored, &spec.name);
            problems.push(format!(
                "`{name}` could not score {count}, first `{case}`: {reason}"
            ));
        }
    }
    if lines.iter().any(|line| line.weight != 1.0) && heading.scorers.iter().any(is_predictor) {
        problems.push("weights do not count in the metrics of predictors".to_owned());
    }
    problems
}

fn slices(heading: &Heading, lines: &[Line], problems: &mut Vec<String>) -> Vec<Slice> {
    let mut parts: BTreeMap<String, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        let tags = line.tags.iter().cloned();
        let values = line
            .slices
            .iter()
            .map(|(name, value)| format!("{name} = {value}"));
        for part in tags.chain(values) {
            parts.entry(part).or_default().push(line);
        }
    }
    if parts.len() > SLICES_MAX {
        problems.push(format!(
            "of {} slices the first {SLICES_MAX} are told",
            parts.len()
        ));
    }
    let of = |(of, lines): (String, Vec<&Line>)| Slice {
        of,
        cases: lines
            .iter()
            .map(|line| &line.case)
            .collect::<BTreeSet<_>>()
            .len() as u64,
        figures: figures(heading, &lines, &BTreeMap::new(), &[]),
    };
    parts.into_iter().take(SLICES_MAX).map(of).collect()
}

/// pass@k and pass^k of scorers that say passed or not, where cases were asked several times.
fn attempts(heading: &Heading, lines: &[&Line]) -> Vec<Attempts> {
    let repetitions = u64::from(heading.repetitions);
    let mut attempts = Vec::new();
    if repetitions < 2 {
        return attempts;
    }
    for spec in heading.scorers.iter().filter(|spec| !is_predictor(spec)) {
        let cases = case_scores(lines, |line| score(line, spec));
        let whole: Vec<(u64, u64)> = cases
            .iter()
            .filter(|case| {
                case.scored
                    .iter()
                    .all(|score| *score == 0.0 || *score == 1.0)
            })
            .map(|case| {
                let passed = case.scored.iter().filter(|score| **score == 1.0).count();
                (case.scored.len() as u64, passed as u64)
            })
            .collect();
        // A scorer that grades has no attempts that pass.
        if whole.len() < cases.len() {
            continue;
        }
        for k in 1..=repetitions.min(ATTEMPTS_MAX) {
            let enough: Vec<&(u64, u64)> = whole.iter().filter(|(n, _)| *n >= k).collect();
            let mean = |of: fn(u64, u64, u64) -> plimsoll_stats::Result<f64>| {
                let sum: Option<f64> = enough.iter().map(|(n, c)| of(*n, *c, k).ok()).sum();
                sum.filter(|_| !enough.is_empty())
                    .map(|sum| sum / enough.len() as f64)
            };
            if let (Some(at), Some(all)) = (mean(pass_at_k), mean(pass_all_k)) {
                attempts.push(Attempts {
                    metric: spec.name.clone(),
                    k,
                    pass_at_k: at,
                    pass_all_k: all,
                });
            }
        }
    }
    attempts
}

fn failures(heading: &Heading, lines: &[Line]) -> (Vec<Failed>, u64) {
    let (mut told, mut untold) = (Vec::new(), 0);
    for line in lines {
        for spec in &heading.scorers {
            let Some((score, why)) = failed(line, spec) else {
                continue;
            };
            if told.len() == FAILURES_MAX {
                untold += 1;
                continue;
            }
            told.push(Failed {
                case: line.case.clone(),
                repetition: line.repetition,
                scorer: spec.name.clone(),
                score,
                why,
                decision: line.answer.as_ref().map(|answer| answer.decision.clone()),
            });
        }
    }
    (told, untold)
}

/// Whether an answer did not pass: its score, and why.
pub fn failed(line: &Line, spec: &ScorerSpec) -> Option<(Option<f64>, String)> {
    if !spec.looks_at(&line.tags) {
        return None;
    }
    let scored = match (&line.answer, line.scores.get(&spec.name)) {
        (None, _) => {
            let why = line.failed.clone().unwrap_or_default();
            return Some((None, format!("not asked: {why}")));
        }
        (_, None) => return Some((None, "not scored".to_owned())),
        (_, Some(scored)) => scored,
    };
    match scored {
        Scored::Score { score, note } if *score < spec.pass.unwrap_or(1.0) => {
            Some((Some(*score), note.clone().unwrap_or_default()))
        }
        Scored::Class {
            truth, predicted, ..
        } if truth != predicted => {
            let said = if *predicted { "positive" } else { "negative" };
            Some((Some(0.0), format!("called {said}, and is not")))
        }
        Scored::Label { truth, predicted } if truth != predicted => {
            Some((Some(0.0), format!("called `{predicted}`, and is `{truth}`")))
        }
        Scored::Unscored { reason } => Some((None, format!("not scored: {reason}"))),
        _ => None,
    }
}

fn cost(lines: &[Line]) -> Cost {
    let mut sum = Cost {
        basis: CostBasis::Measured,
        ..Cost::FREE
    };
    for line in lines {
        if let Some(answer) = line.answer.as_ref().filter(|_| !line.reused) {
            sum = sum.plus(answer.cost);
        }
        if let Some(judging) = line.judging {
            sum = sum.plus(judging);
        }
    }
    sum
}
