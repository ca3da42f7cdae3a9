//! A running node, as its operators see it: the console's [`Operations`] over the node, the store and
//! the workspace's files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_console::{
    Answer, ApiError, DeploymentRequest, Operations, Readiness, ReviewAnswer, ReviewFilter,
    RunbookPart, RunbookRunRequest, RunbookView, SystemSummary,
};
use plimsoll_control::bar::{self, Report};
use plimsoll_control::runbook::{Walker, judge};
use plimsoll_core::ports::Reviews as _;
use plimsoll_core::record::{Deployment, Drill, Record, ReleaseRecord, RunbookRun};
use plimsoll_core::review::Review;
use plimsoll_core::{
    Clock, Code, Decision, Digest, EnvironmentName, FailureKind, System, SystemName,
};
use plimsoll_gateway::{AskError, DeployError, Node, ReloadReport, ReviewError, SystemStatus};
use plimsoll_journal::AppendError;
use plimsoll_spec::Workspace;
use plimsoll_spec::runbook::Runbook;
use plimsoll_store::{DecisionFilter, Store, StoredReviews};
use serde_json::{Value, json};

use crate::assembly::Assembly;
use crate::cli::Global;
use crate::command::drill::inputs;
use crate::workspace;

/// The most reviews that are looked at for one list.
const REVIEWS_MAX: u32 = 1_000;
/// The most releases of one list.
const RELEASES_MAX: u32 = 200;

/// A running node.
pub(crate) struct LiveNode {
    global: Global,
    root: PathBuf,
    data: PathBuf,
    environment: EnvironmentName,
    currency: String,
    node: Arc<Node>,
    store: Store,
    clock: Arc<dyn Clock>,
    /// One reload at a time; holds what drills ask of each system.
    inputs: tokio::sync::Mutex<BTreeMap<SystemName, Value>>,
}

impl LiveNode {
    /// The node of this assembly, which serves `workspace`.
    pub(crate) fn new(global: Global, workspace: &Workspace, assembly: &Assembly) -> Self {
        Self {
            global,
            root: workspace.root.clone(),
            data: workspace.storage.path.clone(),
            environment: workspace.server.environment.clone(),
            currency: workspace.server.currency.clone(),
            node: Arc::clone(&assembly.node),
            store: assembly.store.clone(),
            clock: Arc::clone(&assembly.clock),
            inputs: tokio::sync::Mutex::new(inputs(workspace)),
        }
    }

    /// The workspace's folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The data folder.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Reads the workspace again; a bad one leaves the old one serving, and the node says so.
    pub(crate) async fn read_again(&self) -> ReloadReport {
        let mut held = self.inputs.lock().await;
        let global = self.global.clone();
        let loading = tokio::task::spawn_blocking(move || workspace::load_again(&global));
        let workspace = match loading.await {
            Ok(workspace) => workspace,
            Err(error) => {
                tracing::error!(%error, "reading the workspace panicked");
                return ReloadReport {
                    rejected: Some(error.to_string()),
                    ..ReloadReport::default()
                };
            }
        };
        let newer = workspace.as_ref().ok().map(inputs);
        let report = self.node.reload(workspace).await;
        if let Some(newer) = newer.filter(|_| report.rejected.is_none()) {
            *held = newer;
        }
        report
    }

    fn status(&self, name: &SystemName) -> Result<SystemStatus, ApiError> {
        let found = self
            .node
            .systems()
            .into_iter()
            .find(|status| status.system.name == *name);
        found.ok_or_else(|| ApiError::no_system(name.as_str()))
    }

    fn system(&self, name: &SystemName) -> Result<Arc<System>, ApiError> {
        self.status(name).map(|status| status.system)
    }

    async fn judge(&self, name: &SystemName) -> Result<Report, ApiError> {
        let system = self.system(name)?;
        let now = self.clock.now();
        let since = now.minus(bar::WINDOW);
        let facts = self.store.bar_facts(name, &self.environment, since).await?;
        Ok(bar::judge(&system, &facts, now, &self.currency))
    }

    async fn drill_kinds(
        &self,
        name: &SystemName,
        kind: Option<FailureKind>,
        actor: &str,
    ) -> Result<Vec<Drill>, ApiError> {
        self.system(name)?;
        let input = self
            .inputs
            .lock()
            .await
            .get(name)
            .cloned()
            .unwrap_or_default();
        let kinds = kind.map_or_else(|| FailureKind::ALL.to_vec(), |kind| vec![kind]);
        let mut drills = Vec::with_capacity(kinds.len());
        for kind in kinds {
            let drill = self.node.drill(name, kind, input.clone(), actor).await;
            drills.push(drill.map_err(ask_error)?);
        }
        Ok(drills)
    }

