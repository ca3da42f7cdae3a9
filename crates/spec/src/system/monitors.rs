//! What is watched while a system serves.

use std::collections::BTreeMap;

use std::time::Duration;

use plimsoll_core::monitor::{Action, MonitorSpec, MonitorsSpec, Severity, TruthSpec, Watched};
use plimsoll_core::{Digest, LabelName};

use super::Resolver;
use crate::forms::view::View;

/// After how long most labels are taken to have come, unless it is said.
pub const MATURED_AFTER: Duration = Duration::from_hours(30 * 24);

/// Under which name the reference is among the artifacts of a release.
pub const REFERENCE_ARTIFACT: &str = "monitors.reference";

impl Resolver<'_> {
    /// The reference that inputs and answers are held against, as an artifact of the release.
    pub(super) fn reference(&mut self, artifacts: &mut BTreeMap<String, Digest>) {
        let view = self.file.table("monitors");
        let located = self.locate(view, "reference");
        let blob = located.and_then(|located| self.blob(&located));
        artifacts.extend(blob.map(|(digest, _)| (REFERENCE_ARTIFACT.to_owned(), digest)));
    }

    /// What is watched, if anything is.
    pub(super) fn monitors(&mut self) -> Option<MonitorsSpec> {
        let view = self.file.table("monitors");
        if !view.exists() {
            return None;
        }
        let mut monitors = BTreeMap::new();
        for watched in Watched::ALL {
            let table = view.table(watched.as_str());
            if watched == Watched::Measuring || !table.exists() {
                continue;
            }
            let needs_reference = matches!(watched, Watched::Features | Watched::Predictions);
            if needs_reference && view.key("reference").is_none() {
                let message = format!("`[monitors.{watched}]` needs a `reference`");
                let hint = "make one with `plimsoll monitor reference FILE --out reference.json` and name it under [monitors]";
                self.error(&table.at(), message, hint);
            }
            monitors.insert(watched, self.monitor(watched, table));
        }
        if monitors.is_empty() {
            let hint = "add one, as in [monitors.errors]";
            self.error(&view.at(), "`[monitors]` watches nothing", hint);
        }
        let silent_after = view.duration("silent_after");
        Some(MonitorsSpec {
            between_false_alarms: view
                .whole("between_false_alarms")
                .map_or(100_000, |found| found.value),
            window: view.whole("window").map_or(1_000, |found| found.value),
            silent_after: silent_after.map(|found| found.value),
            monitors,
        })
    }

    fn monitor(&mut self, watched: Watched, view: View<'_>) -> MonitorSpec {
        let bar = view.number("bar");
        if let Some(found) = bar
            .as_ref()
            .filter(|found| found.value <= 0.0 || found.value >= 1.0)
        {
            let message = "a `bar` lies between 0 and 1: nothing is always well, nothing never";
            self.error(&found.at, message, "write it as in bar = 0.02");
        }
        let actions = view.texts("on_alarm").unwrap_or_default();
        let on_alarm: Vec<Action> = actions
            .iter()
            .filter_map(|found| Action::parse(found.value))
            .collect();
        let label = view.word("label", |text| LabelName::new(text).ok());
        let matured_after = view.duration("matured_after");
        MonitorSpec {
            truth: label.map(|found| TruthSpec {
                label: found.value,
                matured_after: matured_after.map_or(MATURED_AFTER, |found| found.value),
            }),
            bar: bar.map(|found| found.value),
            severity: view
                .word("severity", Severity::parse)
                .map_or(watched.usual_severity(), |found| found.value),
            on_alarm,
        }
    }
}
