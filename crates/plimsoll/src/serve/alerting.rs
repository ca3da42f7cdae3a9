//! Telling people of alarms: each receiver that wants to know, at once or when an alarm has stood for long,
//! unless a silence covers it.
//!
//! Deliveries are tried a bounded number of times with growing pauses, beside everything else, and each one's
//! end is a record. More than so many at a time are not begun, and that is a record too.

mod call;
mod format;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use plimsoll_console::{ApiError, ReceiverView, SilenceRequest, SilenceView};
use plimsoll_control::watch::SystemWatch;
use plimsoll_core::monitor::{Alarm, AlarmChange, AlertChange, AlertEvent};
use plimsoll_core::{Clock, EventId, Record, Timestamp};
use plimsoll_gateway::Node;
use plimsoll_spec::{Receiver, Workspace};
use plimsoll_store::StoreError;
use tokio::sync::Semaphore;

use super::live_node::LiveNode;
use call::Caller;
pub(super) use format::Telling;

/// Deliveries that may be under way.
const UNDER_WAY_MAX: usize = 256;
/// How often a delivery is tried.
const TRIES_MAX: u32 = 6;
/// The pauses between tries: the first, doubled each time up to the longest.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Alarms that wait to be escalated.
const WAITING_MAX: usize = 1_000;
/// Silences that stand at one time.
const SILENCES_MAX: usize = 1_000;
/// Events that are looked through for what an earlier start left.
const EVENTS_LOOKED_AT: u32 = 1_000;
/// The longest silence.
const SILENCE_MAX: Duration = Duration::from_hours(30 * 24);

/// What is known of who was told.
pub(crate) struct Alerting {
    clock: Arc<dyn Clock>,
    caller: Arc<Caller>,
    under_way: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Alarms that some receiver is told of when they stand long enough.
    waiting: Vec<(Timestamp, String, Alarm)>,
    /// Who was told that an alarm was raised: they are told when it is over.
    told: BTreeMap<EventId, BTreeSet<String>>,
    /// None before they were read from the database.
    silences: Option<Vec<SilenceView>>,
    /// Whether it was looked what an earlier start left: whom alarms that stand still wait for.
    is_restored: bool,
}

impl Alerting {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            caller: Arc::new(Caller::default()),
            under_way: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
            state: Mutex::default(),
            clock,
        }
    }

    /// The silence that covers an alarm now.
    fn silence(&self, alarm: &Alarm) -> Option<EventId> {
        let now = self.clock.now();
        let state = self.state.lock();
        let mut silences = state.silences.iter().flatten();
        let covering = silences.find(|silence| {
            silence.until > now
                && silence
                    .system
                    .as_ref()
                    .is_none_or(|one| *one == alarm.system)
                && silence.monitor.is_none_or(|one| one == alarm.monitor)
        });
        covering.map(|silence| silence.id)
    }

    /// Begins a delivery, beside everything else.
    pub(super) fn deliver(
        &self,
        node: &Arc<Node>,
        receiver: &Receiver,
        alarm: &Alarm,
        telling: Telling,
    ) {
        let (node, clock) = (Arc::clone(node), Arc::clone(&self.clock));
        let (receiver, about) = (receiver.clone(), alarm.id);
        let Ok(place) = Arc::clone(&self.under_way).try_acquire_owned() else {
            let reason = format!("{UNDER_WAY_MAX} deliveries are under way already");
            tokio::spawn(async move {
                note_end(&node, &*clock, about, &receiver, (0, Err(reason))).await;
            });
            return;
        };
        let caller = Arc::clone(&self.caller);
        tokio::spawn(async move {
            let ended = try_until_taken(&caller, &*clock, &receiver, &telling).await;
            note_end(&node, &*clock, about, &receiver, ended).await;
            drop(place);
        });
    }
}

