//! The identity provider through which people sign in to the control plane, and what its groups may do.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::{Role, Secret, TenantName};

/// The path to which the provider sends people back, below [`IdentityProvider::base_url`].
pub const CALLBACK: &str = "/api/v1/session/oidc/callback";

/// An `OpenID` Connect provider that vouches for people (`OpenID` Connect Core 1.0), as `[oidc]` names it.
#[derive(Clone, Debug)]
pub struct IdentityProvider {
    /// Its issuer identifier: what it says of itself is at `/.well-known/openid-configuration` below.
    pub issuer: String,
    /// What it calls this installation.
    pub client_id: String,
    /// What this installation shows to it; none for a public client, for which PKCE alone vouches.
    pub client_secret: Option<Secret>,
    /// Where browsers reach the control plane, without a `/` at the end.
    pub base_url: String,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim of the ID token that holds the groups.
    pub groups_claim: String,
    /// The claim that records call people by.
    pub name_claim: String,
    /// The claim that says what people call them.
    pub display_claim: String,
    /// What the members of each group may do.
    pub groups: BTreeMap<String, Grant>,
}

/// What the members of a group may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// What they may do.
    pub roles: BTreeSet<Role>,
    /// The tenants that they work for, one at a time; none: the whole installation.
    pub tenants: BTreeSet<TenantName>,
}

impl Grant {
    /// For whom its roles are: each tenant, or the installation.
    fn places(&self) -> impl Iterator<Item = Option<&TenantName>> {
        let installation = self.tenants.is_empty().then_some(None);
        installation
            .into_iter()
            .chain(self.tenants.iter().map(Some))
    }
}

impl IdentityProvider {
    /// For whom the members of `groups` may work, and what they may do there. Roles of one tenant are none of
    /// another's, and none of the installation's.
    pub fn granted<'a>(
        &self,
        groups: impl IntoIterator<Item = &'a str>,
    ) -> BTreeMap<Option<TenantName>, BTreeSet<Role>> {
        let mut granted: BTreeMap<_, BTreeSet<Role>> = BTreeMap::new();
        for grant in groups.into_iter().filter_map(|name| self.groups.get(name)) {
            for place in grant.places() {
                let roles = granted.entry(place.cloned()).or_default();
                roles.extend(&grant.roles);
            }
        }
        granted
    }

    /// Whether it is the same provider, asked in the same way: what its groups may do is another matter.
    pub fn is_asked_like(&self, other: &Self) -> bool {
        let secret = |of: &Self| of.client_secret.as_ref().map(|s| s.expose().to_owned());
        let asked = |of: &Self| {
            let texts = [&of.issuer, &of.client_id, &of.base_url].map(String::clone);
            (texts, of.scopes.clone())
        };
        asked(self) == asked(other) && secret(self) == secret(other)
    }

    /// Where the provider sends people back to.
    pub fn redirect_url(&self) -> String {
        format!("{}{CALLBACK}", self.base_url)
    }
}
