//! A run of an eval, whoever runs it: what is not asked yet is asked, so many cases at a time, scored, and
//! written down as it comes; then it is told what it came to.

pub(crate) mod asking;
mod command_scorer;
pub(crate) mod results;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::Path;

use futures_util::{StreamExt as _, stream};
use plimsoll_core::eval::EvalRun;
use plimsoll_core::{Money, ReleaseId, System, Timestamp};
use plimsoll_evals::answer::Answer;
use plimsoll_evals::calibration::Calibration;
use plimsoll_evals::case::{Case, CaseSet, Fault};
use plimsoll_evals::compare::compare;
use plimsoll_evals::report::Report;
use plimsoll_evals::run::{Heading, Line, Results, Reusable};
use plimsoll_evals::scorer::{Scorer, ScorerSpec};
use plimsoll_spec::Workspace;

use crate::eval_run::asking::Asker;
use crate::eval_run::results::{Folder, Writer};
use crate::eval_set::{self, SetFile};
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::rows::ColumnTypes;

/// Who runs it, in the record of a run that nobody asked for: the schedule.
pub(crate) const SCHEDULE: &str = "schedule";

/// What is asked, and of whom.
pub(crate) struct Running<'r> {
    pub(crate) asker: &'r Asker,
    pub(crate) set: &'r CaseSet,
    pub(crate) reusable: &'r Reusable,
    /// Cases at a time.
    pub(crate) concurrency: u32,
}

/// Who watches a run.
pub(crate) trait Watcher {
    /// Waits until a case may be asked.
    fn ready(&self) -> impl Future<Output = ()> + Send;

    /// Hears of an answer, and of what this session has cost so far; false: enough.
    fn told(&mut self, spent: Money) -> bool;
}

/// How asking ended.
pub(crate) enum Ended {
    /// All is answered: all lines, in the order of the set.
    Whole(Vec<Line>),
    /// It was stopped, and can go on later.
    Stopped,
}

impl Running<'_> {
    /// Asks what is not `done`, until all is answered, the watcher has enough, or `stop` comes.
    pub(crate) async fn ask(
        &self,
        heading: &Heading,
        done: Vec<Line>,
        writer: &mut Writer,
        watcher: &mut impl Watcher,
        stop: impl Future<Output = ()>,
    ) -> Outcome<Ended> {
        let ended = self.ask_all(heading, done, writer, watcher, stop).await;
        writer.sync()?;
        ended
    }

    async fn ask_all(
        &self,
        heading: &Heading,
        done: Vec<Line>,
        writer: &mut Writer,
        watcher: &mut impl Watcher,
        stop: impl Future<Output = ()>,
    ) -> Outcome<Ended> {
        let there: BTreeSet<(String, u32)> = done
            .iter()
            .map(|line| (line.case.clone(), line.repetition))
            .collect();
        let (set, reusable, asker) = (self.set, self.reusable, self.asker);
        let left = (0..heading.repetitions)
            .flat_map(|repetition| set.cases.iter().map(move |case| (case, repetition)))
            .filter(|(case, repetition)| !there.contains(&(case.id.clone(), *repetition)));
        let left: Vec<(&Case, u32)> = left.collect();
        let mut left = left.into_iter();
        let mut under_way = stream::FuturesUnordered::new();
        let (mut lines, mut spent) = (done, Money::ZERO);
        let mut stop = std::pin::pin!(stop);
        let mut has_more = true;
        loop {
            let has_room = has_more && under_way.len() < self.concurrency as usize;
            if !has_room && under_way.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                () = &mut stop => return Ok(Ended::Stopped),
                Some(line) = under_way.next(), if !under_way.is_empty() => {
                    let line: Outcome<Line> = line;
                    let line = writer.add(line?, asker.clock.elapsed())?;
                    spent += cost(&line);
                    lines.push(line);
                    if !watcher.told(spent) {
                        return Ok(Ended::Stopped);
                    }
                }
                () = watcher.ready(), if has_room => match left.next() {
                    Some((case, repetition)) => {
                        let earlier = reusable.find(heading.release, case, repetition).cloned();
                        under_way.push(asker.line(case, repetition, earlier));
                    }
                    None => has_more = false,
                },
            }
        }
        Ok(Ended::Whole(in_order(&set.cases, lines)))
    }
}

/// The file of a new run, or of one that was interrupted and asks the same, with what is there.
pub(crate) fn begin(
    folder: &Folder,
    heading: Heading,
    anew: bool,
) -> Outcome<(Heading, Vec<Line>, Writer)> {
    let interrupted = if anew {
        None
    } else {
        folder.interrupted(&heading)?
    };
    match interrupted {
        Some((earlier, writer)) => Ok((earlier.heading, earlier.lines, writer)),
        None => {
            let writer = folder.begin(&heading)?;
            Ok((heading, Vec::new(), writer))
        }
    }
}

