//! `plimsoll eval run`: asks what is not asked yet, and tells what it came to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use indicatif::ProgressBar;
use plimsoll_control::figures::money;
use plimsoll_core::eval::EvalRun;
use plimsoll_core::{
    Clock as _, EnvironmentName, EventId, Money, ReleaseId, SystemClock, SystemName,
};
use plimsoll_evals::answer::Answer;
use plimsoll_evals::calibration::Calibration;
use plimsoll_evals::case::{Case, CaseSet};
use plimsoll_evals::compare::compare;
use plimsoll_evals::report::Report;
use plimsoll_evals::run::{Heading, Line, Results, Reusable};
use plimsoll_evals::scorer::Scorer;
use plimsoll_spec::Workspace;
use serde::Deserialize;

use super::asking::Asker;
use super::results::{Folder, Writer};
use super::{exit, read_set, scorers, show};
use crate::cli::{EvalRunArgs, Global};
use crate::client::{Server, actor};
use crate::data_folder::DataFolder;
use crate::eval_set::SetFile;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Output, note, progress};
use crate::workspace;

/// Runs a set and tells what it came to.
pub(crate) async fn run(global: &Global, args: EvalRunArgs, out: Output) -> Outcome<Exit> {
    let workspace = workspace::load_without_secrets(global)?;
    let folder = Folder::of(&DataFolder::at(workspace.storage.path.clone()));
    let baseline = args
        .baseline
        .as_ref()
        .map(|run| folder.find(run))
        .transpose()?;
    let server = Server::of_operators(global, &args.server)?;
    let (set, heading) = plan(&workspace, &args, &server).await?;
    let reusable = if args.reuse {
        folder.reusable(&heading)?
    } else {
        Reusable::default()
    };
    let (heading, done, writer) = begin(&folder, heading, args.anew)?;
    let asker = Asker {
        server: server.clone(),
        system: heading.system.clone(),
        run: heading.id,
        canary: args.canary,
        scorers: ready(&heading)?,
        folder: workspace.root.join("systems").join(heading.system.as_str()),
        slices: args.slice.clone(),
        baseline: baseline.as_ref().map(answers).unwrap_or_default(),
        clock: Arc::new(SystemClock::new()),
    };
    let mut running = Running {
        asker: &asker,
        set: &set,
        reusable: &reusable,
        writer,
        currency: &workspace.server.currency,
    };
    let lines = running.all(&heading, done, args.concurrency).await?;
    let writer = running.writer;
    let results = Results {
        heading,
        lines,
        end: None,
    };
    let calibrations = folder.calibrations()?;
    let report = report(&results, baseline.as_ref(), args.margin, &calibrations);
    keep(&server, writer, &report, &results).await?;
    let currency = &workspace.server.currency;
    show::tell(currency, &results.lines, &report, &args.pages, out)?;
    Ok(exit(report.verdict))
}

/// The cases that are meant, and what is asked of whom.
async fn plan(
    workspace: &Workspace,
    args: &EvalRunArgs,
    server: &Server,
) -> Outcome<(CaseSet, Heading)> {
    let system = workspace::system(workspace, Some(&args.set.system))?;
    let SetFile { mut set, file } = read_set(workspace, system, &args.set)?;
    let limit = args
        .limit
        .map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let left_out = limit.is_some_and(|limit| limit < set.cases.len());
    if let Some(limit) = limit {
        set = set.first(limit);
    }
    let (environment, release) = deployed(server, &system.name, args.canary).await?;
    let started_at = SystemClock::new().now();
    let heading = Heading {
        id: EventId::new(started_at),
        system: system.name.clone(),
        environment,
        set: set.name.clone(),
        digest: set.digest,
        file,
        cases: set.cases.len() as u64,
        repetitions: args.repeat,
        scorers: scorers(workspace, system).to_vec(),
        targets: system.bar.quality.clone(),
        release,
        partial: left_out || args.set.tag.is_some(),
        actor: actor(&args.server),
        started_at,
    };
    Ok((set, heading))
}

/// The file of a new run, or of one that was interrupted and asks the same, with what is there.
fn begin(folder: &Folder, heading: Heading, anew: bool) -> Outcome<(Heading, Vec<Line>, Writer)> {
    let interrupted = if anew {
        None
    } else {
        folder.interrupted(&heading)?
    };
    let Some((earlier, writer)) = interrupted else {
        let writer = folder.begin(&heading)?;
        return Ok((heading, Vec::new(), writer));
    };
    let (id, count) = (earlier.heading.id, earlier.lines.len());
    note(format_args!("run {id} goes on: {count} answers are there"));
    Ok((earlier.heading, earlier.lines, writer))
}

/// What a run came to; held against `baseline` too, if there is one.
pub(super) fn report(
    results: &Results,
    baseline: Option<&Results>,
    margin: f64,
    calibrations: &[Calibration],
) -> Report {
    let comparison =
        baseline.map(|baseline| compare(baseline, results, margin, &trusted(calibrations)));
    Report::of(&results.heading, &results.lines, calibrations, comparison)
}

/// The scorers whose judge agrees with people well enough.
pub(super) fn trusted(calibrations: &[Calibration]) -> BTreeSet<String> {
    let agreeing = calibrations.iter().filter(|calibration| calibration.agrees);
    agreeing
        .map(|calibration| calibration.scorer.clone())
        .collect()
}

