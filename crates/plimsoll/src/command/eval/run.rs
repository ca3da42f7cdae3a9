//! `plimsoll eval run`: asks what is not asked yet, and tells what it came to.

use std::collections::BTreeMap;
use std::sync::Arc;

use indicatif::ProgressBar;
use plimsoll_control::figures::money;
use plimsoll_core::eval::EvalRun;
use plimsoll_core::{
    Clock as _, EnvironmentName, EventId, Money, ReleaseId, SystemClock, SystemName,
};
use plimsoll_evals::case::CaseSet;
use plimsoll_evals::report::Report;
use plimsoll_evals::run::{Heading, Line, Results, Reusable};
use plimsoll_spec::Workspace;
use serde::Deserialize;

use super::{exit, show};
use crate::cli::{EvalRunArgs, Global};
use crate::client::{Server, actor};
use crate::data_folder::DataFolder;
use crate::eval_run::asking::{Asker, Meter};
use crate::eval_run::results::{Folder, Writer};
use crate::eval_run::{
    Ended, Running, Watcher, begin, ready, record, report, scorers, set_of, spent,
};
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
    let (heading, done, mut writer) = begin(&folder, heading, args.anew)?;
    let asker = Asker {
        answering: Arc::new(server.clone()),
        system: heading.system.clone(),
        run: heading.id,
        canary: args.canary,
        scorers: Arc::new(ready(&heading)?),
        folder: workspace.root.join("systems").join(heading.system.as_str()),
        slices: args.slice.clone(),
        baseline: baseline.as_ref().map(answers).unwrap_or_default(),
        clock: Arc::new(SystemClock::new()),
        meter: Meter::default(),
    };
    let running = Running {
        asker: &asker,
        set: &set,
        reusable: &reusable,
        concurrency: args.concurrency,
    };
    if !done.is_empty() {
        let (id, count) = (heading.id, done.len());
        note(format_args!("run {id} goes on: {count} answers are there"));
    }
    let mut progress = Progress::of(&heading, &done, &workspace.server.currency);
    let interrupted = async {
        tokio::signal::ctrl_c().await.ok();
    };
    let ended = running.ask(&heading, done, &mut writer, &mut progress, interrupted);
    let ended = ended.await;
    progress.bar.finish_and_clear();
    let lines = match ended? {
        Ended::Whole(lines) => lines,
        Ended::Stopped => {
            let message = "interrupted: the same command goes on where this one stopped";
            return Err(Failure::says(Exit::Undecided, message));
        }
    };
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
    let SetFile { mut set, file } = set_of(
        workspace,
        system,
        args.set.set.as_deref(),
        args.set.tag.as_deref(),
    )?;
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
    let run = record(results, report, SystemClock::new().now());
    let path = format!("/api/v1/systems/{}/evals", results.heading.system);
    let kept: EvalRun = server.post(&path, &run).await?;
    writer.end(&kept)
}

/// How far a run is, on standard error.
struct Progress<'p> {
    bar: ProgressBar,
    before: Money,
    currency: &'p str,
}

impl<'p> Progress<'p> {
    fn of(heading: &Heading, done: &[Line], currency: &'p str) -> Self {
        let all = heading.cases * u64::from(heading.repetitions);
        let bar = progress(Some(all), "answers");
        bar.set_position(done.len() as u64);
        bar.reset_eta();
        Self {
            bar,
            before: spent(done),
            currency,
        }
    }
}

impl Watcher for Progress<'_> {
    async fn ready(&self) {}

    fn told(&mut self, spent: Money) -> bool {
        self.bar
            .set_message(money(self.before + spent, self.currency));
        self.bar.inc(1);
        true
    }
}
