//! Runs of evals, as the journal keeps them: what was asked, of which release, and what is established.
//! This is a stored format: fields are added with a default, never renamed.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::decision::Cost;
use crate::digest::Digest;
use crate::ids::EventId;
use crate::manifest::ReleaseId;
use crate::names::{EnvironmentName, SystemName};
use crate::system::Bound;

/// A set of cases was asked of a system, and scored.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EvalRun {
    /// Names it; the decisions that it made bear this name.
    pub id: EventId,
    /// Which system.
    pub system: SystemName,
    /// Where.
    pub environment: EnvironmentName,
    /// The release that answered.
    pub release: ReleaseId,
    /// The set's file.
    pub set: String,
    /// The set's content, by digest.
    pub digest: Digest,
    /// The bytes of the set's file, by digest: what deployments name.
    pub file: Digest,
    /// Whether it asked only a part of the set.
    #[serde(default)]
    pub partial: bool,
    /// How many cases it asked.
    pub cases: u64,
    /// How often it asked each.
    pub repetitions: u32,
    /// Of its answers, how many are those of an earlier run.
    #[serde(default)]
    pub reused: u64,
    /// What its metrics came to.
    pub figures: Vec<EvalFigure>,
    /// What is established; none if nothing had to be reached.
    pub verdict: Option<EvalVerdict>,
    /// The run that it was held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<EventId>,
    /// What it cost, its judges too.
    pub cost: Cost,
    /// When the first of its answers was given: from then on it says something of the system.
    pub measured_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Who ran it.
    pub actor: String,
}

/// What a metric came to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EvalFigure {
    /// Its name.
    pub metric: String,
    /// Its value; none if there is none.
    pub value: Option<f64>,
    /// Its lower bound.
    #[serde(default)]
    pub low: Option<f64>,
    /// Its upper bound.
    #[serde(default)]
    pub high: Option<f64>,
    /// Of how many cases.
    pub cases: u64,
    /// How many answers could not be scored.
    #[serde(default)]
    pub unscored: u64,
    /// What had to be reached.
    #[serde(default)]
    pub target: Option<Bound>,
    /// Whether it was.
    #[serde(default)]
    pub verdict: Option<EvalVerdict>,
    /// About how many more cases would tell, if it is inconclusive.
    #[serde(default)]
    pub needs: Option<u64>,
    /// Whether it is only a judge's word.
    #[serde(default)]
    pub advisory: bool,
}

/// What is established.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvalVerdict {
    /// It is good enough.
    Pass,
    /// It is worse than it may be.
    Regressed,
    /// Neither.
    Inconclusive,
}

impl EvalVerdict {
    /// The verdict as people read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Regressed => "REGRESSED",
            Self::Inconclusive => "INCONCLUSIVE",
        }
    }
}
