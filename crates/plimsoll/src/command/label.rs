//! `plimsoll label`: what turned out to be true of decisions, brought in files and looked at.

mod file;

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll_console::{LabelRequest, LabelsReport, LabelsRequest};
use plimsoll_control::figures::{count, counted};
use plimsoll_control::table::{Align, Table, printable};
use plimsoll_core::label::LabelState;
use plimsoll_core::{Clock as _, SystemClock};
use plimsoll_gateway::LABELS_MAX;
use plimsoll_store::{LabelFilter, StoredLabel};
use serde::Serialize;

use crate::cli::{Global, LabelCommand, LabelImportArgs, LabelListArgs};
use crate::client::Server;
use crate::exit::{Exit, Outcome};
use crate::output::{Output, progress};
use crate::workspace::Reading;

/// Lines of a file that are named one by one.
const NAMED_MAX: usize = 100;
/// The clock of whoever made a decision may be so far ahead of this one.
const AHEAD_MAX: Duration = Duration::from_mins(5);

/// Imports or lists.
pub(crate) async fn run(global: &Global, command: LabelCommand, out: Output) -> Outcome<Exit> {
    match command {
        LabelCommand::Import(args) => import(global, args, out).await,
        LabelCommand::List(args) => list(global, args, out).await,
    }
}

/// What became of a file.
#[derive(Debug, Default, Serialize)]
struct Imported {
    rows: u64,
    states: BTreeMap<LabelState, u64>,
    refused: u64,
    /// The first of those that were refused.
    problems: Vec<Problem>,
}

/// A line that holds no label.
#[derive(Debug, Serialize)]
struct Problem {
    row: u64,
    problem: String,
}

impl Imported {
    fn refuse(&mut self, problem: String) {
        self.refused += 1;
        if self.problems.len() < NAMED_MAX {
            self.problems.push(Problem {
                row: self.rows,
                problem,
            });
        }
    }
}

async fn import(global: &Global, args: LabelImportArgs, out: Output) -> Outcome<Exit> {
    let server = Server::of_operators(global, &args.server)?;
    let columns = file::Columns {
        decision: args.decision,
        value: args.value,
        observed_at: args.observed_at,
    };
    let mut rows = file::Rows::open(&args.file, &columns)?;
    let latest = SystemClock::new().now().plus(AHEAD_MAX);
    let bar = progress(rows.count(), "rows");
    let mut imported = Imported::default();
    let mut waiting = Vec::with_capacity(LABELS_MAX);
    while let Some(row) = rows.next_row()? {
        imported.rows += 1;
        bar.inc(1);
        match row {
            Ok(label) if label.decision.made_at() > latest => {
                let id = label.decision;
                imported.refuse(format!("decision `{id}` lies in the future"));
            }
            Ok(label) => waiting.push(LabelRequest {
                name: args.name.clone(),
                ..label
            }),
            Err(problem) => imported.refuse(problem),
        }
        if waiting.len() == LABELS_MAX {
            send(&server, &args.tenant, &mut waiting, &mut imported).await?;
        }
    }
    send(&server, &args.tenant, &mut waiting, &mut imported).await?;
    bar.finish_and_clear();
    out.show(&imported, || imported_text(&imported))?;
    Ok(if imported.refused == 0 {
        Exit::Yes
    } else {
        Exit::No
    })
}

async fn send(
    server: &Server,
    tenant: &Option<plimsoll_core::TenantName>,
    labels: &mut Vec<LabelRequest>,
    imported: &mut Imported,
) -> Outcome<()> {
    if labels.is_empty() {
        return Ok(());
    }
    let request = LabelsRequest {
        labels: std::mem::take(labels),
        tenant: tenant.clone(),
    };
    let LabelsReport { states } = server.post("/api/v1/labels", &request).await?;
    for state in states {
        *imported.states.entry(state).or_insert(0) += 1;
    }
    Ok(())
}

fn imported_text(imported: &Imported) -> String {
    let mut text = format!("{}\n", counted(imported.rows, "row"));
    for (state, number) in &imported.states {
        let what = match state {
            LabelState::Joined => "joined their decisions",
            LabelState::Corrected => "took the place of another value",
            LabelState::Waiting => "wait for decisions that nobody knows",
            LabelState::Repeated => "said what stands already, and were not recorded again",
        };
        text.push_str(&format!("  {} {what}\n", count(*number)));
    }
    if imported.refused > 0 {
        text.push_str(&format!("  {} are no labels:\n", count(imported.refused)));
        for Problem { row, problem } in &imported.problems {
            text.push_str(&format!("    row {row}: {}\n", printable(problem)));
        }
        let more = imported.refused - imported.problems.len() as u64;
        if more > 0 {
            text.push_str(&format!("    and {} more\n", count(more)));
        }
    }
    text
}

async fn list(global: &Global, args: LabelListArgs, out: Output) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let filter = LabelFilter {
        system: args.system,
        decision: args.decision,
        tenant: args.tenant,
        waiting: args.waiting,
        limit: args.limit,
        before: None,
    };
    let labels = reading.store.labels(&filter).await?;
    out.show(&labels, || list_text(&labels, out))?;
    Ok(Exit::Yes)
}

fn list_text(labels: &[StoredLabel], out: Output) -> String {
    let mut table = Table::new(&[
        ("decision", Align::Left),
        ("system", Align::Left),
        ("label", Align::Left),
        ("value", Align::Left),
        ("state", Align::Left),
        ("said (UTC)", Align::Left),
        ("by", Align::Left),
    ]);
    for StoredLabel {
        label,
        stands,
        joined,
    } in labels
    {
        let state = match (stands, joined) {
            (false, _) => "corrected",
            (true, Some(_)) => "stands",
            (true, None) => "waiting",
        };
        let system = joined.as_ref().map(|joined| joined.system.to_string());
        table.row(vec![
            label.decision.to_string(),
            system.unwrap_or_else(|| "–".to_owned()),
            label.name.to_string(),
            printable(&label.value.to_string()),
            state.to_owned(),
            label.at.short(),
            printable(&label.actor),
        ]);
    }
    let number = counted(labels.len() as u64, "label");
    format!("{}\n{number}\n", table.render(out.paint))
}
