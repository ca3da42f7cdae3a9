//! A running node with the store and the workspace's files around it: what its operators can do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use plimsoll_console::{
    ApiError, Operators, ReviewAnswer, ReviewFilter, RunbookPart, RunbookRunRequest, RunbookView,
};
use plimsoll_control::bar::Report;
use plimsoll_control::runbook::{Walker, judge};
use plimsoll_core::ports::Reviews as _;
use plimsoll_core::record::{Drill, Record, ReleaseRecord, RunbookRun};
use plimsoll_core::review::Review;
use plimsoll_core::{
    Clock, Code, Decision, Digest, FailureKind, NodeName, System, SystemName, Tenancy, TenantName,
};
use plimsoll_gateway::{Aim, AskError, Node, ReloadReport, ReviewError, SystemStatus};
use plimsoll_journal::{AppendError, Journal};
use plimsoll_spec::runbook::Runbook;
use plimsoll_spec::{AuditConfig, LogConfig, OnnxConfig, ServerConfig, StorageConfig, Workspace};
use plimsoll_store::{Projector, Store, StoreError, StoredReviews};
use serde_json::{Value, json};

use crate::assembly::Assembly;
use crate::cli::Global;
use crate::command::drill::inputs;
use crate::evidence::{Asked, of_status};
use crate::held_keys::HeldKeys;
use crate::people_file::PeopleFile;
use crate::serve::erasing::Eraser;
use crate::serve::peers::Peers;
use crate::serve::policies;
use crate::serve::watching::Monitors;
use crate::workspace;

/// The most reviews that are looked at for one list.
const REVIEWS_MAX: u32 = 1_000;
/// The most releases of one list.
const RELEASES_MAX: u32 = 200;

/// For how long an answer waits for the database to hold what it says, and how often that is looked at.
const PROJECTED_MAX: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A running node.
pub(crate) struct LiveNode {
    pub(super) global: Global,
    pub(super) started: Started,
    pub(super) name: NodeName,
    pub(super) node: Arc<Node>,
    pub(super) journal: Arc<Journal>,
    pub(super) store: Store,
    pub(super) keys: Arc<HeldKeys>,
    pub(super) eraser: Eraser,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) monitors: Monitors,
    pub(super) people_file: Arc<PeopleFile>,
    projector: Projector,
    operators: Operators,
    served: Mutex<Arc<Workspace>>,
    /// One reload at a time; holds what drills ask of each system.
    inputs: tokio::sync::Mutex<BTreeMap<SystemName, Value>>,
}

/// The settings of the start.
pub(super) struct Started {
    root: PathBuf,
    pub(super) server: ServerConfig,
    storage: StorageConfig,
    audit: AuditConfig,
    onnx: OnnxConfig,
    log: LogConfig,
}

impl LiveNode {
    /// The node of this assembly, which serves `workspace`.
    pub(crate) fn new(
        global: Global,
        workspace: &Workspace,
        assembly: &Assembly,
        operators: Operators,
    ) -> Self {
        Self {
            global,
            name: assembly.node_name.clone(),
            journal: Arc::clone(&assembly.journal),
            projector: assembly.projector.clone(),
            keys: Arc::clone(&assembly.keys),
            eraser: Eraser::of(assembly),
            monitors: Monitors::open(workspace.storage.path.clone(), workspace, &assembly.clock),
            people_file: Arc::new(PeopleFile::new(workspace.storage.path.clone())),
            operators,
            served: Mutex::new(Arc::new(workspace.clone())),
            started: Started {
                root: workspace.root.clone(),
                server: workspace.server.clone(),
                storage: workspace.storage.clone(),
                audit: workspace.audit.clone(),
                onnx: workspace.onnx.clone(),
                log: workspace.log,
            },
            node: Arc::clone(&assembly.node),
            store: assembly.store.clone(),
            clock: Arc::clone(&assembly.clock),
            inputs: tokio::sync::Mutex::new(inputs(workspace)),
        }
    }

    /// What follows the other nodes, if the database is shared with any.
    pub(crate) fn peers(&self, assembly: &Assembly) -> Option<Peers> {
        self.started.storage.postgres.as_ref()?;
        let address = self.started.server.data_address.to_string();
        Some(Peers::of(assembly, address))
    }

