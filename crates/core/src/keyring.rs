//! Tenants, and the keys that they were given: each change is a record, and what stands is the fold over
//! all of them.
//!
//! The fold is the same in every node and in any order of arrival: of two events about one key the later
//! stands, and a key that was revoked stays revoked, whatever else is said of it. No event holds a secret:
//! what is kept of one is an HMAC under the installation's pepper, and it has 256 bits of randomness, so
//! that nobody finds it by guessing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::EventId;
use crate::names::{EnvironmentName, KeyName, SystemName, TenantName};
use crate::role::{Criticality, Role};

/// The most keys that are held, revoked ones included; past that no key is given.
pub const KEYS_MAX: usize = 10_000;

/// The most tenants that are held.
pub const TENANTS_MAX: usize = 1_000;

/// The most secrets of one key that are good at a time: the new one, and the one before it.
pub const SECRETS_MAX: usize = 2;

/// A tenant was made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TenantEvent {
    /// Names the event.
    pub id: EventId,
    /// Which.
    pub tenant: TenantName,
    /// Who or what it is, in words.
    pub note: Option<String>,
    /// Who made it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// A key was given, rotated or revoked. The event tells all that stands of the key after it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyEvent {
    /// Names the event.
    pub id: EventId,
    /// What happened.
    pub change: KeyChange,
    /// The key as it stands from now on.
    pub key: ManagedKey,
    /// Why, in words.
    pub reason: Option<String>,
    /// Who did it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// What happened to a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyChange {
    /// It was given.
    Created,
    /// It got a new secret; the one before goes on until its time is over.
    Rotated,
    /// No secret of it is good any more, for ever.
    Revoked,
}

/// A key that the control plane gave.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ManagedKey {
    /// Whose it is.
    pub tenant: TenantName,
    /// Its name among the tenant's keys.
    pub name: KeyName,
    /// The systems that it may ask; none: every system, also those that come later.
    pub systems: Option<BTreeSet<SystemName>>,
    /// The one environment in which it is good; none: all.
    pub environment: Option<EnvironmentName>,
    /// The highest criticality that its requests may claim, and theirs unless they say.
    pub criticality: Criticality,
    /// What whoever shows it may do on the control plane, within its tenant; mostly nothing.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<Role>,
    /// When it was given.
    pub created_at: Timestamp,
    /// From when on it is not good any more.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Its secrets, the newest first, at most [`SECRETS_MAX`]; none once it is revoked.
    pub secrets: Vec<KeySecret>,
}

/// What is kept of a secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeySecret {
    /// HMAC-SHA-256 of the secret (RFC 2104) under the installation's pepper.
    pub digest: Digest,
    /// Which pepper, by a digest of it: a node with another pepper cannot know the secret.
    pub pepper: String,
    /// How it begins and ends, so that people know it again: `plim_live_…x7Qa`.
    pub hint: String,
    /// From when on it is not good any more; none: as long as the key is.
    pub until: Option<Timestamp>,
}

impl ManagedKey {
    /// How it stands.
    pub fn state(&self, now: Timestamp) -> KeyState {
        if self.revoked_at.is_some() {
            return KeyState::Revoked;
        }
        if self.expires_at.is_some_and(|expiry| expiry <= now) {
            return KeyState::Expired;
        }
        if self.good_secrets(now).count() > 1 {
            return KeyState::Rotating;
        }
        KeyState::Active
    }

    /// The secrets that are good now, as far as their own time goes.
    pub fn good_secrets(&self, now: Timestamp) -> impl Iterator<Item = &KeySecret> {
        let good = move |secret: &&KeySecret| secret.until.is_none_or(|until| until > now);
        self.secrets.iter().filter(good)
    }

    /// The same key with a new secret; the newest until now stays good until `until`, and one before that
    /// not at all.
    #[must_use]
    pub fn rotated(mut self, mut fresh: KeySecret, until: Timestamp) -> Self {
        fresh.until = None;
        self.secrets.truncate(1);
        for secret in &mut self.secrets {
            secret.until = Some(until);
        }
        self.secrets.insert(0, fresh);
        self
    }

    /// The same key, revoked.
    #[must_use]
    pub fn revoked(mut self, at: Timestamp) -> Self {
        self.revoked_at = Some(self.revoked_at.unwrap_or(at));
        self.secrets.clear();
        self
    }
}

/// How a key stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Its secret is good.
    Active,
    /// Two of its secrets are good.
    Rotating,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

impl KeyState {
    /// The state in one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Rotating => "rotating",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// All tenants and keys: the fold over their events.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Keyring {
    tenants: BTreeMap<TenantName, TenantEvent>,
    /// The latest event of each key, by tenant and name.
    keys: BTreeMap<TenantName, BTreeMap<KeyName, KeyEvent>>,
}

impl Keyring {
    /// Takes an event in. `false` if it changes nothing: it was known, or what stands is later.
    pub fn note_tenant(&mut self, event: &TenantEvent) -> bool {
        let known = self.tenants.get(&event.tenant);
        if known.is_some_and(|known| known.id <= event.id) {
            return false;
        }
        self.tenants.insert(event.tenant.clone(), event.clone());
        true
    }

    /// Takes an event in. `false` if it changes nothing.
    pub fn note_key(&mut self, event: &KeyEvent) -> bool {
        let tenant = self.keys.entry(event.key.tenant.clone()).or_default();
        let stands = tenant.get(&event.key.name).is_some_and(|known| {
            let rank = |event: &KeyEvent| (event.key.revoked_at.is_some(), event.id);
            rank(known) >= rank(event)
        });
        if stands {
            return false;
        }
        tenant.insert(event.key.name.clone(), event.clone());
        true
    }

