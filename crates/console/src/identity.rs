//! People sign in through an identity provider: `OpenID` Connect Core 1.0, the authorization code flow with
//! PKCE (RFC 7636).
//!
//! The provider is the operator's choice, and nothing that a caller sends steers what is called or where
//! anybody is sent: the addresses are the provider's own, the way back is `oidc.base_url`, and nobody is sent
//! on from there. What a person may do follows from their groups, by the workspace as it stands at each
//! request: a group that is mapped no longer opens nothing any more, also to who signed in before.

mod claims;
mod fetch;
mod login;
mod provider;

use std::sync::Arc;

use parking_lot::RwLock;
use plimsoll_core::access::ActorKind;
use plimsoll_core::{Clock, Tenancy, TenantName};
use plimsoll_spec::IdentityProvider;
use tokio::sync::Semaphore;

use crate::access::Actor;

pub(crate) use claims::Vouched;
pub(crate) use login::{LASTS as LOGIN_LASTS, LoginError};
use login::{Login, Logins};
use provider::{Provider, ProviderError, is_code};

/// What the names of people begin with whom a provider vouches for: no account, operator or key has such a
/// name.
pub(crate) const PREFIX: &str = "oidc:";

/// How many sign-ins may wait for the provider at a time, of those that begin and of those that come back; each
/// calls it.
const WAITING_MAX: usize = 32;

/// The identity provider of this node, if it has one.
#[derive(Debug)]
pub struct Identity {
    provider: RwLock<Option<Arc<Provider>>>,
    /// What its groups may do now.
    rules: RwLock<Option<Arc<IdentityProvider>>>,
    logins: Logins,
    /// For those who set out, of whom nothing is known.
    setting_out: Semaphore,
    /// For those who come back to what they began here.
    coming_back: Semaphore,
    clock: Arc<dyn Clock>,
}

/// Somebody is on their way to the provider.
#[derive(Debug)]
pub(crate) struct Begun {
    /// Where they go.
    pub(crate) url: String,
    /// What their browser brings back.
    pub(crate) cookie: String,
}

/// What the provider sent somebody back with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SentBack<'a> {
    /// What their browser kept meanwhile.
    pub(crate) cookie: Option<&'a str>,
    pub(crate) state: Option<&'a str>,
    pub(crate) code: Option<&'a str>,
    pub(crate) error: Option<&'a str>,
    /// Who says that they sent them (RFC 9207).
    pub(crate) issuer: Option<&'a str>,
}

/// Why somebody does not come in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum NotIn {
    /// There is no provider.
    NoProvider,
    /// Too many wait for it.
    Busy,
    /// It does not answer, or not in a way that can be used.
    Away,
    /// Nobody began this sign-in here, or it is over.
    NoLogin(LoginError),
    /// Whoever came back brought no code of this provider's: whoever likes can say so.
    NoCode(String),
    /// The provider did not vouch for anybody.
    NotVouched(String),
    /// It did, and they may work for nobody, or not for whom they asked.
    NoPlace(Box<Vouched>, String),
}

impl Identity {
    /// This provider, or none.
    pub fn new(provider: Option<IdentityProvider>, clock: Arc<dyn Clock>) -> Self {
        let identity = Self {
            provider: RwLock::new(None),
            rules: RwLock::new(None),
            logins: Logins::new(),
            setting_out: Semaphore::new(WAITING_MAX),
            coming_back: Semaphore::new(WAITING_MAX),
            clock,
        };
        identity.replace(provider);
        identity
    }

    /// From now on, it is this one. What is known of the provider stays known if it is the same.
    pub(crate) fn replace(&self, newer: Option<IdentityProvider>) {
        let newer = newer.map(Arc::new);
        let is_same = match (&*self.rules.read(), &newer) {
            (Some(before), Some(newer)) => before.is_asked_like(newer),
            (before, newer) => before.is_none() && newer.is_none(),
        };
        if !is_same {
            let provider = newer
                .as_ref()
                .map(|newer| Arc::new(Provider::new(newer, Arc::clone(&self.clock))));
            *self.provider.write() = provider;
        }
        *self.rules.write() = newer;
    }

    fn now(&self) -> Result<(Arc<Provider>, Arc<IdentityProvider>), NotIn> {
        let provider = self.provider.read().clone();
        let rules = self.rules.read().clone();
        provider.zip(rules).ok_or(NotIn::NoProvider)
    }

    /// Whether browsers reach this node over TLS, as the workspace says.
    pub(crate) fn is_behind_tls(&self) -> bool {
        let rules = self.rules.read();
        rules
            .as_ref()
            .is_some_and(|rules| rules.base_url.starts_with("https://"))
    }

