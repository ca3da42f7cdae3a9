//! From workspace to running systems: releases, deployment events, reload in one step.
//!
//! A changed manifest makes a release; whether it deploys itself is the system's policy (the first
//! always does). What is served is built from the deployed manifest and its blobs, also when the
//! files of the workspace say something newer that waits for approval.

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll_core::record::{Deployment, DeploymentCause, NodeEvent, ReleaseRecord};
use plimsoll_core::stakes::DeployPolicy;
use plimsoll_core::{
    Clock, DeploymentId, Digest, Manifest, ProviderName, Record, ReleaseId, Secret, System,
    SystemName,
};
use plimsoll_guard::frame::FrameLimits;
use plimsoll_journal::{AppendError, Blobs, JournalError};
use plimsoll_models::{BuildContext, OnnxSearch, Transport};
use plimsoll_spec::{Problems, Workspace};

use crate::caller::Keys;
use crate::deployed::{BrokenSystem, Deployed, chain};
use crate::node::{LastWorkspace, Node, Parts, workers};
use crate::snapshot::{Slot, Snapshot};

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

/// A release could not be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// No system has this name.
    #[error("there is no system `{0}`")]
    NoSystem(SystemName),
    /// The release is not kept, or is another system's.
    #[error("there is no release `{0}` of this system")]
    NoRelease(ReleaseId),
    /// The stakes ask for more people.
    #[error(
        "{stakes} stakes ask for {needed} approval(s) by somebody other than `{actor}`: {given} given"
    )]
    Approvals {
        /// The stakes, in one word.
        stakes: &'static str,
        /// How many are needed.
        needed: u32,
        /// How many were given.
        given: usize,
        /// Who asks.
        actor: String,
    },
    /// The release cannot be built.
    #[error("release cannot be built: {0}")]
    Broken(String),
    /// The blobs could not be read.
    #[error("the release's parts could not be read")]
    Blobs(#[from] JournalError),
    /// The deployment event could not be recorded.
    #[error("the deployment event could not be recorded")]
    Record(#[from] AppendError),
}

/// What a reload did.
#[derive(Clone, Debug, Default)]
pub struct ReloadReport {
    /// Systems with a new deployment.
    pub deployed: Vec<SystemName>,
    /// Systems with a new release that waits for approval.
    pub pending: Vec<SystemName>,
    /// Why nothing changed, if the new workspace was rejected.
    pub rejected: Option<String>,
}

/// A snapshot in the making.
struct Plan {
    systems: BTreeMap<SystemName, Slot>,
    pending: BTreeMap<SystemName, ReleaseId>,
    records: Vec<Record>,
    report: ReloadReport,
}

/// What building needs besides the workspace.
struct Builder<'a> {
    workspace: &'a Workspace,
    blobs: &'a Blobs,
    clock: &'a dyn Clock,
    transport: &'a Arc<Transport>,
    onnx: &'a OnnxSearch,
    binary_version: &'static str,
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
        let builder = Builder {
            workspace: &parts.workspace,
            blobs: &parts.blobs,
            clock: &*parts.clock,
            transport: &transport,
            onnx: &search,
            binary_version: parts.binary_version,
        };
        let current = |system: &SystemName| parts.recorded.deployments.get(system).cloned();
        let plan = builder.plan(&current, DeploymentCause::Start)?;
        let snapshot = snapshot(&parts.workspace, plan.systems, plan.pending);
        let node = Self::assemble(parts, snapshot, transport, search);
        node.record(node.event(true)).await?;
        for record in plan.records {
            node.record(record).await?;
        }
        Ok(Arc::new(node))
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
        self.record(self.event(false)).await.map(|_| ())
    }

    /// Serves a newer workspace, in one step; a bad one leaves the old one serving and is visible in
    /// readiness, metrics and log.
    pub async fn reload(&self, workspace: Result<Workspace, Problems>) -> ReloadReport {
        let result = match workspace {
            Ok(workspace) => self.try_reload(workspace).await,
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
        let old = self.snapshot.load_full();
        let current = |system: &SystemName| old.systems.get(system).map(deployment_of).cloned();
        let plan = self
            .builder(&workspace)
            .plan(&current, DeploymentCause::Reload);
        let mut plan = plan.map_err(|error| chain(&error))?;
        let breaks = |(name, slot): (&SystemName, &Slot)| {
            slot.defect()
                .filter(|_| old.systems.get(name).is_some_and(|s| s.defect().is_none()))
        };
        if let Some(reason) = plan.systems.iter().find_map(breaks) {
            return Err(reason);
        }
        keep_unchanged(&mut plan, &old);
        for record in plan.records {
            self.record(record).await.map_err(|error| chain(&error))?;
        }
        self.snapshot
            .store(Arc::new(snapshot(&workspace, plan.systems, plan.pending)));
        let served = Arc::new(workspace);
        *self.workspace.lock() = LastWorkspace {
            served,
            rejected: None,
        };
        Ok(plan.report)
    }

    fn builder<'a>(&'a self, workspace: &'a Workspace) -> Builder<'a> {
        Builder {
            workspace,
            blobs: &self.blobs,
            clock: &*self.clock,
            transport: &self.transport,
            onnx: &self.onnx,
            binary_version: self.binary_version,
        }
    }

    /// Points a system at a release that was made before. `approvals` name people; they are
    /// recorded, and at this version taken on the operator's word.
    ///
    /// # Errors
    /// If there is no such system or release, approvals are missing, or it cannot be built or
    /// recorded.
    pub async fn deploy(
        &self,
        system: &SystemName,
        release: ReleaseId,
        actor: &str,
        reason: Option<String>,
        approvals: Vec<String>,
    ) -> Result<Deployment, DeployError> {
        let served = Arc::clone(&self.workspace.lock().served);
        let described = served.systems.get(system);
        let described = described.ok_or_else(|| DeployError::NoSystem(system.clone()))?;
        check_approvals(described, actor, &approvals)?;
        let builder = self.builder(&served);
        let manifest = builder
            .manifest(release)?
            .filter(|found| found.system == *system);
        let manifest = manifest.ok_or(DeployError::NoRelease(release))?;
        let mut deployment = builder.deployment(described, release, DeploymentCause::Command);
        (deployment.actor, deployment.reason) = (actor.to_owned(), reason);
        deployment.approvals = approvals;
        let deployed = builder.build(&with_manifest(described, manifest), deployment.clone());
        let deployed = deployed.map_err(|error| DeployError::Broken(error.to_string()))?;
        self.record(Record::Deployment(Box::new(deployment.clone())))
            .await?;
        let old = self.snapshot.load_full();
        let mut systems = old.systems.clone();
        systems.insert(system.clone(), Slot::Running(Arc::new(deployed)));
        let mut pending = old.pending.clone();
        let newest = described.manifest.release_id();
        if newest == release {
            pending.remove(system);
        } else {
            pending.insert(system.clone(), newest);
        }
        self.snapshot
            .store(Arc::new(snapshot(&served, systems, pending)));
        Ok(deployment)
    }
}

