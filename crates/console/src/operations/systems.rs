//! What is said of systems: their list, drills, runbooks, and the node itself.

use plimsoll_core::record::RunbookStep;
use plimsoll_core::{
    Digest, EnvironmentName, FailureKind, ReleaseId, Stakes, SystemName, Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Whether a node can serve.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Readiness {
    /// Whether it can.
    pub ready: bool,
    /// What it knows of itself.
    pub detail: Value,
}

/// A system, as a list shows it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SystemSummary {
    /// Its name.
    pub name: SystemName,
    /// What it is for.
    pub purpose: String,
    /// What is at stake.
    pub stakes: Stakes,
    /// What the business counts.
    pub unit: String,
    /// The owning team.
    pub team: Option<String>,
    /// Where it is deployed.
    pub environment: EnvironmentName,
    /// What is deployed.
    pub release: ReleaseId,
    /// Since when, as far as the event says.
    pub deployed_at: Timestamp,
    /// A release that was made and waits for somebody to deploy it.
    pub pending_release: Option<ReleaseId>,
    /// Why it cannot serve, if it cannot.
    pub broken: Option<String>,
}

/// Which failures to cause.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillRequest {
    /// This kind; every kind, if none.
    #[serde(default)]
    pub kind: Option<FailureKind>,
}

/// A runbook, as its readers see it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunbookView {
    /// Its title; empty if it has none.
    pub title: String,
    /// Its text's digest: a run names the text that was tried.
    pub digest: Digest,
    /// Its steps.
    pub steps: Vec<RunbookPart>,
}

/// One step of a runbook.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunbookPart {
    /// Its heading.
    pub title: String,
    /// What to do, as Markdown.
    pub body: String,
}

/// What a person said of each step of a runbook.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunbookRunRequest {
    /// The text that was tried, by digest.
    pub runbook: Digest,
    /// When they began, in microseconds since 1970 in UTC.
    pub started_at: Timestamp,
    /// What they said, step by step.
    pub steps: Vec<RunbookStep>,
}