    /// Somebody wants to sign in, to work for `tenant` if they say so.
    pub(crate) async fn begin(&self, tenant: Option<TenantName>) -> Result<Begun, NotIn> {
        let (provider, rules) = self.now()?;
        let _place = self.setting_out.try_acquire().map_err(|_| NotIn::Busy)?;
        let login = self.logins.begin(tenant, self.clock.now());
        let url = provider.authorization_url(&rules, &login).await;
        let url = url.map_err(NotIn::from)?;
        let Login { cookie, .. } = login;
        Ok(Begun { url, cookie })
    }

    /// Somebody comes back: whom the provider vouches for, and who they are here.
    pub(crate) async fn complete(
        &self,
        back: SentBack<'_>,
    ) -> Result<(Arc<Vouched>, Actor), NotIn> {
        let (provider, rules) = self.now()?;
        let now = self.clock.now();
        let login = self.logins.known((back.cookie, back.state), now);
        let login = login.map_err(NotIn::NoLogin)?;
        let code = code_of(&rules, back)?;
        let _place = self.coming_back.try_acquire().map_err(|_| NotIn::Busy)?;
        self.logins.end(&login, now).map_err(NotIn::NoLogin)?;
        let vouched = provider.exchange(&rules, &login, code).await?;
        let (tenancy, why) = self.place_of(&rules, &vouched, login.tenant);
        let vouched = Vouched { tenancy, ..vouched };
        match why {
            None => match self.actor(&vouched) {
                Some(actor) => Ok((Arc::new(vouched), actor)),
                None => Err(NotIn::NoPlace(
                    Box::new(vouched),
                    "the workspace was read again at this moment: sign in again".to_owned(),
                )),
            },
            Some(why) => Err(NotIn::NoPlace(Box::new(vouched), why)),
        }
    }

    /// For whom somebody works from now on, or why for nobody.
    fn place_of(
        &self,
        rules: &IdentityProvider,
        vouched: &Vouched,
        asked: Option<TenantName>,
    ) -> (Tenancy, Option<String>) {
        let granted = rules.granted(vouched.groups.iter().map(String::as_str));
        let name = &vouched.name;
        if let Some(tenant) = asked {
            let place = Some(tenant);
            let why = (!granted.contains_key(&place)).then(|| {
                let asked = Tenancy::of(place.clone());
                format!("no group of `{name}` works for {asked}")
            });
            return (Tenancy::of(place), why);
        }
        let mut places = granted.into_keys();
        match (places.next(), places.len()) {
            (None, _) => {
                let why = format!("no group of `{name}` may do anything here");
                (Tenancy::Installation, Some(why))
            }
            (Some(place), 0) => (Tenancy::of(place), None),
            // The installation comes first.
            (Some(None), _) => (Tenancy::Installation, None),
            (Some(first), _) => {
                let names = std::iter::once(first).chain(places);
                let names: Vec<String> = names.flatten().map(|name| name.to_string()).collect();
                let names = names.join(", ");
                let why = format!(
                    "`{name}` may work for several tenants: add `?tenant=` with one of {names}"
                );
                (Tenancy::Installation, Some(why))
            }
        }
    }

    /// Who somebody is, as the workspace stands now; none if they may do nothing any more.
    pub(crate) fn actor(&self, vouched: &Vouched) -> Option<Actor> {
        let rules = self.rules.read().clone()?;
        if rules.issuer != vouched.issuer || rules.client_id != vouched.client_id {
            return None;
        }
        let mut granted = rules.granted(vouched.groups.iter().map(String::as_str));
        let roles = granted.remove(&vouched.tenancy.tenant().cloned())?;
        Some(Actor {
            name: vouched.name.clone(),
            roles,
            tenancy: vouched.tenancy.clone(),
            kind: ActorKind::User,
        })
    }
}

impl From<ProviderError> for NotIn {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Away => Self::Away,
            ProviderError::Refused(why) => Self::NotVouched(why),
        }
    }
}

/// The code that the provider sent somebody back with.
fn code_of<'a>(rules: &IdentityProvider, back: SentBack<'a>) -> Result<&'a str, NotIn> {
    if back.issuer.is_some_and(|issuer| issuer != rules.issuer) {
        let message = "another provider than the one of this node sent them back";
        return Err(NotIn::NoCode(message.to_owned()));
    }
    if let Some(error) = back.error {
        let message = format!("the identity provider says `{}`", shown(error));
        return Err(NotIn::NoCode(message));
    }
    let code = back.code.filter(|code| is_code(code));
    code.ok_or_else(|| NotIn::NoCode("the identity provider sent no code back".to_owned()))
}

/// An error code that came through a browser, as far as it is one (RFC 6749, 4.1.2.1).
fn shown(code: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    code.chars().filter(is_plain).take(64).collect()
}
