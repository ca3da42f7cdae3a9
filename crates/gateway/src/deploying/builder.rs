//! Building what stands: from manifests and blobs, going on with what already runs of the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll_core::deployment::{self, Standing};
use plimsoll_core::record::{Deployment, DeploymentCause, ReleaseRecord};
use plimsoll_core::{
    Clock, DeploymentId, Digest, Manifest, ModelName, NodeName, ProviderName, Record, ReleaseId,
    Secret, System, SystemName,
};
use plimsoll_journal::{Blobs, JournalError};
use plimsoll_models::{BuildContext, OnnxSearch, Transport};
use plimsoll_spec::Workspace;

use crate::deployed::{BrokenSystem, Built, Deployed};
use crate::node::workers;
use crate::snapshot::{CanarySlot, Slot, Slots};
use crate::standing::{Standings, View};

/// Who an event names that no person caused.
const WORKSPACE: &str = "workspace";

/// What building needs besides the workspace.
pub(crate) struct Builder<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) blobs: &'a Blobs,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) transport: &'a Arc<Transport>,
    pub(crate) onnx: &'a OnnxSearch,
    pub(crate) binary_version: &'static str,
    pub(crate) binary: Option<Digest>,
    pub(crate) standings: &'a Standings,
    /// Why deployments are held back, of the systems of which they are.
    pub(crate) held_back: BTreeMap<SystemName, String>,
}

/// What runs already and may go on running.
#[derive(Clone, Copy, Default)]
pub(crate) struct Running<'a> {
    pub(crate) slots: Option<&'a Slots>,
    /// The workspace under which it was built, if that is another one now.
    pub(crate) workspace: Option<&'a Workspace>,
    /// What was built just now.
    pub(crate) fresh: Option<&'a Arc<Built>>,
}

impl Running<'_> {
    /// What was built of exactly this system, whole, with the keys that `now` has.
    pub(crate) fn built(&self, system: &System, now: &Workspace) -> Option<Arc<Built>> {
        if self
            .workspace
            .is_some_and(|then| !same_keys(then, now, system))
        {
            return None;
        }
        let slots = self.slots.into_iter();
        let slots = slots.flat_map(|slots| [slots.stable.running(), slots.canary()]);
        let built = slots.flatten().map(|deployed| &deployed.built);
        let mut same = built
            .chain(self.fresh)
            .filter(|built| *built.system == *system);
        same.find(|built| built.defect().is_none()).map(Arc::clone)
    }
}

