//! `plimsoll eval compare`: one run held against another, without a server.

use plimsoll_control::eval::render_comparison;
use plimsoll_core::eval::EvalVerdict;
use plimsoll_evals::compare::{Comparison, compare};
use plimsoll_evals::report::said;

use crate::cli::Global;
use crate::eval_run::results::Folder;
use crate::eval_run::trusted;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::workspace;

/// Compares two runs.
pub(super) fn run(
    global: &Global,
    (baseline, candidate): (&str, &str),
    margin: f64,
    out: Output,
) -> Outcome<Exit> {
    let folder = Folder::of(&workspace::data_folder(global)?);
    let (baseline, candidate) = (folder.find(baseline)?, folder.find(candidate)?);
    if baseline.heading.system != candidate.heading.system {
        let (one, other) = (&baseline.heading.system, &candidate.heading.system);
        let message = format!("the runs are of different systems: `{one}` and `{other}`");
        return Err(Failure::says(Exit::Usage, message));
    }
    let comparison = compare(
        &baseline,
        &candidate,
        margin,
        &trusted(&baseline, &candidate, &folder.calibrations()?),
    );
    out.show(&comparison, || render_comparison(&comparison, out.paint))?;
    Ok(super::exit(Some(verdict(&comparison))))
}

/// What is established of all metrics together.
fn verdict(comparison: &Comparison) -> EvalVerdict {
    let deciding = comparison.metrics.iter().filter(|metric| !metric.advisory);
    let verdicts: Vec<EvalVerdict> = deciding
        .map(|metric| {
            let compared = metric.compared.map(|compared| said(compared.verdict));
            compared.unwrap_or(EvalVerdict::Inconclusive)
        })
        .collect();
    if verdicts.contains(&EvalVerdict::Regressed) {
        EvalVerdict::Regressed
    } else if verdicts.is_empty() || verdicts.contains(&EvalVerdict::Inconclusive) {
        EvalVerdict::Inconclusive
    } else {
        EvalVerdict::Pass
    }
}
