//! Receivers: who is told of alarms.

use std::collections::BTreeSet;
use std::time::Duration;

use plimsoll_core::SystemName;
use plimsoll_core::monitor::Severity;

use super::Reader;
use super::credentials::SECRET_BYTES_FAIR;
use crate::forms::view::{Found, View};
use crate::receiver::{Receiver, ReceiverKind, is_private_host};

const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

impl Reader<'_> {
    pub(super) fn alerts(&mut self, view: View<'_>) -> Vec<Receiver> {
        let mut receivers = Vec::new();
        for (name, entry) in view.tables() {
            if let Err(error) = plimsoll_core::KeyName::new(name) {
                self.report
                    .error(entry.source, &entry.at(), error.to_string());
                continue;
            }
            let systems = self.systems_told(entry);
            let Some(kind) = self.receiver_kind(entry, name) else {
                continue;
            };
            let receiver = Receiver {
                name: name.to_owned(),
                kind,
                systems,
                least: entry
                    .word("least", Severity::parse)
                    .map_or(Severity::Ticket, |found| found.value),
                after: entry
                    .duration("after")
                    .map_or(Duration::ZERO, |found| found.value),
                private: entry.flag("private").is_some_and(|found| found.value),
            };
            self.check_address(entry, &receiver);
            receivers.push(receiver);
        }
        receivers
    }

    fn receiver_kind(&mut self, entry: View<'_>, name: &str) -> Option<ReceiverKind> {
        let text = |key: &str| {
            entry
                .text(key)
                .map(|found: Found<&str>| found.value.to_owned())
        };
        if let Some(url) = text("webhook") {
            let secret = self.secret(entry, "secret", &format!("alerts.{name}.secret"))?;
            if secret.expose().len() < SECRET_BYTES_FAIR {
                let message = "the secret that signs is shorter than 16 characters";
                self.report
                    .error(entry.source, &entry.at(), message)
                    .help("make one with `openssl rand -base64 32`, and write `whsec_` before it");
            }
            return Some(ReceiverKind::Webhook { url, secret });
        }
        if let Some(base) = text("alertmanager") {
            let url = format!("{}/api/v2/alerts", base.trim_end_matches('/'));
            return Some(ReceiverKind::Alertmanager { url });
        }
        if entry.key("slack").is_some() {
            let url = self.secret(entry, "slack", &format!("alerts.{name}.slack"))?;
            return Some(ReceiverKind::Slack { url });
        }
        let routing_key = self.secret(entry, "pagerduty", &format!("alerts.{name}.pagerduty"))?;
        let url = text("url").unwrap_or_else(|| PAGERDUTY.to_owned());
        Some(ReceiverKind::Pagerduty { url, routing_key })
    }

    fn systems_told(&mut self, entry: View<'_>) -> Option<BTreeSet<SystemName>> {
        let texts = entry.texts("systems")?;
        let mut systems = BTreeSet::new();
        for found in &texts {
            self.known_system(entry, found.value, found);
            systems.extend(SystemName::new(found.value).ok());
        }
        Some(systems)
    }

    /// An address that is private as it stands is a mistake to be seen now and not when it matters; what a
    /// name resolves to is looked at with each call.
    fn check_address(&mut self, entry: View<'_>, receiver: &Receiver) {
        let url = receiver.kind.url();
        if !receiver.private && is_private_host(url) {
            let message = format!(
                "the address of `alerts.{}` is one of this machine or of a private network",
                receiver.name
            );
            self.report
                .error(entry.source, &entry.at(), message)
                .help("write private = true if that is meant");
        }
        let is_plain = url.starts_with("http://");
        let holds_secret = matches!(
            receiver.kind,
            ReceiverKind::Slack { .. } | ReceiverKind::Pagerduty { .. }
        );
        if is_plain && holds_secret && !receiver.private {
            let message = "a secret goes over plain HTTP";
            self.report
                .error(entry.source, &entry.at(), message)
                .help("use https://");
        }
    }
}
