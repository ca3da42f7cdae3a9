//! All that is watched of one system.

use std::collections::BTreeMap;

use plimsoll_core::monitor::{
    Action, AlarmEvidence, Dropped, Estimated, Labelled, MonitorSpec, MonitorsSpec, Observation,
    Severity, TruthSpec, Watched,
};
use plimsoll_core::{EventId, Money, ReleaseId, SystemName, Timestamp};
use plimsoll_stats::stream::Window;
use serde::{Deserialize, Serialize};

use super::accuracy::{Accuracy, EstimatedErrorMonitor, RealisedErrorMonitor};
use super::burn::BurnMonitor;
use super::evals::{EvalFacts, EvalMonitor};
use super::features::FeatureMonitor;
use super::level::LevelMonitor;
use super::rate::RateMonitor;
use super::scores::{Scores, ScoresMonitor};
use super::standing::{Finding, State};
use super::truth::{Cohort, TruthMonitor};

/// A monitor of one kind.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Kind {
    Rate(RateMonitor),
    Level(LevelMonitor),
    Burn(BurnMonitor),
    Features(FeatureMonitor),
    EstimatedError(EstimatedErrorMonitor),
    RealisedError(RealisedErrorMonitor),
    Truth(TruthMonitor),
    Evals(EvalMonitor),
    Scores(ScoresMonitor),
    Measuring(Measuring),
}

/// Whether anything is measured.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Measuring {
    dropped: u64,
    is_wrong: bool,
}

/// A monitor with how it stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Monitor {
    spec: MonitorSpec,
    state: State,
    kind: Kind,
}

/// What a monitor has to say, to be recorded and told.
#[derive(Clone, PartialEq, Debug)]
pub struct WatchEvent {
    /// Which.
    pub monitor: Watched,
    /// The alarm that it is about: the new event's own id, or that of the one that raised it.
    pub alarm: Option<EventId>,
    /// How much it matters.
    pub severity: Severity,
    /// What it says.
    pub finding: Finding,
    /// What is to be done.
    pub actions: Vec<Action>,
}

/// How a monitor stands, as it is shown.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MonitorView {
    /// Of which system.
    pub system: SystemName,
    /// What is watched.
    pub monitor: Watched,
    /// How it stands.
    #[serde(flatten)]
    pub state: State,
    /// How much an alarm matters.
    pub severity: Severity,
    /// How many decisions lie between two false alarms on average, at least.
    pub between_false_alarms: u64,
    /// How many values it took.
    pub seen: u64,
    /// How many values it could not take: NaN, infinite, out of range.
    pub unusable: u64,
    /// When it measured last.
    pub measured_at: Option<Timestamp>,
    /// What it rests on.
    pub evidence: AlarmEvidence,
    /// How often answers are right, as far as this monitor knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Accuracy>,
}

/// All that is watched of one system. It is written down and read back over a restart.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SystemWatch {
    system: SystemName,
    spec: MonitorsSpec,
    availability: f64,
    monitors: BTreeMap<Watched, Monitor>,
    last_at: Option<Timestamp>,
    looked_at: Option<Timestamp>,
    began_at: Timestamp,
    release: Option<ReleaseId>,
    /// Why something is not measured that should be, by what it is.
    #[serde(default)]
    stopped: BTreeMap<Watched, String>,
    /// What judges of the sample have cost since a midnight.
    #[serde(default)]
    spent_on_scores: Option<(Timestamp, Money)>,
}

impl SystemWatch {
    /// Begins to watch. `availability` is what the bar asks for.
    pub fn new(
        system: &SystemName,
        spec: &MonitorsSpec,
        availability: f64,
        now: Timestamp,
    ) -> Self {
        let mut watch = Self {
            system: system.clone(),
            spec: spec.clone(),
            availability,
            monitors: BTreeMap::new(),
            last_at: None,
            looked_at: None,
            began_at: now,
            release: None,
            stopped: BTreeMap::new(),
            spent_on_scores: None,
        };
        watch.fill();
        watch
    }

