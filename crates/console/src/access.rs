//! Who asks, as their token says, and whether they may.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use parking_lot::RwLock;
use plimsoll_core::access::{ActorKind, ControlAction};
use plimsoll_core::{Clock, Code, Digest, KeyName, Role, Secret, SystemClock, Tenancy, TenantName};
use plimsoll_spec::{IdentityProvider, Operator};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::error::{ACTOR_TAKEN, ApiError, CSRF_FAILED, ROLE_MISSING, TENANT_FORBIDDEN};
use crate::identity::{Identity, PREFIX};
use crate::people::{Account, People, SignedIn};
use crate::permit::{Asking, purpose_of};
use crate::reading::parse;
use crate::route::Reach;
use crate::sign_in::{checked_csrf, session_id};

/// The longest name that somebody may say they act under, in bytes.
const ACTOR_BYTES_MAX: usize = 128;

/// The digest of a token: digests have one length, so comparing them tells nothing of it.
#[derive(Clone, Copy, Debug)]
pub struct OperatorToken(Digest);

impl OperatorToken {
    /// The token that somebody must show.
    pub fn new(token: &Secret) -> Self {
        Self(Digest::of(token.expose().as_bytes()))
    }

    fn is(&self, shown: &Digest) -> Choice {
        shown.as_bytes().ct_eq(self.0.as_bytes())
    }
}

/// Everybody who may ask: the owner, whose token may do everything, and the named operators.
#[derive(Clone, Debug)]
pub struct Operators {
    owner: OperatorToken,
    named: Arc<RwLock<Arc<[Named]>>>,
    keys: Option<Arc<dyn KeyHolders>>,
    people: Arc<People>,
    identity: Arc<Identity>,
}

/// Who may act with a key that the control plane gave.
pub trait KeyHolders: Send + Sync + std::fmt::Debug {
    /// Who shows this key, if it is good here and now and gives a role.
    fn holder(&self, shown: &str) -> Option<KeyHolder>;
}

/// Whoever shows a key with roles.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyHolder {
    /// The key.
    pub key: KeyName,
    /// Whose it is: whoever shows it works for this tenant.
    pub tenant: TenantName,
    /// What they may do.
    pub roles: BTreeSet<Role>,
}

/// A named operator.
#[derive(Debug)]
struct Named {
    name: String,
    token: OperatorToken,
    roles: BTreeSet<Role>,
    tenancy: Tenancy,
}

impl Operators {
    /// The owner, and the operators that the workspace names.
    pub fn new(owner: OperatorToken, named: &[Operator]) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        Self {
            owner,
            named: Arc::new(RwLock::new(digests(named))),
            keys: None,
            people: Arc::new(People::new(Vec::new(), Arc::clone(&clock))),
            identity: Arc::new(Identity::new(None, clock)),
        }
    }

    /// These, and whoever shows a key with roles.
    #[must_use]
    pub fn or_keys(mut self, keys: Arc<dyn KeyHolders>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// These, and people who sign in.
    #[must_use]
    pub fn or_people(mut self, people: Arc<People>) -> Self {
        self.people = people;
        self
    }

    /// These, and people for whom an identity provider vouches.
    #[must_use]
    pub fn or_vouched(mut self, identity: Arc<Identity>) -> Self {
        self.identity = identity;
        self
    }

    /// Who vouches for people.
    pub(crate) const fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// Who may sign in.
    pub(crate) const fn people(&self) -> &Arc<People> {
        &self.people
    }

    /// Whether the workspace names somebody like that.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.named.read().iter().any(|known| known.name == name)
    }

    /// From now on, the workspace names these: whoever is not among them is known no longer.
    pub fn replace(&self, named: &[Operator]) {
        *self.named.write() = digests(named);
    }

    /// From now on, this provider vouches for people, or none.
    pub fn replace_provider(&self, provider: Option<IdentityProvider>) {
        self.identity.replace(provider);
    }

    /// Who shows their token in these headers. All tokens are compared, each in constant time, so that
    /// how long it takes tells neither how much of a token was right nor whose it is.
    fn identify(&self, headers: &HeaderMap) -> Option<Caller> {
        if !headers.contains_key(AUTHORIZATION) {
            return self.signed_in(headers);
        }
        let text = bearer(headers)?;
        let shown = Digest::of(text.as_bytes());
        let named = Arc::clone(&self.named.read());
        // 0 is nobody, 1 the owner, and from 2 on the named, who come before the owner: whoever gave
        // somebody the owner's own token meant to give them less.
        let mut found = 0_u32;
        found.conditional_assign(&1, self.owner.is(&shown));
        for (place, operator) in (2..).zip(named.iter()) {
            found.conditional_assign(&place, operator.token.is(&shown));
        }
        match found {
            0 => self.keys.as_ref()?.holder(text).map(Caller::Key),
            1 => Some(Caller::Owner(named)),
            place => Some(Caller::Named(named, place as usize - 2)),
        }
    }

    fn signed_in(&self, headers: &HeaderMap) -> Option<Caller> {
        let actor = self.of_session(session_id(headers)?)?;
        Some(Caller::User(Box::new(actor)))
    }

    /// Who has the session with this id. A name that the workspace gives somebody since is theirs alone.
    pub(crate) fn of_session(&self, id: &str) -> Option<Actor> {
        match self.people.of_session(id)? {
            SignedIn::Account(account) => {
                (!self.is_named(account.name.as_str())).then(|| Actor::signed_in(*account))
            }
            SignedIn::Vouched(vouched) => self.identity.actor(&vouched),
        }
    }
}

