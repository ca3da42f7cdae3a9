//! An alarm in the words of each receiver. No payload is in any of them: figures, codes, names of columns,
//! ids of decisions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use plimsoll_core::dataset::DatasetExport;
use plimsoll_core::monitor::{Alarm, AlarmChange, Severity};
use plimsoll_core::system::Owner;
use plimsoll_core::{EnvironmentName, EventId, Secret, Timestamp};
use serde_json::{Value, json};
use sha2::Sha256;

/// What is told.
#[derive(Clone, Debug)]
pub(crate) struct Telling {
    /// Names the message: the same over all tries.
    pub(super) id: EventId,
    /// Under which key two are about the same thing.
    key: String,
    is_over: bool,
    severity: Severity,
    summary: String,
    /// What operators read and programs take: the whole alarm.
    details: Value,
    labels: Value,
    started_at: Timestamp,
}

impl Telling {
    /// An event of an alarm, with whom it concerns.
    pub(super) fn of(alarm: &Alarm, owner: Option<&Owner>, now: Timestamp) -> Self {
        let mut details = json!(alarm);
        if let Some(owner) = owner {
            details["owner"] = json!(owner);
        }
        Self {
            id: EventId::new(now),
            key: alarm.dedup_key(),
            is_over: alarm.change == AlarmChange::Cleared,
            severity: alarm.severity,
            summary: alarm.summary.clone(),
            labels: json!({
                "alertname": format!("plimsoll_{}", alarm.monitor),
                "system": alarm.system,
                "environment": alarm.environment,
                "monitor": alarm.monitor,
                "severity": alarm.severity,
                "node": alarm.node,
            }),
            details,
            started_at: alarm.alarm.made_at(),
        }
    }

    /// That there is something to learn from: the alarm, the release that it is of, and the latest dataset.
    pub(crate) fn retrain(alarm: &Alarm, set: Option<&DatasetExport>, now: Timestamp) -> Self {
        let request = json!({
            "system": alarm.system, "environment": alarm.environment, "release": alarm.release,
            "alarm": alarm.alarm, "monitor": alarm.monitor, "summary": alarm.summary,
            "evidence": alarm.evidence, "dataset": set,
        });
        Self {
            details: json!({"retrain": request}),
            ..Self::of(alarm, None, now)
        }
    }

    /// A message that says that it is a test.
    pub(super) fn test(environment: &EnvironmentName, actor: &str, now: Timestamp) -> Self {
        let summary = format!("a test of this receiver, sent by {actor}: nothing is wrong");
        Self {
            id: EventId::new(now),
            key: format!("plimsoll/{environment}/test"),
            is_over: false,
            severity: Severity::Ticket,
            details: json!({"test": true, "environment": environment, "summary": summary}),
            labels: json!({
                "alertname": "plimsoll_test", "environment": environment, "severity": "ticket",
            }),
            summary,
            started_at: now,
        }
    }

    /// For a webhook of ours.
    pub(super) fn webhook(&self, now: Timestamp) -> Value {
        if let Some(request) = self.details.get("retrain") {
            return json!({
                "type": "retrain.requested", "timestamp": now.to_string(), "data": request,
            });
        }
        let kind = if self.details["test"] == true {
            "alert.test"
        } else if self.is_over {
            "alarm.cleared"
        } else {
            "alarm.raised"
        };
        json!({
            "type": kind,
            "timestamp": now.to_string(),
            "data": {"dedup_key": self.key, "summary": self.summary, "alarm": self.details},
        })
    }

    /// For an incoming webhook of Slack. What is told is no markup of ours to be read as Slack's.
    pub(super) fn slack(&self) -> Value {
        let escaped = |text: &str| {
            text.replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
        };
        let sign = match (self.is_over, self.severity) {
            (true, _) => ":white_check_mark:",
            (false, Severity::Page) => ":rotating_light:",
            (false, Severity::Warning) => ":warning:",
            (false, Severity::Ticket) => ":memo:",
        };
        let mut lines = vec![format!(
            "{sign} *{}* · {}",
            self.severity.as_str(),
            escaped(&self.summary)
        )];
        let evidence = &self.details["evidence"];
        let listed = |value: &Value, read: &dyn Fn(&Value) -> Option<String>| {
            let items = value.as_array().into_iter().flatten();
            items.filter_map(read).collect::<Vec<_>>().join(", ")
        };
        let contributors = listed(&evidence["contributors"], &|one| {
            Some(format!(
                "{} {:.2}",
                one["what"].as_str()?,
                one["share"].as_f64()?
            ))
        });
        if !contributors.is_empty() {
            lines.push(format!("most of it: {}", escaped(&contributors)));
        }
        let examples = listed(&evidence["examples"], &|one| {
            Some(format!("`{}`", one.as_str()?))
        });
        if !examples.is_empty() {
            lines.push(format!("for example {examples}"));
        }
        if let Some(on_call) = self.details["owner"]["on_call"].as_str() {
            lines.push(format!("on call: {}", escaped(on_call)));
        }
        json!({"text": lines.join("\n")})
    }

