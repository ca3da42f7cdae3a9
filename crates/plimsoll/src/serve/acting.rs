//! What is done about an alarm, as the workspace says: each an event with the alarm as its reason.
//!
//! Stepping in and going back are deployment events. Holding, sampling more and retraining are events of the alarm:
//! the first two last as long as it stands, and need no undoing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plimsoll_control::watch::SystemWatch;
use plimsoll_core::dataset::DatasetExport;
use plimsoll_core::deployment::{Halt, Standing};
use plimsoll_core::monitor::{Action, Alarm, AlarmChange, AlertChange};
use plimsoll_core::{NodeName, ReleaseId, SystemName};
use plimsoll_spec::{Receiver, ReceiverKind};
use plimsoll_store::StoreError;

use super::alerting::{Telling, record};
use super::live_node::LiveNode;
use crate::assembly::held_by;

/// What the actor of a deployment event begins with that an alarm caused.
const ACTOR: &str = "monitor:";
/// A node that has not told of itself for so long is gone. It does so every second.
const GONE_AFTER: Duration = Duration::from_mins(15);

impl LiveNode {
    /// Does what the workspace says is to be done. What cannot be done is said; the alarm stands anyway.
    pub(super) async fn act(&self, alarm: &Alarm, action: Action) {
        let (system, actor) = (&alarm.system, format!("{ACTOR}{}", alarm.monitor));
        let reason = format!("alarm {}: {}", alarm.alarm, alarm.summary);
        let done = match action {
            Action::FallBack => {
                self.stop_serving(alarm, Halt::Fallback, reason, &actor)
                    .await
            }
            Action::Halt => self.stop_serving(alarm, Halt::Halted, reason, &actor).await,
            Action::RollBack => self.go_back(alarm, reason, &actor).await,
            Action::Hold => {
                let detail = "no release is deployed or promoted until the alarm is over";
                self.note_action(alarm, action, detail.to_owned()).await;
                Ok(())
            }
            Action::RaiseSampling => {
                let detail = "ten times as many answers are scored until the alarm is over";
                self.note_action(alarm, action, detail.to_owned()).await;
                Ok(())
            }
            Action::Retrain => self.ask_to_retrain(alarm).await,
            Action::Review => self.ask_a_person(alarm).await,
        };
        if let Err(error) = done {
            let action = action.as_str();
            tracing::error!(%system, action, error, "what is to be done on an alarm could not be");
        }
    }

    /// Who stepped in before, or another alarm, is not overridden.
    async fn stop_serving(
        &self,
        alarm: &Alarm,
        to: Halt,
        reason: String,
        actor: &str,
    ) -> Result<(), String> {
        if self.is_stopped(alarm) {
            return Ok(());
        }
        let done = self.step_in(&alarm.system, to, reason, actor).await;
        done.map(drop).map_err(|error| error.to_string())
    }

    async fn go_back(&self, alarm: &Alarm, reason: String, actor: &str) -> Result<(), String> {
        let standing = self.node.standing(&alarm.system).unwrap_or_default();
        if standing.halt.is_some() {
            return Ok(());
        }
        if !goes_back(&standing, alarm.release) {
            tracing::warn!(system = %alarm.system, "not rolled back: the alarm is not of the stable release alone, or an alarm brought it here");
            return Ok(());
        }
        let request = plimsoll_console::RollbackRequest { to: None, reason };
        let done = self.point_back(&alarm.system, request, actor).await;
        done.map(drop).map_err(|error| error.to_string())
    }

    fn is_stopped(&self, alarm: &Alarm) -> bool {
        let standing = self.node.standing(&alarm.system).unwrap_or_default();
        standing.halt.is_some()
    }

    async fn note_action(&self, alarm: &Alarm, action: Action, detail: String) {
        let acted = AlertChange::Acted {
            about: alarm.id,
            action,
            detail,
        };
        record(&self.node, &*self.clock, acted, None).await;
    }

