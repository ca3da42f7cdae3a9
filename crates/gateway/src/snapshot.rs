//! All that a request needs to know of the workspace, swapped in one step on reload. A request holds
//! one snapshot to its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::deployment::Weight;
use plimsoll_core::record::Deployment;
use plimsoll_core::{DeploymentId, EnvironmentName, ReleaseId, System, SystemName};
use plimsoll_guard::frame::FrameLimits;
use plimsoll_spec::PriceTable;

use crate::caller::Keys;
use crate::deployed::Deployed;
use crate::node::Node;

/// The workspace as it is served.
pub(crate) struct Snapshot {
    pub(crate) environment: EnvironmentName,
    pub(crate) keys: Keys,
    pub(crate) systems: BTreeMap<SystemName, Slots>,
    pub(crate) default_system: Option<SystemName>,
    pub(crate) prices: Arc<PriceTable>,
    /// In which all money is written.
    pub(crate) currency: String,
    pub(crate) frame: FrameLimits,
    pub(crate) rows_max: usize,
    pub(crate) body_timeout: Duration,
    /// Releases that were made and wait for somebody to deploy them.
    pub(crate) pending: BTreeMap<SystemName, ReleaseId>,
}

impl Node {
    /// The prices by which calls are priced now.
    pub fn prices(&self) -> Arc<PriceTable> {
        Arc::clone(&self.snapshot.load().prices)
    }
}

/// A system's slots, filled.
#[derive(Clone)]
pub(crate) struct Slots {
    /// What most requests get.
    pub(crate) stable: Slot,
    /// What a share of the units of work gets, if there is a canary.
    pub(crate) canary: Option<CanarySlot>,
}

/// A canary, and whom it takes.
#[derive(Clone)]
pub(crate) struct CanarySlot {
    /// While it cannot be built, the stable release answers everybody.
    pub(crate) slot: Slot,
    pub(crate) weight: Weight,
    /// The event that began it.
    pub(crate) first: DeploymentId,
}

/// A slot, filled.
#[derive(Clone)]
pub(crate) enum Slot {
    /// It runs.
    Running(Arc<Deployed>),
    /// It could not be built; the others serve.
    Broken {
        system: Arc<System>,
        deployment: Box<Deployment>,
        reason: String,
    },
}

impl Slot {
    /// The release that runs in it.
    pub(crate) const fn running(&self) -> Option<&Arc<Deployed>> {
        match self {
            Self::Running(deployed) => Some(deployed),
            Self::Broken { .. } => None,
        }
    }

    /// The event that filled it.
    pub(crate) fn deployment(&self) -> &Deployment {
        match self {
            Self::Running(deployed) => &deployed.deployment,
            Self::Broken { deployment, .. } => deployment,
        }
    }

    /// The system as the workspace describes it, with the manifest of this slot.
    pub(crate) fn system(&self) -> &Arc<System> {
        match self {
            Self::Running(deployed) => &deployed.system,
            Self::Broken { system, .. } => system,
        }
    }

    /// Whether `release` runs in it, whole.
    pub(crate) fn runs(&self, release: ReleaseId) -> bool {
        self.deployment().release == release && self.defect().is_none()
    }

    /// What of it could not be built, if anything.
    pub(crate) fn defect(&self) -> Option<String> {
        match self {
            Self::Running(deployed) => deployed.defect(),
            Self::Broken { reason, .. } => Some(reason.clone()),
        }
    }
}

impl Slots {
    /// The canary's release, if it runs.
    pub(crate) fn canary(&self) -> Option<&Arc<Deployed>> {
        self.canary.as_ref()?.slot.running()
    }

    /// What runs of `release`; of one that runs no more, the stable one in its place.
    pub(crate) fn of_release(&self, release: ReleaseId) -> Option<&Arc<Deployed>> {
        let canary = self.canary();
        let fits = canary.filter(|canary| canary.deployment.release == release);
        fits.or_else(|| self.stable.running())
    }

    /// Whether `release` runs in one of them, whole.
    pub(crate) fn run(&self, release: ReleaseId) -> bool {
        let canary = self.canary.as_ref().map(|canary| &canary.slot);
        self.stable.runs(release) || canary.is_some_and(|slot| slot.runs(release))
    }

    /// What of them could not be built, if anything.
    pub(crate) fn defect(&self) -> Option<String> {
        let canary = self.canary.as_ref();
        let of_canary = || Some(format!("canary: {}", canary?.slot.defect()?));
        self.stable.defect().or_else(of_canary)
    }
}

impl Snapshot {
    /// What runs of the release that `system` answered with then.
    pub(crate) fn running(
        &self,
        system: &SystemName,
        release: ReleaseId,
    ) -> Option<&Arc<Deployed>> {
        self.systems.get(system)?.of_release(release)
    }

    /// How many systems could not be built whole.
    pub(crate) fn defects(&self) -> usize {
        let slots = self.systems.values();
        slots.filter(|slots| slots.defect().is_some()).count()
    }
}
