//! Resolve: what is asked for. A name becomes a running release of a system that the caller may use: the
//! stable one, or the canary for its share of the units of work.

use std::sync::Arc;

use plimsoll_core::{Code, RequestId, SystemName};

use crate::caller::Caller;
use crate::deployed::Deployed;
use crate::envelope::Envelope;
use crate::refusal::Refusal;
use crate::snapshot::{CanarySlot, Slot, Slots, Snapshot};

/// Which of a system's releases is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Aim {
    /// The stable one.
    #[default]
    Stable,
    /// The canary.
    Canary,
    /// As requests are assigned: by the unit of work.
    Assigned,
}

/// What tells which release answers.
pub(crate) struct Assignment<'a> {
    pub(crate) aim: Aim,
    pub(crate) envelope: &'a Envelope,
    pub(crate) request: RequestId,
}

/// The system called `name`; for a name that no system has, the workspace's default system if
/// `or_default`.
pub(crate) fn resolve(
    snapshot: &Snapshot,
    caller: &Caller,
    name: &str,
    or_default: bool,
    assignment: &Assignment<'_>,
) -> Result<Arc<Deployed>, Refusal> {
    let default = || snapshot.default_system.as_ref().filter(|_| or_default);
    let known = snapshot.systems.get_key_value(name);
    let found = known.or_else(|| snapshot.systems.get_key_value(default()?));
    let Some((system, slots)) = found else {
        return Err(not_found(name));
    };
    if !caller.may_use(system) {
        let message = format!("this key may not use system `{system}`");
        return Err(Refusal::new(Code::SystemForbidden, message));
    }
    match assignment.slot(slots) {
        Some(Slot::Running(deployed)) => Ok(Arc::clone(deployed)),
        Some(Slot::Broken { .. }) => Err(broken(system)),
        None => Err(no_canary(system)),
    }
}

impl Assignment<'_> {
    fn slot<'s>(&self, slots: &'s Slots) -> Option<&'s Slot> {
        match (self.aim, &slots.canary) {
            (Aim::Canary, canary) => Some(&canary.as_ref()?.slot),
            (Aim::Assigned, Some(canary)) if self.takes(canary) => Some(&canary.slot),
            (Aim::Stable | Aim::Assigned, _) => Some(&slots.stable),
        }
    }

    /// Whether the call belongs to a canary that runs: by its unit of work, else its session, else whom
    /// it is about, else its idempotency key, else by itself.
    fn takes(&self, canary: &CanarySlot) -> bool {
        if canary.slot.running().is_none() {
            return false;
        }
        let Envelope {
            unit,
            session,
            subject,
            idempotency_key,
            ..
        } = self.envelope;
        let named = [unit, session, subject, idempotency_key];
        match named.into_iter().flatten().next() {
            Some(key) => canary.weight.takes(canary.first, key.as_bytes()),
            None => {
                let key = self.request.to_string();
                canary.weight.takes(canary.first, key.as_bytes())
            }
        }
    }
}

fn not_found(name: &str) -> Refusal {
    let shown: String = name.chars().take(80).collect();
    Refusal::new(
        Code::SystemNotFound,
        format!("there is no system `{shown}`"),
    )
}

fn broken(system: &SystemName) -> Refusal {
    let message = format!("system `{system}` could not be built; its operator sees why in /readyz");
    Refusal::new(Code::ModelNotLoaded, message)
}

fn no_canary(system: &SystemName) -> Refusal {
    let message = format!("system `{system}` has no canary");
    Refusal::new(Code::SystemNotFound, message)
}
