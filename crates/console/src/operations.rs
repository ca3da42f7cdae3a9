//! What the routes ask of a node. The binary fills it.

use plimsoll_control::bar::Report;
use plimsoll_core::ports::Boxed;
use plimsoll_core::record::{Deployment, Drill, ReleaseRecord, RunbookRun, RunbookStep};
use plimsoll_core::review::Review;
use plimsoll_core::{
    Decision, Digest, EnvironmentName, FailureKind, QueueName, ReleaseId, Stakes, SystemName,
    Timestamp,
};
use plimsoll_store::DecisionFilter;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ApiError;

/// What an operation gives.
pub type Answer<'a, T> = Boxed<'a, Result<T, ApiError>>;

/// A node, as its operators see it.
pub trait Operations: Send + Sync {
    /// Whether it can serve, and what stands in the way.
    fn readiness(&self) -> Readiness;

    /// Its figures, in Prometheus' text format.
    fn metrics(&self) -> String;

    /// Its systems, by name.
    fn systems(&self) -> Vec<SystemSummary>;

    /// A system held against the bar.
    fn bar<'a>(&'a self, system: &'a SystemName) -> Answer<'a, Report>;

    /// The decisions that `filter` lets through, the latest first.
    fn decisions(&self, filter: DecisionFilter) -> Answer<'_, Vec<Decision>>;

    /// The one decision whose id begins with `id`.
    fn decision<'a>(&'a self, id: &'a str) -> Answer<'a, Decision>;

    /// Open reviews, the soonest due first.
    fn reviews(&self, filter: ReviewFilter) -> Answer<'_, Vec<Review>>;

    /// The one review whose id begins with `id`.
    fn review<'a>(&'a self, id: &'a str) -> Answer<'a, Review>;

    /// Answers an open review and closes its decision.
    fn answer_review<'a>(
        &'a self,
        id: &'a str,
        answer: ReviewAnswer,
        actor: &'a str,
    ) -> Answer<'a, Decision>;

    /// Causes failures of `kind`, or of every kind, and tells what happened.
    fn drill<'a>(
        &'a self,
        system: &'a SystemName,
        kind: Option<FailureKind>,
        actor: &'a str,
    ) -> Answer<'a, Vec<Drill>>;

    /// A system's runbook.
    fn runbook<'a>(&'a self, system: &'a SystemName) -> Answer<'a, RunbookView>;

    /// Records that somebody walked through the runbook.
    fn record_runbook_run<'a>(
        &'a self,
        system: &'a SystemName,
        run: RunbookRunRequest,
        actor: &'a str,
    ) -> Answer<'a, RunbookRun>;

    /// A system's releases, the latest first; of all systems, if none is named.
    fn releases<'a>(&'a self, system: Option<&'a SystemName>) -> Answer<'a, Vec<ReleaseRecord>>;

    /// The one release whose id begins with `id`.
    fn release<'a>(&'a self, id: &'a str) -> Answer<'a, ReleaseRecord>;

    /// Points the system at a release.
    fn deploy<'a>(
        &'a self,
        system: &'a SystemName,
        request: DeploymentRequest,
        actor: &'a str,
    ) -> Answer<'a, Deployment>;

    /// Reads the workspace again and serves it, if it has no problems.
    fn reload(&self) -> Answer<'_, Value>;
}

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

/// Which reviews.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReviewFilter {
    /// Of this queue.
    pub queue: Option<QueueName>,
    /// Of this system.
    pub system: Option<SystemName>,
    /// At most so many.
    pub limit: u32,
}

/// What a person says to a review.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewAnswer {
    /// The answer, in the shape of the system's output.
    pub answer: Value,
    /// Why.
    #[serde(default)]
    pub note: Option<String>,
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

/// Which release to deploy, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentRequest {
    /// The release's id, or the beginning of it.
    pub release: String,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Who approved it.
    #[serde(default)]
    pub approvals: Vec<String>,
}
