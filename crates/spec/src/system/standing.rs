//! What stands around the behaviour: owner, runbook, approvals, quality and the bar.

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll_core::system::{BarSpec, Bound, Owner, QualitySpec};
use plimsoll_core::{Digest, Stakes};

use super::Resolver;
use crate::files::{Files, MODEL_BYTES_MAX};
use crate::forms::view::View;
use crate::operator::ApprovalRule;
use crate::runbook::Runbook;
use crate::source::{Report, Span};
use plimsoll_core::Role;

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

    /// Who must approve a release, the stakes' default filled in.
    pub(super) fn approvals(&mut self, stakes: Stakes) -> ApprovalRule {
        let view = self.file.table("release").table("approvals");
        let count = view.whole("count");
        let role = view.word("role", Role::parse);
        let rule = ApprovalRule {
            count: count.as_ref().map_or(stakes.defaults().approvals, |found| {
                u32::try_from(found.value).unwrap_or(u32::MAX)
            }),
            role: role.map_or(Role::Approver, |found| found.value),
        };
        if let Some(found) = count
            .as_ref()
            .filter(|_| stakes == Stakes::High && rule.count == 0)
        {
            self.error(
                &found.at,
                "high stakes ask for at least one approval",
                "take `count` out, or set it to 1 or more: in an emergency a deployment can break glass, and is reviewed after",
            );
        }
        let operators = &self.settings.operators;
        let able = operators
            .iter()
            .filter(|operator| operator.roles.contains(&rule.role));
        let (able, needed) = (able.count(), rule.count as usize);
        if !operators.is_empty() && able < needed {
            let at = view.key("count").unwrap_or_else(|| self.place_of_stakes());
            let message = format!(
                "a release needs {needed} to approve it in the role `{}`, and `[operators]` has {able}",
                rule.role
            );
            self.warn(
                &at,
                message,
                "give more people the role: neither a release's author nor who deploys it may approve it",
            );
        }
        rule
    }

    /// Warns where much depends on a system and nothing that it decides could be proved.
    pub(super) fn check_audit(&mut self, stakes: Stakes) {
        if stakes == Stakes::High && !self.settings.audit.enabled {
            self.warn(
                &self.place_of_stakes(),
                "the audit log is off: nothing that this system decides could be proved",
                "take `enabled = false` out of `[audit]` in plimsoll.toml",
            );
        }
    }

    fn place_of_stakes(&self) -> Span {
        self.file.key("stakes").unwrap_or(0..0)
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
            concurrency: view
                .whole("concurrency")
                .and_then(|found| u32::try_from(found.value).ok())
                .unwrap_or(2),
            budget_per_day: view.money("budget_per_day").map(|found| found.value),
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
            price_age: view.duration("price_age").map(|found| found.value),
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
