//! Who may ask: the workspace's keys, held as digests under a pepper that lives as long as the process.

use std::collections::HashMap;
use std::sync::Arc;

use plimsoll_core::{KeyName, SystemName, TeamName, TenantName};
use plimsoll_spec::{Criticality, Key, KeyScope};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Somebody who was identified.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The key that was shown; none on a loopback listener of a workspace without keys.
    pub(crate) key: Option<KeyName>,
    /// Whose requests these are.
    pub(crate) tenant: TenantName,
    /// The team of the key.
    pub(crate) team: Option<TeamName>,
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
            team: None,
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

/// The keys that are known.
pub(crate) struct Keys {
    pepper: [u8; 32],
    by_digest: HashMap<[u8; 32], Arc<Caller>>,
    anonymous: Arc<Caller>,
}

impl Keys {
    /// These keys.
    pub(crate) fn new(keys: &[Key]) -> Self {
        let mut pepper = [0; 32];
        getrandom::fill(&mut pepper).expect("the operating system always has random bytes");
        let caller = |key: &Key| {
            Arc::new(Caller {
                key: Some(key.name.clone()),
                tenant: key.tenant.clone(),
                team: key.team.clone(),
                scope: key.scope.clone(),
                criticality: key.criticality,
            })
        };
        let digested = |key: &Key| (digest(&pepper, key.secret.expose().as_bytes()), caller(key));
        let by_digest = keys.iter().map(digested).collect();
        Self {
            pepper,
            by_digest,
            anonymous: Arc::new(Caller::anonymous()),
        }
    }

    /// Whoever asks when there are no keys.
    pub(crate) const fn anonymous(&self) -> &Arc<Caller> {
        &self.anonymous
    }

    /// Whether there are none, so that a loopback listener is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_digest.is_empty()
    }

    /// Who shows `presented`. Only digests under a secret pepper are looked up and compared, so
    /// that time tells nothing about the keys.
    pub(crate) fn find(&self, presented: &[u8]) -> Option<&Arc<Caller>> {
        let digest = digest(&self.pepper, presented);
        let (known, caller) = self.by_digest.get_key_value(&digest)?;
        bool::from(known.ct_eq(&digest)).then_some(caller)
    }
}

fn digest(pepper: &[u8; 32], key: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(pepper)
        .chain_update(key)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_the_systems_that_it_names_and_no_other() {
        let loan = SystemName::new("loan-default").unwrap();
        let keys = Keys::new(&[Key {
            name: KeyName::new("web").unwrap(),
            secret: plimsoll_core::Secret::new("s3cret".into()),
            scope: KeyScope::Systems([loan.clone()].into()),
            tenant: TenantName::default_tenant(),
            team: None,
            criticality: Criticality::Normal,
        }]);
        let caller = keys.find(b"s3cret").unwrap();
        assert!(caller.may_use(&loan));
        assert!(!caller.may_use(&SystemName::new("other").unwrap()));
        assert!(keys.find(b"s3cret ").is_none());
        assert!(keys.find(b"").is_none());
    }
}
