//! `plimsoll eval`: a set of cases asked of a running server, scored, and held against targets and
//! earlier runs.

mod compare;
mod judge;
mod list;
mod run;
mod show;

use plimsoll_core::eval::EvalVerdict;
use serde_json::json;

use crate::cli::{EvalCommand, EvalSetArgs, Global, JudgeCommand};
use crate::eval_run::set_of;
use crate::eval_set::SetFile;
use crate::exit::{Exit, Outcome};
use crate::output::Output;
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
    let SetFile { set, file } =
        set_of(&workspace, system, args.set.as_deref(), args.tag.as_deref())?;
    let told =
        json!({"set": set.name, "cases": set.cases.len(), "digest": set.digest, "file": file});
    out.show(&told, || {
        let (name, cases) = (&set.name, set.cases.len());
        format!("{name}: {cases} cases, {}\n", set.digest.short())
    })?;
    Ok(Exit::Yes)
}
