//! From workspace to running systems: releases, deployment events, reload in one step.
//!
//! A changed manifest makes a release; whether it deploys itself is the system's policy (the first
//! always does). Files deploy a release when they *change* to it, not because they still say it: after
//! a rollback neither a restart nor an unrelated reload brings the newer release back. What is served is
//! built from the deployed manifest and its blobs, also when the files of the workspace say something
//! newer.
//!
//! Every change is an event that is durable before what runs is swapped. One change is made at a time;
//! interventions wait for none ([`intervention`]).

mod builder;
mod intervention;
mod order;
mod peers;

pub(crate) use builder::{Builder, Running};
pub use intervention::InterveneError;
pub use order::{ApprovalRule, DeployError, Mandate, Order};
pub use peers::ApplyError;

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll_core::record::{Deployment, DeploymentCause, NodeEvent};
use plimsoll_core::stakes::DeployPolicy;
use plimsoll_core::{Record, ReleaseId, System, SystemName};
use plimsoll_guard::frame::FrameLimits;
use plimsoll_journal::{AppendError, JournalError};
use plimsoll_models::{OnnxSearch, Transport};
use plimsoll_spec::{Problems, Workspace};

use crate::caller::{Access, KeyDigester, Keys, ManagedKeys};
use crate::deployed::chain;
use crate::node::{LastWorkspace, Node, Parts};
use crate::snapshot::{Slots, Snapshot};
use crate::standing::{Standings, View};

