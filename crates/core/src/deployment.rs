//! Deployments: append-only events that say what stands where, and the fold over them.
//!
//! A slot is never changed, only pointed anew. What stands in an environment is [`Standing`]: the fold
//! over the events of a system in the order in which they were written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::DeploymentId;
use crate::manifest::ReleaseId;
use crate::names::{EnvironmentName, NodeName, SystemName};

/// Points a slot of a system in an environment at a release.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Deployment {
    /// Names the event.
    pub id: DeploymentId,
    /// Which system.
    pub system: SystemName,
    /// Where.
    pub environment: EnvironmentName,
    /// Which slot.
    #[serde(default)]
    pub slot: Slot,
    /// At which release; of a halt, the release that was stable.
    pub release: ReleaseId,
    /// Why the event was written.
    pub cause: DeploymentCause,
    /// Who caused it.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// Who approved it.
    pub approvals: Vec<String>,
    /// From when it holds.
    pub at: Timestamp,
    /// The node that wrote it.
    pub node: NodeName,
    /// The version of the binary.
    pub binary_version: String,
    /// The digest of the price table.
    pub prices: Option<Digest>,
    /// The digests of the eval sets: path → digest.
    pub eval_sets: BTreeMap<String, Digest>,
    /// What changed, in the words of whoever made the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The event that it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<DeploymentId>,
    /// Whether approvals were overridden; it stays open until somebody else has reviewed it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub break_glass: bool,
    /// The release that the node's files said when the event was written: a release deploys itself
    /// when the files change to it, and not again after it was rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<ReleaseId>,
    /// The digest of the binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary: Option<Digest>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

/// Which of a system's slots an event points.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// What most requests get.
    #[default]
    Stable,
    /// What a share of the units of work gets.
    Canary {
        /// How large a share; zero ends the canary.
        weight: Weight,
    },
    /// Whether models are asked at all.
    Halt {
        /// What happens instead.
        to: Halt,
    },
}

/// What an intervention does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Halt {
    /// No model is asked and nothing is answered: every request is refused, or abstained from if the
    /// system has an abstain value.
    Halted,
    /// The primary model is not asked: the ladder of `unavailable` answers.
    Fallback,
    /// As usual again.
    Resumed,
}

impl Halt {
    /// The name as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Halted => "halted",
            Self::Fallback => "fallback",
            Self::Resumed => "resumed",
        }
    }
}

/// A share of traffic in hundredths of a percent, from 0 to 10,000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Weight(u16);

/// All buckets of a canary.
const BUCKETS: u16 = 10_000;

impl Weight {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many hundredths of a percent; `None` above 10,000.
    pub const fn new(basis_points: u16) -> Option<Self> {
        if basis_points > BUCKETS {
            return None;
        }
        Some(Self(basis_points))
    }

    /// In hundredths of a percent.
    pub const fn basis_points(self) -> u16 {
        self.0
    }

    /// Whether the unit of work called `key` belongs to the canary that `first` began.
    ///
    /// The bucket is SHA-256(first event's id ‖ key) mod 10,000: while the weight only grows, a unit
    /// that was assigned to the canary stays there.
    pub fn takes(self, first: DeploymentId, key: &[u8]) -> bool {
        let mut hash = Sha256::new();
        hash.update(first.to_bytes());
        hash.update(key);
        let hash = hash.finalize();
        let number = hash[..8].iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
        number % u64::from(BUCKETS) < u64::from(self.0)
    }
}

impl TryFrom<u16> for Weight {
    type Error = &'static str;

    fn try_from(basis_points: u16) -> Result<Self, Self::Error> {
        Self::new(basis_points).ok_or("a weight is at most 10,000 hundredths of a percent")
    }
}

impl From<Weight> for u16 {
    fn from(weight: Weight) -> Self {
        weight.0
    }
}

impl std::fmt::Display for Weight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        match rest {
            0 => write!(f, "{whole} %"),
            _ if rest % 10 == 0 => write!(f, "{whole}.{} %", rest / 10),
            _ => write!(f, "{whole}.{rest:02} %"),
        }
    }
}

/// Why a deployment event was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentCause {
    /// The system's first release, which always deploys itself.
    First,
    /// The node started: the same release as before goes on.
    Start,
    /// The workspace changed.
    Reload,
    /// Somebody said so.
    Command,
}

/// What stands in an environment for one system.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Standing {
    /// What most requests get.
    pub stable: Option<Deployment>,
    /// What a share gets, if there is a canary.
    pub canary: Option<Canary>,
    /// The intervention in force, if there is one.
    pub halt: Option<Deployment>,
}

/// A canary that stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Canary {
    /// The latest event.
    pub deployment: Deployment,
    /// How large its share is.
    pub weight: Weight,
    /// The event that began it: assignment stays the same while the release does.
    pub first: DeploymentId,
}

