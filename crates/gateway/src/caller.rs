//! Who may ask: the workspace's keys and those that the control plane gave, found by an HMAC of what was
//! shown, in memory alone.
//!
//! No request waits for a database to be let in, and none is turned away because one is silent. A key that
//! is not known costs one HMAC and one look into a table, and leaves nothing behind: nothing is kept, or
//! cached, of what was shown. Only digests under the pepper are looked up and compared, in constant time.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use hmac::{Hmac, KeyInit as _, Mac as _};
use plimsoll_core::keyring::{KeyEvent, Keyring};
use plimsoll_core::{
    Criticality, Digest, EnvironmentName, KeyName, Role, Secret, SystemName, TenantName, Timestamp,
};
use plimsoll_spec::{Key, KeyScope, Workspace};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// The longest key that is looked up, in bytes, unless the workspace has a longer one.
const KEY_BYTES_MAX: usize = 256;

/// Somebody who was identified.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The key that was shown; none on a loopback listener of a workspace without keys.
    pub(crate) key: Option<KeyName>,
    /// Whose requests these are.
    pub(crate) tenant: TenantName,
    scope: KeyScope,
    /// The highest criticality that its requests may claim, and theirs unless they say.
    pub(crate) criticality: Criticality,
}

impl Caller {
    /// Whoever asks on a loopback listener of a workspace without keys, and the operator in process.
    pub(crate) fn anonymous() -> Self {
        Self {
            key: None,
            tenant: TenantName::default_tenant(),
            scope: KeyScope::All,
            criticality: Criticality::Critical,
        }
    }

    /// The same, on behalf of `tenant`.
    pub(crate) fn operator(tenant: TenantName) -> Self {
        Self {
            tenant,
            ..Self::anonymous()
        }
    }

    /// Whether this caller may use `system`.
    pub(crate) fn may_use(&self, system: &SystemName) -> bool {
        self.scope.allows(system)
    }
}

/// Makes of a secret what is kept of it: HMAC-SHA-256 (RFC 2104) under the pepper, apart from all else
/// that is made with it.
#[derive(Clone)]
pub(crate) struct KeyDigester {
    keyed: Hmac<Sha256>,
    pepper: String,
}

impl KeyDigester {
    pub(crate) fn new(pepper: &Secret) -> Self {
        let keyed = |purpose: &[u8]| {
            let mac = Hmac::<Sha256>::new_from_slice(pepper.expose().as_bytes());
            let mut mac = mac.expect("HMAC takes a key of any length");
            mac.update(purpose);
            mac
        };
        let id: [u8; 32] = keyed(b"pepper\0").finalize().into_bytes().into();
        Self {
            keyed: keyed(b"caller-key\0"),
            pepper: Digest::from_bytes(id).short(),
        }
    }

    /// What is kept of `secret`.
    pub(crate) fn digest(&self, secret: &[u8]) -> Digest {
        let mut mac = self.keyed.clone();
        mac.update(secret);
        Digest::from_bytes(mac.finalize().into_bytes().into())
    }

    /// Names the pepper; says nothing of it.
    pub(crate) fn pepper(&self) -> &str {
        &self.pepper
    }
}

/// Why somebody who shows a key is not let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum NotLetIn {
    /// No such key, or it was revoked.
    Unknown,
    /// The key's time, or its secret's, is over.
    Expired,
    /// The key is good somewhere else.
    Elsewhere(EnvironmentName),
}

/// What is known behind a digest.
#[derive(Debug)]
struct Entry {
    caller: Arc<Caller>,
    /// What whoever shows it may do on the control plane.
    roles: BTreeSet<Role>,
    /// From when on it is not good any more.
    until: Option<Timestamp>,
    /// The environment in which it is good, if that is another one.
    elsewhere: Option<EnvironmentName>,
}

/// The keys that the control plane gave, as they stand now. All snapshots share them.
pub(crate) struct ManagedKeys {
    environment: EnvironmentName,
    pepper: String,
    known: ArcSwap<Managed>,
}

#[derive(Debug, Default)]
struct Managed {
    by_digest: HashMap<Digest, Entry>,
    /// Whether a key was ever given: from then on nobody is let in without one.
    any: bool,
    /// Keys whose secrets are kept under another pepper, so that they are unknown here.
    foreign: usize,
}

impl ManagedKeys {
    pub(crate) fn new(environment: EnvironmentName, digester: &KeyDigester) -> Self {
        Self {
            environment,
            pepper: digester.pepper.clone(),
            known: ArcSwap::default(),
        }
    }

    /// From now on the keys stand as `ring` says.
    pub(crate) fn replace(&self, ring: &Keyring) {
        let mut managed = Managed {
            any: !ring.is_empty(),
            ..Managed::default()
        };
        for event in ring.events() {
            self.add(&mut managed, event);
        }
        self.known.store(Arc::new(managed));
    }

