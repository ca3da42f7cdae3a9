//! What somebody may do: the roles of people and programs, and how important their requests may be.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What somebody may do on the control plane. Nobody has a role because they have another one: whoever
/// deploys does not approve, and whoever gives keys reads no payloads, unless both roles were given.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads what holds no payload, as every role does, and nothing else.
    Viewer,
    /// Makes and deploys releases, halts, drills, reloads, erases, holds and answers reviews.
    Operator,
    /// Approves releases, and reviews deployments that overrode approvals.
    Approver,
    /// Answers reviews and reads payloads.
    Reviewer,
    /// Reads the audit log, payloads and who read them.
    Auditor,
    /// Gives, rotates and revokes keys of their tenant.
    TenantAdmin,
    /// Makes tenants, and gives, rotates and revokes keys of all of them.
    PlatformAdmin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Viewer,
        Self::Operator,
        Self::Approver,
        Self::Reviewer,
        Self::Auditor,
        Self::TenantAdmin,
        Self::PlatformAdmin,
    ];

    /// The name as it stands in files and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Reviewer => "reviewer",
            Self::Auditor => "auditor",
            Self::TenantAdmin => "tenant_admin",
            Self::PlatformAdmin => "platform_admin",
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

impl std::str::FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        Self::parse(text).ok_or_else(|| RoleError(text.chars().take(80).collect()))
    }
}

/// A text that is no role.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a role: use viewer, operator, approver, reviewer, auditor, tenant_admin or platform_admin"
)]
pub struct RoleError(String);

/// What is shed first, lowest first.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    /// May be shed at any time: backfills, experiments.
    Sheddable,
    /// What is served unless there is too much of it.
    #[default]
    Normal,
    /// Shed last.
    Critical,
}

impl Criticality {
    /// All three, lowest first.
    pub const ALL: [Self; 3] = [Self::Sheddable, Self::Normal, Self::Critical];

    /// The name as it stands in files and in the `plimsoll-criticality` header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sheddable => "sheddable",
            Self::Normal => "normal",
            Self::Critical => "critical",
        }
    }

    /// The criticality with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }
}

impl std::str::FromStr for Criticality {
    type Err = CriticalityError;

    fn from_str(text: &str) -> Result<Self, CriticalityError> {
        Self::parse(text).ok_or_else(|| CriticalityError(text.chars().take(80).collect()))
    }
}

/// A text that is no criticality.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a criticality: use sheddable, normal or critical")]
pub struct CriticalityError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_criticalities_read_back_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
            let json = serde_json::to_value(role).unwrap();
            assert_eq!(json, role.as_str());
        }
        for level in Criticality::ALL {
            assert_eq!(level.as_str().parse::<Criticality>().unwrap(), level);
            assert_eq!(serde_json::to_value(level).unwrap(), level.as_str());
        }
        assert!("root".parse::<Role>().is_err());
        assert!("urgent".parse::<Criticality>().is_err());
    }
}
