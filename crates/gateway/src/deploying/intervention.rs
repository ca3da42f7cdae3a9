//! Stepping in: halt a system, put it on its fallback, resume it. Needs no database and waits for no
//! other change.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::deployment::{Halt, Slot};
use plimsoll_core::record::{Deployment, DeploymentCause};
use plimsoll_core::{Record, SystemName};
use plimsoll_journal::AppendError;

use crate::deploying::to_its_end;
use crate::node::Node;

/// How long an intervention waits for a place in the journal's queue.
const PLACE_PATIENCE: Duration = Duration::from_secs(1);

/// An intervention could not be made, or not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum InterveneError {
    /// No system has this name.
    #[error("there is no system `{0}`")]
    NoSystem(SystemName),
    /// Nothing of it is deployed.
    #[error("nothing of system `{0}` is deployed")]
    NotDeployed(SystemName),
    /// It could not be recorded. A system that was to stop has stopped all the same, on this node and
    /// until it ends; one that was to resume has not resumed.
    #[error(
        "the intervention could not be recorded: a halt or fallback is in force on this node until \
         it restarts, and a resumption is not: mend the disk and say it again"
    )]
    Record(#[from] AppendError),
    /// The journal's queue had no place for it; else as [`InterveneError::Record`].
    #[error(
        "the intervention could not be recorded in time: a halt or fallback is in force on this node \
         until it restarts, and a resumption is not: say it again"
    )]
    Late,
}

impl Node {
    /// Steps in, for decisions that begin from now on; those under way go on to their end, and so do
    /// streams. No model of a halted system is asked: every request is met by the abstain value, or
    /// refused as `system_halted` if there is none. On fallback the primary model is not asked, and the
    /// ladder of `unavailable` answers. Both stand until somebody resumes, over restarts, and in observe
    /// mode too.
    ///
    /// The event comes before the decisions that it changes in the journal. A halt holds as soon as it
    /// has its place there, a resumption once it is on disk.
    ///
    /// # Errors
    /// If there is no such system, or the event cannot be recorded; see [`InterveneError::Record`].
    pub async fn intervene(
        self: &Arc<Self>,
        system: &SystemName,
        to: Halt,
        actor: &str,
        reason: Option<String>,
    ) -> Result<Deployment, InterveneError> {
        let event = self.intervention(system, to, actor, reason)?;
        let node = Arc::clone(self);
        to_its_end(async move { node.step_in(event, to).await }).await
    }

    async fn step_in(&self, event: Deployment, to: Halt) -> Result<Deployment, InterveneError> {
        let record = Record::Deployment(Box::new(event.clone()));
        let appending = self.journal.append_waiting(&record, None);
        let appended = tokio::time::timeout(PLACE_PATIENCE, appending).await;
        if to != Halt::Resumed {
            self.standings.note(&event);
        }
        let ticket = appended.map_err(|_| InterveneError::Late)??;
        ticket.durable().await?;
        self.standings.note(&event);
        let Deployment { system, actor, .. } = &event;
        tracing::warn!(%system, to = to.as_str(), %actor, "a person stepped in");
        Ok(event)
    }

    fn intervention(
        &self,
        system: &SystemName,
        to: Halt,
        actor: &str,
        reason: Option<String>,
    ) -> Result<Deployment, InterveneError> {
        let served = self.served();
        let described = served.systems.get(system);
        let described = described.ok_or_else(|| InterveneError::NoSystem(system.clone()))?;
        let view = self.standings.view(system);
        let stable = view.stable();
        let stable = stable.ok_or_else(|| InterveneError::NotDeployed(system.clone()))?;
        let builder = self.builder(&served);
        let event = builder.event(described, &view, stable, DeploymentCause::Command);
        Ok(Deployment {
            slot: Slot::Halt { to },
            actor: actor.to_owned(),
            reason,
            ..event
        })
    }
}