impl Builder<'_> {
    /// A deployment event of this node about `system`, as its files describe it.
    pub(crate) fn event(
        &self,
        system: &System,
        view: &View,
        release: ReleaseId,
        cause: DeploymentCause,
    ) -> Deployment {
        let at = view.next_time(self.clock.now());
        let folder = self.workspace.folders.get(&system.name);
        Deployment {
            id: DeploymentId::new(at),
            system: system.name.clone(),
            environment: self.workspace.server.environment.clone(),
            slot: deployment::Slot::Stable,
            release,
            cause,
            actor: WORKSPACE.to_owned(),
            reason: None,
            approvals: Vec::new(),
            at,
            node: self.workspace.server.node.clone(),
            binary_version: self.binary_version.to_owned(),
            prices: Some(self.workspace.prices.digest()),
            eval_sets: folder
                .map(|folder| folder.eval_sets.clone())
                .unwrap_or_default(),
            note: None,
            rollback_of: None,
            break_glass: false,
            workspace: Some(system.manifest.release_id()),
            binary: self.binary,
        }
    }

    /// The record of the release that the files make.
    pub(crate) fn release_record(&self, system: &System, parent: Option<ReleaseId>) -> Record {
        Record::Release(Box::new(ReleaseRecord {
            id: system.manifest.release_id(),
            manifest: system.manifest.clone(),
            created_at: self.clock.now(),
            author: WORKSPACE.to_owned(),
            note: None,
            parent,
        }))
    }

    /// Keeps all that the files say of `system`.
    pub(crate) fn keep(&self, system: &System) -> Result<(), JournalError> {
        for digest in system.manifest.blobs() {
            if let Some(bytes) = self.workspace.blob(digest) {
                self.blobs.put(&bytes)?;
            }
        }
        self.blobs.put(&system.manifest.canonical_bytes())?;
        Ok(())
    }

    /// The manifest of a release that was made before, by its blob.
    pub(crate) fn manifest(&self, release: ReleaseId) -> Result<Option<Manifest>, JournalError> {
        let bytes = self.blobs.get(release.0)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// The parts of `release` that are not here: its manifest, or else blobs that it names.
    pub(crate) fn missing(&self, release: ReleaseId) -> Result<Vec<Digest>, JournalError> {
        let Some(manifest) = self.manifest(release)? else {
            return Ok(vec![release.0]);
        };
        let mut missing = Vec::new();
        for digest in manifest.blobs() {
            if self.workspace.blob(digest).is_none() && self.blobs.get(digest)?.is_none() {
                missing.push(digest);
            }
        }
        Ok(missing)
    }

    /// Fills the slots of `system` as they stand. What runs of the same goes on, with its rooms and
    /// counters, and so does what runs in the place of a release whose parts are not here yet; what
    /// cannot be built is kept as broken.
    pub(crate) fn slots(
        &self,
        system: &System,
        standing: &Standing,
        running: Running<'_>,
    ) -> Result<Option<Slots>, JournalError> {
        let Some(stable) = &standing.stable else {
            return Ok(None);
        };
        let before = running.slots;
        let canary = match &standing.canary {
            None => None,
            Some(canary) => {
                let was = before.and_then(|slots| slots.canary.as_ref());
                let was = was.map(|canary| &canary.slot);
                Some(CanarySlot {
                    slot: self.slot(system, &canary.deployment, was, running)?,
                    weight: canary.weight,
                    first: canary.first,
                })
            }
        };
        let was = before.map(|slots| &slots.stable);
        let stable = self.slot(system, stable, was, running)?;
        Ok(Some(Slots { stable, canary }))
    }

    fn slot(
        &self,
        system: &System,
        deployment: &Deployment,
        was: Option<&Slot>,
        running: Running<'_>,
    ) -> Result<Slot, JournalError> {
        let broken = |system: System, reason: String| {
            tracing::error!(%reason, "a system is not served");
            Slot::Broken {
                system: Arc::new(system),
                deployment: Box::new(deployment.clone()),
                reason,
            }
        };
        let release = deployment.release;
        let described = self.described(system, release)?;
        let built = described
            .as_ref()
            .and_then(|described| running.built(described, self.workspace));
        if let Some(was) = was.filter(|_| built.is_none())
            && !self.missing(release)?.is_empty()
        {
            tracing::warn!(system = %system.name, release = %release.short(), "parts are not here yet");
            return Ok(was.clone());
        }
        let Some(described) = described else {
            let reason = format!(
                "the manifest of release {} of system `{}` is not in data/blobs",
                release.short(),
                system.name
            );
            return Ok(broken(system.clone(), reason));
        };
        let built = match built {
            Some(built) => built,
            None => match self.build(&described) {
                Ok(built) => Arc::new(built),
                Err(error) => return Ok(broken(described, error.to_string())),
            },
        };
        let same = was.and_then(Slot::running).filter(|was| {
            Arc::ptr_eq(&was.built, &built) && self.is_named_by(&was.deployment, deployment)
        });
        let deployed = same.map_or_else(|| self.deployed(deployment, built), Arc::clone);
        Ok(Slot::Running(deployed))
    }

    /// Whether decisions go on naming `was`: the event is the same, or only says that a peer has
    /// started with the same release.
    fn is_named_by(&self, was: &Deployment, now: &Deployment) -> bool {
        let own: &NodeName = &self.workspace.server.node;
        let of_a_peer = now.cause == DeploymentCause::Start && now.node != *own;
        was == now || (of_a_peer && was.release == now.release)
    }

    /// What was built, in the slot that `deployment` points at it.
    pub(crate) fn deployed(&self, deployment: &Deployment, built: Arc<Built>) -> Arc<Deployed> {
        Arc::new(Deployed {
            deployment: deployment.clone(),
            switch: self.standings.switch(&deployment.system),
            built,
        })
    }

    /// The system with the manifest of `release`; none if that is not kept or is another system's.
    pub(crate) fn described(
        &self,
        system: &System,
        release: ReleaseId,
    ) -> Result<Option<System>, JournalError> {
        if system.manifest.release_id() == release {
            return Ok(Some(system.clone()));
        }
        let manifest = self.manifest(release)?;
        let manifest = manifest.filter(|manifest| manifest.system == system.name);
        Ok(manifest.map(|manifest| System {
            manifest,
            ..system.clone()
        }))
    }

    /// Builds the system with its models.
    pub(crate) fn build(&self, system: &System) -> Result<Built, BrokenSystem> {
        let key = |name: &ProviderName| -> Option<Secret> {
            self.workspace.providers.get(name)?.key.clone()
        };
        let context = BuildContext {
            transport: self.transport,
            keys: &key,
            onnx: self.onnx,
            columns: &[],
            workers: workers(self.workspace),
        };
        Built::new(system, &|digest| self.blob(digest), Some(&context))
    }

    /// Builds the system without its models: for what asks none.
    pub(crate) fn build_without_models(&self, system: &System) -> Result<Built, BrokenSystem> {
        Built::new(system, &|digest| self.blob(digest), None)
    }

    fn blob(&self, digest: Digest) -> Option<Arc<[u8]>> {
        let kept = || self.blobs.get(digest).ok().flatten().map(Arc::from);
        self.workspace.blob(digest).or_else(kept)
    }
}

/// Whether the models of `system` are asked with the same keys in both workspaces.
fn same_keys(old: &Workspace, new: &Workspace, system: &System) -> bool {
    use plimsoll_core::manifest::ModelSpec;
    let provider = |(_, spec): (&ModelName, &ModelSpec)| match spec {
        ModelSpec::Openai(spec) => Some(spec.provider.clone()),
        ModelSpec::Http(spec) => spec.provider.clone(),
        ModelSpec::Onnx(_) | ModelSpec::Rules(_) => None,
    };
    let key = |workspace: &Workspace, name: &ProviderName| {
        let key = workspace.providers.get(name)?.key.as_ref();
        key.map(|key| Digest::of(key.expose().as_bytes()))
    };
    let mut providers = system.manifest.models.iter().filter_map(provider);
    providers.all(|name| key(old, &name) == key(new, &name))
}