impl From<OperatorToken> for Operators {
    /// The owner alone.
    fn from(owner: OperatorToken) -> Self {
        Self::new(owner, &[])
    }
}

fn digests(named: &[Operator]) -> Arc<[Named]> {
    let digest = |operator: &Operator| Named {
        name: operator.name.clone(),
        token: OperatorToken::new(&operator.token),
        roles: operator.roles.clone(),
        tenancy: Tenancy::of(operator.tenant.clone()),
    };
    named.iter().map(digest).collect()
}

/// Whose token was shown.
enum Caller {
    /// The owner's, and whose names are taken.
    Owner(Arc<[Named]>),
    /// That of the operator in this place.
    Named(Arc<[Named]>, usize),
    /// A key's that gives roles.
    Key(KeyHolder),
    /// Nobody's token: the session of somebody who signed in.
    User(Box<Actor>),
}

impl Caller {
    /// Who acts. A named operator acts as themselves, whatever `plimsoll-actor` says; the owner acts as
    /// whoever they say, but for those who can speak for themselves.
    fn actor(self, headers: &HeaderMap, people: &People) -> Result<Actor, ApiError> {
        match self {
            Self::Named(named, place) => Ok(Actor {
                name: named[place].name.clone(),
                roles: named[place].roles.clone(),
                tenancy: named[place].tenancy.clone(),
                kind: ActorKind::Operator,
            }),
            Self::User(actor) => Ok(*actor),
            Self::Key(holder) => Ok(Actor {
                name: format!("key {}/{}", holder.tenant, holder.key),
                roles: holder.roles,
                tenancy: Tenancy::Tenant(holder.tenant),
                kind: ActorKind::Key,
            }),
            Self::Owner(named) => {
                let name = said(headers)?;
                let is_operator = named.iter().any(|operator| operator.name == name);
                let is_vouched = name.starts_with(PREFIX);
                if is_operator || is_vouched || people.account(&name).is_some() {
                    let message = format!("`{name}` is somebody: nobody else acts under that name");
                    let hint = "show their own token or session, or name somebody else in `plimsoll-actor`";
                    return Err(ApiError::own(ACTOR_TAKEN, message).hint(hint));
                }
                Ok(Actor {
                    name,
                    roles: Role::ALL.into(),
                    tenancy: Tenancy::Installation,
                    kind: ActorKind::Owner,
                })
            }
        }
    }
}

/// Who acts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// What records call them.
    pub name: String,
    /// What they may do.
    pub roles: BTreeSet<Role>,
    /// For whom they work: they see and change nothing else.
    pub tenancy: Tenancy,
    /// How they are known. With the owner's token the name is what they say, and nobody vouches for it.
    pub kind: ActorKind,
}

impl Actor {
    /// Who signed in to this account.
    pub(crate) fn signed_in(account: Account) -> Self {
        Self {
            name: account.name.to_string(),
            roles: account.roles,
            tenancy: Tenancy::of(account.tenant),
            kind: ActorKind::User,
        }
    }

