//! What is said of tenants and of their keys.

use std::collections::BTreeSet;

use plimsoll_core::keyring::{KeyEvent, KeyState};
use plimsoll_core::{
    Criticality, EnvironmentName, KeyName, Role, SystemName, TenantName, Timestamp,
};
use serde::{Deserialize, Serialize};

/// A tenant, as operators see it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TenantView {
    /// Its name.
    pub tenant: TenantName,
    /// Who or what it is.
    pub note: Option<String>,
    /// When it was made; none if `plimsoll.toml` alone names it.
    pub made_at: Option<Timestamp>,
    /// How many of its keys are good.
    pub keys: u64,
}

/// Makes a tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantRequest {
    /// Its name.
    pub tenant: TenantName,
    /// Who or what it is.
    #[serde(default)]
    pub note: Option<String>,
}

/// A key, as operators see it; never a secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyView {
    /// Whose it is.
    pub tenant: TenantName,
    /// Its name.
    pub name: KeyName,
    /// How it stands.
    pub state: KeyState,
    /// Whether `plimsoll.toml` gives it, so that it is changed there.
    pub of_workspace: bool,
    /// The systems that it may ask; none: all.
    pub systems: Option<BTreeSet<SystemName>>,
    /// The one environment in which it is good; none: all.
    pub environment: Option<EnvironmentName>,
    /// The highest criticality that its requests may claim.
    pub criticality: Criticality,
    /// What whoever shows it may do on the control plane.
    pub roles: BTreeSet<Role>,
    /// Its secrets that are good now, the newest first.
    pub secrets: Vec<SecretView>,
    /// When it was given.
    pub created_at: Option<Timestamp>,
    /// From when on it is not good any more.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// How a secret is known again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SecretView {
    /// How it begins and ends.
    pub hint: String,
    /// From when on it is not good any more; none: as long as the key is.
    pub until: Option<Timestamp>,
}

impl KeyView {
    /// The key as it stands after `event`.
    pub fn of(event: &KeyEvent, now: Timestamp) -> Self {
        let key = &event.key;
        let secrets = key.good_secrets(now).map(|secret| SecretView {
            hint: secret.hint.clone(),
            until: secret.until,
        });
        Self {
            tenant: key.tenant.clone(),
            name: key.name.clone(),
            state: key.state(now),
            of_workspace: false,
            systems: key.systems.clone(),
            environment: key.environment.clone(),
            criticality: key.criticality,
            roles: key.roles.clone(),
            secrets: secrets.collect(),
            created_at: Some(key.created_at),
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
        }
    }
}

/// Gives a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// Its name among the tenant's keys.
    pub name: KeyName,
    /// The systems that it may ask; null: all of them. It must be said.
    #[serde(deserialize_with = "Option::deserialize")]
    pub systems: Option<BTreeSet<SystemName>>,
    /// The one environment in which it is good; none: all.
    #[serde(default)]
    pub environment: Option<EnvironmentName>,
    /// The highest criticality that its requests may claim. Default: `normal`.
    #[serde(default)]
    pub criticality: Criticality,
    /// What whoever shows it may do on the control plane. Default: nothing.
    #[serde(default)]
    pub roles: BTreeSet<Role>,
    /// From when on it is not good any more.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// Gives a key a new secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotationRequest {
    /// For how many seconds the secret before it stays good. Default: a day; at most thirty.
    #[serde(default = "a_day")]
    pub overlap_seconds: u64,
}

/// The longest that two secrets of a key are good at a time, in seconds.
pub const OVERLAP_SECONDS_MAX: u64 = 30 * 86_400;

const fn a_day() -> u64 {
    86_400
}

/// Takes a key back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationRequest {
    /// Why.
    pub reason: String,
}

/// A key with its new secret, which is shown this once and kept nowhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GivenKey {
    /// The key.
    pub key: KeyView,
    /// What callers send.
    pub secret: String,
}
