//! What was stable before: what a rollback goes back to, and what was approved already.

use plimsoll_core::ReleaseId;
use plimsoll_core::record::{Deployment, DeploymentCause};

use super::order;

/// Events that are remembered.
const EVENTS_MAX: usize = 64;

/// Events that put releases into the stable slot, in their order. Those that only went on with what
/// stood are left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Earlier(Vec<Deployment>);

impl Earlier {
    /// Remembers an event of the stable slot.
    pub(crate) fn remember(&mut self, event: &Deployment) {
        let place = self.0.partition_point(|known| order(known) < order(event));
        let before = place.checked_sub(1).and_then(|before| self.0.get(before));
        let is_start = event.cause == DeploymentCause::Start;
        if is_start && before.is_some_and(|before| went_on(before, event)) {
            return;
        }
        self.0.insert(place, event.clone());
        let surplus = self.0.len().saturating_sub(EVENTS_MAX);
        self.0.drain(..surplus);
    }

    /// The event before the present one: what a rollback goes back to. What was itself rolled back is
    /// passed over.
    pub(crate) fn before(&self, present: Option<ReleaseId>) -> Option<&Deployment> {
        let mut stack: Vec<&Deployment> = Vec::new();
        for event in &self.0 {
            let below = |below: &&Deployment| below.release == event.release;
            match stack.iter().rposition(below) {
                Some(top) if top + 1 == stack.len() => {}
                Some(place) if event.rollback_of.is_some() => stack.truncate(place + 1),
                _ => stack.push(event),
            }
        }
        let others = stack.into_iter().rev();
        let mut others = others.skip_while(|event| Some(event.release) == present);
        others.next()
    }

    /// Whether `release` was stable by the rules of its time, so that nobody need approve it again.
    pub(crate) fn approved(&self, release: ReleaseId) -> bool {
        let by_rule = |event: &Deployment| event.release == release && !event.break_glass;
        self.0.iter().any(by_rule)
    }
}

/// Whether a node only went on with what it knew. Events of the first version, which do not say what the
/// files said, put a release there that had changed while the node was down.
fn went_on(before: &Deployment, start: &Deployment) -> bool {
    before.release == start.release || start.workspace.is_some()
}
