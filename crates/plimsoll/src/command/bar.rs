//! `plimsoll bar`: above or below the line, from what is recorded. Works with the server down.

use plimsoll_control::bar::{Report, Standing, render, render_summary};
use plimsoll_core::System;

use crate::cli::{BarArgs, Global};
use crate::evidence::{Asked, of_folder};
use crate::exit::{Exit, Failure, Outcome};
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

async fn report(
    reading: &Reading,
    system: &System,
    workspace: &plimsoll_spec::Workspace,
) -> Outcome<Report> {
    let asked = Asked {
        store: &reading.store,
        environment: &workspace.server.environment,
        node: &workspace.server.node,
        currency: &workspace.server.currency,
        now: reading.clock.now(),
    };
    let applied = reading.applied(&workspace.server.node).await?;
    let log = of_folder(reading.folder.root(), applied);
    Ok(asked.judge(system, log).await?)
}
