//! How a monitor stands: it learns, is quiet, or has raised an alarm.

use plimsoll_core::monitor::{AlarmEvidence, Contributor};
use plimsoll_core::{DecisionId, EventId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Decisions that are named as examples.
const EXAMPLES_MAX: usize = 10;
/// Different contributors that are counted; more are counted together.
const CONTRIBUTORS_MAX: usize = 50;
/// Contributors that are told.
const TOLD_MAX: usize = 5;

/// How a monitor stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It does not know yet what is usual, or has seen nothing.
    #[default]
    Learning,
    /// Nothing is wrong.
    Quiet,
    /// Something is.
    Alarm {
        /// The event that raised it.
        alarm: EventId,
        /// Since when.
        since: Timestamp,
    },
}

impl State {
    /// The state in one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Learning => "learning",
            Self::Quiet => "quiet",
            Self::Alarm { .. } => "alarm",
        }
    }

    /// Whether it has raised an alarm.
    pub const fn is_alarm(self) -> bool {
        matches!(self, Self::Alarm { .. })
    }
}

/// Something that a monitor has to say.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// Whether something is wrong, or well again.
    pub is_wrong: bool,
    /// In one sentence.
    pub summary: String,
    /// The evidence.
    pub evidence: AlarmEvidence,
}

/// The last bad ones, and what they have in common.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Culprits {
    examples: VecDeque<DecisionId>,
    counts: BTreeMap<String, u64>,
}

impl Culprits {
    pub(crate) fn note(&mut self, decision: DecisionId, what: Option<&str>) {
        if self.examples.len() == EXAMPLES_MAX {
            self.examples.pop_front();
        }
        self.examples.push_back(decision);
        if let Some(what) = what {
            let is_known = self.counts.contains_key(what);
            let has_room = self.counts.len() < CONTRIBUTORS_MAX;
            let what = if is_known || has_room { what } else { "others" };
            *self.counts.entry(what.to_owned()).or_insert(0) += 1;
        }
    }

    pub(crate) fn examples(&self) -> Vec<DecisionId> {
        self.examples.iter().copied().collect()
    }

    /// Those that add most, with their share of all.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub(crate) fn contributors(&self) -> Vec<Contributor> {
        let all: u64 = self.counts.values().sum();
        let mut counts: Vec<(&String, &u64)> = self.counts.iter().collect();
        counts.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let told = counts.into_iter().take(TOLD_MAX);
        told.map(|(what, count)| Contributor {
            what: what.clone(),
            share: *count as f64 / all.max(1) as f64,
        })
        .collect()
    }

    /// What was counted before is no part of what comes.
    pub(crate) fn forget(&mut self) {
        self.counts.clear();
        self.examples.clear();
    }
}
