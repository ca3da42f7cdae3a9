//! Policies on attributes, compiled.

use std::collections::BTreeSet;

use plimsoll_core::KeyName;
use plimsoll_core::access::{ActionKind, ControlAction, PolicyEffect, TimeZone};
use plimsoll_guard::access_policy::{AccessPolicies, AccessPolicy};

use super::Reader;
use crate::forms::view::View;
use crate::source::{did_you_mean, listed};

/// The most policies of one workspace: each that is about an action is evaluated for it.
const POLICIES_MAX: usize = 200;

impl Reader<'_> {
    pub(super) fn policies(&mut self, view: View<'_>, zone: TimeZone) -> AccessPolicies {
        let tables = view.tables();
        if tables.len() > POLICIES_MAX {
            let message = format!("there are more than {POLICIES_MAX} policies");
            self.report.error(view.source, &view.at(), message);
        }
        let own = tables
            .into_iter()
            .filter_map(|(name, entry)| self.policy(name, entry))
            .collect();
        AccessPolicies::new(own, zone)
    }

    fn policy(&mut self, name: &str, entry: View<'_>) -> Option<AccessPolicy> {
        if let Err(error) = KeyName::new(name) {
            self.report
                .error(entry.source, &entry.at(), error.to_string());
            return None;
        }
        let on = self.actions(entry, name);
        // What is missing is a problem already; the condition is looked at all the same.
        let effect = match entry.text("effect").map(|found| found.value) {
            Some("allow") => PolicyEffect::Allow,
            _ => PolicyEffect::Deny,
        };
        let about = entry.text("about").map_or("", |found| found.value);
        let when = entry.text("when")?;
        match AccessPolicy::new(name, about, on, effect, when.value) {
            Ok(policy) => Some(policy),
            Err(error) => {
                self.report.error(entry.source, &when.at, error.to_string());
                None
            }
        }
    }

    fn actions(&mut self, entry: View<'_>, name: &str) -> BTreeSet<ControlAction> {
        let mut actions = BTreeSet::new();
        let written = entry.texts("on").unwrap_or_default();
        if let Some(at) = entry.key("on").filter(|_| written.is_empty()) {
            let message = format!("policy `{name}` is about nothing");
            self.report
                .error(entry.source, &at, message)
                .help("name what it is about, as in on = [\"read\"]");
        }
        for found in written {
            let kind = ActionKind::ALL
                .into_iter()
                .find(|kind| kind.as_str() == found.value);
            match (kind, ControlAction::parse(found.value)) {
                (Some(kind), _) => {
                    let of_kind = |action: &ControlAction| action.kind() == kind;
                    actions.extend(ControlAction::ALL.into_iter().filter(of_kind));
                }
                (None, Some(action)) => {
                    actions.insert(action);
                }
                (None, None) => {
                    let kinds = ActionKind::ALL.map(ActionKind::as_str);
                    let names = ControlAction::ALL.map(ControlAction::as_str);
                    let words: Vec<&str> = kinds.into_iter().chain(names).collect();
                    let hint = did_you_mean(found.value, &words, |words| {
                        format!("use {}", listed(words))
                    });
                    let message = format!("`{}` is nothing that can be done", found.value);
                    self.report
                        .error(entry.source, &found.at, message)
                        .help(hint);
                }
            }
        }
        actions
    }
}