    /// Goes on under what the workspace says now: monitors that it describes as before keep what they know. What
    /// stood of one that is gone, or begins anew, is over.
    pub fn change(&mut self, spec: &MonitorsSpec, availability: f64) -> Vec<WatchEvent> {
        let is_as_before = self.spec.between_false_alarms == spec.between_false_alarms;
        let budget_changed = (self.availability - availability).abs() > f64::EPSILON;
        self.availability = availability;
        let stays = |watched: &Watched, monitor: &Monitor| {
            let same_bar = spec
                .monitors
                .get(watched)
                .is_some_and(|wanted| wanted.bar == monitor.spec.bar);
            let is_burn = *watched == Watched::Availability;
            *watched == Watched::Measuring
                || (same_bar && is_as_before && !(is_burn && budget_changed))
        };
        let mut over = Vec::new();
        self.monitors.retain(|watched, monitor| {
            let stays = stays(watched, monitor);
            let is_watched = spec.monitors.contains_key(watched);
            if !stays {
                over.extend(monitor.end(*watched, is_watched));
            }
            stays
        });
        self.stopped
            .retain(|watched, _| spec.monitors.contains_key(watched));
        self.spec = spec.clone();
        self.fill();
        over
    }

    /// Ends: nothing of the system is watched any more. What stood is over.
    pub fn end(&mut self) -> Vec<WatchEvent> {
        let all = std::mem::take(&mut self.monitors);
        let ended = all.into_iter();
        ended
            .filter_map(|(watched, mut monitor)| monitor.end(watched, false))
            .collect()
    }

    fn fill(&mut self) {
        let between = self.spec.between_false_alarms;
        let measuring = MonitorSpec {
            bar: None,
            severity: Severity::Warning,
            on_alarm: Vec::new(),
            truth: None,
        };
        let wanted = self.spec.monitors.iter();
        let wanted = wanted.map(|(watched, spec)| (*watched, spec.clone()));
        for (watched, spec) in wanted.chain([(Watched::Measuring, measuring)]) {
            let kind = match watched {
                Watched::Latency | Watched::Cost => Kind::Level(LevelMonitor::new(between)),
                Watched::Availability => Kind::Burn(BurnMonitor::new(self.availability)),
                Watched::Features | Watched::Predictions => {
                    Kind::Features(FeatureMonitor::new(between))
                }
                Watched::EstimatedError => {
                    Kind::EstimatedError(EstimatedErrorMonitor::new(spec.bar, between))
                }
                Watched::RealisedError => {
                    Kind::RealisedError(RealisedErrorMonitor::new(spec.bar, between))
                }
                Watched::Truth => Kind::Truth(TruthMonitor::default()),
                Watched::Evals => Kind::Evals(EvalMonitor::default()),
                Watched::Scores => Kind::Scores(ScoresMonitor::new(between)),
                Watched::Measuring => Kind::Measuring(Measuring::default()),
                _ => Kind::Rate(RateMonitor::new(spec.bar, between)),
            };
            let monitor = self.monitors.entry(watched).or_insert(Monitor {
                spec: spec.clone(),
                state: State::default(),
                kind,
            });
            monitor.spec = spec;
            if let Kind::Features(features) = &mut monitor.kind {
                features.complete(between);
            }
        }
    }

    /// Which system.
    pub const fn system(&self) -> &SystemName {
        &self.system
    }

    /// The release of the last decision that was seen.
    pub const fn release(&self) -> Option<ReleaseId> {
        self.release
    }

    /// After how many rows counts of inputs are to be taken: a part of a window, so that what moves far is seen before
    /// the window is full.
    pub const fn rows_taken(&self) -> u64 {
        super::features::part_of(self.spec.window)
    }

