//! `plimsoll eval judge calibrate`: a judge's word held against people's.

use std::path::Path;

use anyhow::Context as _;
use plimsoll_control::eval::render_calibration;
use plimsoll_core::{Clock as _, SystemClock};
use plimsoll_evals::calibration::{HumanLabel, calibrate as hold};

use crate::cli::Global;
use crate::eval_run::results::Folder;
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::output::Output;
use crate::workspace;

/// Holds a judge against labels, and keeps what was found.
pub(super) fn calibrate(
    global: &Global,
    scorer: &str,
    labels: &Path,
    run: &str,
    out: Output,
) -> Outcome<Exit> {
    let folder = Folder::of(&workspace::data_folder(global)?);
    let results = folder.find(run)?;
    let labels = read(labels)?;
    let found = hold(&results, scorer, &labels, SystemClock::new().now());
    let found = found.map_err(|fault| Failure::says(Exit::Usage, fault))?;
    folder.keep(found.calibration.clone())?;
    out.show(&found, || render_calibration(&found, out.paint))?;
    Ok(Exit::when(found.calibration.agrees))
}

fn read(path: &Path) -> Outcome<Vec<HumanLabel>> {
    let opening = || format!("the labels could not be read from `{}`", path.display());
    let text = std::fs::read_to_string(path)
        .with_context(opening)
        .or_exit(Exit::Usage)?;
    let mut labels = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.trim_start().starts_with("//") {
            continue;
        }
        let place = || format!("`{}`:{} is no label", path.display(), number + 1);
        labels.push(
            serde_json::from_str(line)
                .with_context(place)
                .or_exit(Exit::Usage)?,
        );
    }
    if labels.is_empty() {
        let message = format!("there are no labels in `{}`", path.display());
        return Err(Failure::says(Exit::Usage, message));
    }
    Ok(labels)
}
