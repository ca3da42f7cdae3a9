//! Operators: who works on the control plane, in which roles, and who must approve what.

use std::collections::BTreeSet;

use plimsoll_core::{Role, Secret, TenantName};

use serde::{Deserialize, Serialize};

/// Somebody who works on the control plane under their own name.
#[derive(Clone, Debug)]
pub struct Operator {
    /// What records call them.
    pub name: String,
    /// What they send.
    pub token: Secret,
    /// What they may do.
    pub roles: BTreeSet<Role>,
    /// The one tenant that they work for; none: the whole installation.
    pub tenant: Option<TenantName>,
}

/// Who must approve a release before it is deployed: so many people in one role, none of them its author
/// nor the one who deploys it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApprovalRule {
    /// How many.
    pub count: u32,
    /// In which role.
    pub role: Role,
}
