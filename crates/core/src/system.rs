//! A system as its workspace describes it: the behaviour manifest and what stands around it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::manifest::Manifest;
use crate::money::Money;
use crate::names::SystemName;
use crate::stakes::{DeployPolicy, Stakes};

/// One AI system: one purpose, one owner, one contract.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct System {
    /// What callers put into `model`.
    pub name: SystemName,
    /// What it is for.
    pub purpose: String,
    /// What is at stake.
    pub stakes: Stakes,
    /// What the business counts.
    pub unit: String,
    /// Who owns it.
    pub owner: Owner,
    /// What the bar asks for.
    pub bar: BarSpec,
    /// How quality is watched.
    pub quality: Option<QualitySpec>,
    /// Whether a new release deploys itself.
    pub deploy: DeployPolicy,
    /// All that shapes behaviour.
    pub manifest: Manifest,
    /// The runbook's text, if the file is there.
    pub runbook: Option<String>,
}

/// Who owns a system.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Owner {
    /// The team.
    pub team: Option<String>,
    /// How to reach it.
    pub contact: Option<String>,
    /// Whom to wake: `pagerduty:credit-risk`.
    pub on_call: Option<String>,
    /// The runbook, relative to the system's folder.
    pub runbook: Option<String>,
}

/// What the bar asks for, the stakes' defaults filled in.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct BarSpec {
    /// The share of requests that must be answered.
    pub availability: f64,
    /// After how long a drill no longer counts.
    pub drill_age: Duration,
    /// After how long a trial of the runbook no longer counts.
    pub runbook_age: Duration,
    /// The quality targets: metric → bound.
    pub quality: BTreeMap<String, Bound>,
    /// The most that one unit of work may cost.
    pub cost_per_unit: Option<Money>,
    /// After how long a price that nobody looked at no longer counts; none: it counts however old.
    #[serde(default)]
    pub price_age: Option<Duration>,
}

/// A bound on a figure: `>= 0.92`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Bound {
    /// Whether the figure must be at least (or else at most) the value.
    pub at_least: bool,
    /// The value.
    pub value: f64,
}

/// How quality is watched.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct QualitySpec {
    /// The eval set, relative to the system's folder.
    pub dataset: Option<String>,
    /// How often it runs.
    pub every: Option<Duration>,
    /// The share of production decisions that is scored.
    pub sample: Option<f64>,
    /// Cases that a run on schedule asks at a time.
    pub concurrency: u32,
    /// The most that runs on schedule and scoring may each cost in a day.
    pub budget_per_day: Option<Money>,
    /// The targets: metric → bound.
    pub target: BTreeMap<String, Bound>,
}
