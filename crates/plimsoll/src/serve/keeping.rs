//! Tenants and keys of a running node, as its operators make them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_console::{
    ApiError, GivenKey, KeyHolder, KeyHolders, KeyRequest, KeyView, RotationRequest, SecretView,
    TenantRequest, TenantView,
};
use plimsoll_core::keyring::{
    KEYS_MAX, KeyChange, KeyEvent, KeySecret, KeyState, Keyring, ManagedKey, TENANTS_MAX,
    TenantEvent,
};
use plimsoll_core::{KeyName, Secret, Tenancy, TenantName};
use plimsoll_gateway::Node;
use plimsoll_journal::AppendError;
use plimsoll_spec::{Key, KeyScope};

use super::live_node::{LiveNode, not_recorded};
use crate::held_keys::Change;
use crate::key_secret;

/// Why nothing was changed.
struct Refused(ApiError);

impl From<AppendError> for Refused {
    fn from(error: AppendError) -> Self {
        Self(not_recorded(&error))
    }
}

impl LiveNode {
    /// The tenants that were made, that keys of the workspace name, and the default one.
    pub(super) async fn known_tenants(&self, tenancy: &Tenancy) -> Vec<TenantView> {
        let (ring, served) = (self.keys.now().await, self.served());
        let mut names: BTreeSet<TenantName> = [TenantName::default_tenant()].into();
        names.extend(ring.tenants().map(|event| event.tenant.clone()));
        names.extend(served.keys.iter().map(|key| key.tenant.clone()));
        let now = self.clock.now();
        let view = |tenant: TenantName| {
            let made = ring.tenants().find(|event| event.tenant == tenant);
            let good = |event: &&KeyEvent| {
                let state = event.key.state(now);
                event.key.tenant == tenant && matches!(state, KeyState::Active | KeyState::Rotating)
            };
            let of_files = served.keys.iter().filter(|key| key.tenant == tenant);
            TenantView {
                note: made.and_then(|event| event.note.clone()),
                made_at: made.map(|event| event.at),
                keys: (ring.events().filter(good).count() + of_files.count()) as u64,
                tenant,
            }
        };
        let covered = names.into_iter().filter(|tenant| tenancy.covers(tenant));
        covered.map(view).collect()
    }

    pub(super) async fn make_one(
        &self,
        request: TenantRequest,
        actor: &str,
    ) -> Result<TenantView, ApiError> {
        let tenant = request.tenant.clone();
        let is_known = |known: &TenantView| known.tenant == tenant && known.made_at.is_none();
        let before = self.known_tenants(&Tenancy::Installation).await;
        if before.iter().any(is_known) {
            let message = format!("there is tenant `{tenant}` already: plimsoll.toml names it");
            return Err(ApiError::key_refused(message));
        }
        let changed = self.keys.change(|ring, id, at| {
            if ring.has_tenant(&tenant) {
                let message = format!("there is tenant `{tenant}` already");
                return Err(Refused(ApiError::key_refused(message)));
            }
            if ring.tenants().count() >= TENANTS_MAX {
                let message = format!("there are {TENANTS_MAX} tenants: no more are held");
                return Err(Refused(ApiError::key_refused(message)));
            }
            Ok(Change::Tenant(TenantEvent {
                id,
                tenant: tenant.clone(),
                note: request.note,
                actor: actor.to_owned(),
                at,
            }))
        });
        changed.await.map_err(|Refused(error)| error)?;
        let mut made = self.known_tenants(&Tenancy::Tenant(tenant)).await;
        made.pop()
            .ok_or_else(|| ApiError::no_tenant("the tenant is not there any more"))
    }

    /// All keys, those of the workspace's files too.
    pub(super) async fn known_keys(&self, tenancy: &Tenancy) -> Vec<KeyView> {
        let now = self.clock.now();
        let ring = self.keys.now().await;
        let given = ring.events().map(|event| KeyView::of(event, now));
        let served = self.served();
        let of_files = served.keys.iter().map(of_workspace);
        let mut keys: Vec<KeyView> = given
            .chain(of_files)
            .filter(|key| tenancy.covers(&key.tenant))
            .collect();
        keys.sort_by(|a, b| (&a.tenant, &a.name).cmp(&(&b.tenant, &b.name)));
        keys
    }

