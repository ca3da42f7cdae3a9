//! The console's [`Operations`] over a running node, in the order of the table of routes.

use plimsoll_console::{
    Answer, DeploymentRequest, Operations, Readiness, ReviewAnswer, ReviewFilter,
    RunbookRunRequest, RunbookView, SystemSummary,
};
use plimsoll_control::bar::Report;
use plimsoll_core::record::{Deployment, Drill, ReleaseRecord, RunbookRun};
use plimsoll_core::review::Review;
use plimsoll_core::{Decision, FailureKind, SystemName};
use plimsoll_gateway::SystemStatus;
use plimsoll_store::DecisionFilter;
use serde_json::Value;

use crate::serve::live_node::{LiveNode, view};

impl Operations for LiveNode {
    fn readiness(&self) -> Readiness {
        let readiness = self.node.readiness();
        Readiness {
            ready: readiness.ready,
            detail: readiness.detail,
        }
    }

    fn metrics(&self) -> String {
        self.node.metrics()
    }

    fn systems(&self) -> Vec<SystemSummary> {
        let summary = |status: SystemStatus| SystemSummary {
            name: status.system.name.clone(),
            purpose: status.system.purpose.clone(),
            stakes: status.system.stakes,
            unit: status.system.unit.clone(),
            team: status.system.owner.team.clone(),
            environment: status.deployment.environment.clone(),
            release: status.deployment.release,
            deployed_at: status.deployment.at,
            pending_release: status.pending,
            broken: status.broken,
        };
        self.node.systems().into_iter().map(summary).collect()
    }

    fn bar<'a>(&'a self, system: &'a SystemName) -> Answer<'a, Report> {
        Box::pin(self.judge(system))
    }

    fn decisions(&self, filter: DecisionFilter) -> Answer<'_, Vec<Decision>> {
        Box::pin(async move { Ok(self.store.decisions(&filter).await?) })
    }

    fn decision<'a>(&'a self, id: &'a str) -> Answer<'a, Decision> {
        Box::pin(async move { Ok(self.store.decision_by_prefix(None, id).await?) })
    }

    fn reviews(&self, filter: ReviewFilter) -> Answer<'_, Vec<Review>> {
        Box::pin(self.open_reviews(filter))
    }

    fn review<'a>(&'a self, id: &'a str) -> Answer<'a, Review> {
        Box::pin(async move { Ok(self.store.review_by_prefix(None, id).await?) })
    }

    fn answer_review<'a>(
        &'a self,
        id: &'a str,
        answer: ReviewAnswer,
        actor: &'a str,
    ) -> Answer<'a, Decision> {
        Box::pin(self.answer(id, answer, actor))
    }

    fn drill<'a>(
        &'a self,
        system: &'a SystemName,
        kind: Option<FailureKind>,
        actor: &'a str,
    ) -> Answer<'a, Vec<Drill>> {
        Box::pin(self.drill_kinds(system, kind, actor))
    }

    fn runbook<'a>(&'a self, system: &'a SystemName) -> Answer<'a, RunbookView> {
        Box::pin(async move { self.runbook_text(system).map(|text| view(&text)) })
    }

    fn record_runbook_run<'a>(
        &'a self,
        system: &'a SystemName,
        run: RunbookRunRequest,
        actor: &'a str,
    ) -> Answer<'a, RunbookRun> {
        Box::pin(self.keep_run(system, run, actor))
    }

    fn releases<'a>(&'a self, system: Option<&'a SystemName>) -> Answer<'a, Vec<ReleaseRecord>> {
        Box::pin(self.all_releases(system))
    }

    fn release<'a>(&'a self, id: &'a str) -> Answer<'a, ReleaseRecord> {
        Box::pin(async move { Ok(self.store.release_by_prefix(id).await?) })
    }

    fn deploy<'a>(
        &'a self,
        system: &'a SystemName,
        request: DeploymentRequest,
        actor: &'a str,
    ) -> Answer<'a, Deployment> {
        Box::pin(self.point(system, request, actor))
    }

    fn reload(&self) -> Answer<'_, Value> {
        Box::pin(self.reload_now())
    }
}