/// Tries, with growing pauses; says how often, and what the last try met.
async fn try_until_taken(
    caller: &Caller,
    clock: &dyn Clock,
    receiver: &Receiver,
    telling: &Telling,
) -> (u32, Result<(), String>) {
    let mut pause = PAUSE_MIN;
    let mut tries = 0;
    loop {
        tries += 1;
        let met = match caller.call(receiver, telling, clock.now()).await {
            Ok(()) => return (tries, Ok(())),
            Err(met) => met,
        };
        tracing::debug!(
            receiver = receiver.name,
            tries,
            reason = met.reason,
            "an alert was not taken"
        );
        if tries == TRIES_MAX || !met.may_pass {
            return (tries, Err(met.reason));
        }
        tokio::time::sleep(met.after.unwrap_or(pause).min(PAUSE_MAX)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

async fn note_end(
    node: &Node,
    clock: &dyn Clock,
    about: EventId,
    receiver: &Receiver,
    (attempts, ended): (u32, Result<(), String>),
) {
    let name = receiver.name.clone();
    node.count_alert(&name, ended.is_ok());
    let event = match ended {
        Ok(()) => AlertChange::Delivered {
            about,
            receiver: name,
            attempts,
        },
        Err(reason) => {
            tracing::error!(
                receiver = name,
                attempts,
                reason,
                "an alert was not delivered"
            );
            AlertChange::Undelivered {
                about,
                receiver: name,
                attempts,
                reason,
            }
        }
    };
    record(node, clock, event, None).await;
}

pub(super) async fn record(
    node: &Node,
    clock: &dyn Clock,
    event: AlertChange,
    actor: Option<String>,
) -> AlertEvent {
    let now = clock.now();
    let event = AlertEvent {
        id: EventId::new(now),
        event,
        actor,
        at: now,
    };
    if let Err(error) = node.record(Record::Alert(Box::new(event.clone()))).await {
        tracing::error!(%error, "what became of an alert could not be recorded");
    }
    event
}

impl LiveNode {
    /// Tells everybody who wants to know of an event of an alarm.
    pub(super) async fn tell(&self, alarm: &Alarm) {
        let alerting = &self.monitors.alerting;
        self.read_silences().await;
        let served = self.served();
        // Who was told of it is told of its end, whoever holds his breath meanwhile.
        let silence = alerting.silence(alarm);
        if let Some(silence) = silence.filter(|_| alarm.change == AlarmChange::Raised) {
            let about = alarm.id;
            let muted = AlertChange::Muted { about, silence };
            record(&self.node, &*self.clock, muted, None).await;
            return;
        }
        let told = match alarm.change {
            AlarmChange::Raised => None,
            AlarmChange::Cleared => {
                let mut state = alerting.state.lock();
                state
                    .waiting
                    .retain(|(_, _, waiting)| waiting.alarm != alarm.alarm);
                Some(state.told.remove(&alarm.alarm))
            }
        };
        for receiver in &served.receivers {
            // Of what is over those are told who were told of it; after a restart, all who are told at once.
            let wants = match &told {
                None => receiver.wants(&alarm.system, alarm.severity),
                Some(Some(told)) => told.contains(&receiver.name),
                Some(None) => {
                    receiver.after.is_zero() && receiver.wants(&alarm.system, alarm.severity)
                }
            };
            if !wants {
                continue;
            }
            if alarm.change == AlarmChange::Raised && !receiver.after.is_zero() {
                let due = alarm.at.plus(receiver.after);
                let mut state = alerting.state.lock();
                if state.waiting.len() < WAITING_MAX {
                    state
                        .waiting
                        .push((due, receiver.name.clone(), alarm.clone()));
                }
                continue;
            }
            self.send_to(&served, receiver, alarm);
        }
    }

    fn send_to(&self, served: &Workspace, receiver: &Receiver, alarm: &Alarm) {
        let owner = served
            .systems
            .get(&alarm.system)
            .map(|system| &system.owner);
        let telling = Telling::of(alarm, owner, self.clock.now());
        let alerting = &self.monitors.alerting;
        if alarm.change == AlarmChange::Raised {
            let mut state = alerting.state.lock();
            let told = state.told.entry(alarm.alarm).or_default();
            told.insert(receiver.name.clone());
        }
        alerting.deliver(&self.node, receiver, alarm, telling);
    }

    /// Tells receivers of alarms that still stand after as long as they asked for.
    pub(super) async fn escalate(&self, served: &Workspace) {
        let now = self.clock.now();
        let due: Vec<(String, Alarm)> = {
            let mut state = self.monitors.alerting.state.lock();
            let (due, later) = std::mem::take(&mut state.waiting)
                .into_iter()
                .partition(|(at, _, _)| *at <= now);
            state.waiting = later;
            let due: Vec<(Timestamp, String, Alarm)> = due;
            due.into_iter()
                .map(|(_, name, alarm)| (name, alarm))
                .collect()
        };
        for (name, alarm) in due {
            let receiver = served.receivers.iter().find(|one| one.name == name);
            let stands = self.stands(&alarm.system, alarm.monitor, alarm.alarm);
            let silence = self.monitors.alerting.silence(&alarm);
            if let Some(silence) = silence.filter(|_| stands) {
                let muted = AlertChange::Muted {
                    about: alarm.id,
                    silence,
                };
                record(&self.node, &*self.clock, muted, None).await;
            } else if let Some(receiver) = receiver.filter(|_| stands) {
                self.send_to(served, receiver, &alarm);
            }
        }
    }

    /// Takes up what an earlier start left: of the alarms that stand, who was told, and whom they wait for. Until the
    /// database says so, it is tried again.
    pub(super) async fn restore_alerts(&self) {
        if self.monitors.alerting.state.lock().is_restored {
            return;
        }
        let standing: BTreeSet<EventId> = {
            let systems = self.monitors.systems();
            let all = systems.values().flat_map(SystemWatch::standing);
            all.map(|(_, alarm)| alarm).collect()
        };
        let known = if standing.is_empty() {
            Ok((Vec::new(), Vec::new()))
        } else {
            self.known_alerts().await
        };
        let (alarms, alerts) = match known {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(%error, "whom alarms that stand wait for could not be read: it is tried again");
                return;
            }
        };
        let served = self.served();
        let mut state = self.monitors.alerting.state.lock();
        state.is_restored = true;
        let raised = alarms
            .into_iter()
            .filter(|alarm| standing.contains(&alarm.id) && alarm.change == AlarmChange::Raised);
        for alarm in raised {
            let told: BTreeSet<String> = alerts
                .iter()
                .filter_map(|alert| match &alert.event {
                    AlertChange::Delivered {
                        about, receiver, ..
                    } if *about == alarm.id => Some(receiver.clone()),
                    _ => None,
                })
                .collect();
            let is_waiting = |name: &str| {
                let mut waiting = state.waiting.iter();
                waiting.any(|(_, receiver, one)| receiver == name && one.id == alarm.id)
            };
            let late: Vec<(Timestamp, String, Alarm)> = served
                .receivers
                .iter()
                .filter(|receiver| {
                    !receiver.after.is_zero()
                        && receiver.wants(&alarm.system, alarm.severity)
                        && !told.contains(&receiver.name)
                        && !is_waiting(&receiver.name)
                })
                .map(|receiver| {
                    (
                        alarm.at.plus(receiver.after),
                        receiver.name.clone(),
                        alarm.clone(),
                    )
                })
                .collect();
            state.told.entry(alarm.id).or_default().extend(told);
            let room = WAITING_MAX.saturating_sub(state.waiting.len());
            state.waiting.extend(late.into_iter().take(room));
        }
    }

    async fn known_alerts(&self) -> Result<(Vec<Alarm>, Vec<AlertEvent>), StoreError> {
        let alarms = self.store.alarms(None, EVENTS_LOOKED_AT).await?;
        let alerts = self.store.alerts(EVENTS_LOOKED_AT).await?;
        Ok((alarms, alerts))
    }

    /// Reads the silences that stand, once.
    async fn read_silences(&self) {
        if self.monitors.alerting.state.lock().silences.is_some() {
            return;
        }
        match self.store.silences(self.clock.now()).await {
            Ok(events) => {
                let silences = events.iter().filter_map(silence_view).collect();
                let mut state = self.monitors.alerting.state.lock();
                state.silences.get_or_insert(silences);
            }
            Err(error) => {
                tracing::warn!(%error, "it is not known which alerts are silenced: all are told");
            }
        }
    }

    pub(super) fn known_receivers(&self) -> Vec<ReceiverView> {
        let view = |receiver: &Receiver| ReceiverView {
            name: receiver.name.clone(),
            kind: receiver.kind.as_str().to_owned(),
            systems: receiver
                .systems
                .as_ref()
                .map(|systems| systems.iter().cloned().collect()),
            least: receiver.least,
            after_seconds: receiver.after.as_secs(),
        };
        self.served().receivers.iter().map(view).collect()
    }

    /// Sends a receiver an alert that says that it is a test, and tells what came of the one try.
    pub(super) async fn try_receiver(&self, name: &str, actor: &str) -> Result<(), ApiError> {
        let served = self.served();
        let receiver = served.receivers.iter().find(|one| one.name == name);
        let receiver = receiver.ok_or_else(|| {
            ApiError::unfit(format!("there is no receiver `{name}` in `[alerts]`"))
        })?;
        let now = self.clock.now();
        let telling = Telling::test(&self.started.server.environment, actor, now);
        let caller = &self.monitors.alerting.caller;
        let called = caller.call(receiver, &telling, now).await;
        let tested = AlertChange::Tested {
            receiver: name.to_owned(),
            reason: called.as_ref().err().map(|met| met.reason.clone()),
        };
        let event = AlertEvent {
            id: EventId::new(now),
            event: tested,
            actor: Some(actor.to_owned()),
            at: self.clock.now(),
        };
        self.write_and_project(Record::Alert(Box::new(event)))
            .await?;
        called.map_err(|met| {
            ApiError::unfit(format!("receiver `{name}` did not take it: {}", met.reason))
        })
    }

    pub(super) async fn known_silences(&self) -> Vec<SilenceView> {
        self.read_silences().await;
        let now = self.clock.now();
        let state = self.monitors.alerting.state.lock();
        let silences = state.silences.iter().flatten();
        silences.filter(|one| one.until > now).cloned().collect()
    }

    pub(super) async fn hold_back(
        &self,
        request: SilenceRequest,
        actor: &str,
    ) -> Result<SilenceView, ApiError> {
        let length = Duration::from_secs(request.seconds);
        if length.is_zero() || length > SILENCE_MAX {
            return Err(ApiError::unfit(
                "a silence lasts at least a second and at most 30 days",
            ));
        }
        if let Some(system) = &request.system {
            self.status(system)?;
        }
        let standing = self.known_silences().await.len();
        if self.monitors.alerting.state.lock().silences.is_none() {
            let message =
                "which silences stand could not be read: try again when the database is back";
            return Err(ApiError::unfit(message));
        }
        if standing >= SILENCES_MAX {
            let message = format!(
                "{SILENCES_MAX} silences stand already: lift some with `plimsoll alert unsilence`"
            );
            return Err(ApiError::unfit(message));
        }
        let now = self.clock.now();
        let event = AlertEvent {
            id: EventId::new(now),
            event: AlertChange::Silenced {
                system: request.system,
                monitor: request.monitor,
                until: now.plus(length),
                reason: request.reason,
            },
            actor: Some(actor.to_owned()),
            at: now,
        };
        self.write(Record::Alert(Box::new(event.clone()))).await?;
        let view = silence_view(&event).ok_or_else(|| ApiError::unfit("it is no silence"))?;
        let mut state = self.monitors.alerting.state.lock();
        let silences = state.silences.get_or_insert_default();
        silences.retain(|one| one.until > now);
        silences.push(view.clone());
        Ok(view)
    }

    pub(super) async fn end_silence(&self, id: &str, actor: &str) -> Result<SilenceView, ApiError> {
        let standing = self.known_silences().await;
        let mut fitting = standing
            .into_iter()
            .filter(|one| one.id.to_string().starts_with(&id.to_ascii_uppercase()));
        let (Some(silence), None) = (fitting.next(), fitting.next()) else {
            return Err(ApiError::unfit(format!(
                "`{id}` names no one silence that stands"
            )));
        };
        let now = self.clock.now();
        let event = AlertEvent {
            id: EventId::new(now),
            event: AlertChange::Lifted {
                silence: silence.id,
            },
            actor: Some(actor.to_owned()),
            at: now,
        };
        self.write(Record::Alert(Box::new(event))).await?;
        let mut state = self.monitors.alerting.state.lock();
        if let Some(silences) = &mut state.silences {
            silences.retain(|one| one.id != silence.id);
        }
        Ok(silence)
    }
}

fn silence_view(event: &AlertEvent) -> Option<SilenceView> {
    let AlertChange::Silenced {
        system,
        monitor,
        until,
        reason,
    } = &event.event
    else {
        return None;
    };
    Some(SilenceView {
        id: event.id,
        system: system.clone(),
        monitor: *monitor,
        until: *until,
        reason: reason.clone(),
        actor: event.actor.clone(),
        at: event.at,
    })
}
