//! What is watched while a system serves.

use std::collections::BTreeMap;

use std::time::Duration;

use plimsoll_core::monitor::{Action, MonitorSpec, MonitorsSpec, Severity, TruthSpec, Watched};
use plimsoll_core::system::QualitySpec;
use plimsoll_core::{Digest, LabelName};
use plimsoll_evals::scorer::ScorerSpec;

use super::Resolver;
use crate::forms::view::View;
use crate::receiver::{Receiver, ReceiverKind};

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

    /// What is watched, if anything is. A schedule and a sample of `[quality]` are watched without being named.
    pub(super) fn monitors(
        &mut self,
        quality: Option<&QualitySpec>,
        scorers: &[ScorerSpec],
    ) -> Option<MonitorsSpec> {
        let view = self.file.table("monitors");
        let is_on_schedule =
            quality.is_some_and(|quality| quality.every.is_some() && quality.dataset.is_some());
        let is_sampled =
            quality.is_some_and(|quality| quality.sample.is_some_and(|share| share > 0.0));
        if is_sampled && scorers.iter().all(ScorerSpec::needs_expectation) {
            let at = self.file.table("quality").key("sample").unwrap_or(0..0);
            let hint = "add a scorer that needs no expectation, as json_schema, latency, command or a judge with a rubric, or take `sample` out";
            self.error(
                &at,
                "`sample` scores nothing: all scorers need to know what is expected",
                hint,
            );
        }
        if !view.exists() && !is_on_schedule && !is_sampled {
            return None;
        }
        let mut monitors = BTreeMap::new();
        for watched in Watched::ALL {
            let table = view.table(watched.as_str());
            let is_meant = match watched {
                Watched::Evals => is_on_schedule,
                Watched::Scores => is_sampled,
                _ => false,
            };
            if watched == Watched::Measuring || !(table.exists() || is_meant) {
                continue;
            }
            self.check_monitor(view, (watched, table), is_meant);
            monitors.insert(watched, self.monitor(watched, table));
        }
        if monitors.is_empty() {
            let hint = "add one, as in [monitors.errors]";
            self.error(&view.at(), "`[monitors]` watches nothing", hint);
        }
        self.check_actions(view, &monitors, is_sampled);
        let silent_after = view.duration("silent_after");
        Some(MonitorsSpec {
            between_false_alarms: view
                .whole("between_false_alarms")
                .map_or(100_000, |found| found.value),
            window: view.whole("window").map_or(1_000, |found| found.value),
            silent_after: silent_after.map(|found| found.value),
            retrain: view.text("retrain").map(|found| found.value.to_owned()),
            monitors,
        })
    }

    /// Reports actions that could not be carried out.
    fn check_actions(
        &mut self,
        view: View<'_>,
        monitors: &BTreeMap<Watched, MonitorSpec>,
        is_sampled: bool,
    ) {
        let asks = |action: Action| {
            let mut monitors = monitors.iter();
            let found = monitors.find(|(_, spec)| spec.on_alarm.contains(&action))?;
            Some(view.table(found.0.as_str()).at())
        };
        if let Some(at) = asks(Action::RaiseSampling).filter(|_| !is_sampled) {
            let hint = "write `sample` under `[quality]`, or take `raise_sampling` out";
            self.error(
                &at,
                "`raise_sampling` raises nothing: no answers are sampled",
                hint,
            );
        }
        if let Some(at) = asks(Action::Review).filter(|_| !self.file.table("review").exists()) {
            let hint = "write `[review]` with a queue, or take `review` out of `on_alarm`";
            self.error(&at, "`review` asks nobody: the system has no queue", hint);
        }
        let retrain = view.text("retrain");
        let asked = asks(Action::Retrain);
        match (asked, retrain) {
            (Some(at), None) => {
                let hint =
                    "name a webhook of `[alerts]`, as in retrain = \"trainer\" under [monitors]";
                self.error(&at, "`retrain` tells nobody", hint);
            }
            (_, Some(found)) => {
                let receivers = &self.settings.receivers;
                let is_webhook = |receiver: &Receiver| {
                    receiver.name == found.value
                        && matches!(receiver.kind, ReceiverKind::Webhook { .. })
                };
                if !receivers.iter().any(is_webhook) {
                    let message = format!("`{}` is no webhook of `[alerts]`", found.value);
                    let hint = "write it in plimsoll.toml, as in [alerts.trainer] with webhook and secret; with systems = [] it is told of no alarm";
                    self.error(&found.at, message, hint);
                }
            }
            (None, None) => {}
        }
    }

    /// Reports what a monitor needs and has not.
    fn check_monitor(
        &mut self,
        view: View<'_>,
        (watched, table): (Watched, View<'_>),
        is_meant: bool,
    ) {
        let needs_reference = matches!(watched, Watched::Features | Watched::Predictions);
        if needs_reference && view.key("reference").is_none() {
            let message = format!("`[monitors.{watched}]` needs a `reference`");
            let hint = "make one with `plimsoll monitor reference FILE --out reference.json` and name it under [monitors]";
            self.error(&table.at(), message, hint);
        }
        let needed = match watched {
            Watched::Evals => "a `dataset` and `every`",
            Watched::Scores => "a `sample`",
            _ => return,
        };
        if !is_meant {
            let message = format!("`[monitors.{watched}]` needs {needed} under `[quality]`");
            self.error(&table.at(), message, "say there how quality is measured");
        }
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
