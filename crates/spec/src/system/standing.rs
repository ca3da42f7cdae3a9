//! What stands around the behaviour: owner, runbook, quality and the bar.

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll_core::system::{BarSpec, Bound, Owner, QualitySpec};
use plimsoll_core::{Digest, Stakes};

use super::Resolver;
use crate::files::{Files, MODEL_BYTES_MAX};
use crate::forms::view::View;
use crate::runbook::Runbook;
use crate::source::Report;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Resolver<'_> {
    pub(super) fn owner(&self) -> Owner {
        let view = self.file.table("owner");
        let text = |key| view.text(key).map(|found| found.value.to_owned());
        Owner {
            team: text("team"),
            contact: text("contact"),
            on_call: text("on_call"),
            runbook: text("runbook"),
        }
    }

    /// The runbook's text. A runbook that is not there yet is for the bar to tell, and a warning here.
    pub(super) fn runbook(&mut self) -> Option<String> {
        let view = self.file.table("owner");
        let found = view.text("runbook")?;
        if !self.folder.join(found.value).exists() {
            let message = format!("the runbook `{}` is not there", found.value);
            self.warn(
                &found.at,
                message,
                "write it: each `## ` heading is a step that a person can try",
            );
            return None;
        }
        let located = self.locate(view, "runbook")?;
        let source = self.files.text(&located.path, self.report)?;
        if Runbook::parse(&source.text).steps.is_empty() {
            self.report
                .file_warning(&located.name, "the runbook has no steps")
                .help("begin each step with a `## ` heading");
        }
        Some(source.text)
    }

    /// How quality is watched, and the digests of the eval sets.
    pub(super) fn quality(&mut self) -> (Option<QualitySpec>, BTreeMap<String, Digest>) {
        let view = self.file.table("quality");
        let mut eval_sets = BTreeMap::new();
        if !view.exists() {
            return (None, eval_sets);
        }
        if let Some((located, found)) = self.locate(view, "dataset").zip(view.text("dataset")) {
            eval_sets.extend(
                digest(self.files, &located, self.report)
                    .map(|digest| (found.value.to_owned(), digest)),
            );
        }
        let spec = QualitySpec {
            dataset: view.text("dataset").map(|found| found.value.to_owned()),
            every: view.duration("every").map(|found| found.value),
            sample: view.number("sample").map(|found| found.value),
            target: bounds(view.table("target")),
        };
        (Some(spec), eval_sets)
    }

    pub(super) fn bar(&mut self, stakes: Stakes, quality: Option<&QualitySpec>) -> BarSpec {
        let view = self.file.table("bar");
        let defaults = stakes.defaults();
        let availability = view.bound("availability");
        if let Some(found) = availability
            .as_ref()
            .filter(|found| !found.value.at_least || !(0.0..=1.0).contains(&found.value.value))
        {
            self.error(
                &found.at,
                "`availability` is a share that must at least be reached",
                "write it as in \">= 0.999\"",
            );
        }
        let runbook_days = match stakes {
            Stakes::Low => 365,
            Stakes::Limited => 180,
            Stakes::High => 90,
        };
        let mut targets = quality
            .map(|quality| quality.target.clone())
            .unwrap_or_default();
        targets.extend(bounds(view.table("quality")));
        BarSpec {
            availability: availability.map_or(defaults.availability, |found| found.value.value),
            drill_age: view
                .duration("drill_age")
                .map_or(defaults.drill_age, |found| found.value),
            runbook_age: view
                .duration("runbook_age")
                .map_or(DAY * runbook_days, |found| found.value),
            quality: targets,
            cost_per_unit: view.ceiling("cost_per_unit").map(|found| found.value),
        }
    }
}

fn bounds(view: View<'_>) -> BTreeMap<String, Bound> {
    let entries = view.entries().into_iter();
    entries
        .filter_map(|(metric, _, _)| Some((metric.to_owned(), view.bound(metric)?.value)))
        .collect()
}

fn digest(files: &Files, located: &crate::files::Located, report: &mut Report) -> Option<Digest> {
    match files.read(&located.path, MODEL_BYTES_MAX) {
        Ok(bytes) => Some(Digest::of(&bytes)),
        Err(message) => {
            report.file_error(&located.name, message);
            None
        }
    }
}