    /// Opens a review of the alarm, with all that a person needs to judge it.
    async fn ask_a_person(&self, alarm: &Alarm) -> Result<(), String> {
        let served = self.served();
        let owner = served.systems.get(&alarm.system).map(|one| &one.owner);
        let opened = self.node.open_alarm_review(alarm, owner).await;
        let review = opened.map_err(|error| error.to_string())?;
        let detail = format!(
            "review {} in queue `{}`, due {}",
            review.id,
            review.queue,
            review.due_at.short()
        );
        self.note_action(alarm, Action::Review, detail).await;
        Ok(())
    }

    /// Tells the webhook that trains what there is to learn from. Whether it took that is a record too.
    async fn ask_to_retrain(&self, alarm: &Alarm) -> Result<(), String> {
        let name = {
            let systems = self.monitors.systems();
            let watch = systems.get(&alarm.system);
            watch.and_then(SystemWatch::retrain).map(str::to_owned)
        };
        let name = name.ok_or("the workspace names no webhook under `retrain`")?;
        let served = self.served();
        let is_it = |receiver: &&Receiver| {
            receiver.name == name && matches!(receiver.kind, ReceiverKind::Webhook { .. })
        };
        let receiver = served.receivers.iter().find(is_it);
        let receiver = receiver.ok_or_else(|| format!("there is no webhook `{name}`"))?;
        let sets = self
            .store
            .datasets(&alarm.system, &alarm.environment, 1)
            .await;
        let set: Option<DatasetExport> = sets.map_err(|error| error.to_string())?.pop();
        let version = set
            .as_ref()
            .map_or("none was taken out yet".to_owned(), |set| {
                set.digest.short()
            });
        let detail = format!("webhook `{name}` is told; the latest dataset: {version}");
        self.note_action(alarm, Action::Retrain, detail).await;
        let telling = Telling::retrain(alarm, set.as_ref(), self.clock.now());
        let alerting = &self.monitors.alerting;
        alerting.deliver(&self.node, receiver, alarm, telling);
        Ok(())
    }

    /// Holds deployments back of systems with an alarm that says so, here or on another node.
    pub(super) async fn hold_deployments(&self) {
        let mut held: BTreeMap<SystemName, String> = {
            let systems = self.monitors.systems();
            let held = systems.iter().filter_map(|(name, watch)| {
                let (monitor, alarm) = watch.holds()?;
                Some((name.clone(), held_by(monitor, alarm)))
            });
            held.collect()
        };
        if self.has_peers() {
            match self.known_of_others().await {
                Ok((alarms, here)) => held.extend(of_others(alarms, &self.name, &here)),
                Err(error) => {
                    tracing::debug!(%error, "alarms of other nodes could not be read");
                    // What was held back stays so.
                    let names: Vec<SystemName> = self.served().systems.keys().cloned().collect();
                    let before = names
                        .into_iter()
                        .filter_map(|name| Some((name.clone(), self.node.held_back(&name)?)));
                    held.extend(before);
                }
            }
        }
        self.node.hold_back(held);
    }

    /// How each monitor of each node stands, and the nodes that are there.
    async fn known_of_others(&self) -> Result<(Vec<Alarm>, BTreeSet<NodeName>), StoreError> {
        let alarms = self.store.latest_alarms().await?;
        let now = self.clock.now();
        let nodes = self.store.nodes().await?.into_iter();
        let here = nodes.filter(|node| now.since(node.last_seen_at) <= GONE_AFTER);
        Ok((alarms, here.map(|node| node.node).collect()))
    }
}

/// What alarms of other nodes hold back that stand. A node that is gone, or that nobody knows any more, cannot say that all
/// is well again, and holds nothing.
fn of_others(
    alarms: Vec<Alarm>,
    own: &NodeName,
    here: &BTreeSet<NodeName>,
) -> BTreeMap<SystemName, String> {
    let mut held = BTreeMap::new();
    for alarm in alarms {
        let stands = alarm.change == AlarmChange::Raised && here.contains(&alarm.node);
        if stands && alarm.node != *own && alarm.actions.contains(&Action::Hold) {
            let why = format!(
                "{} (node {})",
                held_by(alarm.monitor, alarm.alarm),
                alarm.node
            );
            held.insert(alarm.system, why);
        }
    }
    held
}