    /// Takes how likely an answer is right.
    pub fn estimate(&mut self, one: &Estimated) -> Option<WatchEvent> {
        let window = self.spec.window;
        let monitor = self.monitors.get_mut(&Watched::EstimatedError)?;
        let Kind::EstimatedError(estimated) = &mut monitor.kind else {
            return None;
        };
        let found = estimated.take(one, window);
        let severity = monitor.spec.severity;
        monitor.settle(
            Watched::EstimatedError,
            found.map(|found| (severity, found)),
        )
    }

    /// Takes a label as it comes.
    pub fn take_label(&mut self, one: &Labelled) -> Option<WatchEvent> {
        let monitor = self.monitors.get_mut(&Watched::RealisedError)?;
        let is_meant = monitor.spec.truth.as_ref();
        let is_meant = is_meant.is_some_and(|truth| truth.label == one.name);
        let Kind::RealisedError(realised) = &mut monitor.kind else {
            return None;
        };
        let found = if is_meant { realised.take(one) } else { None };
        let severity = monitor.spec.severity;
        monitor.settle(Watched::RealisedError, found.map(|found| (severity, found)))
    }

    /// Takes what one decision tells.
    pub fn observe(&mut self, observation: &Observation) -> Vec<WatchEvent> {
        self.last_at = Some(observation.at);
        self.release = Some(observation.release);
        let mut events = Vec::new();
        for (watched, monitor) in &mut self.monitors {
            let found = monitor.observe(*watched, observation);
            events.extend(monitor.settle(*watched, found));
        }
        events
    }

    /// Takes counts of inputs or answers.
    pub fn take_window(&mut self, watched: Watched, window: &Window) -> Option<WatchEvent> {
        let rows = self.spec.window;
        let monitor = self.monitors.get_mut(&watched)?;
        let Kind::Features(features) = &mut monitor.kind else {
            return None;
        };
        let found = features.take(window, rows);
        let severity = monitor.spec.severity;
        monitor.settle(watched, found.map(|found| (severity, found)))
    }

    /// Of which labels, and of which time, the truth is to be told next.
    pub fn truth_due(&self, now: Timestamp) -> Option<(TruthSpec, (Timestamp, Timestamp))> {
        let monitor = self.monitors.get(&Watched::Truth)?;
        let (Kind::Truth(truth), Some(spec)) = (&monitor.kind, &monitor.spec.truth) else {
            return None;
        };
        Some((spec.clone(), truth.due(spec.matured_after, now)?))
    }

    /// Takes what labels say of the decisions of a day that ended at `until`.
    pub fn take_cohort(&mut self, until: Timestamp, cohort: Cohort) -> Option<WatchEvent> {
        let monitor = self.monitors.get_mut(&Watched::Truth)?;
        let Kind::Truth(truth) = &mut monitor.kind else {
            return None;
        };
        let found = truth.take(until, cohort);
        let severity = monitor.spec.severity;
        monitor.settle(Watched::Truth, found.map(|found| (severity, found)))
    }

    /// Takes what is known of the runs of the eval set.
    pub fn take_evals(&mut self, facts: &EvalFacts<'_>, now: Timestamp) -> Option<WatchEvent> {
        let monitor = self.monitors.get_mut(&Watched::Evals)?;
        let Kind::Evals(evals) = &mut monitor.kind else {
            return None;
        };
        let found = evals.take(facts, now);
        if found.is_some() {
            // The alarm is of what was asked, whatever answers meanwhile.
            self.release = Some(facts.release);
        }
        let severity = monitor.spec.severity;
        monitor.settle(Watched::Evals, found.map(|found| (severity, found)))
    }

    /// Takes what scorers said of an answer. What is only a judge's word is a ticket, and nothing is done about it.
    pub fn take_scores(&mut self, scores: &Scores, of: &Observation) -> Option<WatchEvent> {
        let monitor = self.monitors.get_mut(&Watched::Scores)?;
        let Kind::Scores(streams) = &mut monitor.kind else {
            return None;
        };
        let found = streams.take(scores, of);
        monitor.settle_scores(found)
    }

