//! `plimsoll eval`: a set of cases asked of a running server, scored, and held against targets and
//! earlier runs.

mod compare;
mod judge;
mod list;
mod run;
mod show;

use plimsoll_core::System;
use plimsoll_core::eval::EvalVerdict;
use plimsoll_evals::case::Fault;
use plimsoll_evals::scorer::ScorerSpec;
use plimsoll_spec::Workspace;
use serde_json::json;

use crate::cli::{EvalCommand, EvalSetArgs, Global, JudgeCommand};
use crate::eval_set::{self, SetFile};
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::output::Output;
use crate::rows::ColumnTypes;
use crate::workspace;

/// Does what was typed.
pub(crate) async fn run(global: &Global, command: EvalCommand, out: Output) -> Outcome<Exit> {
    match command {
        EvalCommand::Run(args) => run::run(global, args, out).await,
        EvalCommand::List { system, limit } => list::run(global, system, limit, out).await,
        EvalCommand::Show { run, pages } => show::run(global, &run, &pages, out),
        EvalCommand::Compare {
            baseline,
            candidate,
            margin,
        } => compare::run(global, (&baseline, &candidate), margin, out),
        EvalCommand::Check(args) => check(global, &args, out),
        EvalCommand::Judge(JudgeCommand::Calibrate {
            scorer,
            labels,
            run,
        }) => judge::calibrate(global, &scorer, &labels, &run, out),
    }
}

/// The exit code of a verdict; without one, nothing was asked for and nothing is amiss.
pub(crate) const fn exit(verdict: Option<EvalVerdict>) -> Exit {
    match verdict {
        None | Some(EvalVerdict::Pass) => Exit::Yes,
        Some(EvalVerdict::Regressed) => Exit::No,
        Some(EvalVerdict::Inconclusive) => Exit::Undecided,
    }
}

/// Reads a set and tells what it is.
fn check(global: &Global, args: &EvalSetArgs, out: Output) -> Outcome<Exit> {
    let workspace = workspace::load_without_secrets(global)?;
    let system = workspace::system(&workspace, Some(&args.system))?;
    let SetFile { set, file } = read_set(&workspace, system, args)?;
    let told =
        json!({"set": set.name, "cases": set.cases.len(), "digest": set.digest, "file": file});
    out.show(&told, || {
        let (name, cases) = (&set.name, set.cases.len());
        format!("{name}: {cases} cases, {}\n", set.digest.short())
    })?;
    Ok(Exit::Yes)
}

/// The scorers of a system.
fn scorers<'w>(workspace: &'w Workspace, system: &System) -> &'w [ScorerSpec] {
    let folder = workspace.folders.get(&system.name);
    folder.map_or(&[], |folder| &folder.scorers)
}

/// The set that is meant, held against the system's scorers.
fn read_set(workspace: &Workspace, system: &System, args: &EvalSetArgs) -> Outcome<SetFile> {
    let types = ColumnTypes::of(workspace, system);
    let named = system
        .quality
        .as_ref()
        .and_then(|quality| quality.dataset.clone());
    let mut read = match (&args.set, named) {
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
    if let Some(tag) = &args.tag {
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