/// What a run came to; held against `baseline` too, if there is one.
pub(crate) fn report(
    results: &Results,
    baseline: Option<&Results>,
    margin: f64,
    calibrations: &[Calibration],
) -> Report {
    let comparison = baseline.map(|baseline| {
        compare(
            baseline,
            results,
            margin,
            &trusted(results, baseline, calibrations),
        )
    });
    Report::of(&results.heading, &results.lines, calibrations, comparison)
}

/// The scorers whose judge agrees with people well enough: in each release of the judge that scored either run.
pub(crate) fn trusted(
    one: &Results,
    other: &Results,
    calibrations: &[Calibration],
) -> BTreeSet<String> {
    let mut judged: BTreeMap<&str, BTreeSet<ReleaseId>> = BTreeMap::new();
    for line in one.lines.iter().chain(&other.lines) {
        for (scorer, release) in &line.judges {
            judged.entry(scorer).or_default().insert(*release);
        }
    }
    let agrees = |scorer: &str, release: ReleaseId| {
        let mut calibrations = calibrations.iter();
        calibrations.any(|one| one.agrees && one.scorer == scorer && one.release == release)
    };
    let trusted = judged
        .into_iter()
        .filter(|(scorer, releases)| releases.iter().all(|release| agrees(scorer, *release)));
    trusted.map(|(scorer, _)| scorer.to_owned()).collect()
}

/// The scorers of a heading, ready to score.
pub(crate) fn ready(heading: &Heading) -> Outcome<Vec<Scorer>> {
    let ready = heading.scorers.iter().cloned().map(Scorer::new);
    let ready: Result<Vec<Scorer>, String> = ready.collect();
    ready.map_err(|fault| Failure::says(Exit::Workspace, fault))
}

/// What is recorded of a run that came to this.
pub(crate) fn record(results: &Results, report: &Report, now: Timestamp) -> EvalRun {
    let mut answered = results.lines.iter().filter_map(|line| line.answer.as_ref());
    let release = answered.next().map(|answer| answer.release);
    report.record(release.unwrap_or(results.heading.release), now)
}

/// What a line cost in this run.
fn cost(line: &Line) -> Money {
    let answer = line.answer.as_ref().filter(|_| !line.reused);
    let answer = answer.map_or(Money::ZERO, Answer::amount);
    answer + line.judging.map_or(Money::ZERO, |judging| judging.amount)
}

/// What lines cost in their run.
pub(crate) fn spent(lines: &[Line]) -> Money {
    lines.iter().map(cost).sum()
}

/// Lines as the set has its cases, however they came in.
fn in_order(cases: &[Case], mut lines: Vec<Line>) -> Vec<Line> {
    let places: BTreeMap<&str, usize> = cases
        .iter()
        .enumerate()
        .map(|(place, case)| (case.id.as_str(), place))
        .collect();
    lines.sort_by_key(|line| (line.repetition, places.get(line.case.as_str()).copied()));
    lines
}

/// The scorers of a system.
pub(crate) fn scorers<'w>(workspace: &'w Workspace, system: &System) -> &'w [ScorerSpec] {
    let folder = workspace.folders.get(&system.name);
    folder.map_or(&[], |folder| &folder.scorers)
}

/// The set at `path`, or the one that the system names, held against its scorers; only cases with `tag`, if there
/// is one.
pub(crate) fn set_of(
    workspace: &Workspace,
    system: &System,
    path: Option<&Path>,
    tag: Option<&str>,
) -> Outcome<SetFile> {
    let types = ColumnTypes::of(workspace, system);
    let named = system
        .quality
        .as_ref()
        .and_then(|quality| quality.dataset.clone());
    let mut read = match (path, named) {
        (Some(path), _) => eval_set::read(path, &path.display().to_string(), &types)?,
        (None, Some(dataset)) => {
            let folder = workspace.root.join("systems").join(system.name.as_str());
            eval_set::read(&folder.join(&dataset), &dataset, &types)?
        }
        (None, None) => {
            let name = &system.name;
            let message = format!(
                "system `{name}` has no eval set: name one with --set, or as `dataset` under `[quality]` in systems/{name}/system.toml"
            );
            return Err(Failure::says(Exit::Usage, message));
        }
    };
    if let Some(tag) = tag {
        read.set = read.set.tagged(tag).or_exit(Exit::Usage)?;
    }
    let scorers = scorers(workspace, system);
    let faults = read.set.cases.iter().flat_map(|case| {
        let fault = |scorer: &ScorerSpec| {
            let message = scorer.fault(case)?;
            let place = case.place.clone();
            Some(Fault { place, message })
        };
        scorers.iter().filter_map(fault)
    });
    plimsoll_evals::case::Faults::none_of(faults).or_exit(Exit::Workspace)?;
    Ok(read)
}