    pub(super) async fn give(
        &self,
        tenant: &TenantName,
        request: KeyRequest,
        actor: &str,
    ) -> Result<GivenKey, ApiError> {
        self.check_request(tenant, &request).await?;
        let secret = key_secret::fresh();
        let kept = self.kept_of(&secret);
        let mut given = None;
        let changed = self.keys.change(|ring, id, at| {
            check_room(ring, tenant, &request.name)?;
            if request.expires_at.is_some_and(|expiry| expiry <= at) {
                let message = "`expires_at` is over already: the key would never be good";
                return Err(Refused(ApiError::unfit(message)));
            }
            let key = ManagedKey {
                tenant: tenant.clone(),
                name: request.name,
                systems: request.systems,
                environment: request.environment,
                criticality: request.criticality,
                roles: request.roles,
                created_at: at,
                expires_at: request.expires_at,
                revoked_at: None,
                secrets: vec![kept],
            };
            let event = KeyEvent {
                id,
                change: KeyChange::Created,
                key,
                reason: None,
                actor: actor.to_owned(),
                at,
            };
            given = Some(KeyView::of(&event, at));
            Ok(Change::Key(event))
        });
        changed.await.map_err(|Refused(error)| error)?;
        told(given, &secret)
    }

    pub(super) async fn rotate(
        &self,
        tenant: &TenantName,
        name: &KeyName,
        request: RotationRequest,
        actor: &str,
    ) -> Result<GivenKey, ApiError> {
        self.check_changeable(tenant, name)?;
        let secret = key_secret::fresh();
        let kept = self.kept_of(&secret);
        let overlap = Duration::from_secs(request.overlap_seconds);
        let mut given = None;
        let changed = self.keys.change(|ring, id, at| {
            let known = known(ring, tenant, name)?;
            match known.key.state(at) {
                KeyState::Active | KeyState::Rotating => {}
                state @ (KeyState::Expired | KeyState::Revoked) => {
                    let state = state.as_str();
                    let message = format!("key `{tenant}/{name}` is {state}: no secret revives it");
                    let refused = ApiError::key_refused(message);
                    return Err(Refused(refused.hint("give another key")));
                }
            }
            let event = KeyEvent {
                id,
                change: KeyChange::Rotated,
                key: known.key.clone().rotated(kept, at.plus(overlap)),
                reason: None,
                actor: actor.to_owned(),
                at,
            };
            given = Some(KeyView::of(&event, at));
            Ok(Change::Key(event))
        });
        changed.await.map_err(|Refused(error)| error)?;
        told(given, &secret)
    }

    pub(super) async fn revoke(
        &self,
        tenant: &TenantName,
        name: &KeyName,
        reason: String,
        actor: &str,
    ) -> Result<KeyView, ApiError> {
        self.check_changeable(tenant, name)?;
        let mut revoked = None;
        let changed = self.keys.change(|ring, id, at| {
            let known = known(ring, tenant, name)?;
            if known.key.revoked_at.is_some() {
                let message = format!("key `{tenant}/{name}` was revoked already");
                return Err(Refused(ApiError::key_refused(message)));
            }
            let event = KeyEvent {
                id,
                change: KeyChange::Revoked,
                key: known.key.clone().revoked(at),
                reason: Some(reason),
                actor: actor.to_owned(),
                at,
            };
            revoked = Some(KeyView::of(&event, at));
            Ok(Change::Key(event))
        });
        changed.await.map_err(|Refused(error)| error)?;
        revoked.ok_or_else(|| ApiError::no_key("the key is not there any more"))
    }

