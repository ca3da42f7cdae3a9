//! What is said of deployments: pointing a slot, stepping in, and what stands or stood.

use plimsoll_core::deployment::{Halt, Slot, Standing, Weight};
use plimsoll_core::record::Deployment;
use plimsoll_core::{DeploymentId, EnvironmentName, NodeName, ReleaseId, SystemName, Timestamp};
use serde::{Deserialize, Serialize};

/// Points a slot at a release.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentRequest {
    /// The release's id, or the beginning of it.
    pub release: String,
    /// Which slot: `"stable"`, or `{"canary": {"weight": 500}}` in hundredths of a percent, where zero
    /// ends the canary.
    #[serde(default)]
    pub slot: Slot,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// What changed.
    #[serde(default)]
    pub note: Option<String>,
    /// Whether missing approvals are overridden: it needs a reason, and somebody else's review after.
    #[serde(default)]
    pub break_glass: bool,
}

/// Points the stable slot back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// Why.
    pub reason: String,
    /// To this release, by its id or the beginning of it; none: the one that was stable before.
    #[serde(default)]
    pub to: Option<String>,
}

/// Steps in, or goes on as usual.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterventionRequest {
    /// Why.
    pub reason: String,
}

/// What somebody says of a deployment that overrode its approvals.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentReviewRequest {
    /// Whether it was justified.
    pub justified: bool,
    /// What is to be said of it.
    pub note: String,
}

/// What stands in a system's slots.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StandingView {
    /// Which system.
    pub system: SystemName,
    /// Where.
    pub environment: EnvironmentName,
    /// The event that the stable slot stands on.
    pub stable: Option<Deployment>,
    /// The canary, if there is one.
    pub canary: Option<CanaryView>,
    /// The event of the intervention in force.
    pub halt: Option<Deployment>,
    /// What that intervention does.
    pub halted: Option<Halt>,
}

/// A canary that stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CanaryView {
    /// Which release.
    pub release: ReleaseId,
    /// How large its share is, in hundredths of a percent.
    pub weight: Weight,
    /// The event that began it.
    pub first: DeploymentId,
    /// The latest event.
    pub deployment: Deployment,
}

impl StandingView {
    /// What stands, to be told.
    pub fn of(system: SystemName, environment: EnvironmentName, standing: Standing) -> Self {
        let halted = standing.halted();
        let canary = standing.canary.map(|canary| CanaryView {
            release: canary.deployment.release,
            weight: canary.weight,
            first: canary.first,
            deployment: canary.deployment,
        });
        Self {
            system,
            environment,
            stable: standing.stable,
            canary,
            halt: standing.halt,
            halted,
        }
    }
}

/// What stood at a time, and where that is written.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AsOfView {
    /// When.
    pub at: Timestamp,
    /// What stood.
    pub standing: StandingView,
    /// Where the events that it stands on lie.
    pub places: Vec<EventPlace>,
}

/// Where an event lies in a node's log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EventPlace {
    /// Which event.
    pub deployment: DeploymentId,
    /// In whose log.
    pub node: NodeName,
    /// Its record's sequence there, which is its leaf's index.
    pub sequence: u64,
    /// The proof that it is there, as a file's text; none if it lies in another node's log, or under no
    /// checkpoint yet.
    pub proof: Option<String>,
}
