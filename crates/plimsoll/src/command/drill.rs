//! `plimsoll drill run`: failures on purpose, and whether the designed answer happened.

use std::collections::BTreeMap;

use plimsoll_console::DrillRequest;
use plimsoll_control::drill::{synthetic_chat, synthetic_row};
use plimsoll_control::table::{Align, Table, printable};
use plimsoll_core::record::Drill;
use plimsoll_core::{Outcome as Ended, Step, System, SystemName};
use plimsoll_spec::{Workspace, cases};
use serde::Deserialize;
use serde_json::Value;

use crate::cli::{DrillCommand, Global};
use crate::client::Server;
use crate::exit::{Exit, Outcome};
use crate::output::Output;

#[derive(Deserialize)]
struct Ran {
    drills: Vec<Drill>,
}

/// Runs drills on the running server.
pub(crate) async fn run(global: &Global, command: DrillCommand, out: Output) -> Outcome<Exit> {
    let DrillCommand::Run {
        system,
        kind,
        server,
    } = command;
    let path = format!("/api/v1/systems/{system}/drills");
    let request = DrillRequest { kind };
    let Ran { drills } = Server::of_operators(global, &server)?
        .post(&path, &request)
        .await?;
    let passed = drills.iter().all(|drill| drill.passed);
    out.show(&drills, || text(&drills, &system, out))?;
    Ok(Exit::when(passed))
}

fn text(drills: &[Drill], system: &SystemName, out: Output) -> String {
    let steps = |steps: &[Step]| {
        let names: Vec<&str> = steps.iter().map(Step::as_str).collect();
        if names.is_empty() {
            "–".to_owned()
        } else {
            names.join(" → ")
        }
    };
    let mut table = Table::new(&[
        ("", Align::Left),
        ("failure", Align::Left),
        ("designed", Align::Left),
        ("happened", Align::Left),
        ("ended", Align::Left),
        ("note", Align::Left),
    ]);
    for drill in drills {
        table.row(vec![
            if drill.passed { "✓" } else { "✗" }.to_owned(),
            drill.kind.to_string(),
            steps(&drill.expected),
            steps(&drill.taken),
            ended(drill).to_owned(),
            drill.note.as_deref().map(printable).unwrap_or_default(),
        ]);
    }
    let passed = drills.iter().filter(|drill| drill.passed).count();
    let total = drills.len();
    format!(
        "{}\n{passed} of {total} drills of {system} passed\n",
        table.render(out.paint)
    )
}

/// How the drilled decision ended. A review of a drill is closed as soon as it was opened.
fn ended(drill: &Drill) -> &'static str {
    match (drill.outcome, drill.taken.last()) {
        (Some(outcome), _) => outcome.as_str(),
        (None, Some(Step::Review)) => "review closed",
        (None, _) => "open",
    }
}

/// What drills ask of each system: the input of a case that is served if there is one, else one that
/// is made from the input schema.
pub(crate) fn inputs(workspace: &Workspace) -> BTreeMap<SystemName, Value> {
    let input = |(name, system): (&SystemName, &System)| {
        let input = served_case(workspace, name).unwrap_or_else(|| synthetic(workspace, system));
        (name.clone(), input)
    };
    workspace.systems.iter().map(input).collect()
}

fn served_case(workspace: &Workspace, name: &SystemName) -> Option<Value> {
    let path = workspace.folders.get(name)?.cases.as_ref()?;
    let cases = cases::read(path).ok()?;
    let served = |case: &cases::Case| case.expect.outcome == Some(Ended::Served);
    cases.into_iter().find(served).map(|case| case.input)
}

fn synthetic(workspace: &Workspace, system: &System) -> Value {
    if !system.manifest.is_predictor() && system.manifest.prompt.is_none() {
        return synthetic_chat();
    }
    let schema = system
        .manifest
        .input
        .schema
        .and_then(|digest| workspace.blob(digest));
    let schema = schema.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    synthetic_row(&schema.unwrap_or_default())
}
