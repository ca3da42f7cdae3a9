//! The monitors of a running node: they take what its decisions told several times a second, raise alarms,
//! and see that something is done about them.
//!
//! An alarm is on disk before anything is done or anybody is told. What the monitors know is written to the
//! data folder every ten seconds, with each alarm, and at the stop. A crash takes the last ten seconds of
//! observations, never a decision.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use plimsoll_control::bar::MonitorFacts;
use plimsoll_control::watch::{
    Cohort, EvalFacts, MonitorView, SpentOnEvals, SystemWatch, WatchEvent,
};
use plimsoll_core::label::LabelValue;
use plimsoll_core::monitor::{Alarm, AlarmChange, Dropped, Watched};
use plimsoll_core::{Clock, EnvironmentName, EventId, Money, Record, SystemName, Timestamp};
use plimsoll_spec::Workspace;
use plimsoll_stats::estimate::Confidence;
use plimsoll_store::StoreError;
use tokio_util::sync::CancellationToken;

use super::alerting::Alerting;
use super::live_node::LiveNode;
use crate::monitor_file::{self, Kept};

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
    /// What a change of the workspace ended, and nobody was told of yet.
    ended: Mutex<Vec<(SystemName, WatchEvent)>>,
    evals: Mutex<BTreeMap<SystemName, Evaluating>>,
    /// What runs of eval sets have cost, also of systems without monitors.
    spent_on_evals: Mutex<BTreeMap<SystemName, SpentOnEvals>>,
    /// Whether evals are to be judged at once: one task does, so that what was read earlier never stands against what
    /// was read later.
    evals_changed: AtomicBool,
    pub(crate) alerting: Alerting,
}

/// How the eval set of a system stands, beside what is recorded.
#[derive(Default)]
struct Evaluating {
    /// Why the next run waits.
    waits: Option<String>,
}

impl Monitors {
    /// Those of the workspace, with what was known at the last stop.
    pub(crate) fn open(data: PathBuf, workspace: &Workspace, clock: &Arc<dyn Clock>) -> Self {
        let kept = monitor_file::read(&data);
        let kept = kept.map(|kept| (kept.systems, kept.spent_on_evals));
        let (systems, spent_on_evals) = kept.unwrap_or_default();
        let monitors = Self {
            systems: Mutex::new(systems),
            spent_on_evals: Mutex::new(spent_on_evals),
            data,
            looked_at: Mutex::new(None),
            ended: Mutex::default(),
            evals: Mutex::default(),
            evals_changed: AtomicBool::new(false),
            alerting: Alerting::new(Arc::clone(clock)),
        };
        monitors.follow(workspace, clock.now());
        monitors
    }

    /// Watches what the workspace says from now on.
    fn follow(&self, workspace: &Workspace, now: Timestamp) {
        let mut systems = self.systems.lock();
        let mut ended = self.ended.lock();
        let spec = |name: &SystemName| workspace.folders.get(name)?.monitors.as_ref();
        systems.retain(|name, watch| {
            let stays = spec(name).is_some();
            if !stays {
                ended.extend(watch.end().into_iter().map(|event| (name.clone(), event)));
            }
            stays
        });
        for (name, system) in &workspace.systems {
            let Some(spec) = spec(name) else {
                continue;
            };
            let availability = system.bar.availability;
            match systems.get_mut(name) {
                Some(watch) => {
                    let over = watch.change(spec, availability).into_iter();
                    ended.extend(over.map(|event| (name.clone(), event)));
                }
                None => {
                    let watch = SystemWatch::new(name, spec, availability, now);
                    systems.insert(name.clone(), watch);
                }
            }
        }
    }