impl Standing {
    /// What stands after `events`, which are one system's in one environment, in order.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Deployment>) -> Self {
        let mut standing = Self::default();
        for event in events {
            standing.apply(event);
        }
        standing
    }

    /// What stands after one more event.
    ///
    /// A node that starts or reloads without a change goes on with what it knew: its event never
    /// brings an older release back that another node has replaced.
    pub fn apply(&mut self, event: &Deployment) {
        match event.slot {
            Slot::Stable => {
                let stands = self.stable.as_ref();
                let other = stands.is_some_and(|stable| stable.release != event.release);
                if other && event.cause == DeploymentCause::Start {
                    return;
                }
                // What is promoted is no canary any more.
                if matches!(&self.canary, Some(canary) if canary.deployment.release == event.release)
                {
                    self.canary = None;
                }
                self.stable = Some(event.clone());
            }
            Slot::Canary { weight } if weight == Weight::ZERO => self.canary = None,
            Slot::Canary { weight } => {
                let before = self.canary.take();
                let same = before.filter(|before| before.deployment.release == event.release);
                self.canary = Some(Canary {
                    deployment: event.clone(),
                    weight,
                    first: same.map_or(event.id, |before| before.first),
                });
            }
            Slot::Halt { to: Halt::Resumed } => self.halt = None,
            Slot::Halt { .. } => self.halt = Some(event.clone()),
        }
    }

    /// The intervention in force.
    pub fn halted(&self) -> Option<Halt> {
        match self.halt.as_ref()?.slot {
            Slot::Halt { to } => Some(to),
            Slot::Stable | Slot::Canary { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(byte: u8) -> ReleaseId {
        ReleaseId(Digest::of(&[byte]))
    }

    fn event(micros: i64, slot: Slot, release: ReleaseId, cause: DeploymentCause) -> Deployment {
        let at = Timestamp::from_micros(micros);
        Deployment {
            id: DeploymentId::new(at),
            system: SystemName::new("loan").unwrap(),
            environment: EnvironmentName::new("production").unwrap(),
            slot,
            release,
            cause,
            actor: "ann".into(),
            reason: None,
            approvals: Vec::new(),
            at,
            node: NodeName::new("node-1").unwrap(),
            binary_version: "0".into(),
            prices: None,
            eval_sets: BTreeMap::new(),
            note: None,
            rollback_of: None,
            break_glass: false,
            workspace: None,
            binary: None,
        }
    }

    fn canary(basis_points: u16) -> Slot {
        let weight = Weight::new(basis_points).unwrap();
        Slot::Canary { weight }
    }

    #[test]
    fn a_promoted_canary_is_stable_and_no_canary() {
        let events = [
            event(1, Slot::Stable, release(1), DeploymentCause::First),
            event(2, canary(500), release(2), DeploymentCause::Command),
            event(3, canary(5000), release(2), DeploymentCause::Command),
        ];
        let mut standing = Standing::fold(&events);
        let found = standing.canary.clone().unwrap();
        assert_eq!(
            (found.first, found.weight.basis_points()),
            (events[1].id, 5000)
        );
        standing.apply(&event(
            4,
            Slot::Stable,
            release(2),
            DeploymentCause::Command,
        ));
        assert_eq!(standing.stable.unwrap().release, release(2));
        assert_eq!(standing.canary, None);
    }

    #[test]
    fn a_node_that_starts_late_brings_no_older_release_back() {
        let events = [
            event(1, Slot::Stable, release(1), DeploymentCause::First),
            event(2, Slot::Stable, release(2), DeploymentCause::Command),
            event(3, Slot::Stable, release(1), DeploymentCause::Start),
        ];
        assert_eq!(Standing::fold(&events).stable.unwrap().release, release(2));
    }

    #[test]
    fn a_halt_stands_until_it_is_taken_back() {
        let halt = |to| Slot::Halt { to };
        let mut standing = Standing::default();
        standing.apply(&event(
            1,
            halt(Halt::Halted),
            release(1),
            DeploymentCause::Command,
        ));
        assert_eq!(standing.halted(), Some(Halt::Halted));
        standing.apply(&event(
            2,
            halt(Halt::Fallback),
            release(1),
            DeploymentCause::Command,
        ));
        assert_eq!(standing.halted(), Some(Halt::Fallback));
        standing.apply(&event(
            3,
            halt(Halt::Resumed),
            release(1),
            DeploymentCause::Command,
        ));
        assert_eq!(standing.halted(), None);
    }

    #[test]
    fn a_growing_canary_keeps_whom_it_had_and_has_its_share() {
        let first = DeploymentId::new(Timestamp::from_micros(1));
        let (small, large) = (Weight::new(1000).unwrap(), Weight::new(3000).unwrap());
        let keys: Vec<String> = (0..5000).map(|n| format!("unit-{n}")).collect();
        let takes = |weight: Weight| move |key: &&String| weight.takes(first, key.as_bytes());
        let in_small = keys.iter().filter(takes(small)).count();
        assert!((400..600).contains(&in_small), "{in_small} of 5000 at 10 %");
        assert!(
            keys.iter()
                .filter(takes(small))
                .all(|key| takes(large)(&key))
        );
        assert_eq!(keys.iter().filter(takes(Weight::ZERO)).count(), 0);
        let all = Weight::new(10_000).unwrap();
        assert_eq!(keys.iter().filter(takes(all)).count(), keys.len());
    }

    #[test]
    fn an_event_of_the_first_version_is_one_of_the_stable_slot() {
        let mut old =
            serde_json::to_value(event(1, Slot::Stable, release(1), DeploymentCause::First))
                .unwrap();
        old.as_object_mut().unwrap().remove("slot");
        let read: Deployment = serde_json::from_value(old).unwrap();
        assert_eq!(read.slot, Slot::Stable);
    }

    #[test]
    fn weights_are_shown_in_percent() {
        let shown: Vec<String> = [0, 5, 50, 500, 10_000]
            .map(|basis_points| Weight::new(basis_points).unwrap().to_string())
            .into();
        assert_eq!(shown, ["0 %", "0.05 %", "0.5 %", "5 %", "100 %"]);
    }
}
