//! What the monitors of the control plane are told: what each closed decision was, and how inputs and answers
//! lie against the release's reference.
//!
//! Nothing waits here. A closed decision leaves a few words in a bounded queue, which the monitors empty
//! several times a second; when it is full, what comes is counted and lost, and that is an alarm of its own. A
//! row falls into the bins of a window where it passes: ten columns take less than a microsecond.

mod reviewing;
pub(crate) mod sample;
mod texts;
mod window;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use plimsoll_core::deployment::Slot;
use plimsoll_core::label::{KnownDecision, Label, LabelValue};
use plimsoll_core::monitor::{Dropped, Estimated, Labelled, Observation, UsualError, Watched};
use plimsoll_core::{Decision, Outcome, ReleaseId, SystemName};
use plimsoll_spec::REFERENCE_ARTIFACT;
use plimsoll_stats::estimate::{Confidence, Usual};
use plimsoll_stats::stream::Window;

use crate::exchange::Open;
use crate::node::Node;

pub use reviewing::AlarmReviewError;
use sample::Sample;
pub use sample::Sampled;
pub(crate) use window::{Referenced, Windows};

/// Observations that may wait: a second of the most that a node serves.
const WAITING_MAX: usize = 65_536;

/// Closed decisions that no monitor has seen yet.
#[derive(Default)]
pub(crate) struct Watching {
    is_watched: AtomicBool,
    waiting: Queue<Observation>,
    estimated: Queue<Estimated>,
    labelled: Queue<Labelled>,
    sample: Sample,
}

/// What waits, and how much was lost.
struct Queue<T> {
    waiting: Mutex<Vec<T>>,
    dropped: AtomicU64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            waiting: Mutex::new(Vec::new()),
            dropped: AtomicU64::new(0),
        }
    }
}

impl<T> Queue<T> {
    fn wait(&self, told: T) {
        let mut waiting = self.waiting.lock();
        if waiting.len() < WAITING_MAX {
            waiting.push(told);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.waiting.lock())
    }

    fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}

/// What the monitors have not seen yet, each in about the order in which it happened.
#[derive(Default, Debug)]
pub struct Unseen {
    /// Closed decisions.
    pub observations: Vec<Observation>,
    /// Answers of models that say how sure they are.
    pub estimated: Vec<Estimated>,
    /// Labels.
    pub labelled: Vec<Labelled>,
    /// How many were lost, because there were more than may wait.
    pub dropped: Dropped,
}

impl Watching {
    /// Keeps what a closed decision tells; nothing while nobody watches.
    pub(crate) fn note(&self, decision: &Decision, overridden: Option<bool>) {
        if !self.is_watched.load(Ordering::Relaxed) {
            return;
        }
        let Some(mut observation) = Observation::of(decision) else {
            return;
        };
        observation.overridden = overridden;
        self.waiting.wait(observation);
    }
}

/// Keeps how likely the answer is right that a closed decision gave, if it is of the first model, which says how sure it
/// is: answers that nobody was given are not counted. A canary is not what the monitors watch.
pub(crate) fn estimate(ex: &Open) {
    let watching = &ex.node.watching;
    let is_real = ex.decision.made_for().is_none() && !ex.is_rehearsal();
    let is_watched = watching.is_watched.load(Ordering::Relaxed);
    let is_of_stable = ex.system.deployment.slot == Slot::Stable;
    let is_of_model = matches!(
        ex.decision.outcome,
        Some(Outcome::Served | Outcome::Repaired)
    );
    let is_meant = is_real && is_watched && is_of_stable && is_of_model;
    let (Some(confidence), true) = (ex.decision.confidence, is_meant) else {
        return;
    };
    if !(0.0..=1.0).contains(&confidence) {
        return;
    }
    let reference = ex.system.confidence.as_deref();
    let estimated = Estimated {
        decision: ex.decision.id,
        system: ex.decision.system.clone(),
        release: ex.decision.release,
        since: ex.system.deployment.at,
        right: reference
            .and_then(|reference| reference.right(confidence))
            .unwrap_or(confidence),
        usual: reference.map(usual),
        at: ex.node.clock.now(),
    };
    watching.estimated.wait(estimated);
}