    fn add(&self, managed: &mut Managed, event: &KeyEvent) {
        let key = &event.key;
        let caller = Arc::new(Caller {
            key: Some(key.name.clone()),
            tenant: key.tenant.clone(),
            scope: key.systems.clone().map_or(KeyScope::All, KeyScope::Systems),
            criticality: key.criticality,
        });
        let other = key.environment.as_ref();
        let elsewhere = other.filter(|environment| **environment != self.environment);
        let here = |pepper: &str| pepper == self.pepper;
        if key.secrets.iter().any(|secret| !here(&secret.pepper)) {
            managed.foreign += 1;
        }
        for secret in key.secrets.iter().filter(|secret| here(&secret.pepper)) {
            let entry = Entry {
                caller: Arc::clone(&caller),
                roles: key.roles.clone(),
                until: [key.expires_at, secret.until].into_iter().flatten().min(),
                elsewhere: elsewhere.cloned(),
            };
            managed.by_digest.insert(secret.digest, entry);
        }
    }

    /// Whose key with this digest is, if it is good here and now, and what it lets do on the control plane.
    pub(crate) fn holder(
        &self,
        digest: Digest,
        now: Timestamp,
    ) -> Option<(Arc<Caller>, BTreeSet<Role>)> {
        let known = self.known.load();
        let (stored, entry) = known.by_digest.get_key_value(&digest)?;
        let is_same = bool::from(stored.as_bytes().ct_eq(digest.as_bytes()));
        let good = entry.elsewhere.is_none() && entry.until.is_none_or(|until| until > now);
        (is_same && good).then(|| (Arc::clone(&entry.caller), entry.roles.clone()))
    }

    /// How many keys are unknown here as their secrets are kept under another pepper.
    pub(crate) fn foreign(&self) -> usize {
        self.known.load().foreign
    }
}

/// What a node's snapshots share of who may ask.
pub(crate) struct Access {
    pub(crate) digester: KeyDigester,
    pub(crate) managed: Arc<ManagedKeys>,
}

impl Access {
    /// The keys of `workspace`, and those that the control plane gave.
    pub(crate) fn keys(&self, workspace: &Workspace) -> Keys {
        let (digester, managed) = (self.digester.clone(), Arc::clone(&self.managed));
        let required = workspace.server.require_keys;
        Keys::new(&workspace.keys, required, digester, managed)
    }
}

/// The keys that are known.
pub(crate) struct Keys {
    digester: KeyDigester,
    by_digest: HashMap<Digest, Arc<Caller>>,
    managed: Arc<ManagedKeys>,
    bytes_max: usize,
    required: bool,
    anonymous: Arc<Caller>,
}

impl Keys {
    /// These keys of the workspace, and those that are `managed`.
    pub(crate) fn new(
        keys: &[Key],
        required: bool,
        digester: KeyDigester,
        managed: Arc<ManagedKeys>,
    ) -> Self {
        let caller = |key: &Key| {
            Arc::new(Caller {
                key: Some(key.name.clone()),
                tenant: key.tenant.clone(),
                scope: key.scope.clone(),
                criticality: key.criticality,
            })
        };
        let secret = |key: &Key| key.secret.expose().as_bytes().to_vec();
        let lengths = keys.iter().map(|key| secret(key).len());
        Self {
            bytes_max: lengths.max().unwrap_or_default().max(KEY_BYTES_MAX),
            by_digest: keys
                .iter()
                .map(|key| (digester.digest(&secret(key)), caller(key)))
                .collect(),
            digester,
            managed,
            required,
            anonymous: Arc::new(Caller::anonymous()),
        }
    }

    /// Whoever asks without a key, where none is asked for: no workspace key, and none was ever given.
    pub(crate) fn open_to(&self) -> Option<&Arc<Caller>> {
        let open = !self.required && self.by_digest.is_empty() && !self.managed.known.load().any;
        open.then_some(&self.anonymous)
    }