    /// Whether other nodes share the database.
    pub(super) const fn has_peers(&self) -> bool {
        self.started.storage.postgres.is_some()
    }

    /// The workspace's folder.
    pub(crate) fn root(&self) -> &Path {
        &self.started.root
    }

    /// The data folder.
    pub(crate) fn data(&self) -> &Path {
        &self.started.storage.path
    }

    /// The workspace that is served.
    pub(super) fn served(&self) -> Arc<Workspace> {
        Arc::clone(&self.served.lock())
    }

    /// Records the policies of the start.
    pub(crate) async fn declare_policies(&self) -> anyhow::Result<()> {
        let served = self.served();
        policies::declare(&self.node, &self.store, &*self.clock, &served, None).await
    }

    /// Writes a record, durably.
    pub(super) async fn write(&self, record: Record) -> Result<u64, ApiError> {
        let written = self.node.record(record).await;
        written.map_err(|error| not_recorded(&error))
    }

    /// Writes a record, and comes back when the database holds it too, or after [`PROJECTED_MAX`]: it is
    /// recorded in any case.
    pub(super) async fn write_and_project(&self, record: Record) -> Result<(), ApiError> {
        let sequence = self.write(record).await?;
        if self.lacking(sequence + 1).await? > 0 {
            tracing::warn!(sequence, "the database does not hold this record yet");
        }
        Ok(())
    }

    /// What `find` finds in the database. What was recorded just before it is asked for may not be there yet:
    /// what is not found is looked for once more when all is there that stood in the journal.
    async fn found<T, F>(&self, find: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        match find().await {
            Err(StoreError::NotFound { .. }) => {
                self.lacking(self.journal.committed()).await?;
                find().await
            }
            found => found,
        }
    }

    /// The release whose id begins with `id`.
    pub(super) async fn release_of(&self, id: &str) -> Result<ReleaseRecord, StoreError> {
        self.found(|| self.store.release_by_prefix(id)).await
    }

    /// The decision whose id begins with `id`, of one tenant or of any.
    pub(super) async fn decision_of(
        &self,
        tenant: Option<&TenantName>,
        id: &str,
    ) -> Result<Decision, StoreError> {
        self.found(|| self.store.decision_by_prefix(tenant, id))
            .await
    }