fn check_approvals(system: &System, actor: &str, approvals: &[String]) -> Result<(), DeployError> {
    let needed = system.stakes.defaults().approvals;
    let mut others: Vec<&String> = approvals.iter().filter(|by| *by != actor).collect();
    others.sort_unstable();
    others.dedup();
    let given = others.len();
    if given >= usize::try_from(needed).unwrap_or(usize::MAX) {
        return Ok(());
    }
    let stakes = system.stakes.as_str();
    Err(DeployError::Approvals {
        stakes,
        needed,
        given,
        actor: actor.to_owned(),
    })
}

fn with_manifest(system: &System, manifest: Manifest) -> System {
    System {
        manifest,
        ..system.clone()
    }
}

fn deployment_of(slot: &Slot) -> &Deployment {
    match slot {
        Slot::Running(deployed) => &deployed.deployment,
        Slot::Broken { deployment, .. } => deployment,
    }
}

/// A system whose deployment did not change keeps its counters, its room and its open streams.
fn keep_unchanged(plan: &mut Plan, old: &Snapshot) {
    for (name, slot) in &mut plan.systems {
        let (Slot::Running(new), Some(before)) = (&*slot, old.running(name)) else {
            continue;
        };
        let same = new.deployment == before.deployment && new.system == before.system;
        if same && before.defect().is_none() {
            *slot = Slot::Running(Arc::clone(before));
        }
    }
}

