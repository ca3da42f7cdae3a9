//! `plimsoll bar`: above or below the line, from what is recorded. Works with the server down.

use plimsoll_control::bar::{MonitorFacts, Report, Standing, render, render_summary};
use plimsoll_core::System;

use crate::cli::{BarArgs, Global};
use crate::evidence::{Asked, of_folder};
use crate::exit::{Exit, Failure, Outcome};
use crate::monitor_file;
use crate::output::Output;
use crate::workspace::{self, Reading};

/// Judges one system, or all.
pub(crate) async fn run(global: &Global, args: &BarArgs, out: Output) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let unread = || {
        Failure::says(
            Exit::Workspace,
            "plimsoll.toml has problems: `plimsoll check` prints them",
        )
    };
    let known = reading.workspace.as_ref().ok_or_else(unread)?;
    let systems: Vec<&System> = match &args.system {
        Some(name) => vec![workspace::system(known, Some(name))?],
        None => known.systems.values().collect(),
    };
    let mut reports = Vec::with_capacity(systems.len());
    for system in systems {
        reports.push(report(&reading, system, known).await?);
    }
    let above = reports
        .iter()
        .all(|report| report.standing == Standing::AboveTheLine);
    let page = |report: &Report| render(report, out.columns, out.paint);
    match &reports[..] {
        [one] if args.system.is_some() => out.show(one, || page(one))?,
        many => out.show(many, || {
            let pages: Vec<String> = many.iter().map(page).collect();
            let summary = if many.len() > 1 {
                render_summary(many, out.paint)
            } else {
                String::new()
            };
            format!("{}\n{summary}", pages.join("\n"))
                .trim_end()
                .to_owned()
        })?,
    }
    Ok(Exit::when(above))
}

/// What the monitors knew when they wrote it down last; what was never written was never measured.
fn monitors(
    reading: &Reading,
    system: &System,
    workspace: &plimsoll_spec::Workspace,
) -> Option<MonitorFacts> {
    workspace.folders.get(&system.name)?.monitors.as_ref()?;
    let kept = monitor_file::read(reading.folder.root());
    let facts = kept.and_then(|kept| {
        Some(MonitorFacts {
            monitors: kept.views(&system.name)?,
            looked_at: Some(kept.at),
        })
    });
    Some(facts.unwrap_or_default())
}

async fn report(
    reading: &Reading,
    system: &System,
    workspace: &plimsoll_spec::Workspace,
) -> Outcome<Report> {
    let asked = Asked {
        receivers: &workspace.receivers,
        store: &reading.store,
        environment: &workspace.server.environment,
        node: &workspace.server.node,
        currency: &workspace.server.currency,
        now: reading.clock.now(),
        monitors: monitors(reading, system, workspace),
        prices: &workspace.prices,
    };
    let applied = reading.applied(&workspace.server.node).await?;
    let log = of_folder(reading.folder.root(), applied);
    Ok(asked.judge(system, log).await?)
}
