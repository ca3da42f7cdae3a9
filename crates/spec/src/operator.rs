//! Operators: who works on the control plane, in which roles, and who must approve what.

use std::collections::BTreeSet;
use std::fmt;

use plimsoll_core::Secret;
use serde::{Deserialize, Serialize};

/// What an operator may do beside reading what holds no payload.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Makes and deploys releases, halts, drills, reloads, erases, holds and answers reviews.
    Operator,
    /// Approves releases, and reviews deployments that overrode approvals.
    Approver,
    /// Answers reviews and reads payloads.
    Reviewer,
    /// Reads the audit log, payloads and who read them.
    Auditor,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Operator,
        Self::Approver,
        Self::Reviewer,
        Self::Auditor,
    ];

    /// The name as it stands in files and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Reviewer => "reviewer",
            Self::Auditor => "auditor",
        }
    }

    /// The role with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Somebody who works on the control plane under their own name.
#[derive(Clone, Debug)]
pub struct Operator {
    /// What records call them.
    pub name: String,
    /// What they send.
    pub token: Secret,
    /// What they may do.
    pub roles: BTreeSet<Role>,
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