    /// Who shows `presented` at the time that `now` tells, which is asked for only if the key has an end.
    ///
    /// # Errors
    /// If nobody does who may be let in here and now.
    pub(crate) fn find(
        &self,
        presented: &[u8],
        now: impl FnOnce() -> Timestamp,
    ) -> Result<Arc<Caller>, NotLetIn> {
        if presented.is_empty() || presented.len() > self.bytes_max {
            return Err(NotLetIn::Unknown);
        }
        let digest = self.digester.digest(presented);
        let is = |known: &Digest| bool::from(known.as_bytes().ct_eq(digest.as_bytes()));
        if let Some((known, caller)) = self.by_digest.get_key_value(&digest) {
            return is(known)
                .then(|| Arc::clone(caller))
                .ok_or(NotLetIn::Unknown);
        }
        let managed = self.managed.known.load();
        let found = managed.by_digest.get_key_value(&digest);
        let (_, entry) = found
            .filter(|(known, _)| is(known))
            .ok_or(NotLetIn::Unknown)?;
        if let Some(elsewhere) = &entry.elsewhere {
            return Err(NotLetIn::Elsewhere(elsewhere.clone()));
        }
        if entry.until.is_some_and(|until| until <= now()) {
            return Err(NotLetIn::Expired);
        }
        Ok(Arc::clone(&entry.caller))
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::EventId;
    use plimsoll_core::keyring::{KeyChange, KeySecret, ManagedKey};

    use super::*;

    const SECRET: &[u8] = b"plim_live_0123456789";

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn digester() -> KeyDigester {
        KeyDigester::new(&Secret::new("pepper".into()))
    }

    fn managed_keys() -> Arc<ManagedKeys> {
        let environment = EnvironmentName::new("production").unwrap();
        Arc::new(ManagedKeys::new(environment, &digester()))
    }

    fn keys_of(managed: &Arc<ManagedKeys>) -> Keys {
        Keys::new(&[], false, digester(), Arc::clone(managed))
    }

    fn given() -> ManagedKey {
        let digester = digester();
        ManagedKey {
            tenant: TenantName::new("acme").unwrap(),
            name: KeyName::new("web").unwrap(),
            systems: Some([SystemName::new("loan-default").unwrap()].into()),
            environment: None,
            criticality: Criticality::Sheddable,
            roles: Default::default(),
            created_at: at(0),
            expires_at: None,
            revoked_at: None,
            secrets: vec![KeySecret {
                digest: digester.digest(SECRET),
                pepper: digester.pepper().to_owned(),
                hint: "plim_live_…6789".into(),
                until: None,
            }],
        }
    }

    fn ring(key: ManagedKey) -> Keyring {
        let mut ring = Keyring::default();
        ring.note_key(&KeyEvent {
            id: EventId::new(at(1)),
            change: KeyChange::Created,
            key,
            reason: None,
            actor: "ann".into(),
            at: at(1),
        });
        ring
    }

    /// What a node says to `SECRET` that holds `key`.
    fn shown(key: ManagedKey) -> Result<Arc<Caller>, NotLetIn> {
        let managed = managed_keys();
        managed.replace(&ring(key));
        keys_of(&managed).find(SECRET, || at(100))
    }

    #[test]
    fn a_key_opens_the_systems_that_it_names_and_no_other() {
        let loan = SystemName::new("loan-default").unwrap();
        let key = Key {
            name: KeyName::new("web").unwrap(),
            secret: Secret::new("s3cret".into()),
            scope: KeyScope::Systems([loan.clone()].into()),
            tenant: TenantName::default_tenant(),
            criticality: Criticality::Normal,
        };
        let keys = Keys::new(&[key], false, digester(), managed_keys());
        let caller = keys.find(b"s3cret", || at(1)).unwrap();
        assert!(caller.may_use(&loan));
        assert!(!caller.may_use(&SystemName::new("other").unwrap()));
        for bad in [&b"s3cret "[..], b"", b"s3cre", &[b'x'; 100_000]] {
            let refused = keys.find(bad, || at(1)).unwrap_err();
            assert_eq!(refused, NotLetIn::Unknown);
        }
        let caller = shown(given()).unwrap();
        assert!(caller.may_use(&loan) && !caller.may_use(&SystemName::new("other").unwrap()));
        assert_eq!(caller.tenant.as_str(), "acme");
        assert_eq!(caller.criticality, Criticality::Sheddable);
    }

    #[test]
    fn a_key_is_good_where_and_as_long_as_it_says() {
        let staging = EnvironmentName::new("staging").unwrap();
        let elsewhere = ManagedKey {
            environment: Some(staging.clone()),
            ..given()
        };
        assert_eq!(shown(elsewhere).unwrap_err(), NotLetIn::Elsewhere(staging));
        for (until, good) in [(99, false), (100, false), (101, true)] {
            let expiring = ManagedKey {
                expires_at: Some(at(until)),
                ..given()
            };
            assert_eq!(shown(expiring).is_ok(), good, "{until}");
        }
        let revoked = shown(given().revoked(at(2))).unwrap_err();
        assert_eq!(revoked, NotLetIn::Unknown);
    }

    #[test]
    fn both_secrets_are_good_until_a_rotation_is_over() {
        let fresh = KeySecret {
            digest: digester().digest(b"plim_live_fresh"),
            ..given().secrets.remove(0)
        };
        let managed = managed_keys();
        managed.replace(&ring(given().rotated(fresh, at(50))));
        let keys = keys_of(&managed);
        assert!(keys.find(SECRET, || at(49)).is_ok());
        assert_eq!(keys.find(SECRET, || at(50)).unwrap_err(), NotLetIn::Expired);
        assert!(keys.find(b"plim_live_fresh", || at(50)).is_ok());
    }

    #[test]
    fn nobody_is_let_in_without_a_key_once_one_was_given_also_after_it_was_revoked() {
        let managed = managed_keys();
        let keys = keys_of(&managed);
        assert!(keys.open_to().is_some());
        managed.replace(&ring(given().revoked(at(2))));
        assert!(keys.open_to().is_none());
        let required = Keys::new(&[], true, digester(), managed_keys());
        assert!(required.open_to().is_none());
    }

    #[test]
    fn a_key_under_another_pepper_is_unknown_and_counted() {
        let mut key = given();
        key.secrets[0].pepper = "another".into();
        let managed = managed_keys();
        managed.replace(&ring(key));
        assert_eq!(managed.foreign(), 1);
        assert!(keys_of(&managed).find(SECRET, || at(1)).is_err());
    }
}
