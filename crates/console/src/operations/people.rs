//! Accounts of people, as operators see and change them.

use std::collections::BTreeSet;

use plimsoll_core::account::AccountState;
use plimsoll_core::{KeyName, Role, Secret, TenantName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::people::Account;

/// An account, as operators see it; never a password.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UserView {
    /// Its name.
    pub name: KeyName,
    /// What they may do.
    pub roles: BTreeSet<Role>,
    /// The one tenant that they work for; none: the whole installation.
    pub tenant: Option<TenantName>,
    /// Whether they may sign in.
    pub state: AccountState,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When the password was set.
    pub password_at: Timestamp,
}

impl From<&Account> for UserView {
    fn from(account: &Account) -> Self {
        Self {
            name: account.name.clone(),
            roles: account.roles.clone(),
            tenant: account.tenant.clone(),
            state: account.state,
            created_at: account.created_at,
            password_at: account.password_at,
        }
    }
}

/// Makes an account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserRequest {
    pub(crate) name: KeyName,
    pub(crate) roles: BTreeSet<Role>,
    #[serde(default)]
    pub(crate) tenant: Option<TenantName>,
    pub(crate) password: Password,
}

/// Sets somebody's password.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordRequest {
    pub(crate) password: Password,
}

/// Somebody changes their own password.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnPasswordRequest {
    pub(crate) current: Password,
    pub(crate) password: Password,
}

/// Somebody signs in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInRequest {
    pub(crate) user: String,
    pub(crate) password: Password,
}

/// A password that came in a body: it shows in no log.
#[derive(Debug)]
pub(crate) struct Password(pub(crate) Secret);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

/// Who somebody is to this node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SessionView {
    /// What records call them.
    pub name: String,
    /// What people call them, if an identity provider says so.
    pub display: Option<String>,
    /// How they are known: `owner`, `operator`, `key` or `user`.
    pub kind: plimsoll_core::access::ActorKind,
    /// What they may do.
    pub roles: BTreeSet<Role>,
    /// The one tenant that they work for; none: the whole installation.
    pub tenant: Option<TenantName>,
    /// What they must send in `plimsoll-csrf` with each change; none for whoever shows a token.
    pub csrf: Option<String>,
}
