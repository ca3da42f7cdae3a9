//! The monitors of a running node: they take what its decisions told several times a second, raise alarms,
//! and see that something is done about them.
//!
//! An alarm is on disk before anything is done or anybody is told. What the monitors know is written to the
//! data folder every ten seconds, with each alarm, and at the stop. A crash takes the last ten seconds of
//! observations, never a decision.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use plimsoll_control::bar::MonitorFacts;
use plimsoll_control::watch::{Cohort, MonitorView, SystemWatch, WatchEvent};
use plimsoll_core::deployment::{Halt, Standing};
use plimsoll_core::label::LabelValue;
use plimsoll_core::monitor::{Action, Alarm, AlarmChange, Watched};
use plimsoll_core::{Clock, EventId, Record, ReleaseId, SystemName, Timestamp};
use plimsoll_spec::Workspace;
use tokio_util::sync::CancellationToken;

use super::alerting::Alerting;
use super::live_node::LiveNode;
use crate::monitor_file::{self, Kept};

/// What the actor of a deployment event begins with that an alarm caused.
const ACTOR: &str = "monitor:";
/// How often what decisions told is taken.
const TICK: Duration = Duration::from_millis(250);
/// How often what time alone changes is looked at, and what is known is written down.
const LOOK: Duration = Duration::from_secs(10);

/// The most labels of a day that are looked at.
const LABELS_MAX: u32 = 100_000;

/// What the monitors of this node know.
pub(crate) struct Monitors {
    data: PathBuf,
    systems: Mutex<BTreeMap<SystemName, SystemWatch>>,
    looked_at: Mutex<Option<Timestamp>>,
    pub(crate) alerting: Alerting,
}

impl Monitors {
    /// Those of the workspace, with what was known at the last stop.
    pub(crate) fn open(data: PathBuf, workspace: &Workspace, clock: &Arc<dyn Clock>) -> Self {
        let kept = monitor_file::read(&data);
        let monitors = Self {
            systems: Mutex::new(kept.map(|kept| kept.systems).unwrap_or_default()),
            data,
            looked_at: Mutex::new(None),
            alerting: Alerting::new(Arc::clone(clock)),
        };
        monitors.follow(workspace, clock.now());
        monitors
    }

    /// Watches what the workspace says from now on.
    fn follow(&self, workspace: &Workspace, now: Timestamp) {
        let mut systems = self.systems.lock();
        let spec = |name: &SystemName| workspace.folders.get(name)?.monitors.as_ref();
        systems.retain(|name, _| spec(name).is_some());
        for (name, system) in &workspace.systems {
            let Some(spec) = spec(name) else {
                continue;
            };
            let availability = system.bar.availability;
            systems
                .entry(name.clone())
                .and_modify(|watch| watch.change(spec, availability))
                .or_insert_with(|| SystemWatch::new(name, spec, availability, now));
        }
    }

    /// How all monitors stand, or those of one system.
    pub(crate) fn views(&self, system: Option<&SystemName>, now: Timestamp) -> Vec<MonitorView> {
        let systems = self.systems.lock();
        let wanted = systems
            .iter()
            .filter(|(name, _)| system.is_none_or(|system| system == *name));
        wanted.flat_map(|(_, watch)| watch.views(now)).collect()
    }

    /// What the bar wants to know of a system; none if nothing of it is watched.
    pub(crate) fn facts(&self, system: &SystemName, now: Timestamp) -> Option<MonitorFacts> {
        let monitors = self.views(Some(system), now);
        let looked_at = *self.looked_at.lock();
        (!monitors.is_empty()).then_some(MonitorFacts {
            looked_at,
            monitors,
        })
    }

    fn save(&self, now: Timestamp) {
        let kept = Kept::new(now, self.systems.lock().clone());
        if let Err(error) = monitor_file::write(&self.data, &kept) {
            tracing::warn!(%error, "what the monitors know could not be written down");
        }
    }
}

