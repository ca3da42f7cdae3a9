//! `plimsoll cost reconcile`: a provider's own count held against the records.

use std::time::Duration;

use anyhow::Context as _;
use plimsoll_control::cost::import;
use plimsoll_control::cost::reconcile::{Reconciler, render};
use plimsoll_core::Tenancy;
use plimsoll_store::DecisionFilter;

use super::{Releases, beginning_of, workspace};
use crate::cli::{Global, ReconcileArgs};
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::output::Output;
use crate::workspace::Reading;

/// The most bytes of an export.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
const DAY: Duration = Duration::from_hours(24);

/// Compares day by day and model by model.
pub(super) async fn run(global: &Global, args: &ReconcileArgs, out: Output) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let known = workspace(&reading)?;
    if let Some(name) = &args.provider
        && !known.providers.keys().any(|known| known.as_str() == name)
    {
        let message = format!("plimsoll.toml has no provider `{name}`");
        return Err(Failure::says(Exit::Usage, message));
    }
    let failed = || format!("the export `{}` cannot be read", args.file.display());
    let size = std::fs::metadata(&args.file).with_context(failed);
    if size.or_exit(Exit::Usage)?.len() > BYTES_MAX {
        let message = "the export is larger than 256 MiB: split it by days";
        return Err(Failure::says(Exit::Usage, message));
    }
    let text = std::fs::read_to_string(&args.file).with_context(failed);
    let lines = import::read(&text.or_exit(Exit::Usage)?)
        .with_context(failed)
        .or_exit(Exit::Usage)?;
    let mut reconciler = Reconciler::new(&lines, args.provider.clone());
    let (first, last) = reconciler.days().unwrap_or_default();
    let filter = DecisionFilter {
        environment: Some(known.server.environment.clone()),
        since: Some(beginning_of(first)?),
        until: Some(beginning_of(last)?.plus(DAY)),
        // Providers want money for drills too.
        drills: true,
        ..DecisionFilter::default()
    };
    let mut releases = Releases::default();
    let mut pages = reading
        .store
        .decision_pages(&Tenancy::Installation, &filter);
    while let Some(page) = pages.next().await? {
        for decision in &page {
            let models = releases.models(&reading, decision.release).await?;
            reconciler.add(decision, Some(models));
        }
    }
    let report = reconciler.report(args.tolerance, &known.server.currency);
    out.show(&report, || render(&report, out.paint))?;
    Ok(Exit::when(report.agrees))
}
