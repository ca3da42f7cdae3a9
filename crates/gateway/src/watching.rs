//! What the monitors of the control plane are told: what each closed decision was, and how inputs and answers
//! lie against the release's reference.
//!
//! Nothing waits here. A closed decision leaves a few words in a bounded queue, which the monitors empty
//! several times a second; when it is full, what comes is counted and lost, and that is an alarm of its own. A
//! row falls into the bins of a window where it passes: ten columns take less than a microsecond.

pub(crate) mod sample;
mod window;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use plimsoll_core::monitor::{Observation, Watched};
use plimsoll_core::{Decision, ReleaseId, SystemName};
use plimsoll_stats::stream::Window;

use crate::node::Node;

use sample::Sample;
pub use sample::Sampled;
pub(crate) use window::{Windows, reference_windows};

/// Observations that may wait: a second of the most that a node serves.
const WAITING_MAX: usize = 65_536;

/// Closed decisions that no monitor has seen yet.
#[derive(Default)]
pub(crate) struct Watching {
    is_watched: AtomicBool,
    waiting: Mutex<Vec<Observation>>,
    dropped: AtomicU64,
    sample: Sample,
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
        let mut waiting = self.waiting.lock();
        if waiting.len() < WAITING_MAX {
            waiting.push(observation);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
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
    /// Closed decisions since the last time, in about the order in which they were closed, and how many
    /// were lost meanwhile because there were more than may wait. From the first call on they are kept.
    pub fn observations(&self) -> (Vec<Observation>, u64) {
        self.watching.is_watched.store(true, Ordering::Relaxed);
        let waiting = std::mem::take(&mut *self.watching.waiting.lock());
        let dropped = self.watching.dropped.swap(0, Ordering::Relaxed);
        (waiting, dropped)
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