fn snapshot(
    workspace: &Workspace,
    systems: BTreeMap<SystemName, Slot>,
    pending: BTreeMap<SystemName, ReleaseId>,
) -> Snapshot {
    Snapshot {
        environment: workspace.server.environment.clone(),
        keys: Keys::new(&workspace.keys),
        systems,
        default_system: workspace.server.default_system.clone(),
        prices: Arc::new(workspace.prices.clone()),
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
    fn plan(
        &self,
        current: &dyn Fn(&SystemName) -> Option<Deployment>,
        cause: DeploymentCause,
    ) -> Result<Plan, JournalError> {
        let mut plan = Plan {
            systems: BTreeMap::new(),
            pending: BTreeMap::new(),
            records: Vec::new(),
            report: ReloadReport::default(),
        };
        for bytes in self.workspace.blobs.values() {
            self.blobs.put(bytes)?;
        }
        for system in self.workspace.systems.values() {
            self.place(system, current(&system.name), cause, &mut plan)?;
        }
        Ok(plan)
    }

    /// Decides which release of `system` is served, and writes down what changes.
    fn place(
        &self,
        system: &System,
        current: Option<Deployment>,
        cause: DeploymentCause,
        plan: &mut Plan,
    ) -> Result<(), JournalError> {
        let release = system.manifest.release_id();
        self.blobs.put(&system.manifest.canonical_bytes())?;
        let parent = current.as_ref().map(|deployment| deployment.release);
        if parent != Some(release) {
            plan.records
                .push(self.release_record(system, release, parent));
        }
        let waits = system.deploy == DeployPolicy::OnApproval;
        let (served, event) = match current {
            None => (
                system.clone(),
                self.new_event(system, release, DeploymentCause::First),
            ),
            Some(current) if current.release == release => {
                (system.clone(), self.go_on(system, current, cause))
            }
            Some(current) if waits => {
                plan.pending.insert(system.name.clone(), release);
                plan.report.pending.push(system.name.clone());
                let manifest = self.manifest(current.release)?;
                let manifest = manifest.unwrap_or_else(|| system.manifest.clone());
                (
                    with_manifest(system, manifest),
                    self.go_on(system, current, cause),
                )
            }
            Some(_) => (system.clone(), self.new_event(system, release, cause)),
        };
        if let Event::New(deployment) = &event {
            plan.records.push(Record::Deployment(deployment.clone()));
            plan.report.deployed.push(system.name.clone());
        }
        let (Event::New(deployment) | Event::Standing(deployment)) = event;
        let slot = match self.build(&served, (*deployment).clone()) {
            Ok(deployed) => Slot::Running(Arc::new(deployed)),
            Err(error) => {
                tracing::error!(%error, "a system is not served");
                let reason = error.to_string();
                Slot::Broken {
                    system: Arc::new(served),
                    deployment,
                    reason,
                }
            }
        };
        plan.systems.insert(system.name.clone(), slot);
        Ok(())
    }

    /// The same release as before. A start writes an event of its own, so that no moment is without
    /// an answer; so does a reload that changed what stands on the event.
    fn go_on(&self, system: &System, current: Deployment, cause: DeploymentCause) -> Event {
        let next = self.deployment(system, current.release, cause);
        let same = next.prices == current.prices
            && next.eval_sets == current.eval_sets
            && next.binary_version == current.binary_version;
        if same && cause == DeploymentCause::Reload {
            return Event::Standing(Box::new(current));
        }
        Event::New(Box::new(next))
    }

    fn new_event(&self, system: &System, release: ReleaseId, cause: DeploymentCause) -> Event {
        Event::New(Box::new(self.deployment(system, release, cause)))
    }

    fn deployment(
        &self,
        system: &System,
        release: ReleaseId,
        cause: DeploymentCause,
    ) -> Deployment {
        let now = self.clock.now();
        let folder = self.workspace.folders.get(&system.name);
        Deployment {
            id: DeploymentId::new(now),
            system: system.name.clone(),
            environment: self.workspace.server.environment.clone(),
            release,
            cause,
            actor: "workspace".to_owned(),
            reason: None,
            approvals: Vec::new(),
            at: now,
            node: self.workspace.server.node.clone(),
            binary_version: self.binary_version.to_owned(),
            prices: Some(self.workspace.prices.digest()),
            eval_sets: folder
                .map(|folder| folder.eval_sets.clone())
                .unwrap_or_default(),
            slot: plimsoll_core::deployment::Slot::Stable,
            note: None,
            rollback_of: None,
            break_glass: false,
            workspace: Some(system.manifest.release_id()),
            binary: None,
        }
    }

    fn release_record(
        &self,
        system: &System,
        release: ReleaseId,
        parent: Option<ReleaseId>,
    ) -> Record {
        Record::Release(Box::new(ReleaseRecord {
            id: release,
            manifest: system.manifest.clone(),
            created_at: self.clock.now(),
            author: "workspace".to_owned(),
            note: None,
            parent,
        }))
    }

    /// The manifest of a release that was made before.
    fn manifest(&self, release: ReleaseId) -> Result<Option<Manifest>, JournalError> {
        let bytes = self.blobs.get(release.0)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    fn build(&self, system: &System, deployment: Deployment) -> Result<Deployed, BrokenSystem> {
        let key = |name: &ProviderName| -> Option<Secret> {
            self.workspace.providers.get(name)?.key.clone()
        };
        let blob = |digest: Digest| -> Option<Arc<[u8]>> {
            let kept = || self.blobs.get(digest).ok().flatten().map(Arc::from);
            self.workspace.blob(digest).or_else(kept)
        };
        let context = BuildContext {
            transport: self.transport,
            keys: &key,
            onnx: self.onnx,
            columns: &[],
            workers: workers(self.workspace),
        };
        Deployed::build(system, deployment, &blob, &context)
    }
}

/// A deployment event: written now, or standing as before.
enum Event {
    New(Box<Deployment>),
    Standing(Box<Deployment>),
}