    /// Who holds the data folder, where no server runs: under the name that they say.
    pub fn holding_the_data(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            roles: Role::ALL.into(),
            tenancy: Tenancy::Installation,
            kind: ActorKind::Owner,
        }
    }

    /// What they are told who ask for what is another tenant's.
    pub(crate) fn not_theirs(&self) -> ApiError {
        let message = format!("`{}` works for {} only", self.name, self.tenancy);
        ApiError::own(TENANT_FORBIDDEN, message)
    }

    /// For whom they ask who ask for `tenant`'s, or for all that is theirs to know.
    pub(crate) fn within(&self, tenant: Option<String>) -> Result<Tenancy, ApiError> {
        let tenancy = self.tenancy.narrowed(parse("tenant", tenant)?);
        tenancy.ok_or_else(|| self.not_theirs())
    }

    /// Refuses, unless they have one of these roles; with none of them, everybody may.
    ///
    /// # Errors
    /// With `role_missing`.
    pub fn require(&self, roles: &[Role]) -> Result<(), ApiError> {
        if roles.is_empty() || roles.iter().any(|role| self.roles.contains(role)) {
            return Ok(());
        }
        let words = |roles: &mut dyn Iterator<Item = &Role>| {
            let words: Vec<&str> = roles.map(|role| role.as_str()).collect();
            words.join(", ")
        };
        let (needed, has) = (words(&mut roles.iter()), words(&mut self.roles.iter()));
        let message = format!(
            "`{}` may not do this: it takes one of the roles {needed}",
            self.name
        );
        let name = &self.name;
        let giver = match self.kind {
            ActorKind::User if name.starts_with(PREFIX) => {
                "`[oidc.groups]` in plimsoll.toml gives them".to_owned()
            }
            ActorKind::User => "the account has them from when it was made".to_owned(),
            ActorKind::Key => "the key has them from when it was given".to_owned(),
            ActorKind::Owner | ActorKind::Operator => {
                format!("`[operators.{name}]` in plimsoll.toml gives them")
            }
        };
        let hint = format!("the roles of `{name}` are {has}; {giver}");
        Err(ApiError::own(ROLE_MISSING, message).hint(hint))
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start())
}

/// Who the owner says that they are.
fn said(headers: &HeaderMap) -> Result<String, ApiError> {
    let Some(value) = headers.get("plimsoll-actor") else {
        return Ok("operator".to_owned());
    };
    let text = value.to_str().unwrap_or_default().trim();
    let fits =
        !text.is_empty() && text.len() <= ACTOR_BYTES_MAX && !text.chars().any(char::is_control);
    let unfit = "header `plimsoll-actor` is not a name of 1 to 128 printable ASCII characters";
    fits.then(|| text.to_owned())
        .ok_or_else(|| ApiError::unfit(unfit))
}

/// Who is let through to a route.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) operators: Operators,
    pub(crate) roles: &'static [Role],
    pub(crate) reach: Reach,
    pub(crate) action: Option<ControlAction>,
}

/// Lets through who shows a token and has a role that the route takes, and says who it is.
pub(crate) async fn require(
    State(gate): State<Gate>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let caller = gate.operators.identify(request.headers()).ok_or_else(|| {
        let hint = "send `Authorization: Bearer …` with your own token, or with what is in `operator.token` of the data folder, or sign in";
        ApiError::of(Code::Unauthenticated, "the operator's token is missing or wrong").hint(hint)
    })?;
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if matches!(caller, Caller::User(_)) && !is_safe && !checked_csrf(request.headers()) {
        let message = "the session's token is missing or wrong";
        let hint = "send what GET /api/v1/session says as `csrf` in the header `plimsoll-csrf`";
        return Err(ApiError::own(CSRF_FAILED, message).hint(hint));
    }
    let actor = caller.actor(request.headers(), &gate.operators.people)?;
    if gate.reach == Reach::Installation && actor.tenancy.tenant().is_some() {
        let hint =
            "this is about what all tenants share: ask somebody who works for the installation";
        return Err(actor.not_theirs().hint(hint));
    }
    actor.require(gate.roles)?;
    if let Some(action) = gate.action {
        let purpose = purpose_of(request.headers())?;
        let asking = Asking::new(actor.clone(), action, purpose);
        request.extensions_mut().insert(asking);
    }
    request.extensions_mut().insert(actor);
    Ok(next.run(request).await)
}