/// A node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A part of a release could not be kept or found.
    #[error("the blobs of the releases could not be kept")]
    Blobs(#[from] JournalError),
    /// The deployment events could not be recorded.
    #[error("the deployment events could not be recorded")]
    Record(#[from] AppendError),
    /// The HTTP client could not be made.
    #[error("the client that calls models could not be made")]
    Transport(#[source] plimsoll_models::transport::TransportError),
    /// The address could not be listened on.
    #[error("the data listener could not listen on {address}: is another process using the port?")]
    Listen {
        /// Which address.
        address: std::net::SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// What a reload did.
#[derive(Clone, Debug, Default)]
pub struct ReloadReport {
    /// Systems whose files deployed a release.
    pub deployed: Vec<SystemName>,
    /// Systems whose files say a release that waits for somebody to deploy it.
    pub pending: Vec<SystemName>,
    /// Why nothing changed, if the new workspace was rejected.
    pub rejected: Option<String>,
}

/// A snapshot in the making.
#[derive(Default)]
struct Plan {
    systems: BTreeMap<SystemName, Slots>,
    pending: BTreeMap<SystemName, ReleaseId>,
    records: Vec<Record>,
    report: ReloadReport,
}

impl Node {
    /// Starts a node: every system is built and deployed, with its event on disk. A system that
    /// cannot be built is kept as broken; the others serve.
    ///
    /// # Errors
    /// If blobs or events cannot be kept.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, StartError> {
        let search = OnnxSearch {
            setting: parts.workspace.onnx.library.clone(),
            environment: parts.workspace.onnx.library_of_environment.clone(),
            folders: parts.runtime_folders.clone(),
        };
        let transport = Transport::new(plimsoll_models::TransportConfig::default());
        let transport = Arc::new(transport.map_err(StartError::Transport)?);
        let node = parts.workspace.server.node.clone();
        let standings = Standings::new(node, parts.recorded.clone());
        let builder = Builder {
            workspace: &parts.workspace,
            blobs: &parts.blobs,
            clock: &*parts.clock,
            transport: &transport,
            onnx: &search,
            binary_version: parts.binary_version,
            binary: parts.binary,
            standings: &standings,
            held_back: parts.held_back.clone(),
        };
        let plan = builder.plan(None)?;
        let digester = KeyDigester::new(&parts.pepper);
        let environment = parts.workspace.server.environment.clone();
        let managed = ManagedKeys::new(environment, &digester);
        managed.replace(&parts.keyring);
        let access = Access {
            digester,
            managed: Arc::new(managed),
        };
        let keys = access.keys(&parts.workspace);
        let snapshot = snapshot(&parts.workspace, keys, plan.systems, plan.pending);
        let node = Self::assemble(parts, snapshot, (standings, access), (transport, search));
        node.record(node.event(true)).await?;
        for record in plan.records {
            node.record_and_note(record).await?;
        }
        node.seed_limits().await;
        let node = Arc::new(node);
        node.share_limits().await;
        Ok(node)
    }

    /// Records what changed and takes it in, once it is on disk.
    async fn record_and_note(&self, record: Record) -> Result<(), AppendError> {
        let deployment = match &record {
            Record::Deployment(deployment) => Some(deployment.clone()),
            _ => None,
        };
        self.record(record).await?;
        if let Some(deployment) = deployment {
            self.standings.note(&deployment);
        }
        Ok(())
    }

    /// The event of this node's start or stop.
    pub(crate) fn event(&self, started: bool) -> Record {
        Record::Node(Box::new(NodeEvent {
            node: self.name.clone(),
            started,
            at: self.clock.now(),
            binary_version: self.binary_version.to_owned(),
        }))
    }

    /// Notes in the journal that the node stops in order.
    ///
    /// # Errors
    /// If the journal does not take it.
    pub async fn stop(&self) -> Result<(), AppendError> {
        self.unshare_limits().await;
        self.record(self.event(false)).await.map(|_| ())
    }

    /// Serves a newer workspace, in one step; a bad one leaves the old one serving and is visible in
    /// readiness, metrics and log.
    pub async fn reload(self: &Arc<Self>, workspace: Result<Workspace, Problems>) -> ReloadReport {
        let result = match workspace {
            Ok(workspace) => {
                let node = Arc::clone(self);
                to_its_end(async move { node.try_reload(workspace).await }).await
            }
            Err(problems) => Err(problems.to_string()),
        };
        self.metrics.reloaded(result.is_ok());
        match result {
            Ok(report) => {
                tracing::info!(deployed = ?report.deployed, pending = ?report.pending, "reloaded");
                report
            }
            Err(reason) => {
                tracing::error!(%reason, "the workspace was rejected; the old one goes on");
                self.workspace.lock().rejected = Some(reason.clone());
                ReloadReport {
                    rejected: Some(reason),
                    ..ReloadReport::default()
                }
            }
        }
    }

    async fn try_reload(&self, workspace: Workspace) -> Result<ReloadReport, String> {
        let _one_at_a_time = self.changing.lock().await;
        let (old, served) = (self.snapshot.load_full(), self.served());
        let builder = self.builder(&workspace);
        let plan = builder.plan(Some((&old, &served)));
        let plan = plan.map_err(|error| chain(&error))?;
        let breaks = |(name, slots): (&SystemName, &Slots)| {
            let before = old.systems.get(name);
            let was_whole = before.is_some_and(|slots| slots.defect().is_none());
            slots.defect().filter(|_| was_whole)
        };
        if let Some(reason) = plan.systems.iter().find_map(breaks) {
            return Err(reason);
        }
        for record in plan.records {
            let noted = self.record_and_note(record).await;
            noted.map_err(|error| chain(&error))?;
        }
        self.snapshot.store(Arc::new(snapshot(
            &workspace,
            self.access.keys(&workspace),
            plan.systems,
            plan.pending,
        )));
        self.limiter.change(&workspace.limits, self.clock.now());
        let served = Arc::new(workspace);
        *self.workspace.lock() = LastWorkspace {
            served,
            rejected: None,
        };
        Ok(plan.report)
    }

    /// The workspace that is served.
    pub(crate) fn served(&self) -> Arc<Workspace> {
        Arc::clone(&self.workspace.lock().served)
    }

    /// Serves these slots of `system` from now on, in one step.
    pub(crate) fn swap(&self, system: &System, slots: Slots) {
        let served = self.served();
        let old = self.snapshot.load_full();
        let newest = system.manifest.release_id();
        let mut pending = old.pending.clone();
        if slots.stable.deployment().release == newest {
            pending.remove(&system.name);
        } else {
            pending.insert(system.name.clone(), newest);
        }
        let mut systems = old.systems.clone();
        systems.insert(system.name.clone(), slots);
        self.snapshot.store(Arc::new(snapshot(
            &served,
            self.access.keys(&served),
            systems,
            pending,
        )));
    }

    pub(crate) fn builder<'a>(&'a self, workspace: &'a Workspace) -> Builder<'a> {
        Builder {
            workspace,
            blobs: &self.blobs,
            clock: &*self.clock,
            transport: &self.transport,
            onnx: &self.onnx,
            binary_version: self.binary_version,
            binary: self.binary,
            standings: &self.standings,
            held_back: self.held_back.lock().clone(),
        }
    }

    /// From now on deployments of these systems are held back, for these reasons, and of no others. Files then
    /// deploy nothing, and a release waits for somebody; ways back stay open.
    pub fn hold_back(&self, systems: BTreeMap<SystemName, String>) {
        *self.held_back.lock() = systems;
    }

    /// Why deployments of a system are held back.
    pub fn held_back(&self, system: &SystemName) -> Option<String> {
        self.held_back.lock().get(system).cloned()
    }
}

/// Carries a change out, also if whoever asked for it goes away meanwhile: what was recorded must come
/// to run.
async fn to_its_end<T: Send + 'static>(change: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(change).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn snapshot(
    workspace: &Workspace,
    keys: Keys,
    systems: BTreeMap<SystemName, Slots>,
    pending: BTreeMap<SystemName, ReleaseId>,
) -> Snapshot {
    Snapshot {
        environment: workspace.server.environment.clone(),
        keys,
        systems,
        default_system: workspace.server.default_system.clone(),
        prices: Arc::new(workspace.prices.clone()),
        currency: workspace.server.currency.clone(),
        frame: FrameLimits {
            bytes_max: workspace.server.body_bytes_max,
            ..FrameLimits::default()
        },
        rows_max: usize::try_from(workspace.server.rows_max).unwrap_or(usize::MAX),
        body_timeout: workspace.server.body_timeout,
        pending,
    }
}

impl Builder<'_> {
    /// Decides for each system of the workspace what is served, and writes down what changes. `before`
    /// is what was served until now; a node that starts has nothing before.
    fn plan(&self, before: Option<(&Snapshot, &Workspace)>) -> Result<Plan, JournalError> {
        let mut plan = Plan::default();
        for bytes in self.workspace.blobs.values() {
            self.blobs.put(bytes)?;
        }
        for system in self.workspace.systems.values() {
            let slots = before.and_then(|(snapshot, _)| snapshot.systems.get(&system.name));
            let running = Running {
                slots,
                workspace: before.map(|(_, workspace)| workspace),
                fresh: None,
            };
            self.place(system, before.is_none(), running, &mut plan)?;
        }
        Ok(plan)
    }

    fn place(
        &self,
        system: &System,
        starting: bool,
        running: Running<'_>,
        plan: &mut Plan,
    ) -> Result<(), JournalError> {
        let mut view = self.standings.view(&system.name);
        let release = system.manifest.release_id();
        self.blobs.put(&system.manifest.canonical_bytes())?;
        let parent = view.stable();
        if parent != Some(release) && view.said() != Some(release) {
            plan.records.push(self.release_record(system, parent));
        }
        if let Some(event) = self.what_changes(system, &view, starting) {
            if event.cause != DeploymentCause::Start {
                plan.report.deployed.push(system.name.clone());
            }
            view.standing.apply(&event);
            plan.records.push(Record::Deployment(Box::new(event)));
        }
        if view.stable() != Some(release) {
            plan.pending.insert(system.name.clone(), release);
            plan.report.pending.push(system.name.clone());
        }
        if let Some(slots) = self.slots(system, &view.standing, running)? {
            plan.systems.insert(system.name.clone(), slots);
        }
        Ok(())
    }

    /// The event that the files of `system` bring about. A start writes one in any case, so that no
    /// moment is without an answer.
    fn what_changes(&self, system: &System, view: &View, starting: bool) -> Option<Deployment> {
        let release = system.manifest.release_id();
        let Some(stable) = view.stable() else {
            return Some(self.event(system, view, release, DeploymentCause::First));
        };
        let changed = view.said().is_some_and(|said| said != release);
        let is_held = self.held_back.contains_key(&system.name);
        if changed && stable != release && system.deploy == DeployPolicy::OnReload && !is_held {
            return Some(self.event(system, view, release, DeploymentCause::Reload));
        }
        let next = self.event(system, view, stable, DeploymentCause::Start);
        let says_the_same = |own: &Deployment| {
            next.prices == own.prices
                && next.eval_sets == own.eval_sets
                && next.binary_version == own.binary_version
                && next.workspace == own.workspace
        };
        let is_known = view.own.as_ref().is_some_and(says_the_same);
        (starting || !is_known).then_some(next)
    }
}
