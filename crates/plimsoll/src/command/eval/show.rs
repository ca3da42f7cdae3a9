//! `plimsoll eval show`: a run told again, from its results file.

use std::path::Path;

use plimsoll_control::eval::{junit, page, render};
use plimsoll_evals::report::Report;
use plimsoll_evals::run::Line;

use super::exit;
use crate::cli::{EvalPages, Global};
use crate::eval_run::report;
use crate::eval_run::results::Folder;
use crate::exit::{Exit, Exits as _, Outcome};
use crate::output::{Output, note};
use crate::workspace;

/// Tells a run.
pub(super) fn run(global: &Global, run: &str, pages: &EvalPages, out: Output) -> Outcome<Exit> {
    let folder = Folder::of(&workspace::data_folder(global)?);
    let results = folder.find(run)?;
    // Of a run with a baseline, if that is still there.
    let baseline = results.end.as_ref().and_then(|end| end.baseline);
    let baseline = baseline.and_then(|id| folder.find(&id.to_string()).ok());
    let margin = plimsoll_stats::verdict::MARGIN;
    let report = report(&results, baseline.as_ref(), margin, &folder.calibrations()?);
    let currency =
        workspace::load_without_secrets(global).map(|workspace| workspace.server.currency);
    tell(
        &currency.unwrap_or_default(),
        &results.lines,
        &report,
        pages,
        out,
    )?;
    Ok(exit(report.verdict))
}

/// Prints a report, and writes the files that were asked for.
pub(super) fn tell(
    currency: &str,
    lines: &[Line],
    report: &Report,
    pages: &EvalPages,
    out: Output,
) -> Outcome<()> {
    out.show(report, || render(report, currency, out.paint))?;
    let write = |path: &Path, text: String| std::fs::write(path, text).or_exit(Exit::Usage);
    if let Some(path) = &pages.junit {
        write(path, junit(report, lines))?;
    }
    if let Some(path) = &pages.html {
        write(path, page(report, currency))?;
        note(format_args!("the page is in {}", path.display()));
    }
    Ok(())
}
