//! Resolve: what is asked for. A name becomes the running release of a system that the caller may use.

use std::sync::Arc;

use plimsoll_core::{Code, SystemName};

use crate::caller::Caller;
use crate::deployed::Deployed;
use crate::refusal::Refusal;
use crate::snapshot::{Slot, Snapshot};

/// The system called `name`; for a name that no system has, the workspace's default system if
/// `or_default`.
pub(crate) fn resolve(
    snapshot: &Snapshot,
    caller: &Caller,
    name: &str,
    or_default: bool,
) -> Result<Arc<Deployed>, Refusal> {
    let default = || snapshot.default_system.as_ref().filter(|_| or_default);
    let known = snapshot.systems.get_key_value(name);
    let found = known.or_else(|| snapshot.systems.get_key_value(default()?));
    let Some((system, slot)) = found else {
        return Err(not_found(name));
    };
    if !caller.may_use(system) {
        let message = format!("this key may not use system `{system}`");
        return Err(Refusal::new(Code::SystemForbidden, message));
    }
    match slot {
        Slot::Running(deployed) => Ok(Arc::clone(deployed)),
        Slot::Broken { .. } => Err(broken(system)),
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
