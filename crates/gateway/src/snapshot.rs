//! All that a request needs to know of the workspace, swapped in one step on reload. A request holds
//! one snapshot to its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::record::Deployment;
use plimsoll_core::{EnvironmentName, ReleaseId, System, SystemName};
use plimsoll_guard::frame::FrameLimits;
use plimsoll_spec::PriceTable;

use crate::caller::Keys;
use crate::deployed::Deployed;

/// The workspace as it is served.
pub(crate) struct Snapshot {
    pub(crate) environment: EnvironmentName,
    pub(crate) keys: Keys,
    pub(crate) systems: BTreeMap<SystemName, Slot>,
    pub(crate) default_system: Option<SystemName>,
    pub(crate) prices: Arc<PriceTable>,
    pub(crate) frame: FrameLimits,
    pub(crate) rows_max: usize,
    pub(crate) body_timeout: Duration,
    /// Releases that were made and wait for somebody to deploy them.
    pub(crate) pending: BTreeMap<SystemName, ReleaseId>,
}

/// A system's place in the environment.
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
    /// What of it could not be built, if anything.
    pub(crate) fn defect(&self) -> Option<String> {
        match self {
            Self::Running(deployed) => deployed.defect(),
            Self::Broken { reason, .. } => Some(reason.clone()),
        }
    }
}

impl Snapshot {
    /// The running system of this name.
    pub(crate) fn running(&self, name: &SystemName) -> Option<&Arc<Deployed>> {
        match self.systems.get(name)? {
            Slot::Running(deployed) => Some(deployed),
            Slot::Broken { .. } => None,
        }
    }

    /// How many systems could not be built whole.
    pub(crate) fn defects(&self) -> usize {
        self.systems
            .values()
            .filter(|slot| slot.defect().is_some())
            .count()
    }
}
