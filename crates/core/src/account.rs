//! What happens to the accounts of people who sign in to the control plane.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::EventId;
use crate::names::{NodeName, TenantName};
use crate::role::Role;

/// Something happened to an account. No password stands in it, nor anything made from one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccountEvent {
    /// Names the event.
    pub id: EventId,
    /// Whose account; none where somebody tried to sign in under a name that is no account's: what was typed
    /// there may have been a password.
    pub account: Option<String>,
    /// What happened.
    pub change: AccountChange,
    /// On which node: accounts are a node's.
    pub node: NodeName,
    /// From which address, of what came over the network.
    pub address: Option<String>,
    /// Who did it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// What happened to an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountChange {
    /// It was made.
    Created {
        /// What they may do.
        roles: BTreeSet<Role>,
        /// The one tenant that they work for.
        tenant: Option<TenantName>,
    },
    /// Its password was set; whoever was signed in is so no longer.
    PasswordSet,
    /// Nobody may sign in to it any more.
    Disabled,
    /// Somebody signed in.
    SignedIn,
    /// Somebody tried to sign in and could not.
    SignInFailed,
    /// Somebody signed in for whom an identity provider vouched.
    SignedInThrough(Through),
    /// An identity provider sent somebody back, and they were not let in.
    RefusedThrough {
        /// Whom it vouched for; none if for nobody.
        through: Option<Through>,
        /// Why.
        why: String,
    },
    /// Somebody signed out.
    SignedOut,
}

/// Whom an identity provider vouched for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Through {
    /// How it did.
    pub method: SignInMethod,
    /// The provider.
    pub issuer: String,
    /// Who they are to it, for ever.
    pub subject: String,
    /// What people call them, if it says so.
    pub display: Option<String>,
    /// Those of their groups that open anything.
    pub groups: BTreeSet<String>,
    /// What they may do.
    pub roles: BTreeSet<Role>,
    /// The one tenant that they work for; none: the whole installation.
    pub tenant: Option<TenantName>,
}

/// How an identity provider vouches for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInMethod {
    /// `OpenID` Connect Core 1.0.
    Oidc,
}

/// Whether somebody may sign in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// They may.
    Active,
    /// They may not, for ever: records go on meaning this account by its name.
    Disabled,
}

impl AccountState {
    /// The name as it stands in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}
