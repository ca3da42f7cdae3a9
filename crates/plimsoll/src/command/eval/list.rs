//! `plimsoll eval list`: the runs that are recorded; the server may run or not.

use plimsoll_control::figures::{ago, count, money};
use plimsoll_control::table::{Align, Table};
use plimsoll_core::eval::{EvalFigure, EvalRun, EvalVerdict};
use plimsoll_core::{SystemName, Timestamp};

use crate::cli::Global;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::workspace::Reading;

/// Lists runs.
pub(super) async fn run(
    global: &Global,
    system: Option<SystemName>,
    limit: u32,
    out: Output,
) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let unread = "plimsoll.toml has problems: `plimsoll check` prints them";
    let known = reading.workspace.as_ref();
    let known = known.ok_or_else(|| Failure::says(Exit::Workspace, unread))?;
    let environment = known.server.environment.clone();
    let systems = system.map_or_else(|| reading.system_names(), |system| vec![system]);
    let mut runs: Vec<EvalRun> = Vec::new();
    for system in systems {
        runs.extend(
            reading
                .store
                .eval_runs(&system, &environment, limit)
                .await?,
        );
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.ended_at));
    let now = reading.clock.now();
    out.show(&runs, || text(&runs, now, reading.currency(), out))?;
    Ok(Exit::Yes)
}

fn text(runs: &[EvalRun], now: Timestamp, currency: &str, out: Output) -> String {
    if runs.is_empty() {
        return "no eval has been run: plimsoll eval run SYSTEM\n".to_owned();
    }
    let mut table = Table::new(&[
        ("run", Align::Left),
        ("system", Align::Left),
        ("ended", Align::Right),
        ("release", Align::Left),
        ("set", Align::Left),
        ("cases", Align::Right),
        ("cost", Align::Right),
        ("verdict", Align::Left),
        ("targets", Align::Left),
    ]);
    for run in runs {
        let part = if run.partial { " (part)" } else { "" };
        let times = if run.repetitions > 1 {
            format!(" × {}", run.repetitions)
        } else {
            String::new()
        };
        table.row(vec![
            run.id.to_string(),
            run.system.to_string(),
            ago(run.ended_at, now),
            run.release.short(),
            format!("{}{part}", run.set),
            format!("{}{times}", count(run.cases)),
            money(run.cost.amount, currency),
            run.verdict.map_or("–", EvalVerdict::as_str).to_owned(),
            targets(&run.figures),
        ]);
    }
    table.render(out.paint)
}

fn targets(figures: &[EvalFigure]) -> String {
    let with = figures.iter().filter(|figure| figure.target.is_some());
    let told = with.map(|figure| {
        let value = figure
            .value
            .map_or("–".to_owned(), |value| format!("{value:.3}"));
        format!("{} {value}", figure.metric)
    });
    told.collect::<Vec<_>>().join(" · ")
}
