//! `plimsoll decisions`: a page of them, or all into a file.

use std::fs::OpenOptions;
use std::io::BufWriter;
use std::path::Path;

use anyhow::Context as _;
use plimsoll_control::explain::ending;
use plimsoll_control::figures::{self, counted};
use plimsoll_control::paint::Paint;
use plimsoll_control::table::{Align, Table};
use plimsoll_core::decision::CostBasis;
use plimsoll_core::{Decision, FailureKind, ModelName, Timestamp};
use plimsoll_store::DecisionFilter;
use serde_json::json;

use crate::cli::{
    DecisionsArgs, DecisionsCommand, Ending, ExportArgs, ExportFormat, FilterArgs, Global,
};
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::output::{Output, progress};
use crate::workspace::Reading;

/// Lists or exports.
pub(crate) async fn run(global: &Global, args: DecisionsArgs, out: Output) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    if let Some(DecisionsCommand::Export(args)) = args.command {
        return export(&reading, args, out).await;
    }
    let mut filter = filter(&reading, args.filter).await?;
    filter.limit = args.limit;
    if let Some(before) = &args.before {
        filter.before = Some(reading.store.decision_by_prefix(None, before).await?.id);
    }
    let decisions = reading.store.decisions(&filter).await?;
    let all = reading.store.count_decisions(&filter).await?;
    out.show(&decisions, || {
        text(&decisions, all, reading.currency(), out)
    })?;
    Ok(Exit::Yes)
}

async fn filter(reading: &Reading, args: FilterArgs) -> Outcome<DecisionFilter> {
    let release = match &args.release {
        Some(release) => Some(reading.store.release_by_prefix(release).await?.id),
        None => None,
    };
    let now = reading.clock.now();
    Ok(DecisionFilter {
        system: args.system,
        tenant: args.tenant,
        outcome: match args.outcome {
            Some(Ending::Closed(outcome)) => Some(outcome),
            Some(Ending::Open) | None => None,
        },
        open: args.outcome == Some(Ending::Open),
        kind: args.kind,
        unit: args.unit,
        since: args.since.map(|moment| moment.resolve(now)),
        until: args.until.map(|moment| moment.resolve(now)),
        drills: args.drills,
        release,
        ..DecisionFilter::default()
    })
}

fn text(decisions: &[Decision], all: u64, currency: &str, out: Output) -> String {
    let mut table = Table::new(&[
        ("decision", Align::Left),
        ("system", Align::Left),
        ("opened (UTC)", Align::Left),
        ("outcome", Align::Left),
        ("failure", Align::Left),
        ("path", Align::Left),
        ("took", Align::Right),
        ("cost", Align::Right),
        ("release", Align::Left),
    ]);
    for decision in decisions {
        table.row(row(decision, currency));
    }
    let mut text = table.render(out.paint);
    let shown = decisions.len() as u64;
    match decisions.last().filter(|_| all > shown) {
        Some(last) => text.push_str(&format!(
            "\n{} of {}; the next page: --before {}\n",
            figures::count(shown),
            counted(all, "decision"),
            last.id
        )),
        None => text.push_str(&format!("\n{}\n", counted(all, "decision"))),
    }
    text
}

fn row(decision: &Decision, currency: &str) -> Vec<String> {
    let cost = match decision.cost.basis {
        CostBasis::Unknown => "unknown".to_owned(),
        CostBasis::Measured | CostBasis::Estimated => {
            figures::money(decision.cost.amount, currency)
                .trim_end()
                .to_owned()
        }
    };
    vec![
        decision.id.to_string(),
        decision.system.to_string(),
        decision.opened_at.short(),
        ending(decision, Paint::Plain),
        decision.kind.map_or("", FailureKind::as_str).to_owned(),
        path(decision),
        decision
            .total_micros()
            .map(figures::micros)
            .unwrap_or_default(),
        cost,
        decision.release.short(),
    ]
}

/// The models that were asked, and the other steps, as one word each.
fn path(decision: &Decision) -> String {
    let first = decision.attempts.first().map(|attempt| &attempt.model);
    let first = first
        .filter(|model| **model == ModelName::primary())
        .map(ModelName::as_str);
    let steps = decision.path.iter().map(|step| step.step.as_str());
    first
        .into_iter()
        .chain(steps)
        .collect::<Vec<_>>()
        .join(" → ")
}

async fn export(reading: &Reading, args: ExportArgs, out: Output) -> Outcome<Exit> {
    let filter = filter(reading, args.filter).await?;
    let format = match args.format {
        Some(format) => format,
        None => format_of(&args.out)?,
    };
    let failed = || format!("the export `{}` cannot be written", args.out.display());
    let mut open = OpenOptions::new();
    open.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    let file = open
        .open(&args.out)
        .with_context(failed)
        .or_exit(Exit::Usage)?;
    let total = reading.store.count_decisions(&filter).await?;
    let bar = progress(Some(total), "decisions");
    let kept = file.try_clone().with_context(failed).or_exit(Exit::Usage)?;
    let writer = BufWriter::new(Watched {
        file,
        bar: bar.clone(),
        bytes: 0,
    });
    let written = match format {
        ExportFormat::Csv => reading.store.export_csv(&filter, writer).await,
        ExportFormat::Parquet => reading.store.export_parquet(&filter, writer).await,
    };
    bar.finish_and_clear();
    let rows = match written {
        Ok(rows) => rows,
        Err(error) => {
            // Half an export is none.
            std::fs::remove_file(&args.out).ok();
            return Err(error.into());
        }
    };
    kept.sync_all().with_context(failed).or_exit(Exit::Usage)?;
    let at: Timestamp = reading.clock.now();
    let summary = json!({"rows": rows, "file": args.out, "at": at.to_string()});
    out.show(&summary, || {
        format!("{} in {}\n", counted(rows, "decision"), args.out.display())
    })?;
    Ok(Exit::Yes)
}

fn format_of(path: &Path) -> Outcome<ExportFormat> {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "csv" => Ok(ExportFormat::Csv),
        "parquet" => Ok(ExportFormat::Parquet),
        _ => {
            let message = "name the export's form with --format csv or --format parquet";
            Err(Failure::says(Exit::Usage, message))
        }
    }
}

/// A file whose growth the progress bar tells.
struct Watched {
    file: std::fs::File,
    bar: indicatif::ProgressBar,
    bytes: u64,
}

impl std::io::Write for Watched {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.bytes += written as u64;
        self.bar
            .set_message(format!("{} KiB written", self.bytes / 1024));
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