    /// Goes on with the scorers that there are now, each with its bar, if it has one: what others said is over.
    pub fn change_scorers(&mut self, bars: &BTreeMap<String, Option<f64>>) -> Option<WatchEvent> {
        let monitor = self.monitors.get_mut(&Watched::Scores)?;
        let Kind::Scores(streams) = &mut monitor.kind else {
            return None;
        };
        let found = streams.change(bars);
        monitor.settle_scores(found)
    }

    /// Whether an alarm stands that asks for more of the answers to be scored.
    pub fn raises_sampling(&self) -> bool {
        self.asks_for(Action::RaiseSampling)
    }

    /// The monitor whose alarm stands and holds deployments back, and that alarm.
    pub fn holds(&self) -> Option<(Watched, EventId)> {
        self.monitors
            .iter()
            .find_map(|(watched, monitor)| match monitor.state {
                State::Alarm { alarm, .. } if monitor.asks_for(Action::Hold) => {
                    Some((*watched, alarm))
                }
                _ => None,
            })
    }

    /// The alarms that stand.
    pub fn standing(&self) -> Vec<(Watched, EventId)> {
        let monitors = self.monitors.iter();
        monitors
            .filter_map(|(watched, monitor)| match monitor.state {
                State::Alarm { alarm, .. } => Some((*watched, alarm)),
                State::Learning | State::Quiet => None,
            })
            .collect()
    }

    /// The receiver that is told to retrain.
    pub fn retrain(&self) -> Option<&str> {
        self.spec.retrain.as_deref()
    }

    /// Whether an alarm stands that has this done.
    fn asks_for(&self, action: Action) -> bool {
        let mut monitors = self.monitors.values();
        monitors.any(|monitor| monitor.asks_for(action))
    }

    /// What judges of the sample have cost since this midnight.
    pub fn spent_on_scores(&self, midnight: Timestamp) -> Money {
        let spent = self.spent_on_scores.filter(|(day, _)| *day == midnight);
        spent.map_or(Money::ZERO, |(_, spent)| spent)
    }

    /// Notes what judges of the sample cost.
    pub fn spend_on_scores(&mut self, midnight: Timestamp, amount: Money) {
        self.spent_on_scores = Some((midnight, self.spent_on_scores(midnight) + amount));
    }

    /// Notes why something that should be measured is not, or that it is again.
    pub fn note_stopped(&mut self, watched: Watched, why: Option<String>) {
        match why {
            Some(why) => self.stopped.insert(watched, why),
            None => self.stopped.remove(&watched),
        };
    }

    /// Looks at what time alone changes: budgets, silence; what was dropped never came here.
    pub fn look(&mut self, now: Timestamp, dropped: Dropped) -> Vec<WatchEvent> {
        self.looked_at = Some(now);
        let stopped = self.stopped.iter().next();
        let stopped = stopped.map(|(watched, why)| format!("{watched}: {why}"));
        let silent = self.silent(now).or(stopped);
        let mut events = Vec::new();
        for (watched, monitor) in &mut self.monitors {
            let severity = monitor.spec.severity;
            let found = match &mut monitor.kind {
                Kind::Burn(burn) => burn
                    .look(now)
                    .map(|(least, found)| (severity.min(least.max(Severity::Ticket)), found)),
                Kind::Measuring(measuring) => measuring
                    .look(dropped, silent.as_deref())
                    .map(|found| (severity, found)),
                _ => None,
            };
            events.extend(monitor.settle(*watched, found));
        }
        events
    }

    fn silent(&self, now: Timestamp) -> Option<String> {
        let limit = self.spec.silent_after?;
        let since = self.last_at.unwrap_or(self.began_at);
        let silence = now.since(since);
        (silence > limit).then(|| {
            format!(
                "no decision in {}, limit {}",
                crate::figures::span(silence),
                crate::figures::span(limit)
            )
        })
    }