    fn runbook_text(&self, name: &SystemName) -> Result<String, ApiError> {
        let text = self.system(name)?.runbook.clone();
        let text = text.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| {
            ApiError::no_runbook(format!("system `{name}` has no runbook")).hint(format!(
                "write systems/{name}/runbook.md and name it under `[owner]`"
            ))
        })
    }

    async fn keep_run(
        &self,
        name: &SystemName,
        request: RunbookRunRequest,
        actor: &str,
    ) -> Result<RunbookRun, ApiError> {
        let text = self.runbook_text(name)?;
        if request.runbook != Digest::of(text.as_bytes()) {
            let message = "the runbook was changed since: walk through the new one";
            return Err(ApiError::unfit(message));
        }
        let walker = Walker {
            system: name.clone(),
            environment: self.environment.clone(),
            actor: actor.to_owned(),
            started_at: request.started_at,
            ended_at: self.clock.now(),
        };
        let run = judge(walker, &text, request.steps);
        let record = Record::RunbookRun(Box::new(run.clone()));
        self.node
            .record(record)
            .await
            .map_err(|error| not_recorded(&error))?;
        Ok(run)
    }

    async fn answer(
        &self,
        id: &str,
        answer: ReviewAnswer,
        actor: &str,
    ) -> Result<Decision, ApiError> {
        let review = self.store.review_by_prefix(None, id).await?;
        let tenant = &review.decision.tenant;
        let ReviewAnswer { answer, note } = answer;
        let closed = self
            .node
            .answer_review(tenant, review.id, answer, actor, note)
            .await;
        closed.map_err(|error| match error {
            ReviewError::Store(error) => error.into(),
            ReviewError::Unfit(_) => ApiError::answer_unfit(error.to_string()),
            ReviewError::Record(_) => ApiError::of(Code::RecordUnavailable, error.to_string()),
        })
    }

    async fn open_reviews(&self, filter: ReviewFilter) -> Result<Vec<Review>, ApiError> {
        let open = StoredReviews::new(&self.store)
            .list_open(None, REVIEWS_MAX)
            .await?;
        let fits = |review: &Review| {
            filter
                .queue
                .as_ref()
                .is_none_or(|queue| *queue == review.queue)
                && filter
                    .system
                    .as_ref()
                    .is_none_or(|system| *system == review.decision.system)
        };
        Ok(open
            .into_iter()
            .filter(fits)
            .take(filter.limit as usize)
            .collect())
    }

    async fn all_releases(
        &self,
        system: Option<&SystemName>,
    ) -> Result<Vec<ReleaseRecord>, ApiError> {
        if let Some(system) = system {
            return Ok(self.store.releases(system, RELEASES_MAX).await?);
        }
        let mut releases = Vec::new();
        for status in self.node.systems() {
            releases.extend(
                self.store
                    .releases(&status.system.name, RELEASES_MAX)
                    .await?,
            );
        }
        releases.sort_by_key(|release| std::cmp::Reverse(release.created_at));
        Ok(releases)
    }

    async fn point(
        &self,
        name: &SystemName,
        request: DeploymentRequest,
        actor: &str,
    ) -> Result<Deployment, ApiError> {
        let release = self.store.release_by_prefix(&request.release).await?.id;
        let DeploymentRequest {
            reason, approvals, ..
        } = request;
        let deployed = self
            .node
            .deploy(name, release, actor, reason, approvals)
            .await;
        deployed.map_err(|error| match &error {
            DeployError::NoSystem(name) => ApiError::no_system(name.as_str()),
            DeployError::NoRelease(_) => ApiError::no_release(error.to_string()),
            DeployError::Approvals { .. } => ApiError::deployment_refused(error.to_string())
                .hint("name who approved it: --approval NAME, never the one who deploys"),
            DeployError::Broken(_) => ApiError::deployment_refused(error.to_string()),
            DeployError::Blobs(_) | DeployError::Record(_) => {
                ApiError::of(Code::RecordUnavailable, error.to_string())
            }
        })
    }

    async fn reload_now(&self) -> Result<Value, ApiError> {
        let ReloadReport {
            deployed,
            pending,
            rejected,
        } = self.read_again().await;
        match rejected {
            Some(reason) => Err(ApiError::workspace_unusable(reason)
                .hint("`plimsoll check` prints every problem with its place")),
            None => Ok(json!({"deployed": deployed, "pending": pending})),
        }
    }
}

fn ask_error(error: AskError) -> ApiError {
    match error {
        AskError::System(message) => ApiError::of(Code::ModelNotLoaded, message),
        AskError::Record(error) => not_recorded(&error),
    }
}

fn not_recorded(error: &AppendError) -> ApiError {
    ApiError::of(Code::RecordUnavailable, error.to_string())
}

fn view(text: &str) -> RunbookView {
    let Runbook { title, steps } = Runbook::parse(text);
    let part = |step: plimsoll_spec::runbook::RunbookStep| RunbookPart {
        title: step.title,
        body: step.body,
    };
    RunbookView {
        title,
        digest: Digest::of(text.as_bytes()),
        steps: steps.into_iter().map(part).collect(),
    }
}

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