    fn kept_of(&self, secret: &Secret) -> KeySecret {
        let (digest, pepper) = self.node.key_digest(secret);
        KeySecret {
            digest,
            pepper,
            hint: key_secret::hint(secret),
            until: None,
        }
    }

    /// Whether there are such a tenant and such systems, and no key of the workspace has the name.
    async fn check_request(
        &self,
        tenant: &TenantName,
        request: &KeyRequest,
    ) -> Result<(), ApiError> {
        let theirs = Tenancy::Tenant(tenant.clone());
        if self.known_tenants(&theirs).await.is_empty() {
            let message = format!("there is no tenant `{tenant}`");
            let hint = format!("`plimsoll tenant create {tenant}` makes it");
            return Err(ApiError::no_tenant(message).hint(hint));
        }
        self.check_changeable(tenant, &request.name)?;
        let served = self.served();
        let mut named = request.systems.iter().flatten();
        match named.find(|system| !served.systems.contains_key(*system)) {
            Some(unknown) => Err(ApiError::no_system(unknown.as_str())),
            None => Ok(()),
        }
    }

    fn check_changeable(&self, tenant: &TenantName, name: &KeyName) -> Result<(), ApiError> {
        let served = self.served();
        let mut of_files = served.keys.iter();
        if of_files.any(|key| key.tenant == *tenant && key.name == *name) {
            let message = format!("key `{tenant}/{name}` stands in plimsoll.toml");
            let hint = format!("change `[keys.{name}]` there, or choose another name");
            return Err(ApiError::key_refused(message).hint(hint));
        }
        Ok(())
    }
}

fn known<'a>(
    ring: &'a Keyring,
    tenant: &TenantName,
    name: &KeyName,
) -> Result<&'a KeyEvent, Refused> {
    ring.event(tenant, name).ok_or_else(|| {
        let message = format!("there is no key `{tenant}/{name}`");
        let hint = "`plimsoll key list` shows those that there are";
        Refused(ApiError::no_key(message).hint(hint))
    })
}

/// A name is given once: records of a key that was revoked go on meaning that one.
fn check_room(ring: &Keyring, tenant: &TenantName, name: &KeyName) -> Result<(), Refused> {
    if ring.event(tenant, name).is_some() {
        let message = format!("there is, or was, a key `{tenant}/{name}`");
        let hint = "choose another name: records go on naming the old one";
        return Err(Refused(ApiError::key_refused(message).hint(hint)));
    }
    if ring.len() >= KEYS_MAX {
        let message = format!("{KEYS_MAX} keys were given: no more are held");
        return Err(Refused(ApiError::key_refused(message)));
    }
    Ok(())
}

fn told(given: Option<KeyView>, secret: &Secret) -> Result<GivenKey, ApiError> {
    let key = given.ok_or_else(|| ApiError::no_key("the key is not there any more"))?;
    Ok(GivenKey {
        key,
        secret: secret.expose().to_owned(),
    })
}

fn of_workspace(key: &Key) -> KeyView {
    KeyView {
        tenant: key.tenant.clone(),
        name: key.name.clone(),
        state: KeyState::Active,
        of_workspace: true,
        systems: match &key.scope {
            KeyScope::All => None,
            KeyScope::Systems(systems) => Some(systems.clone()),
        },
        environment: None,
        criticality: key.criticality,
        roles: BTreeSet::new(),
        secrets: vec![SecretView {
            hint: "in plimsoll.toml, by reference".to_owned(),
            until: None,
        }],
        created_at: None,
        expires_at: None,
        revoked_at: None,
    }
}

/// Whoever shows a key with roles to the control plane.
pub(super) struct OfNode(pub(super) Arc<Node>);

impl std::fmt::Debug for OfNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OfNode")
    }
}

impl KeyHolders for OfNode {
    fn holder(&self, shown: &str) -> Option<KeyHolder> {
        let (tenant, key, roles) = self.0.key_roles(shown.as_bytes())?;
        (!roles.is_empty()).then_some(KeyHolder { key, tenant, roles })
    }
}