    /// Notes which event raised an alarm, once it is recorded.
    pub fn raised(&mut self, watched: Watched, alarm: EventId, at: Timestamp) {
        let Some(monitor) = self.monitors.get_mut(&watched) else {
            return;
        };
        // An alarm of which there is more to say stands since it was raised.
        let is_known = |state| matches!(state, State::Alarm { alarm: known, .. } if known == alarm);
        if !is_known(monitor.state) {
            monitor.state = State::Alarm { alarm, since: at };
        }
    }

    /// How each monitor stands.
    pub fn views(&self, now: Timestamp) -> Vec<MonitorView> {
        let view = |(watched, monitor): (&Watched, &Monitor)| {
            let (seen, unusable) = monitor.kind.seen();
            let is_measuring = *watched == Watched::Measuring;
            MonitorView {
                system: self.system.clone(),
                monitor: *watched,
                state: monitor.state,
                severity: monitor.spec.severity,
                between_false_alarms: self.spec.between_false_alarms,
                seen,
                unusable,
                measured_at: if is_measuring {
                    self.looked_at
                } else {
                    self.last_at
                },
                evidence: monitor.kind.evidence(now),
                accuracy: monitor.kind.accuracy(),
            }
        };
        self.monitors.iter().map(view).collect()
    }
}

impl Monitor {
    /// What there is to say of a monitor that goes, if its alarm stands.
    fn end(&mut self, watched: Watched, is_watched: bool) -> Option<WatchEvent> {
        if !self.state.is_alarm() {
            return None;
        }
        let summary = if is_watched {
            "begins anew: the workspace describes it otherwise"
        } else {
            "is watched no longer: the workspace has it no more"
        };
        let finding = Finding {
            is_wrong: false,
            summary: summary.to_owned(),
            evidence: AlarmEvidence::default(),
        };
        self.settle(watched, Some((self.spec.severity, finding)))
    }

    fn observe(&mut self, watched: Watched, of: &Observation) -> Option<(Severity, Finding)> {
        let found = match &mut self.kind {
            Kind::Rate(rate) => rate.observe(of.badness(watched)?, of.into()),
            #[expect(clippy::cast_precision_loss, reason = "microseconds of one decision")]
            Kind::Level(level) if watched == Watched::Latency => {
                level.observe(of.micros? as f64, of)
            }
            Kind::Level(level) => level.observe(of.cost, of),
            Kind::Burn(burn) => {
                burn.observe(of.badness(watched)? > 0.0, of);
                None
            }
            Kind::Features(_)
            | Kind::EstimatedError(_)
            | Kind::RealisedError(_)
            | Kind::Truth(_)
            | Kind::Evals(_)
            | Kind::Scores(_)
            | Kind::Measuring(_) => None,
        };
        found.map(|found| (self.spec.severity, found))
    }

    /// Whether its alarm stands, and has this done. Nothing is done about what is only a judge's word.
    fn asks_for(&self, action: Action) -> bool {
        self.state.is_alarm() && !self.is_advice() && self.spec.on_alarm.contains(&action)
    }

    /// Whether what it says is only a judge's word.
    const fn is_advice(&self) -> bool {
        matches!(&self.kind, Kind::Scores(scores) if scores.is_advisory())
    }

    /// As `settle`; what is only a judge's word is a ticket, and nothing is done about it.
    fn settle_scores(&mut self, found: Option<Finding>) -> Option<WatchEvent> {
        let is_advice = self.is_advice();
        let severity = if is_advice {
            Severity::Ticket
        } else {
            self.spec.severity
        };
        let found = found.map(|found| (severity, found));
        let mut event = self.settle(Watched::Scores, found)?;
        if is_advice {
            event.actions.clear();
        }
        Some(event)
    }

