//! Pointing a slot at a release on somebody's word: deploy, canary, promote, roll back.

use std::collections::BTreeSet;
use std::sync::Arc;

use plimsoll_core::deployment::{Slot, Weight};
use plimsoll_core::governance::Approval;
use plimsoll_core::record::{Deployment, DeploymentCause};
use plimsoll_core::{DeploymentId, Digest, EnvironmentName, Record, ReleaseId, System, SystemName};
use plimsoll_journal::{AppendError, JournalError};

use crate::deployed::Built;
use crate::deploying::{Builder, Running, to_its_end};
use crate::node::Node;
use crate::standing::View;

/// Points a slot of a system at a release.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which system.
    pub system: SystemName,
    /// Which slot: `stable`, or `canary` with its share. A canary's weight changes by a further order,
    /// zero ends it, and its release made stable promotes it. `halt` is [`Node::intervene`]'s.
    pub slot: Slot,
    /// At which release.
    pub release: ReleaseId,
    /// The event that it takes back, if it is a way back.
    pub rollback_of: Option<DeploymentId>,
    /// On whose word.
    pub mandate: Mandate,
}

/// On whose word a slot is pointed anew.
#[derive(Clone, Debug, Default)]
pub struct Mandate {
    /// Who deploys.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// What changed.
    pub note: Option<String>,
    /// The approvals at hand; those of other releases, systems and environments count for nothing.
    pub approvals: Vec<Approval>,
    /// How many must approve, and in which role; none: as many as the stakes ask for, in any.
    pub rule: Option<ApprovalRule>,
    /// Who made the release, who therefore cannot approve it.
    pub author: Option<String>,
    /// Deploy although approvals are missing. Asks for a reason, and stands on the event until somebody
    /// else has reviewed it. Where none are missing it changes nothing.
    pub break_glass: bool,
}

/// How many people must approve a deployment, and in which role.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApprovalRule {
    /// How many.
    pub count: u32,
    /// In which role; none: in any.
    pub role: Option<String>,
}

/// A release could not be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// No system has this name.
    #[error("there is no system `{0}`")]
    NoSystem(SystemName),
    /// The release is not kept here, or is another system's.
    #[error("there is no release `{0}` of this system")]
    NoRelease(ReleaseId),
    /// Parts of the release are not kept here.
    #[error("{} part(s) of release `{release}` are not in data/blobs", .missing.len())]
    Missing {
        /// Which release.
        release: ReleaseId,
        /// The parts.
        missing: Vec<Digest>,
    },
    /// There is nothing that this could be done to.
    #[error("{0}")]
    Unfit(&'static str),
    /// The stakes ask for more people.
    #[error(
        "{stakes} stakes ask for {needed} approval(s){} by somebody other than `{actor}` and the \
         release's author: {given} given",
        .role.as_ref().map(|role| format!(" in the role `{role}`")).unwrap_or_default()
    )]
    Approvals {
        /// The stakes, in one word.
        stakes: &'static str,
        /// How many are needed.
        needed: u32,
        /// In which role, if that matters.
        role: Option<String>,
        /// How many were given that count.
        given: usize,
        /// Who asks.
        actor: String,
    },
    /// An alarm stands that holds deployments back.
    #[error("deployments of this system are held back: {0}")]
    Held(String),
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

impl Node {
    /// Points a slot at a release that was made before. The release is built and the event is on disk
    /// before what runs is swapped. Approvals are held against the system's rule for a canary as for
    /// the stable slot; taking a share away needs none.
    ///
    /// # Errors
    /// If there is no such system or release, parts or approvals are missing, or it cannot be built or
    /// recorded.
    pub async fn deploy(self: &Arc<Self>, order: Order) -> Result<Deployment, DeployError> {
        let node = Arc::clone(self);
        to_its_end(async move {
            let _one_at_a_time = node.changing.lock().await;
            node.carry_out(order).await
        })
        .await
    }