fn ready(heading: &Heading) -> Outcome<Vec<Scorer>> {
    let ready = heading.scorers.iter().cloned().map(Scorer::new);
    let ready: Result<Vec<Scorer>, String> = ready.collect();
    ready.map_err(|fault| Failure::says(Exit::Workspace, fault))
}

/// What a run answered, by case and repetition.
fn answers(results: &Results) -> BTreeMap<(String, u32), serde_json::Value> {
    let answer = |line: &Line| {
        let given = line.answer.as_ref()?.given()?.clone();
        Some(((line.case.clone(), line.repetition), given))
    };
    results.lines.iter().filter_map(answer).collect()
}

#[derive(Deserialize)]
struct Systems {
    systems: Vec<Standing>,
}

#[derive(Deserialize)]
struct Standing {
    name: SystemName,
    environment: EnvironmentName,
    release: ReleaseId,
}

/// Where the server is, and which release it would ask.
async fn deployed(
    server: &Server,
    system: &SystemName,
    canary: bool,
) -> Outcome<(EnvironmentName, ReleaseId)> {
    let Systems { systems } = server.get("/api/v1/systems").await?;
    let found = systems
        .into_iter()
        .find(|standing| standing.name == *system);
    let found = found
        .ok_or_else(|| Failure::says(Exit::No, format!("the server has no system `{system}`")))?;
    if !canary {
        return Ok((found.environment, found.release));
    }
    let path = format!("/api/v1/systems/{system}/standing");
    let standing: serde_json::Value = server.get(&path).await?;
    let release = standing["canary"]["release"]
        .as_str()
        .and_then(|id| id.parse().ok());
    let release = release
        .ok_or_else(|| Failure::says(Exit::No, format!("system `{system}` has no canary")))?;
    Ok((found.environment, release))
}

/// Records what it came to, on the server and in the results file.
async fn keep(
    server: &Server,
    mut writer: Writer,
    report: &Report,
    results: &Results,
) -> Outcome<()> {
    let answered = results.lines.iter().filter_map(|line| line.answer.as_ref());
    let release = answered.map(|answer| answer.release).next();
    let run = report.record(
        release.unwrap_or(results.heading.release),
        SystemClock::new().now(),
    );
    let path = format!("/api/v1/systems/{}/evals", results.heading.system);
    let kept: EvalRun = server.post(&path, &run).await?;
    writer.end(&kept)
}

/// A run under way.
struct Running<'r> {
    asker: &'r Asker,
    set: &'r CaseSet,
    reusable: &'r Reusable,
    writer: Writer,
    currency: &'r str,
}

impl Running<'_> {
    /// Asks what is not `done`, and gives all lines in the order of the set.
    async fn all(
        &mut self,
        heading: &Heading,
        done: Vec<Line>,
        concurrency: u32,
    ) -> Outcome<Vec<Line>> {
        let bar = progress(
            Some(heading.cases * u64::from(heading.repetitions)),
            "answers",
        );
        bar.set_position(done.len() as u64);
        bar.reset_eta();
        let mut there: BTreeSet<(String, u32)> = BTreeSet::new();
        for line in &done {
            there.insert((line.case.clone(), line.repetition));
        }
        let (set, reusable, asker) = (self.set, self.reusable, self.asker);
        let asked = (0..heading.repetitions)
            .flat_map(|repetition| set.cases.iter().map(move |case| (case, repetition)))
            .filter(|(case, repetition)| !there.contains(&(case.id.clone(), *repetition)))
            .map(|(case, repetition)| {
                let earlier: Option<Answer> =
                    reusable.find(heading.release, case, repetition).cloned();
                asker.line(case, repetition, earlier)
            });
        let mut asked = stream::iter(asked).buffer_unordered(concurrency as usize);
        let mut lines = done;
        let mut spent: Money = lines.iter().map(cost).sum();
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            let next = tokio::select! {
                next = asked.next() => next,
                _ = &mut interrupted => return self.interrupted(&bar),
            };
            let Some(line) = next else { break };
            let line = match line {
                Ok(line) => self.writer.add(line, asker.clock.elapsed())?,
                Err(failure) => {
                    self.writer.sync()?;
                    bar.finish_and_clear();
                    return Err(failure);
                }
            };
            spent += cost(&line);
            bar.set_message(money(spent, self.currency));
            bar.inc(1);
            lines.push(line);
        }
        self.writer.sync()?;
        bar.finish_and_clear();
        Ok(in_order(&set.cases, lines))
    }

    fn interrupted(&mut self, bar: &ProgressBar) -> Outcome<Vec<Line>> {
        self.writer.sync()?;
        bar.finish_and_clear();
        let message = "interrupted: the same command goes on where this one stopped";
        Err(Failure::says(Exit::Undecided, message))
    }
}

/// What a line cost in this run.
fn cost(line: &Line) -> Money {
    let answer = line.answer.as_ref().filter(|_| !line.reused);
    let answer = answer.map_or(Money::ZERO, Answer::amount);
    answer + line.judging.map_or(Money::ZERO, |judging| judging.amount)
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