impl LiveNode {
    /// Watches until it is told to stop.
    pub(crate) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut served = self.served();
        let mut looked = None;
        let mut dropped = 0;
        loop {
            let newer = self.served();
            if !Arc::ptr_eq(&newer, &served) {
                self.monitors.follow(&newer, self.clock.now());
                served = newer;
            }
            dropped += self.take_observations().await;
            let elapsed = self.clock.elapsed();
            if looked.is_none_or(|at| elapsed.saturating_sub(at) >= LOOK) {
                looked = Some(elapsed);
                self.look_at_monitors(std::mem::take(&mut dropped)).await;
            }
            self.escalate(&served).await;
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = stop.cancelled() => break,
            }
        }
        self.take_observations().await;
        self.monitors.save(self.clock.now());
    }

    /// Takes what decisions told; says how many were lost.
    async fn take_observations(&self) -> u64 {
        let (observations, dropped) = self.node.observations();
        let mut events = Vec::new();
        {
            let mut systems = self.monitors.systems.lock();
            for observation in &observations {
                if let Some(watch) = systems.get_mut(&observation.system) {
                    let found = watch.observe(observation).into_iter();
                    events.extend(found.map(|event| (observation.system.clone(), event)));
                }
            }
            let rows = |system: &SystemName| Some(systems.get(system)?.window());
            let full = self.node.full_windows(rows);
            for one in full {
                if let Some(watch) = systems.get_mut(&one.system) {
                    let found = watch.take_window(one.watched, &one.window);
                    events.extend(found.map(|event| (one.system.clone(), event)));
                }
            }
        }
        self.act_on(events).await;
        dropped
    }

    async fn look_at_monitors(&self, dropped: u64) {
        let now = self.clock.now();
        let mut events = Vec::new();
        for (name, watch) in self.monitors.systems.lock().iter_mut() {
            let found = watch.look(now, dropped).into_iter();
            events.extend(found.map(|event| (name.clone(), event)));
        }
        events.extend(self.judge_cohorts(now).await);
        *self.monitors.looked_at.lock() = Some(now);
        self.act_on(events).await;
        self.monitors.save(now);
        let views = self.monitors.views(None, now);
        let alarms = views
            .iter()
            .map(|view| (&view.system, view.monitor, view.state.is_alarm()));
        self.node.tell_monitors(alarms);
    }

    /// Judges the days of which most labels must have come.
    async fn judge_cohorts(&self, now: Timestamp) -> Vec<(SystemName, WatchEvent)> {
        let due: Vec<_> = {
            let systems = self.monitors.systems.lock();
            let due = |(name, watch): (&SystemName, &SystemWatch)| {
                Some((name.clone(), watch.truth_due(now)?))
            };
            systems.iter().filter_map(due).collect()
        };
        let mut events = Vec::new();
        for (system, (spec, (since, until))) in due {
            let of = (&system, &self.started.server.environment);
            let told = self
                .store
                .labelled_confidences(of, &spec.label, (since, until), LABELS_MAX);
            let cohort = match told.await {
                Ok((decisions, labelled)) => cohort(decisions, &labelled),
                // The day stays due, and is looked at again.
                Err(error) => {
                    tracing::warn!(%system, %error, "what labels say could not be read");
                    continue;
                }
            };
            let mut systems = self.monitors.systems.lock();
            if let Some(watch) = systems.get_mut(&system) {
                let found = watch.take_cohort(until, cohort);
                events.extend(found.map(|event| (system.clone(), event)));
            }
        }
        events
    }

    async fn act_on(&self, events: Vec<(SystemName, WatchEvent)>) {
        for (system, event) in events {
            let alarm = self.alarm(system, event);
            let record = Record::Alarm(Box::new(alarm.clone()));
            let recorded = self.node.record(record).await;
            if let Err(error) = &recorded {
                tracing::error!(%error, "an alarm could not be recorded: people are told, nothing else is done");
            }
            if alarm.change == AlarmChange::Raised {
                let mut systems = self.monitors.systems.lock();
                if let Some(watch) = systems.get_mut(&alarm.system) {
                    watch.raised(alarm.monitor, alarm.alarm, alarm.at);
                }
            }
            self.monitors.save(alarm.at);
            let (system, monitor) = (&alarm.system, alarm.monitor);
            let (change, summary) = (&alarm.change, &alarm.summary);
            tracing::warn!(%system, %monitor, ?change, summary, "alarm");
            for action in alarm.actions.iter().filter(|_| recorded.is_ok()) {
                self.act(&alarm, *action).await;
            }
            self.tell(&alarm).await;
        }
    }

    fn alarm(&self, system: SystemName, event: WatchEvent) -> Alarm {
        let now = self.clock.now();
        let id = EventId::new(now);
        let release = {
            let systems = self.monitors.systems.lock();
            systems.get(&system).and_then(SystemWatch::release)
        };
        let change = if event.finding.is_wrong {
            AlarmChange::Raised
        } else {
            AlarmChange::Cleared
        };
        Alarm {
            id,
            alarm: event.alarm.unwrap_or(id),
            change,
            environment: self.started.server.environment.clone(),
            node: self.name.clone(),
            monitor: event.monitor,
            severity: event.severity,
            release,
            summary: format!("{} of {system} {}", event.monitor, event.finding.summary),
            evidence: event.finding.evidence,
            actions: event.actions,
            at: now,
            system,
        }
    }

    /// Does what the workspace says is to be done. What cannot be done is said; the alarm stands anyway.
    async fn act(&self, alarm: &Alarm, action: Action) {
        let (system, actor) = (&alarm.system, format!("{ACTOR}{}", alarm.monitor));
        let reason = format!("alarm {}: {}", alarm.alarm, alarm.summary);
        let standing = self.node.standing(system).unwrap_or_default();
        let done = match action {
            // Who stepped in before, or another alarm, is not overridden.
            _ if standing.halt.is_some() => Ok(()),
            Action::RollBack if !goes_back(&standing, alarm.release) => {
                tracing::warn!(%system, "not rolled back: the alarm is not of the stable release alone, or an alarm brought it here");
                Ok(())
            }
            Action::FallBack => self
                .step_in(system, Halt::Fallback, reason, &actor)
                .await
                .map(drop),
            Action::Halt => self
                .step_in(system, Halt::Halted, reason, &actor)
                .await
                .map(drop),
            Action::RollBack => {
                let request = plimsoll_console::RollbackRequest { to: None, reason };
                self.point_back(system, request, &actor).await.map(drop)
            }
        };
        if let Err(error) = done {
            let action = action.as_str();
            tracing::error!(%system, action, %error, "what is to be done on an alarm could not be");
        }
    }

    /// Whether an alarm still stands.
    pub(super) fn stands(&self, system: &SystemName, monitor: Watched, alarm: EventId) -> bool {
        let views = self.monitors.views(Some(system), self.clock.now());
        views.iter().any(|view| {
            view.monitor == monitor
                && matches!(view.state, plimsoll_control::watch::State::Alarm { alarm: standing, .. } if standing == alarm)
        })
    }
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

/// What labels say of the decisions of a day.
fn cohort(decisions: u64, labelled: &[(f64, LabelValue)]) -> Cohort {
    let mut cohort = Cohort {
        decisions,
        ..Cohort::default()
    };
    for (confidence, label) in labelled {
        let LabelValue::Flag(right) = label else {
            cohort.mistyped += 1;
            continue;
        };
        let confidence = confidence.clamp(0.0, 1.0);
        cohort.labelled += 1;
        cohort.right += u64::from(*right);
        cohort.expected += confidence;
        cohort.variance += confidence * (1.0 - confidence);
    }
    cohort
}

#[cfg(test)]
mod tests {
    use plimsoll_core::deployment::{Canary, Weight};
    use plimsoll_core::record::Deployment;
    use plimsoll_core::{DeploymentId, Digest};

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
}