    /// Points the stable slot back: at the release that was stable before the present one, or at `to`.
    /// What was itself rolled back is passed over.
    ///
    /// A release that was stable here before, and not by breaking glass, was approved by the rules of
    /// its time: going back to it needs no approvals, also at high stakes. Going back anywhere else
    /// does.
    ///
    /// # Errors
    /// If nothing was stable before; and as [`Node::deploy`].
    pub async fn rollback(
        self: &Arc<Self>,
        system: &SystemName,
        to: Option<ReleaseId>,
        mandate: Mandate,
    ) -> Result<Deployment, DeployError> {
        let (node, system) = (Arc::clone(self), system.clone());
        to_its_end(async move {
            let _one_at_a_time = node.changing.lock().await;
            let order = node.way_back(system, to, mandate)?;
            node.carry_out(order).await
        })
        .await
    }

    fn way_back(
        &self,
        system: SystemName,
        to: Option<ReleaseId>,
        mandate: Mandate,
    ) -> Result<Order, DeployError> {
        let view = self.standings.view(&system);
        let stable = view.standing.stable.as_ref();
        let unfit = DeployError::Unfit;
        let taken_back = stable.ok_or(unfit("nothing is deployed that could be rolled back"))?;
        let before = view
            .earlier
            .before(view.stable())
            .map(|event| event.release);
        let none = "no other release was stable before this one: name the one to go back to";
        let release = to.or(before).ok_or(unfit(none))?;
        if release == taken_back.release {
            return Err(unfit("this release is the stable one already"));
        }
        Ok(Order {
            system,
            slot: Slot::Stable,
            release,
            rollback_of: Some(taken_back.id),
            mandate,
        })
    }

    async fn carry_out(&self, order: Order) -> Result<Deployment, DeployError> {
        let served = self.served();
        let described = served.systems.get(&order.system);
        let described = described.ok_or_else(|| DeployError::NoSystem(order.system.clone()))?;
        let (builder, view) = (self.builder(&served), self.standings.view(&order.system));
        let old = self.snapshot.load_full();
        let running = Running {
            slots: old.systems.get(&order.system),
            ..Running::default()
        };
        order.fits(&view)?;
        if let Some(why) = self
            .held_back(&order.system)
            .filter(|_| !order.is_let_through())
        {
            return Err(DeployError::Held(why));
        }
        let approvals = order.approvals(described, &view, &served.server.environment)?;
        let fresh = order.build(&builder, described, running)?;
        let mut event = builder.event(described, &view, order.release, DeploymentCause::Command);
        event.slot = order.slot;
        event.rollback_of = order.rollback_of;
        event.break_glass = approvals.overridden;
        event.approvals = approvals.by;
        let Mandate {
            actor,
            reason,
            note,
            ..
        } = order.mandate;
        (event.actor, event.reason, event.note) = (actor, reason, note);
        self.record(Record::Deployment(Box::new(event.clone())))
            .await?;
        self.standings.note(&event);
        let standing = self.standings.standing(&order.system);
        let running = Running {
            fresh: fresh.as_ref(),
            ..running
        };
        if let Some(slots) = builder.slots(described, &standing, running)? {
            self.swap(described, slots);
        }
        Ok(event)
    }
}

/// Who approved, of those who count.
struct Approved {
    by: Vec<String>,
    overridden: bool,
}

impl Order {
    /// Whether a hold is no reason against it: a way back, a canary that goes, and who breaks glass.
    fn is_let_through(&self) -> bool {
        let takes_away = matches!(self.slot, Slot::Canary { weight } if weight == Weight::ZERO);
        takes_away || self.rollback_of.is_some() || self.mandate.break_glass
    }