fn usual(confidence: &Confidence) -> UsualError {
    let Usual {
        rows,
        wrong,
        expected,
    } = confidence.usual();
    UsualError {
        rows,
        wrong,
        expected,
    }
}

/// A window of inputs or answers that is full.
#[derive(Debug)]
pub struct FullWindow {
    /// Of which system.
    pub system: SystemName,
    /// Of which release.
    pub release: ReleaseId,
    /// [`Watched::Features`] or [`Watched::Predictions`].
    pub watched: Watched,
    /// What was counted.
    pub window: Window,
}

impl Node {
    /// What the monitors have not seen yet. From the first call on it is kept for them.
    pub fn unseen(&self) -> Unseen {
        let watching = &self.watching;
        watching.is_watched.store(true, Ordering::Relaxed);
        Unseen {
            observations: watching.waiting.take(),
            estimated: watching.estimated.take(),
            labelled: watching.labelled.take(),
            dropped: Dropped {
                decisions: watching.waiting.take_dropped(),
                estimates: watching.estimated.take_dropped(),
                labels: watching.labelled.take_dropped(),
            },
        }
    }

    /// Keeps what a label says of a decision, for the monitors: only of what the first model of the release answered
    /// that is stable here now, as the reference is of no other.
    pub(crate) fn note_label(&self, decision: &KnownDecision, label: &Label) {
        if !self.watching.is_watched.load(Ordering::Relaxed) || !decision.is_of_model {
            return;
        }
        let snapshot = self.snapshot.load();
        let system = &decision.system;
        let slots = snapshot.systems.get(system);
        let Some(stable) = slots.and_then(|slots| slots.stable.running()) else {
            return;
        };
        if decision.environment != snapshot.environment
            || decision.release != stable.deployment.release
        {
            return;
        }
        let labelled = Labelled {
            decision: label.decision,
            system: system.clone(),
            release: decision.release,
            since: stable.deployment.at,
            name: label.name.clone(),
            right: match label.value {
                LabelValue::Flag(right) => Some(right),
                _ => None,
            },
            usual: stable.confidence.as_deref().map(usual),
            at: label.at,
        };
        self.watching.labelled.wait(labelled);
    }

    /// What the reference of a release that is kept here says that its confidence is worth.
    pub fn confidence_of(&self, release: ReleaseId) -> Option<Arc<Confidence>> {
        let served = self.served();
        let manifest = self.builder(&served).manifest(release).ok()??;
        let reference = manifest.artifacts.get(REFERENCE_ARTIFACT)?;
        let bytes = self.blobs.get(*reference).ok()??;
        Referenced::read(&bytes).ok()?.confidence
    }

    /// Puts into the metrics how often systems are right: system, `estimated` or `realised`, and the share.
    pub fn tell_accuracy<'m>(
        &self,
        figures: impl Iterator<Item = (&'m SystemName, &'static str, f64)>,
    ) {
        self.metrics.accurate(figures);
    }

    /// Puts into the metrics which monitors have raised an alarm.
    pub fn tell_monitors<'m>(&self, alarms: impl Iterator<Item = (&'m SystemName, Watched, bool)>) {
        self.metrics.monitored(alarms);
    }

    /// Counts an alert that a receiver took, or did not.
    pub fn count_alert(&self, receiver: &str, is_delivered: bool) {
        self.metrics.alerted(receiver, is_delivered);
    }

    /// The windows of stable releases that have at least so many rows, each begun anew.
    pub fn full_windows(&self, rows: impl Fn(&SystemName) -> Option<u64>) -> Vec<FullWindow> {
        let snapshot = self.snapshot.load();
        let mut full = Vec::new();
        for (name, slots) in &snapshot.systems {
            let (Some(running), Some(rows)) = (slots.stable.running(), rows(name)) else {
                continue;
            };
            let windows = [
                (Watched::Features, &running.features),
                (Watched::Predictions, &running.predictions),
            ];
            for (watched, windows) in windows {
                if let Some(window) = windows.as_ref().and_then(|windows| windows.take(rows)) {
                    full.push(FullWindow {
                        system: name.clone(),
                        release: running.deployment.release,
                        watched,
                        window,
                    });
                }
            }
        }
        full
    }
}