/// Whether an alarm of the release `alarmed` is a reason to go back: it is about what is stable, no canary may have caused it, and it
/// was not an alarm that brought the stable release here. Each alarm goes one release back at the most.
fn goes_back(standing: &Standing, alarmed: Option<ReleaseId>) -> bool {
    let Some(stable) = &standing.stable else {
        return false;
    };
    let was_brought_here = stable.rollback_of.is_some() && stable.actor.starts_with(ACTOR);
    let is_of_stable = alarmed.is_none_or(|release| release == stable.release);
    is_of_stable && !was_brought_here && standing.canary.is_none()
}

#[cfg(test)]
mod tests {
    use plimsoll_core::deployment::{Canary, Weight};
    use plimsoll_core::record::Deployment;
    use plimsoll_core::{DeploymentId, Digest, Timestamp};

    use super::*;

    /// The event that made `release` the stable one.
    fn deployment(release: &str, actor: &str, rollback_of: Option<&str>) -> Deployment {
        let id = |name: &str| DeploymentId::from_bytes([name.as_bytes()[0]; 16]);
        let event = serde_json::json!({
            "id": id(release), "system": "loans", "environment": "production",
            "release": Digest::of(release.as_bytes()), "cause": "command", "actor": actor,
            "approvals": [], "at": Timestamp::from_micros(1), "node": "node-1",
            "binary_version": "0.1.0", "reason": null, "eval_sets": {}, "prices": null, "rollback_of": rollback_of.map(id),
        });
        serde_json::from_value(event).unwrap()
    }

    fn standing(stable: Deployment) -> Standing {
        Standing {
            stable: Some(stable),
            ..Standing::default()
        }
    }

    #[test]
    fn an_alarm_goes_one_release_back_and_only_for_what_is_stable() {
        let release = |name: &str| Some(ReleaseId(Digest::of(name.as_bytes())));
        let stable = standing(deployment("c", "ada", None));
        assert!(goes_back(&stable, release("c")) && goes_back(&stable, None));
        assert!(!goes_back(&stable, release("b")), "another release's alarm");
        assert!(!goes_back(&Standing::default(), None));
        let by_a_person = standing(deployment("b", "ada", Some("c")));
        assert!(goes_back(&by_a_person, release("b")));
        let by_an_alarm = standing(deployment("b", "monitor:errors", Some("c")));
        assert!(!goes_back(&by_an_alarm, release("b")), "no further back");
        let canary = deployment("d", "ada", None);
        let beside_a_canary = Standing {
            canary: Some(Canary {
                weight: Weight::new(1_000).unwrap(),
                first: canary.id,
                deployment: canary,
            }),
            ..stable
        };
        assert!(!goes_back(&beside_a_canary, release("c")));
    }

    fn alarm(node: &str, change: AlarmChange, action: Action) -> Alarm {
        let id = plimsoll_core::EventId::new(Timestamp::from_micros(1));
        let alarm = serde_json::json!({
            "id": id, "alarm": id, "change": change, "system": "loans", "environment": "production",
            "node": node, "monitor": "errors", "severity": "page", "summary": "errors of loans",
            "evidence": {"n": 1}, "actions": [action], "at": Timestamp::from_micros(1),
        });
        serde_json::from_value(alarm).unwrap()
    }

    #[test]
    fn another_nodes_alarm_holds_until_it_is_over_or_the_node_is_gone() {
        let name = |node: &str| NodeName::new(node).unwrap();
        let (own, here) = (
            name("north"),
            BTreeSet::from([name("north"), name("south")]),
        );
        let holds = |node: &str, change, action| {
            !of_others(vec![alarm(node, change, action)], &own, &here).is_empty()
        };
        assert!(holds("south", AlarmChange::Raised, Action::Hold));
        assert!(!holds("south", AlarmChange::Cleared, Action::Hold));
        assert!(!holds("south", AlarmChange::Raised, Action::Halt));
        assert!(
            !holds("north", AlarmChange::Raised, Action::Hold),
            "its own it knows itself"
        );
        assert!(!holds("west", AlarmChange::Raised, Action::Hold));
    }
}