    /// Whether the slot can be pointed so.
    fn fits(&self, view: &View) -> Result<(), DeployError> {
        let canary = view.standing.canary.as_ref();
        let canary = canary.map(|canary| canary.deployment.release);
        match self.slot {
            Slot::Stable => Ok(()),
            Slot::Halt { .. } => Err(DeployError::Unfit(
                "a halt is an intervention, and points at no release",
            )),
            Slot::Canary { weight } if weight == Weight::ZERO => match canary {
                Some(release) if release == self.release => Ok(()),
                _ => Err(DeployError::Unfit("this release is no canary")),
            },
            Slot::Canary { .. } if view.stable() == Some(self.release) => Err(DeployError::Unfit(
                "this release is the stable one already: a canary is another",
            )),
            Slot::Canary { .. } => Ok(()),
        }
    }

    /// Holds the approvals against the system's rule.
    fn approvals(
        &self,
        system: &System,
        view: &View,
        here: &EnvironmentName,
    ) -> Result<Approved, DeployError> {
        let Mandate {
            actor,
            rule,
            break_glass,
            reason,
            ..
        } = &self.mandate;
        let by = self.counted(here);
        let stakes = system.stakes;
        let needed = rule.as_ref().map(|rule| rule.count);
        let needed = needed.unwrap_or(stakes.defaults().approvals);
        let is_way_back = self.rollback_of.is_some() && view.earlier.approved(self.release);
        let takes_away = matches!(self.slot, Slot::Canary { weight } if weight == Weight::ZERO);
        let enough = by.len() >= usize::try_from(needed).unwrap_or(usize::MAX);
        if enough || is_way_back || takes_away {
            let overridden = false;
            return Ok(Approved { by, overridden });
        }
        if *break_glass {
            let overridden = true;
            let is_given = |reason: &String| !reason.trim().is_empty();
            let without = "approvals are overridden only with a reason: say why";
            return match reason.as_ref().filter(|reason| is_given(reason)) {
                Some(_) => Ok(Approved { by, overridden }),
                None => Err(DeployError::Unfit(without)),
            };
        }
        Err(DeployError::Approvals {
            stakes: stakes.as_str(),
            needed,
            role: rule.as_ref().and_then(|rule| rule.role.clone()),
            given: by.len(),
            actor: actor.clone(),
        })
    }

    /// The people whose approval counts, each once: of this release, here, in the role, and neither its
    /// author nor whoever deploys it.
    fn counted(&self, here: &EnvironmentName) -> Vec<String> {
        let Mandate {
            actor,
            approvals,
            rule,
            author,
            ..
        } = &self.mandate;
        let role = rule.as_ref().and_then(|rule| rule.role.as_ref());
        let counts = |approval: &&Approval| {
            approval.system == self.system
                && approval.release == self.release
                && approval.environment == *here
                && role.is_none_or(|role| approval.role == *role)
                && approval.actor != *actor
                && Some(&approval.actor) != author.as_ref()
        };
        let people = approvals.iter().filter(counts);
        let people: BTreeSet<&String> = people.map(|approval| &approval.actor).collect();
        people.into_iter().cloned().collect()
    }

    /// Builds the release, unless it runs already or only goes.
    fn build(
        &self,
        builder: &Builder<'_>,
        system: &System,
        running: Running<'_>,
    ) -> Result<Option<Arc<Built>>, DeployError> {
        let release = self.release;
        if matches!(self.slot, Slot::Canary { weight } if weight == Weight::ZERO) {
            return Ok(None);
        }
        let described = builder.described(system, release)?;
        let described = described.ok_or(DeployError::NoRelease(release))?;
        if let Some(built) = running.built(&described, builder.workspace) {
            return Ok(Some(built));
        }
        let missing = builder.missing(release)?;
        if !missing.is_empty() {
            return Err(DeployError::Missing { release, missing });
        }
        let built = builder.build(&described);
        let built = built.map_err(|error| DeployError::Broken(error.to_string()))?;
        match built.defect() {
            Some(defect) => Err(DeployError::Broken(defect)),
            None => Ok(Some(Arc::new(built))),
        }
    }
}