    /// For the Events API v2 of `PagerDuty`.
    pub(super) fn pagerduty(&self, routing_key: &Secret) -> Value {
        let severity = match self.severity {
            Severity::Page => "critical",
            Severity::Warning => "warning",
            Severity::Ticket => "info",
        };
        // A summary has at most 1024 characters there.
        let summary: String = self.summary.chars().take(1_024).collect();
        json!({
            "routing_key": routing_key.expose(),
            "event_action": if self.is_over { "resolve" } else { "trigger" },
            "dedup_key": self.key,
            "client": "Plimsoll",
            "payload": {
                "summary": summary,
                "source": self.details["node"].as_str().unwrap_or("plimsoll"),
                "severity": severity,
                "timestamp": self.started_at.to_string(),
                "component": self.details["system"],
                "class": self.details["monitor"],
                "custom_details": self.details,
            },
        })
    }

    /// For Alertmanager's API v2. An alert that is not over is sent once; it ends by itself a day later
    /// unless it is told to be over before.
    pub(super) fn alertmanager(&self, now: Timestamp) -> Value {
        let a_day = std::time::Duration::from_hours(24);
        let ends_at = if self.is_over { now } else { now.plus(a_day) };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        json!([{
            "labels": self.labels,
            "annotations": {
                "summary": self.summary,
                "release": text(&self.details["release"]),
                "owner": text(&self.details["owner"]["contact"]),
                "evidence": self.details["evidence"].to_string(),
            },
            "startsAt": self.started_at.to_string(),
            "endsAt": ends_at.to_string(),
        }])
    }
}

/// The signature of Standard Webhooks: HMAC-SHA-256 over id, seconds since 1970 and body.
pub(super) fn signature(secret: &Secret, id: &str, seconds: i64, body: &[u8]) -> String {
    let text = secret.expose();
    let encoded = text.strip_prefix("whsec_");
    let decoded = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
    let key = decoded.unwrap_or_else(|| text.as_bytes().to_vec());
    let mac = Hmac::<Sha256>::new_from_slice(&key);
    let mut mac = mac.expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use plimsoll_core::monitor::{AlarmEvidence, Contributor, Watched};
    use plimsoll_core::{DecisionId, NodeName, SystemName};

    use super::*;

    const AT: Timestamp = Timestamp::from_micros(1_773_478_920_000_000);

    fn alarm(change: AlarmChange) -> Alarm {
        let id = EventId::new(AT);
        Alarm {
            id,
            alarm: id,
            change,
            system: SystemName::new("loan").unwrap(),
            environment: EnvironmentName::new("production").unwrap(),
            node: NodeName::new("node-1").unwrap(),
            monitor: Watched::Errors,
            severity: Severity::Page,
            release: None,
            summary: "errors of loan rose <above> its bar".into(),
            evidence: AlarmEvidence {
                n: 500,
                figure: Some(0.1),
                contributors: vec![Contributor {
                    what: "model_unreachable".into(),
                    share: 0.9,
                }],
                examples: vec![DecisionId::new(AT)],
                ..AlarmEvidence::default()
            },
            actions: Vec::new(),
            at: AT,
        }
    }

    #[test]
    fn the_signature_is_that_of_the_specifications_example() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into());
        let body = br#"{"test": 2432232314}"#;
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_receiver_is_told_in_its_own_words() {
        let raised = Telling::of(&alarm(AlarmChange::Raised), None, AT);
        let over = Telling::of(&alarm(AlarmChange::Cleared), None, AT);
        assert_eq!(raised.webhook(AT)["type"], "alarm.raised");
        assert_eq!(over.webhook(AT)["type"], "alarm.cleared");
        let slack = raised.slack()["text"].as_str().unwrap().to_owned();
        assert!(
            slack.contains("&lt;above&gt;") && slack.contains("model_unreachable 0.90"),
            "{slack}"
        );
        let key = Secret::new("routing".into());
        let event = raised.pagerduty(&key);
        assert_eq!(event["event_action"], "trigger");
        assert_eq!(event["dedup_key"], "plimsoll/production/loan/errors");
        assert_eq!(event["payload"]["severity"], "critical");
        assert_eq!(over.pagerduty(&key)["event_action"], "resolve");
        let alert = &raised.alertmanager(AT)[0];
        assert_eq!(alert["labels"]["alertname"], "plimsoll_errors");
        assert_eq!(over.alertmanager(AT)[0]["endsAt"], AT.to_string());
        assert_ne!(alert["endsAt"], AT.to_string());
    }
}