    /// Goes into the state that a finding means, and makes an event of it.
    fn settle(
        &mut self,
        watched: Watched,
        found: Option<(Severity, Finding)>,
    ) -> Option<WatchEvent> {
        let Some((severity, finding)) = found else {
            if self.state == State::Learning && self.kind.is_ready() {
                self.state = State::Quiet;
            }
            return None;
        };
        let before = match self.state {
            State::Alarm { alarm, .. } => Some(alarm),
            State::Learning | State::Quiet => None,
        };
        if !finding.is_wrong {
            self.state = State::Quiet;
        }
        let actions = if finding.is_wrong {
            self.spec.on_alarm.clone()
        } else {
            Vec::new()
        };
        Some(WatchEvent {
            monitor: watched,
            alarm: before,
            severity,
            finding,
            actions,
        })
    }
}

impl Kind {
    fn is_ready(&self) -> bool {
        match self {
            Self::Rate(rate) => rate.is_ready(),
            Self::Level(level) => level.is_ready(),
            Self::Features(features) => features.is_ready(),
            Self::EstimatedError(estimated) => estimated.is_ready(),
            Self::RealisedError(realised) => realised.is_ready(),
            Self::Truth(truth) => truth.is_ready(),
            Self::Evals(evals) => evals.is_ready(),
            Self::Scores(scores) => scores.is_ready(),
            Self::Burn(_) | Self::Measuring(_) => true,
        }
    }

    const fn seen(&self) -> (u64, u64) {
        match self {
            Self::Rate(rate) => rate.seen(),
            Self::Level(level) => level.seen(),
            Self::Burn(burn) => burn.seen(),
            Self::Features(features) => features.seen(),
            Self::EstimatedError(estimated) => estimated.seen(),
            Self::RealisedError(realised) => realised.seen(),
            Self::Truth(truth) => truth.seen(),
            Self::Evals(evals) => evals.seen(),
            Self::Scores(scores) => scores.seen(),
            Self::Measuring(measuring) => (0, measuring.dropped),
        }
    }

    /// How often answers are right, as far as it knows.
    fn accuracy(&self) -> Option<Accuracy> {
        let accuracy = match self {
            Self::EstimatedError(estimated) => Accuracy {
                estimated: estimated.latest(),
                realised: None,
            },
            Self::Truth(truth) => Accuracy {
                estimated: None,
                realised: truth.latest(),
            },
            _ => return None,
        };
        (accuracy != Accuracy::default()).then_some(accuracy)
    }

    fn evidence(&self, now: Timestamp) -> AlarmEvidence {
        match self {
            Self::Rate(rate) => rate.evidence(),
            Self::Level(level) => level.evidence(),
            Self::Burn(burn) => burn.evidence(now),
            Self::Features(features) => features.evidence(),
            Self::EstimatedError(estimated) => estimated.evidence(),
            Self::RealisedError(realised) => realised.evidence(),
            Self::Truth(truth) => truth.evidence(),
            Self::Evals(evals) => evals.evidence(),
            Self::Scores(scores) => scores.evidence(),
            Self::Measuring(_) => AlarmEvidence::default(),
        }
    }
}

impl Measuring {
    fn look(&mut self, dropped: Dropped, silent: Option<&str>) -> Option<Finding> {
        self.dropped += dropped.all();
        let wrong = match silent {
            Some(silent) => Some(silent.to_owned()),
            None if dropped.all() > 0 => Some(format!(
                "{} were not seen by the monitors: there were more than they could take",
                told(dropped)
            )),
            None => None,
        };
        if wrong.is_some() == self.is_wrong {
            return None;
        }
        self.is_wrong = wrong.is_some();
        Some(Finding {
            is_wrong: self.is_wrong,
            summary: wrong.unwrap_or_else(|| "everything is measured again".to_owned()),
            evidence: AlarmEvidence::default(),
        })
    }
}

/// What was dropped, in words.
fn told(dropped: Dropped) -> String {
    let kinds = [
        (dropped.decisions, "decision"),
        (dropped.estimates, "estimate"),
        (dropped.labels, "label"),
    ];
    let told = kinds.into_iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told
        .map(|(count, what)| crate::figures::counted(count, what))
        .collect();
    told.join(", ")
}

#[cfg(test)]
mod tests;