    /// Takes in all that `other` knows. `false` if that changes nothing.
    pub fn take_in(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for tenant in other.tenants.values() {
            changed |= self.note_tenant(tenant);
        }
        for event in other.events() {
            changed |= self.note_key(event);
        }
        changed
    }

    /// The tenants that were made, by name.
    pub fn tenants(&self) -> impl Iterator<Item = &TenantEvent> {
        self.tenants.values()
    }

    /// Whether this tenant was made.
    pub fn has_tenant(&self, tenant: &TenantName) -> bool {
        self.tenants.contains_key(tenant)
    }

    /// The latest event of each key, by tenant and name.
    pub fn events(&self) -> impl Iterator<Item = &KeyEvent> {
        self.keys.values().flat_map(BTreeMap::values)
    }

    /// The latest event of one key.
    pub fn event(&self, tenant: &TenantName, name: &KeyName) -> Option<&KeyEvent> {
        self.keys.get(tenant)?.get(name)
    }

    /// How many keys there are, revoked ones included.
    pub fn len(&self) -> usize {
        self.keys.values().map(BTreeMap::len).sum()
    }

    /// Whether no key was ever given.
    pub fn is_empty(&self) -> bool {
        self.keys.values().all(BTreeMap::is_empty)
    }

    /// When the latest event was written: what is said next of a key is later, also after a clock was set
    /// back.
    pub fn newest(&self) -> Option<Timestamp> {
        let tenants = self.tenants.values().map(|event| event.id.made_at());
        let keys = self.events().map(|event| event.id.made_at());
        tenants.chain(keys).max()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros * 1_000_000)
    }

    fn secret(letter: &str) -> KeySecret {
        KeySecret {
            digest: Digest::of(letter.as_bytes()),
            pepper: "p".into(),
            hint: letter.into(),
            until: None,
        }
    }

    fn key() -> ManagedKey {
        ManagedKey {
            tenant: TenantName::new("acme").unwrap(),
            name: KeyName::new("web").unwrap(),
            systems: None,
            environment: None,
            criticality: Criticality::Normal,
            roles: BTreeSet::new(),
            created_at: at(0),
            expires_at: None,
            revoked_at: None,
            secrets: vec![secret("a")],
        }
    }

    fn event(change: KeyChange, key: ManagedKey, when: i64) -> KeyEvent {
        KeyEvent {
            id: EventId::new(at(when)),
            change,
            key,
            reason: None,
            actor: "ann".into(),
            at: at(when),
        }
    }

    #[test]
    fn two_secrets_are_good_while_a_key_is_rotated_and_one_after() {
        let rotated = key().rotated(secret("b"), at(10).plus(DAY));
        let good = |now| -> Vec<&str> {
            let secrets = rotated.good_secrets(now);
            secrets.map(|secret| &*secret.hint).collect()
        };
        assert_eq!(good(at(11)), ["b", "a"]);
        assert_eq!(rotated.state(at(11)), KeyState::Rotating);
        assert_eq!(good(at(10).plus(DAY)), ["b"]);
        assert_eq!(rotated.state(at(10).plus(DAY)), KeyState::Active);
        let again = rotated.clone().rotated(secret("c"), at(20).plus(DAY));
        let hints: Vec<&str> = again.secrets.iter().map(|secret| &*secret.hint).collect();
        assert_eq!(hints, ["c", "b"]);
    }

    #[test]
    fn a_key_ends_at_its_expiry() {
        let key = ManagedKey {
            expires_at: Some(at(100)),
            ..key()
        };
        assert_eq!(key.state(at(99)), KeyState::Active);
        assert_eq!(key.state(at(100)), KeyState::Expired);
    }

    #[test]
    fn a_revoked_key_stays_revoked_whatever_is_said_later() {
        let mut ring = Keyring::default();
        let revoked = event(KeyChange::Revoked, key().revoked(at(5)), 5);
        assert!(ring.note_key(&event(KeyChange::Created, key(), 1)));
        assert!(ring.note_key(&revoked));
        let late = key().rotated(secret("b"), at(20));
        assert!(!ring.note_key(&event(KeyChange::Rotated, late, 9)));
        assert!(!ring.note_key(&revoked));
        let stands = ring.events().next().unwrap();
        assert_eq!(stands.key.state(at(9)), KeyState::Revoked);
        assert!(stands.key.secrets.is_empty());
        assert!(!ring.is_empty());
    }

    #[test]
    fn an_old_event_without_roles_reads_back() {
        let text = serde_json::to_string(&event(KeyChange::Created, key(), 1)).unwrap();
        assert!(!text.contains("roles"), "{text}");
        let read: KeyEvent = serde_json::from_str(&text).unwrap();
        assert!(read.key.roles.is_empty());
    }

    proptest! {
        #[test]
        fn every_order_of_arrival_comes_to_the_same(order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle()) {
            let mut stands = key();
            let events: Vec<KeyEvent> = (0..8_i64).map(|step| {
                let change = match step {
                    5 => { stands = stands.clone().revoked(at(step)); KeyChange::Revoked }
                    _ => { stands = stands.clone().rotated(secret(&step.to_string()), at(99)); KeyChange::Rotated }
                };
                event(change, stands.clone(), step)
            }).collect();
            let mut in_order = Keyring::default();
            events.iter().for_each(|event| { in_order.note_key(event); });
            let mut shuffled = Keyring::default();
            for place in order {
                shuffled.note_key(&events[place]);
            }
            prop_assert_eq!(in_order, shuffled);
        }
    }
}