    /// Waits until the database holds all records of this node before `next`, at most for
    /// [`PROJECTED_MAX`]. How many it lacks then.
    pub(super) async fn lacking(&self, next: u64) -> Result<u64, StoreError> {
        let deadline = self.clock.elapsed() + PROJECTED_MAX;
        loop {
            let lacking = next.saturating_sub(self.projector.position().await?);
            if lacking == 0 || self.clock.elapsed() >= deadline {
                return Ok(lacking);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Brings what was used before into limits that the workspace added, once the database holds it.
    async fn seed_limits(&self) {
        match self.lacking(self.journal.committed()).await {
            Ok(0) => {}
            Ok(records) => tracing::warn!(records, "new limits begin without what was used last"),
            Err(error) => tracing::warn!(%error, "new limits begin without what was used last"),
        }
        self.node.seed_limits().await;
    }

    /// Takes in what a served workspace says of people and policies.
    async fn take_in(&self, newer: Workspace) {
        self.operators.replace(&newer.operators);
        self.operators.replace_provider(newer.identity.clone());
        let before = self.served();
        let newer = Arc::new(newer);
        *self.served.lock() = Arc::clone(&newer);
        let (node, clock) = (&self.node, &*self.clock);
        let declared = policies::declare(node, &self.store, clock, &newer, Some(&before)).await;
        if let Err(error) = declared {
            let error = format!("{error:#}");
            tracing::error!(error, "the policies in force could not be recorded");
        }
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
        if let Ok(workspace) = &workspace {
            self.warn_of_restart(workspace);
        }
        let newer = workspace.as_ref().ok().cloned();
        let report = self.node.reload(workspace).await;
        if let Some(newer) = newer.filter(|_| report.rejected.is_none()) {
            *held = inputs(&newer);
            self.take_in(newer).await;
            self.seed_limits().await;
        }
        report
    }

    /// Listeners, the node's name, its storage and its log are the ones of the start.
    fn warn_of_restart(&self, newer: &Workspace) {
        let (server, started) = (&newer.server, &self.started.server);
        let changed = [
            (
                "server.data_address",
                server.data_address != started.data_address,
            ),
            (
                "server.control_address",
                server.control_address != started.control_address,
            ),
            ("server.node", server.node != started.node),
            (
                "server.environment",
                server.environment != started.environment,
            ),
            ("server.currency", server.currency != started.currency),
            ("server.workers", server.workers != started.workers),
            ("storage", newer.storage != self.started.storage),
            ("audit", newer.audit != self.started.audit),
            ("onnx", newer.onnx != self.started.onnx),
            ("log", newer.log != self.started.log),
        ];
        for (setting, _) in changed.into_iter().filter(|(_, changed)| *changed) {
            tracing::warn!(
                setting,
                "changed in plimsoll.toml: it takes effect at the next start"
            );
        }
    }

    pub(super) fn status(&self, name: &SystemName) -> Result<SystemStatus, ApiError> {
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

    pub(super) async fn judge(&self, name: &SystemName) -> Result<Report, ApiError> {
        let SystemStatus {
            system, deployment, ..
        } = self.status(name)?;
        let (prices, served) = (self.node.prices(), self.served());
        let asked = Asked {
            receivers: &served.receivers,
            store: &self.store,
            environment: &deployment.environment,
            node: &self.name,
            currency: &self.started.server.currency,
            now: self.clock.now(),
            monitors: self.monitors.facts(name, self.clock.now()),
            prices: &prices,
        };
        let log = self.journal.audit().map(|log| of_status(log.status()));
        Ok(asked.judge(&system, log).await?)
    }

    pub(super) async fn drill_kinds(
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
            let drill = self
                .node
                .drill((name, Aim::Stable), kind, input.clone(), actor)
                .await;
            drills.push(drill.map_err(ask_error)?);
        }
        Ok(drills)
    }

    pub(super) fn runbook_text(&self, name: &SystemName) -> Result<String, ApiError> {
        let text = self.system(name)?.runbook.clone();
        let text = text.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| {
            ApiError::no_runbook(format!("system `{name}` has no runbook")).hint(format!(
                "write systems/{name}/runbook.md and name it under `[owner]`"
            ))
        })
    }

    pub(super) async fn keep_run(
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
            environment: self.status(name)?.deployment.environment,
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

    pub(super) async fn answer(
        &self,
        tenancy: &Tenancy,
        id: &str,
        answer: ReviewAnswer,
        actor: &str,
    ) -> Result<Decision, ApiError> {
        let review = self.store.review_by_prefix(tenancy.tenant(), id).await?;
        let tenant = &review.decision.tenant;
        let ReviewAnswer {
            answer,
            note,
            worked_seconds,
        } = answer;
        let remarks = (note, worked_seconds);
        let closed = self
            .node
            .answer_review(tenant, review.id, answer, actor, remarks)
            .await;
        closed.map_err(|error| match error {
            ReviewError::Store(error) => error.into(),
            ReviewError::Unfit(_) => ApiError::answer_unfit(error.to_string()),
            ReviewError::Record(_) => ApiError::of(Code::RecordUnavailable, error.to_string()),
        })
    }

    pub(super) async fn open_reviews(
        &self,
        tenancy: &Tenancy,
        filter: ReviewFilter,
    ) -> Result<Vec<Review>, ApiError> {
        let open = StoredReviews::new(&self.store)
            .list_open(tenancy.tenant(), REVIEWS_MAX)
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

    pub(super) async fn all_releases(
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

    pub(super) async fn reload_now(&self) -> Result<Value, ApiError> {
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

pub(super) fn ask_error(error: AskError) -> ApiError {
    match error {
        AskError::System(message) => ApiError::of(Code::ModelNotLoaded, message),
        AskError::Halted(_) => ApiError::of(Code::SystemHalted, error.to_string())
            .hint("`plimsoll system resume` lets it go on"),
        AskError::Record(error) => not_recorded(&error),
    }
}

pub(super) fn not_recorded(error: &AppendError) -> ApiError {
    ApiError::of(Code::RecordUnavailable, error.to_string())
}

/// A runbook's text, read.
pub(super) fn view(text: &str) -> RunbookView {
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