    /// What is known of all systems.
    pub(super) fn systems(&self) -> MutexGuard<'_, BTreeMap<SystemName, SystemWatch>> {
        self.systems.lock()
    }

    /// Has evals judged within a moment.
    pub(super) fn judge_evals_soon(&self) {
        self.evals_changed.store(true, Ordering::Release);
    }

    /// Notes why the next run of a system's evals waits, or that it does not.
    pub(super) fn note_waiting(&self, system: &SystemName, waits: Option<String>) {
        let mut evals = self.evals.lock();
        let of_system = evals.entry(system.clone()).or_default();
        let is_new = waits.is_some() && of_system.waits != waits;
        if let Some(waits) = waits.as_ref().filter(|_| is_new) {
            tracing::warn!(%system, waits, "the eval set waits to be asked");
        }
        of_system.waits = waits;
    }

    /// What runs have cost since this midnight that no record counts: they were interrupted, or failed.
    pub(super) fn spent_on_evals(&self, system: &SystemName, since: Timestamp) -> Money {
        let spent = self.spent_on_evals.lock();
        let of_system = spent.get(system);
        of_system.map_or(Money::ZERO, |spent| spent.since(since))
    }

    /// Notes what a run cost.
    pub(super) fn spend_on_evals(
        &self,
        (system, run): (&SystemName, EventId),
        since: Timestamp,
        amount: Money,
    ) {
        let mut spent = self.spent_on_evals.lock();
        let of_system = spent.entry(system.clone()).or_default();
        of_system.spend(since, run, amount);
    }

    /// So much of a run is counted by its record from now on.
    pub(super) fn forget_spent_on_evals(
        &self,
        (system, run): (&SystemName, EventId),
        recorded: Money,
    ) {
        if let Some(of_system) = self.spent_on_evals.lock().get_mut(system) {
            of_system.forget(run, recorded);
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
        let systems = self.systems.lock().clone();
        let spent_on_evals = self.spent_on_evals.lock().clone();
        let kept = Kept::new(now, systems, spent_on_evals);
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
        let mut dropped = Dropped::default();
        loop {
            let newer = self.served();
            if !Arc::ptr_eq(&newer, &served) {
                self.monitors.follow(&newer, self.clock.now());
                served = newer;
            }
            let ended = std::mem::take(&mut *self.monitors.ended.lock());
            self.act_on(ended).await;
            dropped += self.take_observations().await;
            let elapsed = self.clock.elapsed();
            if looked.is_none_or(|at| elapsed.saturating_sub(at) >= LOOK) {
                looked = Some(elapsed);
                self.look_at_monitors(std::mem::take(&mut dropped)).await;
            } else if self.monitors.evals_changed.swap(false, Ordering::AcqRel) {
                let events = self.judge_evals(self.clock.now()).await;
                self.act_on(events).await;
            }
            self.restore_alerts().await;
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
    async fn take_observations(&self) -> Dropped {
        let unseen = self.node.unseen();
        let mut events = Vec::new();
        {
            let mut systems = self.monitors.systems.lock();
            for observation in &unseen.observations {
                if let Some(watch) = systems.get_mut(&observation.system) {
                    let found = watch.observe(observation).into_iter();
                    events.extend(found.map(|event| (observation.system.clone(), event)));
                }
            }
            for one in &unseen.estimated {
                let watch = systems.get_mut(&one.system);
                let found = watch.and_then(|watch| watch.estimate(one));
                events.extend(found.map(|event| (one.system.clone(), event)));
            }
            for one in &unseen.labelled {
                let watch = systems.get_mut(&one.system);
                let found = watch.and_then(|watch| watch.take_label(one));
                events.extend(found.map(|event| (one.system.clone(), event)));
            }
            let rows = |system: &SystemName| Some(systems.get(system)?.rows_taken());
            let full = self.node.full_windows(rows);
            for one in full {
                if let Some(watch) = systems.get_mut(&one.system) {
                    let found = watch.take_window(one.watched, &one.window);
                    events.extend(found.map(|event| (one.system.clone(), event)));
                }
            }
        }
        self.act_on(events).await;
        unseen.dropped
    }

    async fn look_at_monitors(&self, dropped: Dropped) {
        let now = self.clock.now();
        let mut events = Vec::new();
        for (name, watch) in self.monitors.systems.lock().iter_mut() {
            let found = watch.look(now, dropped).into_iter();
            events.extend(found.map(|event| (name.clone(), event)));
        }
        events.extend(self.judge_cohorts(now).await);
        events.extend(self.judge_evals(now).await);
        *self.monitors.looked_at.lock() = Some(now);
        self.act_on(events).await;
        self.hold_deployments().await;
        self.monitors.save(now);
        let views = self.monitors.views(None, now);
        let alarms = views
            .iter()
            .map(|view| (&view.system, view.monitor, view.state.is_alarm()));
        self.node.tell_monitors(alarms);
        let accuracies = views
            .iter()
            .filter_map(|view| Some((&view.system, view.accuracy.as_ref()?)));
        let figures = accuracies.flat_map(|(system, accuracy)| {
            let estimated = accuracy
                .estimated
                .map(|one| (system, "estimated", one.right));
            let realised = accuracy.realised.map(|one| (system, "realised", one.right));
            estimated.into_iter().chain(realised)
        });
        self.node.tell_accuracy(figures);
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
            let confidence = self.confidence_then(of, (since, until)).await;
            let cohort = match (told.await, confidence) {
                (Ok((decisions, labelled)), Ok(confidence)) => {
                    cohort(decisions, &labelled, confidence.as_deref())
                }
                // The day stays due, and is looked at again.
                (Err(error), _) | (_, Err(error)) => {
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

    /// What the confidence was worth of the release that stood all that time; none if its reference does not say, or
    /// if there were two.
    async fn confidence_then(
        &self,
        (system, environment): (&SystemName, &EnvironmentName),
        (since, until): (Timestamp, Timestamp),
    ) -> Result<Option<Arc<Confidence>>, StoreError> {
        let stood = |at: Timestamp| self.store.deployment_at(system, environment, at);
        let (first, last) = (stood(since).await?, stood(until).await?);
        let release = match (first, last) {
            // What was deployed first that day answered all of it.
            (None, Some(last)) => last.release,
            (Some(first), Some(last)) if first.release == last.release => last.release,
            _ => return Ok(None),
        };
        let node = Arc::clone(&self.node);
        let reading = tokio::task::spawn_blocking(move || node.confidence_of(release));
        Ok(reading.await.ok().flatten())
    }

    /// Looks whether eval sets were asked on schedule, and with what verdict.
    async fn judge_evals(&self, now: Timestamp) -> Vec<(SystemName, WatchEvent)> {
        let mut events = Vec::new();
        for scheduled in self.scheduled() {
            let name = &scheduled.system.name;
            let last = match self.last_eval(&scheduled).await {
                Ok(last) => last,
                Err(error) => {
                    tracing::warn!(system = %name, %error, "when the eval set was asked could not be read");
                    continue;
                }
            };
            let waits = {
                let evals = self.monitors.evals.lock();
                evals
                    .get(name)
                    .and_then(|of_system| of_system.waits.clone())
            };
            let facts = EvalFacts {
                release: scheduled.release,
                last: last.as_ref(),
                deployed_at: scheduled.deployed_at,
                every: scheduled.every,
                waits: waits.as_deref(),
            };
            let mut systems = self.monitors.systems.lock();
            if let Some(watch) = systems.get_mut(name) {
                let found = watch.take_evals(&facts, now);
                events.extend(found.map(|event| (name.clone(), event)));
            }
        }
        events
    }

    pub(super) async fn act_on(&self, events: Vec<(SystemName, WatchEvent)>) {
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
            self.hold_deployments().await;
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

    /// Whether an alarm still stands.
    pub(super) fn stands(&self, system: &SystemName, monitor: Watched, alarm: EventId) -> bool {
        let views = self.monitors.views(Some(system), self.clock.now());
        views.iter().any(|view| {
            view.monitor == monitor
                && matches!(view.state, plimsoll_control::watch::State::Alarm { alarm: standing, .. } if standing == alarm)
        })
    }
}

/// What labels say of the decisions of a day, by what their confidence was worth.
fn cohort(decisions: u64, labelled: &[(f64, LabelValue)], worth: Option<&Confidence>) -> Cohort {
    let mut cohort = Cohort {
        decisions,
        calibrated_on: worth.map(|worth| worth.usual().rows),
        ..Cohort::default()
    };
    for (confidence, label) in labelled {
        let LabelValue::Flag(right) = label else {
            cohort.mistyped += 1;
            continue;
        };
        let confidence = confidence.clamp(0.0, 1.0);
        let likely = worth.and_then(|worth| worth.right(confidence));
        let likely = likely.unwrap_or(confidence);
        cohort.labelled += 1;
        cohort.right += u64::from(*right);
        cohort.expected += likely;
        cohort.variance += likely * (1.0 - likely);
    }
    cohort
}
